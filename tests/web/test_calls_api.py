"""Calls, as desks and programs see them."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from db.models import Audit, Note, Recording, RecordingGap
from tests.web.conftest import NOW, NUMBER, Doors


async def test_calls_come_newest_first_and_as_many_as_were_asked_for(doors: Doors) -> None:
    for n in range(3):
        await doors.call(f"1763800000.{n}", arrived_at=NOW + timedelta(seconds=n))
    newest = (await doors.get("/api/calls?limit=2"))["items"]
    assert [call["id"] for call in newest] == ["1763800000.2", "1763800000.1"]
    assert newest[0]["caller_number"] == NUMBER
    assert newest[0]["arrived_at"] == "2026-11-22T03:00:02.000000+00:00"
    assert len((await doors.get("/api/calls"))["items"]) == 3


@pytest.mark.parametrize(("asked", "found"), [
    ("operator=op01", "1"), ("operator=op09", ""), ("outcome=abandoned", "2"), ("disposition=prank", "1"),
    ("stage=ended", "21"), ("stage=ended&topic=medical", "2"), ("from=2026-11-22T03:00:01Z", "2"),
    ("to=2026-11-22T10:00:01%2B07:00", "1"), ("number=0800555113", "2"), ("number=555", "21"), ("number=nobody", "")])
async def test_calls_are_found_by_what_became_of_them(doors: Doors, asked: str, found: str) -> None:
    await doors.call("1763800000.1", operator="op01", disposition="prank")
    await doors.call("1763800000.2", arrived_at=NOW + timedelta(seconds=1), topic="medical", outcome="abandoned",
                     operator=None, caller_number="+62800555113")
    told = (await doors.get(f"/api/calls?{asked}"))["items"]
    assert [call["id"] for call in told] == [f"1763800000.{n}" for n in found]


@pytest.mark.parametrize(("asked", "field"), [
    ("stage=gone", "stage"), ("outcome=x", "outcome"), ("disposition=x", "disposition"), ("topic=x", "topic"),
    ("from=2026-11-22", "from"), ("from=2026-11-22T03:00:00", "from"), ("to=0001-01-01T00:00:00%2B14:00", "to"),
    ("number=%00", "number"), ("operator=a%0ab", "operator")])
async def test_a_senseless_filter_is_refused(porch: Doors, asked: str, field: str) -> None:
    assert (await porch.ask("GET", f"/api/calls?{asked}", 422))["field"] == field


@pytest.mark.parametrize("limit", ["0", "501", "x", "99999999999999999999"])
async def test_a_senseless_limit_is_refused(porch: Doors, limit: str) -> None:
    assert (await porch.ask("GET", f"/api/calls?limit={limit}", 422))["field"] == "limit"


async def test_a_call_comes_with_its_journal_its_tickets_and_its_recordings(doors: Doors) -> None:
    await doors.call()
    await doors.add(
        Note(node="kentongan", seq=2, call_id="1763800000.1", at=NOW + timedelta(seconds=1), kind="menu", facts={}),
        Note(node="kentongan", seq=1, call_id="1763800000.1", at=NOW, kind="arrived", facts={"number": NUMBER}),
        Note(node="kentongan", seq=3, call_id="1763800000.2", at=NOW, kind="arrived", facts={}))
    recording = Recording(call_id="1763800000.1", leg="caller", raw_name="1763800000.1.raw", state="archived",
                          starts_at=NOW, duration_for=90.5)
    await doors.add(recording)
    await doors.add(RecordingGap(recording_id=recording.id, from_s=3.5, to_s=4.0, why="no frames"))

    call = await doors.get("/api/calls/1763800000.1")

    assert (call["id"], call["outcome"], call["disposition"]) == ("1763800000.1", "answered", None)
    assert [(note["seq"], note["kind"], note["facts"]) for note in call["notes"]] == [
        (1, "arrived", {"number": NUMBER}), (2, "menu", {})]
    [ticket] = call["tickets"]
    assert (ticket["lifecycle"], ticket["version"], ticket["forwardings"]) == ("draft", 1, [])
    assert call["recordings"] == []
    for who in ("siti", "qori"):
        [archived] = (await doors.by(who).get("/api/calls/1763800000.1"))["recordings"]
        assert (archived["state"], archived["duration_for"]) == ("archived", 90.5)
        assert archived["gaps"] == [{"from_s": 3.5, "to_s": 4.0, "why": "no frames"}]
        assert not {"raw_name", "archive_name", "peaks_name"} & archived.keys()


@pytest.mark.parametrize("who", ["op01", "adi"])
async def test_who_may_not_read_recordings_is_told_nothing_of_those_of_a_call(porch: Doors, who: str) -> None:
    await porch.call()
    await porch.add(Recording(call_id="1763800000.1", leg="caller", raw_name="1763800000.1.raw", state="archived",
                              starts_at=NOW, sha256="5" * 64))
    assert (await porch.by(who).get("/api/calls/1763800000.1"))["recordings"] == []
    verdict = await porch.by("op01").ask("POST", "/api/calls/1763800000.1/disposition", disposition="real")
    assert verdict["recordings"] == []


@pytest.mark.parametrize("call_id", ["1763800000.9", "nothing"])
async def test_a_call_that_is_not_there_is_a_404(doors: Doors, call_id: str) -> None:
    problem = await doors.ask("GET", f"/api/calls/{call_id}", 404)
    assert (problem["type"], problem["detail"]) == ("urn:kentongan:problem:unknown", f"there is no call {call_id}")


@pytest.mark.parametrize("call_id", ["%00", "a%20b", "'or'1", "%C3%A9", "x" * 200])
async def test_what_cannot_be_the_id_of_a_call_is_refused(porch: Doors, call_id: str) -> None:
    assert (await porch.ask("GET", f"/api/calls/{call_id}", 422))["field"] == "call_id"


async def test_the_operators_verdict_stands_in_the_call_and_in_the_journal(doors: Doors) -> None:
    await doors.call()
    said = await doors.by("op01").ask("POST", "/api/calls/1763800000.1/disposition", disposition="not our matter")
    assert (said["disposition"], said["disposed_by"]) == ("not our matter", "op01")
    assert said["disposed_at"] is not None
    await doors.house.journal.settled()
    [note] = doors.house.journal._store.notes
    assert (note.kind, note.call_id) == ("disposition", "1763800000.1")
    assert note.facts == {"disposition": "not our matter", "by": "op01"}


@pytest.mark.parametrize("stage", ["arrived", "queued", "talking", "handed_back"])
async def test_a_call_that_goes_on_gets_no_verdict_yet(doors: Doors, stage: str) -> None:
    await doors.call(stage=stage, ended_at=None)
    problem = await doors.by("op01").ask("POST", "/api/calls/1763800000.1/disposition", 409, disposition="real")
    assert stage in problem["detail"]
    assert (await doors.get("/api/calls/1763800000.1"))["disposition"] is None


@pytest.mark.parametrize("answered_by", ["op02", None])
async def test_the_verdict_is_of_whoever_answered_or_of_a_supervisor(doors: Doors, answered_by: str | None) -> None:
    await doors.call(operator=answered_by)
    path = "/api/calls/1763800000.1/disposition"
    refused = await doors.by("op01").ask("POST", path, 409, disposition="prank")
    assert f"{answered_by or 'nobody'} answered" in refused["detail"]
    assert (await doors.get("/api/calls/1763800000.1"))["disposition"] is None
    assert (await doors.by("siti").ask("POST", path, disposition="prank"))["disposed_by"] == "siti"


async def test_a_verdict_that_nobody_knows_changes_nothing(porch: Doors) -> None:
    await porch.call()
    path = "/api/calls/1763800000.1/disposition"
    operator = porch.by("op01")
    assert (await operator.ask("POST", path, 422, disposition="funny"))["field"] == "disposition"
    assert (await operator.ask("POST", path, 422, disposition="real", by="op02"))["field"] == "by"
    await operator.ask("POST", "/api/calls/1763800000.9/disposition", 404, disposition="real")
    assert (await porch.get("/api/calls/1763800000.1"))["disposition"] is None


async def test_reading_does_not_wait_for_a_writer(porch: Doors) -> None:
    """The journal writes all day; on SQLite a reader that begins as a writer would hold it up, or wait for it."""
    await porch.call()
    async with porch.house.sessions.begin() as writing:
        await writing.connection()
        assert len((await porch.get("/api/calls"))["items"]) == 1


async def test_what_is_held_against_a_number_is_told_with_its_reasons(doors: Doors) -> None:
    prank = {"score": 1.5, "reasons": ["prank 3 min ago (call c2, judged by op01)"], "behind": 15.0}
    number = "+62800555112"
    await doors.call("1763800000.1", caller_number=number)
    await doors.call("1763800000.2", caller_number=number, arrived_at=NOW + timedelta(seconds=1), prank=prank)
    assert (await doors.by("op01").get("/api/calls/1763800000.2"))["prank"] == prank
    assert (await doors.by("op01").get("/api/calls/1763800000.1"))["prank"] is None
    assert [call["prank"] for call in (await doors.get("/api/calls?number=0800555112"))["items"]] == [prank, None]


async def test_what_came_of_asking_a_silent_caller_is_told(doors: Doors) -> None:
    silence = {"asked": 2, "heard": "nothing", "pressed": "", "said": None}
    await doors.call("1763800000.1", silence=silence)
    assert (await doors.by("op01").get("/api/calls/1763800000.1"))["silence"] == silence


async def test_every_verdict_on_a_call_stands_in_the_audit(doors: Doors) -> None:
    await doors.call()
    for who, verdict in (("op01", "real"), ("siti", "prank")):
        await doors.by(who).ask("POST", "/api/calls/1763800000.1/disposition", disposition=verdict)
    async with doors.house.sessions() as session:
        rows = (await session.scalars(select(Audit).where(Audit.what == "call").order_by(Audit.seq))).all()
    assert [(row.who, row.which, row.field, row.before, row.after) for row in rows] == [
        ("op01", "1763800000.1", "disposition", None, "real"), ("siti", "1763800000.1", "disposition", "real", "prank")]
