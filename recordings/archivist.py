"""The archivist: brings recordings into the archive, one after the other, as soon as their calls are over.

What waits stands in the database, so nothing is forgotten when the service ends in the middle. A raw file is
deleted only when its archive was read back and the row that says so is committed; a fault of one recording
stops no other.
"""
import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from db.engine import reading_session
from recordings import store
from recordings.archive import ArchiveError, NotNowError, archive
from recordings.gaps import gaps
from recordings.names import archive_names, raw_name
from recordings.store import Waiting

log = logging.getLogger(__name__)

#: seconds a raw file must have stood still: MixMonitor writes in bursts and closes a little after the hang-up
SETTLED_AFTER = 3.0
#: seconds to wait after the first failure and after the second; the third is the last
BACK_OFF = (10.0, 120.0)
#: seconds between attempts while no archive can be made of anything (no room): as often as it takes
NOT_NOW = 10.0
#: a call that lasted so many seconds and has no sound at all tells that nothing is recorded
TOO_LONG_FOR_SILENCE = 10.0
#: seconds between two looks when nobody wakes us, and after the database did not answer
LOOK_EVERY = 30.0

#: size and time of change of a raw file; None: there is none
_Look = tuple[int, int] | None


@dataclass
class _Watch:
    """What is known of a waiting recording since we look at it; moments are the event loop's."""
    seen: _Look
    #: its raw file has looked like that since then
    since: float
    failures: int = 0
    not_before: float = 0.0


class Archivist:
    """Takes recordings in state waiting from the spool into the archive, until it is cancelled."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], spool: Path, archive_root: Path,
                 wake: asyncio.Event, settled_after: float = SETTLED_AFTER,
                 back_off: Sequence[float] = BACK_OFF) -> None:
        self._sessions, self._spool, self._root, self._wake = sessions, spool, archive_root, wake
        self._settled_after, self._back_off = settled_after, back_off
        self._watches: dict[int, _Watch] = {}
        self.trouble: str | None = None     #: why calls are not recorded or archived now, for a person

    async def run(self) -> None:
        """For ever. `wake` is set by whoever has ended a call; without it we look every LOOK_EVERY seconds."""
        tidied = False
        while True:
            self._wake.clear()
            try:
                if not tidied:
                    await self._tidy()
                    tidied = True
                rest = await self._round()
            except Exception:                               # the database is away: its rows will be there again
                log.exception("recordings wait: the archivist could not work and will look again")
                rest = LOOK_EVERY
            try:
                async with asyncio.timeout(rest):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _tidy(self) -> None:
        """At the start: what we were stopped before deleting is deleted, what has come back waits again."""
        raw_names = [path.name for path in self._spool.glob("*.raw")]
        async with self._sessions.begin() as session:
            await store.take_again(session, raw_names)
            done = await store.archive_names_of(session, raw_names)
        for raw, name in done.items():
            if (self._root / name).is_file():
                self._delete(raw)

    async def _round(self) -> float:
        """Looks at everything that waits and takes what is ready; returns seconds until something may be."""
        async with reading_session(self._sessions) as session:
            recordings = await store.waiting(session)
        self._watches = {one.id: self._watches[one.id] for one in recordings if one.id in self._watches}
        for recording in recordings:
            if self._ready_in(recording) <= 0:
                await self._take(recording)
        now = asyncio.get_running_loop().time()
        return min((max(0.05, self._due(watch) - now) for watch in self._watches.values()), default=LOOK_EVERY)

    def _ready_in(self, recording: Waiting) -> float:
        """Seconds until its raw file (or the lack of one) has been the same for long enough, and back-off is over."""
        now = asyncio.get_running_loop().time()
        seen = self._look(recording)
        watch = self._watches.setdefault(recording.id, _Watch(seen, now))
        if seen != watch.seen:
            watch.seen, watch.since = seen, now
        return self._due(watch) - now

    def _due(self, watch: _Watch) -> float:
        return max(watch.since + self._settled_after, watch.not_before)

    def _look(self, recording: Waiting) -> _Look:
        try:
            stat = (self._spool / raw_name(recording.raw_name)).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError):                       # it will be said when the recording is taken
            return -1, -1
        return stat.st_size, stat.st_mtime_ns

    async def _take(self, recording: Waiting) -> None:
        watch = self._watches[recording.id]
        try:
            try:
                if watch.seen is None or watch.seen[0] == 0:
                    await self._missed(recording, "the raw file is empty" if watch.seen else "there is no raw file")
                else:
                    await self._bring(recording, watch.seen)
            except SQLAlchemyError:
                raise                                       # no fault of the recording
            except (NotNowError, OSError) as fault:         # nor this
                return self._later(recording, watch, str(fault))
            except Exception as fault:
                if watch.failures < len(self._back_off):
                    return self._again(recording, watch, str(fault))
                await self._give_up(recording, str(fault))
            del self._watches[recording.id]
        except SQLAlchemyError:
            log.exception("recording of call %s waits for the database", recording.call_id)
            watch.not_before = asyncio.get_running_loop().time() + LOOK_EVERY

    async def _missed(self, recording: Waiting, why: str) -> None:
        async with self._sessions.begin() as session:
            await store.missing(session, recording.id, why, gaps(0, _length(recording), 0))
        log.error("call %s has no recording: %s", recording.call_id, why)
        if _length(recording) >= TOO_LONG_FOR_SILENCE:
            self.trouble = f"the last call has no recording ({why}): look at the spool and at Asterisk's log"

    async def _bring(self, recording: Waiting, seen: _Look) -> None:
        """One recording into the archive, its row committed, and only then its raw file away."""
        archive_name, peaks_name = archive_names(recording.call_id, recording.starts_at)
        raw = self._spool / raw_name(recording.raw_name)
        made = await archive(raw, self._root / archive_name, self._root / peaks_name)
        if self._look(recording) != seen:
            raise ArchiveError("the raw file was still being written")
        lacking = gaps(0, _length(recording), made.duration_for)
        async with self._sessions.begin() as session:
            await store.archived(session, recording.id, made, archive_name, peaks_name, lacking)
        self._delete(recording.raw_name)
        self.trouble = None
        for gap in lacking:
            log.warning("call %s was not recorded as a whole: %s", recording.call_id, gap.why)

    def _again(self, recording: Waiting, watch: _Watch, why: str) -> None:
        watch.not_before = asyncio.get_running_loop().time() + self._back_off[watch.failures]
        watch.failures += 1
        log.warning("recording of call %s is not archived yet: %s", recording.call_id, why)

    def _later(self, recording: Waiting, watch: _Watch, why: str) -> None:
        watch.not_before = asyncio.get_running_loop().time() + NOT_NOW
        if self.trouble is None:
            log.error("recording of call %s waits, its raw file is kept: %s", recording.call_id, why)
        self.trouble = f"no archive can be made; raw files are kept and wait: {why}"

    async def _give_up(self, recording: Waiting, why: str) -> None:
        async with self._sessions.begin() as session:
            await store.faulty(session, recording.id, why)
        log.error("recording of call %s cannot be archived, its raw file is kept: %s", recording.call_id, why)

    def _delete(self, raw: str) -> None:
        try:
            (self._spool / raw).unlink(missing_ok=True)
        except OSError as fault:
            log.error("an archived raw file cannot be deleted: %s", fault)


def _length(recording: Waiting) -> float:
    """Seconds the call lasted."""
    return (recording.ends_at - recording.starts_at).total_seconds()
