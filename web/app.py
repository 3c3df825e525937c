"""web: all doors in one frame."""

from datetime import UTC, datetime

from fastapi import APIRouter, FastAPI

from people import store as people
from people.person import Person
from web import (
    acknowledge,
    agencies_api,
    areas_api,
    audit_api,
    callbacks_api,
    calls_api,
    desks_api,
    events_api,
    manual,
    merge_api,
    problems,
    recordings_api,
    roster_api,
    search_api,
    setup_api,
    shapes,
    ticket_extras_api,
    tickets_api,
    users_api,
    visitors,
)
from web.doorframe import Doorframe
from web.house import House
from web.idempotency import Idempotency
from web.openapi import Described

#: Bytes of the longest body that a route takes, if it does not say otherwise (`max_body_size=`).
LONGEST_BODY = 65_536


def make_app(house: House) -> FastAPI:
    """The ASGI application; `web.server.serve` serves it."""
    app = Described(
        title="Kentongan", version="1", docs_url=None, redoc_url=None, redirect_slashes=False,
        exception_handlers=problems.HANDLERS,
        # its exporters would carry addresses (a link's token) and texts of errors out of the house
        telemetry={
            "tracing": False, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": False})

    async def person_of(token: str) -> Person | None:
        return await people.person_of(house.sessions, token, _now())

    app.add_middleware(Idempotency, sessions=house.sessions, longest=shapes.LONGEST_UPLOAD, now=_now)
    app.add_middleware(Doorframe, api_token=house.api_token, person_of=person_of)
    app.include_router(visitors.router(house), include_in_schema=False)
    app.include_router(manual.router())
    app.include_router(acknowledge.router(house), include_in_schema=False, max_body_size=LONGEST_BODY)
    api = APIRouter(prefix="/api")
    for room in (
        calls_api, desks_api, search_api, tickets_api, ticket_extras_api, merge_api, agencies_api, areas_api,
        recordings_api, callbacks_api, events_api, users_api, audit_api, roster_api, setup_api):
        api.include_router(room.router(house))
    app.include_router(api, max_body_size=LONGEST_BODY)
    return app


def _now() -> datetime:
    return datetime.now(UTC)
