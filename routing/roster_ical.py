"""routing ◆ The roster as iCalendar (RFC 5545), for people's calendars, and back. Pure.

Written: one event per duty. A weekly duty repeats every week for ever, but on the days that differ (EXDATE); the
duties of such a day are events of their own. An event's title is "pagi: Operator 01"; who it is stands in
X-KENTONGAN-OPERATOR, not as ATTENDEE: calendars would mail invitations to an address that nobody has.

Read: what was written, equal; and other calendars' events that begin and end as a shift does and name one operator in
title or attendee. A day that any EXDATE, single event or moved event speaks of is a day that differs, with all that the
calendar shows on it. What repeats otherwise than every week (or day) is refused, and so is what does not end within 400
days but ends: nothing is expanded further.
"""

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from icalendar import Calendar, Event

from routing.roster import DAY, DayDuty, Duty, Roster, Shift
from routing.roster_rules import AHEAD, Fault, Given, Known, Refused, Who, quoted, text_of

#: the week in which weekly events begin: always the same, so that what has not changed stays the same
_FIRST_WEEK = date(2024, 1, 1)
_BYDAY = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_WHO, _SHIFT = "X-KENTONGAN-OPERATOR", "X-KENTONGAN-SHIFT"
#: days that a repetition with an end may last
_LONGEST = 400
_MOST_EVENTS = 5_000


def write(roster: Roster, operators: Iterable[Who], zone: tzinfo, now: datetime, only: str | None = None) -> bytes:
    """`zone`: with a name, e.g. a ZoneInfo. `now` is said in each event. `only`: one operator's duties."""
    shown, shifts = {who.name: who.display_name for who in operators}, {shift.code: shift for shift in roster.shifts}
    calendar = Calendar()
    title = f"112: {shown.get(only, only)}" if only is not None else "112"
    for name, value in (("PRODID", "-//Kentongan//Roster//EN"), ("VERSION", "2.0"), ("METHOD", "PUBLISH"),
                        ("X-WR-CALNAME", title), ("X-WR-TIMEZONE", str(zone)), ("X-PUBLISHED-TTL", "PT1H")):
        calendar.add(name, value)

    def event(duty: Duty | DayDuty, first: date, key: str) -> Event:
        starts, ends = (wall.replace(tzinfo=zone) for wall in shifts[duty.shift].on(first))
        made = Event()
        for name, value in (("UID", f"{duty.operator}-{duty.shift}-{key}@kentongan"), ("DTSTAMP", now),
                            ("SUMMARY", f"{duty.shift}: {shown.get(duty.operator, duty.operator)}"),
                            ("DTSTART", starts), ("DTEND", ends), (_WHO, duty.operator), (_SHIFT, duty.shift)):
            made.add(name, value)
        calendar.add_component(made)
        return made

    for weekly in sorted(roster.weekly):
        if only in (None, weekly.operator):
            made = event(weekly, _FIRST_WEEK + DAY * weekly.weekday, _BYDAY[weekly.weekday].lower())
            made.add("RRULE", {"FREQ": "WEEKLY"})
            off = [shifts[weekly.shift].on(day)[0].replace(tzinfo=zone) for day in sorted(roster.dates)
                   if day.weekday() == weekly.weekday and day >= _FIRST_WEEK]
            if off:
                made.add("EXDATE", off)
    for dated in sorted(roster.days):
        if only in (None, dated.operator):
            event(dated, dated.day, dated.day.isoformat())
    calendar.add_missing_timezones()
    return bytes(calendar.to_ical())


def read(data: bytes, zone: tzinfo, known: Known) -> Given:
    """The calendar's duties with the events' UIDs. Raises Refused with every event that cannot be taken."""
    text = text_of(data, "iCalendar")
    try:
        events = [event for calendar in Calendar.from_ical(text, multiple=True) for event in calendar.walk("VEVENT")]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise Refused.because("", "this is no iCalendar file (.ics)") from None
    except OSError:         # the name of a folder of zones, like "Asia", is looked for as a zone's file
        raise Refused.because("", "a time zone in the file is not known") from None
    if [line.strip().upper() for line in text.splitlines()].count("BEGIN:VEVENT") != len(events):
        raise Refused.because("", "this is not the whole of an iCalendar file: an event or the calendar has no end")
    if not events or len(events) > _MOST_EVENTS:
        raise Refused.because("", f"there are {len(events)} events in the file; a roster has 1 to {_MOST_EVENTS}")
    book, faults = _Book(known, zone), []
    for take in (book.take_out, book.take):         # what is taken out may be said before what it is taken out of
        for event in events:
            where = f"UID {quoted(_uid(event))}"
            try:
                take(event, where)
            except (ValueError, OverflowError) as wrong:
                faults.append(Fault(where, str(wrong)))
        if faults:
            raise Refused(faults)
    return book.given()


