"""calls ◆ The stages of a call, and the only steps between them. Pure: a table, and what can be read off it."""
from collections.abc import Iterable
from enum import StrEnum, auto


class Stage(StrEnum):
    """Where a call stands; the words stand in the journal as they are."""

    ARRIVED = auto()        # at our trunk, claimed by us, not answered yet
    MENU = auto()
    QUEUED = auto()
    OFFERED = auto()        # a desk's phone is ringing
    TALKING = auto()        # the desk has answered, not before
    HANDED_BACK = auto()    # the dialplan's own way out has the caller
    ENDED = auto()


ARRIVED, MENU, QUEUED, OFFERED, TALKING, HANDED_BACK, ENDED = Stage

STEPS: dict[Stage, frozenset[Stage]] = {
    ARRIVED: frozenset({MENU, QUEUED, HANDED_BACK, ENDED}),
    MENU: frozenset({QUEUED, HANDED_BACK, ENDED}),
    QUEUED: frozenset({OFFERED, HANDED_BACK, ENDED}),
    OFFERED: frozenset({QUEUED, TALKING, HANDED_BACK, ENDED}),
    TALKING: frozenset({QUEUED, ENDED}),        # never handed back: nobody tears a conversation
    HANDED_BACK: frozenset({QUEUED, ENDED}),    # we may take it again
    ENDED: frozenset(),
}


class IllegalStep(Exception):
    """A step that the table does not know; nothing has changed."""


def step(now: Stage, to: Stage) -> Stage:
    """The stage after the step; raises `IllegalStep` where the table has none."""
    if to not in STEPS[now]:
        legal = ", ".join(sorted(STEPS[now])) or "nothing"
        raise IllegalStep(f"a call cannot go from {now} to {to}; it can go to {legal}")
    return to


class Outcome(StrEnum):
    """What became of a call, computed from its path; the operator's verdict is the disposition, another field."""

    ANSWERED = "answered"
    ABANDONED = "abandoned"
    HANDED_BACK = "handed back"
    CUT = "cut by the exchange"


#: Who ended a call whose Asterisk died or was started again under it; as the note of the end says.
EXCHANGE = "exchange"


def outcome(path: Iterable[Stage], ended_by: object = None) -> Outcome:
    """What the path through the stages says: answered wins over handed back, that over abandoned. Over all of them wins
    that the exchange ended it: whatever was said by then, nobody had finished."""
    if ended_by == EXCHANGE:
        return Outcome.CUT
    seen = set(path)
    if TALKING in seen:
        return Outcome.ANSWERED
    return Outcome.HANDED_BACK if HANDED_BACK in seen else Outcome.ABANDONED
