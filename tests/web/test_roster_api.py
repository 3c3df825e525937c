"""The roster through the doors: seen, taken out, brought in whole, and nobody overwrites what they have not seen."""

from typing import Any

import pytest
from sqlalchemy import func, select, update

from db import models
from tests.web.conftest import Doors, token_of

DAY = b"hari;sif;operator\r\n2026-12-25;pagi;op02\r\n2026-12-25;siang;op03\r\n2026-12-25;malam;op06\r\n"


async def fetch(doors: Doors, path: str) -> tuple[bytes, str]:
    """What is there, and its ETag."""
    async with doors.http.get(path, headers=_as(doors)) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.read(), answer.headers["ETag"]


async def put(doors: Doors, path: str, data: bytes, seen: str | None, status: int = 200) -> Any:
    headers = _as(doors) | ({"If-Match": seen} if seen is not None else {})
    async with doors.http.put(path, data=data, headers=headers) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json() | {"etag": answer.headers.get("ETag")}


def _as(doors: Doors) -> dict[str, str]:
    return {"Authorization": f"Bearer {token_of(doors.who)}", "Content-Type": "text/csv"}


async def counted(doors: Doors) -> list[int]:
    """Rows of the week, of days, of the audit about the roster."""
    async with doors.house.sessions() as session:
        return [int(await session.scalar(query) or 0) for query in (
            select(func.count()).select_from(models.Duty), select(func.count()).select_from(models.DayDuty),
            select(func.count()).select_from(models.Audit).where(models.Audit.what == "roster"))]


async def test_the_whole_roster_and_its_files_have_one_etag(doors: Doors) -> None:
    _, etag = await fetch(doors, "/api/roster")
    whole = await doors.get("/api/roster")
    assert [shift["code"] for shift in whole["shifts"]] == ["pagi", "siang", "malam"]
    assert (len(whole["weekly"]), whole["days"], whole["timezone"]) == (42, [], "Asia/Jakarta")
    assert whole["weekly"][0] == {"day": "Monday", "shift": "malam", "operator": "op03"}
    for path in ("/api/roster.csv", "/api/roster.ics", "/api/roster.ics?operator=op01"):
        assert (await fetch(doors, path))[1] == etag


async def test_a_file_that_was_taken_out_goes_in_again_and_changes_nothing(doors: Doors) -> None:
    admin = doors.by("adi")
    for path in ("/api/roster.csv", "/api/roster.ics"):
        data, etag = await fetch(admin, path)
        assert await put(admin, path, data, etag) == {"week": False, "days": [], "warnings": [], "etag": etag}
    assert (await counted(doors))[1:] == [0, 0]


async def test_a_day_is_brought_in_seen_and_taken_away_again(doors: Doors) -> None:
    admin = doors.by("adi")
    _, before = await fetch(admin, "/api/roster")
    tried = await put(admin, "/api/roster.csv?dry_run=true", DAY, before)
    assert (tried["days"], tried["etag"]) == (["2026-12-25"], before)
    assert await counted(doors) == [42, 0, 0]
    done = await put(admin, "/api/roster.csv", DAY, before)
    assert done["warnings"][0] == "2026-12-25 (Friday) 07:00–15:00 only op02 is on"
    assert done["etag"] not in (None, before)
    assert await counted(doors) == [42, 3, 1]
    whole = await doors.get("/api/roster")
    assert whole["days"][0] == {"day": "2026-12-25", "shift": "malam", "operator": "op06"}
    calendar, etag = await fetch(admin, "/api/roster.ics")
    assert b"UID:op02-pagi-2026-12-25@kentongan" in calendar
    assert (await put(admin, "/api/roster.ics", calendar, etag))["days"] == []
    on = await doors.get("/api/roster/on?at=2026-12-25T08:00")
    assert [(one["name"], one["shift"]) for one in on["operators"]] == [("op02", "pagi")]
    assert {place["when"] for place in (await doors.get("/api/roster/gaps"))["items"]} >= {
        "2026-12-25 (Friday) 07:00–15:00"}
    seen = int(etag.strip('"'))
    assert (await admin.ask("DELETE", "/api/roster/days/2026-12-25", seen=seen))["days"] == ["2026-12-25"]
    assert (await fetch(admin, "/api/roster"))[1] == before
    assert (await admin.ask("DELETE", "/api/roster/days/2026-12-25", 404, seen=int(before.strip('"'))))["detail"]


async def test_who_saw_another_roster_or_does_not_say_which_is_told(doors: Doors) -> None:
    admin = doors.by("adi")
    _, seen = await fetch(admin, "/api/roster")
    await put(admin, "/api/roster.csv", DAY, seen)
    after = await counted(doors)
    refusal = await put(admin, "/api/roster.csv", DAY.replace(b"op02", b"op04"), seen, 412)
    assert refusal["type"] == "urn:kentongan:problem:changed-meanwhile"
    await put(admin, "/api/roster.ics", b"", seen, 412)
    await put(admin, "/api/roster.csv", DAY, None, 428)
    await admin.ask("DELETE", "/api/roster/days/2026-12-25", 412, seen=int(seen.strip('"')))
    assert await counted(doors) == after


