"""web: agencies: who they are, and where their reports are posted."""

import base64
import secrets
from typing import Any

from fastapi import APIRouter, Response

from db.engine import reading_session
from db.models import Agency
from tickets import store as tickets
from web import shapes, store
from web.house import House
from web.shapes import row


def router(house: House) -> APIRouter:
    """Routes under /api/agencies."""
    routes = APIRouter(prefix="/agencies")

    @routes.get("")
    async def everybody() -> dict[str, Any]:
        async with reading_session(house.sessions) as session:
            return {"agencies": [_said(agency) for agency in await tickets.agencies(session)]}

    @routes.put("/{code}")
    async def put(code: shapes.AgencyCode, body: shapes.AgencyBody, response: Response) -> dict[str, Any]:
        """A signing secret that we make is told in this answer and never again."""
        new_secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        agency, is_new, made = await store.set_agency(
            house.sessions, code, body.name, body.url, body.topics, body.secret, new_secret)
        house.wake_outbox.set()                     # reports may have waited for an address
        response.status_code = 201 if is_new else 200
        return _said(agency) | ({"secret": new_secret} if made else {})

    return routes


def _said(agency: Agency) -> dict[str, Any]:
    return row(agency, without=frozenset({"id", "secret"})) | {"has_secret": agency.secret is not None}