class _Book:
    """What a calendar has said so far."""

    def __init__(self, known: Known, zone: tzinfo) -> None:
        self._known, self._zone = known, zone
        self._said: dict[Duty | DayDuty, str] = {}
        self._uids: dict[Duty, str] = {}
        self._off: set[tuple[str, date]] = set()        #: events' UIDs, and days on which they do not happen

    def take_out(self, event: Any, where: str) -> None:
        """The days on which it does not happen. ValueError, in words."""
        if event.errors:
            raise ValueError(f"{event.errors[0][0]} cannot be read")
        if "RECURRENCE-ID" in event:                    # one occurrence is otherwise: an event of its own, or none
            self._off.add((_uid(event), self._wall(event["RECURRENCE-ID"]).date()))
        lists = event.get("EXDATE", [])
        for one in lists if isinstance(lists, list) else [lists]:
            self._off |= {(_uid(event), self._wall(value).date()) for value in one.dts}

    def take(self, event: Any, where: str) -> None:
        """Its duties. ValueError, in words."""
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            return
        if "RDATE" in event:
            raise ValueError("it repeats on dates of a list (RDATE); make single events of them")
        starts, ends = self._moment(event, "DTSTART"), self._end(event)
        day, shift, operator = starts.date(), self._shift(starts, ends, event), self._operator(event)
        if "RRULE" not in event:
            self._add(DayDuty(operator, shift, self._known.day(day)), where)
            return
        weekdays, last = _repeats(event["RRULE"], event, day)
        if last is None:
            if day > self._known.today + 7 * DAY:
                raise ValueError(f"it begins on {day}, but a weekly pattern holds from now on: bring it in then")
            for weekday in weekdays:
                duty = Duty(operator, shift, weekday)
                self._add(duty, where)
                self._uids[duty] = _uid(event)
            return
        for days in range((last - day).days + 1):
            if (on := day + DAY * days).weekday() in weekdays and (_uid(event), on) not in self._off:
                self._add(DayDuty(operator, shift, self._known.day(on)), where)

    def given(self) -> dict[Duty | DayDuty, str]:
        """All duties. A day that differs has what is left of its weekday, too. Raises Refused."""
        given = dict(self._said)
        repeating, today = set(self._uids.values()), self._known.today
        dates = {day for uid, day in self._off if uid in repeating and today - DAY <= day <= today + AHEAD}
        dates |= {duty.day for duty in self._said if isinstance(duty, DayDuty)}
        for day in dates:
            for duty, uid in self._uids.items():
                if duty.weekday == day.weekday() and (uid, day) not in self._off:
                    given.setdefault(DayDuty(duty.operator, duty.shift, day), self._said[duty])
        there = {duty.day for duty in given if isinstance(duty, DayDuty)}
        if empty := sorted(dates - there):
            raise Refused(Fault("", f"{day} nobody is on: all its events are taken out") for day in empty)
        if not given:
            raise Refused.because("", "all events in the file are cancelled")
        return given

    def _add(self, duty: Duty | DayDuty, where: str) -> None:
        if duty in self._said:
            raise ValueError(f"{duty.operator} has {duty.shift} twice then, also by {self._said[duty]}")
        self._said[duty] = where

    def _moment(self, event: Any, name: str) -> datetime:
        if name not in event:
            raise ValueError(f"there is no {name}")
        return self._wall(event[name])

    def _wall(self, value: Any) -> datetime:
        """Naive wall time of the regency; without a zone it is that already."""
        moment = getattr(value, "dt", None)
        if not isinstance(moment, datetime):
            raise ValueError("it is about whole days; a duty begins and ends at a time of day")
        if moment.tzinfo is not None:
            return moment.astimezone(self._zone).replace(tzinfo=None, fold=0)
        if (named := value.params.get("TZID")) is not None:
            raise ValueError(f"the time zone {quoted(str(named))} is not known")
        return moment

    def _end(self, event: Any) -> datetime:
        if "DTEND" in event or "DURATION" not in event:
            return self._moment(event, "DTEND")
        length = getattr(event["DURATION"], "dt", None)
        if not isinstance(length, timedelta) or not timedelta() < length <= 2 * DAY:
            raise ValueError("its DURATION is none of a shift")
        return self._moment(event, "DTSTART") + length

    def _shift(self, starts: datetime, ends: datetime, event: Any) -> str:
        fit = [shift.code for shift in self._known.shifts if shift.on(starts.date()) == (starts, ends)]
        if not fit:
            raise ValueError(f"{starts:%H:%M}–{ends:%H:%M} is no shift; there are: {_shifts(self._known.shifts)}")
        named = str(event.get(_SHIFT, ""))
        return named if named in fit else fit[0]

    def _operator(self, event: Any) -> str:
        """By our own property; or by the one name in title or attendees."""
        if _WHO in event:
            return self._known.operator(str(event[_WHO]))
        people = event.get("ATTENDEE", [])
        texts = [str(event.get("SUMMARY", ""))]
        for one in people if isinstance(people, list) else [people]:
            texts += [str(one.params.get("CN", "")), str(one).removeprefix("mailto:").partition("@")[0]]
        found = {who.name for who in self._known.operators for name in (who.name, who.display_name)
                 if any(_names(name, text) for text in texts)}
        if len(found) != 1:
            named = "more than one operator" if found else "no operator"
            raise ValueError(f"its title and attendees name {named}: {quoted(texts[0])}")
        return self._known.active(found.pop())


