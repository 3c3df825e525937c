"""db: who answers, and when: the operators, the shifts, the weekly pattern and the days that differ from it.

Days and hours here are the wall's, not moments: a shift begins at the same hour whatever UTC says.
"""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base


class Operator(Base):
    """Who answers."""

    __tablename__ = "operators"

    #: also the SIP user, e.g. "op01"
    name: Mapped[str] = mapped_column(primary_key=True)
    display_name: Mapped[str]
    #: topics they are trained for
    skills: Mapped[list[str]]
    #: false: left the service, history stays
    active: Mapped[bool] = mapped_column(default=True)


class Shift(Base):
    """One stretch of the day; an end before (or at) the start lies on the next day."""

    __tablename__ = "shifts"

    #: e.g. "malam"
    code: Mapped[str] = mapped_column(primary_key=True)
    #: local wall time "HH:MM"
    starts: Mapped[str]
    #: local wall time "HH:MM", the first minute that is no longer in it
    ends: Mapped[str]


class Duty(Base):
    """The weekly pattern: this operator, this shift, every such weekday. It never runs out."""

    __tablename__ = "duties"

    operator: Mapped[str] = mapped_column(ForeignKey("operators.name"), primary_key=True)
    shift: Mapped[str] = mapped_column(ForeignKey("shifts.code"), primary_key=True)
    #: the day the shift starts, 0 = Monday
    weekday: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class DayDuty(Base):
    """A day that differs: where a day has any of these, they stand in place of its weekly pattern."""

    __tablename__ = "day_duties"

    #: local date on which the shift starts, "2026-11-22"
    day: Mapped[str] = mapped_column(primary_key=True)
    operator: Mapped[str] = mapped_column(ForeignKey("operators.name"), primary_key=True)
    shift: Mapped[str] = mapped_column(ForeignKey("shifts.code"), primary_key=True)
