"""routing ◆ Who answers whom. Pure: no await, no clock, no database."""
from collections.abc import Iterable
from dataclasses import dataclass

ANY = "any"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A caller in the queue."""

    call_id: str
    topic: str
    since: float            #: arrival at the trunk, UTC seconds; survives re-queueing and adoption
    priority: int = 0       #: higher is answered first
    behind: float = 0.0     #: seconds that the call stands behind equal ones (routing/pranks.py)
    widen_after: float | None = None    #: seconds, of its service; None: as everywhere


@dataclass(frozen=True, slots=True)
class Free:
    """A desk that can be rung now."""

    name: str
    skills: frozenset[str]
    idle_since: float       #: UTC seconds; the longest idle is rung first


def in_order(waiting: Iterable[Waiting]) -> list[Waiting]:
    """The queue as it is served: highest priority, then longest wait (arrival order), less what they stand behind."""
    return sorted(waiting, key=lambda w: (-w.priority, w.since + w.behind, w.call_id))


def match(waiting: Iterable[Waiting], free: Iterable[Free], now: float, widen_after: float) -> list[tuple[str, str]]:
    """Pairs of (call id, desk name).

    In the queue's order each caller gets the longest idle desk that has the skill of the topic. A caller who has
    waited for `widen_after` seconds (or those of its service) gets the longest idle desk whatever its skills:
    somebody answers, always.
    """
    idle = sorted(free, key=lambda f: (f.idle_since, f.name))
    pairs: list[tuple[str, str]] = []
    for call in in_order(waiting):
        if not idle:
            break
        limit = widen_after if call.widen_after is None else call.widen_after
        wide = call.topic == ANY or now - call.since >= limit
        able = next((f for f in idle if call.topic in f.skills), idle[0] if wide else None)
        if able is not None:
            idle.remove(able)
            pairs.append((call.call_id, able.name))
    return pairs
