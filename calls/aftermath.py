"""calls: what became of calls while no process of ours saw it: our books held against Asterisk's, noted once.

Asterisk's channels say who is still there. Whoever is not, and has no end in our books, has ended. Asterisk's own book
(telephony/cel.py) says when, who answered, and how long they talked, of every call that reached the trunk, also of
those that we never heard of. Where it is silent, the recording in the spool is asked: its last sound is nearest to the
end, and one that no call knows is that of a call which the dialplan carried alone.
"""
import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Set
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from calls import lost, store
from calls.call import Notes
from calls.stages import ENDED, Stage
from telephony import numbers
from telephony.cel import Account
from telephony.cel_book import CelBook

log = logging.getLogger(__name__)

#: A call that we have no record of and that ended longer ago is not brought back: it may have been erased.
REMEMBERED = timedelta(days=7)


class Aftermath:
    """Looks through the books, one look at a time."""

    def __init__(
        self, notes: Notes, sessions: async_sessionmaker[AsyncSession], node: str, spool: Path, rescued: Path,
        book: CelBook, look: Callable[[], Awaitable[Set[str]]],
    ) -> None:
        """`rescued`: the file in which the guard tells whom it sent the way out. `look`: ids of all channels in
        Asterisk now, and of the calls in our hands; it returns when all that was noted is in the books."""
        self._notes, self._sessions, self._node = notes, sessions, node
        self._spool, self._rescued, self._book, self._look = spool, rescued, book, look
        self._gone: Set[str] = set()

    async def tell(self, *, at_start: bool) -> None:
        """Note what nobody of us saw. Later than at the start only what is missing for the second time: whoever has
        just ended is being noted by those who saw it. Raises what the database raises, and what `look` does.

        Books first, then Asterisk, then the books again: who arrives in between stands in neither list, and whose end
        was seen in between has it by then.
        """
        found = await asyncio.to_thread(_recordings, self._spool) if at_start else {}
        arrived = await self._accounts()
        unfinished = await store.unfinished(self._sessions, self._node)
        alive = await self._look()
        unfinished &= await store.unfinished(self._sessions, self._node)
        accounts = await self._accounts()
        sent = await asyncio.to_thread(_lines, self._rescued)
        gone = (unfinished | arrived.keys()) - alive
        due = gone if at_start else gone & self._gone
        self._gone = gone
        known = await store.progress(self._sessions, due | found.keys())
        for call_id in sorted(due):
            account = accounts.get(call_id)
            if call_id in unfinished:
                raw = self._spool / f"{call_id}.raw"
                self._ended(call_id, account, "sent by the guard" if call_id in sent else None, _last_sound(raw))
            elif account is not None and call_id not in known:
                if datetime.now(UTC) - _moment(account.last_at) < REMEMBERED:
                    self._never_ours(account)
            elif account is not None and known[call_id] == (ENDED, None) and (talk := _talk(account)):
                self._notes.note("recounted", call_id, way_out=account.way_out, **talk)
        for call_id in sorted(found.keys() - alive - known.keys() - accounts.keys()):
            raw = found[call_id]
            self._way_out(call_id, "found in the spool", _last_sound(raw), arrived_at=_arrived_at(call_id, raw))
        others = {call_id for call_id in due & known.keys() if known[call_id][0] != ENDED} - unfinished
        self._book.forget(due - others)                 # (of another node, which will note their end)
        if sent and not sent & alive:
            await self._look()                          # safe in the books: no need to be told again
            await asyncio.to_thread(self._rescued.unlink)

    async def _accounts(self) -> Mapping[str, Account]:
        try:
            return await asyncio.to_thread(self._book.accounts)
        except OSError as fault:
            log.warning("Asterisk's own book of calls cannot be read: %s", type(fault).__name__)
            return {}

    def _ended(self, call_id: str, account: Account | None, sent: str | None, last_sound: str | None) -> None:
        """A call that stands in our books without an end."""
        ended_at = last_sound
        if account is not None and (account.ended_at is not None or last_sound is None):
            ended_at = _iso(account.ended_at or account.last_at)
        why = sent or ("seen by Asterisk" if account is not None and account.way_out else None)
        if why is not None:
            self._way_out(call_id, why, ended_at, account)
        else:
            self._notes.note(str(ENDED), call_id, by="nobody of us saw", ended_at=ended_at, **_talk(account))

    def _never_ours(self, account: Account) -> None:
        """A call that stands in no book of ours."""
        number, arrived_at = numbers.clean(account.number), _iso(account.arrived_at)
        ended_at = _iso(account.ended_at or account.last_at)
        if account.way_out:
            self._way_out(account.call_id, "seen by Asterisk", ended_at, account, number, arrived_at)
        else:                                   # it left before the dialplan turned to anybody; or our books are lost
            self._notes.note(str(Stage.ARRIVED), account.call_id, number=number, arrived_at=arrived_at)
            self._notes.note(str(ENDED), account.call_id, by="nobody of us saw", ended_at=ended_at, **_talk(account))

    def _way_out(self, call_id: str, why: str, ended_at: str | None, account: Account | None = None,
                 number: str | None = None, arrived_at: str | None = None) -> None:
        """`number`, `arrived_at`: None for a call that is in the books. Without a talk nobody knows who answered."""
        talk = _talk(account) or {"operator": None, "talked_for": None}
        if account is not None and account.answered_at is not None:
            talk["answered_at"] = _iso(account.answered_at)
        self._notes.note("way out", call_id, number=number, arrived_at=arrived_at, why=why, ended_at=ended_at, **talk)


def _talk(account: Account | None) -> dict[str, object]:
    """Who answered, since when and for how many seconds; nothing, if it was over before a word could be said."""
    if account is None or account.began_at is None or lost.was_no_talk(account.talked_for):
        return {}
    return {"operator": account.desk, "talking_at": _iso(account.began_at), "talked_for": round(account.talked_for, 1)}


def _recordings(spool: Path) -> dict[str, Path]:
    return {path.stem: path for path in spool.glob("*.raw")}


def _lines(file: Path) -> set[str]:
    return set(file.read_text().split()) if file.exists() else set()


def _last_sound(raw: Path) -> str | None:
    """The moment of the recording's last sound, if there is one."""
    return _iso(raw.stat().st_mtime) if raw.exists() else None


def _arrived_at(call_id: str, raw: Path) -> str:
    """Asterisk's unique ids begin with the second of the call's arrival."""
    second = call_id.split(".")[0]
    return _iso(int(second) if second.isdecimal() and len(second) == 10 else raw.stat().st_mtime)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _iso(seconds: float) -> str:
    return _moment(seconds).isoformat()
