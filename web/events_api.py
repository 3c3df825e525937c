"""web: what happens, as it happens: the journal's notes as server-sent events (WHATWG), each under its number.

Whoever comes back says which number they saw last (`Last-Event-ID`, as browsers do, or `?after=`), and is told what
came since. What is told stands in the database: a stream asks for what comes after its own number, woken by the
journal after each commit; so nothing is missed and nothing told twice, whenever it began.
"""

import asyncio
import logging
from bisect import bisect_right
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Query, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from db.engine import reading_session
from db.models import Note
from people import rights
from people import store as people
from people.person import Person
from people.rights import READ, Resource
from telephony.tasks import beside
from web import store
from web.access import may
from web.doorframe import HOST
from web.house import House
from web.shapes import moment

log = logging.getLogger(__name__)

#: Seconds of silence after which a line without meaning keeps proxies from hanging up.
HEARTBEAT_EVERY = 15.0
#: Seconds between looks whether whoever reads still may.
LOOK_EVERY = 2.0
#: Seconds for which a reader may take nothing; then they are cut off, and come back with their number.
PATIENCE = 10.0
#: Notes that are kept for all streams together, and that one is told at once.
KEPT, AT_ONCE = 1000, 200
_LAST_WORD = 0.1

_Number = Annotated[int | None, Query(ge=0, lt=2**53, description="The number (`id`) seen last; 0: from the first")]
_LastSeen = Annotated[
    str | None, Header(alias="Last-Event-ID", pattern="^[0-9]{1,15}$", description="As `after`, and before it")]


def router(house: House) -> APIRouter:
    """/api/events"""
    routes = APIRouter(prefix="/events")
    tail = Tail(house)

    @routes.get("", response_class=EventStream, status_code=200, summary="What happens, as a stream")
    async def events(
        who: Annotated[Person, may(READ, Resource.EVENTS)], request: Request, after: _Number = None,
        last_seen: _LastSeen = None,
    ) -> Response:
        """Without a number: from now on. `data` is JSON: seq, at, kind, call_id, facts. The stream ends when your token
        does."""
        last = await tail.last()
        seen = int(last_seen) if last_seen is not None else last if after is None else after
        if seen > last:
            raise RequestValidationError([{
                "loc": ("query", "after"), "type": "value_error",
                "msg": f"the journal has not come so far: it stands at {last}; begin without a number"}])

        async def still() -> bool:
            if who == HOST:
                return True
            token = request.headers["authorization"].partition(" ")[2].strip()
            found = await people.person_of(house.sessions, token, datetime.now(UTC))
            return found is not None and rights.may(found.role, READ, Resource.EVENTS)

        return EventStream(_told(tail, seen, still))

    return routes


async def _told(tail: "Tail", seen: int, still: Callable[[], Awaitable[bool]]) -> AsyncGenerator[bytes, None]:
    """What a stream says, until its reader may not read any more."""
    loop = asyncio.get_running_loop()
    look_at, beat_at = loop.time() + LOOK_EVERY, loop.time() + HEARTBEAT_EVERY
    yield b"retry: 1000\n\n"
    with tail.news() as news:
        while True:
            news.clear()                                # before we look: what comes now wakes us again
            fresh: list[tuple[int, bytes]] = []
            with suppress(SQLAlchemyError):             # the database is away: nothing comes into it, either
                if loop.time() >= look_at:
                    if not await still():
                        return
                    look_at = loop.time() + LOOK_EVERY
                fresh = await tail.after(seen)
            if not fresh:
                if loop.time() >= beat_at:
                    yield b":\n\n"
                    beat_at = loop.time() + HEARTBEAT_EVERY
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(max(min(look_at, beat_at), loop.time() + 0.1)):
                        await news.wait()
                continue
            yield b"".join(told for _, told in fresh)
            seen, beat_at = fresh[-1][0], loop.time() + HEARTBEAT_EVERY


class Tail:
    """The journal's last notes, as they are told: read and written out once, however many streams there are."""

    def __init__(self, house: House) -> None:
        self._sessions, self._node = house.sessions, house.node
        self._kept: list[tuple[int, bytes]] = []        #: without holes, as the database has them
        self._behind = True
        self._reading = asyncio.Lock()
        self._waiting: set[asyncio.Event] = set()
        house.journal.on_commit(self._wake)

    @contextmanager
    def news(self) -> Iterator[asyncio.Event]:
        """Set whenever there may be more notes."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            yield event
        finally:
            self._waiting.remove(event)

    async def last(self) -> int:
        """The highest number so far. Raises SQLAlchemyError."""
        await self._catch_up()
        return self._kept[-1][0] if self._kept else 0

    async def after(self, seq: int) -> list[tuple[int, bytes]]:
        """The next notes, some at once, with their numbers; none: there are no more. Raises SQLAlchemyError."""
        await self._catch_up()
        if not self._kept or seq < self._kept[0][0] - 1:
            async with reading_session(self._sessions) as session:
                return [_event(note) for note in await store.notes_after(session, self._node, seq, AT_ONCE)]
        begin = bisect_right(self._kept, seq, key=lambda note: note[0])
        return self._kept[begin : begin + AT_ONCE]

    async def _catch_up(self) -> None:
        async with self._reading:
            if not self._behind:
                return
            self._behind = False
            try:
                async with reading_session(self._sessions) as session:
                    newest = await store.newest_notes(
                        session, self._node, self._kept[-1][0] if self._kept else 0, KEPT)
            except BaseException:
                self._behind = True
                raise
            fresh = [_event(note) for note in reversed(newest)]
            self._kept = fresh if len(fresh) == KEPT else [*self._kept, *fresh][-KEPT:]

    def _wake(self) -> None:
        self._behind = True
        for event in self._waiting:
            event.set()


def _event(note: Note) -> tuple[int, bytes]:
    said = {
        "seq": note.seq, "at": moment(note.at), "kind": note.kind, "call_id": note.call_id, "facts": note.facts}
    return note.seq, b"id: %d\ndata: %s\n\n" % (note.seq, msgspec.json.encode(said))


class EventStream(Response):
    """Says what `pieces` gives, until that ends, the reader goes or takes nothing any more, or we are stopped."""

    media_type = "text/event-stream"

    def __init__(self, pieces: AsyncGenerator[bytes, None]) -> None:
        super().__init__()
        self._pieces = pieces
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async with beside(self._say(send)) as saying, beside(_gone(receive)) as gone:
                await asyncio.wait({saying, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            with suppress(TimeoutError):            # a stopped service ends it as it should end
                async with asyncio.timeout(_LAST_WORD):
                    await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _say(self, send: Send) -> None:
        async with aclosing(self._pieces) as pieces:
            async for piece in pieces:
                try:
                    async with asyncio.timeout(PATIENCE):
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
                except TimeoutError:
                    log.warning("a reader of events takes nothing any more and is cut off")
                    return


async def _gone(receive: Receive) -> Any:
    while (await receive())["type"] != "http.disconnect":
        pass
