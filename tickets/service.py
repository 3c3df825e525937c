"""tickets: what operators do with a ticket. Each function is one transaction with its history.

`by` is who does it (an operator's name), `now` the moment, `version` the one they have seen: if somebody
changed the ticket since, `Conflict` is raised. All return the ticket as it then stands. After an exception
(`Conflict`, `IllegalStep`, `Incomplete`, `NotForwardable`, `store.Unknown`) nothing has changed; its text
says what to do.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from db.models import Agency, Forwarding, OutboxMessage, Ticket
from tickets import delivery, forwarding, lifecycle, store, verification
from tickets.edit import Conflict, Edit, Sessions, editing
from tickets.forwarding import Override
from tickets.lifecycle import IllegalStep
from tickets.verification import A1, CHECKING, Verification

__all__ = [
    "FIELDS",
    "Conflict",
    "IllegalStep",
    "Incomplete",
    "NotForwardable",
    "agency_said",
    "begin_check",
    "close",
    "fill",
    "forward",
    "override",
    "proposed_agencies",
    "verify",
]

#: what an operator may write into the form
FIELDS = ("topic", "category", "place", "narrative", "reporter_name", "reporter_number")


class Incomplete(Exception):
    """A1 needs more than the form says; `fields` names what."""

    def __init__(self, fields: Sequence[str]) -> None:
        super().__init__(f"A1 needs: {', '.join(fields)}")
        self.fields = list(fields)


class NotForwardable(Exception):
    """Neither A1 nor an override; the text is for the operator."""


async def fill(
    sessions: Sessions,
    ticket_id: int,
    values: Mapping[str, str | None],
    *,
    by: str,
    now: datetime,
    version: int | None = None,
) -> Ticket:
    """Write into the form. Blanks empty a field; what A1 rests on cannot be emptied any more."""
    if unknown := sorted(values.keys() - set(FIELDS)):
        raise ValueError(f"a ticket's form has no {', '.join(unknown)}; it has {', '.join(FIELDS)}")
    async with editing(sessions, ticket_id, by, now, version) as edit:
        edit.take_up()
        for field, value in values.items():
            text = (value or "").strip() or None
            edit.put(field, (text or "any") if field == "topic" else text)
        if edit.ticket.verification == A1:
            _require_whole(edit.ticket)
    return edit.ticket


async def begin_check(
    sessions: Sessions, ticket_id: int, *, by: str, now: datetime, version: int | None = None
) -> Ticket:
    """The operator starts finding out whether it is true."""
    async with editing(sessions, ticket_id, by, now, version) as edit:
        edit.take_up()
        _verification(edit, CHECKING)
    return edit.ticket


async def verify(
    sessions: Sessions,
    ticket_id: int,
    result: Verification,
    evidence: str,
    *,
    by: str,
    now: datetime,
    version: int | None = None,
) -> Ticket:
    """The check's result: A1, NOT_TRUE or CANNOT_BE_CHECKED, and how it was found. A1 raises Incomplete."""
    if result is CHECKING:
        raise ValueError("a check ends with A1, NOT_TRUE or CANNOT_BE_CHECKED; begin_check begins it")
    async with editing(sessions, ticket_id, by, now, version) as edit:
        edit.take_up()
        edit.put("evidence", evidence.strip() or None)
        if result is A1:
            _require_whole(edit.ticket)
        _verification(edit, result)
        edit.ticket.verified_at, edit.ticket.verified_by = now, by
    return edit.ticket


async def override(
    sessions: Sessions, ticket_id: int, why: str, *, by: str, now: datetime, version: int | None = None
) -> Ticket:
    """Let it be forwarded without A1: danger to life. Stands in the history for ever."""
    said = Override(by, why.strip())
    if not said.is_complete:
        raise NotForwardable("an override needs who answers for it and which danger could not wait")
    async with editing(sessions, ticket_id, by, now, version) as edit:
        edit.take_up()
        edit.put("override_by", said.by, said.why)
        edit.put("override_reason", said.why)
    return edit.ticket


