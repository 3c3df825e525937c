"""tickets ◆ Whether one ticket may go on in another, and what it has that the other lacks. Pure.

A merge loses nothing and hides nothing: whatever still needs somebody must be seen at the ticket that goes on.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from tickets.forwarding import QUEUED, SENT, State
from tickets.verification import A1, Verification

#: what is offered to the ticket that goes on where it knows nothing
OFFERED = (
    "category", "subdistrict", "village", "place", "latitude", "longitude", "narrative", "reporter_name",
    "reporter_number", "subject_name", "subject_number", "evidence",
)  # fmt: skip


def why_not(
    ticket: str, into: str, forwardings: Mapping[str, State], *, may_leave: bool, into_may_leave: bool
) -> str | None:
    """Why `ticket` may not be merged `into` the other, in words for the operator; None: it may. Both by their numbers.

    `forwardings`: of `ticket`, by agency. `may_leave`: it is A1 or has an override; `into_may_leave`: so is the other.
    """
    waiting = sorted(agency for agency, state in forwardings.items() if state in (QUEUED, SENT))
    if waiting:
        return (
            f"ticket {ticket} waits for {', '.join(waiting)} to acknowledge, and nobody would look after it any more; "
            f"wait for that, or merge {into} into {ticket}"
        )
    if may_leave and not into_may_leave:
        return f"ticket {ticket} is verified and {into} is not, so it would go out no more; merge {into} into {ticket}"
    return None


def may_leave(verification: str, override_by: str | None) -> bool:
    """Whether a ticket may be forwarded as it stands."""
    return Verification(verification) is A1 or override_by is not None


def offered(into: Mapping[str, Any], merged: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What `into` lacks and a merged one has, of OFFERED; the first that has it counts. Topic "any" is none.

    Nothing of it is written by itself: an operator takes over what fits.
    """
    found: dict[str, Any] = {}
    for one in merged:
        for name in OFFERED:
            if _empty(into.get(name)) and not _empty(one.get(name)):
                found.setdefault(name, one[name])
        if into.get("topic") == "any" and one.get("topic") not in (None, "any"):
            found.setdefault("topic", one["topic"])
    return found


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
