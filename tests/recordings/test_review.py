"""Reviewers find recordings by what became of their calls, hear them only with a reason, and comment at a second."""
import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from db.models import Audit, Call, Recording, RecordingComment, RecordingGap
from recordings import review, review_store
from recordings.review_store import Unknown, Wanted

Sessions = async_sessionmaker[AsyncSession]
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
NAME = "2026/11/22/c.1.ogg"


@contextmanager
def statements(engine: AsyncEngine) -> Iterator[list[tuple[str, Any]]]:
    """What is asked of the database meanwhile."""
    asked: list[tuple[str, Any]] = []

    def hear(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            asked.append((statement, parameters))

    event.listen(engine.sync_engine, "before_cursor_execute", hear)
    yield asked
    event.remove(engine.sync_engine, "before_cursor_execute", hear)


async def recorded(sessions: Sessions, n: int, waited: float | None = 5.0, **values: Any) -> int:
    """The n-th recording, n minutes after NOW, with its call."""
    at = NOW + timedelta(minutes=n)
    of_call = {key: values.pop(key) for key in ("operator", "disposition", "outcome", "topic") if key in values}
    call = Call(**{
        "id": f"c.{n}", "node": "kentongan", "stage": "ended", "outcome": "answered", "topic": "fire", "pressed": "",
        "arrived_at": at, "operator": "op01", "talking_at": at + timedelta(seconds=waited) if waited else None,
        **of_call})
    row = Recording(**{
        "call_id": f"c.{n}", "leg": "caller", "raw_name": f"c.{n}.raw", "state": "archived", "starts_at": at,
        "archive_name": NAME, "peaks_name": "2026/11/22/c.1.peaks.json", "duration_for": 60.0, "sha256": "ab" * 32,
        **values})
    async with sessions.begin() as session:
        session.add_all([call, row])
    return row.id


async def found(sessions: Sessions, **wanted: Any) -> list[str]:
    async with sessions() as session:
        return [row.recording.call_id for row in await review_store.page(session, Wanted(**wanted), 50)]


async def told(sessions: Sessions) -> list[tuple[Any, ...]]:
    async with sessions() as session:
        rows = await session.scalars(select(Audit).order_by(Audit.seq))
        return [(row.who, row.what, row.which, row.field, row.after, row.why) for row in rows]


# --- finding

@pytest.mark.parametrize(("wanted", "numbers"), [
    ({}, [4, 3, 2, 1]),
    ({"operator": "op02"}, [2]),
    ({"disposition": "prank"}, [3]),
    ({"outcome": "abandoned"}, [4]),
    ({"topic": "medical"}, [2]),
    ({"shortest": 60.0}, [3, 1]),
    ({"longest": 59.9}, [2]),
    ({"shortest_wait": 5.0, "longest_wait": 5.0}, [1]),
    ({"shortest_wait": 5.001}, [3]),
    ({"longest_wait": 15.0}, [2, 1]),
    ({"since": NOW + timedelta(minutes=3)}, [4, 3]),
    ({"until": NOW + timedelta(minutes=3)}, [2, 1]),
    ({"commented": True}, [3]),
    ({"commented": False}, [4, 2, 1]),
    ({"operator": "op01", "longest": 70.0, "since": NOW, "outcome": "answered"}, [3, 1]),
])
async def test_recordings_are_found_by_what_became_of_their_calls(
    sessions: Sessions, wanted: dict[str, Any], numbers: list[int]
) -> None:
    await recorded(sessions, 1)
    await recorded(sessions, 2, waited=4.999, operator="op02", topic="medical", duration_for=12.0)
    third = await recorded(sessions, 3, waited=3600.0, disposition="prank")
    await recorded(sessions, 4, waited=None, operator=None, outcome="abandoned", duration_for=None, state="missing")
    await review.comment(sessions, third, 1.5, "Calm", "qori", NOW)
    assert await found(sessions, **wanted) == [f"c.{n}" for n in numbers]


async def test_a_recording_comes_with_its_call_its_gaps_and_its_number_of_comments(sessions: Sessions) -> None:
    recording = await recorded(sessions, 1, waited=7.25)
    async with sessions.begin() as session:
        for from_s in (9.0, 3.0):
            session.add(RecordingGap(recording_id=recording, from_s=from_s, to_s=from_s + 1, why="no sound"))
    for _ in range(2):
        await review.comment(sessions, recording, 1.5, "Calm", "qori", NOW)
    async with sessions() as session:
        one = await review_store.one(session, recording)
    assert one.call is not None
    assert (one.call.operator, one.waited_for, one.comments) == ("op01", 7.25, 2)
    assert [gap.from_s for gap in one.gaps] == [3.0, 9.0]


async def test_pages_follow_each_other_even_where_moments_are_the_same(sessions: Sessions) -> None:
    for n in range(7):
        await recorded(sessions, n, starts_at=NOW + timedelta(minutes=n // 3))
    seen, after = [], None
    async with sessions() as session:
        while page := await review_store.page(session, Wanted(), 3, after):
            seen += [row.recording.call_id for row in page]
            after = (page[-1].recording.starts_at, page[-1].recording.id)
    assert seen == [f"c.{n}" for n in (6, 5, 4, 3, 2, 1, 0)]


async def test_a_page_takes_two_queries_however_long_it_is(engine: AsyncEngine, sessions: Sessions) -> None:
    for n in range(5):
        recording = await recorded(sessions, n)
        await review.comment(sessions, recording, 1.5, "Calm", "qori", NOW)
    async with sessions() as session:
        await session.connection()
        with statements(engine) as asked:
            assert len(await review_store.page(session, Wanted(operator="op01", commented=True), 50)) == 5
    assert len(asked) == 2


@pytest.mark.parametrize("wanted", [
    Wanted(), Wanted(since=NOW, until=NOW + timedelta(days=1)), Wanted(operator="op01", disposition="prank"),
    Wanted(shortest_wait=1.0, commented=True)])
async def test_a_page_is_read_off_indexes(
    engine: AsyncEngine, sessions: Sessions, wanted: Wanted
) -> None:
    async with sessions() as session:
        with statements(engine) as asked:
            await review_store.page(session, wanted, 50, (NOW, 1))
    (statement, parameters) = next(one for one in asked if "FROM recordings" in one[0])
    async with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            plan = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)).all()
            lines = [row.detail for row in plan]
            assert [line for line in lines if line.startswith("SCAN") and "INDEX" not in line] == []
        else:
            await connection.execute(text("SET enable_seqscan = off"))
            plan = (await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)).all()
            lines = [row[0] for row in plan]
            assert [line for line in lines if "Seq Scan" in line] == []


