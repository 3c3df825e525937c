"""What past pranks weigh: halved every day, forgotten after a week, and never more than thirty seconds."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.policy import Free, Waiting, in_order, match
from routing.pranks import AT_MOST, WEIGHED, Past, weigh

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)
DAY = timedelta(hours=24)

ages = st.integers(-24 * 3600, 9 * 24 * 3600).map(lambda seconds: timedelta(seconds=seconds))
past = st.builds(lambda age: Past("c", NOW - age, "op01"), ages)
pasts = st.lists(past, max_size=WEIGHED + 5)


def ago(*ages: timedelta) -> list[Past]:
    return [Past(f"c{n}", NOW - age, "op01") for n, age in enumerate(ages, 1)]


@pytest.mark.parametrize(("ages", "score", "behind"), [
    ([], 0.0, 0.0),
    ([timedelta(0)], 1.0, 10.0),
    ([DAY], 0.5, 5.0),
    ([2 * DAY], 0.25, 2.5),
    ([timedelta(0), DAY], 1.5, 15.0),
    ([timedelta(0)] * 3, 3.0, 30.0),
    ([timedelta(0)] * 12, 12.0, 30.0),
    ([6 * DAY], 0.016, 0.156),
    ([7 * DAY - timedelta(seconds=1)], 0.008, 0.078),
    ([7 * DAY], 0.0, 0.0),
    ([7 * DAY] * 12, 0.0, 0.0),
    ([-timedelta(hours=1)], 1.0, 10.0),
])  # fmt: skip
def test_pranks_fade(ages: list[timedelta], score: float, behind: float) -> None:
    weight = weigh(ago(*ages), NOW)
    assert (weight.score, weight.behind) == (score, behind)
    assert bool(weight.reasons) == bool(score)


def test_each_prank_that_counts_is_told_in_words() -> None:
    past = [*ago(5 * DAY, timedelta(minutes=3), timedelta(hours=3), 8 * DAY), Past("c9", NOW - DAY, None)]
    assert weigh(past, NOW).reasons == [
        "prank 3 min ago (call c2, judged by op01)",
        "prank 3 h ago (call c3, judged by op01)",
        "prank 24 h ago (call c9, judged by nobody known)",
        "prank 5 days ago (call c1, judged by op01)",
    ]


def test_so_many_are_weighed_and_no_more() -> None:
    assert len(weigh(ago(*[timedelta(0)] * 99), NOW).reasons) == WEIGHED


@settings(deadline=None)
@given(pasts, past)
def test_one_more_prank_never_weighs_less(past: list[Past], more: Past) -> None:
    before, after = weigh(past, NOW), weigh([*past, more], NOW)
    assert before.score <= after.score
    assert 0 <= before.behind <= after.behind <= AT_MOST


@settings(deadline=None)
@given(pasts, ages.map(abs))
def test_time_never_makes_it_heavier(past: list[Past], later: timedelta) -> None:
    now, then = weigh(past, NOW), weigh(past, NOW + later)
    assert (then.score, then.behind) <= (now.score, now.behind)


@settings(deadline=None)
@given(pasts)
def test_a_week_later_nothing_is_left(past: list[Past]) -> None:
    assert weigh(past, NOW + timedelta(days=8)).score == 0


calls = st.lists(
    st.builds(lambda n, since, priority, past: Waiting(str(n), "any", since, priority, weigh(past, NOW).behind),
              st.integers(0, 99), st.floats(0, 120), st.integers(0, 2), st.lists(past, max_size=4)),
    unique_by=lambda waiting: waiting.call_id, max_size=8,
)  # fmt: skip


@settings(deadline=None)
@given(calls)
def test_nobody_is_ever_more_than_thirty_seconds_behind_an_equal_call(waiting: list[Waiting]) -> None:
    order = in_order(waiting)
    for n, first in enumerate(order):
        for later in order[n + 1 :]:
            assert first.priority > later.priority or (
                first.priority == later.priority and first.since <= later.since + AT_MOST)


@settings(deadline=None)
@given(calls)
def test_a_higher_priority_is_served_first_whatever_the_past(waiting: list[Waiting]) -> None:
    assert [w.priority for w in in_order(waiting)] == sorted((w.priority for w in waiting), reverse=True)


@settings(deadline=None)
@given(calls)
def test_with_a_desk_for_everybody_everybody_is_answered(waiting: list[Waiting]) -> None:
    desks = [Free(f"op{n}", frozenset(), 0.0) for n in range(len(waiting))]
    assert {call for call, _ in match(waiting, desks, 120.0, 15.0)} == {w.call_id for w in waiting}
