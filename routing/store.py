"""routing: the SQL of this room: operators, shifts and duties, and what a new house begins with."""

from collections.abc import Collection, Sequence
from datetime import date, datetime, tzinfo
from typing import Any

from sqlalchemy import Connection, delete, select, union
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import Agency, Base, DayDuty, Duty, Operator, Shift
from routing import roster
from routing import seed as new_house
from routing.roster import Roster, changed_days


async def operators(session: AsyncSession) -> Sequence[Operator]:
    """The active ones, by name."""
    return (await session.scalars(select(Operator).where(Operator.active).order_by(Operator.name))).all()


async def everybody(session: AsyncSession) -> Sequence[Operator]:
    """Those who have left, too, by name."""
    return (await session.scalars(select(Operator).order_by(Operator.name))).all()


async def plan(session: AsyncSession, first: date | None = None, last: date | None = None) -> Roster:
    """The roster of active operators. `first`, `last`: only days that differ from the one to the other."""
    shifts = await session.scalars(select(Shift).order_by(Shift.code))
    weekly = await session.scalars(select(Duty).join(Operator).where(Operator.active))
    dated = select(DayDuty).join(Operator).where(Operator.active)
    if first is not None:
        dated = dated.where(DayDuty.day >= first.isoformat())
    if last is not None:
        dated = dated.where(DayDuty.day <= last.isoformat())
    return Roster(
        tuple(roster.Shift(row.code, row.starts, row.ends) for row in shifts),
        frozenset(roster.Duty(row.operator, row.shift, row.weekday) for row in weekly),
        frozenset(roster.DayDuty(row.operator, row.shift, date.fromisoformat(row.day))
                  for row in await session.scalars(dated)))


async def near(session: AsyncSession, now: datetime, zone: tzinfo) -> Roster:
    """As much of the roster as says who is on at that moment."""
    today = now.astimezone(zone).date()
    return await plan(session, today - roster.DAY, today + roster.DAY)


async def hold(session: AsyncSession) -> None:
    """Until the transaction ends, nobody else changes the roster: all who do take the shifts' rows first."""
    await session.execute(select(Shift.code).order_by(Shift.code).with_for_update())


async def write(session: AsyncSession, old: Roster, new: Roster) -> None:
    """Make the new plan out of the old one."""
    dates = changed_days(old, new)
    if new.weekly != old.weekly:
        await session.execute(delete(Duty))         # of those who have left, too: they come back to nothing
    for day in dates:
        await session.execute(delete(DayDuty).where(DayDuty.day == day.isoformat()))
    for shift in set(new.shifts) - set(old.shifts):
        await session.merge(Shift(code=shift.code, starts=shift.starts, ends=shift.ends))
    await session.flush()
    for code in {shift.code for shift in old.shifts} - {shift.code for shift in new.shifts}:
        await session.execute(delete(Shift).where(Shift.code == code))
    if new.weekly != old.weekly:
        session.add_all(Duty(operator=duty.operator, shift=duty.shift, weekday=duty.weekday) for duty in new.weekly)
    session.add_all(DayDuty(day=duty.day.isoformat(), operator=duty.operator, shift=duty.shift)
                    for duty in new.days if duty.day in dates)
    await session.flush()


async def in_use(session: AsyncSession, codes: Collection[str]) -> list[str]:
    """Which of these shifts somebody has or had: also who has left, also on days that are over."""
    used = union(select(Duty.shift), select(DayDuty.shift)).subquery()
    return sorted((await session.scalars(select(used.c.shift).where(used.c.shift.in_(codes)))).all())


def seed(connection: Connection) -> None:
    """Operators with their week, and agencies, where there are none at all yet. Two at once are harmless.

    From asyncio: `await connection.run_sync(seed)`.
    """
    if connection.scalar(select(Operator.name).limit(1)) is None:
        _insert(
            connection,
            Operator,
            [
                {
                    "name": name,
                    "display_name": f"Operator {name.removeprefix('op')}",
                    "skills": list(skills),
                    "active": True,
                }
                for name, skills in new_house.OPERATORS.items()
            ],
        )
        _insert(connection, Shift, [vars(shift) for shift in new_house.SHIFTS])
        _insert(connection, Duty, [vars(duty) for duty in new_house.DUTIES])
    if connection.scalar(select(Agency.id).limit(1)) is None:
        _insert(
            connection,
            Agency,
            [
                {"code": code, "name": name, "topics": list(topics), "active": True}
                for code, name, topics in new_house.AGENCIES
            ],
        )


def _insert(connection: Connection, table: type[Base], rows: list[dict[str, Any]]) -> None:
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(table).on_conflict_do_nothing(), rows)
