"""tickets ◆ Until when: the service's clock of a report, the agencies' clocks, and what of it is late. Pure.

A clock is stored as the moment at which it runs out, so that changing a service's clocks is no change of what was
promised before.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, auto

from tickets.forwarding import QUEUED, SENT, State
from tickets.lifecycle import CLOSED, DONE, Lifecycle

#: an agency that stands here has not accepted yet: its clock runs
UNACCEPTED = frozenset({QUEUED, SENT})
#: a ticket that stands here has been handled: its clock has stopped
HANDLED = frozenset({DONE, CLOSED})


class Late(StrEnum):
    """What has run out."""

    HANDLING = auto()  #: the report should be handled by now
    ACCEPTANCE = auto()  #: an agency should have accepted by now


@dataclass(frozen=True)
class Asked:
    """An agency that was asked."""

    state: State
    accept_by: datetime | None


def after(start: datetime, seconds: float | None) -> datetime | None:
    """When a clock of so many seconds runs out; None: there is no clock."""
    return None if seconds is None else start + timedelta(seconds=seconds)


def late(stands: Lifecycle, due_at: datetime | None, asked: Iterable[Asked], now: datetime) -> list[Late]:
    """What of a ticket is late. A clock runs out at its moment, not after it."""
    found = []
    if stands not in HANDLED and due_at is not None and due_at <= now:
        found.append(Late.HANDLING)
    if any(one.state in UNACCEPTED and one.accept_by is not None and one.accept_by <= now for one in asked):
        found.append(Late.ACCEPTANCE)
    return found
