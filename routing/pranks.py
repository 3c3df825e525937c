"""routing ◆ What past pranks of a number weigh, and what follows: some seconds behind equal calls, nothing else. Pure.

Nobody is blocked. What is held against a number is told in words, fades by half every day and is forgotten after a
week; whoever says that it is an emergency has it lifted. Only pranks count: who is silent ("ghost") may be in need.
"""
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

HALVES_EVERY = timedelta(hours=24)
FORGOTTEN_AFTER = timedelta(days=7)
#: Seconds that a prank of just now puts a call behind equal ones, and that all of them do together at most.
FOR_EACH, AT_MOST = 10.0, 30.0
#: So many pranks, the newest, are weighed and given as reasons.
WEIGHED = 20


@dataclass(frozen=True)
class Past:
    """A call of the number that was judged a prank."""

    call_id: str
    at: datetime
    by: str | None          #: who judged it


@dataclass(frozen=True)
class Weight:
    """What the past of a number weighs."""

    score: float            #: one for a prank of just now; 0: nothing is held against the number
    reasons: list[str]      #: in words, one for each prank that counts, the newest first
    behind: float           #: seconds that the call stands behind equal ones, 0 to `AT_MOST`


def weigh(past: Iterable[Past], now: datetime) -> Weight:
    """`now`: when the call came that is weighed."""
    counts = sorted((each for each in past if now - each.at < FORGOTTEN_AFTER),
                    key=lambda each: (each.at, each.call_id), reverse=True)[:WEIGHED]
    score = sum(0.5 ** (_age(each, now) / HALVES_EVERY) for each in counts)
    reasons = [f"prank {_ago(_age(each, now))} (call {each.call_id}, judged by {each.by or 'nobody known'})"
               for each in counts]
    return Weight(round(score, 3), reasons, round(min(AT_MOST, score * FOR_EACH), 3))


def _age(past: Past, now: datetime) -> timedelta:
    return max(timedelta(0), now - past.at)         # (a clock was set back)


def _ago(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    if minutes < 60:
        return f"{minutes} min ago"
    return f"{minutes // 60} h ago" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days ago"
