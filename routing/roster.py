"""routing ◆ Who is on: a weekly pattern of duties that never runs out, and days that differ, in local wall time.

A shift belongs to the day on which it starts. Where a day has duties of its own, they stand in place of its weekly
pattern; the night that began the day before stays that day's. Pure.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cached_property
from itertools import pairwise

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DAY = timedelta(days=1)
#: the week that stands for all: its Monday
_MONDAY = date(2024, 1, 1)


@dataclass(frozen=True, order=True)
class Shift:
    """One stretch of the day, local wall time "HH:MM"; an end at or before the start lies on the next day."""

    code: str
    starts: str
    ends: str

    def on(self, day: date) -> tuple[datetime, datetime]:
        """From when to when, if it starts that day: naive, wall time. ValueError for a time that is none."""
        starts, ends = _wall(self.starts), _wall(self.ends)
        return datetime.combine(day, starts), datetime.combine(day if starts < ends else day + DAY, ends)


@dataclass(frozen=True, order=True)
class Duty:
    """This operator has this shift every such weekday (0 = Monday), the day on which the shift starts."""

    operator: str
    shift: str
    weekday: int


@dataclass(frozen=True, order=True)
class DayDuty:
    """This operator has this shift on this one day, the local date on which the shift starts."""

    operator: str
    shift: str
    day: date


@dataclass(frozen=True)
class Stint:
    """A duty on one date: naive moments, wall time, the end no longer in it."""

    duty: Duty | DayDuty
    starts: datetime
    ends: datetime

    @property
    def operator(self) -> str:
        """Who."""
        return self.duty.operator


@dataclass(frozen=True)
class Span:
    """A stretch of time in which the same people are on: naive moments, wall time."""

    starts: datetime
    ends: datetime
    operators: frozenset[str]


@dataclass(frozen=True)
class Thinnest:
    """Where the week has the fewest seats."""

    seats: int
    weekday: int
    at: str  #: local "HH:MM"

    def __str__(self) -> str:
        return f"{self.seats} on {WEEKDAYS[self.weekday]} at {self.at}"


@dataclass(frozen=True)
class Roster:
    """The plan: shifts, who has them every week, and on days that differ."""

    shifts: tuple[Shift, ...]
    weekly: frozenset[Duty]
    days: frozenset[DayDuty] = frozenset()

    @cached_property
    def dates(self) -> frozenset[date]:
        """The days that differ."""
        return frozenset(self._by_date)

    @cached_property
    def week(self) -> "Roster":
        """The weekly pattern alone."""
        return Roster(self.shifts, self.weekly)

    def since(self, day: date) -> "Roster":
        """Without the days that differ before this one."""
        return Roster(self.shifts, self.weekly, frozenset(duty for duty in self.days if duty.day >= day))

    def stints(self, day: date) -> list[Stint]:
        """All duties that start that day. ValueError for a duty in a shift that there is not."""
        of_the_day = self._by_date.get(day) or self._by_weekday[day.weekday()]
        return [Stint(duty, *self._shift(duty).on(day)) for duty in of_the_day]

    def fingerprint(self) -> int:
        """The same for the same plan: a version for whoever wants to change what they saw. At most nine digits."""
        said = "\n".join(map(repr, [*sorted(self.shifts), *sorted(self.weekly), *sorted(self.days)]))
        return int.from_bytes(hashlib.sha256(said.encode(errors="surrogatepass")).digest()[:8]) % 10**9

    def _shift(self, duty: Duty | DayDuty) -> Shift:
        if duty.shift not in self._by_code:
            there = ", ".join(self._by_code)
            raise ValueError(f"{duty.operator} has a duty in the shift {duty.shift!r}; there are only: {there}")
        return self._by_code[duty.shift]

    @cached_property
    def _by_code(self) -> dict[str, Shift]:
        return {shift.code: shift for shift in self.shifts}

    @cached_property
    def _by_weekday(self) -> tuple[list[Duty], ...]:
        return tuple(sorted(duty for duty in self.weekly if duty.weekday == weekday) for weekday in range(7))

    @cached_property
    def _by_date(self) -> dict[date, list[DayDuty]]:
        found: dict[date, list[DayDuty]] = defaultdict(list)
        for duty in sorted(self.days):
            found[duty.day].append(duty)
        return dict(found)


def changed_days(old: Roster, new: Roster) -> list[date]:
    """The days whose own duties are not the same in both."""
    return sorted({duty.day for duty in old.days ^ new.days})


def on_duty(roster: Roster, now: datetime, zone: tzinfo) -> list[Stint]:
    """The duties that run. `now` is aware, `zone` the regency's.

    A shift begins at the first moment at which the clock on the wall shows its start or later: so neither an hour that
    clocks repeat nor one that they leave out has two shifts or none. ValueError for a naive `now`, and as `stints`.
    """
    if now.utcoffset() is None:
        raise ValueError(f"a moment without a time zone is nobody's shift: {now!r}")
    here = now.astimezone(zone).replace(tzinfo=None, fold=0)

    def reached(wall: datetime) -> bool:
        return wall <= here or wall.replace(tzinfo=zone).astimezone(UTC) <= now

    near = [here.date() + DAY * days for days in (-1, 0, 1)]  # clocks set back over midnight: the next day has begun
    return [stint for day in near for stint in roster.stints(day) if reached(stint.starts) and not reached(stint.ends)]


def who_is_on(roster: Roster, now: datetime, zone: tzinfo) -> set[str]:
    """The operators whose shift it is; as `on_duty`."""
    return {stint.operator for stint in on_duty(roster, now, zone)}


def spans(roster: Roster, starts: datetime, ends: datetime, able: Collection[str] | None = None) -> list[Span]:
    """The time between two naive moments of wall time, cut where people change. `able`: count only these."""
    stints: list[Stint] = []
    day = starts.date() - DAY
    while day <= ends.date():
        stints += (stint for stint in roster.stints(day) if able is None or stint.operator in able)
        day += DAY
    inside = (edge for stint in stints for edge in (stint.starts, stint.ends) if starts < edge < ends)
    found: list[Span] = []
    for begins, stops in pairwise(sorted({starts, ends, *inside})):
        on = frozenset(stint.operator for stint in stints if stint.starts <= begins < stint.ends)
        if found and found[-1].operators == on:
            begins = found.pop().starts
        found.append(Span(begins, stops, on))
    return found


def week_spans(roster: Roster, able: Collection[str] | None = None) -> list[Span]:
    """The weekly pattern from the first shift of a Monday to that of the next; of the dates only the weekday counts."""
    starts = min((shift.on(_MONDAY)[0] for shift in roster.shifts), default=datetime.combine(_MONDAY, time()))
    return spans(roster.week, starts, starts + 7 * DAY, able)


def least_seats(roster: Roster, able: Collection[str] | None = None) -> Thinnest:
    """The first minute of the weekly pattern with the fewest operators on. `able`: count only these."""
    midnight = datetime.combine(_MONDAY, time())
    thinnest = min(spans(roster.week, midnight, midnight + 7 * DAY, able), key=lambda span: len(span.operators))
    return Thinnest(len(thinnest.operators), thinnest.starts.weekday(), f"{thinnest.starts:%H:%M}")


def _wall(wall: str) -> time:
    hours, _, minutes = wall.partition(":")
    if hours.isdecimal() and minutes.isdecimal() and int(hours) < 24 and int(minutes) < 60:
        return time(int(hours), int(minutes))
    raise ValueError(f"{wall!r} is no time of day; write it like 07:00, 00:00 for midnight")
