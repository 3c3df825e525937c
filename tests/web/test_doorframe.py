"""Round every door: the token, the headers, and what is said when we fail."""

import asyncio
import json
import logging
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import Message, Receive, Scope, Send

from db.engine import async_engine
from tests.web.conftest import TOKEN, Doors, open_house, token_of
from web import doorframe
from web.app import make_app

HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


def routes_of(doors: Doors) -> list[tuple[str, str]]:
    """(method, path) of everything that can be asked, with something in place of what varies."""
    paths = make_app(doors.house).openapi()["paths"]
    return [(method.upper(), re.sub(r"{\w+}", "1", path)) for path, methods in paths.items() for method in methods]


async def test_every_route_of_the_api_wants_the_token(porch: Doors) -> None:
    asked = [(method, path) for method, path in routes_of(porch) if path.startswith("/api")]
    assert len(asked) > 13
    bad = [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}, {"Authorization": TOKEN},
           {"Authorization": "Bearer "}, {"Authorization": f"Bearer {TOKEN}x"}, {"Cookie": f"token={TOKEN}"}]
    async with aiohttp.ClientSession(porch.url) as stranger:
        for method, path in asked:
            for headers in bad:
                async with stranger.request(method, path, headers=headers) as answer:
                    assert answer.status == 401, (method, path, headers)
                    assert answer.headers["WWW-Authenticate"] == "Bearer"
                    assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/api//calls", "/api/calls/../../api/calls"])
async def test_whoever_has_no_token_cannot_even_find_out_what_there_is(porch: Doors, path: str) -> None:
    async with aiohttp.ClientSession() as stranger, stranger.get(porch.url + path) as answer:
        assert answer.status == 401


async def test_the_token_is_asked_for_before_the_body_is_read(porch: Doors) -> None:
    async with (
        aiohttp.ClientSession(porch.url) as stranger,
        stranger.patch("/api/tickets/1", data="{not json", headers={"Content-Type": "application/json"}) as answer,
    ):
        assert answer.status == 401


async def test_two_tokens_are_none(porch: Doors) -> None:
    headers = [("Authorization", "Bearer wrong"), ("Authorization", f"Bearer {TOKEN}")]
    async with aiohttp.ClientSession(porch.url) as stranger, stranger.get("/api/calls", headers=headers) as answer:
        assert answer.status == 401


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/", 200), ("GET", "/healthz", 200), ("GET", "/metrics", 200), ("GET", "/nothing", 404),
    ("GET", "/a/wrong", 404), ("GET", "/openapi.json", 200), ("DELETE", "/", 405),
    ("GET", "/api/calls", 401)])
async def test_every_answer_carries_the_headers(porch: Doors, method: str, path: str, status: int) -> None:
    async with aiohttp.ClientSession(porch.url) as visitor, visitor.request(method, path) as answer:
        assert answer.status == status
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
        assert "Server" not in answer.headers


async def test_whoever_is_not_answered_in_time_is_told_so(
    lite: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def hangs() -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(doorframe, "ANSWERED_WITHIN", 0.05)
    async with open_house(lite, tmp_path, health=hangs) as doors, doors.http.get("/healthz") as answer:
        assert answer.status == 503
        assert (await answer.json())["type"] == "urn:kentongan:problem:too-slow"
        assert answer.headers["Retry-After"] == "5"
        assert HEADERS.items() <= answer.headers.items()
    assert "a request failed" in caplog.text


async def test_a_slow_visitor_and_a_long_answer_are_given_their_time(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorframe, "ANSWERED_WITHIN", 0.05)
    said: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(0.2)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        said.append(message)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200})
        await asyncio.sleep(0.2)
        await receive()
        await asyncio.sleep(0.2)
        await send({"type": "http.response.body", "body": b"much"})

    door = doorframe.Doorframe(app, TOKEN, lambda _: asyncio.sleep(0))
    await door({"type": "http", "path": "/", "headers": [(b"content-length", b"9")]}, receive, send)
    assert [message["type"] for message in said] == ["http.response.start", "http.response.body"]


async def test_a_fault_of_ours_is_a_plain_500_with_the_headers(
    lite: AsyncEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> Any:
        raise RuntimeError("broken")

    async with open_house(lite, tmp_path, health=broken) as doors, doors.http.get("/healthz") as answer:
        assert answer.status == 500
        assert answer.headers["Cache-Control"] == "no-store"
        assert (await answer.json())["type"] == "urn:kentongan:problem:fault"
        assert "broken" not in await answer.text()
    assert [record.name for record in caplog.records if record.levelno >= logging.ERROR] == ["web.doorframe"]


async def test_a_database_that_is_away_is_a_503_that_tells_and_logs_no_values(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    away = async_engine(f"sqlite:///{tmp_path}/nowhere/kentongan.db")
    async with open_house(away, tmp_path) as doors:
        for path in ("/api/calls/1763800000.1", "/api/operators", "/api/tickets/1", "/api/agencies"):
            async with doors.http.get(path) as answer:
                assert answer.status == 503
                assert (await answer.json())["type"] == "urn:kentongan:problem:database"
        async with doors.http.get("/") as answer:
            assert answer.status == 200
    await away.dispose()
    assert "1763800000" not in caplog.text


@pytest.mark.parametrize(("body", "field"), [
    (b"{not json", "1"), (b"[]", None), (b'{"why": ""}', "why"), (b'{"why": 7}', "why"), (b"{}", "why"),
    (b'{"why": "x", "more": 1}', "more"), (b'{"why": "\\u0000"}', "why"), (b'{"why": "\\ud800"}', "why"),
    (json.dumps({"why": "x" * 201}).encode(), "why")])
async def test_what_cannot_be_used_is_named_and_not_repeated(porch: Doors, body: bytes, field: str | None) -> None:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token_of('op01')}"}
    async with porch.http.post("/api/operators/op01/pause", data=body, headers=headers) as answer:
        assert (answer.status, answer.content_type) == (422, "application/problem+json")
        problem = await answer.json()
        assert problem.keys() >= {"type", "title", "status", "detail"}
        assert problem.get("field") == field
        assert "xxxx" not in problem["detail"]
    assert porch.acd.desks["op01"].paused_for is None


async def test_a_body_that_is_too_long_is_refused(porch: Doors) -> None:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token_of('op01')}"}
    for path in ("/api/operators/op01/pause", "/a/1.x"):
        async with porch.http.post(path, data=b"x" * 70_000, headers=headers) as answer:
            assert answer.status == 413
