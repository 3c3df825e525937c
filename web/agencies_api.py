"""web: agencies: who they are, and where their reports are posted."""

import base64
import secrets
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Response

from db.engine import reading_session
from db.models import Agency
from people.person import Person
from people.rights import CHANGE, READ, Resource
from web import etags, shapes, store
from web.access import may
from web.house import House
from web.shapes import row

Reader = Annotated[Person, may(READ, Resource.AGENCIES)]


def router(house: House) -> APIRouter:
    """Routes under /api/agencies."""
    routes = APIRouter(prefix="/agencies")

    @routes.get("")
    async def everybody(who: Reader) -> dict[str, Any]:
        async with reading_session(house.sessions) as session:
            return {"items": [_said(agency) for agency in await store.agencies(session)], "next": None}

    @routes.get("/{code}")
    async def one(who: Reader, code: shapes.AgencyCode, response: Response) -> dict[str, Any]:
        async with reading_session(house.sessions) as session:
            agency = await store.agency(session, code)
        etags.tag(response, agency.version)
        return _said(agency)

    @routes.put("/{code}")
    async def put(
        who: Annotated[Person, may(CHANGE, Resource.AGENCIES)], code: shapes.AgencyCode, seen: etags.SeenIfAny,
        body: shapes.AgencyBody, response: Response,
    ) -> dict[str, Any]:
        """Change one (with If-Match), or make one. A signing secret that we make is told in this answer, never more."""
        new_secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        agency, is_new, made = await store.set_agency(
            house.sessions, code, body.model_dump(), new_secret, seen, who.name, datetime.now(UTC))
        house.wake_outbox.set()                     # reports may have waited for an address
        response.status_code = 201 if is_new else 200
        etags.tag(response, agency.version)
        return _said(agency) | ({"secret": new_secret} if made else {})

    return routes


def _said(agency: Agency) -> dict[str, Any]:
    return row(agency, without=frozenset({"id", "secret"})) | {"has_secret": agency.secret is not None}
