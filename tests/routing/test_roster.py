"""Who is on: truth table, properties, and the seed roster proved minute by minute."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.roster import DayDuty, Duty, Roster, Shift, least_seats, spans, who_is_on
from routing.seed import AGENCIES, DUTIES, OPERATORS, SHIFTS

JAKARTA = ZoneInfo("Asia/Jakarta")
MONDAY = datetime(2026, 11, 23, tzinfo=JAKARTA)
MEDICAL = {name for name, skills in OPERATORS.items() if "medical" in skills}
EVERY_MINUTE = [MONDAY + timedelta(minutes=minute) for minute in range(7 * 24 * 60)]

TABLE = [
    ("a shift begins with its first minute", "pagi", 0, "Mon 07:00", True),
    ("and not a minute earlier", "pagi", 0, "Mon 06:59", False),
    ("its end is no longer in it", "pagi", 0, "Mon 15:00", False),
    ("the minute before is", "pagi", 0, "Mon 14:59", True),
    ("another weekday is another duty", "pagi", 0, "Tue 08:00", False),
    ("a night begins on its weekday", "malam", 0, "Mon 23:00", True),
    ("a night goes on after midnight", "malam", 0, "Tue 06:59", True),
    ("a night ends in the morning", "malam", 0, "Tue 07:00", False),
    ("the early hours belong to the night before", "malam", 0, "Mon 03:00", False),
    ("Sunday's night ends on Monday", "malam", 6, "Mon 03:00", True),
]


def week(duties: Iterable[Duty], shifts: Iterable[Shift] = SHIFTS) -> Roster:
    return Roster(tuple(shifts), frozenset(duties))


def at(when: str) -> datetime:
    day, wall = when.split()
    weekday = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].index(day)
    return datetime.combine(date(2026, 11, 23) + timedelta(weekday), time.fromisoformat(wall), JAKARTA)


@pytest.mark.parametrize(("why", "shift", "weekday", "when", "on"), TABLE, ids=[row[0] for row in TABLE])
def test_who_is_on(why: str, shift: str, weekday: int, when: str, on: bool) -> None:
    duties = [Duty("op01", shift, weekday)]
    assert who_is_on(week(duties), at(when), JAKARTA) == ({"op01"} if on else set())


def test_the_zone_of_the_regency_decides_and_not_that_of_the_moment() -> None:
    midnight_utc = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)  # Monday 07:00 in Jakarta, 09:00 in Jayapura
    duties = [Duty("op01", "pagi", 0), Duty("op02", "malam", 6)]
    assert who_is_on(week(duties), midnight_utc, JAKARTA) == {"op01"}
    assert who_is_on(week(duties), midnight_utc - timedelta(hours=1), JAKARTA) == {"op02"}
    assert who_is_on(week(duties), midnight_utc - timedelta(hours=1), ZoneInfo("Asia/Jayapura")) == {"op01"}


def test_a_shift_that_ends_when_it_starts_lasts_a_day() -> None:
    whole = [Shift("whole", "08:00", "08:00")]
    assert who_is_on(week([Duty("op01", "whole", 0)], whole), at("Tue 07:59"), JAKARTA) == {"op01"}
    assert who_is_on(week([Duty("op01", "whole", 0)], whole), at("Tue 08:00"), JAKARTA) == set()


def test_a_naive_moment_a_wrong_time_and_an_unknown_shift_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        who_is_on(week([]), MONDAY.replace(tzinfo=None), JAKARTA)
    with pytest.raises(ValueError, match="'24:00' is no time of day; write it like 07:00"):
        who_is_on(week([Duty("op01", "late", 0)], [Shift("late", "16:00", "24:00")]), MONDAY, JAKARTA)
    with pytest.raises(ValueError, match="op01 has a duty in the shift 'sore'; there are only: pagi, siang"):
        who_is_on(week([Duty("op01", "sore", 0)]), MONDAY, JAKARTA)


def test_the_seed_has_two_seats_and_one_medical_in_every_minute_of_the_week() -> None:
    for minute in EVERY_MINUTE:
        on = who_is_on(week(DUTIES), minute, JAKARTA)
        assert len(on) >= 2, minute
        assert on & MEDICAL, minute


def test_every_emergency_topic_of_the_seed_is_covered_in_every_shift() -> None:
    for topic in ("fire", "medical", "police", "disaster", "social", "information"):
        able = {name for name, skills in OPERATORS.items() if topic in skills}
        assert least_seats(week(DUTIES), able).seats >= 1, topic
    assert sorted(MEDICAL) == ["op01", "op02", "op04", "op05", "op07", "op08"]


def test_nobody_in_the_seed_works_more_than_five_shifts_or_rests_less_than_sixteen_hours() -> None:
    lengths = {shift.code: shift for shift in SHIFTS}
    for operator in OPERATORS:
        spans = []
        for week in (0, 1):  # the week after, too: a roster has no Sunday evening
            for duty in DUTIES:
                if duty.operator == operator:
                    shift = lengths[duty.shift]
                    day = MONDAY + timedelta(days=7 * week + duty.weekday)
                    starts = datetime.combine(day, time.fromisoformat(shift.starts))
                    ends = datetime.combine(day, time.fromisoformat(shift.ends))
                    spans.append((starts, ends if ends > starts else ends + timedelta(days=1)))
        spans.sort()
        assert 8 <= len(spans) <= 10, operator
        rests = [later[0] - earlier[1] for earlier, later in pairwise(spans)]
        assert min(rests) >= timedelta(hours=16), operator


def test_nights_of_the_seed_are_shared_by_all() -> None:
    nights = [duty.operator for duty in DUTIES if duty.shift == "malam"]
    assert set(nights) == set(OPERATORS)
    assert max(map(nights.count, nights)) <= 2


def test_every_agency_of_the_seed_has_a_topic_of_its_own() -> None:
    assert {code: topics for code, _, topics in AGENCIES} == {
        "damkar": ("fire",),
        "psc119": ("medical",),
        "polres": ("police",),
        "bpbd": ("disaster",),
        "dinsos": ("social",),
    }


def test_the_thinnest_minute_says_how_many_and_when() -> None:
    ill = [duty for duty in DUTIES if duty.operator != "op04"]
    assert str(least_seats(week(ill))) == "1 on Monday at 07:00"
    assert str(least_seats(week([]))) == "0 on Monday at 00:00"


walls = st.sampled_from(["00:00", "06:30", "07:00", "12:15", "15:00", "22:59", "23:00"])
patterns = st.lists(
    st.builds(
        Duty, st.sampled_from(["op01", "op02", "op03"]), st.sampled_from(["a", "b"]), st.integers(0, 6)
    ),
    max_size=8,
)


MOMENTS = st.integers(0, 10**7).map(lambda minutes: MONDAY + timedelta(minutes=minutes))


@given(patterns, walls, walls, walls, walls)
def test_the_thinnest_minute_is_the_thinnest_of_all(
    duties: list[Duty], a_starts: str, a_ends: str, b_starts: str, b_ends: str
) -> None:
    shifts = [Shift("a", a_starts, a_ends), Shift("b", b_starts, b_ends)]
    found = least_seats(week(duties, shifts))
    counts = [len(who_is_on(week(duties, shifts), minute, JAKARTA)) for minute in EVERY_MINUTE[::15]]
    counts += [len(who_is_on(week(duties, shifts), minute, JAKARTA)) for minute in EVERY_MINUTE[14::15]]
    assert found.seats == min(counts)
    day = date(2026, 11, 23) + timedelta(found.weekday)
    there = datetime.combine(day, time.fromisoformat(found.at), JAKARTA)
    assert len(who_is_on(week(duties, shifts), there, JAKARTA)) == found.seats


@given(patterns, MOMENTS)
def test_a_week_later_the_same_people_are_on(duties: list[Duty], now: datetime) -> None:
    shifts = [Shift("a", "07:00", "15:00"), Shift("b", "23:00", "07:00")]
    plan = week(duties, shifts)
    assert who_is_on(plan, now, JAKARTA) == who_is_on(plan, now + timedelta(days=7), JAKARTA)


# days that differ

#: Friday, and the night of Thursday
WEEKLY = [Duty("op01", "pagi", 4), Duty("op02", "malam", 3), Duty("op03", "malam", 4)]
FRIDAY = date(2026, 11, 27)
DIFFERS = [
    ("the day's own duty stands", "Fri 07:00", {"op09"}),
    ("in place of the weekly one, until its end", "Fri 14:59", {"op09"}),
    ("the night that began the day before is the day before's", "Fri 03:00", {"op02"}),
    ("a shift of the weekly pattern that the day does not name has nobody", "Fri 23:30", set()),
    ("also after midnight: the night would have begun on that day", "Sat 03:00", set()),
    ("the week after is as ever", "Thu 23:30", {"op02"}),
]


@pytest.mark.parametrize(("why", "when", "on"), DIFFERS, ids=[row[0] for row in DIFFERS])
def test_on_a_day_that_differs(why: str, when: str, on: set[str]) -> None:
    plan = Roster(SHIFTS, frozenset(WEEKLY), frozenset({DayDuty("op09", "pagi", FRIDAY)}))
    assert who_is_on(plan, at(when), JAKARTA) == on


def test_a_night_of_a_day_that_differs_goes_on_after_midnight() -> None:
    plan = Roster(SHIFTS, frozenset(WEEKLY), frozenset({DayDuty("op09", "malam", FRIDAY)}))
    assert who_is_on(plan, at("Sat 06:59"), JAKARTA) == {"op09"}
    assert who_is_on(plan, at("Sat 07:00"), JAKARTA) == set()
    assert who_is_on(plan, at("Fri 08:00"), JAKARTA) == set()


def test_days_that_are_over_can_be_left_out() -> None:
    days = frozenset({DayDuty("op09", "pagi", FRIDAY), DayDuty("op08", "pagi", FRIDAY - timedelta(1))})
    plan = Roster(SHIFTS, frozenset(WEEKLY), days)
    assert plan.dates == {FRIDAY, FRIDAY - timedelta(1)}
    assert plan.since(FRIDAY).dates == {FRIDAY}
    assert plan.week.dates == frozenset()


def test_the_same_plan_has_the_same_fingerprint_and_another_plan_another() -> None:
    plan = Roster(SHIFTS, frozenset(WEEKLY))
    again = Roster(tuple(reversed(SHIFTS)), frozenset(reversed(WEEKLY)))
    assert plan.fingerprint() == again.fingerprint()
    others = [plan.since(FRIDAY), week(WEEKLY[1:]), week(WEEKLY, [*SHIFTS, Shift("sore", "12:00", "13:00")]),
              Roster(SHIFTS, frozenset(WEEKLY), frozenset({DayDuty("op01", "pagi", FRIDAY)}))]
    assert len({other.fingerprint() for other in others}) == 4
    assert 0 <= plan.fingerprint() < 10**9


# clocks that are set

BERLIN, HAVANA, APIA = ZoneInfo("Europe/Berlin"), ZoneInfo("America/Havana"), ZoneInfo("Pacific/Apia")
HALVES = (Shift("a", "22:00", "02:30"), Shift("b", "02:30", "22:00"))
EVERY_DAY = [Duty(f"op-{shift}", shift, day) for shift in "ab" for day in range(7)]


def test_in_an_hour_that_clocks_repeat_the_shift_changes_once() -> None:
    starts = datetime(2026, 10, 24, 23, 0, tzinfo=UTC)                     # 01:00 in Berlin, 02:00 again two hours on
    seen = [who_is_on(week(EVERY_DAY, HALVES), starts + timedelta(minutes=minute), BERLIN) for minute in range(240)]
    assert seen == [{"op-a"}] * 90 + [{"op-b"}] * 150


def test_a_shift_that_begins_in_an_hour_that_clocks_leave_out_begins_when_they_are_set() -> None:
    starts = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)                       # 01:00 in Berlin; 02:00 becomes 03:00
    seen = [who_is_on(week(EVERY_DAY, HALVES), starts + timedelta(minutes=minute), BERLIN) for minute in range(120)]
    assert seen == [{"op-a"}] * 60 + [{"op-b"}] * 60


ZONES = [JAKARTA, BERLIN, HAVANA, APIA, ZoneInfo("Asia/Kathmandu"), ZoneInfo("Australia/Lord_Howe")]
SETTINGS = [datetime(2026, 10, 25, tzinfo=UTC), datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC),
            datetime(2026, 3, 8, tzinfo=UTC), datetime(2011, 12, 30, tzinfo=UTC), datetime(2026, 4, 5, tzinfo=UTC)]


@given(st.sampled_from(ZONES), st.sampled_from(SETTINGS), st.integers(-3 * 1440, 3 * 1440),
       st.lists(st.integers(0, 1439), min_size=1, max_size=4, unique=True))
def test_shifts_that_follow_one_another_always_have_exactly_one_on(
    zone: ZoneInfo, near: datetime, minutes: int, edges: list[int]
) -> None:
    walls = [f"{edge // 60:02}:{edge % 60:02}" for edge in sorted(edges)]
    shifts = [Shift(f"s{n}", wall, walls[(n + 1) % len(walls)]) for n, wall in enumerate(walls)]
    duties = [Duty(f"op-{shift.code}", shift.code, weekday) for shift in shifts for weekday in range(7)]
    assert len(who_is_on(week(duties, shifts), near + timedelta(minutes=minutes), zone)) == 1


# stretches

dated = st.lists(st.builds(DayDuty, st.sampled_from(["op01", "op04"]), st.sampled_from(["a", "b"]),
                           st.integers(0, 9).map(lambda days: date(2026, 11, 21) + timedelta(days))), max_size=4)


@given(patterns, dated, walls, walls, walls, walls)
def test_stretches_say_what_every_minute_says(
    duties: list[Duty], days: list[DayDuty], a_starts: str, a_ends: str, b_starts: str, b_ends: str
) -> None:
    shifts = (Shift("a", a_starts, a_ends), Shift("b", b_starts, b_ends))
    plan = Roster(shifts, frozenset(duties), frozenset(days))
    naive = MONDAY.replace(tzinfo=None)
    found = spans(plan, naive, naive + timedelta(days=7))
    assert [found[0].starts, found[-1].ends] == [naive, naive + timedelta(days=7)]
    assert all(one.ends == other.starts and one.operators != other.operators for one, other in pairwise(found))
    for minute in EVERY_MINUTE[7::45]:
        span = next(span for span in found if span.starts <= minute.replace(tzinfo=None) < span.ends)
        assert span.operators == who_is_on(plan, minute, JAKARTA)
