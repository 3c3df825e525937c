"""The archivist brings every recording home, whatever happens in between, and deletes nothing too early."""
import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from db.models import Recording, RecordingGap
from recordings import archivist as room
from recordings import store
from recordings.archive import Archived, ArchiveError
from recordings.archivist import Archivist
from tests.recordings.tones import hear
from tests.waiting import until

Sessions = async_sessionmaker[AsyncSession]
Record = Callable[..., Path]

START = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
CALL = "1763800000.12"


class House:
    """Spool, archive and database, and an archivist that can be stopped and started."""

    def __init__(self, root: Path, engine: AsyncEngine, sessions: Sessions) -> None:
        self.spool, self.archive = root / "spool", root / "archive"
        self.spool.mkdir(exist_ok=True)
        self.engine, self.sessions, self.wake = engine, sessions, asyncio.Event()

    @asynccontextmanager
    async def at_work(self, settled_after: float = 0.0) -> AsyncIterator[Archivist]:
        """An archivist is at work during the body."""
        archivist = Archivist(self.sessions, self.spool, self.archive, self.wake, settled_after, (0.01, 0.01))
        task = asyncio.create_task(archivist.run())
        try:
            yield archivist
        finally:
            assert not task.done(), task.exception()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def call_ends(self, call_id: str = CALL, lasted: float = 2.0, raw_name: str | None = None) -> None:
        def write(connection: Connection) -> None:
            store.expect(connection, call_id, raw_name or f"{call_id}.raw", START)
            store.ended(connection, call_id, START + timedelta(seconds=lasted))

        async with self.engine.begin() as connection:
            await connection.run_sync(write)
        self.wake.set()

    async def row(self, call_id: str = CALL) -> Recording:
        async with self.sessions() as session:
            return (await session.scalars(select(Recording).where(Recording.call_id == call_id))).one()

    async def becomes(self, state: str, call_id: str = CALL) -> Recording:
        async with asyncio.timeout(20):
            while (row := await self.row(call_id)).state != state:
                await asyncio.sleep(0.01)
        return row

    async def gaps(self) -> list[tuple[float, float]]:
        async with self.sessions() as session:
            return [(gap.from_s, gap.to_s) for gap in await session.scalars(select(RecordingGap))]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be done now is tried again at once."""
    monkeypatch.setattr(room, "NOT_NOW", 0.05)


@pytest.fixture
def house(tmp_path: Path, engine: AsyncEngine, sessions: Sessions) -> House:
    return House(tmp_path, engine, sessions)


def pretend(
    monkeypatch: pytest.MonkeyPatch, work: Callable[[Path], Awaitable[None]] | None = None, seconds: float = 2.0
) -> list[str]:
    """A worker that costs no time; returns the names of the raw files it is given."""
    given: list[str] = []

    async def archive(raw: Path, ogg: Path, peaks: Path) -> Archived:
        given.append(raw.name)
        if work is not None:
            await work(raw)
        ogg.parent.mkdir(parents=True, exist_ok=True)
        ogg.touch()
        return Archived(seconds, "ab" * 32, -20.0, -20.0, 0)

    monkeypatch.setattr(room, "archive", archive)
    return given


async def test_a_recording_comes_home_and_its_raw_file_goes(house: House, record: Record) -> None:
    raw = record()
    async with house.at_work():
        await house.call_ends()
        row = await house.becomes("archived")
        await until(lambda: not raw.exists())
    assert row.archive_name == f"2026/11/22/{CALL}.ogg"
    assert row.peaks_name == f"2026/11/22/{CALL}.peaks.json"
    ogg = house.archive / row.archive_name
    assert row.sha256 == hashlib.sha256(ogg.read_bytes()).hexdigest()
    assert row.duration_for == pytest.approx(hear(ogg).seconds, abs=0.1)
    assert row.caller_dbfs == pytest.approx(-15, abs=0.1)
    assert row.others_dbfs == pytest.approx(-15, abs=0.1)
    assert len(json.loads((house.archive / row.peaks_name).read_text())["channels"]) == 2
    assert await house.gaps() == []


async def test_what_waited_before_the_start_is_taken_too(
    house: House, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch)
    for number in (1, 2, 3):
        record(f"c.{number}.raw", seconds=0.1)
        await house.call_ends(f"c.{number}", lasted=number)
    house.wake.clear()                                          # nobody wakes the new one
    async with house.at_work():
        for number in (1, 2, 3):
            await house.becomes("archived", f"c.{number}")


async def test_a_file_that_is_shorter_than_its_call_gets_a_gap(
    house: House, record: Record, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    record()
    pretend(monkeypatch, seconds=10.2)
    async with house.at_work():
        await house.call_ends(lasted=12)
        await house.becomes("archived")
    assert await house.gaps() == [(10.2, 12.0)]
    assert f"call {CALL} was not recorded as a whole: 10.2 of 12.0 s" in caplog.text


@pytest.mark.parametrize("empty", [True, False])
async def test_without_sound_the_whole_call_is_a_gap_and_an_error(
    house: House, empty: bool, caplog: pytest.LogCaptureFixture
) -> None:
    if empty:
        (house.spool / f"{CALL}.raw").touch()
    async with house.at_work():
        await house.call_ends(lasted=12)
        row = await house.becomes("missing")
    assert row.fault == ("the raw file is empty" if empty else "there is no raw file")
    assert await house.gaps() == [(0.0, 12.0)]
    assert [each.levelno for each in caplog.records if CALL in each.getMessage()] == [logging.ERROR]


async def test_a_growing_file_is_waited_for_and_holds_up_no_other(
    house: House, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    growing, _ = record("c.1.raw", seconds=0.1), record("c.2.raw", seconds=0.1)
    given = pretend(monkeypatch)
    look, sizes = Archivist._look, iter(range(1, 12))

    def grows(self: Archivist, recording: store.Waiting) -> tuple[int, int] | None:
        if recording.call_id == "c.1" and (size := next(sizes, None)):
            return size, 0
        return look(self, recording)

    monkeypatch.setattr(Archivist, "_look", grows)
    async with house.at_work(settled_after=0.05):
        await house.call_ends("c.1")
        await house.call_ends("c.2")
        await house.becomes("archived", "c.2")
        assert given == ["c.2.raw"]
        assert growing.exists()
        await house.becomes("archived", "c.1")
    assert next(sizes, None) is None                            # it stood still before it was taken


async def test_a_file_that_grew_while_it_was_archived_is_archived_again(
    house: House, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = record()

    async def grows(_: Path) -> None:
        if len(given) == 1:
            with raw.open("ab") as file:
                file.write(bytes(4))

    given = pretend(monkeypatch, grows)
    async with house.at_work():
        await house.call_ends()
        await house.becomes("archived")
    assert len(given) == 2


async def test_three_failures_make_it_faulty_with_the_raw_file_kept_and_stop_no_other(
    house: House, record: Record, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = record("c.1.raw"), record("c.2.raw")

    async def fails(raw: Path) -> None:
        if raw == bad:
            raise ArchiveError("the disk is full")

    given = pretend(monkeypatch, fails)
    async with house.at_work():
        await house.call_ends("c.1")
        await house.call_ends("c.2")
        await house.becomes("archived", "c.2")
        row = await house.becomes("faulty", "c.1")
    assert row.fault == "the disk is full"
    assert given.count("c.1.raw") == 3
    assert bad.exists()
    assert not good.exists()
    assert "recording of call c.1 cannot be archived, its raw file is kept: the disk is full" in caplog.text


async def test_a_faulty_or_missing_one_is_tried_again_after_a_restart(
    house: House, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_: Path) -> None:
        raise ArchiveError("the disk is full")

    raw = record("c.1.raw")
    pretend(monkeypatch, fails)
    async with house.at_work():
        await house.call_ends("c.1")
        await house.call_ends("c.2")
        await house.becomes("faulty", "c.1")
        await house.becomes("missing", "c.2")
    pretend(monkeypatch)
    record("c.2.raw")                                           # its disk has come back
    async with house.at_work():
        await house.becomes("archived", "c.1")
        await house.becomes("archived", "c.2")
        await until(lambda: not raw.exists())
    assert await house.gaps() == []


async def test_on_a_full_disk_the_raw_file_waits_as_long_as_it_takes_and_somebody_is_told(
    house: House, record: Record, caplog: pytest.LogCaptureFixture
) -> None:
    raw = record()
    full = house.archive / f"2026/11/22/.{CALL}.ogg.part"
    full.parent.mkdir(parents=True)
    keep_full = asyncio.create_task(_keep_full(full))
    async with house.at_work() as archivist:
        await house.call_ends()
        await until(lambda: archivist.trouble)
        assert archivist.trouble is not None
        assert archivist.trouble.startswith("no archive can be made; raw files are kept and wait: ffmpeg cannot encode")
        [watch] = archivist._watches.values()
        first = watch.not_before
        await until(lambda: watch.not_before > first)
        assert raw.exists()
        assert (await house.row()).state == "waiting"
        keep_full.cancel()
        await house.becomes("archived")
        await until(lambda: not raw.exists())
        assert archivist.trouble is None
    assert [each.levelno for each in caplog.records if CALL in each.getMessage()] == [logging.ERROR], "told once"


async def _keep_full(place: Path) -> None:
    """Whatever is written there finds no room."""
    while True:
        if not place.is_symlink():
            place.symlink_to("/dev/full")
        await asyncio.sleep(0.001)


async def test_without_the_archives_place_nothing_is_faulty_and_the_archive_is_made_when_it_is_back(
    house: House, record: Record
) -> None:
    raw = record()
    house.archive.write_text("unmounted")
    async with house.at_work() as archivist:
        await house.call_ends()
        await until(lambda: archivist.trouble)
        assert "the archive cannot be written" in str(archivist.trouble)
        assert raw.exists()
        house.archive.unlink()
        await house.becomes("archived")
    assert archivist.trouble is None


@pytest.mark.parametrize(("lasted", "told"), [(9.0, False), (12.0, True)])
async def test_a_long_call_without_any_sound_tells_that_nothing_is_recorded(
    house: House, record: Record, monkeypatch: pytest.MonkeyPatch, lasted: float, told: bool
) -> None:
    async with house.at_work() as archivist:
        await house.call_ends(lasted=lasted)
        await house.becomes("missing")
        await until(lambda: not archivist._watches)
        assert (archivist.trouble is not None) is told
        pretend(monkeypatch)
        record("c.2.raw", seconds=0.1)
        await house.call_ends("c.2")
        await house.becomes("archived", "c.2")
        await until(lambda: archivist.trouble is None)


@pytest.mark.parametrize("fault", [ArchiveError("no"), OSError("no"), RuntimeError("a bug of ours")])
async def test_a_single_failure_of_any_kind_is_survived(
    house: House, record: Record, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    async def fails_once(_: Path) -> None:
        if len(given) == 1:
            raise fault

    raw = record()
    given = pretend(monkeypatch, fails_once)
    async with house.at_work():
        await house.call_ends()
        await house.becomes("archived")
        await until(lambda: not raw.exists())
    assert len(given) == 2


async def test_the_raw_file_stays_until_the_row_is_committed(
    house: House, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = record()
    pretend(monkeypatch)
    monkeypatch.setattr(room, "LOOK_EVERY", 0.01)
    real, tried = store.archived, [0]

    async def database_is_away(*args: object, **more: object) -> None:
        tried[0] += 1
        assert raw.exists()
        if tried[0] <= 5:
            raise OperationalError("UPDATE recordings", {}, Exception("database is locked"))
        await real(*args, **more)

    monkeypatch.setattr(store, "archived", database_is_away)
    async with house.at_work():
        await house.call_ends()
        await house.becomes("archived")                         # and five failures have not made it faulty
        await until(lambda: not raw.exists())


async def test_a_row_that_the_database_refuses_holds_up_no_other(
    house: House, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, _ = record("c.1.raw", seconds=0.1), record("c.2.raw", seconds=0.1)
    pretend(monkeypatch)
    real = store.archived

    async def refuses(session: AsyncSession, recording: int, made: Archived, name: str, *more: object) -> None:
        if "c.1" in name:
            raise OperationalError("UPDATE recordings", {}, Exception("value out of range"))
        await real(session, recording, made, name, *more)

    monkeypatch.setattr(store, "archived", refuses)
    async with house.at_work():
        await house.call_ends("c.1")
        await house.call_ends("c.2")
        await house.becomes("archived", "c.2")
    assert bad.exists()
    assert (await house.row("c.1")).state == "waiting"


async def test_a_stop_in_the_middle_of_the_work_keeps_the_raw_file_and_the_next_start_takes_it(
    house: House, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never_ends(_: Path) -> None:
        await asyncio.Event().wait()

    raw = record()
    given = pretend(monkeypatch, never_ends)
    async with house.at_work():
        await house.call_ends()
        await until(lambda: given != [])
    assert raw.exists()
    assert (await house.row()).state == "waiting"
    pretend(monkeypatch)
    async with house.at_work():
        await house.becomes("archived")
        await until(lambda: not raw.exists())


async def test_a_stop_between_commit_and_deletion_is_tidied_at_the_next_start(
    house: House, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = record()
    pretend(monkeypatch)
    with monkeypatch.context() as stopped:
        stopped.setattr(Archivist, "_delete", lambda *_: None)
        async with house.at_work():
            await house.call_ends()
            await house.becomes("archived")
    assert raw.exists()
    async with house.at_work():
        await until(lambda: not raw.exists())


async def test_a_raw_file_whose_archive_is_gone_is_not_deleted(
    house: House, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = record()
    pretend(monkeypatch)
    with monkeypatch.context() as stopped:
        stopped.setattr(Archivist, "_delete", lambda *_: None)
        async with house.at_work():
            await house.call_ends()
            await house.becomes("archived")
    (house.archive / f"2026/11/22/{CALL}.ogg").unlink()
    record("c.2.raw")
    async with house.at_work():
        await house.call_ends("c.2")
        await house.becomes("archived", "c.2")                  # so the tidying is over
    assert raw.exists()


async def test_a_raw_file_of_a_call_that_goes_on_is_left_alone(house: House, record: Record) -> None:
    raw = record("c.1.raw")
    record("c.2.raw", seconds=0.1)
    async with house.engine.begin() as connection:
        await connection.run_sync(lambda c: store.expect(c, "c.1", "c.1.raw", START))
    async with house.at_work():
        await house.call_ends("c.2")
        await house.becomes("archived", "c.2")
    assert raw.exists()
    assert (await house.row("c.1")).state == "recording"


@pytest.mark.parametrize(("call_id", "raw_name"), [
    ("../../x", "a.raw"), (CALL, "../../secrets.toml"), (CALL, "/etc/passwd"),
])
async def test_a_name_that_leads_out_of_its_folder_is_faulty(house: House, call_id: str, raw_name: str) -> None:
    (house.spool / "a.raw").write_bytes(bytes(400))
    outside = house.spool.parent.parent / "secrets.toml"
    outside.write_bytes(bytes(400))
    async with house.at_work():
        await house.call_ends(call_id, raw_name=raw_name)
        row = await house.becomes("faulty", call_id)
    assert row.fault is not None
    assert row.fault.startswith("not ")
    assert outside.exists()
    assert not house.archive.exists()
