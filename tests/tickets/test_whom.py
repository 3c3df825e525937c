"""Whom a ticket is proposed to: every rule that fits, the closest first."""

from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickets.whom import Matter, Rule, agencies_for, fits

NOON, NIGHT = time(12, 0), time(23, 30)
FIRE = Matter("emergency", "fire", "00.00.01", "00.00.01.0001")


@pytest.mark.parametrize(
    ("rule", "fitting"),
    [
        (Rule("a"), True),
        (Rule("a", topic="fire"), True),
        (Rule("a", topic="medical"), False),
        (Rule("a", service="emergency"), True),
        (Rule("a", service="elder"), False),
        (Rule("a", area="00.00.01"), True),
        (Rule("a", area="00.00.01.0001"), True),
        (Rule("a", area="00.00.01.0002"), False),
        (Rule("a", area="00.00.02"), False),
        (Rule("a", service="emergency", topic="fire", area="00.00.01.0001", starts="12:00", ends="13:00"), True),
        (Rule("a", service="emergency", topic="police", area="00.00.01.0001"), False),
    ],
)
def test_a_rule_fits_if_all_that_it_says_is_so(rule: Rule, fitting: bool) -> None:
    assert fits(rule, FIRE, NOON) is fitting


@pytest.mark.parametrize(
    ("starts", "ends", "at", "on"),
    [
        ("07:00", "15:00", "06:59", False), ("07:00", "15:00", "07:00", True), ("07:00", "15:00", "14:59", True),
        ("07:00", "15:00", "15:00", False), ("23:00", "07:00", "23:00", True), ("23:00", "07:00", "00:00", True),
        ("23:00", "07:00", "06:59", True), ("23:00", "07:00", "07:00", False), ("23:00", "07:00", "12:00", False),
        ("00:00", "00:00", "00:00", True), ("08:00", "08:00", "07:59", True), (None, None, "03:00", True),
    ],
)  # fmt: skip
def test_hours_are_wall_time_and_may_go_over_midnight(
    starts: str | None, ends: str | None, at: str, on: bool
) -> None:
    assert fits(Rule("a", starts=starts, ends=ends), FIRE, time.fromisoformat(at)) is on


def test_a_ticket_without_a_place_or_topic_fits_rules_that_want_none() -> None:
    bare = Matter("emergency", "any", None, None)
    rules = [Rule("a", topic="fire"), Rule("b", area="00.00.01"), Rule("c")]
    assert agencies_for(rules, bare, NOON) == ["c"]


def test_the_closest_stands_first_and_hides_nobody() -> None:
    rules = [
        Rule("regency", topic="fire"),
        Rule("everything"),
        Rule("village", area="00.00.01.0001"),
        Rule("subdistrict", topic="fire", area="00.00.01"),
        Rule("by-night", topic="fire", starts="22:00", ends="05:00"),
        Rule("also-regency", topic="fire"),
        Rule("service", service="emergency"),
    ]
    by_night = ["village", "subdistrict", "by-night", "also-regency", "regency", "service", "everything"]
    assert agencies_for(rules, FIRE, NIGHT) == by_night
    assert agencies_for(rules, FIRE, NOON) == [code for code in by_night if code != "by-night"]


hours = st.none() | st.tuples(*[st.times().map(lambda at: f"{at:%H:%M}")] * 2)
areas = st.sampled_from([None, "00.00.01", "00.00.01.0001", "00.00.02"])
rules = st.builds(
    lambda agency, service, topic, area, hours: Rule(agency, service, topic, area, *(hours or (None, None))),
    st.sampled_from("abcd"),
    st.sampled_from([None, "emergency", "elder"]),
    st.sampled_from([None, "fire", "medical"]),
    areas,
    hours,
)
matters = st.builds(
    Matter, st.sampled_from(["emergency", "elder"]), st.sampled_from(["fire", "medical", "any"]), areas, areas
)


@given(st.lists(rules, max_size=12), matters, st.times(), st.randoms())
def test_exactly_those_with_a_fitting_rule_are_proposed_once_whatever_the_rules_order(
    given: list[Rule], matter: Matter, at: time, luck: object
) -> None:
    found = agencies_for(given, matter, at)
    assert sorted(found) == sorted({rule.agency for rule in given if fits(rule, matter, at)})
    luck.shuffle(given)
    assert agencies_for(given, matter, at) == found


@given(st.lists(rules, max_size=8), rules, matters, st.times())
def test_one_more_rule_takes_nobody_away(given: list[Rule], more: Rule, matter: Matter, at: time) -> None:
    assert set(agencies_for(given, matter, at)) <= set(agencies_for([*given, more], matter, at))
