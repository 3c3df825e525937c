"""calls: what happened without us: calls that the dialplan carried to their end are noted when they are reported."""
from datetime import UTC, datetime

from calls.call import Notes
from telephony import numbers
from telephony.agi import WayOut


async def reported(notes: Notes, report: WayOut) -> None:
    """A call that went the way out has ended, says Asterisk's hang-up handler."""
    notes.note(
        "way out", report.call_id,
        number=numbers.clean(report.number),
        arrived_at=datetime.fromtimestamp(report.arrived_at, UTC).isoformat(),
        operator=report.desk,
        talked_for=report.talked_for,
        why=report.why,
    )