@pytest.mark.parametrize(("path", "data", "field", "said"), [
    ("csv", DAY + b"2026-12-25;pagi;op77\n", "row 5", "row 5: there is no operator 'op77'"),
    ("csv", DAY.replace(b"siang", b"malam"), None, "2026-12-25 (Friday) 15:00–23:00 nobody is on"),
    ("csv", DAY + b"2026-12-25;siang;Jos\xe9\n", "row 5", "row 5: this is not UTF-8"),
    ("csv", b"%PDF-1.7\n\0\0", "row 1", "row 1: this is a PDF, not CSV"),
    ("csv", b"", None, "there is nothing in the file"),
    ("csv", b",,\r\n,,", None, "there is nothing in the file but empty cells"),
    ("csv", b"x" * 1_000_000, "row 1", "row 1: "),
    ("csv", b"\0" * 100, "row 1", "there is a NUL"),
    ("csv", "day,shift,operator\nMonday,pagi,\u202eسلام\n".encode(), "row 2", "row 2: there is no operator"),
    ("ics", b"BEGIN:VCALENDAR\n", None, "there are 0 events"),
    ("ics", DAY, None, "this is no iCalendar file"),
])
async def test_rubbish_is_refused_with_row_and_reason_and_nothing_is_written(
    doors: Doors, path: str, data: bytes, field: str | None, said: str
) -> None:
    _, seen = await fetch(doors, "/api/roster")
    refusal = await put(doors, f"/api/roster.{path}", data, seen, 422)
    assert said in refusal["detail"]
    assert refusal.get("field") == field
    assert await counted(doors) == [42, 0, 0]
    assert (await fetch(doors, "/api/roster"))[1] == seen


async def test_more_than_a_megabyte_is_too_long(porch: Doors) -> None:
    _, seen = await fetch(porch, "/api/roster")
    await put(porch, "/api/roster.csv", b"x" * 1_048_577, seen, 413)


async def test_shifts_are_changed_together_with_what_was_seen(doors: Doors) -> None:
    admin = doors.by("adi")
    seen = int((await fetch(admin, "/api/roster"))[1].strip('"'))
    early = [{"code": code, "starts": starts, "ends": ends} for code, starts, ends in (
        ("pagi", "06:00", "14:00"), ("siang", "14:00", "22:00"), ("malam", "22:00", "06:00"))]
    refusal = await admin.ask("PUT", "/api/roster/shifts", 422, seen=seen, shifts=early[:2])
    assert "somebody has the shift malam" in refusal["detail"]
    await admin.ask("PUT", "/api/roster/shifts", 422, seen=seen, shifts=[{**early[0], "ends": "24:00"}])
    await admin.ask("PUT", "/api/roster/shifts", seen=seen, shifts=early)
    assert (await doors.get("/api/roster"))["shifts"] == early
    await admin.ask("PUT", "/api/roster/shifts", 412, seen=seen, shifts=early)


async def test_who_is_on_duty_at_a_moment(doors: Doors) -> None:
    monday = await doors.get("/api/roster/on?at=2026-11-23T02:00")
    assert monday["at"] == "2026-11-23T02:00:00+07:00"
    assert [one["name"] for one in monday["operators"]] == ["op02", "op05"]
    assert monday["operators"][0] == {
        "name": "op02", "display_name": "Operator 02", "shift": "malam", "since": "2026-11-22T23:00:00+07:00",
        "until": "2026-11-23T07:00:00+07:00",
        "skills": ["medical", "fire", "police", "disaster", "social", "information"]}
    assert (await doors.get("/api/roster/on?at=2026-11-22T19:00:00Z"))["operators"] == monday["operators"]
    assert len((await doors.get("/api/roster/on"))["operators"]) >= 2
    for rubbish in ("soon", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-02-30T00:00"):
        assert (await doors.ask("GET", f"/api/roster/on?at={rubbish}", 422))["field"] == "at"


async def test_who_can_be_on_and_where_it_is_thin(doors: Doors) -> None:
    assert (await doors.get("/api/roster/gaps"))["items"] == []
    async with doors.house.sessions.begin() as session:
        await session.execute(update(models.Operator).where(models.Operator.name == "op04").values(active=False))
    places = (await doors.get("/api/roster/gaps"))["items"]
    assert {"skill": None, "when": "Monday 07:00–15:00", "operators": ["op07"]} in places
    people = {one["name"]: one["active"] for one in (await doors.get("/api/roster/operators"))["items"]}
    assert (people["op04"], people["op01"]) == (False, True)


async def test_one_operators_calendar_and_nobodys(doors: Doors) -> None:
    calendar, _ = await fetch(doors, "/api/roster.ics?operator=op01")
    assert b"X-KENTONGAN-OPERATOR:op01" in calendar
    assert b"op02" not in calendar
    await doors.ask("GET", "/api/roster.ics?operator=op99", 404)


async def test_all_staff_read_and_the_admin_alone_changes(doors: Doors) -> None:
    _, seen = await fetch(doors, "/api/roster")
    for name in ("op01", "siti", "adi", "qori"):
        await doors.by(name).get("/api/roster")
    await doors.by("damkar-jaga").ask("GET", "/api/roster", 403)
    for name in ("op01", "siti", "qori", "damkar-jaga"):
        await put(doors.by(name), "/api/roster.csv", DAY, seen, 403)
    assert await counted(doors) == [42, 0, 0]
