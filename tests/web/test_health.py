"""Checks that never raise, never hang, and never pile up."""

import asyncio
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from db.engine import async_engine
from telephony.ari_operations import AriTimeout
from web import health
from web.health import Check, Health, Verdict


async def well() -> Verdict:
    return True, "well"


@pytest.mark.looptime
async def test_checks_run_side_by_side_and_keep_their_order() -> None:
    async def slow() -> Verdict:
        await asyncio.sleep(0.9)
        return True, "slow"

    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await Health({"b": slow, "a": slow, "c": well})() == [
        Check("b", True, "slow"), Check("a", True, "slow"), Check("c", True, "well")]
    assert loop.time() - began == pytest.approx(0.9)


async def test_a_check_that_raises_has_failed_and_tells_no_values(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> Verdict:
        raise ValueError("+62 555 0112")

    [check] = await Health({"broken": broken})()
    assert check == Check("broken", False, "could not be looked at (ValueError)")
    assert "0112" not in caplog.text


@pytest.mark.looptime
async def test_a_check_that_hangs_has_failed_after_a_second_and_is_not_begun_twice() -> None:
    begun, go_on = 0, asyncio.Event()

    async def hangs() -> Verdict:
        nonlocal begun
        begun += 1
        await go_on.wait()
        return True, f"number {begun}"

    ask, loop = Health({"hangs": hangs, "well": well}), asyncio.get_running_loop()
    began = loop.time()
    both = await asyncio.gather(ask(), ask())
    assert loop.time() - began == pytest.approx(1.0)
    assert both[0] == both[1] == [Check("hangs", False, "no answer within 1 s"), Check("well", True, "well")]
    assert begun == 1
    go_on.set()
    await asyncio.sleep(0)
    assert (await ask())[0] == Check("hangs", True, "number 2"), "what came too late is not passed off as news"


async def test_asterisk_is_well_when_events_flow_and_it_answers() -> None:
    async def version() -> str:
        return "22.10.1"

    async def silent() -> str:
        raise AriTimeout(0, "GET", "/asterisk/info", "no answer")

    assert await health.asterisk(lambda: True, version)() == (True, "Asterisk 22.10.1")
    assert not (await health.asterisk(lambda: False, version)())[0]
    assert not (await health.asterisk(lambda: True, silent)())[0]


async def test_a_database_answers(engine: AsyncEngine) -> None:
    sessions = async_sessionmaker[AsyncSession](engine)
    assert await health.database(sessions)() == (True, "answers")
    async with sessions.begin() as writing:
        await writing.connection()
        assert await health.database(sessions)() == (True, "answers"), "a writer is no fault"


async def test_a_database_without_our_tables_or_without_a_place_fails(tmp_path: Path) -> None:
    for place in (tmp_path / "empty.db", tmp_path / "nowhere" / "x.db"):
        engine = async_engine(f"sqlite:///{place}")
        [check] = await Health({"database": health.database(async_sessionmaker[AsyncSession](engine))})()
        await engine.dispose()
        assert (check.ok, check.says) == (False, "could not be looked at (OperationalError)")


@dataclass
class Books:
    """A journal."""

    depth: int = 0
    alive: bool = True
    behind_for: float = 0.0
    file_fault: str | None = None


@pytest.mark.parametrize(("books", "ok", "says"), [
    (Books(), True, "0 notes are not in the database yet"),
    (Books(999, behind_for=2.9), True, "999 notes are not in the database yet"),
    (Books(1000), False, "1000 notes are not in the database yet"),
    (Books(3, behind_for=62), False, "3 notes are not in the database yet, for 62 s; they wait in this node's file and "
                                     "come in by themselves"),
    (Books(file_fault="No space left on device"), False,
     "0 notes are not in the database yet; this node's file cannot be written (No space left on device): a crash loses "
     "what the database lacks"),
    (Books(alive=False), False, "its writer has ended: notes are not stored; start the service again")])
async def test_the_journal_is_well_while_it_writes_and_the_database_follows(books: Books, ok: bool, says: str) -> None:
    assert await health.journal(books)() == (ok, says)


async def test_recordings_are_well_until_somebody_says_why_not() -> None:
    assert await health.recordings(lambda: None)() == (True, "archived as they come")
    assert await health.recordings(lambda: "the disk is full")() == (False, "the disk is full")


async def test_missing_prompts_are_named_and_not_all_of_them() -> None:
    assert await health.prompts(list)() == (True, "all there")
    ok, says = await health.prompts(lambda: [f"id/position-{n}" for n in range(1, 21)])()
    assert not ok
    assert says == ("missing: id/position-1, id/position-2, id/position-3, id/position-4, id/position-5 and 15 more; "
                    "build them: kentongan prompts build")


@pytest.mark.parametrize(("free", "total", "ok"), [
    (10**9, 10**12, True), (10**9 - 1, 10**12, False), (10**9 - 1, 10**10, True), (10**8, 10**10, False), (0, 0, True)])
def test_a_disk_has_room_for_a_gigabyte_or_a_twentieth(free: int, total: int, ok: bool) -> None:
    assert health.has_room(free, total) is ok


async def test_the_disk_says_how_much_is_free(tmp_path: Path) -> None:
    _, says = await health.disk(tmp_path)()
    assert says.endswith("%)")
    assert "GB free" in says


async def test_the_fullest_of_several_disks_speaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"data": (10**12, 10**12 - 10**11, 10**11), "spool": (10**12, 10**12 - 10**6, 10**6)}
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(*sizes[folder.name]))
    data, spool = tmp_path / "data", tmp_path / "spool"
    assert await health.disk(data, spool)() == (False, "0.0 GB free (0%) for spool/")
    sizes["spool"] = sizes["data"]
    assert await health.disk(data, spool)() == (True, "100.0 GB free (10%)")


async def test_a_data_folder_that_is_gone_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    [check] = await Health({"disk": health.disk(tmp_path / "gone")})()
    assert not check.ok


async def test_a_refused_menu_is_told_with_its_reason() -> None:
    assert await health.menu(lambda: None)() == (True, "in force")
    assert await health.menu(lambda: "menu.toml, line 3: no")() == (
        False, "the last good one is in force; refused: menu.toml, line 3: no")
