"""tickets: the SQL of sub-districts and villages: a file of them in one transaction, all or nothing, each change in
the audit. Functions take a session and leave commit to its owner, but for `bring_in`, which is one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from db.audit import Entry, Trail
from db.models import Area
from tickets import places
from tickets.places import Place

#: the kind of thing that an area is, in the audit
AUDITED = "area"


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
    found = await areas(session)
    return places.write(Place(area.code, area.kind, area.name, area.parent) for area in found)


async def bring_in(
    sessions: async_sessionmaker[AsyncSession], data: bytes, *, by: str, now: datetime, replace: bool = False
) -> Imported:
    """Take over the file: new places are added, known ones changed and offered again; `replace`: those that are not in
    it are not offered any more. Raises places.Unreadable, and nothing has changed.
    """
    async with sessions.begin() as session:
        await _alone(session)
        stored = {area.code: area for area in await session.scalars(select(Area).order_by(Area.code))}
        given = places.read(data, {code: area.kind for code, area in stored.items()})
        trail, added, changed, deactivated = Trail(), 0, 0, 0
        for place in given:
            said = {"kind": place.kind, "name": place.name, "parent": place.parent, "active": True}
            if (area := stored.get(place.code)) is None:
                session.add(Area(code=place.code, **said))
                await session.flush()  # sub-districts before the villages that name them
                trail.add(Entry(now, by, AUDITED, place.code, "area", None, said))
                added += 1
            else:
                changed += _write(trail, area, said, by, now)
        missing = stored.keys() - {place.code for place in given} if replace else set()
        for code in sorted(missing):
            deactivated += _write(trail, stored[code], {"active": False}, by, now)
        await trail.seal_in(session)
    return Imported(added, changed, deactivated, len(given) - added - changed)


def seed(connection: Connection) -> None:
    """The invented places, where there are none at all yet. Two at once are harmless."""
    if connection.scalar(select(Area.code).limit(1)) is None:
        dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
        for place in sorted(places.INVENTED, key=lambda place: place.kind):
            connection.execute(dialect.insert(Area).values(**vars(place), active=True).on_conflict_do_nothing())


def _write(trail: Trail, area: Area, said: dict[str, Any], by: str, now: datetime) -> bool:
    """Whether anything was another."""
    new = {name: value for name, value in said.items() if getattr(area, name) != value}
    if new:
        trail.add(Entry(now, by, AUDITED, area.code, "area", {name: getattr(area, name) for name in new}, new))
    for name, value in new.items():
        setattr(area, name, value)
    return bool(new)


async def _alone(session: AsyncSession) -> None:
    """Two imports take turns; whoever reads does not wait. SQLite has one writer anyway."""
    connection = await session.connection()
    if connection.dialect.name == "postgresql":
        await connection.exec_driver_sql("LOCK TABLE areas IN SHARE ROW EXCLUSIVE MODE")
