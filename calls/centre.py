"""calls: the centre: claims calls, opens them, and holds what every call needs (queue, menu, legs, journal).

Each method that a call awaits ends quietly when a party has just hung up; a fault of ours is raised, and the call
goes back to the dialplan (`let_go`).
"""
import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol
from uuid import uuid4

from calls import adopt, lost, pranks, vigil
from calls.call import Call, Notes
from calls.comfort import comforted, spoken_place
from calls.silence import Times
from calls.stages import ENDED, HANDED_BACK, QUEUED, TALKING, Stage
from ivr.menu import Menu
from routing.acd import Acd
from routing.desk import Desk
from telephony import events, numbers
from telephony.ari_operations import AriError
from telephony.leg import Leg
from telephony.tasks import beside

log = logging.getLogger(__name__)

#: Seconds from our claim to the call's coming to us, at most.
_OPEN_WITHIN = 3.0
#: Seconds between looks at what no event tells.
_LOOK_EVERY = 1.0
#: Seconds before each further attempt at a command that clears up.
_PAUSES = (0.2, 0.5, 1.0, 2.0, 2.0)


@dataclass(frozen=True)
class Rules:
    """Times of the service, in seconds; settings of the administrator's."""

    claim_within: float = 0.8       #: the dialplan waits so long for a claim
    offer_for: float = 15.0         #: an unanswered phone is passed over
    ring_within: float = 2.0        #: a phone that does not even ring is passed over
    tell_place_every: float = 30.0
    deserted_for: float = 20.0      #: so long without anybody who can be rung, and the waiting go the way out
    silence: Times = field(default_factory=Times)   #: when a caller who waits in silence is asked


class Exchange(Protocol):
    """What a centre asks of the telephone exchange; Asterisk over ARI in life."""

    async def claim(self, channel_id: str) -> bool: ...
    def leg(self, channel_id: str) -> Leg: ...
    async def make_bridge(self, bridge_id: str) -> None: ...
    async def join(self, bridge_id: str, *legs: Leg) -> None: ...
    async def leave(self, bridge_id: str, leg: Leg) -> None: ...
    async def remove_bridge(self, bridge_id: str) -> None: ...


