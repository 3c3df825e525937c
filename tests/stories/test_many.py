"""500 calls at ten a second, hung up at whatever moment: afterwards everything is as it was before the first."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

import pytest
from sqlalchemy import func, select

from db.models import Call, CallTicket, Note, Recording
from tests.stories.real_house import Exchange, RealHouse, running_exchange

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(150)]

CALLS, PER_SECOND = 500, 10
SCENARIO = Path(__file__).parent / "scenarios/many_callers.xml"


@dataclass(frozen=True)
class Left:
    """What may leak."""

    channels: int
    bridges: int
    tasks: int
    handles: int  #: files, sockets and pipes of our process
    asterisk: int  #: and of Asterisk's


async def left(house: RealHouse) -> Left:
    def handles(pid: int | str | None) -> int:
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())

    return Left(
        len(await house.asks("channels")), len(await house.asks("bridges")), len(asyncio.all_tasks()),
        handles("self"), handles(house.exchange.asterisk.pid),
    )  # fmt: skip


async def callers(house: RealHouse, calls: int) -> int:
    """So many calls; SIPp's exit status, 0: all were answered, and ended as they should."""
    host, port = house.exchange.sip
    process = await asyncio.create_subprocess_exec(
        "sipp", f"{host}:{port}", "-sf", str(SCENARIO), "-m", str(calls), "-r", str(PER_SECOND), "-i", host,
        "-nostdin", cwd="/", stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def at_most(house: RealHouse, before: Left) -> Left:
    """What is left, once it is no more than before: connections that nobody uses are closed after ten seconds."""
    await house.is_in_order()
    await house.settled()
    for _ in range(100):
        after = await left(house)
        if all(now <= then for now, then in zip(astuple(after), astuple(before), strict=True)):
            break
        await asyncio.sleep(0.2)
    return after


@pytest.fixture
def own_exchange() -> Iterator[Exchange]:
    """Of its own: other stories need not wait until 500 recordings are in the archive."""
    with running_exchange() as exchange:
        yield exchange


@pytest.fixture
async def house(own_exchange: Exchange) -> AsyncIterator[RealHouse]:
    house = RealHouse(own_exchange)
    await house.open()
    yield house
    await house.close()


async def test_after_500_calls_nothing_is_left_of_them(house: RealHouse) -> None:
    for n in range(1, 10):
        await house.phone(f"op0{n}", answers_after=0.05)
    assert await callers(house, 5) == 0
    await house.is_in_order()
    known, before = len(house.notes), await left(house)

    assert await callers(house, CALLS) == 0
    after = await at_most(house, before)
    assert (after.channels, after.bridges) == (0, 0)
    assert after.tasks <= before.tasks          # fewer: a look at what is there had just begun before
    assert after.handles <= before.handles
    assert after.asterisk <= before.asterisk

    notes = house.notes[known:]
    ids = {note.call_id for note in notes if note.kind == "arrived"}
    assert len(ids) == CALLS
    with house._reads() as connection:
        outcomes = Counter(connection.scalars(select(Call.outcome).where(Call.id.in_(ids))))
        drafts = connection.scalar(select(func.count()).select_from(CallTicket).where(CallTicket.call_id.in_(ids)))
        recordings = connection.scalar(select(func.count()).select_from(Recording).where(Recording.call_id.in_(ids)))
        noted = connection.scalar(select(func.count()).select_from(Note).where(Note.seq >= notes[0].seq))
    assert set(outcomes) == {"answered", "abandoned"}
    assert (outcomes.total(), drafts, recordings) == (CALLS, CALLS, CALLS)
    assert noted == len(notes)
