"""What tickets' tests share: a seeded house, drafts, and an agency that really listens."""

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from sqlalchemy import Connection, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from standardwebhooks import Webhook

from db.audit import Trail
from db.models import Agency, Ticket
from routing.store import seed
from tickets import service, setup_store, store
from tickets.verification import A1

Sessions = async_sessionmaker[AsyncSession]
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


def drafted(connection: Connection, call_id: str, topic: str) -> int:
    """A call's draft, as the journal's writer makes it."""
    trail = Trail()
    ticket_id = store.open_draft(connection, trail, call_id, topic, "+62 555 0100", NOW)
    trail.seal(connection)
    return ticket_id


class Desk:
    """An operator a test can play: opens, fills, verifies, forwards."""

    def __init__(self, engine: AsyncEngine, sessions: Sessions) -> None:
        self.engine, self.sessions, self._calls = engine, sessions, count(1)

    async def draft(self, topic: str = "any") -> int:
        call_id = f"1763800000.{next(self._calls)}"
        async with self.engine.begin() as connection:
            return await connection.run_sync(drafted, call_id, topic)

    async def filled(self) -> int:
        ticket_id = await self.draft()
        form = {"topic": "fire", "place": "Pasar Rogojampi", "narrative": "Api di kios nomor 3"}
        await service.fill(self.sessions, ticket_id, form, by="op01", now=NOW)
        return ticket_id

    async def verified(self) -> int:
        ticket_id = await self.filled()
        await service.begin_check(self.sessions, ticket_id, by="op01", now=NOW)
        await service.verify(self.sessions, ticket_id, A1, "Called back, smoke seen", by="op01", now=NOW)
        return ticket_id

    async def forwarded(self, *agencies: str, now: datetime = NOW) -> int:
        ticket_id = await self.verified()
        await service.forward(self.sessions, ticket_id, agencies or ["damkar"], by="op01", now=now)
        return ticket_id

    async def ticket(self, ticket_id: int) -> Ticket:
        async with self.sessions() as session:
            return await store.ticket(session, ticket_id)

    async def states(self, ticket_id: int) -> dict[str, str]:
        async with self.sessions() as session:
            return {agency.code: row.state for row, agency in await store.forwardings_of(session, ticket_id)}

    async def forwarding_id(self, ticket_id: int, code: str = "damkar") -> int:
        async with self.sessions() as session:
            rows = await store.forwardings_of(session, ticket_id)
            return next(row.id for row, agency in rows if agency.code == code)

    async def history(self, ticket_id: int) -> list[tuple[str, str, str | None, str | None, str | None]]:
        async with self.sessions() as session:
            steps = await store.history(session, ticket_id)
            return [(step.who, step.field, step.before, step.after, step.why) for step in steps]


@pytest.fixture
async def desk(engine: AsyncEngine, sessions: Sessions) -> Desk:
    async with engine.begin() as connection:
        await connection.run_sync(seed)
        await connection.run_sync(setup_store.seed)
    return Desk(engine, sessions)


class Receiver:
    """An agency's machine on loopback. The library checks every signature before a message counts."""

    def __init__(self) -> None:
        self.secret = "whsec_" + base64.b64encode(b"a secret of at least 24 b").decode()
        self.url = ""
        self.keys: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.answers: list[int] = []  #: statuses of the next answers; then 200
        self.cuts = False  #: the line is cut after the request, before any answer
        self.before_answer: Callable[[], Awaitable[object]] | None = None

    async def take(self, request: web.Request) -> web.Response:
        body = Webhook(self.secret).verify(await request.read(), dict(request.headers))
        self.keys.append(request.headers["webhook-id"])
        self.bodies.append(body)
        if self.before_answer is not None:
            await self.before_answer()
        if self.cuts and request.transport is not None:
            request.transport.abort()
        status = self.answers.pop(0) if self.answers else 200
        headers = {"Location": "/elsewhere"} if 300 <= status < 400 else {}
        return web.Response(status=status, text=json.dumps("<html>rubbish"), headers=headers)


@pytest.fixture
async def listens(sessions: Sessions) -> AsyncIterator[Callable[[str], Awaitable[Receiver]]]:
    """Lets an agency have a receiver: `await listens("damkar")`."""
    runners: list[web.AppRunner] = []

    async def start(code: str) -> Receiver:
        receiver = Receiver()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", receiver.take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/reports"
        async with sessions.begin() as session:
            agency = (await session.scalars(select(Agency).where(Agency.code == code))).one()
            agency.url, agency.secret = receiver.url, receiver.secret
        return receiver

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
