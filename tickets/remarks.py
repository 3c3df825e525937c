"""tickets: notes on a ticket: what somebody wants remembered. They are only ever added: who, when, what."""

from datetime import datetime

from db.models import TicketNote
from tickets.edit import Sessions, editing
from tickets.lifecycle import DRAFT
from tickets.refused import Refused


async def add(sessions: Sessions, ticket_id: int, text: str, *, by: str, now: datetime) -> TicketNote:
    """One more note, on a closed ticket too. It hinders nobody who is writing the ticket's form meanwhile.

    Raises store.Unknown, and Refused for a note without a word.
    """
    if not text.strip():
        raise Refused("text", "a note without a word tells nothing; write one")
    async with editing(sessions, ticket_id, by, now) as edit:
        if edit.ticket.lifecycle == DRAFT:
            edit.take_up()
        note = TicketNote(ticket_id=ticket_id, at=now, who=by, text=text.strip())
        edit.session.add(note)
        edit.note("note", None, note.text)
    return note
