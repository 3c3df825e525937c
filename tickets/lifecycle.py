"""tickets ◆ How far a ticket has come, and the only steps between. Pure.

A ticket that was forwarded is as far as the least advanced of its agencies; those that refused do not count
unless all did. So between FORWARDED and DONE it moves both ways: another agency may join at any time.
"""

from collections.abc import Iterable
from enum import StrEnum, auto

from tickets import forwarding, steps
from tickets.steps import IllegalStep

__all__ = ["STEPS", "IllegalStep", "Lifecycle", "derived", "reopened", "step"]


class Lifecycle(StrEnum):
    """The words stand in the database as they are."""

    DRAFT = auto()  #: opened by a call; no person has touched it yet
    OPEN = auto()  #: an operator works on it
    FORWARDED = auto()  #: at least one agency has not accepted yet
    ACCEPTED = auto()
    ON_THE_WAY = auto()
    DONE = auto()
    REFUSED = auto()  #: by every agency: another must be found
    CLOSED = auto()  #: nothing more is to be done; a person may reopen it


DRAFT, OPEN, FORWARDED, ACCEPTED, ON_THE_WAY, DONE, REFUSED, CLOSED = Lifecycle

_WITH_AGENCIES = frozenset({FORWARDED, ACCEPTED, ON_THE_WAY, DONE, REFUSED})

STEPS: dict[Lifecycle, frozenset[Lifecycle]] = {
    DRAFT: frozenset({OPEN, CLOSED}),
    OPEN: frozenset({FORWARDED, CLOSED}),
    FORWARDED: _WITH_AGENCIES - {FORWARDED},  # not closed: nothing verified stays unacknowledged
    ACCEPTED: _WITH_AGENCIES - {ACCEPTED} | {CLOSED},
    ON_THE_WAY: _WITH_AGENCIES - {ON_THE_WAY} | {CLOSED},
    DONE: _WITH_AGENCIES - {DONE} | {CLOSED},
    REFUSED: _WITH_AGENCIES - {REFUSED} | {CLOSED},
    CLOSED: _WITH_AGENCIES | {OPEN},  # reopened: as far as its agencies are, or open if there are none
}

#: what one forwarding's state makes of the ticket, least advanced first
_BY_FORWARDING: dict[forwarding.State, Lifecycle] = {
    forwarding.QUEUED: FORWARDED,
    forwarding.SENT: FORWARDED,
    forwarding.ACCEPTED: ACCEPTED,
    forwarding.ON_THE_WAY: ON_THE_WAY,
    forwarding.DONE: DONE,
}
_ADVANCE = [FORWARDED, ACCEPTED, ON_THE_WAY, DONE]


def step(now: Lifecycle, to: Lifecycle) -> Lifecycle:
    """The state after the step; raises IllegalStep where the table has none."""
    return steps.step("a ticket", STEPS, now, to)


def reopened(forwardings: Iterable[forwarding.State]) -> Lifecycle:
    """Where a ticket stands that is not closed any more."""
    states = list(forwardings)
    return derived(states) if states else OPEN


def derived(forwardings: Iterable[forwarding.State]) -> Lifecycle:
    """How far the ticket is, by its agencies; at least one forwarding. Raises ValueError without any."""
    states = list(forwardings)
    if not states:
        raise ValueError("nothing was forwarded, so nothing can be derived from it")
    counted = [_BY_FORWARDING[state] for state in states if state is not forwarding.REFUSED]
    return min(counted, key=_ADVANCE.index, default=REFUSED)
