"""tickets: the SQL of sub-districts and villages: a file of them in one transaction, all or nothing, in the audit.

Functions take a session and leave commit to its owner, but for `bring_in`: what it reads and decides happens before the
transaction, in a thread, since a province's villages must hold up neither calls nor other writers. The transaction then
makes sure that nobody has changed anything meanwhile.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Insert, Update, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from db.audit import Entry, Trail
from db.engine import reading_session
from db.models import Area, Audit
from tickets import places
from tickets.places import Difference, Place

#: the kind of thing that an area is, in the audit; and all of them, which is nobody's code
AUDITED, ALL = "area", "*"
#: so many changed places have a line each in the audit
TOLD = 200
#: rows
_AT_ONCE = 500


@dataclass(frozen=True)
class Imported:
    """How many places were …"""

    added: int
    changed: int
    #: not in the file, and not offered any more
    deactivated: int
    unchanged: int


async def areas(
    session: AsyncSession, limit: int | None = None, after: str | None = None, *, kind: str | None = None,
    parent: str | None = None, active: bool | None = True,
) -> Sequence[Area]:  # fmt: skip
    """By code, from behind `after`. None: whatever it is."""
    wanted = select(Area).order_by(Area.code).limit(limit)
    if after is not None:
        wanted = wanted.where(Area.code > after)
    for column, value in ((Area.kind, kind), (Area.parent, parent), (Area.active, active)):
        if value is not None:
            wanted = wanted.where(column == value)
    return (await session.scalars(wanted)).all()


async def as_csv(session: AsyncSession) -> str:
    """The places that are offered, as places.read takes them, each sub-district before its villages."""
    found = [place for place in await _stored(session) if place.active]
    return await asyncio.to_thread(places.write, found)


async def bring_in(
    sessions: async_sessionmaker[AsyncSession], data: bytes, *, by: str, now: datetime, replace: bool = False
) -> Imported:
    """Take over the file: new places are added, known ones changed and offered again; `replace`: those that are not in
    it are not offered any more. Raises places.Unreadable, and nothing has changed.

    The audit gets one line of the whole import: how many places were what, and the SHA-256 of the file, which whoever
    sent it keeps. If no more than `TOLD` places were changed or taken away, each of them has a line of its own besides.
    A file that changes nothing leaves no line.
    """
    while True:
        async with reading_session(sessions) as session:
            seen = await _last_import(session)
            stored = await _stored(session)
        found = await asyncio.to_thread(_compared, stored, data, replace)
        done = Imported(len(found.added), len(found.changed), len(found.deactivated), found.unchanged)
        touched = [*found.changed, *found.deactivated]
        if not found.added and not touched:
            return done
        async with sessions.begin() as session:
            await _alone(session)
            if await _last_import(session) != seen:
                continue                                    # looked at again as it stands now
            await _write(session, insert(Area), found.added)
            await _write(session, update(Area), [new for _, new in touched])
            trail, digest = Trail(), hashlib.sha256(data).hexdigest()
            trail.add(Entry(now, by, AUDITED, ALL, "import", None, vars(done) | {"sha256": digest}))
            for old, new in touched if len(touched) <= TOLD else ():
                trail.add(Entry(now, by, AUDITED, new.code, "area", *_differing(old, new)))
            await trail.seal_in(session)
        return done


def seed(connection: Connection) -> None:
    """The invented places, where there are none at all yet. Two at once are harmless."""
    if connection.scalar(select(Area.code).limit(1)) is None:
        dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
        for place in sorted(places.INVENTED, key=lambda place: place.kind):
            connection.execute(dialect.insert(Area).values(**vars(place)).on_conflict_do_nothing())


async def _stored(session: AsyncSession) -> list[Place]:
    """All there are, by code."""
    columns = Area.code, Area.kind, Area.name, Area.parent, Area.active
    rows = await session.stream(select(*columns).order_by(Area.code), execution_options={"yield_per": _AT_ONCE})
    return [Place(*row) async for part in rows.partitions() for row in part]


async def _last_import(session: AsyncSession) -> int | None:
    """The number of its line in the audit: there is no other way to change a place."""
    return await session.scalar(select(func.max(Audit.seq)).where(Audit.what == AUDITED, Audit.which == ALL))


def _compared(stored: Sequence[Place], data: bytes, replace: bool) -> Difference:
    given = places.read(data, {place.code: place.kind for place in stored})
    return places.difference({place.code: place for place in stored}, given, whole=replace)


async def _write(session: AsyncSession, statement: Insert | Update, found: Sequence[Place]) -> None:
    """In portions, between which others have the loop."""
    for start in range(0, len(found), _AT_ONCE):
        await session.execute(statement, [vars(place) for place in found[start : start + _AT_ONCE]])


def _differing(old: Place, new: Place) -> tuple[dict[str, Any], dict[str, Any]]:
    names = [name for name, value in vars(old).items() if getattr(new, name) != value]
    return {name: getattr(old, name) for name in names}, {name: getattr(new, name) for name in names}


async def _alone(session: AsyncSession) -> None:
    """Two imports take turns; whoever reads does not wait. SQLite has one writer anyway."""
    connection = await session.connection()
    if connection.dialect.name == "postgresql":
        await connection.exec_driver_sql("LOCK TABLE areas IN SHARE ROW EXCLUSIVE MODE")
