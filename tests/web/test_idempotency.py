"""What is asked for twice under one key is done once."""

import asyncio
import base64
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from db.models import Audit, IdempotencyKey, User
from tests.web.conftest import Doors, token_of
from web import idempotency, keys_store
from web.idempotency import _Answer

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
PATH = "/api/calls/1763800000.1/disposition"


async def send(doors: Doors, key: str, who: str = "op01", disposition: str = "real", path: str = PATH) -> Any:
    """Status, body and headers of a disposition under the key."""
    headers = {"Authorization": f"Bearer {token_of(who)}", "Idempotency-Key": key}
    async with doors.http.post(path, json={"disposition": disposition}, headers=headers) as answer:
        return answer.status, await answer.json(), answer.headers


async def dispositions(doors: Doors) -> int:
    async with doors.house.sessions() as session:
        return len((await session.scalars(select(Audit).where(Audit.field == "disposition"))).all())


async def kept(doors: Doors) -> list[tuple[str, str, int | None]]:
    async with doors.house.sessions() as session:
        rows = (await session.scalars(select(IdempotencyKey).order_by(IdempotencyKey.user, IdempotencyKey.key))).all()
    return [(row.user, row.key, row.status) for row in rows]


async def test_asked_again_it_is_not_done_again_and_the_same_is_answered(doors: Doors) -> None:
    await doors.call()
    status, first, headers = await send(doors, "a-1")
    assert (status, "Idempotency-Replayed" in headers) == (200, False)
    status, again, headers = await send(doors, "a-1")
    assert (status, again, headers["Idempotency-Replayed"]) == (200, first, "true")
    assert headers["Content-Type"] == "application/json"
    assert headers["Cache-Control"] == "no-store"
    assert await dispositions(doors) == 1
    await send(doors, "a-2")
    assert await dispositions(doors) == 2


async def test_a_secret_is_told_once_and_not_kept_for_whoever_asks_again(doors: Doors) -> None:
    headers, body = {"Idempotency-Key": "a"}, {"name": "Desa", "url": None, "topics": []}
    async with doors.http.put("/api/agencies/desa", json=body, headers=headers) as answer:
        assert (await answer.json())["secret"].startswith("whsec_")
    async with doors.http.put("/api/agencies/desa", json=body, headers=headers) as answer:
        assert (answer.status, (await answer.json())["type"]) == (409, "urn:kentongan:problem:told-once")
    async with doors.house.sessions() as session:
        assert (await session.get_one(IdempotencyKey, ("host", "a"))).body is None


async def test_a_repeated_answer_keeps_its_version_and_its_status(doors: Doors) -> None:
    for replayed in (None, "true"):
        headers = {"Idempotency-Key": "new"}
        body = {"name": "Desa", "url": None, "topics": [], "secret": SECRET}
        async with doors.http.put("/api/agencies/desa", json=body, headers=headers) as answer:
            assert (answer.status, answer.headers["ETag"]) == (201, '"1"')
            assert (await answer.json())["has_secret"] is True
            assert answer.headers.get("Idempotency-Replayed") == replayed


async def test_the_same_key_for_something_else_is_refused(doors: Doors) -> None:
    await doors.call()
    await doors.call("1763800000.2")
    await send(doors, "a")
    for other in ({"disposition": "prank"}, {"path": "/api/calls/1763800000.2/disposition"}, {"path": f"{PATH}?x=1"}):
        status, refusal, _ = await send(doors, "a", **other)
        assert (status, refusal["type"], refusal["field"]) == (
            422, "urn:kentongan:problem:key-used", "Idempotency-Key")
    assert await dispositions(doors) == 1


async def test_everybody_has_their_own_keys(doors: Doors) -> None:
    await doors.call()
    await send(doors, "a")
    status, said, _ = await send(doors, "a", who="siti")
    assert (status, said["disposed_by"]) == (200, "siti")


async def test_a_refusal_has_done_nothing_so_its_key_is_free(doors: Doors) -> None:
    await doors.call(stage="talking", ended_at=None)
    assert (await send(doors, "a"))[0] == 409
    assert (await send(doors, "a", disposition="funny"))[0] == 422
    assert (await send(doors, "a", who="qori"))[0] == 403
    assert (await send(doors, "a", path="/api/calls/1763800000.9/disposition"))[0] == 404
    assert await kept(doors) == []


async def test_while_the_first_is_under_way_the_second_is_told_so(porch: Doors) -> None:
    await porch.call()
    async with porch.house.sessions.begin() as writing:         # SQLite has one writer: the first waits for us
        await writing.connection()
        both = {asyncio.create_task(send(porch, "a")) for _ in range(2)}
        [told], [waits] = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        status, refusal, headers = told.result()
        assert (status, refusal["type"]) == (409, "urn:kentongan:problem:under-way")
        assert headers["Retry-After"] == "1"
    assert (await waits)[0] == 200
    assert await dispositions(porch) == 1


