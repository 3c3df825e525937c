"""calls: a live call: who is in it, where it stands, and the one inbox through which it hears of the world."""
import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from typing import Protocol

from calls.silence import Asked
from calls.stages import ARRIVED, ENDED, EXCHANGE, TALKING, Stage, step
from telephony.events import Event
from telephony.leg import Leg
from telephony.tasks import beside


class Notes(Protocol):
    """Where a call writes its journal; never awaited."""

    def note(self, kind: str, call_id: str | None = None, **facts: object) -> None: ...


@dataclass(eq=False)
class Call:
    """One caller's contact with 112, from the first ring to the end."""

    id: str                         #: Asterisk's unique id of the caller's channel; safe in file names
    caller: Leg
    number: str | None              #: E.164 where possible; what the network says, absent or false included
    arrived_at: datetime            #: when the call reached our trunk, UTC
    notes: Notes
    stage: Stage = ARRIVED
    topic: str = "any"
    priority: int = 0
    behind: float = 0.0             #: seconds that it stands behind equal calls: pranks of its number (calls/pranks.py)
    asked: Asked = field(default_factory=Asked)     #: what was done about the caller's silence (calls/vigil.py)
    desk: str | None = None         #: who has it, from the offer on
    others: list[Leg] = field(default_factory=list)
    bridge: str | None = None       #: id of the bridge that joins the legs
    has_bridge: bool = False        #: it is there (perhaps it is also if we were interrupted while it was made)
    overflowed: int = 0             #: steps that were taken because it waits too long (routing/overflow.py)
    picked_up_at: float = -inf      #: loop time at which the operator of the talk answered; long ago, if adopted
    cut_at: datetime | None = None  #: when its Asterisk died, or was started again, under it
    inbox: asyncio.Queue[tuple[Leg, Event]] = field(default_factory=asyncio.Queue)
    _look: Callable[[], None] = field(default=lambda: None, init=False)

    def enter(self, to: Stage, **facts: object) -> None:
        """Take a step of the table and note it; an illegal one raises and changes nothing."""
        self.stage = step(self.stage, to)
        self.notes.note(str(to), self.id, **facts)

    def enter_once(self, to: Stage, **facts: object) -> None:
        """As `enter`, unless the call stands there already."""
        if self.stage is not to:
            self.enter(to, **facts)

    def ends(self) -> None:
        """Enter the last stage, if it does not stand there already: the caller has gone, or the exchange cut it."""
        if self.cut_at is None:
            self.enter_once(ENDED, by="caller")
        else:
            self.enter_once(ENDED, by=EXCHANGE, ended_at=self.cut_at.isoformat())

    def is_over(self) -> bool:
        """The caller has gone and fewer than two others are left."""
        return self.caller.gone and sum(not leg.gone for leg in self.others) < 2

    def is_conversation(self) -> bool:
        """At least two parties talk to each other: nobody may tear them apart."""
        return self.stage is TALKING and sum(not leg.gone for leg in (self.caller, *self.others)) >= 2

    @asynccontextmanager
    async def until_over(self) -> AsyncIterator[None]:
        """Run the body until it ends or the call is over, whichever comes first; both end the block quietly.

        The end is a timeout set to *now*, so that cancelling stays the library's business.
        """
        loop = asyncio.get_running_loop()
        scope = asyncio.timeout(None)

        def look() -> None:
            if self.is_over() and not scope.expired():
                scope.reschedule(loop.time())
        try:
            async with beside(self._hear()), scope:
                self._look = look
                self.caller.on_gone(lambda: self._look())
                yield
        except TimeoutError:
            if not scope.expired():
                raise
        finally:
            self._look = lambda: None           # who goes after the end, goes unnoticed

    def joined_by(self, leg: Leg) -> None:
        """Another party: its going may end the call."""
        self.others.append(leg)
        leg.on_gone(lambda: self._look())

    async def _hear(self) -> None:
        while True:
            leg, event = await self.inbox.get()
            leg.take(event)
