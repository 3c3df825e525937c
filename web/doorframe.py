"""web: round every door: whose token it is, before anything under /api is even looked for; the headers on every
answer; and a plain answer when we have failed. An ASGI middleware, so that no route can forget it."""

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from people.person import Person
from people.rights import Role
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


#: Seconds; longer than a database is waited for that is locked. One that hangs must not hang a desk.
ANSWERED_WITHIN = 8.0

#: who has the host's own token of secrets.toml
HOST = Person("host", Role.ADMIN)


#: Characters; ours are shorter.
LONGEST_TOKEN = 500


class Doorframe:
    """Leaves who knocks in `request.state.person`.

    `api_token`: the host's own. `person_of`: whose token it is otherwise; may raise SQLAlchemyError.
    """

    def __init__(
        self, app: ASGIApp, api_token: str, person_of: Callable[[str], Awaitable[Person | None]]
    ) -> None:
        self._app, self._token, self._person_of = app, api_token.encode(), person_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                said = message.get("headers", [])
                has = {name.lower() for name, _ in said}
                message["headers"] = [*said, *(header for header in HEADERS if header[0] not in has)]
            await send(message)

        patience = asyncio.timeout(None)
        try:
            async with patience:
                patient = _until_answered(patience, scope, receive, send_with_headers)
                door = await self._door(scope)
                await door(scope, patient[0], _in_our_words(scope, *patient))
        except asyncio.CancelledError:      # we are being stopped (a visitor who goes cancels nothing)
            if not started:
                await problems.stopping()(scope, receive, send_with_headers)
        except Exception:
            log.exception("a request failed")
            if not started:
                refusal = problems.too_slow() if patience.expired() else problems.unexpected()
                await refusal(scope, receive, send_with_headers)

    async def _door(self, scope: Scope) -> ASGIApp:
        """What answers: the app, or a refusal."""
        if not _is_api(scope["path"]):
            return self._app
        try:
            person = await self._who(scope)
        except SQLAlchemyError as fault:
            return problems.database(fault)
        if person is None:
            return problems.unauthorized()
        scope.setdefault("state", {})["person"] = person
        return self._app

    async def _who(self, scope: Scope) -> Person | None:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) != 1:
            return None
        scheme, _, token = given[0].partition(b" ")
        token = token.strip()
        if scheme.lower() != b"bearer" or not token or len(token) > LONGEST_TOKEN or not token.isascii():
            return None
        return HOST if hmac.compare_digest(token, self._token) else await self._person_of(token.decode())


def _until_answered(
    patience: asyncio.Timeout, scope: Scope, receive: Receive, send: Send
) -> tuple[Receive, Send]:
    """The clock runs from the moment when the whole request is here to the first word of the answer: neither a slow
    visitor nor a long stream counts."""
    running = answered = False

    def start() -> None:
        nonlocal running
        if not running and not answered:
            running = True
            patience.reschedule(asyncio.get_running_loop().time() + ANSWERED_WITHIN)

    async def receiving() -> Message:
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            start()
        return message

    async def sending(message: Message) -> None:
        nonlocal answered
        if not answered:
            answered = True
            patience.reschedule(None)
        await send(message)

    if not any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"]):
        start()
    return receiving, sending


def _is_api(path: str) -> bool:
    return path == "/api" or path.startswith("/api/")


def _in_our_words(scope: Scope, receive: Receive, send: Send) -> Send:
    """The limit of bodies answers by itself, in plain text; a refusal of ours is a problem."""
    replaced = False

    async def replacing(message: Message) -> None:
        nonlocal replaced
        if message["type"] == "http.response.start" and message["status"] == 413:
            replaced = True
            await problems.too_long()(scope, receive, send)
        if not replaced:
            await send(message)

    return replacing