async def test_of_many_at_once_one_is_done(doors: Doors) -> None:
    await doors.call()
    answers = await asyncio.gather(*(send(doors, "a") for _ in range(10)))
    assert {status for status, _, _ in answers} <= {200, 409}
    assert 200 in {status for status, _, _ in answers}
    assert await dispositions(doors) == 1


async def test_after_a_crash_in_between_nothing_is_done_again_and_it_is_said_what_to_do(doors: Doors) -> None:
    await doors.call()
    await send(doors, "a")
    async with doors.house.sessions.begin() as session:         # as it is when we die before the answer is kept
        await session.execute(update(IdempotencyKey).values(status=None, headers=None, body=None))
    status, refusal, _ = await send(doors, "a")
    assert (status, refusal["type"]) == (409, "urn:kentongan:problem:outcome-unknown")
    assert "new key" in refusal["detail"]
    assert await dispositions(doors) == 1


@pytest.mark.parametrize(("broken", "status"), [
    ("ALTER TABLE notes RENAME TO lost", 503), ("UPDATE tickets SET created_at = 'never'", 500)])
async def test_a_fault_after_the_write_leaves_the_outcome_unknown(porch: Doors, broken: str, status: int) -> None:
    await porch.call()
    async with porch.engine.begin() as connection:
        await connection.exec_driver_sql(broken)
    assert (await send(porch, "a"))[0] == status
    assert (await send(porch, "a"))[1]["type"] == "urn:kentongan:problem:outcome-unknown"
    assert await dispositions(porch) == 1


async def test_a_database_that_is_away_before_the_write_leaves_the_key_free(porch: Doors) -> None:
    await porch.call()
    async with porch.engine.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE idempotency_keys RENAME TO lost")
    assert (await send(porch, "a"))[0] == 503
    async with porch.engine.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE lost RENAME TO idempotency_keys")
    assert (await send(porch, "a"))[0] == 200


async def test_after_a_day_the_key_is_free(doors: Doors) -> None:
    await doors.call()
    await send(doors, "a")
    await send(doors, "b")
    async with doors.house.sessions.begin() as session:
        row = await session.get_one(IdempotencyKey, ("op01", "a"))
        row.at -= keys_store.KEPT + timedelta(seconds=1)
    assert (await send(doors, "a", disposition="prank"))[0] == 200
    assert await dispositions(doors) == 3


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 201])
async def test_what_is_no_key_is_refused(porch: Doors, key: str) -> None:
    await porch.call()
    status, refusal, _ = await send(porch, key)
    assert (status, refusal["field"]) == (422, "Idempotency-Key")
    assert await dispositions(porch) == 0


async def test_reading_with_a_key_keeps_nothing(porch: Doors) -> None:
    async with porch.http.get("/api/calls", headers={"Idempotency-Key": "a"}) as answer:
        assert answer.status == 200
    assert await kept(porch) == []


async def test_who_has_another_role_by_now_is_not_given_the_old_answer(doors: Doors) -> None:
    await doors.call()
    await send(doors, "a", who="siti")
    async with doors.house.sessions.begin() as session:
        await session.execute(update(User).where(User.name == "siti").values(role="qa"))
    status, _, _ = await send(doors, "a", who="siti")
    assert status == 422


async def test_a_body_that_is_too_long_is_refused_with_a_key_too(porch: Doors) -> None:
    headers = {"Idempotency-Key": "a", "Content-Type": "application/json"}
    for size in (70_000, 10_200_000):
        async with porch.http.put("/api/agencies/damkar", data=b"x" * size, headers=headers) as answer:
            assert (answer.status, answer.content_type) == (413, "application/problem+json")
    assert await kept(porch) == []


async def test_an_answer_that_is_too_long_goes_out_and_is_not_kept() -> None:
    sent = []

    async def send_on(message: Any) -> None:
        sent.append(message)

    answer = _Answer(send_on)
    await answer.hears({"type": "http.response.start", "status": 200, "headers": []})
    assert sent == []
    for _ in range(3):
        await answer.hears({"type": "http.response.body", "body": b"x" * 600_000, "more_body": True})
    assert len(sent) == 4
    assert answer.is_too_long()


async def test_asked_again_for_an_answer_that_is_too_long_to_be_kept_it_is_said_that_it_was_done(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "LONGEST_ANSWER", 400)
    path, headers = "/api/tickets", {"Authorization": f"Bearer {token_of('op01')}", "Idempotency-Key": "a"}
    body = {"source": "walk_in", "place": "Pasar Contoh"}
    async with doors.http.post(path, json=body, headers=headers) as answer:
        assert (answer.status, (await answer.json())["number"]) == (201, "2611-0001")
        etag, location = answer.headers["ETag"], answer.headers["Location"]
    for _ in range(2):
        async with doors.http.post(path, json=body, headers=headers) as answer:
            assert (answer.status, (await answer.json())["type"]) == (409, "urn:kentongan:problem:done-already")
            assert (answer.content_type, answer.headers["Idempotency-Replayed"]) == ("application/problem+json", "true")
            assert (answer.headers["ETag"], answer.headers["Location"]) == (etag, location)
    assert len((await doors.get("/api/tickets"))["items"]) == 1
