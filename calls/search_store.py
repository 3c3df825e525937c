"""calls: the long list of them, filtered, in one query however long the page is.

The newest first, by arrival and id; indexes of db/models/ that begin with what is filtered by go on in that order.
"""
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, false, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import Call
from telephony import numbers

#: digits from which on a number is a whole one and not a part
_WHOLE = 10


@dataclass(frozen=True)
class Wanted:
    """Which calls; what is left out does not matter."""

    #: the caller's, whole or a part of it, however it is written
    number: str | None = None
    stage: str | None = None
    topic: str | None = None
    #: who answered
    operator: str | None = None
    outcome: str | None = None
    disposition: str | None = None
    #: arrived not before
    arrived_from: datetime | None = None
    #: arrived before
    arrived_to: datetime | None = None


async def page(session: AsyncSession, wanted: Wanted, *, limit: int,
               before: tuple[datetime, str] | None = None) -> Sequence[Call]:
    """The newest `limit` calls; `before`: arrival and id of the one before the page. One query."""
    calls = select(Call).where(*_conditions(wanted))
    if before is not None:
        calls = calls.where(tuple_(Call.arrived_at, Call.id) < before)
    return (await session.scalars(calls.order_by(Call.arrived_at.desc(), Call.id.desc()).limit(limit))).all()


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    same = ("stage", "topic", "operator", "outcome", "disposition")
    given = [(getattr(Call, name), getattr(wanted, name)) for name in same]
    conditions = [column == value for column, value in given if value is not None]
    if wanted.arrived_from is not None:
        conditions.append(Call.arrived_at >= wanted.arrived_from)
    if wanted.arrived_to is not None:
        conditions.append(Call.arrived_at < wanted.arrived_to)
    if wanted.number is not None:
        conditions.append(_has_number(wanted.number))
    return conditions


def _has_number(typed: str) -> ColumnElement[bool]:
    """A whole number is looked up; for a part, all numbers are gone through in their index (never the calls)."""
    digits = re.sub("[^0-9]", "", typed)
    whole = numbers.clean(typed)
    if whole is not None and whole.startswith("+") and len(digits) >= _WHOLE:
        return Call.caller_number == whole
    part = digits.lstrip("0") or digits
    if not part:
        return false()
    like = Call.__table__.alias("numbers")
    return Call.id.in_(select(like.c.id).where(like.c.caller_number.like(f"%{part}%")))
