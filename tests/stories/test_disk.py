"""The disk is full or gone, the recordings' or the journal's: calls go on, somebody is told, and nothing is called
whole that is not. On a real Asterisk."""
import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import select

from calls.journal import read
from db.models import Recording, RecordingGap
from recordings import archivist
from tests.stories.house import Caller, Phone
from tests.stories.real_house import Exchange, RealHouse
from tests.waiting import until

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(90)]

#: Bytes that Asterisk writes in a second of a recording: 8 kHz, two channels of 16 bit.
A_SECOND = 8000 * 2 * 2
#: Seconds in which health tells, at the very most.
TOLD_WITHIN = 10.0


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archivist, "NOT_NOW", 0.5)
    monkeypatch.setattr(archivist, "TOO_LONG_FOR_SILENCE", 1.0)


@contextmanager
def no_file_longer_than(length: int, pid: int) -> Iterator[None]:
    """For a process that is running: writing more fails, as on a full disk."""
    room = resource.prlimit(pid, resource.RLIMIT_FSIZE, (length, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, room)


async def a_call(house: RealHouse, phone: Phone, talks_for: float = 0.0) -> Caller:
    """From ring to end."""
    caller = await house.dials("0800555001", keys="1")
    await house.until(caller, "talking")
    assert await house.talks(caller)
    await asyncio.sleep(talks_for)
    assert await house.talks(caller)
    await phone.says_goodbye()
    await house.until(caller, "ended")
    await caller.ended()
    return caller


async def becomes(house: RealHouse, caller: Caller, state: str) -> tuple[Recording, list[str]]:
    """Its row, once it is in this state, and why what is missing."""
    await house.settled()
    await until(lambda: house.recording_of(caller) == state)
    with house._reads() as connection:
        row = connection.execute(select(Recording.__table__).where(Recording.call_id == caller.call_id)).one()
        return row, list(connection.scalars(select(RecordingGap.why).where(RecordingGap.recording_id == row.id)))


async def is_told(house: RealHouse, name: str) -> str:
    """What health says of it, once it is wrong."""
    async with asyncio.timeout(TOLD_WITHIN):
        while True:
            for check in await house.service.health():
                if check.name == name and not check.ok:
                    return check.says
            await asyncio.sleep(0.1)


async def is_well(house: RealHouse, name: str) -> None:
    async with asyncio.timeout(TOLD_WITHIN):
        while any(check.name == name and not check.ok for check in await house.service.health()):
            await asyncio.sleep(0.1)


async def test_without_its_archive_a_recording_waits_and_is_archived_when_it_is_back(real_house: RealHouse) -> None:
    house = real_house
    data = house.exchange.settings.data
    phone = await house.phone("op01")
    archive = data / "recordings"
    archive.rename(data / "recordings-away")
    archive.write_text("unmounted")
    try:
        caller = await a_call(house, phone)
        assert "raw files are kept and wait" in await is_told(house, "recordings")
        assert (data / "spool" / f"{caller.call_id}.raw").exists()
        await becomes(house, caller, "waiting")
    finally:
        archive.unlink()
        (data / "recordings-away").rename(archive)
    await becomes(house, caller, "archived")
    await is_well(house, "recordings")


async def test_without_its_spool_a_call_goes_on_and_is_told_to_have_no_recording(real_house: RealHouse) -> None:
    house = real_house
    data = house.exchange.settings.data
    phone = await house.phone("op01")
    (data / "spool").rename(data / "spool-away")
    (data / "spool").write_text("unmounted")
    try:
        caller = await a_call(house, phone)
        row, why = await becomes(house, caller, "missing")
        assert (row.fault, why[0][:29]) == ("there is no raw file", "nothing was recorded: 0.0 of ")
        assert "the last call has no recording" in await is_told(house, "recordings")
    finally:
        (data / "spool").unlink()
        (data / "spool-away").rename(data / "spool")
    await becomes(house, await a_call(house, phone), "archived")
    await is_well(house, "recordings")


async def test_a_recording_cut_by_a_full_disk_says_how_much_there_is(own_exchange: Exchange) -> None:
    house = RealHouse(own_exchange)
    await house.open()
    try:
        phone = await house.phone("op01")
        asterisk = own_exchange.asterisk.pid
        assert asterisk is not None
        with no_file_longer_than(2 * A_SECOND, asterisk):
            caller = await a_call(house, phone, talks_for=2.0)
        row, why = await becomes(house, caller, "archived")
        lasted = (row.ends_at - row.starts_at).total_seconds()
        assert 0 < row.duration_for <= 2.0
        assert why == [f"{row.duration_for:.1f} of {lasted:.1f} s were recorded; what is missing may lie anywhere in "
                       "the call where no sound flowed"]
    finally:
        await house.close()


async def test_a_journal_without_room_for_its_file_costs_a_call_nothing(real_house: RealHouse) -> None:
    house = real_house
    file = house.exchange.settings.data / "journal" / f"{house.exchange.settings.node}.jsonl"
    phone = await house.phone("op01")
    length = file.stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, limits[1]))
    try:
        caller = await a_call(house, phone)
        assert "cannot be written (File too large)" in await is_told(house, "journal")
        assert length == file.stat().st_size
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    record = await house.over(caller)
    assert (record.outcome, record.tickets) == ("answered", ["draft"])
    await is_well(house, "journal")
    await until(lambda: read(file)[-1].seq == house.notes[-1].seq)
