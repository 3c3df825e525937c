"""Sub-districts and villages, as desks look them up and the admin brings them in."""

from typing import Any

import pytest
from sqlalchemy import func, select

from db.models import Area, Audit
from tests.web.conftest import Doors, token_of

TABLE = "code,kind,name,parent\n01,subdistrict,Contoh Satu,\n01.1,village,=Melati,01\n01.2,village,Kenanga,01\n"


async def bring(doors: Doors, data: bytes, status: int = 200, query: str = "", who: str = "adi") -> Any:
    headers = {"Authorization": f"Bearer {token_of(who)}", "Content-Type": "text/csv"}
    async with doors.http.post(f"/api/areas/import{query}", data=data, headers=headers) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


async def count(doors: Doors) -> tuple[int, int]:
    async with doors.house.sessions() as session:
        return (
            await session.scalar(select(func.count()).select_from(Area)) or 0,
            await session.scalar(select(func.count()).select_from(Audit)) or 0,
        )


async def test_an_admin_brings_places_in_and_desks_look_them_up(doors: Doors) -> None:
    told = await bring(doors, TABLE.encode("utf-8-sig"))
    assert told == {"added": 3, "changed": 0, "deactivated": 0, "unchanged": 0}
    operator = doors.by("op01")
    first = await operator.get("/api/areas?limit=2")
    assert first["items"][0] == {
        "code": "01", "kind": "subdistrict", "name": "Contoh Satu", "parent": None, "active": True}
    assert [one["code"] for one in (await operator.get(f"/api/areas?after={first['next']}"))["items"]] == ["01.2"]
    assert [one["code"] for one in (await operator.get("/api/areas?kind=subdistrict"))["items"]] == ["01"]
    assert [one["code"] for one in (await operator.get("/api/areas?parent=01&limit=1"))["items"]] == ["01.1"]
    async with doors.house.sessions() as session:
        assert set(await session.scalars(select(Audit.who).where(Audit.what == "area"))) == {"adi"}


async def test_what_is_taken_away_is_not_offered_any_more_but_known(doors: Doors) -> None:
    await bring(doors, TABLE.encode())
    told = await bring(doors, TABLE.replace("01.2,village,Kenanga,01\n", "").encode(), query="?replace=true")
    assert told == {"added": 0, "changed": 0, "deactivated": 1, "unchanged": 2}
    assert len((await doors.get("/api/areas"))["items"]) == 2
    assert [one["code"] for one in (await doors.get("/api/areas?active=false"))["items"]] == ["01.2"]


async def test_the_table_comes_out_safe_for_spreadsheets_and_goes_in_again(doors: Doors) -> None:
    await bring(doors, TABLE.encode())
    async with doors.http.get("/api/areas/export") as answer:
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        text = await answer.text()
    assert text.splitlines()[2] == "01.1,village,'=Melati,01"
    assert (await bring(doors, text.encode(), query="?replace=true"))["unchanged"] == 3


@pytest.mark.parametrize(("data", "status", "says"), [
    (TABLE.encode("utf-16"), 422, "row 1: not UTF-8"),
    (TABLE.encode().replace(b"Kenanga", b"\xe9"), 422, "row 4: not UTF-8"),
    (b"code,kind\n", 422, "row 1: the first row must name the columns"),
    ((TABLE + "01,subdistrict,Double,\n").encode(), 422, "row 5: the code 01 stands in row 2 already"),
    ((TABLE + "02.1,village,Lost,02\n").encode(), 422, "row 5: its sub-district 02 is neither"),
    (b"a" * 1_000_001, 413, ""), (b"", 422, "body"), (b"PK\x03\x04\x14", 422, "row 1: the first row")],
    ids=["utf-16", "latin-1", "columns", "double", "parent", "long", "nothing", "xlsx"])
async def test_a_wrong_table_is_refused_with_its_row_and_changes_nothing(
    porch: Doors, data: bytes, status: int, says: str
) -> None:
    before = await count(porch)
    assert says in (await bring(porch, data, status))["detail"]
    assert await count(porch) == before


async def test_only_an_admin_changes_places_and_agencies_have_no_business_with_them(porch: Doors) -> None:
    for who in ("op01", "siti", "qori", "damkar-jaga"):
        await bring(porch, TABLE.encode(), 403, who=who)
    await porch.by("damkar-jaga").ask("GET", "/api/areas", 403)
    await porch.ask("GET", "/api/areas?kind=province", 422)
    await porch.ask("GET", "/api/areas?after=rubbish", 422)
    assert (await count(porch))[0] == 0
