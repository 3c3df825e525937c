"""Operators' desks, as desks and programs see and change them."""

import pytest

from routing.operators import OFFERED, READY, TALKING
from tests.web.conftest import Doors, ready_desk


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


@pytest.mark.parametrize("state", [OFFERED, TALKING])
@pytest.mark.parametrize("wish", ["ready", "pause"])
async def test_a_desk_in_a_call_stays_in_it(porch: Doors, state: str, wish: str) -> None:
    desk = ready_desk(porch.acd, "op01")
    porch.acd._enter(desk, state, "1763800000.1")  # type: ignore[arg-type]
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
