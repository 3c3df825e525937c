"""What is stored: one class per table, one comment per column that names its unit; a module per subject.

Moments are `UtcDateTime`: aware in Python, UTC in the database, on SQLite as on PostgreSQL. The words in
`stage`, `lifecycle`, `verification`, `state` belong to the tables of the deciding files (`calls/stages.py`,
`tickets/lifecycle.py` ...), so the database keeps them as plain text and does not know the legal steps.

All are imported here: who needs one table (`from db.models import Ticket`) gets metadata that knows every table, and
nobody outside needs to know which module it is in. A new module of tables is imported here, too.
"""

from db.models.base import Base, JsonText, UtcDateTime
from db.models.calls import Call, Callback, CallbackCall, Note
from db.models.people import Audit, IdempotencyKey, Token, User
from db.models.recordings import Recording, RecordingComment, RecordingGap
from db.models.roster import DayDuty, Duty, Operator, Shift
from db.models.setup import Agency, Area, Category, Form, ForwardRule, Service
from db.models.telling import Forwarding, OutboxMessage
from db.models.tickets import UNFINISHED, Attachment, CallTicket, Ticket, TicketNote, TicketNumber

__all__ = [
    "UNFINISHED",
    "Agency",
    "Area",
    "Attachment",
    "Audit",
    "Base",
    "Call",
    "CallTicket",
    "Callback",
    "CallbackCall",
    "Category",
    "DayDuty",
    "Duty",
    "Form",
    "ForwardRule",
    "Forwarding",
    "IdempotencyKey",
    "JsonText",
    "Note",
    "Operator",
    "OutboxMessage",
    "Recording",
    "RecordingComment",
    "RecordingGap",
    "Service",
    "Shift",
    "Ticket",
    "TicketNote",
    "TicketNumber",
    "Token",
    "User",
    "UtcDateTime",
]
