"""What a roster must keep: nobody twice, never nobody; and what its refusals say."""

from datetime import date, timedelta

import pytest

from routing.roster import DayDuty, Duty, Roster, Shift
from routing.roster_rules import Given, Refused, ThinPlace, checked, proposed, thin_places
from routing.seed import DUTIES, OPERATORS, SHIFTS

TODAY = date(2026, 11, 22)
FRIDAY = date(2026, 12, 25)
SEED = Roster(SHIFTS, frozenset(DUTIES))
FULL = {DayDuty(name, shift, FRIDAY) for shift, names in {
    "pagi": ("op02", "op04"), "siang": ("op03", "op05"), "malam": ("op06", "op07")}.items() for name in names}


def rows(duties: object) -> Given:
    return {duty: f"row {row}" for row, duty in enumerate(sorted(duties, key=repr), 2)}


def warnings(given: Given, old: Roster = SEED) -> list[str]:
    return checked(old, proposed(old, given), given, TODAY)


def refusal(given: Given, old: Roster = SEED) -> list[str]:
    with pytest.raises(Refused) as refused:
        warnings(given, old)
    return str(refused.value).splitlines()


def without(*gone: Duty) -> Given:
    return rows(set(DUTIES) - set(gone))


def on(weekday: int, shift: str) -> list[Duty]:
    return [duty for duty in DUTIES if (duty.weekday, duty.shift) == (weekday, shift)]


def test_weekly_rows_replace_the_whole_week_and_dated_rows_those_days_alone() -> None:
    other = DayDuty("op01", "pagi", FRIDAY + timedelta(1))
    old = Roster(SHIFTS, frozenset(DUTIES), frozenset({DayDuty("op01", "pagi", FRIDAY), other}))
    dated = proposed(old, rows(FULL))
    assert (dated.weekly, dated.days) == (old.weekly, FULL | {other})
    weekly = proposed(old, rows({Duty("op01", "pagi", 0)}))
    assert (weekly.weekly, weekly.days) == ({Duty("op01", "pagi", 0)}, old.days)


def test_the_seed_has_neither_faults_nor_warnings() -> None:
    assert warnings(rows(DUTIES), Roster(SHIFTS, frozenset())) == []
    assert warnings(rows(FULL)) == []


def test_a_minute_with_nobody_is_refused_in_words() -> None:
    assert refusal(without(*on(2, "pagi"))) == ["Wednesday 07:00–15:00 nobody is on"]
    assert refusal(without(*on(6, "malam"))) == ["Sunday 23:00–07:00 nobody is on"]
    assert refusal(without(*on(2, "malam"), *on(3, "pagi"))) == ["Wednesday 23:00–15:00 nobody is on"]
    gone = [duty for weekday in range(2) for shift in SHIFTS for duty in on(weekday, shift.code)]
    assert refusal(without(*gone)) == ["Monday 07:00–Wednesday 07:00 nobody is on"]


def test_a_minute_with_one_seat_is_warned_of() -> None:
    gone, stays = on(2, "pagi")
    assert warnings(without(gone)) == [f"Wednesday 07:00–15:00 only {stays.operator} is on"]


def test_a_dated_day_is_looked_at_as_far_as_its_shifts_reach() -> None:
    assert refusal(rows(duty for duty in FULL if duty.shift != "malam")) == [
        "2026-12-25 (Friday) 23:00–07:00 nobody is on"]
    assert warnings(rows(FULL - {DayDuty("op07", "malam", FRIDAY)})) == [
        "2026-12-25 (Friday) 23:00–07:00 only op06 is on"]


def test_what_stood_there_before_does_not_hinder_a_day_that_has_nothing_to_do_with_it() -> None:
    thin = Roster(SHIFTS, frozenset(set(DUTIES) - set(on(2, "pagi"))))
    assert warnings(rows(FULL), thin) == []


def test_a_new_week_is_looked_at_on_days_that_differ_but_not_on_those_that_are_over() -> None:
    lonely = DayDuty("op01", "pagi", TODAY + timedelta(30))
    old = Roster(SHIFTS, frozenset(), frozenset({lonely, DayDuty("op01", "pagi", TODAY - timedelta(2))}))
    assert {line[:10] for line in refusal(rows(DUTIES), old)} == {"2026-12-22"}


OVERLAPPING = (Shift("day", "07:00", "15:00"), Shift("late", "14:00", "23:00"), Shift("night", "22:00", "08:00"),
               Shift("whole", "08:00", "08:00"))


