"""web: a write that is asked for twice is done once, if both times carry the same header Idempotency-Key.

The key is reserved before the write and gets its answer after it; asked again within a day, the same answer is given,
unless what it tells is told once (`told_once`) or is too long: then it is said that it was done. A refusal (4xx) has
written nothing: its key is free again. If we die in between, or fail (5xx), nobody knows what was done: whoever asks
again is told so, and it is never done twice.

An ASGI middleware between doorframe and routes.
"""

import hashlib
import logging
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from db.models import IdempotencyKey
from people.person import Person
from web import keys_store, problems

log = logging.getLogger(__name__)

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_KEY = "^[!-~]{1,200}$"
#: for the OpenAPI document
PARAMETER: dict[str, Any] = {
    "name": "Idempotency-Key", "in": "header", "required": False, "schema": {"type": "string", "pattern": _KEY},
    "description": "Chosen by you, new for every write: asked again under the same key within 24 hours, nothing is "
                   "done twice and the same answer is given"}
#: bytes of the longest answer that is kept
LONGEST_ANSWER = 1_000_000
_NOT_KEPT = "told_once"
_KEPT_HEADERS = ("content-type", "etag", "location")


def told_once(request: Request) -> None:
    """What this answer tells (a token, a secret) is told once: it is not kept."""
    setattr(request.state, _NOT_KEPT, True)


class Idempotency:
    """`longest`: bytes of the longest body that any route takes."""

    def __init__(
        self, app: ASGIApp, sessions: keys_store.Sessions, longest: int, now: Callable[[], datetime]
    ) -> None:
        self._app, self._sessions, self._longest, self._now = app, sessions, longest, now
        self._under_way: set[tuple[str, str]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        keys = [value.decode("latin-1") for name, value in scope.get("headers", ()) if name == b"idempotency-key"]
        person: Person | None = scope.get("state", {}).get("person")
        if not keys or person is None or scope["type"] != "http" or scope["method"] not in WRITES:
            await self._app(scope, receive, send)
            return
        if len(keys) > 1 or not re.fullmatch(_KEY, keys[0]):
            await problems.bad_key()(scope, receive, send)
            return
        try:
            body = await _read(receive, self._longest)
        except ClientDisconnect:
            return
        if body is None:
            await problems.too_long()(scope, receive, send)
            return
        ours = (person.name, keys[0])
        if ours in self._under_way:
            await problems.under_way()(scope, receive, send)
            return
        self._under_way.add(ours)
        try:
            await self._once(scope, body, _again(body, receive), send, person, keys[0])
        finally:
            self._under_way.discard(ours)

    async def _once(
        self, scope: Scope, body: bytes, receive: Receive, send: Send, person: Person, key: str
    ) -> None:
        fingerprint = _fingerprint(scope, body, person)
        try:
            before = await keys_store.reserve(self._sessions, person.name, key, fingerprint, self._now())
        except SQLAlchemyError as fault:
            await problems.database(fault)(scope, receive, send)
            return
        if before is not None:
            await _repeated(before, fingerprint)(scope, receive, send)
            return
        answer = _Answer(send)
        await self._app(scope, receive, answer.hears)
        await self._keep(answer, person.name, key, _NOT_KEPT in scope["state"])
        await answer.leave()

    async def _keep(self, answer: "_Answer", user: str, key: str, told_once: bool) -> None:
        """An answer that cannot be kept is still given; asked again, nobody knows what was done."""
        try:
            if answer.is_refusal():
                await keys_store.release(self._sessions, user, key)
            elif answer.status < 400 and answer.is_too_long():
                said = problems.done_already()
                headers = answer.headers() | {"content-type": problems.MEDIA_TYPE}
                await keys_store.answered(
                    self._sessions, user, key, said.status_code, headers, bytes(said.body).decode())
            elif answer.status < 400:
                body = None if told_once else answer.text()
                await keys_store.answered(self._sessions, user, key, answer.status, answer.headers(), body)
        except SQLAlchemyError as fault:
            log.error("the answer to a write under an Idempotency-Key was not kept: %s", type(fault).__name__)


class _Answer:
    """Held back until it is kept, unless it is too long."""

    def __init__(self, send: Send) -> None:
        self._send, self._held, self._size = send, list[Message](), 0
        self.status, self._headers = 0, MutableHeaders()

    async def hears(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self._headers = message["status"], MutableHeaders(raw=message["headers"])
        self._size += len(message.get("body", b""))
        self._held.append(message)
        if self.is_too_long():
            await self.leave()

    async def leave(self) -> None:
        held, self._held = self._held, []
        for message in held:
            await self._send(message)

    def is_refusal(self) -> bool:
        return 400 <= self.status < 500

    def is_too_long(self) -> bool:
        return self._size > LONGEST_ANSWER

    def headers(self) -> dict[str, str]:
        return {name: self._headers[name] for name in _KEPT_HEADERS if name in self._headers}

    def text(self) -> str:
        return b"".join(message.get("body", b"") for message in self._held).decode()


def _repeated(before: IdempotencyKey, fingerprint: str) -> Response:
    """What is said to whoever brings a key again."""
    if before.fingerprint != fingerprint:
        return problems.other_request()
    if before.status is None:
        return problems.outcome_unknown(before.at)
    if before.body is None:
        return problems.told_once()
    headers = {**(before.headers or {}), "Idempotency-Replayed": "true"}
    return Response(before.body, before.status, headers)


def _fingerprint(scope: Scope, body: bytes, person: Person) -> str:
    """Also of the role: whoever has another one by now is not given what they may not see any more."""
    told = hashlib.sha256()
    for part in (scope["method"].encode(), scope["path"].encode(), scope["query_string"], repr(person).encode(), body):
        told.update(len(part).to_bytes(8, "big") + part)
    return told.hexdigest()


async def _read(receive: Receive, longest: int) -> bytes | None:
    """The whole body; None if it is longer. Raises ClientDisconnect if it never came whole."""
    parts, size = list[bytes](), 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > longest:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """The body that was read, then whatever else comes."""
    told = False

    async def first_the_body() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return first_the_body
