"""calls ◆ What must always be true: each live call has one owner and one state, each operator talks in at
most one call, no bridge is without a call, no wait clock runs backwards. Pure: pictures in, breaches in words out.

Some rules hold at every instant (`at_once`). Others are out of joint for the moments in which an event is on its way or
one step follows another: they are broken when two pictures in a row, a second apart, say so (`breaches`).
"""
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, auto

from calls.adopt import BRIDGE
from calls.stages import OFFERED, QUEUED, TALKING, Stage
from routing import operators
from routing.operators import State


class Rule(StrEnum):
    """What was broken; the words stand in the figures and in the journal as they are."""

    OWNER = "one owner"
    STATE = "one state"
    OPERATOR = "one call per operator"
    BRIDGE = "no bridge without a call"
    CLOCK = "no clock runs backwards"


class Cure(StrEnum):
    """What heals a breach without touching a channel."""

    FORGET = auto()         # the call: the next look at Asterisk finds it again, if it lives
    FREE = auto()           # the desk
    LEAVE = auto()          # the queue


@dataclass(frozen=True, slots=True)
class CallSeen:
    """A call in our hands."""

    id: str
    stage: Stage
    arrived_at: datetime
    owned: bool                     #: its story runs
    leaving: bool = False           #: its story is about to end: the caller has gone, or it was told to stop
    conversation: bool = False      #: two or more talk
    desk: str | None = None         #: whose it is, says the call
    bridge: str | None = None
    legs: frozenset[str] = frozenset()      #: channel ids of everybody in it, the caller's included


@dataclass(frozen=True, slots=True)
class DeskSeen:
    """An operator's desk."""

    name: str
    state: State
    call_id: str | None             #: the call it is lent to, says the desk


@dataclass(frozen=True, slots=True)
class Picture:
    """The centre at one instant."""

    calls: tuple[CallSeen, ...] = ()
    desks: tuple[DeskSeen, ...] = ()
    queue: Mapping[str, float] = field(default_factory=dict)    #: who waits, by call: since when (UTC seconds)
    bridges: frozenset[str] | None = None                       #: of calls, in Asterisk; None: it could not be asked


@dataclass(frozen=True, slots=True)
class Breach:
    """One rule broken by one call, desk or bridge; `what` says it to a person, with ids only."""

    rule: Rule
    what: str
    call_id: str | None = None
    desk: str | None = None
    cure: Cure | None = None


def at_once(now: Picture, before: Picture) -> list[Breach]:
    """What may not be for an instant, of the centre `now` and since the picture `before`."""
    return [*_shared(now), *_queue(now), *_clocks(now, before)]


def breaches(now: Picture, before: Picture) -> list[Breach]:
    """What is broken, by two looks in a row: nothing that was on its way at the first can be at the second."""
    astray = set(_astray(before))
    return [*at_once(now, before), *(breach for breach in _astray(now) if breach in astray)]


def _shared(now: Picture) -> Iterator[Breach]:
    for name in _twice(call.desk for call in now.calls):
        yield Breach(Rule.OPERATOR, f"{name} is in more than one call", desk=name)
    for channel in _twice(leg for call in now.calls for leg in call.legs):
        yield Breach(Rule.OWNER, f"channel {channel} is in more than one call")
    for bridge in _twice(call.bridge for call in now.calls):
        yield Breach(Rule.BRIDGE, f"bridge {bridge} is more than one call's")


def _queue(now: Picture) -> Iterator[Breach]:
    calls = {call.id: call for call in now.calls}
    for call_id, since in now.queue.items():
        if (call := calls.get(call_id)) is None:
            yield Breach(Rule.STATE, "is in the queue and is no call of ours any more", call_id, cure=Cure.LEAVE)
        elif call.stage is not QUEUED:
            yield Breach(Rule.STATE, f"is in the queue while {call.stage}", call_id)
        elif since != call.arrived_at.timestamp():
            yield Breach(Rule.CLOCK, "does not wait since its arrival", call_id)


def _clocks(now: Picture, before: Picture) -> Iterator[Breach]:
    arrivals = {call.id: call.arrived_at for call in before.calls}
    for call in now.calls:
        if call.arrived_at > arrivals.get(call.id, call.arrived_at):
            yield Breach(Rule.CLOCK, "has arrived later than it had", call.id)


def _astray(now: Picture) -> Iterator[Breach]:
    """What looks broken, but may be on its way."""
    yield from _unowned(now)
    yield from _desks_without_their_call(now)
    yield from _calls_without_their_place(now)
    live = {call.id for call in now.calls}
    for bridge in sorted(now.bridges or ()):
        if bridge.removesuffix(BRIDGE) not in live:
            yield Breach(Rule.BRIDGE, f"bridge {bridge} is no call's")


def _unowned(now: Picture) -> Iterator[Breach]:
    for call in now.calls:
        if not call.owned:
            yield Breach(Rule.OWNER, f"nobody looks after it while {call.stage}", call.id, cure=Cure.FORGET)


#: In which stages a call may be whose desk is in this state.
_STAGES_OF = {operators.OFFERED: (QUEUED, OFFERED), operators.TALKING: (TALKING,)}


def _desks_without_their_call(now: Picture) -> Iterator[Breach]:
    stages = {call.id: call.stage for call in now.calls}
    for desk in now.desks:
        if desk.state in _STAGES_OF:
            stage = stages.get(desk.call_id or "")
            if stage is None:
                yield Breach(Rule.OPERATOR, f"{desk.name} is {desk.state} in a call that is gone", desk.call_id,
                             desk.name, Cure.FREE)
            elif stage not in _STAGES_OF[desk.state]:
                yield Breach(Rule.STATE, f"is {stage} while {desk.name} is {desk.state}", desk.call_id, desk.name)


def _calls_without_their_place(now: Picture) -> Iterator[Breach]:
    lent = {(desk.call_id, desk.state) for desk in now.desks}
    for call in now.calls:
        if call.leaving:
            continue
        if call.stage is QUEUED and call.id not in now.queue and (call.id, operators.OFFERED) not in lent:
            yield Breach(Rule.STATE, "is queued and not in the queue", call.id)
        elif call.stage is OFFERED and call.desk is None:
            yield Breach(Rule.STATE, "is offered and to nobody", call.id)
        elif call.conversation and (call.id, operators.TALKING) not in lent:
            yield Breach(Rule.STATE, "is talking and at no desk", call.id)


def _twice(names: Iterable[str | None]) -> list[str]:
    return sorted(name for name, times in Counter(names).items() if name is not None and times > 1)
