"""The porch: an agency to rehearse with: a receiver on loopback that checks the signature of a report and acknowledges
it by its one-time link, as the software of a fire brigade would."""
import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError


@dataclass(frozen=True)
class Receipt:
    """A report that came with a good signature, and what became of its acknowledgement."""

    key: str                    #: webhook-id: the same report has the same one
    payload: dict[str, Any]
    received_at: float          #: Unix seconds
    acknowledged: bool


class Receiver:
    """What the receiver has got so far. `secret`: the agency's signing secret, known once the agency is set up."""

    def __init__(self, by: str) -> None:
        self.secret, self.url = "", ""
        self.receipts: asyncio.Queue[Receipt] = asyncio.Queue()
        self.refused = 0
        self._by = by

    async def take(self, request: web.Request) -> web.Response:
        body = await request.text()
        try:
            payload = Webhook(self.secret).verify(body, dict(request.headers))
        except WebhookVerificationError:
            self.refused += 1
            return web.Response(status=401, text="the signature is not that of our secret")
        asyncio.get_running_loop().create_task(self._acknowledge(request.headers["webhook-id"], payload))
        return web.Response(status=204)

    async def _acknowledge(self, key: str, payload: dict[str, Any]) -> None:
        received_at = time.time()
        async with (
            aiohttp.ClientSession() as http,
            http.post(payload["acknowledge_url"], data={"by": self._by},
                      headers={"Accept": "application/json"}) as answer,
        ):
            self.receipts.put_nowait(Receipt(key, payload, received_at, answer.status == 200))


@asynccontextmanager
async def receiving(by: str) -> AsyncIterator[Receiver]:
    """A receiver at `url` for the body."""
    receiver = Receiver(by)
    app = web.Application()
    app.router.add_post("/reports", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/reports"
        yield receiver
    finally:
        await runner.cleanup()
