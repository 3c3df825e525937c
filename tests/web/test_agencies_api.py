"""Agencies, and the secret that is told once."""

import asyncio
import base64
from typing import Any

import pytest
from sqlalchemy import select

from db.models import Agency, Audit
from tests.web.conftest import Doors

URL = "http://127.0.0.1:9/reports"
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


async def stored(doors: Doors, code: str) -> Agency:
    async with doors.house.sessions() as session:
        return (await session.scalars(select(Agency).where(Agency.code == code))).one()


async def test_an_agency_without_a_secret_gets_one_that_is_told_once(doors: Doors) -> None:
    made = await doors.ask("PUT", "/api/agencies/damkar", seen=1, name="Damkar", url=URL, topics=["fire"])
    assert made["secret"].startswith("whsec_")
    assert len(base64.b64decode(made["secret"].removeprefix("whsec_"))) == 32
    assert (await stored(doors, "damkar")).secret == made["secret"]
    assert doors.house.wake_outbox.is_set()

    again = await doors.ask(
        "PUT", "/api/agencies/damkar", seen=2, name="Pemadam", url=None, topics=["fire", "disaster"])
    assert again == {"code": "damkar", "name": "Pemadam", "url": None, "topics": ["fire", "disaster"], "active": True,
                     "phone": None, "version": 3, "has_secret": True}
    assert (await stored(doors, "damkar")).secret == made["secret"]
    everybody = (await doors.get("/api/agencies"))["items"]
    assert again in everybody
    assert made["secret"] not in str(everybody)


async def test_a_new_agency_may_bring_its_own_secret(doors: Doors) -> None:
    made = await doors.ask("PUT", "/api/agencies/desa-sukamaju", 201, name="Desa", url=URL, topics=[], secret=SECRET)
    assert "secret" not in made
    assert (await stored(doors, "desa-sukamaju")).secret == SECRET


async def test_two_who_set_up_the_same_agency_at_once_make_one(doors: Doors) -> None:
    async def put() -> int:
        body = {"name": "Desa", "url": URL, "topics": []}
        async with doors.http.put("/api/agencies/desa", json=body) as answer:
            return answer.status

    assert sorted(await asyncio.gather(*(put() for _ in range(5)))) == [201, 428, 428, 428, 428]
    assert (await stored(doors, "desa")).name == "Desa"


@pytest.mark.parametrize(("values", "field"), [
    ({"url": "ftp://x/"}, "url"), ({"url": "javascript:alert(1)"}, "url"), ({"url": "http://"}, "url"),
    ({"url": "http://u:p@host/"}, "url"), ({"url": "http://[::1"}, "url"), ({"url": "http://h:99999/"}, "url"),
    ({"url": "http://h/\r\nX: 1"}, "url"), ({"topics": ["the weather"]}, "topics.0"), ({"name": " "}, "name"),
    ({"secret": "whsec_short"}, "secret"), ({"secret": SECRET.removeprefix("whsec_")}, "secret"),
    ({"active": "perhaps"}, "active"), ({"phone": "1\n2"}, "phone"), ({"version": 1}, "version")])
async def test_what_cannot_be_an_agency_changes_nothing(porch: Doors, values: dict[str, Any], field: str) -> None:
    before = await porch.get("/api/agencies")
    body = {"name": "Damkar", "url": URL, "topics": [], **values}
    assert (await porch.ask("PUT", "/api/agencies/damkar", 422, seen=1, **body))["field"] == field
    assert await porch.get("/api/agencies") == before


@pytest.mark.parametrize("code", ["Damkar", "a_b", "x" * 33, "-x", "x%0a"])
async def test_what_cannot_be_the_code_of_an_agency_is_refused(porch: Doors, code: str) -> None:
    assert (await porch.ask("PUT", f"/api/agencies/{code}", 422, name="x", url=None, topics=[]))["field"] == "code"


async def test_what_is_changed_of_an_agency_stands_in_the_audit_and_its_secret_does_not(doors: Doors) -> None:
    values: dict[str, Any] = {"name": "Damkar", "url": URL, "topics": ["fire"], "phone": "+62 555 0113"}
    made = await doors.ask("PUT", "/api/agencies/damkar", seen=1, **values)
    await doors.by("adi").ask("PUT", "/api/agencies/damkar", seen=2, **values | {"secret": SECRET, "active": False})
    await doors.by("adi").ask("PUT", "/api/agencies/damkar", seen=3, **values | {"active": False})     # nothing new
    async with doors.house.sessions() as session:
        rows = (await session.scalars(select(Audit).where(Audit.what == "agency").order_by(Audit.seq))).all()
    said = [(row.who, row.which, row.field, row.before, row.after) for row in rows]
    assert ("host", "damkar", "phone", None, "+62 555 0113") in said
    assert said[-2:] == [
        ("adi", "damkar", "active", True, False), ("adi", "damkar", "secret", "a secret", "another secret")]
    assert not any(secret in str(said) for secret in (made["secret"], SECRET))
    assert (await doors.get("/api/agencies/damkar"))["version"] == 3


async def test_an_agency_that_is_not_there_is_a_404_and_cannot_be_changed(doors: Doors) -> None:
    await doors.ask("GET", "/api/agencies/nobody", 404)
    await doors.ask("PUT", "/api/agencies/nobody", 412, seen=1, name="Nobody", url=None, topics=[])
    await doors.ask("GET", "/api/agencies/nobody", 404)
