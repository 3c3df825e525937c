"""calls: the watch over the centre: it looks once a second whether what must always be (invariants.py) is so, tells
each breach once, and heals what can be healed without touching a channel: a human may be on it.
"""
import asyncio
import logging
from collections.abc import Awaitable, Callable

from calls import invariants
from calls.adopt import BRIDGE
from calls.call import Call
from calls.centre import Centre
from calls.invariants import Breach, CallSeen, Cure, DeskSeen, Picture

log = logging.getLogger(__name__)

#: Seconds between looks.
LOOK_EVERY = 1.0


async def watch(centre: Centre, bridges: Callable[[], Awaitable[frozenset[str] | None]]) -> None:
    """Look, until the centre stops. `bridges`: ids of the bridges in Asterisk now; None: it cannot be asked.

    A breach that stands at one more look after it was told is healed: events may have been on their way.
    """
    before = picture(centre, None)
    told: set[Breach] = set()
    while centre.claiming:
        await asyncio.sleep(LOOK_EVERY)
        now = picture(centre, await bridges())
        found = invariants.breaches(now, before)
        for breach in found:
            if breach in told:
                heal(centre, breach)
            else:
                tell(centre, breach)
        before, told = now, set(found)


def picture(centre: Centre, bridges: frozenset[str] | None) -> Picture:
    """The centre as it is now."""
    return Picture(
        calls=tuple(_seen(centre, call) for call in centre.calls.values()),
        desks=tuple(DeskSeen(desk.name, desk.state, desk.call_id) for desk in centre.acd.desks.values()),
        queue={waiting.call_id: waiting.since for waiting in centre.acd.queue()},
        bridges=None if bridges is None else frozenset(name for name in bridges if name.endswith(BRIDGE)),
    )


def _seen(centre: Centre, call: Call) -> CallSeen:
    story = centre.story_of(call.id)
    return CallSeen(
        call.id, call.stage, call.arrived_at, owned=story is not None and not story.done(),
        leaving=call.caller.gone or (story is not None and story.cancelling() > 0),
        conversation=call.is_conversation(), desk=call.desk, bridge=call.bridge,
        legs=frozenset(leg.id for leg in (call.caller, *call.others)),
    )


def tell(centre: Centre, breach: Breach) -> None:
    log.error("broken: %s: call %s, desk %s: %s", breach.rule, breach.call_id, breach.desk, breach.what)
    centre.notes.note("breach", breach.call_id, rule=str(breach.rule), what=breach.what,
                      **{} if breach.desk is None else {"operator": breach.desk})


def heal(centre: Centre, breach: Breach) -> None:
    """By the breach's cure, if there is one."""
    match breach:
        case Breach(cure=Cure.FORGET, call_id=str(call_id)):
            centre.forgets(call_id)
        case Breach(cure=Cure.FREE, desk=str(name)):
            centre.acd.frees(name)
        case Breach(cure=Cure.LEAVE, call_id=str(call_id)):
            centre.acd.forgets(call_id)
        case _:
            return
    log.warning("healed (%s): call %s, desk %s", breach.cure, breach.call_id, breach.desk)
