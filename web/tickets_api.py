"""web: tickets, for desks and programs. Each route is one step of `tickets.service`; the answer is the ticket as it
then stands, with everybody it was forwarded to."""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession

from db.engine import reading_session
from tickets import service
from tickets import store as tickets
from tickets.verification import Verification
from web import shapes
from web.house import House
from web.shapes import row


def router(house: House) -> APIRouter:
    """Routes under /api/tickets."""
    routes = APIRouter(prefix="/tickets/{ticket_id}")

    async def answer(ticket_id: int) -> dict[str, Any]:
        async with reading_session(house.sessions) as session:
            ticket = await tickets.ticket(session, ticket_id)
            return row(ticket) | {
                "calls": list(await tickets.calls_of(session, ticket_id)),
                "forwardings": await forwardings(session, ticket_id),
                "history": [row(step, without=_SEALED) for step in await tickets.history(session, ticket_id)],
            }

    @routes.get("")
    async def one(ticket_id: shapes.TicketId) -> dict[str, Any]:
        return await answer(ticket_id)

    @routes.patch("")
    async def fill(ticket_id: shapes.TicketId, body: shapes.FormBody) -> dict[str, Any]:
        await service.fill(house.sessions, ticket_id, body.given(), by=body.by, now=_now(), version=body.version)
        return await answer(ticket_id)

    @routes.post("/verification")
    async def verification(ticket_id: shapes.TicketId, body: shapes.VerificationBody) -> dict[str, Any]:
        if body.result is Verification.CHECKING:
            await service.begin_check(house.sessions, ticket_id, by=body.by, now=_now(), version=body.version)
        else:
            await service.verify(house.sessions, ticket_id, body.result, body.evidence, by=body.by, now=_now(),
                                 version=body.version)
        return await answer(ticket_id)

    @routes.post("/override")
    async def override(ticket_id: shapes.TicketId, body: shapes.OverrideBody) -> dict[str, Any]:
        await service.override(house.sessions, ticket_id, body.reason, by=body.by, now=_now(), version=body.version)
        return await answer(ticket_id)

    @routes.post("/forward")
    async def forward(ticket_id: shapes.TicketId, body: shapes.ForwardBody) -> dict[str, Any]:
        await service.forward(house.sessions, ticket_id, body.agencies, by=body.by, now=_now(), version=body.version)
        house.wake_outbox.set()
        return await answer(ticket_id)

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
