"""routing ◆ What a roster must keep, whoever hands it in: nobody twice at one moment, and never nobody. Pure.

Refused: a person in two shifts at one moment, and any minute with nobody on, since then nobody's phone would ring.
Warned of: a minute with one seat, since one break or one long call leaves the next caller waiting; a small house may
have no choice. It is always the plan as a whole that is looked at: what a file says, and what stands beside it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from routing.roster import DAY, WEEKDAYS, DayDuty, Duty, Roster, Shift, Span, Stint, spans, week_spans

#: what a file says, and where in it, e.g. "row 7"
Given = Mapping[Duty | DayDuty, str]

#: faults and warnings that are told; of more, only how many
_TOLD = 20
#: days that differ may lie so far back or ahead: a date beyond is a slip of the pen
BACK, AHEAD = timedelta(days=366), timedelta(days=731)


@dataclass(frozen=True)
class Fault:
    """Where, e.g. "row 7" (empty: nowhere in particular), and what is wrong."""

    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.why}" if self.where else self.why


class Refused(Exception):
    """What is wrong with a roster; nothing has changed."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        """At least one."""
        self.faults = tuple(dict.fromkeys(faults))
        super().__init__("\n".join(_short([str(fault) for fault in self.faults])))

    @classmethod
    def because(cls, where: str, why: str) -> "Refused":
        """With one fault."""
        return cls([Fault(where, why)])


@dataclass(frozen=True)
class Who:
    """An operator as a roster's reader must know them."""

    name: str
    display_name: str
    active: bool = True


#: bytes of the longest file that is read: many times the longest plan
LONGEST_FILE = 1_048_576
#: how other things begin that people take for a roster, and what they are
_OTHERS = {b"%PDF": "a PDF", b"PK\x03\x04": "a spreadsheet (or another ZIP file)",
           b"\xd0\xcf\x11\xe0": "an old Excel file", b"\xff\xfe": "text in UTF-16",
           b"\xfe\xff": "text in UTF-16", b"{": "JSON", b"<": "HTML or XML"}


