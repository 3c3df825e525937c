"""web: tickets as a list, filtered and searched, for desks, agencies and programs."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from db.engine import reading_session
from people.person import Person
from people.rights import READ, Resource, Role
from tickets import search_store
from tickets.lifecycle import Lifecycle
from tickets.sources import Source
from tickets.verification import Verification
from web import paging, shapes, ticket_shapes
from web.access import Forbidden, may
from web.house import House

Reader = Annotated[Person, may(READ, Resource.TICKETS)]
Code = Annotated[shapes.Code | None, Query()]
AreaCode = Annotated[str | None, Query(pattern=r"^[0-9A-Za-z.-]{1,32}$")]


class Told(shapes.Answer):
    """How far one agency is with a ticket."""

    agency: str
    state: str


class TicketLine(shapes.Answer):
    """A ticket in a list."""

    id: int
    number: str
    service: str
    source: Source
    lifecycle: Lifecycle
    verification: Verification
    topic: str
    category: str | None
    subdistrict: str | None
    village: str | None
    place: str | None
    latitude: float | None
    longitude: float | None
    #: its first 200 characters
    narrative: str | None
    #: null for an agency's person
    reporter_name: str | None = None
    reporter_number: str | None = None
    subject_name: str | None = None
    subject_number: str | None = None
    #: who let it be forwarded before A1
    override_by: str | None
    merged_into: int | None
    due_at: shapes.Moment | None
    created_at: shapes.Moment
    updated_at: shapes.Moment
    version: int
    #: how many calls belong to it; not told to an agency's person: 0
    calls: int
    agencies: list[Told]


def router(house: House) -> APIRouter:
    """The route GET /api/tickets."""
    routes = APIRouter(prefix="/tickets")

    @routes.get("", response_model=paging.Page[TicketLine], summary="Tickets, found by words and filters")
    async def newest(
        who: Reader, limit: paging.Limit = 50, after: paging.After = None,
        q: Annotated[str, Query(max_length=10_000, description=(
            "Words, a ticket's number, telephone numbers or parts of them. All must be there; a word of three "
            "characters or more also finds longer ones that begin so"))] = "",
        lifecycle: Annotated[Sequence[Lifecycle], Query(description="Any of these")] = (),
        verification: Verification | None = None,
        service: Code = None, topic: Code = None, category: Code = None,
        agency: Annotated[shapes.Code | None, Query(description="Forwarded to it")] = None,
        subdistrict: AreaCode = None, village: AreaCode = None,
        operator: Annotated[shapes.Line | None, Query(description="Who answered one of its calls")] = None,
        since: Annotated[shapes.When | None, Query(alias="from", description="Created not before")] = None,
        until: Annotated[shapes.When | None, Query(alias="to", description="Created before")] = None,
        late: Annotated[bool, Query(description="Only those whose clock has run out, not done and not closed")] = False,
        merged: Annotated[bool, Query(description="Also those that go on in another ticket")] = False,
    ) -> Any:
        """The newest first. An agency's people see what was forwarded to it, and nothing about who reported."""
        if who.role is Role.AGENCY and (operator is not None or agency not in (None, who.agency)):
            raise Forbidden("your list has what was forwarded to your own agency; by another agency, or by who "
                            "answered the calls, only the house looks: leave `operator` and `agency` out")
        wanted = search_store.Wanted(
            q=q, lifecycles=lifecycle, verification=verification, service=service, topic=topic, category=category,
            subdistrict=subdistrict, village=village, agency=agency, operator=operator, created_from=since,
            created_to=until, late=late, merged=merged)
        key = paging.key(after, int)
        async with reading_session(house.sessions) as session:
            found = await search_store.page(
                session, wanted, now=datetime.now(UTC), limit=limit + 1, before=key[0] if key else None,
                seen_by=(who.agency or "") if who.role is Role.AGENCY else None)
        said = [ticket_shapes.read_by(who, _line(line)) for line in found]
        return paging.page(said, limit, lambda line: (line["id"],))

    return routes


def _line(line: search_store.Line) -> dict[str, Any]:
    told = [{"agency": one.agency, "state": one.state} for one in line.agencies]
    return {**line.ticket._mapping, "calls": line.calls, "agencies": told}
