"""web: calls, for desks and programs: what is known of them, and the operator's verdict."""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter

from db.engine import reading_session
from tickets import store as tickets
from web import shapes, store, tickets_api
from web.house import House
from web.shapes import row


def router(house: House) -> APIRouter:
    """Routes under /api/calls."""
    routes = APIRouter(prefix="/calls")

    @routes.get("")
    async def newest(limit: shapes.Limit = 50) -> dict[str, Any]:
        async with reading_session(house.sessions) as session:
            return {"calls": [row(call) for call in await store.calls(session, limit)]}

    @routes.get("/{call_id}")
    async def one(call_id: shapes.CallId) -> dict[str, Any]:
        return await _whole(house, call_id)

    @routes.post("/{call_id}/disposition")
    async def disposition(call_id: shapes.CallId, body: shapes.DispositionBody) -> dict[str, Any]:
        await store.dispose(house.sessions, call_id, body.disposition, body.by, datetime.now(UTC))
        house.journal.note("disposition", call_id, disposition=str(body.disposition), by=body.by)
        return await _whole(house, call_id)

    return routes


async def _whole(house: House, call_id: str) -> dict[str, Any]:
    """The call with its journal, its tickets and its recordings."""
    async with reading_session(house.sessions) as session:
        call = await store.call(session, call_id)
        return row(call) | {
            "notes": [row(note, without=frozenset({"call_id"})) for note in await store.notes(session, call_id)],
            "tickets": [
                row(ticket) | {"forwardings": await tickets_api.forwardings(session, ticket.id)}
                for ticket in await tickets.tickets_of(session, call_id)
            ],
            "recordings": [
                row(recording) | {"gaps": [row(gap, without=frozenset({"id", "recording_id"})) for gap in gaps]}
                for recording, gaps in await store.recordings(session, call_id)
            ],
        }
