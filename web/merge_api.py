"""web: several tickets of one event: which are likely to be, and how one goes into another."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from db.engine import reading_session
from db.models import Ticket
from people.person import Person
from tickets import extras_store, merge, similar
from tickets import store as tickets
from web import etags, shapes, ticket_shapes
from web.house import House
from web.shapes import row
from web.ticket_extras_api import Changer, Reader, visible


class Alike(shapes.Answer):
    """A ticket that may tell of the same event, and why."""

    id: int
    number: str
    lifecycle: str
    score: float
    reasons: list[str]


class Likely(shapes.Answer):
    """The likeliest first."""

    items: list[Alike]


class MergeBody(shapes.Body):
    """The ticket that goes on."""

    into: Annotated[int, Field(ge=1, le=2**31 - 1)]


class UnmergeBody(shapes.Body):
    """Why it is another event after all."""

    reason: shapes.Reason


class Told(shapes.Answer):
    """Whom a ticket was forwarded to, and how far they are."""

    agency: str
    state: str
    accepted_at: shapes.Moment | None


class Part(shapes.Answer):
    """A ticket that went into another."""

    id: int
    number: str
    lifecycle: str
    merged_into: int | None
    version: int
    calls: list[str]
    forwardings: list[Told]


class Parts(shapes.Answer):
    """All that went in, by whatever way; `offered`: what the ticket that goes on lacks and one of them knows."""

    items: list[Part]
    offered: dict[str, Any]


class Merged(shapes.Answer):
    """The ticket that went in, the one that goes on, and what the first could give it."""

    ticket: Part
    into: Part
    offered: dict[str, Any]


def router(house: House) -> APIRouter:
    """Routes under /api/tickets/{ticket_id}."""
    routes = APIRouter(prefix="/tickets/{ticket_id}")

    @routes.get("/similar", response_model=Likely, summary="Tickets that may tell of the same event")
    async def alike(who: Changer, ticket_id: shapes.TicketId) -> Any:
        """What may tell of the same event: near in place and time, of the same kind. For those who may merge."""
        near = house.near
        async with reading_session(house.sessions) as session:
            ticket = await tickets.ticket(session, ticket_id)
            around = ticket.created_at - near.within, ticket.created_at + near.within
            found = {one.id: (one, said) for one, *said in await extras_store.reports(session, *around)}
        proposed = similar.proposals(extras_store.report_of(ticket), [one for one, _ in found.values()], near)
        return {"items": [
            {"id": one.id, "number": found[one.id][1][0], "lifecycle": found[one.id][1][1], "score": one.score,
             "reasons": one.reasons} for one in proposed]}

    @routes.post("/merge", response_model=Merged, summary="Merge a ticket into another")
    async def merge_into(
        who: Changer, ticket_id: shapes.TicketId, seen: etags.Seen, body: MergeBody, response: Response
    ) -> Any:
        """This ticket goes into another that tells of the same event: it is closed, and all of it is seen there."""
        done = await merge.merge(house.sessions, ticket_id, body.into, by=who.name, now=_now(), version=seen)
        etags.tag(response, done.ticket.version)
        async with reading_session(house.sessions) as session:
            return {"ticket": await _part(session, who, done.ticket), "into": await _part(session, who, done.into),
                    "offered": done.offered}

    @routes.post("/unmerge", response_model=Part, summary="Undo a merge")
    async def unmerge(
        who: Changer, ticket_id: shapes.TicketId, seen: etags.Seen, body: UnmergeBody, response: Response
    ) -> Any:
        """It goes on by itself again. Calls that the other got through it stay there until they are unlinked."""
        done = await merge.unmerge(house.sessions, ticket_id, body.reason, by=who.name, now=_now(), version=seen)
        etags.tag(response, done.version)
        async with reading_session(house.sessions) as session:
            return await _part(session, who, done)

    @routes.get("/merged", response_model=Parts, summary="The tickets that were merged into this one")
    async def merged(who: Reader, ticket_id: shapes.TicketId) -> Any:
        async with reading_session(house.sessions) as session:
            ticket, *parts = await visible(session, who, ticket_id)
            items = [await _part(session, who, part) for part in parts]
            return {"items": items, **ticket_shapes.read_by(who, {"offered": merge.offered(ticket, parts)})}

    return routes


async def _part(session: AsyncSession, who: Person, ticket: Ticket) -> dict[str, Any]:
    told = await tickets.forwardings_of(session, ticket.id)
    return ticket_shapes.read_by(who, row(ticket) | {
        "calls": list(await tickets.calls_of(session, ticket.id)),
        "forwardings": [row(one) | {"agency": agency.code} for one, agency in told],
    })


def _now() -> datetime:
    return datetime.now(UTC)
