"""web: tickets, for desks and programs. Each route is one step of `tickets.service`; the answer is the ticket as it
then stands, with everybody it was forwarded to, whom the rules propose, and what A1 still needs.

An agency's people see what was forwarded to their agency, and of it what tickets/told.py says.
"""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from sqlalchemy.ext.asyncio import AsyncSession

from db.engine import reading_session
from db.models import Agency, Forwarding, OutboxMessage, Ticket
from people.person import Person
from people.rights import CHANGE, READ, Resource, Role
from tickets import clocks, filling, search_store, service
from tickets import store as tickets
from tickets.forwarding import State
from tickets.lifecycle import Lifecycle
from tickets.told import is_unverified
from tickets.verification import Verification
from web import etags, ticket_shapes
from web.access import may
from web.etags import Seen
from web.house import House
from web.shapes import TicketId, row
from web.ticket_shapes import TicketSaid

Reader = Annotated[Person, may(READ, Resource.TICKETS)]
Changer = Annotated[Person, may(CHANGE, Resource.TICKETS)]
Overrider = Annotated[Person, may(CHANGE, Resource.OVERRIDE)]
ForwardingId = Annotated[int, Path(ge=1, le=2**31 - 1)]


def router(house: House) -> APIRouter:
    """Routes under /api/tickets."""
    routes = APIRouter(prefix="/tickets")

    async def answer(who: Person, ticket_id: int, response: Response) -> dict[str, Any]:
        async with reading_session(house.sessions) as session:
            ticket = await tickets.ticket(session, ticket_id)
            said = await _whole(session, ticket, house, who)
        etags.tag(response, ticket.version)
        return ticket_shapes.read_by(who, said)

    @routes.post("", status_code=201, response_model=TicketSaid, summary="Open a ticket by hand")
    async def opens(who: Changer, body: ticket_shapes.OpenBody, response: Response) -> Any:
        """A ticket that a person opens: a report that came without a call, or one more out of a call."""
        ticket = await service.open_ticket(
            house.sessions, service=body.service, source=body.source, calls=body.calls, values=body.given(),
            by=who.name, now=datetime.now(house.timezone))
        response.headers["Location"] = f"/api/tickets/{ticket.id}"
        return await answer(who, ticket.id, response)

    @routes.get("/{ticket_id}", response_model=TicketSaid, summary="One ticket with its history")
    async def one(who: Reader, ticket_id: TicketId, response: Response) -> Any:
        """An agency's people see what was forwarded to their agency."""
        return await answer(who, ticket_id, response)

    @routes.patch("/{ticket_id}", response_model=TicketSaid, summary="Fill in fields of a ticket")
    async def fill(
        who: Changer, ticket_id: TicketId, seen: Seen, body: ticket_shapes.FillBody, response: Response
    ) -> Any:
        """Write fields of the ticket; what is not given stays."""
        await service.fill(house.sessions, ticket_id, body.given(), by=who.name, now=_now(), version=seen)
        return await answer(who, ticket_id, response)

    @routes.post(
        "/{ticket_id}/verification", response_model=TicketSaid, summary="Begin to check a report, or end the check")
    async def verification(
        who: Changer, ticket_id: TicketId, seen: Seen, body: ticket_shapes.VerificationBody, response: Response
    ) -> Any:
        """A1 needs what `missing` says; the answers to the required questions of the category are its evidence."""
        if body.result is Verification.CHECKING:
            await service.begin_check(house.sessions, ticket_id, by=who.name, now=_now(), version=seen)
        else:
            await service.verify(
                house.sessions, ticket_id, body.result, body.evidence, by=who.name, now=_now(), version=seen)
        return await answer(who, ticket_id, response)

    @routes.post(
        "/{ticket_id}/override", response_model=TicketSaid, summary="Let a ticket be forwarded before it is verified")
    async def override(
        who: Overrider, ticket_id: TicketId, seen: Seen, body: ticket_shapes.ReasonBody, response: Response
    ) -> Any:
        """Danger to life: it may be forwarded before A1, marked unverified, and the name stands there for ever."""
        await service.override(house.sessions, ticket_id, body.reason, by=who.name, now=_now(), version=seen)
        return await answer(who, ticket_id, response)

    @routes.post("/{ticket_id}/forward", response_model=TicketSaid, summary="Forward a ticket to agencies")
    async def forward(
        who: Changer, ticket_id: TicketId, seen: Seen, body: ticket_shapes.ForwardBody, response: Response
    ) -> Any:
        """To all of these agencies or to none."""
        await service.forward(house.sessions, ticket_id, body.agencies, by=who.name, now=_now(), version=seen)
        house.wake_outbox.set()
        return await answer(who, ticket_id, response)

    @routes.post(
        "/{ticket_id}/forwardings/{forwarding_id}", response_model=TicketSaid, summary="Write down what an agency said")
    async def agency_said(
        who: Changer, ticket_id: TicketId, forwarding_id: ForwardingId, seen: Seen,
        body: ticket_shapes.AgencySaidBody, response: Response,
    ) -> Any:
        """What an agency said by telephone, or otherwise than by its link."""
        async with reading_session(house.sessions) as session:
            if (await tickets.forwarding(session, forwarding_id))[0].ticket_id != ticket_id:
                raise tickets.Unknown(f"ticket {ticket_id} has no forwarding {forwarding_id}")
        await service.agency_said(
            house.sessions, forwarding_id, body.state, body.why, by=who.name, now=_now(), version=seen)
        return await answer(who, ticket_id, response)

    @routes.post("/{ticket_id}/close", response_model=TicketSaid, summary="Close a ticket")
    async def close(
        who: Changer, ticket_id: TicketId, seen: Seen, body: ticket_shapes.ReasonBody, response: Response
    ) -> Any:
        """Nothing more is to be done. Not while an agency has not acknowledged."""
        await service.close(house.sessions, ticket_id, body.reason, by=who.name, now=_now(), version=seen)
        return await answer(who, ticket_id, response)

    @routes.post("/{ticket_id}/reopen", response_model=TicketSaid, summary="Reopen a ticket that was closed")
    async def reopen(
        who: Changer, ticket_id: TicketId, seen: Seen, body: ticket_shapes.ReasonBody, response: Response
    ) -> Any:
        """There is more to be done after all."""
        await service.reopen(house.sessions, ticket_id, body.reason, by=who.name, now=_now(), version=seen)
        return await answer(who, ticket_id, response)

    return routes


