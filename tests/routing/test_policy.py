"""Who answers whom: the table of the policy, and what is true of every queue and every set of desks."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.policy import ANY, Free, Waiting, in_order, match

WIDEN_AFTER = 15.0
NOW = 1000.0
TOPICS = ("fire", "medical", "police", "social")

ids = st.text("abcdef", min_size=1, max_size=3)
queues = st.lists(
    st.builds(
        Waiting, ids, st.sampled_from((*TOPICS, ANY)), st.floats(NOW - 60, NOW), st.integers(0, 2)
    ),
    unique_by=lambda waiting: waiting.call_id, max_size=8,
)  # fmt: skip
desks = st.lists(
    st.builds(Free, ids, st.frozensets(st.sampled_from(TOPICS)), st.floats(0, NOW)),
    unique_by=lambda free: free.name, max_size=8,
)  # fmt: skip


def waits(call: str, topic: str = ANY, since: float = NOW, priority: int = 0) -> Waiting:
    return Waiting(call, topic, since, priority)


def free(name: str, *skills: str, idle_since: float = 0.0) -> Free:
    return Free(name, frozenset(skills), idle_since)


TABLE = [
    ("nobody waits", [], [free("a")], []),
    ("nobody is free", [waits("x")], [], []),
    ("any desk for any topic", [waits("x")], [free("a")], [("x", "a")]),
    ("the desk with the skill", [waits("x", "fire")], [free("a"), free("b", "fire")], [("x", "b")]),
    ("no desk has the skill yet", [waits("x", "fire")], [free("a", "police")], []),
    ("after a while whoever is there", [waits("x", "fire", NOW - 15)], [free("a", "police")], [("x", "a")]),
    ("then still the skilled one first", [waits("x", "fire", NOW - 60)],
     [free("a", idle_since=1), free("b", "fire", idle_since=2)], [("x", "b")]),
    ("the longest idle", [waits("x")], [free("a", idle_since=2), free("b", idle_since=1)], [("x", "b")]),
    ("the longest wait first", [waits("x", since=9), waits("y", since=8)], [free("a")], [("y", "a")]),
    ("the higher priority first", [waits("x", since=1), waits("y", since=9, priority=1)], [free("a")],
     [("y", "a")]),
    ("who cannot be helped holds nobody up", [waits("x", "fire", NOW - 9), waits("y", "police")],
     [free("a", "police")], [("y", "a")]),
    ("two and two", [waits("x", "fire", 900), waits("y", since=901)],
     [free("a", "fire", idle_since=2), free("b", idle_since=1)], [("x", "a"), ("y", "b")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("waiting", "idle", "pairs"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_who_answers_whom(waiting: list[Waiting], idle: list[Free], pairs: list[tuple[str, str]]) -> None:
    assert match(waiting, idle, NOW, WIDEN_AFTER) == pairs


@given(queues, desks)
def test_no_caller_and_no_desk_is_given_twice(waiting: list[Waiting], idle: list[Free]) -> None:
    pairs = match(waiting, idle, NOW, WIDEN_AFTER)
    calls, names = [call for call, _ in pairs], [name for _, name in pairs]
    assert len(set(calls)) == len(calls)
    assert len(set(names)) == len(names)
    assert set(calls) <= {w.call_id for w in waiting}
    assert set(names) <= {f.name for f in idle}


@given(queues, desks)
def test_a_desk_stays_idle_only_if_nobody_left_may_have_it(waiting: list[Waiting], idle: list[Free]) -> None:
    pairs = dict(match(waiting, idle, NOW, WIDEN_AFTER))
    left = [f for f in idle if f.name not in pairs.values()]
    for call in (w for w in waiting if w.call_id not in pairs):
        assert call.topic != ANY or not left
        assert NOW - call.since < WIDEN_AFTER or not left
        assert not any(call.topic in f.skills for f in left)


@given(queues, desks)
def test_a_desk_without_the_skill_is_rung_only_for_any_topic_or_a_long_wait(
    waiting: list[Waiting], idle: list[Free]
) -> None:
    calls, names = {w.call_id: w for w in waiting}, {f.name: f for f in idle}
    for call_id, name in match(waiting, idle, NOW, WIDEN_AFTER):
        call = calls[call_id]
        assert call.topic == ANY or call.topic in names[name].skills or NOW - call.since >= WIDEN_AFTER


@given(queues, desks)
def test_pairs_come_in_the_order_of_the_queue(waiting: list[Waiting], idle: list[Free]) -> None:
    order = [w.call_id for w in in_order(waiting)]
    served = [order.index(call) for call, _ in match(waiting, idle, NOW, WIDEN_AFTER)]
    assert served == sorted(served)


@given(queues, desks)
def test_nobody_of_the_same_topic_is_overtaken(waiting: list[Waiting], idle: list[Free]) -> None:
    served = {call for call, _ in match(waiting, idle, NOW, WIDEN_AFTER)}
    order = in_order(waiting)
    for n, first in enumerate(order):
        for later in order[n + 1 :]:
            if first.topic == later.topic and later.call_id in served and later.since >= first.since:
                assert first.call_id in served


@given(queues, desks, st.randoms())
def test_the_order_in_which_they_are_listed_does_not_matter(
    waiting: list[Waiting], idle: list[Free], chance: "object"
) -> None:
    before = match(waiting, idle, NOW, WIDEN_AFTER)
    chance.shuffle(waiting)
    chance.shuffle(idle)
    assert match(waiting, idle, NOW, WIDEN_AFTER) == before


@given(queues)
def test_the_queue_is_ordered_by_priority_then_by_arrival(waiting: list[Waiting]) -> None:
    order = in_order(waiting)
    assert sorted(w.call_id for w in order) == sorted(w.call_id for w in waiting)
    for first, later in pairwise(order):
        assert (first.priority, -first.since) >= (later.priority, -later.since)


def test_no_wait_is_too_long_and_no_idleness_either() -> None:
    pairs = match([waits("x", "fire", since=0)], [free("a", idle_since=-1e9)], 1e9, WIDEN_AFTER)
    assert pairs == [("x", "a")]


def test_widening_at_once_means_any_desk_at_once() -> None:
    assert match([waits("x", "fire")], [free("a")], NOW, 0.0) == [("x", "a")]
