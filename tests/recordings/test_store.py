"""The rows of recordings, on SQLite and on PostgreSQL."""
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from db.models import Recording, RecordingGap
from recordings import store
from recordings.archive import Archived
from recordings.gaps import Gap

Sessions = async_sessionmaker[AsyncSession]

START = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
MADE = Archived(duration_for=58.2, sha256="ab" * 32, caller_dbfs=-21.5, others_dbfs=-19.0, dropped_bytes=0)
SHORT = [Gap(58.2, 60.0, "58.2 of 60.0 s were recorded")]


async def writes(engine: AsyncEngine, *steps: Callable[[Connection], None]) -> None:
    """What the journal's writer does: everything in one transaction."""
    async with engine.begin() as connection:
        for step in steps:
            await connection.run_sync(step)


def rings(call_id: str, after: float = 0) -> Callable[[Connection], None]:
    return lambda connection: store.expect(
        connection, call_id, raw_name=f"{call_id}.raw", starts_at=START + timedelta(seconds=after))


def ends(call_id: str, after: float = 60) -> Callable[[Connection], None]:
    return lambda connection: store.ended(connection, call_id, ends_at=START + timedelta(seconds=after))


async def row(sessions: Sessions, call_id: str = "c.1") -> Recording:
    async with sessions() as session:
        return (await session.scalars(select(Recording).where(Recording.call_id == call_id))).one()


async def gaps_of(sessions: Sessions, recording: int) -> list[tuple[float, float, str]]:
    async with sessions() as session:
        rows = await session.scalars(select(RecordingGap).where(RecordingGap.recording_id == recording))
        return [(gap.from_s, gap.to_s, gap.why) for gap in rows]


async def test_a_call_that_rings_has_a_recording_and_one_that_ended_waits(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    await writes(engine, rings("c.1"))
    one = await row(sessions)
    assert (one.leg, one.raw_name, one.state) == ("caller", "c.1.raw", "recording")
    assert (one.starts_at, one.ends_at) == (START, None)
    async with sessions() as session:
        assert await store.waiting(session) == []
    await writes(engine, ends("c.1"))
    async with sessions() as session:
        assert await store.waiting(session) == [
            store.Waiting(one.id, "c.1", "c.1.raw", START, START + timedelta(seconds=60))]


async def test_the_call_that_ended_first_is_taken_first(engine: AsyncEngine, sessions: Sessions) -> None:
    await writes(engine, rings("c.1"), rings("c.2", 1), rings("c.3", 2), ends("c.3", 5), ends("c.1", 9))
    async with sessions() as session:
        assert [one.call_id for one in await store.waiting(session)] == ["c.3", "c.1"]


async def test_the_last_word_about_the_end_holds_until_the_recording_is_taken(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    await writes(engine, rings("c.1"), ends("c.1", 60), ends("c.1", 90))
    assert (await row(sessions)).ends_at == START + timedelta(seconds=90)
    one = await row(sessions)
    async with sessions.begin() as session:
        await store.archived(session, one.id, MADE, "a.ogg", "a.peaks.json", [])
    await writes(engine, ends("c.1", 120))
    one = await row(sessions)
    assert (one.state, one.ends_at) == ("archived", START + timedelta(seconds=90))


async def test_the_end_of_an_unknown_call_is_no_fault(engine: AsyncEngine, sessions: Sessions) -> None:
    await writes(engine, ends("c.9"))
    async with sessions() as session:
        assert await store.waiting(session) == []


async def test_an_archived_recording_tells_where_how_long_how_loud_and_what_is_missing(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    await writes(engine, rings("c.1"), ends("c.1"))
    one = await row(sessions)
    async with sessions.begin() as session:
        await store.archived(session, one.id, MADE, "2026/11/22/c.1.ogg", "2026/11/22/c.1.peaks.json", SHORT)
    one = await row(sessions)
    assert (one.state, one.archive_name, one.peaks_name) == (
        "archived", "2026/11/22/c.1.ogg", "2026/11/22/c.1.peaks.json")
    assert (one.duration_for, one.sha256, one.caller_dbfs, one.others_dbfs) == (58.2, "ab" * 32, -21.5, -19.0)
    assert one.fault is None
    assert await gaps_of(sessions, one.id) == [(58.2, 60.0, "58.2 of 60.0 s were recorded")]
    async with sessions() as session:
        assert await store.archive_names_of(session, ["c.1.raw", "c.2.raw"]) == {"c.1.raw": "2026/11/22/c.1.ogg"}


async def test_odd_bytes_are_told(engine: AsyncEngine, sessions: Sessions) -> None:
    await writes(engine, rings("c.1"), ends("c.1"))
    one = await row(sessions)
    odd = Archived(**(MADE.__dict__ | {"dropped_bytes": 3}))
    async with sessions.begin() as session:
        await store.archived(session, one.id, odd, "a.ogg", "a.peaks.json", [])
    assert (await row(sessions)).fault == "3 odd bytes at the raw file's end were left out"


@pytest.mark.parametrize("state", ["missing", "faulty"])
async def test_what_came_back_waits_again_and_its_old_gaps_do_not_stay(
    engine: AsyncEngine, sessions: Sessions, state: str
) -> None:
    await writes(engine, rings("c.1"), ends("c.1"), rings("c.2"), ends("c.2"))
    for call_id in ("c.1", "c.2"):
        one = await row(sessions, call_id)
        async with sessions.begin() as session:
            if state == "missing":
                await store.missing(session, one.id, "there is no raw file", [Gap(0, 60, "nothing")])
            else:
                await store.faulty(session, one.id, "the disk is full")
        assert (await row(sessions, call_id)).state == state
    async with sessions.begin() as session:
        await store.take_again(session, ["c.1.raw"])
    assert (await row(sessions, "c.2")).state == state
    one = await row(sessions)
    assert (one.state, one.fault) == ("waiting", None)
    async with sessions.begin() as session:
        await store.archived(session, one.id, MADE, "a.ogg", "a.peaks.json", SHORT)
    assert await gaps_of(sessions, one.id) == [(58.2, 60.0, "58.2 of 60.0 s were recorded")]
