"""The porch: operators and roster as the database last told them, in a file of this node's own.

A service that starts while its database is away rings whom it knows from here. Written whenever it changes; days that
differ from the week are known one day ahead."""
import logging
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from routing.roster import Roster
from telephony.asterisk import write_private

log = logging.getLogger(__name__)

_FILE = "last-known.json"


@dataclass(frozen=True)
class Known:
    """What must be known to ring somebody."""

    operators: dict[str, list[str]] = field(default_factory=dict)       #: skills by name
    plan: Roster = field(default_factory=lambda: Roster((), frozenset()))
    supervisors: list[str] = field(default_factory=list)


def keep(data: Path, known: Known) -> None:
    """Write it, readable for its owner. A disk that takes nothing is told and costs nothing else."""
    try:
        write_private(data / _FILE, msgspec.json.encode(known, order="sorted").decode())
    except OSError as fault:
        log.warning("what is known of the roster cannot be kept for a start without a database: %s", fault.strerror)


def recall(data: Path) -> Known | None:
    """None: nothing was ever kept, or it cannot be read."""
    try:
        return msgspec.json.decode((data / _FILE).read_bytes(), type=Known)
    except (OSError, msgspec.MsgspecError):
        return None
