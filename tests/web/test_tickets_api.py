"""Tickets, as desks and programs see and change them."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.web.conftest import NUMBER, Doors


async def test_a_ticket_goes_from_draft_to_an_agency(doors: Doors) -> None:
    ticket = await doors.get(f"/api/tickets/{await doors.draft()}")
    assert (ticket["lifecycle"], ticket["verification"], ticket["version"]) == ("draft", "open", 1)
    assert (ticket["reporter_number"], ticket["calls"], ticket["forwardings"]) == (NUMBER, ["1763800000.1"], [])

    assert ticket["missing"] == ["place", "narrative", "evidence"]
    assert [one["agency"] for one in ticket["proposed"]] == ["damkar"]

    ticket = await doors.step(ticket, "fill", category="house-fire", place="Pasar Rogojampi", narrative="Api di kios 3")
    assert (ticket["place"], ticket["lifecycle"]) == ("Pasar Rogojampi", "open")
    assert ticket["missing"] == ["answers.burning", "answers.trapped"]
    ticket = await doors.step(ticket, "fill", answers={"burning": "kios kayu", "trapped": "tidak ada"})
    assert (ticket["answers"]["burning"], ticket["missing"]) == ("kios kayu", [])
    ticket = await doors.step(ticket, "verification", result="checking")
    assert ticket["verification"] == "checking"
    ticket = await doors.step(ticket, "verification", result="a1")
    assert (ticket["verification"], ticket["verified_by"], ticket["unverified"]) == ("a1", "op01", False)
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
    assert (ticket["lifecycle"], ticket["unverified"]) == ("forwarded", True)


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
    assert problem["detail"].startswith("there is no agency nobody; there are: ambulans118, bpbd, damkar, ")
    assert (await doors.get(f"/api/tickets/{ticket['id']}"))["forwardings"] == []


async def test_a_forwarding_says_whether_the_agency_is_told_or_must_be_telephoned(porch: Doors) -> None:
    await porch.ask(
        "PUT", "/api/agencies/damkar", seen=1, name="Damkar", url="http://127.0.0.1:9/reports", topics=["fire"])
    ticket = await porch.step(await porch.verified(), "forward", agencies=["damkar", "dinsos"])
    assert {one["agency"]: one["reachable"] for one in ticket["forwardings"]} == {"damkar": True, "dinsos": False}


@pytest.mark.parametrize("ticket_id", ["999999", "2147483647"])
async def test_a_ticket_that_is_not_there_is_a_404(doors: Doors, ticket_id: str) -> None:
    await doors.ask("GET", f"/api/tickets/{ticket_id}", 404)
    await doors.by("op01").ask("PATCH", f"/api/tickets/{ticket_id}", 404, seen=1)


@pytest.mark.parametrize("ticket_id", ["0", "-1", "x", "2147483648", "99999999999999999999999"])
async def test_what_cannot_be_the_id_of_a_ticket_is_refused(porch: Doors, ticket_id: str) -> None:
    assert (await porch.ask("GET", f"/api/tickets/{ticket_id}", 422))["field"] == "ticket_id"


async def test_a_report_that_came_without_a_call_has_its_services_number_clock_and_form(doors: Doors) -> None:
    form = {"name": "Mbah Contoh", "address": "Dusun Contoh 3", "family_members": 1}
    ticket = await doors.by("op01").ask(
        "POST", "/api/tickets", 201, service="elder", source="walk_in", form=form, category="elder-neglect",
        reporter_name="Tetangga", subject_name="Mbah Contoh")
    assert ticket["number"].startswith("L-")
    assert (ticket["service"], ticket["source"], ticket["topic"], ticket["lifecycle"]) == (
        "elder", "walk_in", "social", "open")
    assert (ticket["form"], ticket["form_version"], ticket["calls"]) == (form, 1, [])
    due, made = (datetime.fromisoformat(ticket[name]) for name in ("due_at", "created_at"))
    assert due - made == timedelta(hours=4)
    assert ticket["missing"] == ["place", "narrative", "answers.alone", "answers.eating"]
    assert await doors.get(f"/api/tickets/{ticket['id']}") == ticket


async def test_one_call_may_bring_several_tickets(doors: Doors) -> None:
    await doors.call()
    ticket = await doors.by("op01").ask(
        "POST", "/api/tickets", 201, service="social-welfare", source="call", calls=["1763800000.1"])
    assert (ticket["calls"], ticket["reporter_number"]) == (["1763800000.1"], NUMBER)
    assert len((await doors.get("/api/calls/1763800000.1"))["tickets"]) == 2


@pytest.mark.parametrize(("body", "field"), [
    ({"source": "call"}, "calls"), ({"source": "call", "calls": ["1.1"]}, "calls.0"), ({}, "source"),
    ({"source": "walk_in", "service": "nothing"}, "service"), ({"source": "pigeon"}, "source"),
    ({"source": "walk_in", "topic": "housing"}, "topic"),
    ({"source": "walk_in", "category": "elder-neglect"}, "category"),
    ({"source": "walk_in", "form": {"name": "x"}}, "form"), ({"source": "walk_in", "answers": {"x": "y"}}, "answers.x"),
    ({"source": "walk_in", "village": "00.99"}, "village"), ({"source": "walk_in", "latitude": 91}, "latitude"),
    ({"source": "walk_in", "latitude": 1.5}, "longitude"),
    ({"source": "walk_in", "narrative": "x" * 10_001}, "narrative"),
    ({"source": "walk_in", "service": "elder", "form": {"family_members": "two"}}, "form.family_members"),
    ({"source": "walk_in", "service": "elder", "form": {"colour": "red"}}, "form"),
    ({"source": "walk_in", "service": "elder", "form": {"dwelling_photo": 77}}, "form.dwelling_photo"),
    ({"source": "walk_in", "subject_name": "x\ny"}, "subject_name")])
async def test_a_ticket_that_cannot_be_is_not_opened_at_all(porch: Doors, body: dict[str, Any], field: str) -> None:
    assert (await porch.by("op01").ask("POST", "/api/tickets", 422, **body))["field"] == field
    draft = await porch.get(f"/api/tickets/{await porch.draft()}")
    assert (draft["id"], draft["number"]) == (1, "2611-0001")


async def test_what_an_agency_said_by_telephone_is_written_down(doors: Doors) -> None:
    ticket = await doors.forwarded()
    [told] = ticket["forwardings"]
    accept_by, asked = (datetime.fromisoformat(told[name]) for name in ("accept_by", "created_at"))
    assert accept_by - asked == timedelta(minutes=5)
    for state in ("accepted", "on_the_way", "done"):
        ticket = await doors.step(ticket, f"forwardings/{told['id']}", state=state, why="by telephone")
        assert ticket["lifecycle"] == state
    problem = await doors.step(ticket, f"forwardings/{told['id']}", 409, state="accepted")
    assert problem["type"] == "urn:kentongan:problem:step-not-possible"
    await doors.step(ticket, "forwardings/999", 404, state="accepted")
    other = await doors.get(f"/api/tickets/{await doors.draft('1.2')}")
    await doors.step(other, f"forwardings/{told['id']}", 404, state="accepted")


async def test_a_ticket_is_closed_and_reopened_with_a_reason(doors: Doors) -> None:
    ticket = await doors.get(f"/api/tickets/{await doors.draft()}")
    assert (await doors.step(ticket, "close", 422, reason=" "))["field"] == "reason"
    ticket = await doors.step(ticket, "close", reason="Nobody there")
    assert ticket["lifecycle"] == "closed"
    await doors.step(ticket, "fill", 409, place="Pasar")
    assert (await doors.step(ticket, "reopen", reason="Called again"))["lifecycle"] == "open"


async def test_an_agency_sees_what_was_forwarded_to_it_and_nothing_of_the_reporter(doors: Doors) -> None:
    ticket = await doors.forwarded(reporter_name="Tetangga", subject_name="Mbah Contoh")
    seen = await doors.by("damkar-jaga").get(f"/api/tickets/{ticket['id']}")
    assert (seen["place"], seen["subject_name"], len(seen["forwardings"])) == ("Pasar Rogojampi", "Mbah Contoh", 1)
    assert (seen["reporter_name"], seen["reporter_number"], seen["calls"], seen["history"]) == (None, None, [], [])
    await doors.by("polres-jaga").ask("GET", f"/api/tickets/{ticket['id']}", 404)
    await doors.by("damkar-jaga").ask("PATCH", f"/api/tickets/{ticket['id']}", 403, seen=1, place="x")
