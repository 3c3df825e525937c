"""web: agencies: who they are, and where their reports are posted."""

import base64
import secrets
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response

from db.engine import reading_session
from db.models import Agency
from people.person import Person
from people.rights import CHANGE, READ, Resource
from web import etags, shapes, store
from web.access import may
from web.house import House
from web.idempotency import told_once
from web.paging import Page
from web.shapes import row

_HIDDEN = frozenset({"id", "secret"})
AgencySaid: Any = shapes.model_of(Agency, "AgencySaid", without=_HIDDEN, has_secret=bool)
AgencyPut: Any = shapes.model_of(Agency, "AgencyPut", without=_HIDDEN, has_secret=bool, secret=(str | None, None))
Reader = Annotated[Person, may(READ, Resource.AGENCIES)]


def router(house: House) -> APIRouter:
    """Routes under /api/agencies."""
    routes = APIRouter(prefix="/agencies")

    @routes.get("", response_model=Page[AgencySaid], summary="All agencies")
    async def everybody(who: Reader) -> Any:
        """All at once, also those that are not active any more."""
        async with reading_session(house.sessions) as session:
            return {"items": [_said(agency) for agency in await store.agencies(session)], "next": None}

    @routes.get("/{code}", response_model=AgencySaid, summary="One agency")
    async def one(who: Reader, code: shapes.AgencyCode, response: Response) -> Any:
        async with reading_session(house.sessions) as session:
            agency = await store.agency(session, code)
        etags.tag(response, agency.version)
        return _said(agency)

    @routes.put("/{code}", response_model=AgencyPut, response_model_exclude_unset=True,
                summary="Make or change an agency",
                responses={201: {"model": AgencyPut, "description": "It is new"}})
    async def put(
        who: Annotated[Person, may(CHANGE, Resource.AGENCIES)], code: shapes.AgencyCode, seen: etags.SeenIfAny,
        body: shapes.AgencyBody, request: Request, response: Response,
    ) -> Any:
        """Change one (with If-Match), or make one (without). A signing secret that we make is told here, once."""
        new_secret = signing_secret()
        agency, is_new, made = await store.set_agency(
            house.sessions, code, body.model_dump(), new_secret, seen, who.name, datetime.now(UTC))
        if made:
            told_once(request)
        house.wake_outbox.set()                     # reports may have waited for an address
        response.status_code = 201 if is_new else 200
        etags.tag(response, agency.version)
        return _said(agency) | ({"secret": new_secret} if made else {})

    return routes


def signing_secret() -> str:
    """A new one, as Standard Webhooks write it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _said(agency: Agency) -> dict[str, Any]:
    return row(agency, without=_HIDDEN) | {"has_secret": agency.secret is not None}