# --- hearing

@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An archive with one recording in it, and something beside it that is nobody's business."""
    folder = tmp_path / "recordings"
    (folder / NAME).parent.mkdir(parents=True)
    (folder / NAME).write_bytes(b"OggS")
    (folder / "2026/11/22/c.1.peaks.json").write_text(json.dumps({"seconds": 1.0}))
    (tmp_path / "secrets.toml").write_text("none of anybody's business")
    return folder


async def test_an_archived_recording_is_found_with_its_digest_and_its_peaks(sessions: Sessions, root: Path) -> None:
    recording = await recorded(sessions, 1)
    sound = await review.sound(sessions, root, recording)
    assert (sound.path, sound.stat.st_size, sound.sha256) == (root / NAME, 4, "ab" * 32)
    assert json.loads((await review.peaks(sessions, root, recording)).path.read_text()) == {"seconds": 1.0}


@pytest.mark.parametrize(("values", "why"), [
    ({"state": "recording"}, "goes on"),
    ({"state": "waiting"}, "still being archived"),
    ({"state": "missing", "fault": "there is no raw file"}, "there is no raw file"),
    ({"state": "faulty", "fault": "ffmpeg cannot encode"}, "ffmpeg cannot encode"),
    ({"archive_name": "2026/11/22/gone.ogg"}, "file is not in the archive"),
    ({"archive_name": None}, "file is not in the archive"),
    ({"archive_name": "../secrets.toml"}, "file is not in the archive"),
    ({"archive_name": "/etc/passwd"}, "file is not in the archive"),
    ({"archive_name": "2026/11"}, "file is not in the archive"),
    ({"archive_name": "link.ogg"}, "file is not in the archive"),
])
async def test_what_cannot_be_heard_says_why_and_nothing_outside_is_opened(
    sessions: Sessions, root: Path, values: dict[str, Any], why: str
) -> None:
    (root / "link.ogg").symlink_to(root.parent / "secrets.toml")
    recording = await recorded(sessions, 1, **values)
    with pytest.raises(review.NotPlayable, match=why):
        await review.sound(sessions, root, recording)


