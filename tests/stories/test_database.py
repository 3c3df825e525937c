"""The database is locked, slow, read-only, full, stopped or gone, at the start too: calls go on as before, the journal
waits in its file, and afterwards everything is there once and in order. On a real Asterisk."""
import asyncio
import os
import signal
import sqlite3
import subprocess
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest
from sqlalchemy import event, func, select

from bench.cluster import postgres
from calls.journal import read
from db.models import Call, CallTicket, Note, Recording
from kentongan.ground import lay, stand
from routing.operators import READY
from tests.stories.house import Caller, Phone
from tests.stories.real_house import Exchange, RealHouse, everybody_is_always_on_shift
from tests.waiting import until

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(120)]

NUMBER = "0800555001"
#: Seconds in which health tells, and in which a door answers, at the very most.
TOLD_WITHIN, ANSWERED_WITHIN = 10.0, 15.0


# --- faults


@contextmanager
def locked(house: RealHouse) -> Iterator[None]:
    """Another program has the write lock."""
    other = sqlite3.connect(database(house), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.rollback()
        other.close()


@contextmanager
def read_only(house: RealHouse) -> Iterator[None]:
    with pragma(house, "query_only = ON", "query_only = OFF"):
        yield


@contextmanager
def full(house: RealHouse) -> Iterator[None]:
    """No page more than there are; and a note that needs some is first in the row."""
    with pragma(house, "max_page_count = 1", "max_page_count = 1073741823"):
        house.service.journal.note("long", None, text="." * 50_000)
        yield


@contextmanager
def slow(house: RealHouse) -> Iterator[None]:
    """Each transaction of the journal takes 5 s."""

    def wait(_connection: Any) -> None:
        threading.Event().wait(5)

    event.listen(house.service._engine, "begin", wait)
    try:
        yield
    finally:
        event.remove(house.service._engine, "begin", wait)


@contextmanager
def pragma(house: RealHouse, during: str, after: str) -> Iterator[None]:
    """For every connection of the service's."""
    now = [during]
    for engine in (house.service._engine, house.service._async_engine.sync_engine):
        event.listen(engine, "checkout", lambda connection, *_: connection.cursor().execute(f"PRAGMA {now[0]}"))
    try:
        yield
    finally:
        now[0] = after


def database(house: RealHouse) -> Path:
    return Path(house.exchange.settings.database_url.removeprefix("sqlite:///"))


# --- what is seen


async def a_call(house: RealHouse, phone: Phone) -> tuple[Caller, Counter[str]]:
    """From ring to end; also the commands that it cost, without the ids in them."""
    given: Counter[str] = Counter()
    ari = house.service.ari
    send = type(ari).send

    async def counting(operation: Any, *body: Any, **values: Any) -> bytes:
        # (Looks are every few seconds, whoever calls; whether a sentence is still begun when a desk is free is chance.)
        if operation.method != "GET" and "play" not in operation.path:
            given[f"{operation.method} {operation.path}"] += 1
        return await send(ari, operation, *body, **values)

    ari.send = counting
    try:
        caller = await house.dials(NUMBER, keys="1")
        await house.until(caller, "talking")
        assert await house.talks(caller)
        await phone.says_goodbye()
        await house.until(caller, "ended")
        await caller.ended()
        await house.comes(lambda: (not house.centre._tasks) or None, "end of every task")
    finally:
        del ari.send
    return caller, given


async def failing(house: RealHouse) -> dict[str, str]:
    return {check.name: check.says for check in await house.service.health()
            if not check.ok and check.name != "prompts"}          # (tones stand for them here)


async def is_told(house: RealHouse, *names: str) -> dict[str, str]:
    """What /healthz says is wrong, once it is all of that."""
    async with asyncio.timeout(TOLD_WITHIN):
        while not set(names) <= set(said := await failing(house)):
            await asyncio.sleep(0.1)
    for name in names:
        assert f'kentongan_failing{{check="{name}"}} 1.0' in await metrics(house)
    return said


async def is_well(house: RealHouse) -> None:
    async with asyncio.timeout(TOLD_WITHIN):
        while await failing(house):
            await asyncio.sleep(0.1)
    wrong = [line for line in (await metrics(house)).splitlines() if "_failing{" in line and line.endswith(" 1.0")]
    assert len(wrong) <= 1, wrong               # (the prompts)


async def metrics(house: RealHouse) -> str:
    async with aiohttp.ClientSession(house.exchange.settings.public_url) as http, http.get("/metrics") as answer:
        return await answer.text()


async def asks(house: RealHouse, method: str, path: str, **how: Any) -> tuple[int, str]:
    """What a door answers, and that it does in time."""
    began = asyncio.get_running_loop().time()
    headers = {"Authorization": f"Bearer {house.service.secrets.api}"}
    async with (
        aiohttp.ClientSession(house.exchange.settings.public_url, headers=headers) as http,
        http.request(method, f"/api/{path}", **how) as answer,
    ):
        text = await answer.text()
    assert asyncio.get_running_loop().time() - began < ANSWERED_WITHIN
    return answer.status, text


async def refuses_in_words(house: RealHouse, method: str, path: str, **how: Any) -> None:
    status, text = await asks(house, method, path, **how)
    assert status == 503, text
    assert "Calls are not affected" in text or "What you wanted may not have happened" in text


async def is_in_the_file(house: RealHouse, caller: Caller) -> None:
    file = house.exchange.settings.data / "journal" / f"{house.exchange.settings.node}.jsonl"
    kinds = [note.kind for note in house.of(caller)]
    await until(lambda: [note.kind for note in read(file) if note.call_id == caller.call_id] == kinds)


async def is_there_once(house: RealHouse, *callers: Caller) -> None:
    """The call, its ticket, its recording and its notes in the database; no number lost, none out of order."""
    async with asyncio.timeout(30):
        await house.settled()
    node = Note.node == house.exchange.settings.node
    with house._reads() as connection:
        seqs = list(connection.scalars(select(Note.seq).where(node, Note.seq >= house.notes[0].seq).order_by(Note.seq)))
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
        for caller in callers:
            call_id = caller.call_id
            assert connection.scalar(select(Call.outcome).where(Call.id == call_id)) == "answered"
            for table in (CallTicket, Recording):
                assert connection.scalar(select(func.count()).select_from(table).where(table.call_id == call_id)) == 1
            notes = connection.scalars(select(Note.kind).where(Note.call_id == call_id).order_by(Note.seq))
            assert list(notes) == [note.kind for note in house.of(caller)]


@pytest.fixture(autouse=True)
def nothing_personal(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever fails: no number and no name in the log."""
    caplog.set_level("INFO")
    yield
    for word in ("800555", "555001", "caller_number", "password="):
        assert word not in caplog.text


def holds_nothing_personal(house: RealHouse, *texts: str) -> None:
    secrets = house.service.secrets
    for text in texts:
        for word in ("800555", secrets.api, secrets.ari, secrets.ami, secrets.links, *secrets.phones.values()):
            assert word not in text


# --- stories


@pytest.mark.parametrize(("fault", "writes_fail"), [(locked, True), (read_only, True), (full, False), (slow, False)])
async def test_a_database_that_takes_nothing_costs_calls_nothing(
    real_house: RealHouse, caplog: pytest.LogCaptureFixture,
    fault: Callable[[RealHouse], AbstractContextManager[None]], writes_fail: bool,
) -> None:
    house = real_house
    phone = await house.phone("op01")
    before, usual = await a_call(house, phone)
    await house.settled()
    house.service._worst_lag()
    with fault(house):
        during, given = await a_call(house, phone)
        assert given == usual
        assert house.service._worst_lag() < 1.0
        await is_in_the_file(house, during)
        if fault is not slow:
            assert house.outcome(during) is None
        assert "notes are not in the database yet" in (await is_told(house, "journal"))["journal"]
        if writes_fail:
            await refuses_in_words(house, "POST", "users", json={"name": "sri", "role": "qa"})
        assert (await asks(house, "GET", "calls"))[0] == 200, "reading waits for no writer"
    await is_there_once(house, before, during)
    await is_well(house)
    holds_nothing_personal(house, caplog.text, await metrics(house))


async def test_a_service_that_starts_without_its_database_answers_calls(
    real_house: RealHouse, caplog: pytest.LogCaptureFixture
) -> None:
    house = real_house
    phone = await house.phone("op01")
    before, usual = await a_call(house, phone)
    await house.stops()
    there = database(house)
    there.rename(there.with_suffix(".away"))
    there.mkdir()
    try:
        house.exchange = replace(house.exchange, ground=await stand(house.exchange.settings))
        assert not house.exchange.ground.laid
        await house.open()
        await house.until_desk("op01", READY)
        during, given = await a_call(house, phone)
        assert given == usual
        await is_in_the_file(house, during)
        assert "OperationalError" in (await is_told(house, "database", "journal"))["database"]
        await refuses_in_words(house, "GET", "calls")
    finally:
        there.rmdir()
        there.with_suffix(".away").rename(there)
    await is_there_once(house, before, during)
    await is_well(house)
    holds_nothing_personal(house, caplog.text, await metrics(house))


async def test_postgresql_stopped_or_killed_costs_calls_nothing(
    own_exchange: Exchange, caplog: pytest.LogCaptureFixture
) -> None:
    with postgres() as url:
        settings = own_exchange.settings.model_copy(update={"database_url": f"{url}/postgres"})
        ground = await lay(settings)
        await asyncio.to_thread(everybody_is_always_on_shift, settings)
        house = RealHouse(replace(own_exchange, settings=settings, ground=ground))
        await house.open()
        try:
            phone = await house.phone("op01")
            calls, usual = [], None
            for fault in (nothing_wrong, stopped, killed):
                async with fault(url):
                    caller, given = await a_call(house, phone)
                    usual = usual or given
                    assert given == usual
                    calls.append(caller)
                    await is_in_the_file(house, caller)
                    if fault is not nothing_wrong:
                        await is_told(house, "database", "journal")
                        await refuses_in_words(house, "GET", "calls")
                await is_there_once(house, *calls)
                await is_well(house)
            holds_nothing_personal(house, caplog.text, await metrics(house))
        finally:
            await house.close()
            for server in restarted:
                server.send_signal(signal.SIGQUIT)
                await server.wait()
            restarted.clear()


@asynccontextmanager
async def nothing_wrong(_url: str) -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def stopped(url: str) -> AsyncIterator[None]:
    """Every process of the server's: it takes connections, and says nothing."""
    server = pid_of(url)
    os.kill(server, signal.SIGSTOP)             # it makes no new ones then
    everybody = [server, *children_of(server)]
    signals(everybody, signal.SIGSTOP)
    try:
        yield
    finally:
        signals(everybody, signal.SIGCONT)


@asynccontextmanager
async def killed(url: str) -> AsyncIterator[None]:
    """At once, as by a crash; started again afterwards. The new one is ended by whoever ends the old one's folder."""
    server = pid_of(url)
    command = Path(f"/proc/{server}/cmdline").read_text().rstrip("\0").split("\0")
    owner = Path(f"/proc/{server}").stat()
    folder = Path(command[command.index("-D") + 1]).parent
    os.kill(server, signal.SIGQUIT)
    await until(lambda: not answers(url))
    yield
    become = ["setpriv", "--pdeathsig=QUIT", f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}", "--clear-groups"]
    again = await asyncio.create_subprocess_exec(
        *(become if os.geteuid() == 0 else become[:2]), *command, cwd=folder, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    restarted.append(again)
    await until(lambda: answers(url))


#: Servers that a story has started.
restarted: list[asyncio.subprocess.Process] = []


def signals(pids: Iterable[int], what: signal.Signals) -> None:
    """(Who served a connection that has just ended has ended, too.)"""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, what)


def pid_of(url: str) -> int:
    """The server's, which is the parent of whoever serves a connection."""
    with psycopg.connect(f"{url}/postgres") as connection:
        return parent_of(connection.info.backend_pid)


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def children_of(pid: int) -> list[int]:
    return [int(other.name) for other in Path("/proc").glob("[0-9]*") if is_child(int(other.name), pid)]


def is_child(pid: int, of: int) -> bool:
    try:
        return parent_of(pid) == of
    except OSError:                             # it has just ended
        return False


def answers(url: str) -> bool:
    try:
        psycopg.connect(f"{url}/postgres").close()
    except psycopg.OperationalError:
        return False
    return True
