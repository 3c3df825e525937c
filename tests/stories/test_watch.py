"""The service's watch over itself: what must never be is made to be, told once, and healed without a touch of the line.
(Virtual time; the story tests beside fail when the watch tells anything.)"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from calls.invariants import Rule
from calls.watch import LOOK_EVERY
from routing.operators import READY, TALKING
from routing.policy import Waiting
from tests.stories import fake
from tests.stories.fake_house import FakeHouse

pytestmark = pytest.mark.looptime(idle_step=0.05, idle_timeout=5)

#: So many looks until a breach is told, and healed.
TOLD, HEALED = 2.5 * LOOK_EVERY, 4.5 * LOOK_EVERY


@pytest.fixture
async def house(migrated_sqlite: Path, tmp_path: Path) -> AsyncIterator[FakeHouse]:
    shutil.copy(migrated_sqlite, tmp_path / "kentongan.db")
    house = FakeHouse(tmp_path / "kentongan.db", tmp_path / "menu.toml")
    yield house
    house.breaches.clear()  # here they are meant
    await house.close()


def told(house: FakeHouse) -> list[str]:
    return [note.facts["rule"] for note in house.notes if note.kind == "breach"]


async def test_a_desk_in_a_call_that_is_gone_is_free_again(house):
    await house.phone("op01")
    desk = house.desk("op01")
    house.acd._enter(desk, TALKING, "1763800000.1")
    await asyncio.sleep(TOLD)
    assert told(house) == [Rule.OPERATOR]
    await house.until_desk("op01", READY, within=HEALED)
    caller = await house.dials(keys="1")
    await house.until(caller, "talking")
    assert told(house) == [Rule.OPERATOR]
    await caller.hangs_up()
    await house.over(caller)


async def test_whoever_is_gone_leaves_the_queue(house):
    await house.phone("op01", registered=False)
    house.acd.pause("op01", "elsewhere")
    gone = Waiting("1763800000.1", "any", fake.now().timestamp())
    house.acd._waiting[gone.call_id] = (gone, asyncio.get_running_loop().create_future())
    await asyncio.sleep(TOLD)
    assert told(house) == [Rule.STATE]
    await asyncio.sleep(HEALED)
    assert house.acd.queue() == []
    assert told(house) == [Rule.STATE]


async def test_a_call_whose_story_died_is_found_again_and_nobody_in_it_notices(house):
    await house.phone("op01")
    caller = await house.dials(keys="1")
    await house.until(caller, "talking")
    mixed = list(house.asterisk.mixes[f"{caller.call_id}-bridge"])
    commands = len(house.asterisk.commands)

    async def died() -> None: ...

    story, call = house.centre.story_of(caller.call_id), house.centre.calls[caller.call_id]
    house.centre._lives[call.id] = asyncio.create_task(died())
    story.cancel()
    await asyncio.sleep(HEALED)
    assert Rule.OWNER in told(house)
    assert call.id not in house.centre.calls
    for _ in range(2):
        await house.centre.reconcile(house._look, at_once=False)
    await house.until(caller, "adopted")
    assert house.asterisk.mixes[f"{caller.call_id}-bridge"] == mixed
    assert len(house.asterisk.commands) == commands
    await asyncio.sleep(HEALED)
    assert told(house).count(Rule.OWNER) == 1
    await caller.hangs_up()
    assert (await house.over(caller)).outcome == "answered"


async def test_a_bridge_without_a_call_is_told_and_removed_at_the_next_looks(house):
    await house.phone("op01")
    house.asterisk.mixes["1763800000.1-bridge"] = []
    await asyncio.sleep(TOLD)
    assert told(house) == [Rule.BRIDGE]
    for _ in range(2):
        await house.centre.reconcile(house._look, at_once=False)
    await asyncio.sleep(HEALED)
    assert not house.asterisk.mixes
    assert told(house) == [Rule.BRIDGE]


async def test_what_is_seen_once_only_is_no_breach(house):
    await house.phone("op01")
    house.asterisk.mixes["1763800000.1-bridge"] = []
    await asyncio.sleep(1.1 * LOOK_EVERY)
    house.asterisk.mixes.clear()
    await asyncio.sleep(HEALED)
    assert told(house) == []
