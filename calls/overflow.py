"""calls: overflow: while a caller waits too long, others are rung for them, too: supervisors, then outside numbers, one
after the other (routing/overflow.py says when). The caller keeps their place; whoever is there first talks to them.

The operators' queue goes on meanwhile: once a desk is there, the body of `Centre.overflows` ends, and the ringing too.
"""
import asyncio
import logging
from collections.abc import Callable, Iterable

from calls.call import Call
from calls.centre import Centre
from routing.desk import OUTSIDE, Desk
from routing.operators import READY, RINGABLE
from routing.overflow import Kind, Step, Table, next_step
from telephony.ari_operations import AriError

log = logging.getLogger(__name__)


class Overflow:
    """Rings for every call that waits too long. `supervisors`: names of their phones; `table`: the one in force."""

    def __init__(self, table: Callable[[], Table], supervisors: Callable[[], Iterable[str]]) -> None:
        self._table, self._supervisors = table, supervisors
        self._ringing: set[str] = set()         # a phone rings for one call at a time

    async def climb(self, call: Call, centre: Centre) -> None:
        """Step by step, until somebody has taken the call or there is nobody to ask."""
        while (due := next_step(self._table(), call.topic, centre.acd.waited(call), call.overflowed)) is not None:
            await asyncio.sleep(due.wait_for)
            call.overflowed += 1
            desks = [desk for desk in self._asked(due.step) if self._is_free(desk, centre)]
            centre.notes.note("overflow", call.id, step=due.step.kind, who=[desk.name for desk in desks])
            try:
                for desk in desks:
                    if self._is_free(desk, centre) and await self._takes(desk, call, centre):
                        return
            except asyncio.CancelledError:      # a desk is there, or they are gone; should it come to nothing, it is
                call.overflowed -= 1            # the same step that is due
                raise

    def _asked(self, step: Step) -> list[Desk]:
        match step.kind:
            case Kind.SUPERVISORS:
                return [Desk(name, frozenset(), READY, is_reserve=True) for name in sorted(self._supervisors())]
            case Kind.OUTSIDE:
                outside = self._table().outside         # (it may have changed since)
                return [Desk(f"{OUTSIDE}{name}", frozenset(), READY, is_reserve=True, outside=outside[name])
                        for name in step.names if name in outside]
        return []

    def _is_free(self, desk: Desk, centre: Centre) -> bool:
        """A supervisor's phone must be there; of a number outside nothing is known but whether we are using it."""
        there = desk.outside is not None or centre.acd.device_of(desk.name) in RINGABLE
        return there and desk.name not in self._ringing and desk.name not in centre.acd.desks

    async def _takes(self, desk: Desk, call: Call, centre: Centre) -> bool:
        """Whether they answered, and nobody had the call already."""
        self._ringing.add(desk.name)
        try:
            if not await centre.rings(desk, call):
                return False
            if centre.acd.lends(desk, call.id):
                return True
        except AriError as fault:
            log.error("call %s: %s could not be rung: %s", call.id, desk.name, fault)
        else:                                   # an operator was quicker, in this very moment
            log.info("call %s: %s came too late", call.id, desk.name)
        finally:
            self._ringing.discard(desk.name)
        await centre.drops(desk, call)
        return False
