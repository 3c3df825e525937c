"""Tickets, as desks and programs see and change them."""

from datetime import datetime
from typing import Any

import pytest

from tests.web.conftest import NUMBER, Doors


async def test_a_ticket_goes_from_draft_to_an_agency(doors: Doors) -> None:
    ticket = await doors.get(f"/api/tickets/{await doors.draft()}")
    assert (ticket["lifecycle"], ticket["verification"], ticket["version"]) == ("draft", "open", 1)
    assert (ticket["reporter_number"], ticket["calls"], ticket["forwardings"]) == (NUMBER, ["1763800000.1"], [])

    ticket = await doors.step(ticket, "fill", category="kios", place="Pasar Rogojampi", narrative="Api di kios 3")
    assert (ticket["place"], ticket["lifecycle"]) == ("Pasar Rogojampi", "open")
    ticket = await doors.step(ticket, "verification", result="checking")
    assert ticket["verification"] == "checking"
    ticket = await doors.step(ticket, "verification", result="a1", evidence="Called back, smoke seen")
    assert (ticket["verification"], ticket["verified_by"]) == ("a1", "op01")
    assert not doors.house.wake_outbox.is_set()
    ticket = await doors.step(ticket, "forward", agencies=["damkar"])

    assert doors.house.wake_outbox.is_set()
    assert ticket["lifecycle"] == "forwarded"
    [told] = ticket["forwardings"]
    assert (told["agency"], told["state"], told["sent_at"], told["accepted_at"]) == ("damkar", "queued", None, None)
    assert datetime.fromisoformat(told["created_at"]).utcoffset() is not None
    assert (told["message"]["state"], told["message"]["attempts"]) == ("waiting", 0)
    steps = [(step["field"], step["after"]) for step in ticket["history"]]
    assert steps[0] == ("lifecycle", "draft")
    assert ("forwarding damkar", "queued") in steps


async def test_a_form_that_is_emptied_is_empty_and_what_is_not_sent_stays(doors: Doors) -> None:
    ticket = await doors.get(f"/api/tickets/{await doors.draft()}")
    ticket = await doors.step(ticket, "fill", place="Pasar", reporter_name="Ibu Sri")
    ticket = await doors.step(ticket, "fill", reporter_name=None)
    assert (ticket["place"], ticket["reporter_name"], ticket["topic"]) == ("Pasar", None, "fire")


@pytest.mark.parametrize(("step", "values"), [
    ("fill", {"place": "Other"}), ("verification", {"result": "checking"}), ("override", {"reason": "Fire"}),
    ("forward", {"agencies": ["damkar"]})])
async def test_who_has_seen_an_old_version_changes_nothing(doors: Doors, step: str, values: dict[str, Any]) -> None:
    old = await doors.get(f"/api/tickets/{await doors.draft()}")
    new = await doors.step(old, "fill", place="Pasar")
    problem = await doors.step(old, step, 412, **values)
    assert problem["type"] == "urn:kentongan:problem:changed-meanwhile"
    assert await doors.get(f"/api/tickets/{old['id']}") == new
    assert not doors.house.wake_outbox.is_set()


async def test_nothing_goes_out_without_a1(doors: Doors) -> None:
    ticket = await doors.get(f"/api/tickets/{await doors.draft()}")
    problem = await doors.step(ticket, "forward", 409, agencies=["damkar"])
    assert problem["type"] == "urn:kentongan:problem:not-forwardable"
    assert "not A1" in problem["detail"]
    assert await doors.get(f"/api/tickets/{ticket['id']}") == ticket
    assert not doors.house.wake_outbox.is_set()


async def test_danger_to_life_goes_out_without_a1_and_says_who_answers_for_it(doors: Doors) -> None:
    ticket = await doors.get(f"/api/tickets/{await doors.draft()}")
    ticket = await doors.step(ticket, "override", reason="Child in the well")
    assert (ticket["override_by"], ticket["override_reason"]) == ("op01", "Child in the well")
    ticket = await doors.step(ticket, "forward", agencies=["damkar"])
    assert ticket["lifecycle"] == "forwarded"


async def test_an_incomplete_report_is_not_a1_and_the_field_is_named(doors: Doors) -> None:
    ticket = await doors.get(f"/api/tickets/{await doors.draft()}")
    ticket = await doors.step(ticket, "verification", result="checking")
    problem = await doors.step(ticket, "verification", 422, result="a1", evidence="Seen")
    assert (problem["field"], problem["detail"]) == ("place", "A1 needs: place, narrative")
    assert await doors.get(f"/api/tickets/{ticket['id']}") == ticket


@pytest.mark.parametrize("result", ["a1", "not_true", "cannot_be_checked"])
async def test_a_result_without_a_check_is_no_legal_step(doors: Doors, result: str) -> None:
    ticket = await doors.get(f"/api/tickets/{await doors.draft()}")
    ticket = await doors.step(ticket, "fill", place="Pasar", narrative="Api")
    problem = await doors.step(ticket, "verification", 409, result=result, evidence="Seen")
    assert problem["type"] == "urn:kentongan:problem:step-not-possible"
    assert await doors.get(f"/api/tickets/{ticket['id']}") == ticket


@pytest.mark.parametrize(("step", "values", "field"), [
    ("fill", {"topic": "weather"}, "topic"), ("fill", {"lifecycle": "done"}, "lifecycle"),
    ("fill", {"evidence": "x"}, "evidence"), ("fill", {"place": "x\0"}, "place"), ("fill", {"by": "op02"}, "by"),
    ("fill", {"version": 1}, "version"), ("fill", {"place": 5}, "place"),
    ("verification", {"result": "open"}, "result"), ("verification", {"result": "A1"}, "result"),
    ("override", {"reason": "  "}, "reason"), ("forward", {"agencies": []}, "agencies"),
    ("forward", {"agencies": ["../x"]}, "agencies.0"), ("forward", {"agencies": "damkar"}, "agencies")])
async def test_what_makes_no_sense_changes_nothing(
    porch: Doors, step: str, values: dict[str, Any], field: str
) -> None:
    ticket = await porch.get(f"/api/tickets/{await porch.draft()}")
    assert (await porch.step(ticket, step, 422, **values))["field"] == field
    assert await porch.get(f"/api/tickets/{ticket['id']}") == ticket


async def test_an_agency_that_is_not_there_gets_nothing_and_neither_do_the_others(doors: Doors) -> None:
    ticket = await doors.verified()
    problem = await doors.step(ticket, "forward", 404, agencies=["damkar", "nobody"])
    assert problem["detail"] == "there is no agency nobody"
    assert (await doors.get(f"/api/tickets/{ticket['id']}"))["forwardings"] == []


@pytest.mark.parametrize("ticket_id", ["999999", "2147483647"])
async def test_a_ticket_that_is_not_there_is_a_404(doors: Doors, ticket_id: str) -> None:
    await doors.ask("GET", f"/api/tickets/{ticket_id}", 404)
    await doors.by("op01").ask("PATCH", f"/api/tickets/{ticket_id}", 404, seen=1)


@pytest.mark.parametrize("ticket_id", ["0", "-1", "x", "2147483648", "99999999999999999999999"])
async def test_what_cannot_be_the_id_of_a_ticket_is_refused(porch: Doors, ticket_id: str) -> None:
    assert (await porch.ask("GET", f"/api/tickets/{ticket_id}", 422))["field"] == "ticket_id"
