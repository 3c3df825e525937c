"""People through the doors: who may, what is told once, and what is refused."""

import asyncio
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select

from db.models import Audit, IdempotencyKey, Token, User
from tests.web.conftest import PEOPLE, TOKEN, Doors, token_of

NOT_ADMINS = ["op01", *(name for name, role in PEOPLE.items() if role != "admin")]
#: method, path, body; the right user is asked for with If-Match
ROUTES: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/api/users", {}), ("GET", "/api/users/qori", {}), ("GET", "/api/users/qori/tokens", {}),
    ("POST", "/api/users", {"name": "sri", "role": "qa"}), ("PATCH", "/api/users/qori", {"active": False}),
    ("POST", "/api/users/qori/tokens", {}), ("DELETE", "/api/users/qori/tokens", {}),
    ("DELETE", "/api/users/qori/tokens/1", {}), ("GET", "/api/audit", {})]


async def knock(doors: Doors, token: str, path: str = "/api/users") -> int:
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(doors.url, headers=headers) as http, http.get(path) as answer:
        return answer.status


async def everything(doors: Doors) -> list[Any]:
    async with doors.house.sessions() as session:
        return [[tuple(row) for row in (await session.execute(select(table.__table__).order_by(*key))).all()]
                for table, key in ((User, [User.name]), (Token, [Token.id]), (Audit, [Audit.seq]))]


@pytest.mark.parametrize("who", NOT_ADMINS)
async def test_only_admins_see_and_change_people(porch: Doors, who: str) -> None:
    before = await everything(porch)
    for method, path, body in ROUTES:
        refusal = await porch.by(who).ask(method, path, 403, seen=1, **body)
        assert refusal["type"] == "urn:kentongan:problem:not-allowed"
    assert await everything(porch) == before


async def test_somebody_new_is_told_their_token_once_and_it_opens(doors: Doors) -> None:
    adi = doors.by("adi")
    made = await adi.ask("POST", "/api/users", 201, name="sri", role="admin", display_name=" Sri ", expires_days=7)
    assert made.pop("token").startswith("kt_")
    assert made == await adi.get("/api/users/sri")
    assert made | {"created_at": None} == {
        "name": "sri", "display_name": "Sri", "role": "admin", "agency": None, "active": True, "created_at": None,
        "version": 1, "tokens": 1, "has_password": False, "skills": None}
    token = (await adi.ask("POST", "/api/users/sri/tokens", 201))["token"]
    assert await knock(doors, token) == 200
    said = str(await adi.get("/api/users")) + str(await adi.get("/api/users/sri/tokens"))
    assert token not in said
    assert "hash" not in said
    lines = (await adi.get("/api/audit?what=user&which=sri"))["items"]
    assert [(line["who"], line["field"]) for line in lines] == [("adi", "token"), ("adi", "token"), ("adi", "added")]


async def test_an_answer_that_tells_a_token_is_kept_by_no_idempotency_key(doors: Doors) -> None:
    for path, body in (("/api/users", {"name": "sri", "role": "qa"}), ("/api/users/qori/tokens", {})):
        headers = {"Authorization": f"Bearer {token_of('adi')}", "Idempotency-Key": path}
        async with doors.http.post(path, json=body, headers=headers) as answer:
            assert answer.status == 201
            token = (await answer.json())["token"]
        before = await everything(doors)
        async with doors.http.post(path, json=body, headers=headers) as again:
            assert again.status == 409
            assert (await again.json())["type"] == "urn:kentongan:problem:told-once"
        assert await everything(doors) == before
        async with doors.house.sessions() as session:
            keys = (await session.scalars(select(IdempotencyKey))).all()
        assert keys
        assert not [key for key in keys if token in str(vars(key))]


async def test_a_change_counts_at_once_and_says_which_version_it_saw(doors: Doors) -> None:
    adi, qori = doors.by("adi"), doors.by("qori")
    await qori.ask("GET", "/api/users", 403)
    changed = await adi.ask("PATCH", "/api/users/qori", seen=1, role="admin", why="holidays")
    assert (changed["role"], changed["version"]) == ("admin", 2)
    await qori.get("/api/users")
    assert (await adi.ask("PATCH", "/api/users/qori", 412, seen=1, role="qa"))["type"].endswith("changed-meanwhile")
    await adi.ask("PATCH", "/api/users/qori", 428, role="qa")
    await adi.ask("PATCH", "/api/users/qori", seen=2, role="qa")
    await qori.ask("GET", "/api/users", 403)
    await adi.ask("PATCH", "/api/users/qori", seen=3, active=False)
    await qori.ask("GET", "/api/users", 401)
    line = (await adi.get("/api/audit?what=user&which=qori"))["items"][-1]
    assert (line["before"], line["after"], line["why"]) == ("qa", "admin", "holidays")


async def test_two_admins_who_edit_one_user_are_told_of_each_other(doors: Doors) -> None:
    async def rename(to: str) -> int:
        headers = {"Authorization": f"Bearer {TOKEN}", "If-Match": '"1"'}
        async with doors.http.patch("/api/users/qori", json={"display_name": to}, headers=headers) as answer:
            return answer.status

    assert sorted(await asyncio.gather(*(rename(f"Q{n}") for n in range(4)))) == [200, 412, 412, 412]


