"""A house with its doors open on a free port of loopback: real HTTP, a real database, no Asterisk."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from calls.centre import Centre, Rules
from calls.journal import Journal, Note
from db import models
from db.audit import Trail
from db.engine import async_engine
from people import store as people
from people.rights import Role
from people.tokens import hash_of
from routing.acd import Acd
from routing.desk import Desk
from routing.operators import READY
from routing.store import seed
from tickets import setup_store
from tickets import store as tickets
from web.app import make_app
from web.health import Check
from web.house import House
from web.metrics import Metrics
from web.server import serve

TOKEN = "token-of-these-tests-only"
LINK_SECRET = "link-secret-of-these-tests"
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
NUMBER = "+62 555 0112"
#: one of each role, beside the operators
PEOPLE = {
    "siti": Role.SUPERVISOR, "adi": Role.ADMIN, "qori": Role.QA, "damkar-jaga": Role.AGENCY, "polres-jaga": Role.AGENCY}
#: one for each role
SOMEBODY = {
    Role.OPERATOR: "op01", Role.SUPERVISOR: "siti", Role.ADMIN: "adi", Role.QA: "qori", Role.AGENCY: "damkar-jaga"}


def token_of(name: str) -> str:
    """What somebody of PEOPLE or an operator shows; the host has TOKEN."""
    return TOKEN if name == "host" else f"kt_of-{name}-in-tests-only"


class Memory:
    """Where the journal's notes end up."""

    def __init__(self) -> None:
        self.notes: list[Note] = []

    def last(self) -> int:
        return 0

    def commit(self, notes: Sequence[Note]) -> None:
        self.notes += notes


@dataclass
class Ari:
    """What an ARI client has counted."""

    requests: int = 0
    failures: int = 0
    connections: int = 0


@dataclass
class Waiting:
    """A call as the queue sees it."""

    id: str
    arrived_at: datetime
    topic: str = "any"
    priority: int = 0
    behind: float = 0.0
    desk: str | None = None

    def is_conversation(self) -> bool:
        return False


@dataclass
class Doors:
    """A house, and somebody who knocks with a token: the host, unless another is taken with `by`."""

    house: House
    http: aiohttp.ClientSession
    url: str
    engine: AsyncEngine
    checks: list[Check]
    ari: Ari
    lags: list[float] = field(default_factory=list)
    who: str = "host"

    def by(self, who: str) -> "Doors":
        """The same house for somebody else: op01 … op03, or of PEOPLE."""
        return replace(self, who=who)

    @property
    def acd(self) -> Acd:
        return self.house.centre.acd

    async def ask(self, method: str, path: str, status: int = 200, *, seen: int | None = None, **body: Any) -> Any:
        """The answer's JSON; a GET sends no body. `seen`: the version for If-Match."""
        headers = {"Authorization": f"Bearer {token_of(self.who)}"}
        if seen is not None:
            headers["If-Match"] = f'"{seen}"'
        sent = None if method == "GET" else body
        async with self.http.request(method, path, json=sent, headers=headers) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()

    async def get(self, path: str) -> Any:
        return await self.ask("GET", path)

    async def text(self, path: str) -> str:
        async with self.http.get(path) as answer:
            return await answer.text()

    async def add(self, *rows: models.Base) -> None:
        async with self.house.sessions.begin() as session:
            session.add_all(rows)

    async def call(self, call_id: str = "1763800000.1", **values: Any) -> None:
        """A call that op01 has answered and that has ended, with its draft ticket."""
        await self.add(models.Call(**{
            "id": call_id, "node": "kentongan", "caller_number": NUMBER, "stage": "ended", "outcome": "answered",
            "operator": "op01",
            "topic": "fire", "pressed": "1", "arrived_at": NOW, "ended_at": NOW + timedelta(seconds=90), **values}))
        await self.draft(call_id)

    async def draft(self, call_id: str = "1763800000.1") -> int:
        trail = Trail()
        async with self.engine.begin() as connection:
            drafted = await connection.run_sync(tickets.open_draft, trail, call_id, "fire", NUMBER, NOW)
            await connection.run_sync(trail.seal)
        return drafted

    async def step(self, ticket: dict[str, Any], what: str, status: int = 200, **values: Any) -> Any:
        """A step of the ticket by op01, who has seen the version given."""
        method, path = ("PATCH", "") if what == "fill" else ("POST", f"/{what}")
        path = f"/api/tickets/{ticket['id']}{path}"
        return await self.by("op01").ask(method, path, status, seen=ticket["version"], **values)

    async def verified(self, **form: str) -> Any:
        """A ticket that is A1."""
        ticket = await self.get(f"/api/tickets/{await self.draft()}")
        ticket = await self.step(ticket, "fill", **{"place": "Pasar Rogojampi", "narrative": "Api di kios 3", **form})
        ticket = await self.step(ticket, "verification", result="checking")
        return await self.step(ticket, "verification", result="a1", evidence="Called back")

    async def forwarded(self, **form: str) -> Any:
        return await self.step(await self.verified(**form), "forward", agencies=["damkar"])


