"""web: the link by which an agency says that it has a report. Who has the link may look and accept, and nothing else.

Looking changes nothing: mail and chat programs open links by themselves.
"""

from datetime import UTC, datetime
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from db.engine import reading_session
from tickets import acknowledge, link, setup_store
from tickets import store as tickets
from tickets.told import told
from web import pages, problems
from web.house import House
from web.shapes import moment

_LONGEST_NAME = 100


def router(house: House) -> APIRouter:
    """/a/{token}"""
    routes = APIRouter(prefix="/a")
    secret = house.link_secret.encode()

    async def report(token: str) -> pages.Report:
        """What stands behind the link. Raises tickets.store.Unknown."""
        if (forwarding_id := link.forwarding_of(secret, token)) is None:
            raise tickets.Unknown("this link is not one of ours; check that it was copied whole")
        async with reading_session(house.sessions) as session:
            forwarding, agency = await tickets.forwarding(session, forwarding_id)
            ticket = await tickets.ticket(session, forwarding.ticket_id)
            about = await setup_store.about(session, ticket)
        at = forwarding.accepted_at
        return pages.Report(
            told(ticket, about), agency.name, at and at.astimezone(house.timezone), forwarding.accepted_by)

    @routes.get("/{token}")
    async def look(token: str, request: Request) -> Response:
        try:
            return HTMLResponse(pages.report_page(await report(token)))
        except tickets.Unknown as unknown:
            return _no_such_link(request, unknown)

    @routes.post("/{token}")
    async def accept(token: str, request: Request) -> Response:
        by = _name(await request.body())
        try:
            done = await acknowledge.acknowledge(house.sessions, token, secret, by, datetime.now(UTC))
        except tickets.Unknown as unknown:
            return _no_such_link(request, unknown)
        if _wants_json(request):
            return JSONResponse({
                "first": done.first, "ticket": done.ticket_number, "agency": done.agency_code,
                "accepted_at": moment(done.accepted_at), "accepted_by": done.accepted_by})
        thanks = "Terima kasih. Laporan sudah Anda terima." if done.first else "Laporan ini sudah diterima sebelumnya."
        return HTMLResponse(pages.report_page(await report(token), thanks))

    return routes


def _name(body: bytes) -> str:
    """The form's field `by`, without what no database and no page wants; "" if none."""
    given = parse_qs(body.decode(errors="replace")).get("by", [""])[0]
    return "".join(letter for letter in given if letter.isprintable()).strip()[:_LONGEST_NAME]


def _wants_json(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    return "application/json" in accept and "text/html" not in accept


def _no_such_link(request: Request, unknown: tickets.Unknown) -> Response:
    if _wants_json(request):
        return problems.problem(404, "unknown", "There is no such thing", str(unknown))
    return HTMLResponse(pages.wrong_link_page(), 404)
