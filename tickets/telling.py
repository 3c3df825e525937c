"""tickets: an agency is told: its forwarding and the outbox's message, in the transaction of the change itself."""

import uuid

from db.models import Agency, Forwarding, OutboxMessage
from tickets import clocks, delivery, forwarding, setup_store, store
from tickets.edit import Edit
from tickets.told import told


async def tell(edit: Edit, agency: Agency) -> None:
    """For the first time."""
    row = Forwarding(
        ticket_id=edit.ticket.id, agency_id=agency.id, state=forwarding.QUEUED.value, created_at=edit.now
    )
    edit.session.add(row)
    edit.note(f"forwarding {agency.code}", None, forwarding.QUEUED)
    await _start_clock(edit, row)
    await edit.session.flush()
    edit.session.add(await _message(edit, row))
    edit.changed = True


async def tell_again(edit: Edit, row: Forwarding, agency: Agency) -> None:
    """An agency that has it is not told twice; one that refused is asked anew, and its clock begins anew."""
    message = await store.message_of(edit.session, row.id)
    if row.state == forwarding.REFUSED:
        await edit.advance(row, agency, forwarding.QUEUED)
        row.accepted_at = row.accepted_by = None
        await _start_clock(edit, row)
        if message.state == delivery.SENT:
            row.sent_at = None
            edit.session.add(await _message(edit, row))
        edit.changed = True
    if message.state == delivery.SET_ASIDE:
        edit.note(f"message to {agency.code}", message.state, delivery.WAITING)
        message.state, message.due_at = delivery.WAITING.value, edit.now
        edit.changed = True


async def _start_clock(edit: Edit, row: Forwarding) -> None:
    row.accept_by = clocks.after(edit.now, await setup_store.accept_for(edit.session, edit.ticket.service))


async def _message(edit: Edit, row: Forwarding) -> OutboxMessage:
    about = await setup_store.about(edit.session, edit.ticket)
    return OutboxMessage(
        key=f"msg_{uuid.uuid4().hex}",
        forwarding_id=row.id,
        payload=told(edit.ticket, about),
        due_at=edit.now,
        attempts=0,
        state=delivery.WAITING.value,
    )
