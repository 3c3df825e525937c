"""Who is on: truth table, properties, and the seed roster proved minute by minute."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.roster import Duty, Shift, least_seats, who_is_on
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


def at(when: str) -> datetime:
    day, wall = when.split()
    weekday = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].index(day)
    return datetime.combine(date(2026, 11, 23) + timedelta(weekday), time.fromisoformat(wall), JAKARTA)


@pytest.mark.parametrize(("why", "shift", "weekday", "when", "on"), TABLE, ids=[row[0] for row in TABLE])
def test_who_is_on(why: str, shift: str, weekday: int, when: str, on: bool) -> None:
    duties = [Duty("op01", shift, weekday)]
    assert who_is_on(duties, SHIFTS, at(when), JAKARTA) == ({"op01"} if on else set())


def test_the_zone_of_the_regency_decides_and_not_that_of_the_moment() -> None:
    midnight_utc = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)  # Monday 07:00 in Jakarta, 09:00 in Jayapura
    duties = [Duty("op01", "pagi", 0), Duty("op02", "malam", 6)]
    assert who_is_on(duties, SHIFTS, midnight_utc, JAKARTA) == {"op01"}
    assert who_is_on(duties, SHIFTS, midnight_utc - timedelta(hours=1), JAKARTA) == {"op02"}
    assert who_is_on(duties, SHIFTS, midnight_utc - timedelta(hours=1), ZoneInfo("Asia/Jayapura")) == {"op01"}


def test_a_shift_that_ends_when_it_starts_lasts_a_day() -> None:
    whole = [Shift("whole", "08:00", "08:00")]
    assert who_is_on([Duty("op01", "whole", 0)], whole, at("Tue 07:59"), JAKARTA) == {"op01"}
    assert who_is_on([Duty("op01", "whole", 0)], whole, at("Tue 08:00"), JAKARTA) == set()


def test_a_naive_moment_a_wrong_time_and_an_unknown_shift_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        who_is_on([], SHIFTS, MONDAY.replace(tzinfo=None), JAKARTA)
    with pytest.raises(ValueError, match="'24:00' is no time of day; write it like 07:00"):
        who_is_on([], [Shift("late", "16:00", "24:00")], MONDAY, JAKARTA)
    with pytest.raises(ValueError, match="op01 has a duty in the shift 'sore'; there are only: pagi, siang"):
        who_is_on([Duty("op01", "sore", 0)], SHIFTS, MONDAY, JAKARTA)


def test_the_seed_has_two_seats_and_one_medical_in_every_minute_of_the_week() -> None:
    for minute in EVERY_MINUTE:
        on = who_is_on(DUTIES, SHIFTS, minute, JAKARTA)
        assert len(on) >= 2, minute
        assert on & MEDICAL, minute


def test_every_emergency_topic_of_the_seed_is_covered_in_every_shift() -> None:
    for topic in ("fire", "medical", "police", "disaster", "social", "information"):
        able = {name for name, skills in OPERATORS.items() if topic in skills}
        assert least_seats(DUTIES, SHIFTS, able).seats >= 1, topic
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
    assert str(least_seats(ill, SHIFTS)) == "1 on Monday at 07:00"
    assert str(least_seats([], SHIFTS)) == "0 on Monday at 00:00"


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
    found = least_seats(duties, shifts)
    counts = [len(who_is_on(duties, shifts, minute, JAKARTA)) for minute in EVERY_MINUTE[::15]]
    counts += [len(who_is_on(duties, shifts, minute, JAKARTA)) for minute in EVERY_MINUTE[14::15]]
    assert found.seats == min(counts)
    day = date(2026, 11, 23) + timedelta(found.weekday)
    there = datetime.combine(day, time.fromisoformat(found.at), JAKARTA)
    assert len(who_is_on(duties, shifts, there, JAKARTA)) == found.seats


@given(patterns, MOMENTS)
def test_a_week_later_the_same_people_are_on(duties: list[Duty], now: datetime) -> None:
    shifts = [Shift("a", "07:00", "15:00"), Shift("b", "23:00", "07:00")]
    assert who_is_on(duties, shifts, now, JAKARTA) == who_is_on(
        duties, shifts, now + timedelta(days=7), JAKARTA
    )