async def test_an_unknown_recording_is_unknown(sessions: Sessions, root: Path) -> None:
    with pytest.raises(Unknown, match="no recording 9"):
        await review.sound(sessions, root, 9)
    with pytest.raises(Unknown, match="no recording 9"):
        await review.listened(sessions, 9, "qori", "complaint", NOW)
    with pytest.raises(Unknown, match="no recording 9"):
        await review.comment(sessions, 9, 0, "Calm", "qori", NOW)


async def test_a_listening_is_in_the_audit_once_an_hour_for_each_person_and_reason(sessions: Sessions) -> None:
    recording = await recorded(sessions, 1)
    await asyncio.gather(*(review.listened(sessions, recording, "qori", "complaint", NOW) for _ in range(5)))
    await review.listened(sessions, recording, "siti", "complaint", NOW)
    await review.listened(sessions, recording, "qori", "training", NOW)
    await review.listened(sessions, recording, "qori", "complaint", NOW + timedelta(minutes=59))
    line = ("recording", str(recording), "listened", None)
    assert await told(sessions) == [
        ("qori", *line, "complaint"), ("siti", *line, "complaint"), ("qori", *line, "training")]
    await review.listened(sessions, recording, "qori", "complaint", NOW + timedelta(hours=1))
    assert len(await told(sessions)) == 4


# --- commenting

async def test_comments_stand_in_the_order_in_which_they_are_heard(sessions: Sessions) -> None:
    recording = await recorded(sessions, 1)
    for at_s in (60.0, 0.0, 12.5):
        await review.comment(sessions, recording, at_s, f"At {at_s}", "qori", NOW)
    async with sessions() as session:
        said = await review_store.comments(session, recording)
    assert [(one.at_s, one.who, one.text) for one in said] == [
        (0.0, "qori", "At 0.0"), (12.5, "qori", "At 12.5"), (60.0, "qori", "At 60.0")]
    assert [line[3:] for line in await told(sessions)] == [
        ("comment", {"id": n, "at_s": at_s}, None) for n, at_s in ((1, 60.0), (2, 0.0), (3, 12.5))]


@pytest.mark.parametrize("at_s", [-0.1, 60.1, float("inf"), float("nan")])
async def test_a_second_that_is_not_there_gets_no_comment(sessions: Sessions, at_s: float) -> None:
    recording = await recorded(sessions, 1)
    with pytest.raises(review.BeyondTheEnd, match=r"0 to 60\.0 s"):
        await review.comment(sessions, recording, at_s, "Calm", "qori", NOW)
    async with sessions() as session:
        assert (await session.scalars(select(RecordingComment))).all() == []
    assert await told(sessions) == []


@pytest.mark.parametrize("state", ["recording", "waiting", "missing", "faulty"])
async def test_what_cannot_be_heard_gets_no_comment(sessions: Sessions, state: str) -> None:
    recording = await recorded(sessions, 1, state=state, duration_for=None)
    with pytest.raises(review.NotPlayable):
        await review.comment(sessions, recording, 0, "Calm", "qori", NOW)
