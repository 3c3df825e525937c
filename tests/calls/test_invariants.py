"""What must always be true of the centre: what is seen of a breach, and what is not taken for one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from calls.invariants import Breach, CallSeen, Cure, DeskSeen, Picture, Rule, at_once, breaches
from calls.stages import ARRIVED, ENDED, HANDED_BACK, MENU, OFFERED, QUEUED, TALKING, Stage
from routing import operators
from routing.operators import PAUSED, READY, WRAP_UP

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)
WAITS = CallSeen("c1", QUEUED, NOW, owned=True, legs=frozenset({"c1"}))
RINGS = replace(WAITS, stage=OFFERED, desk="op01", bridge="c1-bridge", legs=frozenset({"c1", "c1-op01-00000000"}))
TALKS = replace(RINGS, stage=TALKING, conversation=True)
NONE = Picture()


def desk(state: operators.State, call_id: str | None = None, name: str = "op01") -> DeskSeen:
    return DeskSeen(name, state, call_id)


def standing(now: Picture) -> list[Breach]:
    """What two looks see, with nothing changed between them."""
    return breaches(now, now)


WAITING = Picture((WAITS,), (desk(READY),), {"c1": NOW.timestamp()}, frozenset())
RINGING = Picture((RINGS,), (desk(operators.OFFERED, "c1"),), {}, frozenset({"c1-bridge"}))
IN_TALK = Picture((TALKS,), (desk(operators.TALKING, "c1"),), {}, frozenset({"c1-bridge"}))


@pytest.mark.parametrize("picture", [
    NONE, WAITING, RINGING, IN_TALK,
    Picture((replace(WAITS, stage=MENU),), (desk(WRAP_UP),)),
    Picture((replace(WAITS, stage=HANDED_BACK),), (desk(PAUSED),)),
    Picture((replace(WAITS, leaving=True),)),                               # its story goes out of the queue, slowly
    Picture((replace(RINGS, stage=QUEUED, desk=None),), (desk(operators.OFFERED, "c1"),)),      # just paired
    Picture((replace(TALKS, conversation=False),), (desk(PAUSED),)),        # the desk was lost
    replace(WAITING, bridges=None),
], ids=repr)  # fmt: skip
def test_nothing_is_broken_while_a_call_goes_its_way(picture: Picture) -> None:
    assert standing(picture) == []


@pytest.mark.parametrize(("picture", "rule", "cure"), [
    (Picture((replace(TALKS, owned=False),), IN_TALK.desks), Rule.OWNER, Cure.FORGET),
    (Picture((replace(WAITS, stage=ENDED, owned=False),)), Rule.OWNER, Cure.FORGET),
    (Picture((), (desk(operators.OFFERED, "c1"),)), Rule.OPERATOR, Cure.FREE),
    (Picture((), (desk(operators.TALKING),)), Rule.OPERATOR, Cure.FREE),
    (Picture((replace(WAITS, stage=ARRIVED),), (desk(operators.OFFERED, "c1"),)), Rule.STATE, None),
    (Picture((replace(WAITS, stage=ENDED),), (desk(operators.TALKING, "c1"),)), Rule.STATE, None),
    (Picture((WAITS,), (desk(READY),)), Rule.STATE, None),
    (Picture((replace(RINGS, desk=None),), (desk(READY),)), Rule.STATE, None),
    (Picture((TALKS,), (desk(READY),)), Rule.STATE, None),
    (Picture(bridges=frozenset({"c1-bridge"})), Rule.BRIDGE, None),
], ids=repr)  # fmt: skip
def test_what_may_be_on_its_way_is_broken_when_two_looks_see_it(
    picture: Picture, rule: Rule, cure: Cure | None
) -> None:
    assert at_once(picture, NONE) == []
    assert breaches(picture, NONE) == []
    assert breaches(NONE, picture) == []
    assert [(breach.rule, breach.cure) for breach in standing(picture)] == [(rule, cure)]


def second(call: CallSeen, **changes: object) -> CallSeen:
    """Another call like this one, and nothing of the first one's but what is given."""
    return replace(call, **{"id": "c2", "desk": None, "bridge": None, "legs": frozenset({"c2"}), **changes})


@pytest.mark.parametrize(("calls", "rule"), [
    ((TALKS, second(RINGS, desk="op01")), Rule.OPERATOR),
    ((TALKS, second(TALKS, bridge="c1-bridge")), Rule.BRIDGE),
    ((TALKS, second(TALKS, legs=frozenset({"c2", "c1-op01-00000000"}))), Rule.OWNER),
], ids=repr)  # fmt: skip
def test_what_two_calls_share_is_broken_at_once(calls: tuple[CallSeen, ...], rule: Rule) -> None:
    assert [breach.rule for breach in at_once(Picture(calls), NONE)] == [rule]


def test_whoever_left_is_not_in_the_queue() -> None:
    waits = {"c1": NOW.timestamp()}
    assert [breach.cure for breach in at_once(Picture((), (), waits), NONE)] == [Cure.LEAVE]


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not QUEUED])
def test_only_who_is_queued_is_in_the_queue(stage: Stage) -> None:
    waits = {"c1": NOW.timestamp()}
    found = at_once(Picture((replace(WAITS, stage=stage),), (), waits), NONE)
    assert [(breach.rule, breach.cure) for breach in found] == [(Rule.STATE, None)]


def test_a_wait_counts_from_the_arrival_and_never_runs_backwards() -> None:
    later = NOW + timedelta(seconds=1)
    assert [b.rule for b in at_once(replace(WAITING, queue={"c1": later.timestamp()}), NONE)] == [Rule.CLOCK]
    moved = Picture((replace(WAITS, arrived_at=later),), (), {"c1": later.timestamp()})
    assert [b.rule for b in at_once(moved, WAITING)] == [Rule.CLOCK]
    assert at_once(WAITING, moved) == []
