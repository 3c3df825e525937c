"""The states of a desk: their steps, what a phone's coming and going does, and when a desk may be rung."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.operators import (
    OFFERED,
    OUT,
    PAUSED,
    READY,
    RINGABLE,
    STEPS,
    TALKING,
    UNREACHABLE,
    WRAP_UP,
    IllegalStep,
    Seat,
    State,
    after_device,
    step,
    why_not_free,
)

#: Asterisk's documentation: "Device State"
DEVICES = ("UNKNOWN", "NOT_INUSE", "INUSE", "BUSY", "INVALID", "UNAVAILABLE", "RINGING", "RINGINUSE", "ONHOLD")


@pytest.mark.parametrize(("now", "to"), [(now, to) for now in State for to in State])
def test_a_step_is_taken_if_and_only_if_the_table_has_it(now: State, to: State) -> None:
    if to in STEPS[now]:
        assert step(now, to) is to
        return
    with pytest.raises(IllegalStep, match=f"cannot go from {now} to {to}"):
        step(now, to)


def test_only_a_ready_desk_is_offered_a_call() -> None:
    assert {now for now in State if OFFERED in STEPS[now]} == {READY}


@pytest.mark.parametrize("now", State)
def test_whatever_a_desk_does_its_phone_may_go(now: State) -> None:
    assert now is OUT or OUT in STEPS[now]


@pytest.mark.parametrize("now", State)
def test_every_desk_can_become_ready_again(now: State) -> None:
    seen, edge = {now}, {now}
    while edge := {to for state in edge for to in STEPS[state]} - seen:
        seen |= edge
    assert READY in seen


SEATS = [
    ("free", Seat(READY, True, "NOT_INUSE"), None),
    ("not on shift", Seat(READY, False, "NOT_INUSE"), "not on shift"),
    ("not logged in", Seat(OUT, True, "NOT_INUSE"), "not logged in"),
    ("being rung", Seat(OFFERED, True, "RINGING"), "offered"),
    ("talking", Seat(TALKING, True, "INUSE"), "talking"),
    ("writing", Seat(WRAP_UP, True, "NOT_INUSE"), "wrap_up"),
    ("resting", Seat(PAUSED, True, "NOT_INUSE"), "paused"),
    ("phone unplugged", Seat(READY, True, "UNAVAILABLE"), "phone not reachable"),
    ("ready at home, phone unplugged", Seat(READY, False, "UNAVAILABLE"), "not on shift, phone not reachable"),
    ("phone never seen", Seat(READY, True, "UNKNOWN"), "phone not reachable"),
    ("the way out rings the phone", Seat(READY, True, "RINGING"), "phone in use"),
    ("a private call", Seat(READY, True, "INUSE"), "phone in use"),
    ("on hold", Seat(READY, True, "ONHOLD"), "phone in use"),
]


@pytest.mark.parametrize(("seat", "why"), [row[1:] for row in SEATS], ids=[row[0] for row in SEATS])
def test_why_a_desk_gets_no_call(seat: Seat, why: str | None) -> None:
    assert why_not_free(seat) == why


@given(st.builds(Seat, st.sampled_from(State), st.booleans(), st.sampled_from(DEVICES) | st.text()))
def test_a_desk_is_free_if_and_only_if_roster_login_and_phone_all_say_so(seat: Seat) -> None:
    free = seat.on_shift and seat.state is READY and seat.device == "NOT_INUSE"
    assert (why_not_free(seat) is None) == free


def test_no_phone_can_be_rung_that_is_not_there() -> None:
    assert not RINGABLE & UNREACHABLE


@given(st.sampled_from(State), st.sampled_from(DEVICES))
def test_what_the_phone_does_never_asks_for_a_step_that_the_table_does_not_know(
    state: State, device: str
) -> None:
    after = after_device(state, device)
    assert after is state or after in STEPS[state]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("state", [OFFERED, TALKING])
def test_a_desk_in_a_call_is_the_calls_business(state: State, device: str) -> None:
    assert after_device(state, device) is state


@pytest.mark.parametrize("state", [OUT, READY, WRAP_UP, PAUSED])
def test_a_phone_that_is_gone_logs_its_operator_out(state: State) -> None:
    assert {after_device(state, device) for device in UNREACHABLE} == {OUT}


def test_a_phone_that_comes_logs_its_operator_in_but_ends_no_pause() -> None:
    assert after_device(OUT, "NOT_INUSE") is READY
    assert after_device(PAUSED, "NOT_INUSE") is PAUSED
    assert after_device(WRAP_UP, "NOT_INUSE") is WRAP_UP
