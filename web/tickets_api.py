"""web: tickets, for desks and programs. Each route is one step of `tickets.service`; the answer is the ticket as it
then stands, with everybody it was forwarded to."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Response
from sqlalchemy.ext.asyncio import AsyncSession

from db.engine import reading_session
from people.person import Person
from people.rights import CHANGE, READ, Resource, Role
from tickets import service
from tickets import store as tickets
from tickets.verification import Verification
from web import etags, shapes
from web.access import may
from web.etags import Seen
from web.house import House
from web.shapes import row

Changer = Annotated[Person, may(CHANGE, Resource.TICKETS)]


def router(house: House) -> APIRouter:
    """Routes under /api/tickets."""
    routes = APIRouter(prefix="/tickets/{ticket_id}")

    async def answer(who: Person, ticket_id: int, response: Response) -> dict[str, Any]:
        async with reading_session(house.sessions) as session:
            told = await forwardings(session, ticket_id)
            if who.role is Role.AGENCY and who.agency not in [forwarding["agency"] for forwarding in told]:
                raise tickets.Unknown(f"there is no ticket {ticket_id}")
            ticket = await tickets.ticket(session, ticket_id)
            etags.tag(response, ticket.version)
            return row(ticket) | {
                "calls": list(await tickets.calls_of(session, ticket_id)),
                "forwardings": told,
                "history": [row(step, without=_SEALED) for step in await tickets.history(session, ticket_id)],
            }

    @routes.get("")
    async def one(
        who: Annotated[Person, may(READ, Resource.TICKETS)], ticket_id: shapes.TicketId, response: Response
    ) -> dict[str, Any]:
        """An agency's people see what was forwarded to their agency."""
        return await answer(who, ticket_id, response)

    @routes.patch("")
    async def fill(
        who: Changer, ticket_id: shapes.TicketId, seen: Seen, body: shapes.FormBody, response: Response
    ) -> dict[str, Any]:
        await service.fill(house.sessions, ticket_id, body.given(), by=who.name, now=_now(), version=seen)
        return await answer(who, ticket_id, response)

    @routes.post("/verification")
    async def verification(
        who: Changer, ticket_id: shapes.TicketId, seen: Seen, body: shapes.VerificationBody, response: Response
    ) -> dict[str, Any]:
        if body.result is Verification.CHECKING:
            await service.begin_check(house.sessions, ticket_id, by=who.name, now=_now(), version=seen)
        else:
            await service.verify(
                house.sessions, ticket_id, body.result, body.evidence, by=who.name, now=_now(), version=seen)
        return await answer(who, ticket_id, response)

    @routes.post("/override")
    async def override(
        who: Annotated[Person, may(CHANGE, Resource.OVERRIDE)], ticket_id: shapes.TicketId, seen: Seen,
        body: shapes.OverrideBody, response: Response,
    ) -> dict[str, Any]:
        await service.override(house.sessions, ticket_id, body.reason, by=who.name, now=_now(), version=seen)
        return await answer(who, ticket_id, response)

    @routes.post("/forward")
    async def forward(
        who: Changer, ticket_id: shapes.TicketId, seen: Seen, body: shapes.ForwardBody, response: Response
    ) -> dict[str, Any]:
        await service.forward(house.sessions, ticket_id, body.agencies, by=who.name, now=_now(), version=seen)
        house.wake_outbox.set()
        return await answer(who, ticket_id, response)

    return routes


async def forwardings(session: AsyncSession, ticket_id: int) -> list[dict[str, Any]]:
    """Whom the ticket was forwarded to, how far each is, and how far the message that tells them."""
    told = []
    for forwarding, agency in await tickets.forwardings_of(session, ticket_id):
        message = await tickets.message_of(session, forwarding.id)
        told.append(row(forwarding, without=_OURS | {"agency_id"}) | {
            "agency": agency.code, "agency_name": agency.name,
            "message": row(message, without=_OURS | {"forwarding_id", "payload"}),
        })
    return told


#: what the answer says already, or nobody outside needs
_OURS = frozenset({"id", "ticket_id"})

#: of a line of history: what only the audit needs
_SEALED = frozenset({"what", "which", "digest", "chain"})


def _now() -> datetime:
    return datetime.now(UTC)
