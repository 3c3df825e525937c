"""tickets ◆ One ticket handed to one agency: its states, and whether it may be handed over at all. Pure."""

from dataclasses import dataclass
from enum import StrEnum, auto

from tickets import steps
from tickets.verification import A1, Verification


class State(StrEnum):
    """The words stand in the database as they are."""

    QUEUED = auto()  #: the message stands in the outbox
    SENT = auto()  #: the agency's machine took it
    ACCEPTED = auto()  #: a person there said so
    ON_THE_WAY = auto()
    DONE = auto()
    REFUSED = auto()


QUEUED, SENT, ACCEPTED, ON_THE_WAY, DONE, REFUSED = State

STEPS: dict[State, frozenset[State]] = {
    QUEUED: frozenset({SENT, ACCEPTED, REFUSED}),  # a quick agency answers before we noted that it was sent
    SENT: frozenset({ACCEPTED, REFUSED}),
    ACCEPTED: frozenset({ON_THE_WAY, DONE, REFUSED}),
    ON_THE_WAY: frozenset({DONE, REFUSED}),
    DONE: frozenset(),
    REFUSED: frozenset({QUEUED, ACCEPTED}),  # asked again, or thought better of it
}


@dataclass(frozen=True)
class Override:
    """Danger to life that cannot wait for A1: who answers for it, and why."""

    by: str
    why: str

    @property
    def is_complete(self) -> bool:
        """Both were really said."""
        return bool(self.by.strip() and self.why.strip())


def step(now: State, to: State) -> State:
    """The state after the step; raises IllegalStep where the table has none."""
    return steps.step("a forwarding", STEPS, now, to)


def why_not(verification: Verification, override: Override | None) -> str | None:
    """Why the ticket may not be forwarded, in words for the operator; None: it may."""
    if verification is A1 or (override is not None and override.is_complete):
        return None
    if override is not None:
        return "an override needs who answers for it and which danger could not wait"
    return f'the report stands at "{steps.spoken(verification)}", not A1; danger to life needs an override'


def unverified(verification: Verification, override: Override | None) -> bool:
    """Whether it goes out, or went out, on an override alone: to be said wherever the report is shown or sent."""
    return override is not None and verification is not A1
