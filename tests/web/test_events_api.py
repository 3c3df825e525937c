"""Events: nothing missed, nothing twice, in order; over real HTTP, across reconnections, and never in anybody's way."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.journal import Journal
from calls.store import JournalStore
from db.engine import sync_engine
from db.models import Note, Token, User
from people.tokens import hash_of
from tests.waiting import until
from tests.web.conftest import NOW, Doors, moved_in, open_house, token_of
from web import events_api

PATH = "/api/events"


@dataclass
class Stream:
    """What a browser's EventSource would make of it."""

    answer: aiohttp.ClientResponse
    beats: int = 0
    seen: list[dict[str, Any]] = field(default_factory=list)

    async def until(self, seq: int) -> list[int]:
        """The numbers of all events so far, once this one has come."""
        while not self.seen or self.seen[-1]["seq"] < seq:
            await self.next()
        return self.numbers

    @property
    def numbers(self) -> list[int]:
        return [one["seq"] for one in self.seen]

    async def next(self) -> None:
        """One event, or one beat. Raises EOFError at the end."""
        block: dict[str, str] = {}
        async with asyncio.timeout(20):
            while line := (await self.answer.content.readline()).decode().removesuffix("\n"):
                name, _, value = line.partition(":")
                block[name] = value.removeprefix(" ")
        if not block:
            raise EOFError
        if "data" in block:
            told = json.loads(block["data"])
            assert int(block["id"]) == told["seq"]
            self.seen.append(told)
        elif "" in block:
            self.beats += 1

    async def ends(self) -> None:
        """Read on until it does."""
        try:
            while True:
                await self.next()
        except (EOFError, aiohttp.ClientError):
            return


@asynccontextmanager
async def listening(
    doors: Doors, *, who: str = "op01", query: str = "", last: int | None = None
) -> AsyncIterator[Stream]:
    headers = {"Authorization": f"Bearer {token_of(who)}"}
    if last is not None:
        headers["Last-Event-ID"] = str(last)
    async with doors.http.get(PATH + query, headers=headers, timeout=aiohttp.ClientTimeout(total=60)) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        yield Stream(answer)


@asynccontextmanager
async def told_by(engine: AsyncEngine, folder: Path) -> AsyncIterator[Doors]:
    """A house whose journal's notes come into the database."""
    await moved_in(engine)
    writing = sync_engine(engine.url.render_as_string(hide_password=False))
    journal = Journal(folder / "events.jsonl", JournalStore(writing, "kentongan"))
    journal.open()
    try:
        async with open_house(engine, folder, journal=journal) as doors:
            yield doors
    finally:
        await journal.close()
        writing.dispose()


@pytest.fixture
async def house(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Doors]:
    """On both databases."""
    async with told_by(engine, tmp_path) as doors:
        yield doors


@pytest.fixture
async def small(lite: AsyncEngine, tmp_path: Path) -> AsyncIterator[Doors]:
    """On SQLite."""
    async with told_by(lite, tmp_path) as doors:
        yield doors


def note(doors: Doors, times: int = 1) -> None:
    for n in range(times):
        doors.house.journal.note("desk", None, operator="op01", n=n)


async def test_an_event_tells_what_was_noted(house: Doors) -> None:
    async with listening(house, query="?after=0") as stream:
        house.house.journal.note("chosen", "1763800000.1", topic="fire", pressed="1\n2")
        await stream.until(1)
    [told] = stream.seen
    assert told | {"at": None} == {
        "seq": 1, "at": None, "kind": "chosen", "call_id": "1763800000.1",
        "facts": {"topic": "fire", "pressed": "1\n2"}}
    assert told["at"].endswith("+00:00")


async def test_without_a_number_it_begins_now(small: Doors) -> None:
    note(small, 5)
    await small.house.journal.settled()
    async with listening(small) as stream:
        note(small)
        assert await stream.until(6) == [6]


async def test_with_a_number_it_begins_behind_it(small: Doors) -> None:
    note(small, 4)
    await small.house.journal.settled()
    asks: list[dict[str, Any]] = [{"query": "?after=2"}, {"last": 2}, {"last": 2, "query": "?after=0"}]
    for now, ask in enumerate(asks, 5):
        async with listening(small, **ask) as stream:
            note(small)
            assert await stream.until(now) == list(range(3, now + 1))


async def test_a_thousand_notes_while_it_catches_up_come_once_and_in_order(house: Doors) -> None:
    note(house, 1500)                                   # more than is kept: the first are read from the database
    await house.house.journal.settled()
    async with listening(house, query="?after=0") as stream:
        for _ in range(10):
            note(house, 100)
            await stream.next()
        assert await stream.until(2500) == list(range(1, 2501))


async def test_who_comes_back_in_mid_stream_misses_nothing(house: Doors) -> None:
    seen: list[int] = []
    last: int | None = 0
    for stop in (37, 412, 900, 1000):
        async with listening(house, last=last) as stream:
            while note(house, 50) or house.house.journal._seq < stop:
                await asyncio.sleep(0)
            seen += [n for n in await stream.until(stop) if n <= stop]
            last = stop                                 # and the connection is cut, whatever else was under way
    assert seen == list(range(1, 1001))