async def forward(
    sessions: Sessions,
    ticket_id: int,
    agency_codes: Iterable[str],
    *,
    by: str,
    now: datetime,
    version: int | None = None,
) -> Ticket:
    """Hand the ticket to agencies; their messages stand in the outbox when this returns (wake it).

    An agency that has it already is not told twice, unless it refused or its message was set aside.
    """
    codes = list(dict.fromkeys(agency_codes))
    if not codes:
        raise ValueError("forward to whom? name at least one agency")
    async with editing(sessions, ticket_id, by, now, version) as edit:
        edit.take_up()
        reason = forwarding.why_not(Verification(edit.ticket.verification), _override_of(edit.ticket))
        if reason is not None:
            raise NotForwardable(f"ticket {edit.ticket.number} cannot be forwarded: {reason}")
        told = {agency.code: row for row, agency in await store.forwardings_of(edit.session, ticket_id)}
        for code in codes:
            agency = await store.agency(edit.session, code)
            if code in told:
                await _tell_again(edit, told[code], agency)
            else:
                await _tell(edit, agency)
        await edit.follow()
    return edit.ticket


async def agency_said(
    sessions: Sessions,
    forwarding_id: int,
    to: forwarding.State,
    why: str,
    *,
    by: str,
    now: datetime,
) -> Ticket:
    """What an agency told the operator by other ways than its link: accepted, on the way, done, refused."""
    if to in (forwarding.QUEUED, forwarding.SENT):
        raise ValueError("an agency says accepted, on the way, done or refused")
    async with sessions() as session:
        row, _ = await store.forwarding(session, forwarding_id)
    async with editing(sessions, row.ticket_id, by, now) as edit:
        row, agency = await store.forwarding(edit.session, forwarding_id)
        await edit.advance(row, agency, to, why)
        if to is forwarding.ACCEPTED:
            row.accepted_at, row.accepted_by = now, by
    return edit.ticket


async def close(
    sessions: Sessions, ticket_id: int, why: str, *, by: str, now: datetime, version: int | None = None
) -> Ticket:
    """Nothing more is to be done, and why."""
    if not why.strip():
        raise ValueError("a ticket is closed with a reason; write one")
    async with editing(sessions, ticket_id, by, now, version) as edit:
        edit.enter(lifecycle.CLOSED, why.strip())
    return edit.ticket


async def proposed_agencies(session: AsyncSession, topic: str) -> list[Agency]:
    """Whom a ticket of this topic usually goes to, by their code. The operator decides."""
    return [agency for agency in await store.agencies(session) if topic in agency.topics]


def _verification(edit: Edit, to: Verification) -> None:
    edit.put("verification", verification.step(Verification(edit.ticket.verification), to))


def _require_whole(ticket: Ticket) -> None:
    missing = verification.missing_fields(
        {
            "topic": ticket.topic,
            "place": ticket.place,
            "narrative": ticket.narrative,
            "evidence": ticket.evidence,
        }
    )
    if missing:
        raise Incomplete(missing)


def _override_of(ticket: Ticket) -> Override | None:
    if ticket.override_by is None:
        return None
    return Override(ticket.override_by, ticket.override_reason or "")


async def _tell(edit: Edit, agency: Agency) -> None:
    row = Forwarding(
        ticket_id=edit.ticket.id, agency_id=agency.id, state=forwarding.QUEUED, created_at=edit.now
    )
    edit.session.add(row)
    edit.note(f"forwarding {agency.code}", None, forwarding.QUEUED)
    await edit.session.flush()
    edit.session.add(_message(edit, row))
    edit.changed = True


async def _tell_again(edit: Edit, row: Forwarding, agency: Agency) -> None:
    message = await store.message_of(edit.session, row.id)
    if row.state == forwarding.REFUSED:
        await edit.advance(row, agency, forwarding.QUEUED)
        if message.state == delivery.SENT:
            edit.session.add(_message(edit, row))
        edit.changed = True
    if message.state == delivery.SET_ASIDE:
        edit.note(f"message to {agency.code}", message.state, delivery.WAITING)
        message.state, message.due_at = delivery.WAITING, edit.now
        edit.changed = True


def _message(edit: Edit, row: Forwarding) -> OutboxMessage:
    return OutboxMessage(
        key=f"msg_{uuid.uuid4().hex}",
        forwarding_id=row.id,
        payload=_payload(edit.ticket),
        due_at=edit.now,
        attempts=0,
        state=delivery.WAITING,
    )


def _payload(ticket: Ticket) -> dict[str, Any]:
    """What the agency is told: the report as it was verified, nothing about the reporter."""
    said = _override_of(ticket)
    return {
        "ticket": ticket.number,
        "topic": ticket.topic,
        "category": ticket.category,
        "place": ticket.place,
        "narrative": ticket.narrative,
        "verification": str(ticket.verification),
        "override": said and {"by": said.by, "why": said.why},
    }