async def test_tokens_are_revoked_one_by_one_or_all_at_once(doors: Doors) -> None:
    adi = doors.by("adi")
    made = [await adi.ask("POST", "/api/users/adi/tokens", 201, expires_days=1) for _ in range(2)]
    assert (await adi.ask("DELETE", f"/api/users/adi/tokens/{made[0]['id']}"))["revoked"] == 1
    assert (await adi.ask("DELETE", f"/api/users/adi/tokens/{made[0]['id']}"))["revoked"] == 0
    assert [await knock(doors, one["token"]) for one in made] == [401, 200]
    listed = (await adi.get("/api/users/adi/tokens"))["items"]
    assert [one["id"] for one in listed][:2] == [made[1]["id"], made[0]["id"]]
    assert [one["revoked_at"] is None for one in listed] == [True, False, True]
    await adi.ask("DELETE", f"/api/users/qori/tokens/{made[1]['id']}", 404)
    assert (await adi.ask("DELETE", "/api/users/adi/tokens"))["revoked"] == 2
    assert await knock(doors, made[1]["token"]) == 401
    await adi.ask("GET", "/api/users", 401)


async def test_a_new_operator_through_the_doors_has_skills(doors: Doors) -> None:
    made = await doors.ask("POST", "/api/users", 201, name="op10", role="operator", skills=["medical", "fire"])
    assert made["skills"] == ["fire", "medical"]
    changed = await doors.ask("PATCH", "/api/users/op10", seen=1, skills=["police"])
    assert (changed["skills"], changed["version"]) == (["police"], 2)


@pytest.mark.parametrize(("method", "path", "body", "status", "field"), [
    ("POST", "/api/users", {"name": "Sri", "role": "qa"}, 422, "name"),
    ("POST", "/api/users", {"name": "sri\0", "role": "qa"}, 422, "name"),
    ("POST", "/api/users", {"name": "host", "role": "qa"}, 422, "name"),
    ("POST", "/api/users", {"name": "sri", "role": "boss"}, 422, "role"),
    ("POST", "/api/users", {"name": "sri"}, 422, "role"),
    ("POST", "/api/users", {"name": "sri", "role": "agency"}, 422, "agency"),
    ("POST", "/api/users", {"name": "sri", "role": "agency", "agency": "nobody"}, 422, "agency"),
    ("POST", "/api/users", {"name": "sri", "role": "qa", "agency": "damkar"}, 422, "agency"),
    ("POST", "/api/users", {"name": "sri", "role": "qa", "skills": []}, 422, "skills"),
    ("POST", "/api/users", {"name": "sri", "role": "operator", "skills": ["any"]}, 422, "skills.0"),
    ("POST", "/api/users", {"name": "sri", "role": "operator", "skills": ["cooking"]}, 422, "skills.0"),
    ("POST", "/api/users", {"name": "sri", "role": "qa", "display_name": "a\nb"}, 422, "display_name"),
    ("POST", "/api/users", {"name": "sri", "role": "qa", "expires_days": 0}, 422, "expires_days"),
    ("POST", "/api/users", {"name": "sri", "role": "qa", "password": "x"}, 422, "password"),
    ("POST", "/api/users", {"name": "qori", "role": "qa"}, 409, None),
    ("PATCH", "/api/users/adi", {"active": False}, 409, None),
    ("PATCH", "/api/users/adi", {"role": "supervisor", "display_name": "A"}, 409, None),
    ("PATCH", "/api/users/sri", {"active": False}, 404, None),
    ("PATCH", "/api/users/SRI", {"active": False}, 422, "name"),
    ("PATCH", "/api/users/qori", {"name": "sri"}, 422, "name"),
    ("PATCH", "/api/users/qori", {"why": ""}, 422, "why"),
    ("POST", "/api/users/sri/tokens", {}, 404, None),
    ("POST", "/api/users/qori/tokens", {"expires_days": 9999}, 422, "expires_days"),
    ("DELETE", "/api/users/sri/tokens", {}, 404, None),
    ("DELETE", "/api/users/qori/tokens/99999", {}, 404, None),
    ("DELETE", "/api/users/qori/tokens/99999999999", {}, 422, "token_id"),
    ("GET", "/api/users/sri", {}, 404, None), ("GET", "/api/users/sri/tokens", {}, 404, None),
    ("GET", "/api/users/%00", {}, 422, "name"), ("GET", "/api/users?role=boss", {}, 422, "role"),
    ("GET", "/api/users?after=rubbish", {}, 422, "after"),
    ("GET", "/api/users?after=WyJcdWQ4MDAiXQ", {}, 422, "after"),       # half a letter
])
async def test_a_refusal_names_the_field_and_writes_nothing(
    doors: Doors, method: str, path: str, body: dict[str, Any], status: int, field: str | None
) -> None:
    before = await everything(doors)
    refusal = await doors.ask(method, path, status, seen=1, **body)
    assert refusal.get("field") == field
    assert await everything(doors) == before


async def test_people_come_in_pages_by_name(doors: Doors) -> None:
    names, path = [], "/api/users?limit=5"
    while True:
        page = await doors.get(path)
        names += [one["name"] for one in page["items"]]
        if page["next"] is None:
            break
        path = f"/api/users?limit=5&after={page['next']}"
    assert names == sorted([f"op{n:02}" for n in range(1, 10)] + list(PEOPLE))
    assert [one["name"] for one in (await doors.get("/api/users?role=admin&active=true"))["items"]] == ["adi"]
    assert (await doors.get("/api/users?active=false"))["items"] == []


async def test_who_sends_an_operator_away_is_told_of_hours_with_nobody_on(doors: Doors) -> None:
    adi, told = doors.by("adi"), []
    for name, seen, change in (("op08", 1, {"active": False}), ("op04", 1, {"role": "qa"}),
                               ("op06", 1, {"display_name": "Sri"}), ("op06", 2, {"role": "qa"})):
        told.append((await adi.ask("PATCH", f"/api/users/{name}", seen=seen, **change))["warnings"])
    assert told == [[], [], [], ["Monday 15:00–23:00 nobody is on", "Tuesday 23:00–07:00 nobody is on"]]
