"""web: calls, for desks and programs: what is known of them, and the operator's verdict."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from calls import search_store
from calls.disposition import Disposition
from calls.stages import Outcome, Stage
from db.engine import reading_session
from db.models import Call, Note, Recording, RecordingGap, Ticket
from people.person import Person
from people.rights import CHANGE, READ, Resource, Role
from people.rights import may as allowed
from tickets import search_store as tickets_search
from tickets import store as tickets
from web import paging, shapes, store, tickets_api
from web.access import may
from web.house import House
from web.recordings_api import INSIDE
from web.shapes import row

CallSaid: Any = shapes.model_of(Call, "CallSaid")
NoteSaid: Any = shapes.model_of(Note, "NoteSaid", without=("call_id",))
TicketOfCall: Any = shapes.model_of(Ticket, "TicketOfCall", forwardings=list[dict[str, Any]])
GapSaid: Any = shapes.model_of(RecordingGap, "GapSaid", without=("id", "recording_id"))
RecordingOfCall: Any = shapes.model_of(Recording, "RecordingOfCall", without=INSIDE, gaps=list[GapSaid])
#: `recordings`: none for whom they are not
WholeCall: Any = shapes.model_of(
    Call, "WholeCall", notes=list[NoteSaid], tickets=list[TicketOfCall], recordings=list[RecordingOfCall])
Reader = Annotated[Person, may(READ, Resource.CALLS)]


def router(house: House) -> APIRouter:
    """Routes under /api/calls."""
    routes = APIRouter(prefix="/calls")

    @routes.get("", response_model=paging.Page[CallSaid], summary="Calls, the newest first")
    async def newest(
        who: Reader, limit: paging.Limit = 50, after: paging.After = None,
        since: Annotated[shapes.When | None, Query(alias="from", description="Arrived not before")] = None,
        until: Annotated[shapes.When | None, Query(alias="to", description="Arrived before")] = None,
        operator: Annotated[shapes.Line | None, Query(description="Who answered")] = None,
        number: Annotated[shapes.Line | None, Query(description="The caller's, or a part of it")] = None,
        outcome: Outcome | None = None, disposition: Disposition | None = None, stage: Stage | None = None,
        topic: Annotated[shapes.Topic | None, Query()] = None,
    ) -> Any:
        """The newest first."""
        wanted = search_store.Wanted(number, stage, topic, operator, outcome, disposition, since, until)
        key: Any = paging.key(after, datetime, str)
        async with reading_session(house.sessions) as session:
            found = await search_store.page(session, wanted, limit=limit + 1, before=key)
        return paging.page(found, limit, lambda call: (call.arrived_at, call.id))

    @routes.get("/{call_id}", response_model=WholeCall, summary="One call with all that is known of it")
    async def one(who: Reader, call_id: shapes.CallId) -> Any:
        """With its journal, its tickets and, for who may read them, its recordings."""
        return await _whole(house, call_id, who)

    @routes.post("/{call_id}/disposition", response_model=WholeCall, summary="Say what the call was")
    async def disposition(
        who: Annotated[Person, may(CHANGE, Resource.CALLS)], call_id: shapes.CallId, body: shapes.DispositionBody
    ) -> Any:
        """The verdict of the operator who answered, when the call has ended; a supervisor may give it on any call.
        Given again, the later one counts; the audit keeps both."""
        await store.dispose(
            house.sessions, call_id, body.disposition, who.name, datetime.now(UTC),
            any_call=who.role is not Role.OPERATOR)
        house.journal.note("disposition", call_id, disposition=str(body.disposition), by=who.name)
        return await _whole(house, call_id, who)

    return routes


async def _whole(house: House, call_id: str, who: Person) -> dict[str, Any]:
    """The call with its journal, its tickets and, for who may read them, its recordings."""
    async with reading_session(house.sessions) as session:
        call = await store.call(session, call_id)
        reports = await tickets.tickets_of(session, call_id)
        recordings = await store.recordings(session, call_id) if allowed(who.role, READ, Resource.RECORDINGS) else []
        forwardings = await tickets_search.forwardings_of(session, [ticket.id for ticket in reports])
        return row(call) | {
            "notes": [row(note, without=frozenset({"call_id"})) for note in await store.notes(session, call_id)],
            "tickets": [
                row(ticket) | {"forwardings": [tickets_api.told(*each) for each in forwardings[ticket.id]]}
                for ticket in reports
            ],
            "recordings": [
                row(recording, INSIDE) | {"gaps": [row(gap, without=frozenset({"id", "recording_id"})) for gap in gaps]}
                for recording, gaps in recordings
            ],
        }