class Centre:
    """One instance of the service: its live calls, its queue, its exchange."""

    def __init__(self, exchange: Exchange, acd: Acd, menu: Callable[[], Menu], notes: Notes, rules: Rules,
                 life: Callable[[Call, "Centre"], Coroutine[Any, Any, None]], books: pranks.Books,
                 overflow: Callable[[Call, "Centre"], Coroutine[Any, Any, None]]) -> None:
        """`life` is `calls.life.live`: the story, handed in so that the story may import its stage; so is `overflow`,
        which rings others for whoever waits too long. `books`: the pranks that are known of a number."""
        self.acd, self.menu, self.notes, self.rules = acd, menu, notes, rules
        self.calls: dict[str, Call] = {}
        self._exchange, self._life, self._books, self._overflow = exchange, life, books, overflow
        self._legs: dict[str, tuple[Call, Leg]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._lives: dict[str, asyncio.Task[None]] = {}         # of these, the calls' own, by call
        self._ringing: set[str] = set()                         # phones whose ringing has not been confirmed yet
        self._astray: set[str] = set()                          # what the last look found without an owner
        self._claims: dict[str, asyncio.Future[None]] = {}      # under way: done when the call is open
        self.claiming = True
        self.exchange_since: datetime | None = None             #: when the Asterisk that we look at was started
        self._unseen_since: datetime | None = None              #: events are missing from then on

    # --- what Asterisk tells us

    def hears(self, event: events.Event) -> None:
        """Take one event: claim a call, open it, or put the event into its call's inbox. Never waits, never raises."""
        match event:
            case events.CallBroadcast():
                if self.claiming and self._is_fresh(event):
                    self._begin(self._claim(event.channel.id))
            case events.StasisStart(args=["trunk", *_]) if event.channel.id not in self._legs:
                self._open(event.channel)
            case events.StasisStart(args=["offer"]) if event.channel.id not in self._legs:
                self._begin(self._exchange.leg(event.channel.id).hang_up())     # answered when nobody waited any more
            case _:
                if (owner := self._legs.get(events.channel_id(event) or "")) is not None:
                    call, leg = owner
                    call.inbox.put_nowait((leg, event))

    def hears_nothing(self) -> None:
        """The events have ended; `reconcile` comes when they flow again."""
        self._unseen_since = self._unseen_since or datetime.now(UTC)

    async def reconcile(self, look: Callable[[], Awaitable[adopt.Snapshot]], *, at_once: bool) -> None:
        """Hold what we know against what is there: after a gap in the events, and every now and then.

        Whoever has gone meanwhile is told to their call; calls that nobody here looks after are adopted; phones that
        nobody waits for are hung up. `at_once`: after a gap. Else only what is seen astray for the second time,
        since events may be on their way.
        """
        known = set(self._legs) - self._ringing             # a phone that is just being rung may not be there yet
        there = await look()
        if there.since != self.exchange_since:
            if self.exchange_since is not None:
                self._is_cut(there.since)
            self.exchange_since = there.since
        self._unseen_since = None
        ids = {channel.id for channel in there.channels}
        for channel_id in known - ids:
            if (owner := self._legs.get(channel_id)) is not None:
                call, leg = owner
                call.inbox.put_nowait((leg, events.StasisEnd(channel=events.Channel(channel_id))))
        estate = adopt.look(there, known=known | set(self._legs) | set(self._claims))
        astray = {alive.caller.id for alive in estate.calls} | {*estate.orphans, *estate.empty_bridges}
        due = astray if at_once else astray & self._astray
        self._astray = astray
        found = [alive for alive in estate.calls if alive.caller.id in due]
        await asyncio.gather(*(self._exchange.leg(alive.caller.id).silence() for alive in found if not alive.phone))
        for alive in found:
            self._adopt(alive)
        for orphan in due.intersection(estate.orphans):
            self._begin(_insist(self._exchange.leg(orphan).hang_up))
        for bridge in due.intersection(estate.empty_bridges):
            self._begin(_insist(partial(self._exchange.remove_bridge, bridge)))

    def _is_cut(self, since: datetime | None) -> None:
        """Another Asterisk answers, started at `since`: with the one before, all calls that it had have died."""
        log.warning("Asterisk was started anew: the calls that it had are closed as cut by the exchange")
        for call in self.calls.values():
            if since is None or call.arrived_at < since:        # (a call of the new one may come before our look)
                call.cut_at = self._unseen_since or datetime.now(UTC)

    async def mind_the_waiting(self) -> None:
        """While nobody on shift can be rung, waiting here is in vain: the way out rings everybody's phone."""
        deserted_for = 0.0
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            deserted_for = 0.0 if self.acd.is_staffed() else deserted_for + _LOOK_EVERY
            if deserted_for >= self.rules.deserted_for:
                for call in list(self.calls.values()):
                    waited_for = (datetime.now(UTC) - call.arrived_at).total_seconds()
                    if call.stage is QUEUED and waited_for >= self.rules.deserted_for:
                        self.notes.note("deserted", call.id)
                        self._lives[call.id].cancel()       # as if we were being stopped: its story hands it back

    def _is_fresh(self, event: events.CallBroadcast) -> bool:
        """After a freeze of ours old events come all at once; their callers have gone the way out."""
        at = events.timestamp(event)
        return at is None or (datetime.now(UTC) - at).total_seconds() < self.rules.claim_within

    async def _claim(self, channel_id: str) -> None:
        if channel_id in self._claims or channel_id in self._legs:      # we were told twice
            return
        opened = self._claims[channel_id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(_OPEN_WITHIN):
                if await self._exchange.claim(channel_id):
                    await opened
                else:
                    self.notes.note("claim lost", channel_id)
        except TimeoutError:
            log.warning("call %s was claimed but never came to us", channel_id)
        finally:
            del self._claims[channel_id]

    def _open(self, channel: events.Channel) -> None:
        """A claimed call enters: noted (the draft ticket follows from the note), then its story begins."""
        call = self._call_of(channel)
        self.notes.note(str(Stage.ARRIVED), call.id, number=call.number, arrived_at=call.arrived_at.isoformat())
        self._lives[call.id] = self._begin(self._live(call))
        if call.number is not None:
            self._begin(pranks.look_up(call, call.number, self._books))

    def _call_of(self, channel: events.Channel) -> Call:
        caller = self._exchange.leg(channel.id)
        arrived_at = events.moment(channel.creationtime) or datetime.now(UTC)
        call = Call(channel.id, caller, numbers.clean(channel.caller.number), arrived_at, self.notes)
        if (claim := self._claims.get(call.id)) is not None and not claim.done():
            claim.set_result(None)
        self.calls[call.id] = call
        self._legs[caller.id] = (call, caller)
        return call

    def _adopt(self, alive: adopt.Alive) -> None:
        """A call that another process left behind goes on where it stands, with the clock that it had."""
        call = self._call_of(alive.caller)
        call.stage, call.topic, call.priority, call.bridge = alive.stage, alive.topic, alive.priority, alive.bridge
        call.has_bridge = alive.bridge is not None
        if alive.phone is not None:
            phone = self._exchange.leg(alive.phone)
            self._legs[phone.id] = (call, phone)
            call.joined_by(phone)
            call.desk = alive.operator
        self.notes.note("adopted", call.id, stage=call.stage, operator=call.desk, number=call.number,
                        arrived_at=call.arrived_at.isoformat())
        self._lives[call.id] = self._begin(self._live(call))

    async def _live(self, call: Call) -> None:
        try:
            await self._life(call, self)
            while call.is_conversation() and self.claiming:     # a fault of ours in mid-talk: the talk itself goes on
                await asyncio.sleep(_LOOK_EVERY)
                call.desk = adopt.operator_of(call.id, next(leg.id for leg in call.others if not leg.gone))
                await self._life(call, self)
        finally:
            if call.stage in (ENDED, HANDED_BACK):      # else: a conversation that another process will adopt
                self._forget(call)

    def _forget(self, call: Call) -> None:
        self.calls.pop(call.id, None)
        self._lives.pop(call.id, None)
        for leg in (call.caller, *call.others):
            self._legs.pop(leg.id, None)

    def story_of(self, call_id: str) -> asyncio.Task[None] | None:
        """The task that lives the call; None: nobody does."""
        return self._lives.get(call_id)

    def forgets(self, call_id: str) -> None:
        """A call that nobody looks after is no longer ours; a look at Asterisk finds it there, if it lives."""
        self._forget(self.calls[call_id])

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.error("a task of the centre failed", exc_info=fault)

    # --- what a call asks for

    @asynccontextmanager
    async def comforted(self, call: Call) -> AsyncIterator[None]:
        """Music and the place in the queue while the body waits; whoever is silent is asked (calls/vigil.py)."""
        def comfort(welcome: str | None) -> AbstractAsyncContextManager[None]:
            return comforted(call.caller, welcome, partial(self._told, call), self.rules.tell_place_every)

        welcome = "reoffered" if call.others else "queued"
        async with beside(vigil.keep(call, welcome, comfort, partial(self.acd.moves, call), self.rules.silence)):
            yield

    def _told(self, call: Call) -> list[str]:
        return [spoken_place(self.acd.place(call.id)), *([pranks.TOLD] if call.behind else [])]

    @asynccontextmanager
    async def overflows(self, call: Call) -> AsyncIterator[None]:
        """While the body waits for a desk, too long perhaps, others are asked as well (calls/overflow.py)."""
        async with beside(self._overflow(call, self)):
            yield

    async def answers(self, desk: Desk, call: Call) -> bool:
        """Whether the desk's operator answers. A reserve has, before it was lent."""
        return desk.is_reserve or await self.rings(desk, call)

    async def rings(self, desk: Desk, call: Call) -> bool:
        """Ring the desk's phone; whether it was answered. If not, it falls silent, and an operator's desk rests."""
        phone = self._exchange.leg(adopt.phone_id(call.id, desk.name, uuid4().hex[:8]))
        self._legs[phone.id] = (call, phone)
        call.joined_by(phone)
        answered = False
        try:
            self._ringing.add(phone.id)
            try:
                await phone.ring(desk.endpoint, call.number, self.rules.offer_for + self.rules.ring_within)
            finally:
                self._ringing.discard(phone.id)
            if not call.has_bridge:
                call.bridge = f"{call.id}{adopt.BRIDGE}"        # first: whoever clears up must know it
                await self._exchange.make_bridge(call.bridge)
                call.has_bridge = True
            slow = desk.outside is not None         # until a phone rings out there, networks may take their time
            rang = await phone.rang(self.rules.offer_for if slow else self.rules.ring_within)
            answered = rang and await phone.picked_up(self.rules.offer_for)
            call.picked_up_at = asyncio.get_running_loop().time()
            if not answered:
                why = f"refused ({phone.cause})" if phone.gone else "did not answer" if rang else "phone did not ring"
                self.notes.note("unanswered", call.id, operator=desk.name, why=why)
                if not desk.is_reserve:
                    self.acd.rests(desk, why)
        finally:
            if not answered:
                await asyncio.shield(self._drop(call, phone))
        return answered

    async def joins(self, desk: Desk, call: Call) -> None:
        """Caller and operator hear each other from here on."""
        assert call.bridge is not None
        await self._exchange.join(call.bridge, call.caller, call.others[-1])
        self.acd.talks(desk)

    async def talk(self, desk: Desk, call: Call) -> Stage:
        """Until the operator leaves. ENDED: the talk is over; QUEUED: it was none, or the phone is lost, or it was with
        a number outside: perhaps a machine, and the caller alone knows whether they were helped."""
        phone = call.others[-1]
        await phone.left()
        vanished = lost.has_vanished(phone.cause)
        was_none = lost.was_no_talk(asyncio.get_running_loop().time() - call.picked_up_at)
        if not vanished and not was_none and not desk.is_outside:
            return ENDED
        what = "desk lost" if vanished else "hung up at once" if was_none else "outside left"
        self.notes.note(what, call.id, operator=desk.name, cause=phone.cause)
        if vanished:
            self.acd.rests(desk, "phone lost in mid-talk")
        assert call.bridge is not None
        await self._exchange.leave(call.bridge, call.caller)
        return QUEUED

    # --- how a call leaves us

    async def dissolve(self, call: Call) -> None:
        """The call is over: nobody stays on a line alone, nothing of it is left in Asterisk."""
        await self._hang_up(call, call.caller, *call.others)

    async def _hang_up(self, call: Call, *legs: Leg) -> None:
        await asyncio.gather(*(_insist(leg.hang_up) for leg in legs))
        if call.bridge is not None:
            await _insist(partial(self._exchange.remove_bridge, call.bridge))

    async def let_go(self, call: Call) -> None:
        """We cannot go on with a call. A conversation is left as it is; anybody else goes the dialplan's way out."""
        if call.is_conversation():
            return
        if call.caller.gone or call.stage is ENDED:
            call.ends()
            await self.dissolve(call)
            return
        if call.stage is TALKING:               # the desk was lost, and then we failed
            call.enter(QUEUED)
        call.enter(HANDED_BACK)
        await _insist(call.caller.hand_back)
        await self._hang_up(call, *call.others)
        if call.cut_at is not None:             # the dialplan never had them: the exchange died under it
            call.ends()

    async def drops(self, desk: Desk, call: Call) -> None:
        """Whatever still rings or talks for the call at this desk is not wanted any more."""
        for phone in [leg for leg in call.others if adopt.operator_of(call.id, leg.id) == desk.name]:
            await asyncio.shield(_insist(phone.hang_up))
            self._legs.pop(phone.id, None)
            call.others.remove(phone)

    async def _drop(self, call: Call, phone: Leg) -> None:
        await _insist(phone.hang_up)            # no fault of it may stand above being cancelled
        self._legs.pop(phone.id, None)
        call.others.remove(phone)

    async def stops(self) -> None:
        """No new claims; every call is let go as its story says. Returns when all have been."""
        self.claiming = False
        if self._claims:                        # who is being claimed must come to us first, to be handed back
            await asyncio.wait(self._claims.values(), timeout=_OPEN_WITHIN)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _insist(command: Callable[[], Awaitable[None]]) -> None:
    """Give a command that clears up, again and again: nobody else will. What fails all the same is found astray."""
    for pause in (*_PAUSES, None):
        try:
            await command()
            return
        except AriError as fault:
            if pause is None:
                log.error("not carried out, to be tried at the next look: %s", fault)
            else:
                await asyncio.sleep(pause)
