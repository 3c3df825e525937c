"""The roster as iCalendar: what was written comes back, other calendars are understood or refused by UID."""

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from routing import roster_ical
from routing.roster import DayDuty, Duty, Roster, Shift
from routing.roster_rules import Given, Known, Refused, Who
from routing.seed import DUTIES, OPERATORS, SHIFTS

JAKARTA = ZoneInfo("Asia/Jakarta")
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
TODAY = date(2026, 11, 22)
FRIDAY = date(2026, 12, 25)
WHO = [*(Who(name, f"Operator {name[2:]}") for name in OPERATORS), Who("op99", "Gone", active=False),
       Who("ayu", "Ayu, Ni; Made\\")]
KNOWN = Known(SHIFTS, WHO, TODAY)


def read(data: bytes | str, zone: ZoneInfo = JAKARTA) -> Given:
    return roster_ical.read(data.encode() if isinstance(data, str) else data, zone, KNOWN)


def write(roster: Roster, only: str | None = None, zone: ZoneInfo = JAKARTA) -> bytes:
    return roster_ical.write(roster, WHO, zone, NOW, only)


def event(*lines: str) -> str:
    """A foreign event; without lines of its own it is op01's morning on Friday the 25th."""
    said = ["UID:foreign-1", "SUMMARY:Jaga op01", "DTSTART;TZID=Asia/Jakarta:20261225T070000",
            "DTEND;TZID=Asia/Jakarta:20261225T150000"]
    names = {line.replace(";", ":").partition(":")[0] for line in lines}
    kept = [line for line in said if line.replace(";", ":").partition(":")[0] not in names]
    return "\r\n".join(["BEGIN:VEVENT", *kept, *(line for line in lines if not line.endswith(":")), "END:VEVENT"])


def calendar(*events: str) -> str:
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//somebody//EN", *events, "END:VCALENDAR", ""])


def refusal(data: bytes | str) -> str:
    with pytest.raises(Refused) as refused:
        read(data)
    return str(refused.value)


# what was written comes back

names = st.sampled_from([who.name for who in WHO if who.active])
codes = st.sampled_from([shift.code for shift in SHIFTS])
duties = st.frozensets(st.builds(Duty, names, codes, st.integers(0, 6)), max_size=12)
dates = st.integers(-1, 700).map(lambda days: TODAY + timedelta(days))
dated = st.frozensets(st.builds(DayDuty, names, codes, dates), max_size=12)


@settings(deadline=None)
@given(duties, dated, st.sampled_from([JAKARTA, ZoneInfo("Asia/Jayapura"), ZoneInfo("Europe/Berlin")]))
def test_whatever_is_written_comes_back_equal(
    weekly: frozenset[Duty], days: frozenset[DayDuty], zone: ZoneInfo
) -> None:
    written = write(Roster(SHIFTS, weekly, days), zone=zone)
    if weekly or days:
        assert set(read(written, zone)) == weekly | days
    else:
        assert "there are 0 events" in refusal(written)


def test_two_shifts_of_the_same_hours_come_back_as_themselves() -> None:
    shifts = (Shift("a", "07:00", "15:00"), Shift("b", "07:00", "15:00"))
    plan = Roster(shifts, frozenset({Duty("op01", "a", 0), Duty("op02", "b", 0)}))
    assert set(roster_ical.read(write(plan), JAKARTA, Known(shifts, WHO, TODAY))) == plan.weekly


# what calendars show


def test_a_calendar_shows_one_event_per_duty_with_shift_and_operator() -> None:
    plan = Roster(SHIFTS, frozenset({Duty("op01", "malam", 4)}), frozenset({DayDuty("ayu", "pagi", FRIDAY)}))
    made = Calendar.from_ical(write(plan))
    weekly, single = made.walk("VEVENT")
    assert [zone["TZID"] for zone in made.walk("VTIMEZONE")] == ["Asia/Jakarta"]
    assert (weekly["UID"], weekly["SUMMARY"]) == ("op01-malam-fr@kentongan", "malam: Operator 01")
    assert weekly["DTSTART"].dt == datetime(2024, 1, 5, 23, 0, tzinfo=JAKARTA)
    assert weekly["DTEND"].dt == datetime(2024, 1, 6, 7, 0, tzinfo=JAKARTA)
    assert weekly["RRULE"].to_ical() == b"FREQ=WEEKLY"
    assert [gone.dt for gone in weekly["EXDATE"].dts] == [datetime(2026, 12, 25, 23, 0, tzinfo=JAKARTA)]
    assert (single["UID"], single["SUMMARY"]) == ("ayu-pagi-2026-12-25@kentongan", "pagi: Ayu, Ni; Made\\")
    assert "ATTENDEE" not in weekly
    assert write(plan) == write(plan)