@pytest.mark.parametrize(("why", "one", "other", "said"), [
    ("on one day", Duty("x", "day", 0), Duty("x", "late", 0),
     "row 3: x would be in late (Monday 14:00–23:00) and in day (Monday 07:00–15:00) (row 2) at the same time"),
    ("over midnight", Duty("x", "night", 0), Duty("x", "day", 1), "in night (Monday 22:00–08:00)"),
    ("over the end of the week", Duty("x", "night", 6), Duty("x", "day", 0), "in night (Sunday 22:00–08:00)"),
    ("a whole day and the next morning", Duty("x", "whole", 2), Duty("x", "day", 3), "whole (Wednesday 08:00–08:00)"),
    ("on a dated day", DayDuty("x", "day", FRIDAY), DayDuty("x", "late", FRIDAY), "in late (2026-12-25 14:00–23:00)"),
    ("between dated days", DayDuty("x", "night", FRIDAY), DayDuty("x", "day", FRIDAY + timedelta(1)), "12-26 07:00"),
    ("from a week's night into a dated day", Duty("x", "night", 3), DayDuty("x", "day", FRIDAY), "night (Thursday 22"),
    ("from a dated night into the week", DayDuty("x", "night", FRIDAY), Duty("x", "day", 5), "day (Saturday 07:00"),
], ids=lambda value: value if isinstance(value, str) and len(value) < 40 else "")
def test_nobody_is_in_two_shifts_at_one_moment(
    why: str, one: Duty | DayDuty, other: Duty | DayDuty, said: str
) -> None:
    base = {Duty("o", "whole", weekday) for weekday in range(7)} | {
        DayDuty("o", "whole", duty.day) for duty in (one, other) if isinstance(duty, DayDuty)}
    given = rows({one, other}) | dict.fromkeys(base, "row 99")
    assert any(said in line for line in refusal(given, Roster(OVERLAPPING, frozenset())))


def test_a_dated_row_is_blamed_for_what_it_does_to_the_week_that_stood_there() -> None:
    monday = date(2026, 12, 28)
    given = {DayDuty("op02", "pagi", monday): "row 2", DayDuty("op01", "pagi", monday): "row 3",
             DayDuty("op03", "siang", monday): "row 4", DayDuty("op05", "malam", monday): "row 5"}
    late = Roster((*SHIFTS[:2], Shift("malam", "23:00", "08:00")), SEED.weekly)
    assert refusal(given, late) == [
        "row 2: op02 would be in pagi (2026-12-28 07:00–15:00) and in malam (Sunday 23:00–08:00) at the same time"]


def test_shifts_that_meet_do_not_overlap() -> None:
    assert warnings(rows(DUTIES), Roster((Shift("malam", "23:00", "07:00"), *SHIFTS[:2]), frozenset())) == []


def test_the_thin_places_of_the_week_and_of_days_to_come_by_skill() -> None:
    assert thin_places(SEED, OPERATORS, TODAY) == []
    few = OPERATORS | dict.fromkeys(("op02", "op04", "op05", "op07", "op08"), ("fire",))
    found = thin_places(SEED, few, TODAY)
    assert ThinPlace("medical", "Monday 07:00–Tuesday 07:00", frozenset()) in found
    assert all(place.operators == frozenset() and place.skill not in (None, "fire") for place in found)
    days = frozenset({DayDuty("op03", "pagi", FRIDAY), DayDuty("op03", "pagi", TODAY - timedelta(9))})
    assert thin_places(Roster(SHIFTS, SEED.weekly, days), OPERATORS, TODAY) == [
        ThinPlace(None, "2026-12-25 (Friday) 07:00–15:00", frozenset({"op03"})),
        ThinPlace(None, "2026-12-25 (Friday) 15:00–07:00", frozenset()),
        *(ThinPlace(skill, f"2026-12-25 (Friday) {times}", frozenset()) for skill, times in [
            ("disaster", "15:00–07:00"), ("fire", "15:00–07:00"), ("information", "15:00–07:00"),
            ("medical", "07:00–2026-12-26 07:00"), ("police", "15:00–07:00"), ("social", "15:00–07:00")])]


def test_a_roster_without_shifts_is_thin_all_week() -> None:
    assert thin_places(Roster((), frozenset()), {}, TODAY) == [ThinPlace(None, "the whole week", frozenset())]
