"""The audit through the doors: the newest first, in pages, by what, which and who."""

from typing import Any

import pytest

from db.audit import Entry, Trail, breaks
from tests.web.conftest import NOW, PEOPLE, Doors


@pytest.fixture
async def told(doors: Doors) -> Doors:
    """The seed's nine rows, and three more."""
    async with doors.house.sessions.begin() as session:
        trail = Trail()
        for who, what, which in (("adi", "user", "qori"), ("op01", "ticket", "7"), ("op01", "ticket", "8")):
            trail.add(Entry(NOW, who, what, which, "place", None, {"to": ["Rogojampi", 1.5, None]}, "asked again"))
        await trail.seal_in(session)
    return doors


async def test_a_row_says_who_changed_what_from_what_to_what_and_why(told: Doors) -> None:
    page = await told.by("adi").get("/api/audit?limit=1")
    row = page["items"][0]
    assert (len(row.pop("salt")), len(row.pop("digest")), len(row.pop("chain"))) == (32, 64, 64)
    assert row == {
        "seq": 12, "at": "2026-11-22T03:00:00.000000+00:00", "who": "op01", "what": "ticket", "which": "8",
        "field": "place", "before": None, "after": {"to": ["Rogojampi", 1.5, None]}, "why": "asked again"}


async def test_a_change_to_a_whole_number_of_seconds_leaves_the_chain_whole(told: Doors) -> None:
    await told.by("adi").ask("PATCH", "/api/services/emergency", seen=1, accept_for=240)
    assert (await told.by("adi").get("/api/audit?limit=1"))["items"][0]["which"] == "emergency"
    async with told.house.sessions() as session:
        connection = await session.connection()
        assert await connection.run_sync(lambda sync: list(breaks(sync))) == []


async def test_it_comes_in_pages_that_later_rows_do_not_move(told: Doors) -> None:
    first = await told.get("/api/audit?limit=5")
    await told.ask("PATCH", "/api/users/qori", seen=1, display_name="Q")
    second = await told.get(f"/api/audit?limit=5&after={first['next']}")
    third = await told.get(f"/api/audit?limit=5&after={second['next']}")
    assert [row["seq"] for page in (first, second, third) for row in page["items"]] == list(range(12, 0, -1))
    assert third["next"] is None


@pytest.mark.parametrize(("asked", "found"), [
    ("what=ticket", [12, 11]), ("what=ticket&which=7", [11]), ("who=adi", [10]), ("who=nobody", []),
    ("what=user&who=kentongan&limit=2", [9, 8])])
async def test_it_is_asked_for_a_kind_of_thing_for_one_or_for_who_did_it(
    told: Doors, asked: str, found: list[int]
) -> None:
    assert [row["seq"] for row in (await told.get(f"/api/audit?{asked}"))["items"]] == found


@pytest.mark.parametrize(("asked", "field"), [
    ("what=%00", "what"), ("which=" + "x" * 201, "which"), ("who=a%0Ab", "who"), ("after=rubbish", "after"),
    ("after=WyJhIl0", "after"), ("limit=0", "limit")])
async def test_what_cannot_be_asked_is_refused(porch: Doors, asked: str, field: str) -> None:
    assert (await porch.ask("GET", f"/api/audit?{asked}", 422))["field"] == field


@pytest.mark.parametrize("who", ["op01", *(name for name, role in PEOPLE.items() if role != "admin")])
async def test_only_admins_read_it(porch: Doors, who: str) -> None:
    await porch.by(who).ask("GET", "/api/audit", 403)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_there_is_no_door_that_changes_it(porch: Doors, method: str) -> None:
    refusal: Any = await porch.ask(method, "/api/audit", 405)
    assert refusal["status"] == 405
