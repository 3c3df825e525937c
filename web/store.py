"""web: what the doors ask of the database themselves; everything about tickets is asked of the tickets' room."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from calls.disposition import Disposition
from calls.stages import ENDED, IllegalStep
from db.audit import Entry, Trail
from db.engine import reading_session
from db.models import Agency, Call, Note, Operator, Recording, RecordingGap
from tickets.store import Unknown
from web.etags import Stale, Unseen, check

Sessions = async_sessionmaker[AsyncSession]


async def answers(sessions: Sessions) -> None:
    """Returns if the database does; a real table, since SQLite answers SELECT 1 without looking at its file."""
    async with reading_session(sessions) as session:
        await session.scalar(select(Operator.name).limit(1))


async def call(session: AsyncSession, call_id: str) -> Call:
    """Raises Unknown."""
    if (found := await session.get(Call, call_id)) is None:
        raise Unknown(f"there is no call {call_id}")
    return found


async def notes(session: AsyncSession, call_id: str) -> Sequence[Note]:
    """What the journal says about a call, in order."""
    about = select(Note).where(Note.call_id == call_id)
    return (await session.scalars(about.order_by(Note.at, Note.node, Note.seq))).all()


async def notes_after(session: AsyncSession, node: str, seq: int, limit: int) -> Sequence[Note]:
    """A node's notes behind this number, in order."""
    behind = select(Note).where(Note.node == node, Note.seq > seq)
    return (await session.scalars(behind.order_by(Note.seq).limit(limit))).all()


async def newest_notes(session: AsyncSession, node: str, seq: int, limit: int) -> Sequence[Note]:
    """A node's notes behind this number, the newest first."""
    behind = select(Note).where(Note.node == node, Note.seq > seq)
    return (await session.scalars(behind.order_by(Note.seq.desc()).limit(limit))).all()


async def recordings(session: AsyncSession, call_id: str) -> list[tuple[Recording, Sequence[RecordingGap]]]:
    """Each with its gaps, in order."""
    rows = (await session.scalars(select(Recording).where(Recording.call_id == call_id).order_by(Recording.id))).all()
    gaps = select(RecordingGap).where(RecordingGap.recording_id.in_([row.id for row in rows]))
    missing = (await session.scalars(gaps.order_by(RecordingGap.from_s, RecordingGap.id))).all()
    return [(row, [gap for gap in missing if gap.recording_id == row.id]) for row in rows]


async def display_names(session: AsyncSession) -> dict[str, str]:
    """Of all operators, by name."""
    return {row.name: row.display_name for row in await session.scalars(select(Operator))}


async def dispose(
    sessions: Sessions, call_id: str, disposition: Disposition, by: str, now: datetime, *, any_call: bool
) -> None:
    """Write the operator's verdict on a call. `any_call`: also on one that somebody else answered. Raises Unknown;
    IllegalStep while the call goes on, if nobody talked to the caller, or for a call of somebody else's."""
    trail = Trail()
    async with sessions.begin() as session:
        found = await session.scalar(select(Call).where(Call.id == call_id).with_for_update())
        if found is None:
            raise Unknown(f"there is no call {call_id}")
        if found.stage != ENDED:
            raise IllegalStep(f"call {call_id} gets its disposition when it has ended; it is {found.stage} now")
        if found.operator != by and not any_call:
            raise IllegalStep(f"{found.operator or 'nobody'} answered call {call_id}; whoever did, or a supervisor, "
                              "gives its disposition")
        trail.add(Entry(now, by, "call", call_id, "disposition", found.disposition, disposition))
        found.disposition, found.disposed_by, found.disposed_at = disposition, by, now
        await trail.seal_in(session)


async def agencies(session: AsyncSession) -> Sequence[Agency]:
    """All, also those that are not active any more, by their code."""
    return (await session.scalars(select(Agency).order_by(Agency.code))).all()


async def agency(session: AsyncSession, code: str) -> Agency:
    """Raises Unknown, with the codes that there are."""
    found = {one.code: one for one in await agencies(session)}
    if code not in found:
        raise Unknown(f"there is no agency {code}; there are: {', '.join(found)}")
    return found[code]


async def set_agency(
    sessions: Sessions, code: str, values: dict[str, Any], new_secret: str, seen: int | None, who: str, now: datetime
) -> tuple[Agency, bool, bool]:
    """The agency as it then stands, whether it is new, and whether it was given `new_secret`.

    `seen`: the version that was seen; None: it is new. No `secret` in `values` keeps what is there; an agency that has
    none gets `new_secret`. Raises etags.Stale, etags.Unseen.
    """
    trail = Trail()
    async with sessions.begin() as session:
        held = select(Agency).where(Agency.code == code).with_for_update()
        found = await session.scalar(held)
        is_new = found is None
        if found is None:
            if seen is not None:
                raise Stale
            bare = _insert(session)(Agency).values(code=code, name="", topics=[], active=True, version=0)
            made = (await session.execute(bare.on_conflict_do_nothing().returning(Agency.id))).first()
            if made is None:                        # two may set up the same one at once
                raise Unseen
            found = (await session.scalars(held)).one()
        else:
            check(seen, found.version)
        makes = values.get("secret") is None and found.secret is None
        wanted = values | {"secret": new_secret if makes else values.get("secret") or found.secret}
        for field, after in wanted.items():
            before = getattr(found, field)
            if before != after:
                setattr(found, field, after)
                trail.add(Entry(now, who, "agency", code, field, *_told(field, before, after)))
        if trail.entries:
            found.version += 1
        await trail.seal_in(session)
        return found, is_new, makes


def _told(field: str, before: Any, after: Any) -> tuple[Any, Any]:
    """What the audit says of a change; of a secret, only that there is one."""
    if field != "secret":
        return before, after
    return None if before is None else "a secret", "another secret" if before is not None else "a secret"


def _insert(session: AsyncSession) -> Any:
    return (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert
