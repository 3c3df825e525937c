"""Whose token opens what, beyond the table of rights: tokens that open nothing, own desks, an agency's own tickets."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from db.models import Token, User
from tests.web.conftest import NOW, Doors, ready_desk, token_of


async def test_an_operator_changes_their_own_desk_and_nobody_elses(porch: Doors) -> None:
    for name in ("op01", "op02"):
        ready_desk(porch.acd, name)
    operator = porch.by("op01")
    assert (await operator.ask("POST", "/api/operators/op01/pause", why="Salat"))["state"] == "paused"
    for wish, body in (("pause", {"why": "x"}), ("ready", {}), ("wrap-up-done", {})):
        refusal = await operator.ask("POST", f"/api/operators/op02/{wish}", 403, **body)
        assert refusal["type"] == "urn:kentongan:problem:not-allowed"
        await operator.ask("POST", f"/api/operators/op99/{wish}", 403, **body)
    assert porch.acd.desks["op02"].state == "ready"
    assert (await porch.by("siti").ask("POST", "/api/operators/op02/pause", why="x"))["state"] == "paused"


async def test_an_agency_sees_what_was_forwarded_to_it_and_cannot_tell_the_rest_from_nothing(doors: Doors) -> None:
    ticket = await doors.forwarded()
    other = await doors.draft("1763800000.2")
    assert (await doors.by("damkar-jaga").get(f"/api/tickets/{ticket['id']}"))["number"] == ticket["number"]
    refused = [
        await doors.by("polres-jaga").ask("GET", f"/api/tickets/{ticket['id']}", 404),
        await doors.by("damkar-jaga").ask("GET", f"/api/tickets/{other}", 404),
        await doors.by("damkar-jaga").ask("GET", "/api/tickets/99999", 404)]
    assert {refusal["type"] for refusal in refused} == {"urn:kentongan:problem:unknown"}
    for path in ("/api/calls", "/api/agencies", "/api/operators"):
        await doors.by("damkar-jaga").ask("GET", path, 403)


async def test_who_may_not_is_told_so_before_anything_else_is_looked_at(porch: Doors) -> None:
    headers = {"Authorization": f"Bearer {token_of('qori')}", "Content-Type": "application/json"}
    for path in ("/api/tickets/0", "/api/tickets/99999"):
        async with porch.http.patch(path, data=b'{"nonsense": 1}', headers=headers) as answer:
            assert answer.status == 403
            assert (await answer.json())["detail"] == "operator, supervisor may change tickets, and your role is qa"


@pytest.mark.parametrize("values", [
    {"revoked_at": NOW}, {"expires_at": NOW}, {"expires_at": NOW - timedelta(days=365)}])
async def test_a_token_that_was_revoked_or_is_past_its_time_opens_nothing(doors: Doors, values: dict[str, str]) -> None:
    assert await doors.by("siti").get("/api/calls")
    async with doors.house.sessions.begin() as session:
        await session.execute(update(Token).where(Token.user == "siti").values(values))
    refusal = await doors.by("siti").ask("GET", "/api/calls", 401)
    assert refusal["type"] == "urn:kentongan:problem:no-token"
    assert await doors.by("op01").get("/api/calls")


async def test_a_role_that_changes_counts_at_once(doors: Doors) -> None:
    await doors.by("op02").get("/api/calls")
    async with doors.house.sessions.begin() as session:
        await session.execute(update(User).where(User.name == "op02").values(role="agency", agency="polres"))
    await doors.by("op02").ask("GET", "/api/calls", 403)
    async with doors.house.sessions.begin() as session:
        await session.execute(update(User).where(User.name == "op02").values(active=False))
    await doors.by("op02").ask("GET", "/api/calls", 401)


async def test_who_does_something_is_who_has_the_token(doors: Doors) -> None:
    await doors.call(operator="op03")
    said = await doors.by("op03").ask("POST", "/api/calls/1763800000.1/disposition", disposition="ghost")
    assert said["disposed_by"] == "op03"