def test_one_operator_gets_their_own_duties_and_not_those_of_days_on_which_others_stand_in() -> None:
    plan = Roster(SHIFTS, frozenset(DUTIES), frozenset({DayDuty("op02", "malam", FRIDAY)}))
    mine = Calendar.from_ical(write(plan, "op01"))
    events = mine.walk("VEVENT")
    assert str(mine["X-WR-CALNAME"]) == "112: Operator 01"
    assert {str(event["SUMMARY"]) for event in events} == {"pagi: Operator 01", "siang: Operator 01",
                                                           "malam: Operator 01"}
    assert len(events) == len([duty for duty in DUTIES if duty.operator == "op01"])
    assert [event["UID"] for event in events if "EXDATE" in event] == ["op01-malam-fr@kentongan"]


# other calendars

MORNING = DayDuty("op01", "pagi", FRIDAY)
FOREIGN = [
    ("a single event", [event()], {MORNING}),
    ("the shown name in the title", [event("SUMMARY:OPERATOR 01 (pagi)")], {MORNING}),
    ("an attendee's name", [event("SUMMARY:Jaga", 'ATTENDEE;CN="Operator 01":mailto:x@example.org')], {MORNING}),
    ("an attendee's address", [event("SUMMARY:Jaga", "ATTENDEE:mailto:op01@example.org")], {MORNING}),
    ("UTC", [event("DTSTART:20261225T000000Z", "DTEND:20261225T080000Z")], {MORNING}),
    ("no zone at all", [event("DTSTART:20261225T070000", "DTEND:20261225T150000")], {MORNING}),
    ("a length instead of an end", [event("DTEND:", "DURATION:PT8H")], {MORNING}),
    ("every week on two days", [event("RRULE:FREQ=WEEKLY;BYDAY=FR,MO;WKST=SU", "DTSTART:20261120T070000",
                                      "DTEND:20261120T150000")],
     {Duty("op01", "pagi", 4), Duty("op01", "pagi", 0)}),
    ("every day", [event("RRULE:FREQ=DAILY", "DTSTART:20261120T070000", "DTEND:20261120T150000")],
     {Duty("op01", "pagi", weekday) for weekday in range(7)}),
    ("a weekday of another zone", [event("RRULE:FREQ=WEEKLY;BYDAY=SU", "DTSTART:20261122T170000Z",
                                         "DTEND:20261123T010000Z", "SUMMARY:op02")], None),
    ("three times", [event("RRULE:FREQ=DAILY;COUNT=3")],
     {DayDuty("op01", "pagi", FRIDAY + timedelta(days)) for days in range(3)}),
    ("until, but one", [event("RRULE:FREQ=WEEKLY;UNTIL=20270108T000000Z", "EXDATE;TZID=Asia/Jakarta:20270101T070000")],
     {MORNING, DayDuty("op01", "pagi", date(2027, 1, 8))}),
    ("cancelled", [event(), event("STATUS:CANCELLED", "UID:foreign-2", "SUMMARY:op02")], {MORNING}),
]


@pytest.mark.parametrize(("what", "events", "expected"), FOREIGN, ids=[row[0] for row in FOREIGN])
def test_another_calendar_is_understood(what: str, events: list[str], expected: set[Duty | DayDuty] | None) -> None:
    if expected is None:        # Sunday 17:00 UTC is Monday 00:00 in Jakarta: no shift begins then
        assert "00:00–08:00 is no shift; there are: pagi 07:00–15:00" in refusal(calendar(*events))
    else:
        assert set(read(calendar(*events))) == expected


WEEKLY = event("RRULE:FREQ=WEEKLY", "DTSTART:20261120T070000", "DTEND:20261120T150000")
ALSO = event("UID:foreign-2", "SUMMARY:op02", "RRULE:FREQ=WEEKLY", "DTSTART:20261120T070000", "DTEND:20261120T150000")


def test_a_day_on_which_one_is_taken_out_keeps_the_others() -> None:
    out = WEEKLY.replace("RRULE", "EXDATE:20261225T070000\r\nRRULE")
    assert set(read(calendar(out, ALSO))) == {
        Duty("op01", "pagi", 4), Duty("op02", "pagi", 4), DayDuty("op02", "pagi", FRIDAY)}


def test_a_moved_occurrence_stands_in_place_of_its_own_wherever_it_is_said() -> None:
    moved = event("RECURRENCE-ID:20261225T070000", "DTSTART:20261225T150000", "DTEND:20261225T230000")
    expected = {Duty("op01", "pagi", 4), Duty("op02", "pagi", 4), DayDuty("op01", "siang", FRIDAY),
                DayDuty("op02", "pagi", FRIDAY)}
    assert set(read(calendar(WEEKLY, ALSO, moved))) == expected
    assert set(read(calendar(moved, ALSO, WEEKLY))) == expected


def test_an_event_more_makes_a_day_that_differs_with_all_that_the_calendar_shows() -> None:
    more = event("UID:foreign-3", "SUMMARY:op03")
    assert set(read(calendar(WEEKLY, more))) == {
        Duty("op01", "pagi", 4), DayDuty("op01", "pagi", FRIDAY), DayDuty("op03", "pagi", FRIDAY)}


