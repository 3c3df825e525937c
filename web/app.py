"""web: all doors in one frame."""

from datetime import UTC, datetime

from fastapi import APIRouter, FastAPI

from people import store as people
from people.person import Person
from web import acknowledge, agencies_api, calls_api, desks_api, problems, tickets_api, visitors
from web.doorframe import Doorframe
from web.house import House

#: Bytes of the longest body that anybody has to send us.
LONGEST_BODY = 65_536


def make_app(house: House) -> FastAPI:
    """The ASGI application; `web.server.serve` serves it."""
    app = FastAPI(
        title="Kentongan", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False,
        exception_handlers=problems.HANDLERS, max_body_size=LONGEST_BODY,
        # its exporters would carry addresses (a link's token) and texts of errors out of the house
        telemetry={
            "tracing": False, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": False})

    async def person_of(token: str) -> Person | None:
        return await people.person_of(house.sessions, token, datetime.now(UTC))

    app.add_middleware(Doorframe, api_token=house.api_token, person_of=person_of)
    app.include_router(visitors.router(house))
    app.include_router(acknowledge.router(house))
    api = APIRouter(prefix="/api")
    for room in (calls_api, desks_api, tickets_api, agencies_api):
        api.include_router(room.router(house))
    app.include_router(api)
    return app
