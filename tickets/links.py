"""tickets: which calls and tickets belong together: a fire has many callers, and a caller may report two things.

The call that opened a ticket stays with it for ever: it is where the report came from, and whoever replays the journal
would otherwise open a second ticket for it. All other links are made, and taken back, by people.
"""

from datetime import datetime

from db.models import CallTicket
from tickets import extras_store
from tickets.edit import Sessions, editing
from tickets.lifecycle import DRAFT
from tickets.steps import IllegalStep
from tickets.store import Unknown


async def link(sessions: Sessions, ticket_id: int, call_id: str, *, by: str, now: datetime) -> bool:
    """They belong together; False: they did already. Raises Unknown."""
    async with editing(sessions, ticket_id, by, now) as edit:
        if not await extras_store.is_call(edit.session, call_id):
            raise Unknown(f"there is no call {call_id}")
        if await extras_store.link(edit.session, ticket_id, call_id) is not None:
            return False
        if edit.ticket.lifecycle == DRAFT:
            edit.take_up()
        edit.session.add(CallTicket(call_id=call_id, ticket_id=ticket_id, linked_by=by))
        edit.note("call", None, call_id)
        return True


async def unlink(sessions: Sessions, ticket_id: int, call_id: str, *, by: str, now: datetime) -> None:
    """They do not belong together after all. Raises Unknown; IllegalStep for the call that opened the ticket."""
    async with editing(sessions, ticket_id, by, now) as edit:
        linked = await extras_store.link(edit.session, ticket_id, call_id)
        if linked is None:
            raise Unknown(f"call {call_id} does not belong to ticket {edit.ticket.number}")
        if linked.linked_by is None:
            raise IllegalStep(f"call {call_id} opened ticket {edit.ticket.number} and stays with it")
        await extras_store.unlink(edit.session, ticket_id, call_id)
        edit.note("call", call_id, None)
