"""routing ◆ The states of an operator's desk, the only steps between them, and when a desk may be rung. Pure."""
from dataclasses import dataclass
from enum import StrEnum, auto


class State(StrEnum):
    """What we know of a desk; Asterisk's device state overrules it (see `why_not_free`)."""

    OUT = auto()            # not logged in
    READY = auto()
    OFFERED = auto()        # its phone rings with a call of ours
    TALKING = auto()
    WRAP_UP = auto()        # finishing the form
    PAUSED = auto()


OUT, READY, OFFERED, TALKING, WRAP_UP, PAUSED = State

STEPS: dict[State, frozenset[State]] = {
    OUT: frozenset({READY, TALKING}),                   # TALKING: a talk found alive after a restart
    READY: frozenset({OUT, OFFERED, TALKING, PAUSED}),
    OFFERED: frozenset({READY, TALKING, PAUSED, OUT}),
    TALKING: frozenset({WRAP_UP, PAUSED, OUT}),
    WRAP_UP: frozenset({READY, PAUSED, OUT}),
    PAUSED: frozenset({READY, OUT}),
}


class IllegalStep(Exception):
    """A step that the table does not know; nothing has changed."""


def step(now: State, to: State) -> State:
    """The state after the step; raises `IllegalStep` where the table has none."""
    if to not in STEPS[now]:
        raise IllegalStep(f"a desk cannot go from {now} to {to}; it can go to {', '.join(sorted(STEPS[now]))}")
    return to


#: Asterisk's device states in which a phone can be rung (documentation: "Device State").
RINGABLE = frozenset({"NOT_INUSE"})
#: Device states of a phone that is not there.
UNREACHABLE = frozenset({"UNAVAILABLE", "INVALID", "UNKNOWN"})


@dataclass(frozen=True, slots=True)
class Seat:
    """Everything that decides whether a desk may be rung."""

    state: State
    on_shift: bool
    device: str             #: Asterisk's device state of its phone


def why_not_free(seat: Seat) -> str | None:
    """Why the desk gets no call now, in words for a person; None: it is free. Of who says that they are ready, all that
    is in the way."""
    reasons = [] if seat.on_shift else ["not on shift"]
    if seat.state is READY:
        if seat.device in UNREACHABLE:
            reasons.append("phone not reachable")
        elif seat.device not in RINGABLE:
            reasons.append("phone in use")      # the way out may be ringing the same phone
    elif seat.on_shift:
        reasons.append("not logged in" if seat.state is OUT else str(seat.state))
    return ", ".join(reasons) or None


def after_device(state: State, device: str) -> State:
    """Plugging the phone in logs its operator in, ready; a phone that is gone logs them out.

    A desk that is in a call keeps its state: the call itself notices and decides.
    """
    if state in (OFFERED, TALKING):
        return state
    if device in UNREACHABLE:
        return OUT
    return READY if state is OUT else state
