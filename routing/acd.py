"""routing: the shell round `policy`: it owns the queue and lends desks out. It awaits, it never decides."""
import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Protocol

from routing import operators, policy
from routing.desk import Desk
from routing.operators import OFFERED, OUT, PAUSED, READY, TALKING, WRAP_UP


class Queued(Protocol):
    """What the queue must know of a call."""

    id: str
    topic: str
    priority: int
    arrived_at: datetime
    behind: float           #: seconds that it stands behind equal calls
    desk: str | None

    def is_conversation(self) -> bool: ...


class Loan:
    """A desk held for one call. `desk()` waits for it; what became of it is told before the loan ends."""

    def __init__(self, acd: "Acd", call: Queued) -> None:
        self._acd = acd
        self._call = call
        self.held: Desk | None = None

    async def desk(self) -> Desk:
        """Wait, for as long as it takes, until a desk is there for the call."""
        if self.held is None:
            self.held = await self._acd.wait(self._call)
            self._call.desk = self.held.name
        return self.held


class Acd:
    """The queue of callers and the desks of the centre.

    `wrap_up_for`, `widen_after`: seconds; `widen_after_for`: those of a topic that has its own. `on_change` is told of
    every change of a desk, after it.
    """

    def __init__(self, desks: Iterable[Desk], *, wrap_up_for: float, widen_after: float,
                 on_change: Callable[[Desk], None] = lambda desk: None,
                 now: Callable[[], float] = time.time,
                 widen_after_for: Callable[[str], float | None] = lambda topic: None) -> None:
        self.desks = {desk.name: desk for desk in desks}
        self._devices: dict[str, str] = {}      # of all phones that Asterisk spoke of, also before their desk is there
        self._waiting: dict[str, tuple[policy.Waiting, asyncio.Future[Desk]]] = {}
        self._wrap_up_for, self._widen_after = wrap_up_for, widen_after
        self._on_change, self._now, self._widen_after_for = on_change, now, widen_after_for
        self._wrap_ups: dict[str, asyncio.TimerHandle] = {}

    # --- callers

    @asynccontextmanager
    async def desk_for(self, call: Queued) -> AsyncIterator[Loan]:
        """A loan: whatever happens in the body, the desk comes back, unless its operator goes on talking to the caller
        (we are being stopped, or failed): then it is theirs until the talk is taken up again. An adopted talk already
        has its own desk.
        """
        loan = Loan(self, call)
        try:
            if call.desk is not None:
                loan.held = self._take_over(call.desk, call.id)
            yield loan
        finally:
            call.desk = None
            if loan.held is not None and not call.is_conversation():
                self._comes_back(loan.held)

    async def wait(self, call: Queued) -> Desk:
        """The desk that the policy gives the call; it is OFFERED and the call's from then on."""
        loop = asyncio.get_running_loop()
        offer: asyncio.Future[Desk] = loop.create_future()
        waiting = self._seen(call)
        self._waiting[call.id] = (waiting, offer)
        limit = self._widen_after if waiting.widen_after is None else waiting.widen_after
        widening = loop.call_later(max(0.0, limit - self.waited(call)) + 0.001, self.pair)
        self.pair()
        try:
            return await offer
        except asyncio.CancelledError:
            if offer.done() and not offer.cancelled():      # paired in the very tick the caller left
                self._comes_back(offer.result())
            raise
        finally:
            widening.cancel()
            self._waiting.pop(call.id, None)

    def pair(self) -> None:
        """Give every desk that is free to whom the policy names.

        A caller whose wait was cancelled in this very tick is still listed, but takes no desk any more.
        """
        free = [policy.Free(d.name, d.skills, d.idle_since) for d in self.desks.values() if d.why_not_free() is None]
        waiting = (waiting for waiting, offer in self._waiting.values() if not offer.done())
        for call_id, name in policy.match(waiting, free, self._now(), self._widen_after):
            _, offer = self._waiting.pop(call_id)
            self._enter(self.desks[name], OFFERED, call_id)
            offer.set_result(self.desks[name])

    def lends(self, desk: Desk, call_id: str) -> bool:
        """A reserve has answered for a caller who waits; False: they do not wait any more, somebody was quicker."""
        _, offer = self._waiting.get(call_id, (None, None))
        if offer is None or offer.done() or desk.name in self.desks:
            return False
        del self._waiting[call_id]
        self.desks[desk.name] = desk
        self._enter(desk, OFFERED, call_id)
        offer.set_result(desk)
        return True

    def waited(self, call: Queued) -> float:
        """Seconds since its arrival."""
        return self._now() - call.arrived_at.timestamp()

    def moves(self, call: Queued) -> None:
        """What orders the queue has changed for a call: its place too, if it still waits."""
        if (found := self._waiting.get(call.id)) is not None:
            self._waiting[call.id] = (self._seen(call), found[1])
            self.pair()

    def queue(self) -> list[policy.Waiting]:
        """Who waits, in the order of service."""
        return policy.in_order(waiting for waiting, _ in self._waiting.values())

    def forgets(self, call_id: str) -> None:
        """A call that is gone, and was never taken out of the queue, waits no more."""
        if call_id in self._waiting:
            _, offer = self._waiting.pop(call_id)
            offer.cancel()

    def is_staffed(self) -> bool:
        """Whether anybody on shift can be rung, now or when they are done with what they do."""
        return any(desk.on_shift and desk.state not in (OUT, PAUSED) for desk in self.desks.values())

    def place(self, call_id: str) -> int:
        """A call's place in the queue, from 1; a call that is being offered is first."""
        return next((n for n, w in enumerate(self.queue(), 1) if w.call_id == call_id), 1)

    def stops(self) -> None:
        """Nobody is made ready by the clock any more: who is in wrap-up now, the next process sees as they are then."""
        for timer in self._wrap_ups.values():
            timer.cancel()
        self._wrap_ups.clear()

    # --- desks

    def talks(self, desk: Desk) -> None:
        """The desk that was rung has answered."""
        self._enter(desk, TALKING, desk.call_id)

    def rests(self, desk: Desk, why: str) -> None:
        """The desk did not answer, or was lost in mid-talk: paused until somebody says that it is ready again."""
        self._enter(desk, PAUSED, why=why)

    def frees(self, name: str) -> None:
        """The call that the desk is lent to is gone, and the loan never ended: as if it ended now."""
        self._comes_back(self.desks[name])

    def ready(self, name: str) -> None:
        """Log in, end a pause or end the wrap-up; the desk is idle from now on. `IllegalStep` if it is in a call."""
        desk = self.desks[name]
        self._not_in_a_call(desk)
        self._enter(desk, READY)
        desk.idle_since = self._now()
        self._on_change(desk)
        self.pair()

    def wrapped_up(self, name: str) -> None:
        """The form is finished before its time is over. `IllegalStep` if the desk is not in wrap-up."""
        desk = self.desks[name]
        if desk.state is not WRAP_UP:
            raise operators.IllegalStep(f"{name} is not in wrap-up ({desk.state}); there is nothing to end")
        self._wraps_up(desk)

    def pause(self, name: str, why: str) -> None:
        """No calls for this desk until it is ready again; raises `operators.IllegalStep` if it is in a call."""
        self._not_in_a_call(self.desks[name])
        self.rests(self.desks[name], why)

    def device(self, name: str, state: str) -> None:
        """Asterisk says what the phone is doing: a phone that comes logs its operator in, one that goes out."""
        self._devices[name] = state
        if (desk := self.desks.get(name)) is None or desk.device == state:
            return
        desk.device = state
        after = operators.after_device(desk.state, state)
        if after is READY and desk.state is OUT:
            self.ready(name)
            return
        if after is not desk.state:
            self._enter(desk, after)
        self._on_change(desk)
        self.pair()

    def device_of(self, name: str) -> str:
        """Asterisk's state of a phone, whoever's it is."""
        return self._devices.get(name, "UNKNOWN")

    def on_shift(self, names: set[str]) -> None:
        """The roster says who is on shift now."""
        for desk in self.desks.values():
            if desk.on_shift != (desk.name in names):
                desk.on_shift = desk.name in names
                self._on_change(desk)
        self.pair()

    def trained(self, skills: Mapping[str, Iterable[str]]) -> None:
        """The operators there are, by name, and what each can do now. Who is new gets a desk, and is logged in if their
        phone is there; who has left loses theirs, when the call they are in is over."""
        for desk in [desk for desk in self.desks.values() if desk.name not in skills]:
            if desk.state not in (OFFERED, TALKING):
                self._enter(desk, OUT)
                del self.desks[desk.name]
        for name, known in skills.items():
            is_new, desk = name not in self.desks, self._desk(name)
            desk.is_reserve = False
            if desk.skills != (now := frozenset(known)):
                desk.skills = now
                self._on_change(desk)
            if is_new and operators.after_device(OUT, desk.device) is READY:
                self.ready(name)
        self.pair()

    def _desk(self, name: str) -> Desk:
        """The operator's; made if there is none."""
        return self.desks.setdefault(name, Desk(name, frozenset(), device=self.device_of(name)))

    @staticmethod
    def _not_in_a_call(desk: Desk) -> None:
        if desk.state in (OFFERED, TALKING):
            raise operators.IllegalStep(f"{desk.name} is in a call ({desk.state}); wait until it is over")

    def _take_over(self, name: str, call_id: str) -> Desk:
        """The desk of a talk that goes on; of somebody who is not among our operators, until it is over."""
        if name not in self.desks:
            self.desks[name] = Desk(name, frozenset(), device=self.device_of(name), is_reserve=True)
        desk = self.desks[name]
        if desk.state in (WRAP_UP, PAUSED):
            self._enter(desk, READY)
        self._enter(desk, TALKING, call_id)
        return desk

    def _comes_back(self, desk: Desk) -> None:
        if desk.is_reserve:                                 # its one call is over
            self._enter(desk, OUT)
            self.desks.pop(desk.name, None)
        elif desk.state is OFFERED:                         # the caller left while it rang: it keeps its idle time
            self._enter(desk, operators.after_device(READY, desk.device))
            self.pair()
        elif desk.state is TALKING:
            self._enter(desk, WRAP_UP, desk.call_id)
            self._wrap_ups[desk.name] = asyncio.get_running_loop().call_later(self._wrap_up_for, self._wraps_up, desk)

    def _wraps_up(self, desk: Desk) -> None:
        if operators.after_device(READY, desk.device) is OUT:
            self._enter(desk, OUT)
        else:
            self.ready(desk.name)

    def _enter(self, desk: Desk, to: operators.State, call_id: str | None = None, why: str | None = None) -> None:
        if (timer := self._wrap_ups.pop(desk.name, None)) is not None:
            timer.cancel()
        if desk.state is not to:
            desk.enter(to)
        desk.call_id, desk.paused_for = call_id, why
        self._on_change(desk)

    def _seen(self, call: Queued) -> policy.Waiting:
        return policy.Waiting(call.id, call.topic, call.arrived_at.timestamp(), call.priority, call.behind,
                              self._widen_after_for(call.topic))
