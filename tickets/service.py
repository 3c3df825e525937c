"""tickets: what operators do with a ticket. Each function is one transaction with its history.

`by` is who does it (an operator's name), `now` the moment, `version` the one they have seen: if somebody
changed the ticket since, `Conflict` is raised. All return the ticket as it then stands. After an exception
(`Conflict`, `IllegalStep`, `Refused`, `Incomplete`, `NotForwardable`, `store.Unknown`) nothing has changed; its text
says what to do.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from db.models import Agency, CallTicket, Ticket
from tickets import clocks, fields, filling, forwarding, lifecycle, numbers, setup_store, store, telling, whom
from tickets.edit import Conflict, Edit, Sessions, editing
from tickets.filling import Incomplete
from tickets.forwarding import Override
from tickets.lifecycle import IllegalStep
from tickets.refused import Refused
from tickets.sources import CALL, Source
from tickets.told import override_of
from tickets.verification import A1, CHECKING, OPEN, Verification
from tickets.verification import step as verification_step

__all__ = [
    "Conflict",
    "IllegalStep",
    "Incomplete",
    "NotForwardable",
    "Refused",
    "agency_said",
    "begin_check",
    "close",
    "fill",
    "forward",
    "open_ticket",
    "override",
    "proposed_agencies",
    "reopen",
    "verify",
]


class NotForwardable(Exception):
    """Neither A1 nor an override; the text is for the operator."""


async def open_ticket(
    sessions: Sessions,
    *,
    service: str,
    source: Source,
    calls: Sequence[str] = (),
    values: Mapping[str, Any] | None = None,
    by: str,
    now: datetime,
) -> Ticket:
    """A ticket that a person opens: a report that came without a call, or one more out of a call.

    Its number takes its month from `now`, in the zone of `now`. Its clock runs from the report's arrival: of the first
    of the calls, whose number is the reporter's if `values` (as for `fill`) does not say another.
    """
    call_ids = list(dict.fromkeys(calls))
    if source is CALL and not call_ids:
        raise Refused("calls", "a report that came by a call names the call")
    async with sessions.begin() as session:
        found = await setup_store.services_by_code(session)
        if service not in found or not found[service].active:
            offered = ", ".join(code for code, one in found.items() if one.active)
            raise Refused("service", f"there is no such service; there are: {offered}")
        known = {call.id: call for call in await store.calls(session, call_ids)}
        if unknown := [call_id for call_id in call_ids if call_id not in known]:
            raise Refused(f"calls.{call_ids.index(unknown[0])}", "there is no such call")
        arrived_at = min([now, *(call.arrived_at for call in known.values())])
        series = numbers.series(found[service].prefix, now)
        ticket = Ticket(
            number=await (await session.connection()).run_sync(store.next_number, series),
            service=service,
            source=source.value,
            lifecycle=lifecycle.DRAFT.value,
            verification=OPEN.value,
            topic="any",
            answers={},
            form={},
            due_at=clocks.after(arrived_at, found[service].handle_for),
            created_at=now,
            updated_at=now,
            version=1,
        )
        session.add(ticket)
        await session.flush()
        session.add_all(CallTicket(call_id=call_id, ticket_id=ticket.id, linked_by=by) for call_id in call_ids)
        edit = Edit(session, ticket, by, now)
        edit.note("lifecycle", None, lifecycle.DRAFT, " ".join([source, *call_ids]))
        edit.take_up()
        number = known[call_ids[0]].caller_number if call_ids else None
        await filling.write(edit, ({"reporter_number": number} if number else {}) | dict(values or {}))
        await edit.trail.seal_in(session)
        session.expunge(ticket)
    return ticket


async def fill(
    sessions: Sessions,
    ticket_id: int,
    values: Mapping[str, Any],
    *,
    by: str,
    now: datetime,
    version: int | None = None,
) -> Ticket:
    """Write fields of the ticket, as tickets.fields describes them. Blanks empty a field; what A1 rests on cannot be
    emptied any more (Incomplete)."""
    async with editing(sessions, ticket_id, by, now, version) as edit:
        edit.take_up()
        await filling.write(edit, values)
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
    """The check's result: A1, NOT_TRUE or CANNOT_BE_CHECKED, and how it was found. A1 raises Incomplete.

    Without words, those of an earlier verdict stay; but A1 rests on its own, or on the answers its script requires.
    """
    if result is CHECKING:
        raise ValueError("a check ends with A1, NOT_TRUE or CANNOT_BE_CHECKED; begin_check begins it")
    async with editing(sessions, ticket_id, by, now, version) as edit:
        edit.take_up()
        said = fields.text("evidence", evidence)
        if said is not None or result is A1:
            edit.put("evidence", said)
        if result is A1:
            await _require_whole(edit)
        _verification(edit, result)
        edit.ticket.verified_at, edit.ticket.verified_by = now, by
    return edit.ticket


async def override(
    sessions: Sessions, ticket_id: int, why: str, *, by: str, now: datetime, version: int | None = None
) -> Ticket:
    """Let it be forwarded without A1: danger to life. Stands in the history for ever."""
    said = Override(by, fields.text("reason", why) or "")
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
        raise Refused("agencies", "forward to whom? name at least one agency")
    async with editing(sessions, ticket_id, by, now, version) as edit:
        edit.take_up()
        reason = forwarding.why_not(Verification(edit.ticket.verification), override_of(edit.ticket))
        if reason is not None:
            raise NotForwardable(f"ticket {edit.ticket.number} cannot be forwarded: {reason}")
        told = {agency.code: row for row, agency in await store.forwardings_of(edit.session, ticket_id)}
        for code in codes:
            agency = await store.agency(edit.session, code)
            if code in told:
                await telling.tell_again(edit, told[code], agency)
            else:
                await telling.tell(edit, agency)
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
    version: int | None = None,
) -> Ticket:
    """What an agency told the operator by other ways than its link: accepted, on the way, done, refused."""
    if to in (forwarding.QUEUED, forwarding.SENT):
        raise Refused("state", "an agency says accepted, on the way, done or refused")
    said = fields.text("why", why)
    async with sessions() as session:
        row, _ = await store.forwarding(session, forwarding_id)
    async with editing(sessions, row.ticket_id, by, now, version) as edit:
        row, agency = await store.forwarding(edit.session, forwarding_id)
        await edit.advance(row, agency, to, said)
        if to is forwarding.ACCEPTED:
            row.accepted_at, row.accepted_by = now, by
        elif to is forwarding.REFUSED:
            row.accepted_at = row.accepted_by = None
        edit.changed = True
    return edit.ticket


async def close(
    sessions: Sessions, ticket_id: int, why: str, *, by: str, now: datetime, version: int | None = None
) -> Ticket:
    """Nothing more is to be done, and why."""
    reason = _reason(why, "a ticket is closed with a reason; write one")
    async with editing(sessions, ticket_id, by, now, version) as edit:
        edit.enter(lifecycle.CLOSED, reason)
    return edit.ticket


async def reopen(
    sessions: Sessions, ticket_id: int, why: str, *, by: str, now: datetime, version: int | None = None
) -> Ticket:
    """There is more to be done after all, and why; it stands then where its agencies are."""
    reason = _reason(why, "a ticket is reopened with a reason; write one")
    async with editing(sessions, ticket_id, by, now, version) as edit:
        if edit.ticket.merged_into is not None:
            raise IllegalStep(f"ticket {edit.ticket.number} was merged; what goes on is the ticket it went into")
        if edit.ticket.lifecycle != lifecycle.CLOSED:
            raise IllegalStep(f"ticket {edit.ticket.number} is not closed")
        rows = await store.forwardings_of(edit.session, ticket_id)
        edit.enter(lifecycle.reopened(forwarding.State(row.state) for row, _ in rows), reason)
    return edit.ticket


async def proposed_agencies(session: AsyncSession, ticket: Ticket, at: time) -> list[Agency]:
    """Whom the rules propose for it, the closest first; `at` is local wall time. The operator decides."""
    rules, agencies = await setup_store.rules_in_force(session)
    matter = whom.Matter(ticket.service, ticket.topic, ticket.subdistrict, ticket.village)
    return [agencies[code] for code in whom.agencies_for(rules, matter, at)]


def _reason(why: str, needed: str) -> str:
    reason = fields.text("reason", why)
    if reason is None:
        raise Refused("reason", needed)
    return reason


def _verification(edit: Edit, to: Verification) -> None:
    edit.put("verification", verification_step(Verification(edit.ticket.verification), to))


async def _require_whole(edit: Edit) -> None:
    if missing := await filling.missing(edit.session, edit.ticket):
        raise Incomplete(missing)