def _repeats(rule: Any, event: Any, first: date) -> tuple[set[int], date | None]:
    """On which weekdays, and until when (None: for ever). ValueError for what no week can hold."""
    if isinstance(rule, list):
        raise ValueError("it repeats by more than one rule")
    parts = {str(name).upper(): value for name, value in rule.items()}
    freq = str((parts.pop("FREQ", None) or [""])[0]).upper()
    days = [str(day).upper() for day in parts.pop("BYDAY", [])]
    parts.pop("WKST", None)
    interval, count, until = (parts.pop(name, [None])[0] for name in ("INTERVAL", "COUNT", "UNTIL"))
    if freq not in ("WEEKLY", "DAILY") or interval not in (None, 1) or parts or not set(days) <= set(_BYDAY):
        raise ValueError("it does not repeat every week or every day, and a weekly pattern cannot hold it; make single "
                         "events of it")
    start = event["DTSTART"].dt
    aside = (first - start.date()).days                             # in its own zone it may be another day
    named = {(_BYDAY.index(day) + aside) % 7 for day in days}
    weekdays = named or (set(range(7)) if freq == "DAILY" else {first.weekday()})
    if first.weekday() not in weekdays:
        raise ValueError("it begins on a day on which it does not repeat")
    if count is None and until is None:
        return weekdays, None
    last = first + DAY * _LONGEST
    if until is not None:
        end = until.date() if isinstance(until, datetime) else until
        if isinstance(until, datetime) and until.tzinfo is not None and start.tzinfo is not None:
            end = until.astimezone(start.tzinfo).date()
        last = min(last, end + DAY * aside)
    if count is not None:
        on = [day for days in range(_LONGEST + 1) if (day := first + DAY * days).weekday() in weekdays]
        last = min(last, on[count - 1]) if 1 <= count <= len(on) else last
    if last >= first + DAY * _LONGEST:
        raise ValueError(f"it repeats for more than {_LONGEST} days and then ends; leave out the end")
    return weekdays, last


def _uid(event: Any) -> str:
    return str(event.get("UID", ""))


def _names(name: str, text: str) -> bool:
    return bool(name) and re.search(rf"(?<!\w){re.escape(name.casefold())}(?!\w)", text.casefold()) is not None


def _shifts(shifts: Iterable[Shift]) -> str:
    return ", ".join(f"{shift.code} {shift.starts}–{shift.ends}" for shift in shifts)
