"""web: what belongs to a ticket: notes, files, its calls; with those of the tickets that went into it.

An agency's people see the files of what was forwarded to their agency, of a merged ticket those of the parts that were;
notes and calls are for the house.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from db.engine import reading_session
from db.models import Attachment, Ticket, TicketNote
from people.person import Person
from people.rights import CHANGE, READ, Resource, Role
from tickets import attachments, extras_store, links, photos, remarks
from tickets import store as tickets
from web import files, paging, shapes, ticket_shapes
from web.access import may
from web.house import House
from web.shapes import row

Reader = Annotated[Person, may(READ, Resource.TICKETS)]
Changer = Annotated[Person, may(CHANGE, Resource.TICKETS)]
NoteReader = Annotated[Person, may(READ, Resource.NOTES)]
Noter = Annotated[Person, may(CHANGE, Resource.NOTES)]
CallReader = Annotated[Person, may(READ, Resource.CALLS)]
AttachmentId = Annotated[int, Path(ge=1, le=2**31 - 1)]
Title = Annotated[shapes.Line, Query(description="What people call the file; never part of a path")]

#: `ticket`: the number of the one it was written to, which may have gone into the one that is asked for
Remark: Any = shapes.model_of(TicketNote, "Remark", without={"ticket_id"}, ticket=str)
File: Any = shapes.model_of(Attachment, "File", without={"ticket_id"}, ticket=str, who=str | None)

_SENT: dict[int | str, dict[str, Any]] = {
    200: {"model": File, "description": "The ticket has this very file already"},
    415: {"description": "Files of this kind are not kept"}}
_BYTES = {"content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in photos.ENDINGS}}
_FILE: dict[int | str, dict[str, Any]] = files.RANGES | {
    200: {"description": "The file as it was sent"} | _BYTES, 206: files.RANGES[206] | _BYTES}


class RemarkBody(shapes.Body):
    """What is to be remembered."""

    text: shapes.Reason


class Link(shapes.Answer):
    """A call of the ticket; `linked_by`: who found that it is one, null if the call opened the ticket."""

    call_id: str
    linked_by: str | None


class Links(shapes.Answer):
    """All of them."""

    items: list[Link]


def router(house: House) -> APIRouter:
    """Routes under /api/tickets/{ticket_id}."""
    routes = APIRouter(prefix="/tickets/{ticket_id}")
    shelf = attachments.Shelf(house.data / "attachments")

    @routes.get("/notes", response_model=paging.Page[Remark], summary="The notes on a ticket")
    async def notes(
        who: NoteReader, ticket_id: shapes.TicketId, limit: paging.Limit = 50, after: paging.After = None
    ) -> Any:
        key = paging.key(after, int)
        async with reading_session(house.sessions) as session:
            of = await _ids(session, who, ticket_id)
            found = await extras_store.remarks(session, of, limit + 1, key[0] if key else None)
        return paging.page([row(note) | {"ticket": number} for note, number in found], limit, lambda one: (one["id"],))

    @routes.post("/notes", status_code=201, response_model=Remark, summary="Add a note to a ticket")
    async def note(who: Noter, ticket_id: shapes.TicketId, body: RemarkBody) -> Any:
        """Notes are only ever added; they are no change of the ticket, so nobody who writes it must look again."""
        made = await remarks.add(house.sessions, ticket_id, body.text, by=who.name, now=_now())
        async with reading_session(house.sessions) as session:
            return row(made) | {"ticket": (await tickets.ticket(session, ticket_id)).number}

    @routes.get("/attachments", response_model=paging.Page[File], summary="The attachments of a ticket")
    async def attached(
        who: Reader, ticket_id: shapes.TicketId, limit: paging.Limit = 50, after: paging.After = None
    ) -> Any:
        key = paging.key(after, int)
        async with reading_session(house.sessions) as session:
            of = await _ids(session, who, ticket_id)
            found = await extras_store.attachments(session, of, limit + 1, key[0] if key else None)
        said = [ticket_shapes.read_by(who, row(file) | {"ticket": number}) for file, number in found]
        return paging.page(said, limit, lambda one: (one["id"],))

    @routes.post("/attachments", status_code=201, response_model=File, responses=_SENT,
                 summary="Attach a file to a ticket",
                 openapi_extra={"requestBody": _BYTES}, max_body_size=attachments.LONGEST)
    async def attach(
        who: Changer, ticket_id: shapes.TicketId, data: Annotated[bytes, Body(media_type="image/jpeg")],
        response: Response, title: Title = "",
    ) -> Any:
        """The body is the file itself. What kind it is, is found by looking into it; it is kept as it is."""
        made, is_new = await shelf.add(house.sessions, ticket_id, data, title, by=who.name, now=_now())
        response.status_code = 201 if is_new else 200
        async with reading_session(house.sessions) as session:
            return row(made) | {"ticket": (await tickets.ticket(session, ticket_id)).number}

    @routes.get(
        "/attachments/{attachment_id}", response_class=files.Stored, status_code=200, responses=_FILE,
        summary="An attachment's file")
    async def file(who: Reader, ticket_id: shapes.TicketId, attachment_id: AttachmentId) -> Response:
        async with reading_session(house.sessions) as session:
            of = await _ids(session, who, ticket_id)
            found, number = await extras_store.attachment(session, of, attachment_id)
        path = await shelf.whole(found.sha256, found.size)
        ours = f"{number}-{found.id}.{photos.ENDINGS[found.media_type]}"
        return files.Stored(
            path, sha256=found.sha256, size=found.size, media_type=found.media_type, filename=ours)

    @routes.get("/calls", response_model=Links, summary="The calls that a ticket is about")
    async def calls(who: CallReader, ticket_id: shapes.TicketId) -> Any:
        async with reading_session(house.sessions) as session:
            await tickets.ticket(session, ticket_id)
            return {"items": [row(link) for link in await extras_store.links(session, ticket_id)]}

    @routes.put("/calls/{call_id}", response_model=Links, summary="Link a call to a ticket")
    async def link(who: Changer, ticket_id: shapes.TicketId, call_id: shapes.CallId) -> Any:
        await links.link(house.sessions, ticket_id, call_id, by=who.name, now=_now())
        return await calls(who, ticket_id)

    @routes.delete("/calls/{call_id}", response_model=Links, summary="Take a call off a ticket again")
    async def unlink(who: Changer, ticket_id: shapes.TicketId, call_id: shapes.CallId) -> Any:
        """The call that opened a ticket stays with it."""
        await links.unlink(house.sessions, ticket_id, call_id, by=who.name, now=_now())
        return await calls(who, ticket_id)

    return routes


async def visible(session: AsyncSession, who: Person, ticket_id: int) -> Sequence[Ticket]:
    """The ticket and what went into it, as far as it is theirs to see. Raises tickets.store.Unknown."""
    family = await extras_store.family(session, ticket_id)
    if who.role is not Role.AGENCY:
        return family
    told = [one for one in family if await extras_store.is_forwarded_to(session, one.id, who.agency)]
    if not told or told[0].id != ticket_id:
        raise tickets.Unknown(f"there is no ticket {ticket_id}")
    return told


async def _ids(session: AsyncSession, who: Person, ticket_id: int) -> list[int]:
    return [ticket.id for ticket in await visible(session, who, ticket_id)]


def _now() -> datetime:
    return datetime.now(UTC)
