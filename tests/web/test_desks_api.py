"""Operators' desks, as desks and programs see and change them."""

import pytest

from routing.operators import OFFERED, READY, TALKING, WRAP_UP
from tests.web.conftest import NOW, Doors, Waiting, ready_desk


async def test_everybody_is_told_with_why_they_get_no_call(doors: Doors) -> None:
    ready_desk(doors.acd, "op02")
    told = {desk["name"]: desk for desk in (await doors.get("/api/operators"))["items"]}
    assert told["op01"]["why_not_free"] == "not on shift"
    assert told["op02"] == {
        "name": "op02", "display_name": "Operator 02", "skills": ["fire"], "state": "ready", "on_shift": True,
        "device": "NOT_INUSE", "why_not_free": None, "paused_for": None, "call_id": None}


async def test_a_desk_pauses_and_is_ready_again(porch: Doors) -> None:
    ready_desk(porch.acd, "op01")
    paused = await porch.by("siti").ask("POST", "/api/operators/op01/pause", why=" Salat ")
    assert (paused["state"], paused["paused_for"], paused["why_not_free"]) == ("paused", "Salat", "paused")
    ready = await porch.by("siti").ask("POST", "/api/operators/op01/ready")
    assert (ready["state"], ready["paused_for"], ready["why_not_free"]) == ("ready", None, None)


async def test_who_says_ready_without_a_phone_is_told_that_no_call_will_come(porch: Doors) -> None:
    ready = await porch.by("op01").ask("POST", "/api/operators/op01/ready")
    assert (ready["state"], ready["why_not_free"]) == ("ready", "not on shift, phone not reachable")
    porch.acd.on_shift({"op01"})
    assert (await porch.by("op01").ask("POST", "/api/operators/op01/ready"))["why_not_free"] == "phone not reachable"


@pytest.mark.parametrize("state", [OFFERED, TALKING])
@pytest.mark.parametrize("wish", ["ready", "pause"])
async def test_a_desk_in_a_call_stays_in_it(porch: Doors, state: str, wish: str) -> None:
    desk = ready_desk(porch.acd, "op01")
    porch.acd._enter(desk, state, "1763800000.1")
    body = {"why": "x"} if wish == "pause" else {}
    problem = await porch.by("siti").ask("POST", f"/api/operators/op01/{wish}", 409, **body)
    assert problem["detail"] == f"op01 is in a call ({state}); wait until it is over"
    assert (desk.state, desk.call_id) == (state, "1763800000.1")


async def test_a_desk_that_is_not_logged_in_cannot_pause(porch: Doors) -> None:
    problem = await porch.by("siti").ask("POST", "/api/operators/op01/pause", 409, why="x")
    assert problem["detail"] == "a desk cannot go from out to paused; it can go to ready, talking"
    assert (porch.acd.desks["op01"].state, porch.acd.desks["op01"].paused_for) == ("out", None)


async def test_an_operator_that_is_not_there_is_a_404(porch: Doors) -> None:
    for name in ("op99", "%00", "..%2Fop01"):
        await porch.by("siti").ask("POST", f"/api/operators/{name}/ready", 404)


async def test_a_database_that_is_away_leaves_the_desk_as_it_is(porch: Doors) -> None:
    desk = ready_desk(porch.acd, "op01")
    async with porch.engine.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE operators RENAME TO lost")
    await porch.by("siti").ask("POST", "/api/operators/op01/pause", 503, why="x")
    assert desk.state is READY


async def test_a_form_that_is_finished_ends_the_wrap_up_at_once(porch: Doors) -> None:
    desk = ready_desk(porch.acd, "op01")
    async with porch.acd.desk_for(Waiting("1763800000.8", NOW)) as loan:
        porch.acd.talks(await loan.desk())
    assert desk.state == WRAP_UP
    done = await porch.by("op01").ask("POST", "/api/operators/op01/wrap-up-done")
    assert (done["state"], done["why_not_free"]) == ("ready", None)
    assert await porch.get("/api/operators/op01") == done
    problem = await porch.by("op01").ask("POST", "/api/operators/op01/wrap-up-done", 409)
    assert problem["detail"] == "op01 is not in wrap-up (ready); there is nothing to end"


async def test_after_the_wrap_up_an_operator_whose_phone_is_gone_is_out(porch: Doors) -> None:
    desk = ready_desk(porch.acd, "op01")
    porch.acd._enter(desk, TALKING, "1763800000.8")
    porch.acd._enter(desk, WRAP_UP)
    desk.device = "UNAVAILABLE"
    assert (await porch.by("op01").ask("POST", "/api/operators/op01/wrap-up-done"))["state"] == "out"
