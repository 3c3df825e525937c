"""Whom to call back, through the door."""

from datetime import timedelta
from typing import Any

from db.models import Callback, CallbackCall
from tests.web.conftest import NOW, Doors


async def task(doors: Doors, n: int = 1, **values: Any) -> int:
    """A task n minutes after NOW, with one call."""
    at = NOW + timedelta(minutes=n)
    row = Callback(**{"number": f"0800555{n:03}", "state": "open", "opened_at": at, "due_at": at, **values})
    await doors.add(row)
    await doors.add(CallbackCall(callback_id=row.id, call_id=f"c.{n}"))
    return row.id



async def test_open_ones_come_first_then_the_oldest_page_by_page(doors: Doors) -> None:
    asked = await task(doors, 1, state="asked")
    opened = [await task(doors, n) for n in (4, 3, 2)][::-1]
    await task(doors, 5, state="done")
    op01, seen, after = doors.by("op01"), [], ""
    while after is not None:
        page = await op01.get(f"/api/callbacks?limit=3{after and '&after=' + after}")
        seen += [one["id"] for one in page["items"]]
        after = page["next"]
    assert seen == [*opened, asked]


async def test_callers_without_a_number_have_a_list_of_their_own(porch: Doors) -> None:
    await task(porch, 1)
    nameless = await task(porch, 2, number=None)
    [one] = (await porch.by("op01").get("/api/callbacks?numberless=true"))["items"]
    assert (one["id"], one["number"], one["calls"]) == (nameless, None, ["c.2"])


async def test_what_is_over_is_told_on_demand(porch: Doors) -> None:
    await task(porch, 1)
    done = await task(porch, 2, state="done")
    given_up = await task(porch, 3, state="given_up")
    page = await porch.by("siti").get("/api/callbacks?state=done&state=given_up")
    assert [one["id"] for one in page["items"]] == [done, given_up]
    assert (await porch.ask("GET", "/api/callbacks?state=lost", 422))["field"] == "state.0"


async def test_somebody_was_reached(doors: Doors) -> None:
    task_id = await task(doors)
    await doors.call("1763800000.7")
    done = await doors.by("op01").ask(
        "POST", f"/api/callbacks/{task_id}/attempt", seen=1, reached=True, call_id="1763800000.7")
    assert (done["state"], done["attempts"], done["closed_by"], done["version"]) == ("done", 1, "op01", 2)
    assert done["cleared_by_call"] == "1763800000.7"
    assert await doors.get(f"/api/callbacks/{task_id}") == done


async def test_three_attempts_in_vain_then_the_supervisor_decides(doors: Doors) -> None:
    task_id = await task(doors)
    for seen in (1, 2, 3):
        said = await doors.by("op02").ask("POST", f"/api/callbacks/{task_id}/attempt", seen=seen, reached=False)
    assert (said["state"], said["attempts"], said["due_at"]) == ("asked", 3, None)
    problem = await doors.by("op02").ask("POST", f"/api/callbacks/{task_id}/attempt", 409, seen=4, reached=False)
    assert "supervisor decides" in problem["detail"]
    decision = {"decision": "give up", "reason": "The number does not exist"}
    await doors.by("op02").ask("POST", f"/api/callbacks/{task_id}/decision", 403, seen=4, **decision)
    said = await doors.by("siti").ask("POST", f"/api/callbacks/{task_id}/decision", seen=4, **decision)
    assert (said["state"], said["closed_by"]) == ("given_up", "siti")


async def test_or_opens_it_again(porch: Doors) -> None:
    task_id = await task(porch, state="asked", attempts=3, due_at=None)
    said = await porch.by("siti").ask(
        "POST", f"/api/callbacks/{task_id}/decision", seen=1, decision="open", reason="They called 110")
    assert (said["state"], said["attempts"]) == ("open", 3)
    assert said["due_at"] is not None


async def test_two_who_call_back_at_once_hear_of_each_other(porch: Doors) -> None:
    path = f"/api/callbacks/{await task(porch)}/attempt"
    await porch.by("op01").ask("POST", path, seen=1, reached=False)
    await porch.by("op02").ask("POST", path, 412, seen=1, reached=False)
    await porch.by("op02").ask("POST", path, 428, reached=False)
    assert (await porch.get("/api/callbacks/1"))["attempts"] == 1


async def test_an_attempt_that_cannot_be_used_changes_nothing(porch: Doors) -> None:
    path = f"/api/callbacks/{await task(porch)}/attempt"
    bodies: list[tuple[dict[str, Any], str]] = [
        ({}, "reached"), ({"reached": "perhaps"}, "reached"), ({"reached": True, "call_id": "a b"}, "call_id"),
        ({"reached": True, "by": "op09"}, "by")]
    for body, field in bodies:
        assert (await porch.by("op01").ask("POST", path, 422, seen=1, **body))["field"] == field
    assert (await porch.get("/api/callbacks/1"))["version"] == 1


async def test_what_is_not_there_is_a_404(porch: Doors) -> None:
    await porch.ask("GET", "/api/callbacks/9", 404)
    await porch.by("op01").ask("POST", "/api/callbacks/9/attempt", 404, seen=1, reached=True)
    path = f"/api/callbacks/{await task(porch)}/attempt"
    await porch.by("op01").ask("POST", path, 404, seen=1, reached=True, call_id="c.9")


async def test_it_is_nobody_elses_business(porch: Doors) -> None:
    for who in ("qori", "damkar-jaga"):
        await porch.by(who).ask("GET", "/api/callbacks", 403)
