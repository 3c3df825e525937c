"""routing: how the roster is changed: looked at as a whole, written as a whole, and with a line of history.

What is read and decided happens before the transaction, in a thread: a long file must hold up neither calls nor other
writers. The transaction then makes sure that nobody has changed anything meanwhile.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, tzinfo
from itertools import pairwise

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from db.audit import Entry, Trail
from db.engine import reading_session
from routing import store
from routing.roster import WEEKDAYS, DayDuty, Duty, Roster, Shift, changed_days
from routing.roster_rules import Fault, Given, Known, Refused, Who, checked, deserted, proposed, quoted

Sessions = async_sessionmaker[AsyncSession]
#: of a shift
CODE = r"[a-z0-9][a-z0-9-]{0,31}"


class Unknown(LookupError):
    """That day has no duties of its own."""


class Conflict(Exception):
    """Somebody else changed the roster meanwhile; nothing has changed."""

    def __init__(self) -> None:
        """In words."""
        super().__init__("the roster was changed meanwhile; load it again and repeat what is still needed")


@dataclass(frozen=True)
class House:
    """The roster, and who there is."""

    roster: Roster
    operators: tuple[Who, ...]


@dataclass(frozen=True)
class Change:
    """Who changes the roster, and how."""

    who: str
    now: datetime
    zone: tzinfo                #: the regency's
    seen: int | None = None     #: fingerprint of what they saw; None: it does not matter
    why: str | None = None
    dry_run: bool = False       #: only look what would become of it

    @property
    def today(self) -> date:
        """The regency's."""
        return self.now.astimezone(self.zone).date()


@dataclass(frozen=True)
class Outcome:
    """What became of a change."""

    roster: Roster          #: as it is now (or would be)
    week: bool              #: whether the weekly pattern is another one
    days: list[date]        #: whose own duties are others
    warnings: list[str]     #: where there is one seat


async def house(session: AsyncSession) -> House:
    """As it stands."""
    operators = tuple(Who(row.name, row.display_name, row.active) for row in await store.everybody(session))
    return House(await store.plan(session), operators)


async def nobody_on(sessions: Sessions, today: date) -> list[str]:
    """When nobody is on any more, in words: to be told after somebody has left the operators. It is not refused: who is
    dismissed is out at once, and the roster follows."""
    async with reading_session(sessions) as session:
        plan = await store.plan(session)
    return await asyncio.to_thread(deserted, plan, today)


async def take(sessions: Sessions, read: Callable[[Known], Given], change: Change) -> Outcome:
    """Take what a file says: its weekly duties stand in place of the whole pattern, its dated ones in place of those
    days. Raises Refused, Conflict."""

    def plan(here: House) -> tuple[Roster, Given]:
        given = read(Known(here.roster.shifts, here.operators, change.today))
        return proposed(here.roster, given), given

    return await _change(sessions, plan, change)


async def restore(sessions: Sessions, day: date, change: Change) -> Outcome:
    """Let the weekly pattern hold on that day again. Raises Unknown, Refused, Conflict."""

    def plan(here: House) -> tuple[Roster, Given]:
        if day not in here.roster.dates:
            raise Unknown(f"{day} has no duties of its own: its weekly pattern holds")
        return replace(here.roster, days=frozenset(duty for duty in here.roster.days if duty.day != day)), {}

    return await _change(sessions, plan, change)


async def set_shifts(sessions: Sessions, shifts: Iterable[Shift], change: Change) -> Outcome:
    """These are the shifts from now on. Raises Refused, Conflict."""
    wanted = tuple(sorted(shifts))

    def plan(here: House) -> tuple[Roster, Given]:
        faults = [Fault("", f"the shift {shift.code} stands there twice")
                  for shift, other in pairwise(wanted) if shift.code == other.code]
        for shift in wanted:
            if re.fullmatch(CODE, shift.code) is None:
                faults.append(Fault("", f"{quoted(shift.code)}: a code is small letters, digits and dashes"))
            try:
                shift.on(change.today)
            except ValueError as wrong:
                faults.append(Fault("", f"{shift.code}: {wrong}"))
        new, codes = replace(here.roster, shifts=wanted), {shift.code for shift in wanted}
        left = sorted(({duty.shift for duty in new.weekly} | {duty.shift for duty in new.days}) - codes)
        faults += [Fault("", f"somebody has the shift {code}; change the roster first") for code in left]
        if faults:
            raise Refused(faults)
        return new, {}

    return await _change(sessions, plan, change)


async def _change(sessions: Sessions, plan: Callable[[House], tuple[Roster, Given]], change: Change) -> Outcome:
    async with reading_session(sessions) as session:
        here = await house(session)
    if change.seen is not None and change.seen != here.roster.fingerprint():
        raise Conflict
    outcome = await asyncio.to_thread(_planned, here, plan, change)
    if change.dry_run or outcome.roster == here.roster:
        return outcome
    async with sessions.begin() as session:
        await store.hold(session)
        if await house(session) != here:
            raise Conflict
        gone = {shift.code for shift in here.roster.shifts} - {shift.code for shift in outcome.roster.shifts}
        if used := await store.in_use(session, gone):
            raise Refused(Fault("", f"the shift {code} is in the roster's past and must stay; give it other times or "
                                    "leave it unused") for code in used)
        await store.write(session, here.roster, outcome.roster)
        trail = Trail()
        for entry in _told(here.roster, outcome, change):
            trail.add(entry)
        await trail.seal_in(session)
    return outcome


def _planned(here: House, plan: Callable[[House], tuple[Roster, Given]], change: Change) -> Outcome:
    new, given = plan(here)
    warnings = checked(here.roster, new, given, change.today)
    return Outcome(new, new.weekly != here.roster.weekly, changed_days(here.roster, new), warnings)


def _told(old: Roster, outcome: Outcome, change: Change) -> Iterable[Entry]:
    """What the audit keeps: what stood there and what stands there now, a line per day and shift."""
    new = outcome.roster

    def entry(which: str, field: str, before: list[str], after: list[str]) -> Entry:
        return Entry(change.now, change.who, "roster", which, field, before or None, after or None, change.why)

    if old.shifts != new.shifts:
        yield entry("week", "shifts", *([f"{shift.code} {shift.starts}–{shift.ends}" for shift in plan.shifts]
                                        for plan in (old, new)))
    if outcome.week:
        yield entry("week", "duties", _lines(old.weekly), _lines(new.weekly))
    for day in outcome.days:
        yield entry(day.isoformat(), "duties", *(_lines(duty for duty in plan.days if duty.day == day)
                                                 for plan in (old, new)))


def _lines(duties: Iterable[Duty | DayDuty]) -> list[str]:
    """For example "Monday pagi: op01 op02"; of a single day without the day."""
    found: dict[tuple[int, str], list[str]] = defaultdict(list)
    for duty in duties:
        found[duty.weekday if isinstance(duty, Duty) else -1, duty.shift].append(duty.operator)
    return [f"{WEEKDAYS[day] + ' ' if day >= 0 else ''}{shift}: {' '.join(sorted(on))}"
            for (day, shift), on in sorted(found.items())]