def text_of(data: bytes, kind: str) -> str:
    """A file as text without its byte order mark. `kind`: what it ought to be. Raises Refused."""
    if len(data) > LONGEST_FILE:
        raise Refused.because("", f"the file has {len(data)} bytes, and a roster has at most {LONGEST_FILE}")
    for begins, what in _OTHERS.items():
        if data.startswith(begins):
            raise Refused.because("row 1", f"this is {what}, not {kind}; save it as {kind} in UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        row = data.count(b"\n", 0, wrong.start) + 1
        raise Refused.because(f"row {row}", f"this is not UTF-8; save the file as {kind} in UTF-8") from None
    if "\0" in text:
        row = text.count("\n", 0, text.index("\0")) + 1
        raise Refused.because(f"row {row}", f"there is a NUL, which no text holds; save it as {kind} in UTF-8")
    if not text.strip():
        raise Refused.because("", "there is nothing in the file")
    return text


class Known:
    """What there is: the names that a file may use, in letters great or small."""

    def __init__(self, shifts: Collection[Shift], operators: Collection[Who], today: date) -> None:
        """`today`: the regency's."""
        self.shifts, self.operators, self.today = tuple(shifts), tuple(operators), today

    def shift(self, text: str) -> str:
        """The code of the shift. ValueError, in words."""
        codes = [shift.code for shift in self.shifts]
        if (code := _one_of(codes, text)) is None:
            raise ValueError(f"there is no shift {quoted(text)}; there are: {', '.join(codes)}")
        return code

    def operator(self, text: str) -> str:
        """The name of the operator, who may be called by it or by the name that is shown. ValueError, in words."""
        shown = [who.display_name for who in self.operators]
        name = _one_of([who.name for who in self.operators], text)
        if name is None and (display := _one_of(shown, text)) is not None and shown.count(display) == 1:
            name = next(who.name for who in self.operators if who.display_name == display)
        if name is None:
            raise ValueError(f"there is no operator {quoted(text)}")
        return self.active(name)

    def active(self, name: str) -> str:
        """The name again. ValueError if they have left."""
        if not next(who.active for who in self.operators if who.name == name):
            raise ValueError(f"{name} is not active any more")
        return name

    def day(self, day: date) -> date:
        """The day again. ValueError for one that nobody can mean."""
        if not -BACK <= day - self.today <= AHEAD:
            raise ValueError(
                f"{day} is too far away; days from {self.today - BACK} to {self.today + AHEAD} can be planned")
        return day


def quoted(text: str) -> str:
    """For a message: cut, and without anything that could disturb a line."""
    return repr(text if len(text) <= 40 else text[:40] + "…")


def proposed(old: Roster, given: Given) -> Roster:
    """The plan with what is given: its weekly duties replace the whole weekly pattern, if it has any; its dated ones
    replace those days."""
    weekly = frozenset(duty for duty in given if isinstance(duty, Duty))
    days = frozenset(duty for duty in given if isinstance(duty, DayDuty))
    dates = {duty.day for duty in days}
    return Roster(old.shifts, weekly or old.weekly, days | {duty for duty in old.days if duty.day not in dates})


def checked(old: Roster, new: Roster, given: Given, today: date) -> list[str]:
    """Warnings about what becomes of the plan; only what is to change, from yesterday's night on, is looked at. Raises
    Refused."""
    dates = {day for day in old.dates | new.dates if set(old.stints(day)) != set(new.stints(day))} | {
        duty.day for duty in given if isinstance(duty, DayDuty)}
    week = old.shifts != new.shifts or old.weekly != new.weekly
    if week:
        dates |= new.dates
    to_come = sorted(day for day in dates if day >= today - DAY)
    faults = [*_overlaps(new, to_come, week, given)]
    gaps, thin = [], []
    for text, span in [*(_of_week(new) if week else []), *_of_days(new, to_come)]:
        if not span.operators:
            gaps.append(Fault("", f"{text} nobody is on"))
        elif len(span.operators) == 1:
            thin.append(f"{text} only {', '.join(span.operators)} is on")
    if faults or gaps:
        raise Refused([*faults, *gaps])
    return _short(list(dict.fromkeys(thin)))


@dataclass(frozen=True)
class ThinPlace:
    """A stretch with one seat or none; or, of a skill, with nobody who has it."""

    skill: str | None
    when: str
    operators: frozenset[str]


def thin_places(roster: Roster, skills: Mapping[str, Collection[str]], today: date) -> list[ThinPlace]:
    """Of the weekly pattern and of the days to come that differ. `skills`: by operator."""
    if not roster.shifts:
        return [ThinPlace(None, "the whole week", frozenset())]
    found = []
    to_come = sorted(day for day in roster.dates if day >= today - DAY)
    for skill in (None, *sorted({skill for known in skills.values() for skill in known})):
        able = None if skill is None else {name for name, known in skills.items() if skill in known}
        for when, span in [*_of_week(roster, able), *_of_days(roster, to_come, able)]:
            if len(span.operators) < (2 if skill is None else 1):
                found.append(ThinPlace(skill, when, span.operators))
    return found


def deserted(roster: Roster, today: date) -> list[str]:
    """When nobody is on, in words: of the weekly pattern and of the days to come that differ."""
    return _short([f"{place.when} nobody is on" for place in thin_places(roster, {}, today) if not place.operators])


def _of_week(roster: Roster, able: Collection[str] | None = None) -> list[tuple[str, Span]]:
    return [(_weekly(span), span) for span in week_spans(roster, able)]


def _of_days(
    roster: Roster, dates: Iterable[date], able: Collection[str] | None = None
) -> list[tuple[str, Span]]:
    """From each day's first shift to the end of the last that may begin on it: as far as its duties reach."""
    found = []
    for day in dates:
        times = [shift.on(day) for shift in roster.shifts]
        for span in spans(roster, min(begins for begins, _ in times), max(stops for _, stops in times), able):
            found.append((f"{span.starts:%Y-%m-%d} ({WEEKDAYS[span.starts.weekday()]}) {_times(span)}", span))
    return found


def _overlaps(roster: Roster, dates: Collection[date], week: bool, given: Given) -> Iterable[Fault]:
    """Of a file, only what is wrong with its own rows: what stood there before does not hinder it."""
    near = {day + DAY * days for day in dates for days in (-1, 0, 1)}
    pairs = _pairs([stint for day in near for stint in roster.stints(day)])
    if week:
        monday = date(2024, 1, 1)
        pairs += _pairs([stint for days in range(8) for stint in roster.week.stints(monday + DAY * days)])
    for one, other in pairs:
        blamed, beside = (other, one) if other.duty in given else (one, other)
        if not given or blamed.duty in given:
            there = f" ({given[beside.duty]})" if beside.duty in given else ""
            yield Fault(given.get(blamed.duty, ""), f"{one.operator} would be in {_said(blamed)} and in "
                                                    f"{_said(beside)}{there} at the same time")


def _pairs(stints: Iterable[Stint]) -> list[tuple[Stint, Stint]]:
    in_order = sorted(stints, key=lambda stint: (stint.operator, stint.starts, stint.ends, stint.duty.shift))
    found, longest = [], None
    for one, other in pairwise(in_order):
        if longest is None or longest.operator != one.operator or longest.ends < one.ends:
            longest = one
        if other.operator == longest.operator and other.starts < longest.ends:
            found.append((longest, other))
    return found


def _said(stint: Stint) -> str:
    on = WEEKDAYS[stint.duty.weekday] if isinstance(stint.duty, Duty) else stint.duty.day
    return f"{stint.duty.shift} ({on} {stint.starts:%H:%M}–{stint.ends:%H:%M})"


def _weekly(span: Span) -> str:
    if span.ends - span.starts >= 7 * DAY:
        return "the whole week"
    return f"{WEEKDAYS[span.starts.weekday()]} {_times(span, WEEKDAYS[span.ends.weekday()])}"


def _times(span: Span, ends_on: str = "") -> str:
    """ "23:00–07:00"; the day of the end is named when it could be misread."""
    later = span.ends - span.starts >= DAY
    return f"{span.starts:%H:%M}–{f'{ends_on or span.ends.date()} ' if later else ''}{span.ends:%H:%M}"


def _one_of(names: Iterable[str], text: str) -> str | None:
    """The one that is meant: to the letter, or else the only one in other letters."""
    names = list(dict.fromkeys(names))
    if text in names:
        return text
    alike = [name for name in names if name.casefold() == text.casefold()]
    return alike[0] if len(alike) == 1 else None


def _short(lines: list[str]) -> list[str]:
    more = len(lines) - _TOLD
    return lines if more <= 0 else [*lines[:_TOLD], f"… and {more} more"]