async def test_several_readers_at_different_places_are_told_the_same(small: Doors) -> None:
    note(small, 300)
    await small.house.journal.settled()
    siti = listening(small, who="siti")
    async with listening(small, last=0) as one, listening(small, last=250) as two, siti as three:
        note(small, 10)
        assert await one.until(310) == list(range(1, 311))
        assert await two.until(310) == list(range(251, 311))
        assert await three.until(310) == list(range(301, 311))


async def test_other_nodes_notes_are_not_ours(small: Doors) -> None:
    await small.add(Note(node="other", seq=1, call_id=None, at=NOW, kind="desk", facts={}))
    async with listening(small, last=0) as stream:
        note(small)
        await stream.until(1)
    assert stream.seen[0]["facts"] == {"operator": "op01", "n": 0}


async def test_silence_is_filled_with_beats(small: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_api, "HEARTBEAT_EVERY", 0.1)
    async with listening(small) as stream:
        while stream.beats < 3:
            await stream.next()
    assert stream.seen == []


async def test_who_may_not_any_more_is_told_nothing_more(house: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_api, "LOOK_EVERY", 0.1)
    of_op01 = update(Token).where(Token.hash == hash_of(token_of("op01")))
    changes = {
        "op01": of_op01.values(revoked_at=NOW),
        "op02": update(User).where(User.name == "op02").values(active=False),
        "op03": update(User).where(User.name == "op03").values(role="qa"),
        "siti": update(Token).where(Token.user == "siti").values(expires_at=NOW - timedelta(days=1)),
    }
    async with listening(house, who="adi") as other:
        for who, change in changes.items():
            async with listening(house, who=who) as stream:
                async with house.house.sessions.begin() as session:
                    await session.execute(change)
                await stream.ends()
                assert stream.numbers == []
        note(house)
        assert await other.until(1) == [1]


async def test_it_goes_on_after_the_database_was_away(small: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.exc import OperationalError

    from web import store
    there = store.newest_notes
    failed = asyncio.Event()

    async def away(*_: Any) -> Any:
        failed.set()
        raise OperationalError("", {}, Exception("away"))

    async with listening(small) as stream:
        await stream.next()
        monkeypatch.setattr(store, "newest_notes", away)
        note(small)
        await failed.wait()
        monkeypatch.setattr(store, "newest_notes", there)
        note(small)
        assert await stream.until(2) == [1, 2]


async def test_who_takes_nothing_is_cut_off_and_holds_nobody_up(
    small: Doors, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(events_api, "PATIENCE", 0.2)
    host, port = small.url.removeprefix("http://").split(":")
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect((host, int(port)))
        lazy.sendall(f"GET {PATH}?after=0 HTTP/1.1\r\nHost: {host}\r\n"
                     f"Authorization: Bearer {token_of('op01')}\r\n\r\n".encode())
        async with listening(small, who="op02", last=0) as keen:
            async with asyncio.timeout(30):
                while "takes nothing" not in caplog.text:
                    small.house.journal.note("desk", None, filler="x" * 50_000)
                    await asyncio.sleep(0.02)
            last = small.house.journal._seq
            assert await keen.until(last) == list(range(1, last + 1))
    await small.house.journal.settled()


async def test_who_goes_leaves_nothing_behind(small: Doors) -> None:
    before = asyncio.all_tasks()
    async with listening(small) as stream:
        await stream.next()
    await until(lambda: not asyncio.all_tasks() - before, within=5)


async def test_a_service_that_stops_ends_them_quickly_and_properly(
    lite: AsyncEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.get_running_loop()
    async with told_by(lite, tmp_path) as doors, aiohttp.ClientSession(doors.url) as http:
        headers = {"Authorization": f"Bearer {token_of('op01')}"}
        streams = [Stream(await http.get(PATH, headers=headers)) for _ in range(3)]
        for stream in streams:
            await stream.next()
        reading = [asyncio.create_task(stream.ends()) for stream in streams]
        begun = loop.time()
        doors_close = asyncio.gather(*reading)
        await _stop(doors)
        async with asyncio.timeout(2):
            await doors_close
        assert loop.time() - begun < 1.5
    assert [record.getMessage() for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


async def _stop(doors: Doors) -> None:
    """As the porch does: whoever serves the doors is cancelled."""
    [serving] = [task for task in asyncio.all_tasks() if "serve" in getattr(task.get_coro(), "__qualname__", "")
                 and task.get_name() != "doors" and "Server" not in getattr(task.get_coro(), "__qualname__", "")]
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def test_a_number_that_cannot_be_is_refused(small: Doors) -> None:
    for query, last, fault in (
        ("?after=-1", None, "after"), ("?after=x", None, "after"), (f"?after={10**20}", None, "after"),
        ("?after=1", None, "after"), ("", "x", "Last-Event-ID"), ("", "7", "after"),
    ):
        headers = {"Authorization": f"Bearer {token_of('op01')}"} | ({"Last-Event-ID": last} if last else {})
        async with small.http.get(PATH + query, headers=headers) as answer:
            assert (answer.status, (await answer.json())["field"]) == (422, fault), (query, last)


async def test_events_are_for_the_staff(small: Doors) -> None:
    for who in ("qori", "damkar-jaga"):
        await small.by(who).ask("GET", PATH, 403)
