"""calls: what happened without us: calls that the dialplan carried to their end are noted when they are reported.

The hang-up handler reports them by FastAGI; while nobody listens, it keeps the report in Asterisk's own database, where
we find it when we are back. A report that comes twice is drawn once.
"""
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Protocol

from calls.call import Notes
from telephony import agi, numbers
from telephony.agi import WayOut

#: of Asterisk's database; written by asterisk-conf/kentongan/extensions.conf
FAMILY = "kentongan-untold"


class Memory(Protocol):
    """Asterisk's own database."""

    async def db_tree(self, family: str) -> dict[str, str]: ...
    async def db_del(self, family: str, key: str) -> None: ...


async def reported(notes: Notes, report: WayOut) -> None:
    """A call that went the way out has ended, says Asterisk's hang-up handler."""
    notes.note(
        "way out", report.call_id,
        number=numbers.clean(report.number),
        arrived_at=datetime.fromtimestamp(report.arrived_at, UTC).isoformat(),
        operator=report.desk,
        talked_for=report.talked_for,
        why=report.why,
        **_moments(answered_at=report.answered_at, ended_at=report.ended_at),
    )


async def catch_up(notes: Notes, memory: Memory, settled: Callable[[], Awaitable[None]]) -> None:
    """Note the ends that nobody listened to. `settled` returns when all that was noted is safe; then they are forgotten
    there. Raises AmiError."""
    kept = await memory.db_tree(FAMILY)
    for call_id, report in kept.items():
        await reported(notes, agi.kept(call_id, report))
    if kept:
        await settled()
    for call_id in kept:
        await memory.db_del(FAMILY, call_id)


def _moments(**seconds: float | None) -> dict[str, str]:
    return {name: datetime.fromtimestamp(at, UTC).isoformat() for name, at in seconds.items() if at is not None}
