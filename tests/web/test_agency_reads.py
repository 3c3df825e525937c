"""Whatever an agency's person reads of tickets, through whichever door: nothing of who reported, nor of our work."""

import io
import re
from typing import Any

from PIL import Image
from sqlalchemy import update

from db.models import Ticket
from tests.web.conftest import NUMBER, Doors, token_of
from web.app import make_app
from web.openapi import rights_of

CALLS = ("1763800000.1", "1763800000.2", "1763800000.3")
REPORTER = "Tetangga Contoh"
#: each stands somewhere in what was told below
SECRETS = (REPORTER, NUMBER, "op01", *CALLS, "polres", "gate is locked", "Called back")


async def _told(doors: Doors) -> tuple[list[int], list[int]]:
    """Ids of a ticket and one that went into it, both with two agencies, and of their files."""
    desk, tickets, files = doors.by("op01"), [], []
    for count, call in enumerate(CALLS[:2]):
        await doors.call(call)
        ticket = await doors.get(f"/api/tickets/{count + 1}")
        # the one that goes on knows less, so that something is offered
        values: dict[str, Any] = {"reporter_name": REPORTER, "subject_number": "0800555777"} if count else {}
        ticket = await doors.step(
            ticket, "fill", place="Pasar Contoh", narrative="Api", subject_name="Mbah Contoh", **values)
        ticket = await doors.step(ticket, "verification", result="checking")
        ticket = await doors.step(ticket, "verification", result="a1", evidence="Called back")
        ticket = await doors.step(ticket, "forward", agencies=["damkar", "polres"])
        await desk.ask("POST", f"/api/tickets/{ticket['id']}/notes", 201, text="gate is locked")
        out = io.BytesIO()
        Image.new("RGB", (40, 30), (count, 90, 90)).save(out, "PNG")
        headers = {"Authorization": f"Bearer {token_of('op01')}", "Content-Type": "image/png"}
        path = f"/api/tickets/{ticket['id']}/attachments?title=dapur.png"
        async with doors.http.post(path, data=out.getvalue(), headers=headers) as answer:
            files.append((await answer.json())["id"])
        tickets.append(ticket["id"])
    await doors.call(CALLS[2])
    await desk.ask("PUT", f"/api/tickets/{tickets[0]}/calls/{CALLS[2]}")
    async with doors.house.sessions.begin() as session:
        await session.execute(update(Ticket).where(Ticket.id == tickets[1]).values(merged_into=tickets[0]))
        await session.execute(update(Ticket).where(Ticket.id == tickets[0]).values(reporter_number=None))
    return tickets, files


async def _walked(doors: Doors, who: str, tickets: list[int], files: list[int]) -> dict[str, tuple[int, str]]:
    """Status and text of every GET below /api/tickets, for each of the tickets and files."""
    headers = {"Authorization": f"Bearer {token_of(who)}"}
    found = {}
    for route, method, _ in rights_of(make_app(doors.house)):
        path = route.path_format or ""
        if method != "GET" or not path.startswith("/api/tickets"):
            continue
        for ticket in tickets:
            for file in files:
                one = path.replace("{ticket_id}", str(ticket)).replace("{attachment_id}", str(file))
                one += "?merged=true" if path == "/api/tickets" else ""
                assert not re.search("[{}]", one), "what varies in this address is not known to this test"
                async with doors.http.get(one, headers=headers) as answer:
                    told = f"{answer.headers}{(await answer.read()).decode('latin-1')}"
                    found[one] = answer.status, told
    return found


async def test_no_door_tells_an_agency_who_reported_or_what_the_house_did(doors: Doors) -> None:
    tickets, files = await _told(doors)
    desk = await _walked(doors, "op01", tickets, files)
    assert all(any(secret in text for _, text in desk.values()) for secret in SECRETS)
    agency = await _walked(doors, "damkar-jaga", tickets, files)
    assert {status for status, _ in agency.values()} == {200, 403, 404}
    assert [(path, secret) for path, (_, text) in agency.items() for secret in SECRETS if secret in text] == []
    for path in ("", "/merged", "/attachments", f"/attachments/{files[0]}"):
        assert agency[f"/api/tickets/{tickets[0]}{path}"][0] == 200
    for path in ("/notes", "/calls", "/similar"):
        status, text = agency[f"/api/tickets/{tickets[0]}{path}"]
        assert (status, "your role is agency" in text) == (403, True)


async def test_list_and_ticket_tell_an_agency_whom_it_is_about_and_how_far_it_is_itself(doors: Doors) -> None:
    [first, second], _ = await _told(doors)
    agency = doors.by("damkar-jaga")
    [line] = (await agency.get("/api/tickets"))["items"]
    ticket = await agency.get(f"/api/tickets/{first}")
    for told in (line, ticket):
        assert (told["subject_name"], told["reporter_name"], told["narrative"]) == ("Mbah Contoh", None, "Api")
    assert (line["calls"], line["agencies"]) == (0, [{"agency": "damkar", "state": "queued"}])
    assert [one["agency"] for one in ticket["forwardings"]] == ["damkar"]
    merged = await agency.get(f"/api/tickets/{first}/merged")
    assert ([part["id"] for part in merged["items"]], merged["offered"]) == ([second], {})
    assert set((await doors.get(f"/api/tickets/{first}/merged"))["offered"]) == {
        "reporter_name", "reporter_number", "subject_number"}


async def test_an_agencys_list_is_not_narrowed_by_others_or_by_who_answered(doors: Doors) -> None:
    await _told(doors)
    agency = doors.by("damkar-jaga")
    assert len((await agency.get("/api/tickets?agency=damkar"))["items"]) == 1
    for query in ("agency=polres", "operator=op01", "agency=damkar&operator=op02"):
        refusal = await agency.ask("GET", f"/api/tickets?{query}", 403)
        assert "only the house looks" in refusal["detail"]
