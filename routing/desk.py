"""routing: an operator's desk as the queue sees it: a phone, skills, a state that only steps of the table change."""
from dataclasses import dataclass

from routing.operators import OUT, Seat, State, step, why_not_free

#: Names of numbers outside begin so.
OUTSIDE = "outside-"


@dataclass(eq=False)
class Desk:
    """An operator's seat; or a reserve, for one call that waited too long (overflow.py). The Acd alone changes it."""

    name: str                       #: the operator's name, and that of their phone ("op01")
    skills: frozenset[str]
    state: State = OUT
    on_shift: bool = False
    device: str = "UNKNOWN"         #: Asterisk's device state of the phone
    idle_since: float = 0.0         #: UTC seconds, end of the last talk or log-in
    call_id: str | None = None      #: the call it is lent to; in wrap-up, the one that is being written down
    paused_for: str | None = None   #: why it is paused
    is_reserve: bool = False        #: it is there for one call that has waited too long, and gone after it
    outside: str | None = None      #: Asterisk's name of a number outside

    @property
    def is_outside(self) -> bool:
        """Whether it is a number outside; by its name, since after a restart nothing else is known of it."""
        return self.name.startswith(OUTSIDE)

    @property
    def endpoint(self) -> str:
        """Asterisk's name of the phone."""
        return self.outside or f"PJSIP/{self.name}"

    def why_not_free(self) -> str | None:
        """Why this desk gets no call now; None: it is free."""
        return why_not_free(Seat(self.state, self.on_shift, self.device))

    def enter(self, to: State) -> None:
        """Take a step of the table; an illegal one raises and changes nothing."""
        self.state = step(self.state, to)