REFUSED = [
    ("an empty file", "", "there is nothing in the file"),
    ("a CSV", "day,shift,operator\nMonday,pagi,op01\n", "this is no iCalendar file (.ics)"),
    ("a PDF", b"%PDF-1.7\n", "row 1: this is a PDF, not iCalendar"),
    ("Latin-1", calendar(event("SUMMARY:Jos\xe9")).encode("latin-1"), "row 8: this is not UTF-8"),
    ("a calendar without events", calendar(), "there are 0 events in the file"),
    ("a calendar that is cut off", calendar(event(), event())[:-20], "this is not the whole of an iCalendar file"),
    ("too many", calendar(*["BEGIN:VEVENT\r\nEND:VEVENT"] * 5001), "there are 5001 events"),
    ("nobody", calendar(event("SUMMARY:Rapat")), "UID 'foreign-1': its title and attendees name no operator: 'Rapat'"),
    ("part of a name", calendar(event("SUMMARY:op011")), "name no operator"),
    ("two", calendar(event("SUMMARY:op01 dan op02")), "name more than one operator"),
    ("who has left", calendar(event("SUMMARY:op99")), "op99 is not active any more"),
    ("other hours", calendar(event("DTSTART:20261225T080000")), "08:00–15:00 is no shift; there are: pagi 07:00–15:00"),
    ("a whole day", calendar(event("DTSTART;VALUE=DATE:20261225")), "it is about whole days"),
    ("no beginning", calendar(event("DTSTART:")), "there is no DTSTART"),
    ("no end", calendar(event("DTEND:")), "there is no DTEND"),
    ("a zone of nowhere", calendar(event("DTSTART;TZID=Mars/Base:20261225T070000")), "'Mars/Base' is not known"),
    ("a folder of zones", calendar(event("DTSTART;TZID=Asia:20261225T070000")), "a time zone in the file is not known"),
    ("no date", calendar(event("DTSTART:soon")), "DTSTART cannot be read"),
    ("every other week", calendar(event("RRULE:FREQ=WEEKLY;INTERVAL=2")), "does not repeat every week or every day"),
    ("every month", calendar(event("RRULE:FREQ=MONTHLY;BYDAY=1FR")), "does not repeat every week or every day"),
    ("every second", calendar(event("RRULE:FREQ=SECONDLY;COUNT=1000000000")), "does not repeat every week"),
    ("for very long", calendar(event("RRULE:FREQ=DAILY;COUNT=1000000000")), "for more than 400 days and then ends"),
    ("until the end of time", calendar(event("RRULE:FREQ=DAILY;UNTIL=99991231")), "for more than 400 days"),
    ("never", calendar(event("RRULE:FREQ=DAILY;COUNT=0")), "UID 'foreign-1'"),
    ("two rules", calendar(event("RRULE:FREQ=DAILY", "RRULE:FREQ=WEEKLY")), "it repeats by more than one rule"),
    ("a list of dates", calendar(event("RDATE:20261226T070000")), "(RDATE)"),
    ("a week to come", calendar(event("RRULE:FREQ=WEEKLY")), "begins on 2026-12-25, but a weekly pattern holds from"),
    ("twice the same", calendar(event(), event("UID:other")), "UID 'other': op01 has pagi twice then, also by"),
    ("all cancelled", calendar(event("STATUS:CANCELLED")), "all events in the file are cancelled"),
    ("everybody taken out", calendar(WEEKLY.replace("RRULE", "EXDATE:20261225T070000\r\nRRULE")),
     "2026-12-25 nobody is on: all its events are taken out"),
    ("the beginning of time", calendar(event("DTSTART:00010101T000000Z")), "UID 'foreign-1'"),
    ("the end of time", calendar(event("DTSTART:99991231T230000", "DTEND:99991231T235900")), "UID 'foreign-1'"),
    ("a slip of the pen", calendar(event("DTSTART:20621225T070000", "DTEND:20621225T150000")), "is too far away"),
]


@pytest.mark.parametrize(("what", "data", "said"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refused_with_uid_and_reason(what: str, data: str | bytes, said: str) -> None:
    assert said in refusal(data)


lines = st.sampled_from([
    "BEGIN:VEVENT", "END:VEVENT", "UID:x", "SUMMARY:op01", "DTSTART:20261225T070000", "DTEND:20261225T150000",
    "DTSTART;TZID=Asia/Jakarta:20261225T070000", "DTSTART:", "RRULE:FREQ=WEEKLY", "RRULE:", "RRULE:FREQ=DAILY;COUNT=-1",
    "EXDATE:20261225T070000", "EXDATE:x", "EXDATE;VALUE=DATE:20261225", "RECURRENCE-ID:x", "STATUS:CANCELLED",
    "DURATION:-P1D", "DURATION:P9999999999D", "ATTENDEE:mailto:op01@example.org", "BEGIN:VALARM", "END:VALARM",
    "RRULE:FREQ=WEEKLY;UNTIL=20270101T000000Z;BYDAY=FR", "RRULE:FREQ=WEEKLY;BYDAY=+1XX", "X-KENTONGAN-OPERATOR:op02"])


@settings(max_examples=300, deadline=None)
@given(st.lists(lines, max_size=14).map(lambda some: calendar(*some)) | st.text(max_size=60))
def test_whatever_comes_is_read_or_refused(text: str) -> None:
    with suppress(Refused):
        assert read(text.encode(errors="replace"))
