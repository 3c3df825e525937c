"""recordings: reviewing: who listens says why and stands in the audit; what they say about a second is kept.

Nothing outside the archive's root is ever opened, whatever a row says.
"""
import asyncio
import os
import stat
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from db.audit import Entry, Trail
from db.engine import reading_session
from db.models import Recording, RecordingComment
from recordings import review_store as store

Sessions = async_sessionmaker[AsyncSession]

#: A player asks for one piece after the other: within this time it is one listening.
ONE_LISTENING = timedelta(hours=1)


class NotPlayable(Exception):
    """There is no sound to hear, not yet or not at all; the text says why."""


class BeyondTheEnd(Exception):
    """A second that the recording does not have."""


@dataclass(frozen=True)
class File:
    """Something of a recording in the archive."""

    path: Path
    stat: os.stat_result


@dataclass(frozen=True)
class Sound(File):
    """A recording that can be heard: Ogg/Opus, left the caller, right everybody else."""

    sha256: str             #: lower-case hex


async def sound(sessions: Sessions, root: Path, recording: int) -> Sound:
    """What there is to hear. `root`: the archive's folder. Raises Unknown, NotPlayable."""
    row = await _archived(sessions, recording)
    file = await _file(root, row.archive_name, row)
    return Sound(file.path, file.stat, row.sha256 or "")


async def peaks(sessions: Sessions, root: Path, recording: int) -> File:
    """JSON for drawing the waveform (recordings.archive.Measure.waveform). Raises Unknown, NotPlayable."""
    row = await _archived(sessions, recording)
    return await _file(root, row.peaks_name, row)


async def listened(sessions: Sessions, recording: int, who: str, why: str, now: datetime) -> None:
    """Into the audit: who listens, and why. Once for a listening. Raises Unknown."""
    since = now - ONE_LISTENING
    async with reading_session(sessions) as session:            # most often: the next piece of the same sound
        if await store.has_listened(session, recording, who, why, since):
            return
    async with sessions.begin() as session:
        await store.row(session, recording, hold=True)          # two pieces asked for at once take turns here
        if not await store.has_listened(session, recording, who, why, since):
            trail = Trail()
            trail.add(Entry(now, who, store.AUDITED, str(recording), store.LISTENED, why=why))
            await trail.seal_in(session)


async def comment(
    sessions: Sessions, recording: int, at_s: float, text: str, who: str, now: datetime
) -> RecordingComment:
    """Say something about a second of a recording. Raises Unknown, NotPlayable, BeyondTheEnd."""
    trail = Trail()
    async with sessions.begin() as session:
        row = await store.row(session, recording)
        if row.duration_for is None or row.state != "archived":
            raise NotPlayable(_why_not(row))
        if not 0 <= at_s <= row.duration_for:
            raise BeyondTheEnd(f"recording {recording} goes from 0 to {row.duration_for:.1f} s; there is no {at_s} s")
        said = RecordingComment(recording_id=recording, at_s=at_s, at=now, who=who, text=text)
        session.add(said)
        await session.flush()
        trail.add(Entry(now, who, store.AUDITED, str(recording), "comment", after={"id": said.id, "at_s": at_s}))
        await trail.seal_in(session)
    return said


async def _archived(sessions: Sessions, recording: int) -> Recording:
    async with reading_session(sessions) as session:
        row = await store.row(session, recording)
    if row.state != "archived":
        raise NotPlayable(_why_not(row))
    return row


async def _file(root: Path, name: str | None, row: Recording) -> File:
    file = await asyncio.to_thread(_look, root, name) if name is not None else None
    if file is None:
        raise NotPlayable(f"recording {row.id} is in the books, but its file is not in the archive; look after the "
                          "archive's disk, or bring it back from a backup")
    return file


def _look(root: Path, name: str) -> File | None:
    try:
        path = (root / name).resolve(strict=True)
        there = path.stat()
    except (OSError, ValueError):
        return None
    inside = path.is_relative_to(root.resolve())
    return File(path, there) if inside and stat.S_ISREG(there.st_mode) else None


def _why_not(row: Recording) -> str:
    waits = "try again when its call is over and it is archived, some seconds later"
    return {
        "recording": f"recording {row.id} goes on: {waits}",
        "waiting": f"recording {row.id} is still being archived: {waits}",
        "missing": f"recording {row.id} has no sound: {row.fault}",
        "faulty": f"recording {row.id} could not be archived, and its raw file is kept: {row.fault}",
    }.get(row.state, f"recording {row.id} has no length")
