"""web: round every door: the token before anything under /api is even looked for, the headers on every answer, and a
plain answer when we have failed. An ASGI middleware, so that no route can forget it."""

import asyncio
import hmac
import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web import pages, problems

log = logging.getLogger(__name__)

#: Nothing from outside, no script, no frame; nothing is kept, and no address (it may hold a token) is passed on.
HEADERS = [
    (b"content-security-policy", (
        f"default-src 'none'; style-src '{pages.STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'").encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
]


class Doorframe:
    """`api_token` opens everything under /api."""

    def __init__(self, app: ASGIApp, api_token: str) -> None:
        self._app, self._token = app, api_token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", []), *HEADERS]
            await send(message)

        if _is_api(scope["path"]) and not self._has_token(scope):
            await problems.unauthorized()(scope, receive, send_with_headers)
            return
        try:
            await self._app(scope, receive, send_with_headers)
        except asyncio.CancelledError:      # we are being stopped (a visitor who goes cancels nothing)
            if not started:
                await problems.stopping()(scope, receive, send_with_headers)
        except Exception:
            log.exception("a request failed")
            if not started:
                await problems.unexpected()(scope, receive, send_with_headers)

    def _has_token(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) != 1:
            return False
        scheme, _, token = given[0].partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), self._token)


def _is_api(path: str) -> bool:
    return path == "/api" or path.startswith("/api/")
