"""routing ◆ Who is on: a weekly pattern of duties that never runs out, in the regency's wall time. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Shift:
    """One stretch of the day, local wall time "HH:MM"; an end at or before the start lies on the next day."""

    code: str
    starts: str
    ends: str


@dataclass(frozen=True)
class Duty:
    """This operator has this shift every such weekday (0 = Monday), the day on which the shift starts."""

    operator: str
    shift: str
    weekday: int


@dataclass(frozen=True)
class Thinnest:
    """Where the week has the fewest seats."""

    seats: int
    weekday: int
    at: str  #: local "HH:MM"

    def __str__(self) -> str:
        return f"{self.seats} on {_DAYS[self.weekday]} at {self.at}"


def who_is_on(duties: Iterable[Duty], shifts: Iterable[Shift], now: datetime, zone: tzinfo) -> set[str]:
    """The operators whose shift it is. `now` is aware, `zone` the regency's.

    Raises ValueError for a naive `now`, a time that is none, or a duty in a shift that there is not.
    """
    if now.utcoffset() is None:
        raise ValueError(f"a moment without a time zone is nobody's shift: {now!r}")
    here = now.astimezone(zone)
    return _on(duties, _stretches(shifts), here.weekday(), here.hour * 60 + here.minute)


def least_seats(
    duties: Iterable[Duty], shifts: Iterable[Shift], able: Collection[str] | None = None
) -> Thinnest:
    """The first minute of the week with the fewest operators on. `able`: count only these.

    Seats change only when a shift starts or ends, so only those minutes are looked at.
    """
    stretches = _stretches(shifts)
    counted = [duty for duty in duties if able is None or duty.operator in able]
    edges = sorted({0, *(minute for stretch in stretches.values() for minute in stretch)})
    return min(
        (
            Thinnest(
                len(_on(counted, stretches, weekday, minute)), weekday, f"{minute // 60:02}:{minute % 60:02}"
            )
            for weekday in range(7)
            for minute in edges
        ),
        key=lambda found: found.seats,
    )


def _on(duties: Iterable[Duty], stretches: dict[str, tuple[int, int]], weekday: int, minute: int) -> set[str]:
    return {duty.operator for duty in duties if _covers(duty, stretches, weekday, minute)}


def _covers(duty: Duty, stretches: dict[str, tuple[int, int]], weekday: int, minute: int) -> bool:
    if duty.shift not in stretches:
        raise ValueError(
            f"{duty.operator} has a duty in the shift {duty.shift!r}; there are only: {', '.join(stretches)}"
        )
    starts, ends = stretches[duty.shift]
    if starts < ends:
        return duty.weekday == weekday and starts <= minute < ends
    if minute >= starts:
        return duty.weekday == weekday
    return minute < ends and duty.weekday == (weekday - 1) % 7


def _stretches(shifts: Iterable[Shift]) -> dict[str, tuple[int, int]]:
    return {shift.code: (_minute(shift.starts), _minute(shift.ends)) for shift in shifts}


def _minute(wall: str) -> int:
    hours, _, minutes = wall.partition(":")
    if hours.isdecimal() and minutes.isdecimal() and int(hours) < 24 and int(minutes) < 60:
        return int(hours) * 60 + int(minutes)
    raise ValueError(f"{wall!r} is no time of day; write it like 07:00, 00:00 for midnight")
