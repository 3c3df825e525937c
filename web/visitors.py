"""web: the doors that stand open to everybody on the network: how the house is, in a page, in JSON and in figures."""

import time
from datetime import datetime

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from web import pages, words
from web.house import House


def router(house: House) -> APIRouter:
    """/, /healthz and /metrics: no personal data in any of them."""
    routes = APIRouter()

    @routes.get("/")
    async def status(lang: str = "id") -> Response:
        failing = [check.name for check in await house.health() if not check.ok]
        centre = house.centre
        waits = [time.time() - waiting.since for waiting in centre.acd.queue()]
        now = pages.status(centre.acd.desks.values(), waits, failing, claiming=centre.claiming)
        language = words.EN if lang == "en" else words.ID
        return HTMLResponse(pages.status_page(now, datetime.now(house.timezone), language))

    @routes.get("/healthz")
    async def healthz() -> Response:
        checks = await house.health()
        well = all(check.ok for check in checks)
        return JSONResponse(
            {"status": "ok" if well else "failing",
             "checks": {check.name: {"ok": check.ok, "says": check.says} for check in checks}},
            200 if well else 503)

    @routes.get("/metrics")
    async def metrics() -> Response:
        return Response(house.metrics.text(await house.health()), media_type=CONTENT_TYPE_LATEST)

    return routes
