"""calls ◆ Whom nobody has answered is called back: the states of such a task, and the only steps between them. Pure.

A task stands for a number, not for a call: whoever calls twenty times in vain is called back once. It ends by itself
when the number calls again and is answered.
"""
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum, auto

from calls.stages import Outcome
from tickets import steps
from tickets.steps import IllegalStep


class State(StrEnum):
    """Where a call-back task stands; the words stand in the database as they are."""

    OPEN = auto()
    ASKED = auto()          # tried in vain, again and again: the supervisor decides
    CLEARED = auto()        # the number called again and was answered
    DONE = auto()           # we called and somebody was there
    GIVEN_UP = auto()       # the supervisor's word, with a reason


OPEN, ASKED, CLEARED, DONE, GIVEN_UP = State

STEPS: dict[State, frozenset[State]] = {
    OPEN: frozenset({ASKED, CLEARED, DONE}),
    ASKED: frozenset({OPEN, CLEARED, DONE, GIVEN_UP}),
    CLEARED: frozenset(),
    DONE: frozenset(),
    GIVEN_UP: frozenset(),
}

#: Those that somebody still has to do something about: one of them per number.
UNDONE = frozenset({OPEN, ASKED})
#: Every so many attempts in vain the supervisor is asked.
ASK_AFTER = 3
TRY_AGAIN_AFTER = timedelta(minutes=10)


@dataclass(frozen=True)
class Standing:
    """How far a task is."""

    state: State
    attempts: int                   #: times that somebody tried
    due_at: datetime | None         #: no sooner is another attempt asked for; None: none is


def wanted(outcome: Outcome, talked_for: float | None) -> bool:
    """Whether a call that ended like this is to be called back: nobody has talked to the caller, or their talk was cut.
    `talked_for`: seconds that somebody did while the dialplan had them; None or 0: nobody, or nobody knows."""
    return outcome in (Outcome.ABANDONED, Outcome.CUT) or (outcome is Outcome.HANDED_BACK and not talked_for)


def opened(now: datetime, *, has_number: bool) -> Standing:
    """A new task, due at once; without a number there is nobody to call, so the supervisor hears the recording and
    decides."""
    return Standing(OPEN, 0, now) if has_number else Standing(ASKED, 0, None)


def called_in_vain(was: Standing, now: datetime) -> Standing:
    """The number has called once more and nobody answered: somebody is there, so it is due at once, and nothing is left
    to decide."""
    return replace(was, state=OPEN if was.state is OPEN else step(was.state, OPEN), due_at=now)


def cleared(was: Standing) -> Standing:
    """The number has called and was answered. Raises IllegalStep."""
    return Standing(step(was.state, CLEARED), was.attempts, None)


def tried(was: Standing, reached: bool, now: datetime) -> Standing:
    """Somebody has called back. Raises IllegalStep for a task that waits for the supervisor, unless they were reached,
    and for one that is over."""
    attempts = was.attempts + 1
    if reached:
        return Standing(step(was.state, DONE), attempts, None)
    if was.state is ASKED:
        raise IllegalStep("nobody was reached so often that the supervisor decides: open again, or given up")
    if was.state is not OPEN:
        raise IllegalStep(f"a call-back that is {steps.spoken(was.state)} is not tried any more")
    if attempts % ASK_AFTER == 0:
        return Standing(step(was.state, ASKED), attempts, None)
    return Standing(OPEN, attempts, now + TRY_AGAIN_AFTER)


def decided(was: Standing, go_on: bool, now: datetime) -> Standing:
    """The supervisor's word. Raises IllegalStep for a task that did not ask for it."""
    if was.state is not ASKED:
        raise IllegalStep(f"a call-back that is {steps.spoken(was.state)} asks for no decision")
    return Standing(step(was.state, OPEN), was.attempts, now) if go_on else Standing(
        step(was.state, GIVEN_UP), was.attempts, None)


def step(now: State, to: State) -> State:
    """The state after the step; raises `IllegalStep` where the table has none."""
    return steps.step("a call-back", STEPS, now, to)
