"""calls: the past pranks of a number, in the database."""
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from calls.disposition import Disposition
from db.engine import reading_session
from db.models import Call
from routing.pranks import FORGOTTEN_AFTER, WEIGHED, Past


async def past(sessions: async_sessionmaker[AsyncSession], number: str, now: datetime) -> list[Past]:
    """Those that still count, the newest first and no more than are weighed. One query, by the index of numbers."""
    async with reading_session(sessions) as session:
        return [Past(*row) for row in await session.execute(pranks_of(number, now))]


def pranks_of(number: str, now: datetime) -> Select[str, datetime, str | None]:
    """Call, moment and who judged it. (The verdict is wrapped, so that it is not searched by: the number is rarer.)"""
    return select(Call.id, Call.arrived_at, Call.disposed_by).where(
        Call.caller_number == number, Call.arrived_at > now - FORGOTTEN_AFTER, Call.arrived_at <= now,
        func.coalesce(Call.disposition, "") == Disposition.PRANK,
    ).order_by(Call.arrived_at.desc(), Call.id.desc()).limit(WEIGHED)
