"""Whoever drops by, the watchdog and Prometheus."""

import asyncio
from datetime import UTC, datetime

import aiohttp

from tests.web.conftest import NOW, NUMBER, Doors, Waiting, ready_desk
from web.health import Check


async def test_a_visitor_sees_that_somebody_answers(porch: Doors) -> None:
    ready_desk(porch.acd, "op01")
    async with aiohttp.ClientSession(porch.url) as visitor:
        async with visitor.get("/") as answer:
            assert (answer.status, answer.content_type) == (200, "text/html")
            page = await answer.text()
        async with visitor.get("/?lang=en") as answer:
            english = await answer.text()
    assert "Ya, ada yang menjawab." in page
    assert '<meta http-equiv="refresh" content="5">' in page
    assert "Yes, somebody answers." in english


async def test_a_strange_language_is_indonesian(porch: Doors) -> None:
    assert '<html lang="id">' in await porch.text("/?lang=%3Cscript%3E")


async def test_a_visitor_sees_what_is_not_well_in_words(porch: Doors) -> None:
    porch.checks[:] = [Check("disk", False, "0.2 GB free (1%)"), Check("asterisk", True, "22")]
    assert "Perlu perhatian:</strong> ruang penyimpanan." in await porch.text("/")


async def test_healthz_is_ok_when_every_check_is(porch: Doors) -> None:
    async with aiohttp.ClientSession(porch.url) as watchdog, watchdog.get("/healthz") as answer:
        assert answer.status == 200
        assert await answer.json() == {"status": "ok", "checks": {
            "asterisk": {"ok": True, "says": "Asterisk 22.10.1"}, "disk": {"ok": True, "says": "much"}}}


async def test_healthz_is_503_when_a_check_fails(porch: Doors) -> None:
    porch.checks[0] = Check("asterisk", False, "no events from Asterisk")
    told = await porch.ask("GET", "/healthz", 503)
    assert told["status"] == "failing"
    assert told["checks"]["asterisk"] == {"ok": False, "says": "no events from Asterisk"}
    assert told["checks"]["disk"]["ok"] is True


async def test_no_door_that_stands_open_tells_a_number_of_a_caller(porch: Doors) -> None:
    await porch.call()
    journal = porch.house.journal
    journal.note("arrived", "1763800000.7", number=NUMBER, arrived_at=datetime.now(UTC).isoformat())
    journal.note("unanswered", "1763800000.7", operator="op01", why="did not answer")
    journal.note("ended", "1763800000.7", by="caller")
    waiting = asyncio.create_task(porch.acd.wait(Waiting("1763800000.8", NOW)))
    await asyncio.sleep(0)
    for path in ("/", "/?lang=en", "/healthz", "/metrics"):
        text = await porch.text(path)
        for secret in (NUMBER, "0112", "1763800000", "op01"):
            assert secret not in text, (path, secret)
    assert "kentongan_waiting 1.0" in text
    waiting.cancel()


async def test_metrics_come_in_prometheus_text_format(porch: Doors) -> None:
    async with aiohttp.ClientSession(porch.url) as prometheus, prometheus.get("/metrics") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/plain"
        assert "kentongan_waiting 0.0" in await answer.text()
