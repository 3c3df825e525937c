"""routing: the SQL of this room: operators, shifts and duties, and what a new house begins with."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import Agency, Base, Duty, Operator, Shift
from routing import roster
from routing import seed as new_house


async def operators(session: AsyncSession) -> Sequence[Operator]:
    """The active ones, by name."""
    return (await session.scalars(select(Operator).where(Operator.active).order_by(Operator.name))).all()


async def shifts(session: AsyncSession) -> Sequence[roster.Shift]:
    """By code."""
    rows = await session.scalars(select(Shift).order_by(Shift.code))
    return [roster.Shift(row.code, row.starts, row.ends) for row in rows]


async def duties(session: AsyncSession) -> Sequence[roster.Duty]:
    """The weekly pattern of active operators."""
    of_active = select(Duty).join(Operator).where(Operator.active)
    rows = await session.scalars(of_active.order_by(Duty.operator, Duty.weekday, Duty.shift))
    return [roster.Duty(row.operator, row.shift, row.weekday) for row in rows]


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