def ready_desk(acd: Acd, name: str) -> Desk:
    """On shift, phone there, ready."""
    desk = acd.desks[name]
    desk.on_shift, desk.device = True, "NOT_INUSE"
    desk.state = READY
    return desk


def free_port() -> int:
    """A port on loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """The app on loopback, as URL. It is stopped in a hurry: told twice, it does not wait for anybody."""
    port, ready = free_port(), asyncio.Event()
    serving = asyncio.create_task(serve(app, "127.0.0.1", port, ready.set))
    try:
        async with asyncio.timeout(10):
            await ready.wait()
        yield f"http://127.0.0.1:{port}"
    finally:
        serving.cancel()
        await asyncio.sleep(0)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def _nothing(*_: object) -> None: ...


@asynccontextmanager
async def open_house(engine: AsyncEngine, folder: Path, **other: Any) -> AsyncIterator[Doors]:
    """A house on this database. `other`: parts of it that are to be otherwise."""
    journal = Journal(folder / "journal.jsonl", Memory())
    acd = Acd([Desk(name, frozenset({"fire"})) for name in ("op01", "op02", "op03")], wrap_up_for=30, widen_after=15)
    unused: Any = None
    centre = Centre(unused, acd, unused, journal, Rules(), _nothing, _nothing, _nothing)
    checks, ari, lags = [Check("asterisk", True, "Asterisk 22.10.1"), Check("disk", True, "much")], Ari(), [0.25]

    async def health() -> list[Check]:
        return checks

    house = House(
        centre=centre, sessions=async_sessionmaker[AsyncSession](engine, expire_on_commit=False), journal=journal,
        health=health, metrics=Metrics(centre, journal, ari, lambda: lags.pop() if lags else 0.0), api_token=TOKEN,
        link_secret=LINK_SECRET, wake_outbox=asyncio.Event(), timezone=ZoneInfo("Asia/Jakarta"),
        data=folder, node="kentongan")
    house = replace(house, **other)
    journal.open()
    try:
        async with (
            served(make_app(house)) as url,
            aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {TOKEN}"}) as http,
        ):
            yield Doors(house, http, url, engine, checks, ari, lags)
    finally:
        await journal.close()


async def moved_in(engine: AsyncEngine) -> None:
    """The seed, and somebody of each role with their token."""
    async with engine.begin() as connection:
        await connection.run_sync(seed)
        await connection.run_sync(setup_store.seed)
        await connection.run_sync(people.seed, NOW)
    async with AsyncSession(engine) as session, session.begin():
        for name, role in PEOPLE.items():
            agency = name.partition("-")[0] if role is Role.AGENCY else None
            session.add(models.User(name=name, display_name=name.title(), role=role, agency=agency, created_at=NOW))
        await session.flush()
        for name in ("op01", "op02", "op03", *PEOPLE):
            session.add(models.Token(user=name, hash=hash_of(token_of(name)), created_at=NOW))


@pytest.fixture
async def doors(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Doors]:
    """On both databases, seeded."""
    await moved_in(engine)
    async with open_house(engine, tmp_path) as opened:
        yield opened


@pytest.fixture
async def lite(migrated_sqlite: Path, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """For what does not depend on the database."""
    shutil.copy(migrated_sqlite, tmp_path / "kentongan.db")
    engine = async_engine(f"sqlite:///{tmp_path}/kentongan.db")
    yield engine
    await engine.dispose()


@pytest.fixture
async def porch(lite: AsyncEngine, tmp_path: Path) -> AsyncIterator[Doors]:
    """On SQLite alone, seeded."""
    await moved_in(lite)
    async with open_house(lite, tmp_path) as opened:
        yield opened
