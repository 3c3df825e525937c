"""Notes, files, calls, likely twins and merges, as desks and programs see them; and rubbish, which leaves no trace."""

import hashlib
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from db.models import Agency, Base, Forwarding, Ticket
from tests.web.conftest import NOW, Doors, token_of
from tickets import attachments


def photo(colour: int = 0, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), (colour, 90, 90)).save(out, kind)
    return out.getvalue()


async def send(doors: Doors, path: str, data: bytes, status: int, **headers: str) -> Any:
    """POST as op01, the body as it is."""
    given = {"Authorization": f"Bearer {token_of('op01')}", "Content-Type": "image/png", **headers}
    async with doors.http.post(path, data=data, headers=given) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


async def rows(engine: AsyncEngine) -> dict[str, int]:
    """How many there are in every table."""
    async with engine.connect() as connection:
        return {
            table.name: await connection.scalar(select(func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
        }


def files(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "attachments").rglob("*") if path.is_file())


async def filled(doors: Doors, call_id: str, **values: Any) -> int:
    ticket_id = await doors.draft(call_id)
    async with doors.house.sessions.begin() as session:
        await session.execute(update(Ticket).where(Ticket.id == ticket_id).values(lifecycle="open", **values))
    return ticket_id


async def test_notes_are_added_and_read_page_by_page(doors: Doors) -> None:
    path = f"/api/tickets/{await doors.draft()}/notes"
    operator = doors.by("op01")
    made = [await operator.ask("POST", path, 201, text=f"note {number}\n\tدیسا") for number in range(3)]
    assert (made[0]["who"], made[0]["ticket"], made[0]["text"]) == ("op01", "2611-0001", "note 0\n\tدیسا")
    first = await doors.get(f"{path}?limit=2")
    assert first["items"] == [made[2], made[1]]
    assert await doors.get(f"{path}?limit=2&after={first['next']}") == {"items": [made[0]], "next": None}


async def test_a_file_is_sent_as_it_is_and_comes_back_as_it_was(doors: Doors, tmp_path: Path) -> None:
    path, data = f"/api/tickets/{await doors.draft()}/attachments", photo()
    made = await send(doors, f"{path}?title=%3Cscript%3E..%2F..%2Fdapur.png", data, 201)
    assert (made["title"], made["media_type"], made["size"]) == ("<script>../../dapur.png", "image/png", len(data))
    assert made["sha256"] == hashlib.sha256(data).hexdigest()
    assert (made["who"], made["ticket"]) == ("op01", "2611-0001")
    assert await send(doors, path, data, 200) == made
    assert (await doors.get(path))["items"] == [made]
    assert [file.name for file in files(tmp_path)] == [made["sha256"]]
    async with doors.http.get(f"{path}/{made['id']}") as answer:
        assert await answer.read() == data
        assert answer.headers["Content-Type"] == "image/png"
        assert answer.headers["Content-Disposition"] == f'attachment; filename="2611-0001-{made["id"]}.png"'
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


async def test_a_part_of_a_file_comes_as_a_range_and_one_behind_its_end_is_a_problem(porch: Doors) -> None:
    path, data = f"/api/tickets/{await porch.draft()}/attachments", photo()
    made = await send(porch, path, data, 201)
    for wanted, status, got in (("bytes=2-5", 206, data[2:6]), ("bytes=5-2", 200, data), ("x", 200, data)):
        async with porch.http.get(f"{path}/{made['id']}", headers={"Range": wanted}) as answer:
            assert (answer.status, await answer.read()) == (status, got)
            assert (answer.headers["Content-Type"], answer.headers["ETag"]) == ("image/png", f'"{made["sha256"]}"')
    async with porch.http.get(f"{path}/{made['id']}", headers={"Range": f"bytes={len(data)}-"}) as answer:
        assert (answer.status, answer.content_type) == (416, "application/problem+json")
        assert (await answer.json())["type"] == "urn:kentongan:problem:no-such-range"
        assert answer.headers["Content-Range"] == f"bytes */{len(data)}"


async def test_the_same_upload_under_one_key_is_one(doors: Doors) -> None:
    path = f"/api/tickets/{await doors.draft()}/attachments"
    key = {"Idempotency-Key": "photo-1"}
    assert await send(doors, path, photo(), 201, **key) == await send(doors, path, photo(), 201, **key)
    assert len((await doors.get(path))["items"]) == 1


async def test_a_file_that_went_missing_is_said_to_be(doors: Doors, tmp_path: Path) -> None:
    path = f"/api/tickets/{await doors.draft()}/attachments"
    made = await send(doors, path, photo(), 201)
    files(tmp_path)[0].write_bytes(b"cut")
    assert (await doors.ask("GET", f"{path}/{made['id']}", 503))["type"] == "urn:kentongan:problem:no-place"
    assert (await doors.ask("GET", f"{path}/4711", 404))["detail"] == "this ticket has no attachment 4711"


async def test_calls_are_linked_and_unlinked_but_the_one_that_opened_the_ticket_stays(doors: Doors) -> None:
    await doors.call("1763800000.1")
    await doors.call("1763800000.2")
    path, operator = "/api/tickets/1/calls", doors.by("op01")
    assert await doors.get(path) == {"items": [{"call_id": "1763800000.1", "linked_by": None}]}
    for _ in range(2):
        linked = await operator.ask("PUT", f"{path}/1763800000.2")
        assert linked["items"][1] == {"call_id": "1763800000.2", "linked_by": "op01"}
    assert len((await operator.ask("DELETE", f"{path}/1763800000.2"))["items"]) == 1
    assert (await operator.ask("DELETE", f"{path}/1763800000.1", 409))["detail"].endswith("stays with it")
    await operator.ask("PUT", f"{path}/17", 404)
    await operator.ask("PUT", "/api/tickets/4711/calls/1763800000.2", 404)


async def test_likely_twins_are_proposed_with_reasons(doors: Doors) -> None:
    here = {"village": "00.00.01.0001", "subdistrict": "00.00.01"}
    await filled(doors, "1763800000.1", **here)
    await filled(doors, "1763800000.2", **here, created_at=NOW - timedelta(minutes=12))
    await filled(doors, "1763800000.3", **here, created_at=NOW - timedelta(minutes=61))
    await filled(doors, "1763800000.4")
    assert await doors.by("op01").get("/api/tickets/1/similar") == {"items": [{
        "id": 2, "number": "2611-0002", "lifecycle": "open", "score": 3.8,
        "reasons": ["same village", "12 min apart", "same topic"]}]}
    assert await doors.by("siti").get("/api/tickets/4/similar") == {"items": []}
    await doors.by("siti").ask("GET", "/api/tickets/4711/similar", 404)


async def test_a_ticket_goes_into_another_and_all_of_it_is_seen_there(doors: Doors) -> None:
    first = await filled(doors, "1763800000.1", place="Jalan Contoh 1")
    second = await filled(doors, "1763800000.2", place="Pasar Contoh", narrative="Api")
    operator = doors.by("op01")
    await operator.ask("POST", f"/api/tickets/{second}/notes", 201, text="seen from afar")
    file = await send(doors, f"/api/tickets/{second}/attachments", photo(), 201)
    await operator.ask("POST", f"/api/tickets/{second}/merge", 428, into=first)
    await operator.ask("POST", f"/api/tickets/{second}/merge", 412, seen=7, into=first)
    done = await operator.ask("POST", f"/api/tickets/{second}/merge", seen=1, into=first)
    assert (done["ticket"]["lifecycle"], done["ticket"]["merged_into"]) == ("closed", first)
    assert done["into"]["calls"] == ["1763800000.1", "1763800000.2"]
    assert done["offered"] == {"narrative": "Api"}
    parts = await doors.get(f"/api/tickets/{first}/merged")
    assert parts == {"items": [done["ticket"]], "offered": {"narrative": "Api"}}
    [note] = (await doors.get(f"/api/tickets/{first}/notes"))["items"]
    assert (note["ticket"], note["text"]) == ("2611-0002", "seen from afar")
    assert (await doors.get(f"/api/tickets/{first}/attachments"))["items"] == [file]
    async with doors.http.get(f"/api/tickets/{first}/attachments/{file['id']}") as answer:
        assert await answer.read() == photo()
    await operator.ask("POST", f"/api/tickets/{first}/merge", 409, seen=2, into=second)
    version = done["ticket"]["version"]
    undone = await operator.ask("POST", f"/api/tickets/{second}/unmerge", seen=version, reason="another kitchen")
    assert (undone["lifecycle"], undone["merged_into"]) == ("open", None)
    assert (await doors.get(f"/api/tickets/{first}/merged"))["items"] == []


async def test_an_agency_sees_of_all_this_what_was_forwarded_to_it(doors: Doors) -> None:
    first, second = await filled(doors, "1763800000.1"), await filled(doors, "1763800000.2", merged_into=1)
    file = await send(doors, f"/api/tickets/{second}/attachments", photo(), 201)
    await doors.by("op01").ask("POST", f"/api/tickets/{first}/notes", 201, text="gate is locked")
    agency = doors.by("damkar-jaga")
    paths = ("attachments", f"attachments/{file['id']}", "merged")
    for path in paths:
        await agency.ask("GET", f"/api/tickets/{first}/{path}", 404)
    async with doors.house.sessions.begin() as session:
        damkar = await session.scalar(select(Agency.id).where(Agency.code == "damkar"))
        session.add(Forwarding(ticket_id=first, agency_id=damkar, state="sent", created_at=NOW))
    assert (await agency.get(f"/api/tickets/{first}/attachments"))["items"] == []    # of a part that is not theirs
    await agency.ask("GET", f"/api/tickets/{first}/attachments/{file['id']}", 404)
    assert (await agency.get(f"/api/tickets/{first}/merged"))["items"] == []
    for path in paths:
        await doors.by("polres-jaga").ask("GET", f"/api/tickets/{first}/{path}", 404)
    for method, path in (("GET", "notes"), ("GET", "calls"), ("POST", "notes"), ("POST", "merge"), ("PUT", "calls/1"),
                         ("DELETE", "calls/1")):
        await agency.ask(method, f"/api/tickets/{first}/{path}", 403)
    await agency.ask("GET", f"/api/tickets/{first}/similar", 403)


@pytest.mark.parametrize(("path", "status", "body"), [
    ("notes", 422, {"text": " \n"}), ("notes", 422, {"text": "x" * 2_001}), ("notes", 413, {"text": "x" * 1_000_000}),
    ("notes", 422, {"text": "a\0b"}), ("notes", 422, {"text": "a\x1b[2Jb"}), ("notes", 422, {"text": 7}),
    ("notes", 422, {"text": "a", "who": "op02"}), ("notes", 422, {}), ("notes", 422, {"text": None}),
    ("merge", 422, {"into": 0}), ("merge", 422, {"into": "x"}), ("merge", 422, {"into": 2**31}),
    ("merge", 404, {"into": 4711}), ("merge", 409, {"into": 1}), ("unmerge", 422, {"reason": ""}),
    ("unmerge", 409, {"reason": "none"})])  # fmt: skip
async def test_rubbish_is_refused_and_nothing_is_written(
    porch: Doors, path: str, status: int, body: dict[str, Any]
) -> None:
    await porch.draft()
    before = await rows(porch.engine)
    problem = await porch.by("op01").ask("POST", f"/api/tickets/1/{path}", status, seen=1, **body)
    assert problem["status"] == status
    assert problem["detail"]
    assert await rows(porch.engine) == before


@pytest.mark.parametrize(("text", "status"), [
    (b"\xff\xfe{}", 422), (b'{"text": "\xe9"}', 400), (b'{"text": "\\ud800"}', 422), (b"{", 422), (b"", 422),
    (b"[]", 422), (b"null", 422)])
async def test_a_note_in_no_encoding_or_no_json_is_refused(porch: Doors, text: bytes, status: int) -> None:
    await porch.draft()
    before = await rows(porch.engine)
    path = "/api/tickets/1/notes"
    assert (await send(porch, path, text, status, **{"Content-Type": "application/json"}))["status"] == status
    assert await rows(porch.engine) == before


async def test_a_narrative_of_a_megabyte_is_refused_and_nothing_is_written(porch: Doors) -> None:
    await porch.draft()
    before = await rows(porch.engine)
    await porch.by("op01").ask("PATCH", "/api/tickets/1", 413, seen=1, narrative="x" * 1_000_000)
    await porch.by("op01").ask("PATCH", "/api/tickets/1", 422, seen=1, narrative="x" * 10_001)
    await porch.by("op01").ask("PATCH", "/api/tickets/1", 422, seen=1, narrative="a\x07b")
    assert await rows(porch.engine) == before


@pytest.mark.parametrize(("data", "status"), [
    (b"", 422), (b"<html><script>alert(1)</script>", 415), (b"GIF89a" + bytes(20), 415), (photo()[:-30], 422),
    (b"\xff\xd8\xff" + bytes(100), 422), (b"%PDF-1.7 cut", 422), (bytes(10_000_001), 413),
    (json.dumps({"photo": "x"}).encode(), 415)],
    ids=["nothing", "html", "gif", "cut", "no photo", "cut document", "too long", "json"])
async def test_a_file_that_cannot_be_kept_leaves_no_trace(
    porch: Doors, tmp_path: Path, data: bytes, status: int
) -> None:
    await porch.draft()
    before = await rows(porch.engine)
    assert (await send(porch, "/api/tickets/1/attachments", data, status))["status"] == status
    assert await rows(porch.engine) == before
    assert files(tmp_path) == []


async def test_a_file_whose_name_is_rubbish_or_whose_ticket_is_none_leaves_no_trace(
    porch: Doors, tmp_path: Path
) -> None:
    await porch.draft()
    before = await rows(porch.engine)
    for title in ("a%00b", "a%0Ab", "a%1Bb", "x" * 201):
        problem = await send(porch, f"/api/tickets/1/attachments?title={title}", photo(), 422)
        assert problem["field"] == "title"
    await send(porch, "/api/tickets/4711/attachments", photo(), 404)
    assert await rows(porch.engine) == before
    assert files(tmp_path) == []


async def test_a_file_of_ten_megabytes_is_taken_and_one_file_too_many_is_not(
    porch: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    await porch.draft()
    monkeypatch.setattr(attachments, "MOST", 1)
    data = b"OggS" + bytes(attachments.LONGEST - 4)
    assert (await send(porch, "/api/tickets/1/attachments", data, 201))["size"] == 10_000_000
    problem = await send(porch, "/api/tickets/1/attachments", photo(), 409)
    assert problem["type"] == "urn:kentongan:problem:full"
