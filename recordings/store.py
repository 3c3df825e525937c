"""The database's side of recordings: their rows on the way recording → waiting → archived, missing or faulty.

`expect` and `ended` stand inside the journal writer's transaction and never raise over what a row holds; the
others belong to the archivist, one short transaction each.
"""
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import Recording, RecordingGap
from recordings.archive import Archived
from recordings.gaps import Gap


@dataclass(frozen=True)
class Waiting:
    """A recording whose call is over and which is not yet in the archive."""
    id: int
    call_id: str
    #: file below the spool
    raw_name: str
    starts_at: datetime
    ends_at: datetime


def expect(connection: Connection, call_id: str, raw_name: str, starts_at: datetime) -> None:
    """A call has begun to be recorded from the caller's side."""
    connection.execute(insert(Recording).values(
        call_id=call_id, leg="caller", raw_name=raw_name, state="recording", starts_at=starts_at))


def ended(connection: Connection, call_id: str, ends_at: datetime) -> None:
    """The call is over: its recording waits for the archivist. Said twice, the last word holds until then."""
    connection.execute(update(Recording).values(state="waiting", ends_at=ends_at).where(
        Recording.call_id == call_id, Recording.state.in_(("recording", "waiting"))))


async def waiting(session: AsyncSession) -> list[Waiting]:
    """Whatever is to be archived, the oldest call first."""
    rows = await session.scalars(
        select(Recording).where(Recording.state == "waiting").order_by(Recording.ends_at, Recording.id))
    return [Waiting(row.id, row.call_id, row.raw_name, row.starts_at, row.ends_at or row.starts_at) for row in rows]


async def archived(
    session: AsyncSession, recording: int, made: Archived, archive_name: str, peaks_name: str,
    gaps: Iterable[Gap],
) -> None:
    """It stands in the archive under these names (below its root), with these stretches missing."""
    odd = f"{made.dropped_bytes} odd bytes at the raw file's end were left out" if made.dropped_bytes else None
    await _set(session, recording, gaps, state="archived", archive_name=archive_name, peaks_name=peaks_name,
               duration_for=made.duration_for, sha256=made.sha256, caller_dbfs=made.caller_dbfs,
               others_dbfs=made.others_dbfs, fault=odd)


async def missing(session: AsyncSession, recording: int, why: str, gaps: Iterable[Gap]) -> None:
    """There is no sound of this call."""
    await _set(session, recording, gaps, state="missing", fault=why)


async def faulty(session: AsyncSession, recording: int, why: str) -> None:
    """It cannot be archived; the raw file is kept for somebody to look at."""
    await _set(session, recording, (), state="faulty", fault=why)


async def take_again(session: AsyncSession, raw_names: Sequence[str]) -> None:
    """Faulty and missing ones whose raw file lies there now wait again: a full or lost disk may be well by now."""
    await session.execute(update(Recording).values(state="waiting", fault=None).where(
        Recording.state.in_(("faulty", "missing")), Recording.raw_name.in_(raw_names)))


async def archive_names_of(session: AsyncSession, raw_names: Sequence[str]) -> dict[str, str]:
    """Archive by raw file, of those that are archived."""
    rows = await session.execute(select(Recording.raw_name, Recording.archive_name).where(
        Recording.state == "archived", Recording.raw_name.in_(raw_names)))
    return {raw: name for raw, name in rows if name is not None}


async def _set(session: AsyncSession, recording: int, gaps: Iterable[Gap], **values: object) -> None:
    await session.execute(update(Recording).values(**values).where(Recording.id == recording))
    await session.execute(delete(RecordingGap).where(RecordingGap.recording_id == recording))
    for gap in gaps:
        session.add(RecordingGap(recording_id=recording, from_s=gap.from_s, to_s=gap.to_s, why=gap.why))
