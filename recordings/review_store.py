"""recordings: what reviewers ask of the database: recordings by what became of their calls, and comments on them."""
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Float, exists, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from db.models import Audit, Call, Recording, RecordingComment, RecordingGap

#: the kind of thing that a recording is, in the audit
AUDITED = "recording"
LISTENED = "listened"


class Unknown(LookupError):
    """There is no such recording."""


@dataclass(frozen=True)
class Wanted:
    """Which recordings; None: it does not matter. Lengths in seconds, ends included."""

    operator: str | None = None
    disposition: str | None = None
    outcome: str | None = None
    topic: str | None = None
    #: of the archive
    longest: float | None = None
    shortest: float | None = None
    #: from arrival to talk; who never talked has no wait
    longest_wait: float | None = None
    shortest_wait: float | None = None
    #: began then or later
    since: datetime | None = None
    #: began before
    until: datetime | None = None
    commented: bool | None = None


@dataclass(frozen=True)
class Reviewed:
    """A recording with what is known of its call."""

    recording: Recording
    #: None: the journal has not told of it yet
    call: Call | None
    gaps: Sequence[RecordingGap]
    #: how many
    comments: int

    @property
    def waited_for(self) -> float | None:
        """Seconds from arrival to talk; None: they never talked."""
        if self.call is None or self.call.talking_at is None:
            return None
        return round((self.call.talking_at - self.call.arrived_at).total_seconds(), 3)


class _Seconds(FunctionElement[float]):
    """Seconds from one column of moments to another, to the millisecond."""

    inherit_cache = True
    type = Float()


@compiles(_Seconds, "sqlite")
def _on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    begun, ended = (compiler.process(clause, **options) for clause in element.clauses)
    return f"round((julianday({ended}) - julianday({begun})) * 86400, 3)"


@compiles(_Seconds, "postgresql")
def _on_postgres(element: Any, compiler: Any, **options: Any) -> str:
    begun, ended = (compiler.process(clause, **options) for clause in element.clauses)
    return f"round(extract(epoch from {ended} - {begun}), 3)"


async def page(
    session: AsyncSession, wanted: Wanted, limit: int, after: tuple[datetime, int] | None = None
) -> list[Reviewed]:
    """The newest first. `after`: `starts_at` and `id` of the last one that was seen. Two queries."""
    query = _with_call().where(*_conditions(wanted))
    if after is not None:
        query = query.where(tuple_(Recording.starts_at, Recording.id) < after)
    return await _reviewed(session, query.order_by(Recording.starts_at.desc(), Recording.id.desc()).limit(limit))


async def one(session: AsyncSession, recording: int) -> Reviewed:
    """Raises Unknown."""
    found = await _reviewed(session, _with_call().where(Recording.id == recording))
    if not found:
        raise _unknown(recording)
    return found[0]


async def row(session: AsyncSession, recording: int, *, hold: bool = False) -> Recording:
    """Raises Unknown. `hold`: nobody else holds it until the transaction ends."""
    found = await session.get(Recording, recording, with_for_update=hold or None)
    if found is None:
        raise _unknown(recording)
    return found


async def comments(session: AsyncSession, recording: int) -> Sequence[RecordingComment]:
    """In the order in which they are heard."""
    of_it = select(RecordingComment).where(RecordingComment.recording_id == recording)
    return (await session.scalars(of_it.order_by(RecordingComment.at_s, RecordingComment.id))).all()


async def has_listened(session: AsyncSession, recording: int, who: str, why: str, since: datetime) -> bool:
    """Whether the audit knows that they listened for this reason since then."""
    known = exists().where(Audit.what == AUDITED, Audit.which == str(recording), Audit.field == LISTENED,
                           Audit.who == who, Audit.why == why, Audit.at > since)
    return bool(await session.scalar(select(known)))


def _with_call() -> Any:
    count = select(func.count()).where(RecordingComment.recording_id == Recording.id).scalar_subquery()
    return select(Recording, Call, count).outerjoin(Call, Call.id == Recording.call_id)


def _conditions(wanted: Wanted) -> list[Any]:
    waited = _Seconds(Call.arrived_at, Call.talking_at)
    commented = exists().where(RecordingComment.recording_id == Recording.id)
    asked = (
        (wanted.operator, Call.operator.__eq__),
        (wanted.disposition, Call.disposition.__eq__),
        (wanted.outcome, Call.outcome.__eq__),
        (wanted.topic, Call.topic.__eq__),
        (wanted.longest, Recording.duration_for.__le__),
        (wanted.shortest, Recording.duration_for.__ge__),
        (wanted.longest_wait, waited.__le__),
        (wanted.shortest_wait, waited.__ge__),
        (wanted.since, Recording.starts_at.__ge__),
        (wanted.until, Recording.starts_at.__lt__),
        (wanted.commented, lambda yes: commented if yes else ~commented),
    )
    return [condition(value) for value, condition in asked if value is not None]


async def _reviewed(session: AsyncSession, query: Any) -> list[Reviewed]:
    rows = (await session.execute(query)).all()
    missing = select(RecordingGap).where(RecordingGap.recording_id.in_([recording.id for recording, _, _ in rows]))
    gaps: dict[int, list[RecordingGap]] = {}
    for gap in await session.scalars(missing.order_by(RecordingGap.from_s, RecordingGap.id)) if rows else ():
        gaps.setdefault(gap.recording_id, []).append(gap)
    return [Reviewed(recording, call, gaps.get(recording.id, []), count) for recording, call, count in rows]


def _unknown(recording: int) -> Unknown:
    return Unknown(f"there is no recording {recording}")