def told(forwarding: Forwarding, agency: Agency, message: OutboxMessage) -> dict[str, Any]:
    """Whom the ticket was forwarded to, how far they are, and how far the message that tells them; it waits for ever
    if they are not `reachable`: somebody telephones."""
    return row(forwarding, without={"ticket_id", "agency_id"}) | {
        "agency": agency.code, "agency_name": agency.name, "reachable": tickets.is_reachable(agency),
        "message": row(message, without={"id", "forwarding_id", "payload"}),
    }


async def _whole(session: AsyncSession, ticket: Ticket, house: House, who: Person) -> dict[str, Any]:
    """Raises tickets.store.Unknown for an agency's person to whose agency it was not forwarded."""
    now = datetime.now(house.timezone)
    forwardings = (await search_store.forwardings_of(session, [ticket.id]))[ticket.id]
    if who.role is Role.AGENCY:     # also what is late is then theirs alone
        forwardings = [each for each in forwardings if each[1].code == who.agency]
        if not forwardings:
            raise tickets.Unknown(f"there is no ticket {ticket.id}")
    asked = [clocks.Asked(State(one.state), one.accept_by) for one, _, _ in forwardings]
    proposed = await service.proposed_agencies(session, ticket, now.time())
    return row(ticket) | {
        "unverified": is_unverified(ticket),
        "missing": await filling.missing(session, ticket),
        "late": clocks.late(Lifecycle(ticket.lifecycle), ticket.due_at, asked, now),
        "calls": list(await tickets.calls_of(session, ticket.id)),
        "proposed": [{"agency": one.code, "name": one.name, "phone": one.phone} for one in proposed],
        "forwardings": [told(*each) for each in forwardings],
        "history": [row(step, without=_SEALED) for step in await tickets.history(session, ticket.id)],
    }


#: of a line of history: what only the audit needs
_SEALED = frozenset({"what", "which", "salt", "digest", "chain"})


def _now() -> datetime:
    return datetime.now(UTC)
