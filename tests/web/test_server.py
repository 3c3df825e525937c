"""The doors open and close without a word too many."""

import asyncio
import logging
import signal
import socket
from typing import Any

import aiohttp
import pytest
from fastapi import FastAPI

from tests.web.conftest import Doors, free_port, served
from web.doorframe import Doorframe
from web.server import serve


async def nobody(token: str) -> None: ...


def hanging(began: asyncio.Event) -> FastAPI:
    """An app with an answer that never comes."""
    app = FastAPI()
    app.add_middleware(Doorframe, api_token="of no use here", person_of=nobody)

    @app.get("/hangs")
    async def hangs() -> None:
        began.set()
        await asyncio.Event().wait()

    return app


async def test_a_port_that_is_taken_is_named_with_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=rf"port {port} of 127.0.0.1 .*KENTONGAN_HTTP_PORT"):
            await serve(FastAPI(), "127.0.0.1", port)


async def test_signals_stay_with_whoever_had_them() -> None:
    before = [signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGINT)]
    async with served(FastAPI()):
        assert [signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGINT)] == before


async def test_when_stopped_the_port_is_free_within_a_second_whoever_still_waits(
    caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    ready, began = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(serve(hanging(began), "127.0.0.1", port, ready.set))
    await ready.wait()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
        waiting = asyncio.create_task(http.get("/hangs"))
        await began.wait()
        loop = asyncio.get_running_loop()
        stopped_at = loop.time()
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        assert loop.time() - stopped_at < 1.0
        async with await waiting as answer:
            assert (answer.status, (await answer.json())["type"]) == (503, "urn:kentongan:problem:stopping")
    assert [record.name for record in caplog.records if record.levelno >= logging.WARNING] == []
    with socket.create_server(("127.0.0.1", port)):
        pass


async def test_an_idle_visitor_holds_nobody_up() -> None:
    port = free_port()
    ready, loop = asyncio.Event(), asyncio.get_running_loop()
    serving = asyncio.create_task(serve(FastAPI(), "127.0.0.1", port, ready.set))
    await ready.wait()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
        async with http.get("/") as answer:
            assert answer.status == 404
        stopped_at = loop.time()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        assert loop.time() - stopped_at < 0.6


async def test_stopped_before_it_has_begun_it_leaves_nothing_behind() -> None:
    port = free_port()
    serving = asyncio.create_task(serve(FastAPI(), "127.0.0.1", port))
    await asyncio.sleep(0)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    with socket.create_server(("127.0.0.1", port)):
        pass


async def test_nothing_that_a_visitor_says_comes_into_a_log(porch: Doors, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    for path in ("/a/1.secret", "/?lang=secret", "/api/calls/secret", "/secret"):
        await porch.text(path)
    shown: list[Any] = [record for record in caplog.records if not record.name.startswith(("aiosqlite", "asyncio"))]
    assert "secret" not in " ".join(record.getMessage() for record in shown)
