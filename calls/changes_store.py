"""calls: what people change comes into the journal as well: ids only, so that whoever follows it looks again.

The audit knows of every change, whoever made it: a desk, an agency by its link, the outbox, the command line in another
process. So it is followed, in its own order, and each note says how far: none is forgotten over a restart.
"""
import asyncio
from collections.abc import Sequence
from contextlib import suppress

from sqlalchemy import Row, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from calls.call import Notes
from db.engine import reading_session
from db.models import Audit, Note

Sessions = async_sessionmaker[AsyncSession]

#: The kind of the notes; their facts: `what` has changed, `which` of its kind, and the audit's number.
CHANGED = "changed"
#: Kinds of things, in the audit's words, whose changes desks follow.
FOLLOWED = frozenset({"ticket", "callback", "roster"})
#: Seconds between looks.
LOOK_EVERY = 1.0
_AT_ONCE = 500


async def tell(notes: Notes, sessions: Sessions, node: str) -> None:
    """For ever: note what has changed, once for each thing that changed several times between two looks."""
    told: int | None = None
    while True:
        rows: Sequence[Row[int, str, str]] = ()
        with suppress(SQLAlchemyError):             # the database is away: nothing changes in it, either
            if told is None:
                told = await _told(sessions, node)
            rows = await _since(sessions, told)
        last = {(row.what, row.which): row.seq for row in rows if row.what in FOLLOWED}
        for (what, which), seq in sorted(last.items(), key=lambda item: item[1]):
            notes.note(CHANGED, None, what=what, which=which, audit=seq)
        if rows:
            told = rows[-1].seq
        if len(rows) < _AT_ONCE:
            await asyncio.sleep(LOOK_EVERY)


async def _told(sessions: Sessions, node: str) -> int:
    """How far this node's journal has told; where it never did, from now on."""
    last = select(Note.facts).where(Note.node == node, Note.kind == CHANGED).order_by(Note.seq.desc()).limit(1)
    async with reading_session(sessions) as session:
        if (facts := await session.scalar(last)) is not None:
            return int(facts["audit"])
        return await session.scalar(select(func.max(Audit.seq))) or 0


async def _since(sessions: Sessions, seq: int) -> Sequence[Row[int, str, str]]:
    async with reading_session(sessions) as session:
        rows = select(Audit.seq, Audit.what, Audit.which).where(Audit.seq > seq).order_by(Audit.seq)
        return (await session.execute(rows.limit(_AT_ONCE))).all()
