"""web: what the doors ask of the database themselves; everything about tickets is asked of the tickets' room."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from calls.disposition import Disposition
from calls.stages import ENDED, IllegalStep
from db.engine import reading_session
from db.models import Agency, Call, Note, Operator, Recording, RecordingGap
from tickets.store import Unknown

Sessions = async_sessionmaker[AsyncSession]


async def answers(sessions: Sessions) -> None:
    """Returns if the database does; a real table, since SQLite answers SELECT 1 without looking at its file."""
    async with reading_session(sessions) as session:
        await session.scalar(select(Operator.name).limit(1))


async def calls(session: AsyncSession, limit: int) -> Sequence[Call]:
    """The newest first."""
    return (await session.scalars(select(Call).order_by(Call.arrived_at.desc(), Call.id.desc()).limit(limit))).all()


async def call(session: AsyncSession, call_id: str) -> Call:
    """Raises Unknown."""
    if (found := await session.get(Call, call_id)) is None:
        raise Unknown(f"there is no call {call_id}")
    return found


async def notes(session: AsyncSession, call_id: str) -> Sequence[Note]:
    """What the journal says about a call, in order."""
    about = select(Note).where(Note.call_id == call_id)
    return (await session.scalars(about.order_by(Note.at, Note.node, Note.seq))).all()


async def recordings(session: AsyncSession, call_id: str) -> list[tuple[Recording, Sequence[RecordingGap]]]:
    """Each with its gaps, in order."""
    rows = (await session.scalars(select(Recording).where(Recording.call_id == call_id).order_by(Recording.id))).all()
    gaps = select(RecordingGap).where(RecordingGap.recording_id.in_([row.id for row in rows]))
    missing = (await session.scalars(gaps.order_by(RecordingGap.from_s, RecordingGap.id))).all()
    return [(row, [gap for gap in missing if gap.recording_id == row.id]) for row in rows]


async def display_names(session: AsyncSession) -> dict[str, str]:
    """Of all operators, by name."""
    return {row.name: row.display_name for row in await session.scalars(select(Operator))}


async def dispose(sessions: Sessions, call_id: str, disposition: Disposition, by: str, now: datetime) -> None:
    """Write the operator's verdict on a call. Raises Unknown, or IllegalStep while the call goes on."""
    async with sessions.begin() as session:
        found = await session.scalar(select(Call).where(Call.id == call_id).with_for_update())
        if found is None:
            raise Unknown(f"there is no call {call_id}")
        if found.stage != ENDED:
            raise IllegalStep(f"call {call_id} gets its disposition when it has ended; it is {found.stage} now")
        found.disposition, found.disposed_by, found.disposed_at = disposition, by, now


async def set_agency(
    sessions: Sessions, code: str, name: str, url: str | None, topics: list[str], secret: str | None, new_secret: str
) -> tuple[Agency, bool, bool]:
    """The agency as it then stands, whether it is new, and whether it was given `new_secret`.

    `secret`: None keeps what is there; an agency that has none gets `new_secret`.
    """
    async with sessions.begin() as session:
        found = await session.scalar(select(Agency).where(Agency.code == code).with_for_update())
        is_new = found is None
        if found is None:
            bare = _insert(session)(Agency).values(code=code, name=name, topics=topics, active=True)
            await session.execute(bare.on_conflict_do_nothing())        # two may set up the same one at once
            found = (await session.scalars(select(Agency).where(Agency.code == code).with_for_update())).one()
        makes = secret is None and found.secret is None
        found.name, found.url, found.topics, found.active = name, url, topics, True
        if secret is not None or makes:
            found.secret = secret or new_secret
        return found, is_new, makes


def _insert(session: AsyncSession) -> Any:
    return (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert
