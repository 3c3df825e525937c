"""An agency follows its link."""

from typing import Any

import aiohttp
import pytest
from sqlalchemy import select

from db.models import Forwarding
from tests.web.conftest import LINK_SECRET, Doors
from tickets import link

HOSTILE = "<script>alert(1)</script>\"'&amp;${x}"
JSON = {"Accept": "application/json"}


async def link_of(doors: Doors, ticket: dict[str, Any]) -> str:
    async with doors.house.sessions() as session:
        row = (await session.scalars(select(Forwarding).where(Forwarding.ticket_id == ticket["id"]))).one()
    return f"/a/{link.token(LINK_SECRET.encode(), row.id)}"


async def test_looking_shows_the_report_and_changes_nothing(doors: Doors) -> None:
    ticket = await doors.forwarded()
    path = await link_of(doors, ticket)
    async with aiohttp.ClientSession(doors.url) as agency:
        for _ in range(2):
            async with agency.get(path) as answer:
                assert (answer.status, answer.content_type) == (200, "text/html")
                page = await answer.text()
        assert (await agency.head(path)).status == 405
    for shown in (ticket["number"], "Kebakaran", "Pasar Rogojampi", "Api di kios 3", "Kami terima laporan ini"):
        assert shown in page
    assert await doors.get(f"/api/tickets/{ticket['id']}") == ticket


async def test_what_went_out_on_an_override_says_so_until_it_is_verified(doors: Doors) -> None:
    ticket = await doors.get(f"/api/tickets/{await doors.draft()}")
    ticket = await doors.step(ticket, "fill", place="Sumur", narrative="Anak jatuh")
    ticket = await doors.step(ticket, "override", reason="Anak di sumur")
    ticket = await doors.step(ticket, "forward", agencies=["damkar"])
    path = await link_of(doors, ticket)
    assert "BELUM TERVERIFIKASI (bukan A1)" in await doors.text(path)
    ticket = await doors.step(ticket, "verification", result="checking")
    ticket = await doors.step(ticket, "verification", result="a1", evidence="Tetangga membenarkan")
    assert (ticket["unverified"], ticket["override_by"]) == (False, "op01")
    assert "BELUM TERVERIFIKASI" not in await doors.text(path)


async def test_the_first_use_accepts_and_a_second_says_when_that_was(doors: Doors) -> None:
    ticket = await doors.forwarded()
    path = await link_of(doors, ticket)
    async with aiohttp.ClientSession(doors.url) as agency:
        async with agency.post(path, data={"by": " Regu jaga "}, headers=JSON) as answer:
            assert answer.status == 200
            first = await answer.json()
        async with agency.post(path, data={"by": "Somebody else"}, headers=JSON) as answer:
            assert answer.status == 200
            second = await answer.json()
    assert (first["first"], first["ticket"], first["agency"]) == (True, ticket["number"], "damkar")
    assert second == first | {"first": False}
    now = await doors.get(f"/api/tickets/{ticket['id']}")
    assert now["lifecycle"] == "accepted"
    [told] = now["forwardings"]
    assert (told["state"], told["accepted_by"], told["accepted_at"]) == ("accepted", "Regu jaga", first["accepted_at"])


async def test_a_person_is_thanked_and_finds_no_button_any_more(doors: Doors) -> None:
    path = await link_of(doors, await doors.forwarded())
    async with aiohttp.ClientSession(doors.url) as agency:
        async with agency.post(path, headers={"Accept": "text/html,application/json"}) as answer:
            assert answer.content_type == "text/html"
            assert "Terima kasih" in await answer.text()
        async with agency.get(path) as answer:
            page = await answer.text()
            assert "<button" not in page
            assert "WIB" in page
        async with agency.post(path) as answer:
            assert (answer.status, "sudah diterima sebelumnya" in await answer.text()) == (200, True)


async def test_hostile_texts_are_only_texts(doors: Doors) -> None:
    ticket = await doors.forwarded(place=HOSTILE, narrative=HOSTILE, subject_name=HOSTILE)
    path = await link_of(doors, ticket)
    async with aiohttp.ClientSession(doors.url) as agency, agency.post(path, data={"by": HOSTILE}) as answer:
        page = await answer.text()
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 4


@pytest.mark.parametrize("body", [b"by=%00%ff%0a", b"\xff\xfe", b"by=" + b"x" * 1000, b"by", b"other=1"])
async def test_a_strange_name_is_no_reason_to_refuse(porch: Doors, body: bytes) -> None:
    ticket = await porch.forwarded()
    async with porch.http.post(await link_of(porch, ticket), data=body, headers=JSON) as answer:
        assert answer.status == 200
        by = (await answer.json())["accepted_by"]
    assert by is None or (by.isprintable() and len(by) <= 100)


@pytest.mark.parametrize("change", ["", "x", "1.", "1", "999.x", "%00", "%F0%9F%92%A9", "1.%ED%A0%80", "a" * 3000])
async def test_a_link_that_is_not_ours_is_a_404(porch: Doors, change: str) -> None:
    await porch.forwarded()
    token = change or link.token(b"another secret", 1)
    async with aiohttp.ClientSession(porch.url) as stranger:
        for method, headers, kind in (("GET", {}, "text/html"), ("POST", {}, "text/html"),
                                      ("POST", JSON, "application/problem+json")):
            async with stranger.request(method, f"/a/{token}", headers=headers) as answer:
                assert (answer.status, answer.content_type) == (404, kind)


async def test_a_link_for_another_forwarding_does_not_open_this_one(porch: Doors) -> None:
    ticket = await porch.forwarded()
    genuine = (await link_of(porch, ticket)).removeprefix("/a/")
    number, seal = genuine.split(".")
    for wrong in (f"0{number}.{seal}", f"{number}.{seal[:-1]}", f"{number}.{seal}=", f"{number} .{seal}"):
        async with porch.http.get(f"/a/{wrong}") as answer:
            assert answer.status == 404
