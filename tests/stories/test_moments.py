"""The same call again and again, and something happens at another moment each time: between every command to the
exchange and its effect, between the effect and the answer. Whatever it is, nobody is left alone on a line."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from calls.stages import HANDED_BACK, TALKING
from tests.stories.fake import PROMPT, WAY, Channel
from tests.stories.fake_house import FakeHouse

pytestmark = pytest.mark.looptime(idle_step=0.01, idle_timeout=0.5)

#: The call is over by then (s).
WHOLE_CALL = 9.0


class Story:
    """Nobody answers the first phone; the second one does, and both voices talk for a while."""

    def __init__(self, house: FakeHouse) -> None:
        self.house = house

    async def begins(self) -> None:
        await self.house.phone("op01", answers_after=None)
        await self.house.phone("op02", answers_after=0.5)
        self.caller = self.house.asterisk.rings_112("0800555001")
        self.house.asterisk._begin(self._presses())

    async def _presses(self) -> None:
        await self.caller.answered.wait()
        await asyncio.sleep(0.3)
        self.house.asterisk.presses(self.caller, "1")

    def phones(self) -> list[Channel]:
        return [channel for channel in self.house.asterisk.up.values() if channel.phone is not None]


@pytest.fixture
def opened(migrated_sqlite: Path, tmp_path: Path) -> Callable[[], "asynccontextmanager[Story]"]:
    shutil.copy(migrated_sqlite, tmp_path / "kentongan.db")

    @asynccontextmanager
    async def open_house() -> AsyncIterator[Story]:
        house = FakeHouse(tmp_path / "kentongan.db", tmp_path / "menu.toml")
        story = Story(house)
        await story.begins()
        yield story
        await house.close()

    return open_house


async def moments(opened: Callable[[], "asynccontextmanager[Story]"]) -> list[float]:
    """Seconds from the beginning at which a command is sent, carried out, answered, and in between."""
    loop = asyncio.get_running_loop()
    async with opened() as story:
        began = loop.time()
        await asyncio.sleep(WHOLE_CALL)
        sent = {at - began for at, _ in story.house.asterisk.commands}
    assert len(sent) > 10
    steps = [n * WAY / 2 for n in range(-1, 6)]
    return sorted({round(at + step, 5) for at in sent for step in steps if at + step >= 0})


async def caller_hangs_up(story: Story) -> None:
    story.house.asterisk.ends(story.caller)


async def phones_hang_up(story: Story) -> None:
    for channel in story.phones():
        story.house.asterisk.ends(channel, cause=0)


async def both_hang_up(story: Story) -> None:
    await phones_hang_up(story)
    await caller_hangs_up(story)


@pytest.mark.parametrize("happens", [caller_hangs_up, phones_hang_up, both_hang_up])
async def test_whoever_hangs_up_at_whatever_moment_leaves_nothing_behind(
    opened: Callable[[], "asynccontextmanager[Story]"], happens: Callable[[Story], Awaitable[None]]
) -> None:
    for at in await moments(opened):
        async with opened() as story:
            await asyncio.sleep(at)
            await happens(story)
            await asyncio.sleep(WHOLE_CALL)
            if story.caller.gone.is_set():
                await story.house.is_in_order()
            else:
                assert alone(story) == [], f"at {at}\n{story.house.told()}"


async def test_a_stop_at_whatever_moment_leaves_the_caller_with_the_dialplan_or_with_an_operator(
    opened: Callable[[], "asynccontextmanager[Story]"],
) -> None:
    for at in await moments(opened):
        async with opened() as story:
            await asyncio.sleep(at)
            await story.house.stops()
            await asyncio.sleep(WHOLE_CALL)
            stages = [note.kind for note in story.house.notes if note.call_id == story.caller.id]
            assert not story.caller.gone.is_set(), f"at {at}"
            if story.caller.ours:
                assert stages[-1] == TALKING, f"at {at}\n{story.house.told()}"
                assert any(story.caller.id in mix and len(mix) == 2 for mix in story.house.asterisk.mixes.values())
                await story.house.starts_again()  # somebody must clear up
            else:
                assert stages[-1:] in ([HANDED_BACK], []), f"at {at}\n{story.house.told()}"
            assert alone(story) == [], f"at {at}\n{story.house.told()}"


def alone(story: Story) -> list[str]:
    """Phones that ring or are answered, and nobody is there for them."""
    mixes = story.house.asterisk.mixes.values()
    offers = [c for c in story.phones() if c.ours and c.state == "Up"]
    return [c.id for c in offers if not any(c.id in mix and len(mix) > 1 for mix in mixes)]


async def test_a_kill_at_whatever_moment_costs_nobody_their_operator(
    opened: Callable[[], "asynccontextmanager[Story]"],
) -> None:
    for at in await moments(opened):
        async with opened() as story:
            await asyncio.sleep(at)
            story.house.is_killed()
            await asyncio.sleep(1)
            await story.house.starts_again()
            await asyncio.sleep(WHOLE_CALL + PROMPT)
            assert not story.caller.gone.is_set(), f"at {at}\n{story.house.told()}"
            assert alone(story) == [], f"at {at}\n{story.house.told()}"
            if story.caller.ours:
                mixes = story.house.asterisk.mixes.values()
                assert any(story.caller.id in mix and len(mix) == 2 for mix in mixes), f"at {at}\n{story.house.told()}"
            await caller_hangs_up(story)
            await asyncio.sleep(1)
            await story.house.settled()
            assert story.house.outcome_of(story.caller.id) is not None, f"at {at}\n{story.house.told()}"
