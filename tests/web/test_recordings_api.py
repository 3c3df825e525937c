"""Reviewers at the door: they find, listen with a reason that is kept, and comment."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from db.models import Audit, Call, Recording, RecordingGap
from tests.statements import counted
from tests.web.conftest import NOW, Doors, token_of

SOUND = bytes(range(256)) * 1000
DIGEST = "ab" * 32


async def recorded(doors: Doors, n: int = 1, call: dict[str, Any] | None = None, **values: Any) -> int:
    """The n-th recording, n hours after NOW (10:00 in Jakarta), in the archive."""
    at, name = NOW + timedelta(hours=n), f"2026/11/22/c.{n}"
    folder = doors.house.data / "recordings/2026/11/22"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"c.{n}.ogg").write_bytes(SOUND)
    (folder / f"c.{n}.peaks.json").write_text(
        json.dumps({"points_per_second": 20, "seconds": 60.0, "channels": [[-0.5, 0.5], [0.0, 0.0]]}))
    row = Recording(**{
        "call_id": f"c.{n}", "leg": "caller", "raw_name": f"c.{n}.raw", "archive_name": f"{name}.ogg",
        "peaks_name": f"{name}.peaks.json", "state": "archived", "starts_at": at, "duration_for": 60.0,
        "sha256": DIGEST, "caller_dbfs": -20.5, "others_dbfs": -18.0, **values})
    await doors.add(row, Call(**{
        "id": f"c.{n}", "node": "kentongan", "stage": "ended", "outcome": "answered", "topic": "fire", "pressed": "1",
        "arrived_at": at, "talking_at": at + timedelta(seconds=7.5), "operator": "op01", **(call or {})}))
    return row.id


async def hear(
    doors: Doors, recording: int = 1, *, who: str = "qori", method: str = "GET", reason: str = "complaint",
    **headers: str,
) -> tuple[int, bytes, Mapping[str, str]]:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    async with doors.http.request(
        method, f"/api/recordings/{recording}/audio", params={"reason": reason},
        headers={"Authorization": f"Bearer {token_of(who)}", **given},
    ) as answer:
        return answer.status, await answer.read(), answer.headers


async def listened(doors: Doors) -> list[tuple[str, str, str | None]]:
    async with doors.house.sessions() as session:
        rows = await session.scalars(
            select(Audit).where(Audit.what == "recording", Audit.field == "listened").order_by(Audit.seq))
        return [(row.who, row.which, row.why) for row in rows]


# --- the list

async def test_a_recording_tells_of_its_call_its_levels_its_gaps_and_its_comments(doors: Doors) -> None:
    recording = await recorded(doors)
    await doors.add(RecordingGap(recording_id=recording, from_s=3.5, to_s=4.0, why="no sound"))
    qori = doors.by("qori")
    await qori.ask("POST", f"/api/recordings/{recording}/comments", 201, at_s=2, text="Calm")
    page = await qori.get("/api/recordings")
    [one] = page["items"]
    assert page["next"] is None
    assert one == await qori.get(f"/api/recordings/{recording}")
    assert one == {
        "id": recording, "call_id": "c.1", "leg": "caller", "state": "archived", "fault": None,
        "starts_at": "2026-11-22T04:00:00.000000+00:00", "ends_at": None, "duration_for": 60.0, "sha256": DIGEST,
        "caller_dbfs": -20.5, "others_dbfs": -18.0, "operator": "op01", "disposition": None, "outcome": "answered",
        "topic": "fire", "arrived_at": "2026-11-22T04:00:00.000000+00:00",
        "talking_at": "2026-11-22T04:00:07.500000+00:00", "ended_at": None, "waited_for": 7.5, "comments": 1,
        "gaps": [{"from_s": 3.5, "to_s": 4.0, "why": "no sound"}]}


async def test_every_filter_finds_what_it_says(doors: Doors) -> None:
    await recorded(doors, 1, {"outcome": "handed back"})
    waited = {"talking_at": NOW + timedelta(hours=2, seconds=12), "operator": "op02", "disposition": "not our matter"}
    second = await recorded(doors, 2, waited)
    await recorded(doors, 20, {"operator": "op03", "topic": "medical"}, duration_for=61.0)     # 06:00 of the 23rd
    await doors.by("qori").ask("POST", f"/api/recordings/{second}/comments", 201, at_s=2, text="Calm")
    for query, numbers in {
        "": [20, 2, 1], "operator=op02": [2], "disposition=not+our+matter": [2], "outcome=handed+back": [1],
        "topic=medical": [20], "length_min=60.1": [20], "length_max=60": [2, 1], "wait_min=10&wait_max=12": [2],
        "from=2026-11-23": [20], "to=2026-11-22": [2, 1], "from=2026-11-22&to=2026-11-22&operator=op01": [1],
        "comments=true": [2], "comments=false": [20, 1],
    }.items():
        page = await doors.by("qori").get(f"/api/recordings?{query}")
        assert [one["call_id"] for one in page["items"]] == [f"c.{n}" for n in numbers], query


async def test_pages_follow_each_other(doors: Doors) -> None:
    for n in range(5):
        await recorded(doors, n)
    qori, seen, after = doors.by("qori"), [], ""
    while after is not None:
        page = await qori.get(f"/api/recordings?limit=2{after and '&after=' + after}")
        seen += [one["call_id"] for one in page["items"]]
        after = page["next"]
    assert seen == ["c.4", "c.3", "c.2", "c.1", "c.0"]


async def test_a_page_costs_as_many_queries_however_long_it_is(doors: Doors) -> None:
    for n in range(6):
        await recorded(doors, n)
    costs = []
    for limit in (1, 6):
        with counted(doors.engine) as statements:
            await doors.by("qori").get(f"/api/recordings?limit={limit}&operator=op01&wait_min=1")
        costs.append(len(statements))
    assert costs == [3, 3], "whose token it is, the recordings, their gaps"


async def test_a_filter_that_cannot_be_used_is_named(porch: Doors) -> None:
    for query in (
        "operator=%00", "disposition=nice", "outcome=x", "topic=x", "length_min=-1", "wait_max=nan", "wait_max=1e99",
        "from=yesterday", "to=0001-01-01", "to=9999-12-31", "after=e30",
    ):
        problem = await porch.by("qori").ask("GET", f"/api/recordings?{query}", 422)
        assert problem["field"] == query.partition("=")[0]


async def test_recordings_are_for_reviewers(porch: Doors) -> None:
    await recorded(porch)
    for who in ("op01", "adi", "host", "damkar-jaga"):
        for path in ("", "/1", "/1/audio?reason=curious", "/1/peaks", "/1/comments"):
            await porch.by(who).ask("GET", f"/api/recordings{path}", 403)
        await porch.by(who).ask("POST", "/api/recordings/1/comments", 403, at_s=1, text="Calm")
    assert await listened(porch) == []


# --- listening

async def test_the_whole_sound_comes_with_its_digest(porch: Doors) -> None:
    await recorded(porch)
    status, body, headers = await hear(porch)
    assert (status, body) == (200, SOUND)
    assert {name: headers[name] for name in ("Content-Type", "Accept-Ranges", "ETag", "Content-Length")} == {
        "Content-Type": "audio/ogg", "Accept-Ranges": "bytes", "ETag": f'"{DIGEST}"', "Content-Length": "256000"}


async def test_a_range_is_what_was_asked_for(porch: Doors) -> None:
    await recorded(porch)
    for wanted, begin, end in (
        ("bytes=0-0", 0, 1), ("bytes=10-19", 10, 20), ("bytes=255000-", 255_000, 256_000),
        ("bytes=-5", 255_995, 256_000), ("bytes=-999999", 0, 256_000), ("bytes=255999-999999", 255_999, 256_000),
        ("BYTES=3-4", 3, 5),
    ):
        status, body, headers = await hear(porch, Range=wanted)
        assert (status, body) == (206, SOUND[begin:end]), wanted
        assert headers["Content-Range"] == f"bytes {begin}-{end - 1}/256000"


async def test_a_range_behind_the_end_is_a_416_that_says_how_long_it_is(porch: Doors) -> None:
    await recorded(porch)
    for wanted in ("bytes=256000-", "bytes=256000-256001", "bytes=-0", "bytes=999999999999-"):
        status, body, headers = await hear(porch, Range=wanted)
        assert (status, json.loads(body)["type"]) == (416, "urn:kentongan:problem:no-such-range"), wanted
        assert headers["Content-Range"] == "bytes */256000"


async def test_a_range_that_we_may_ignore_is_ignored(porch: Doors) -> None:
    await recorded(porch)
    for wanted in (
        "bytes=0-1,5-6", "bytes=5-4", "bytes=", "bytes=-", "bytes=a-b", "seconds=0-1", "bytes 0-1", "x" * 5000,
        "bytes=" + "0-1," * 900 + "0-1", "bytes=0-" + "9" * 400, "bytes=1_0-20",
    ):
        status, body, _ = await hear(porch, Range=wanted)
        assert (status, body) == (200, SOUND), wanted


async def test_a_range_of_another_version_is_the_whole(porch: Doors) -> None:
    await recorded(porch)
    for if_range, status in (
        (f'"{DIGEST}"', 206), ('"other"', 200), (f'W/"{DIGEST}"', 200), ("Sun, 22 Nov 2026 03:00:00 GMT", 200),
    ):
        assert (await hear(porch, Range="bytes=0-9", If_Range=if_range))[0] == status, if_range


async def test_a_range_behind_the_end_of_another_version_is_the_whole(porch: Doors) -> None:
    await recorded(porch)
    assert (await hear(porch, Range="bytes=999999-", If_Range='"other"'))[0] == 200


async def test_head_tells_the_length_and_is_no_listening(porch: Doors) -> None:
    await recorded(porch)
    status, body, headers = await hear(porch, method="HEAD", Range="bytes=0-9")
    assert (status, body, headers["Content-Length"]) == (200, b"", "256000")
    assert await listened(porch) == []


async def test_a_listening_is_in_the_audit_once_however_many_pieces_it_takes(doors: Doors) -> None:
    await recorded(doors)
    for begin in (0, 1000, 2000):
        assert (await hear(doors, Range=f"bytes={begin}-{begin + 999}"))[0] == 206
    assert (await hear(doors, who="siti", reason="training"))[0] == 200
    assert await listened(doors) == [("qori", "1", "complaint"), ("siti", "1", "training")]


async def test_nobody_listens_without_a_reason(porch: Doors) -> None:
    await recorded(porch)
    for query in ("", "?reason=", "?reason=%20%20", "?reason=a%00b", "?reason=" + "x" * 2001):
        problem = await porch.by("qori").ask("GET", f"/api/recordings/1/audio{query}", 422)
        assert problem["field"] == "reason"
    assert await listened(porch) == []


async def test_what_cannot_be_heard_says_why(porch: Doors) -> None:
    odd: list[tuple[dict[str, Any], str]] = [
        ({"state": "waiting"}, "still being archived"), ({"state": "recording"}, "goes on"),
        ({"state": "missing", "fault": "there is no raw file"}, "there is no raw file"),
        ({"state": "faulty", "fault": "ffmpeg cannot encode"}, "raw file is kept"),
        ({"archive_name": "../kentongan.db"}, "not in the archive"), ({"archive_name": "gone"}, "not in the archive")]
    for n, (values, why) in enumerate(odd, 1):
        await recorded(porch, n, **values)
        problem = await porch.by("qori").ask("GET", f"/api/recordings/{n}/audio?reason=complaint", 409)
        assert why in problem["detail"]
    assert await listened(porch) == []


async def test_peaks_are_what_the_archivist_made(porch: Doors) -> None:
    await recorded(porch)
    await recorded(porch, 2, peaks_name=None)
    peaks = await porch.by("qori").get("/api/recordings/1/peaks")
    assert peaks == {"points_per_second": 20, "seconds": 60.0, "channels": [[-0.5, 0.5], [0.0, 0.0]]}
    await porch.by("qori").ask("GET", "/api/recordings/2/peaks", 409)


async def test_what_is_not_there_is_a_404(porch: Doors) -> None:
    for path in ("/9", "/9/audio?reason=x", "/9/peaks", "/9/comments"):
        problem = await porch.by("qori").ask("GET", f"/api/recordings{path}", 404)
        assert problem["detail"] == "there is no recording 9"


# --- commenting

async def test_comments_come_in_the_order_in_which_they_are_heard(doors: Doors) -> None:
    await recorded(doors)
    say: Callable[..., Any] = doors.by("qori").ask
    for at_s, text in ((60, "Thanked"), (0.5, "مرحبا, greeted")):
        said = await say("POST", "/api/recordings/1/comments", 201, at_s=at_s, text=text)
        assert (said["at_s"], said["text"], said["who"]) == (at_s, text, "qori")
    heard = (await doors.by("siti").get("/api/recordings/1/comments"))["items"]
    assert [(one["at_s"], one["text"]) for one in heard] == [(0.5, "مرحبا, greeted"), (60, "Thanked")]


async def test_a_comment_that_cannot_be_used_is_not_kept(porch: Doors) -> None:
    await recorded(porch)
    bodies: list[tuple[dict[str, Any], str]] = [
        ({"at_s": 60.1, "text": "x"}, "at_s"), ({"at_s": -1, "text": "x"}, "at_s"),
        ({"at_s": 1e300, "text": "x"}, "at_s"), ({"text": "x"}, "at_s"), ({"at_s": 1}, "text"),
        ({"at_s": 1, "text": " "}, "text"), ({"at_s": 1, "text": "a\0b"}, "text"),
        ({"at_s": 1, "text": "x" * 2001}, "text"), ({"at_s": 1, "text": "x", "who": "siti"}, "who")]
    for body, field in bodies:
        assert (await porch.by("qori").ask("POST", "/api/recordings/1/comments", 422, **body))["field"] == field
    assert (await porch.by("qori").get("/api/recordings/1/comments"))["items"] == []


async def test_what_has_no_sound_yet_gets_no_comment(porch: Doors) -> None:
    await recorded(porch, state="waiting", duration_for=None)
    await porch.by("qori").ask("POST", "/api/recordings/1/comments", 409, at_s=0, text="Calm")
