"""When a command fails at the worst moment: whoever is on the line reaches a human all the same. (Virtual time; the
faults are Asterisk's: an answer that does not come.)"""
import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from calls.centre import Centre
from routing.operators import READY, WRAP_UP
from telephony import events
from telephony.ari_operations import AriTimeout
from telephony.tasks import beside
from tests.stories.fake_house import FakeHouse

pytestmark = pytest.mark.looptime(idle_step=0.05, idle_timeout=5)


@pytest.fixture
async def house(migrated_sqlite: Path, tmp_path: Path) -> AsyncIterator[FakeHouse]:
    shutil.copy(migrated_sqlite, tmp_path / "kentongan.db")
    house = FakeHouse(tmp_path / "kentongan.db", tmp_path / "menu.toml")
    yield house
    await house.close()


def fails(times: int, real: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """The command, unanswered so often and then carried out."""
    left = times

    async def command(*values: Any, **named: Any) -> Any:
        nonlocal left
        if left:
            left -= 1
            await asyncio.sleep(2)
            raise AriTimeout(0, "POST", "/somewhere", "within 2 s")
        return await real(*values, **named)
    return command


async def test_a_hand_back_that_is_not_answered_is_asked_again_until_the_way_out_has_the_caller(house, monkeypatch):
    channels = house.line.channels
    monkeypatch.setattr(channels, "play", fails(1, channels.play))
    monkeypatch.setattr(channels, "continue_in_dialplan", fails(2, channels.continue_in_dialplan))
    phone = await house.phone("op01")
    caller = await house.dials()
    await phone.picked_up()
    assert house.path(caller)[-1] == "handed_back"
    await caller.hangs_up()


async def test_a_caller_forgotten_in_the_end_is_found_at_the_next_look(house, monkeypatch):
    channels = house.line.channels
    monkeypatch.setattr(channels, "play", fails(1, channels.play))
    monkeypatch.setattr(channels, "continue_in_dialplan", fails(6, channels.continue_in_dialplan))
    await house.phone("op01")
    caller = await house.dials()
    await house.comes(lambda: (not house.centre.calls) or None, "end of our attempts", within=60)
    for _ in range(2):                      # what is astray once may be on its way
        await house.centre.reconcile(house._look, at_once=False)
    await house.until(caller, "talking")
    await caller.hangs_up()
    await house.over(caller)


async def test_a_desk_lost_while_a_command_fails_leaves_nobody_alone_in_a_bridge(house, monkeypatch):
    lost = await house.phone("op01")
    caller = await house.dials(keys="1")
    await house.until(caller, "talking")
    other = await house.phone("op02")
    monkeypatch.setattr(house.line.bridges, "remove_channel", fails(1, house.line.bridges.remove_channel))
    await asyncio.sleep(1)
    await lost.vanishes()
    await other.picked_up()                 # by the way out
    assert house.path(caller)[-1] == "handed_back"
    await caller.hangs_up()


async def test_a_bridge_that_could_not_be_made_for_the_supervisor_is_made_for_the_operator(house, monkeypatch):
    await house.supervisor(answers_after=None)
    house.limits(supervisors=1)
    monkeypatch.setattr(house.line.bridges, "create", fails(1, house.line.bridges.create))
    caller = await house.dials(keys="1")
    await house.until(caller, "overflow")
    await asyncio.sleep(5)
    await house.phone("op01")
    await house.until(caller, "talking")
    assert await house.talks(caller)
    await caller.hangs_up()
    await house.over(caller)


async def test_a_supervisors_phone_that_cannot_be_silenced_keeps_no_operator_from_the_caller(house, monkeypatch):
    await house.supervisor(answers_after=None)
    house.limits(supervisors=1)
    caller = await house.dials(keys="1")
    await house.until(caller, "overflow")
    await asyncio.sleep(0.5)
    channels = house.line.channels
    monkeypatch.setattr(channels, "hangup", fails(1, channels.hangup))
    await house.phone("op01")
    await house.until(caller, "talking")
    assert house.desk("op01").call_id == caller.call_id
    await caller.hangs_up()
    await house.over(caller)


async def test_a_bug_in_mid_talk_does_not_touch_the_talk_and_its_end_is_seen(house, monkeypatch):
    phone = await house.phone("op01")
    real, left = Centre.talk, [1]

    async def talk(self, desk, call):
        if left:
            left.clear()
            raise RuntimeError("a bug")
        return await real(self, desk, call)

    monkeypatch.setattr(Centre, "talk", talk)
    caller = await house.dials(keys="1")
    await house.until(caller, "talking")
    await asyncio.sleep(60)
    assert caller.call_id in house.centre.calls
    await phone.hangs_up()
    record = await house.over(caller)
    assert (record.outcome, record.operator) == ("answered", "op01")
    await house.until_desk("op01", WRAP_UP, READY)


async def test_a_phone_that_is_up_before_it_is_ours_is_joined_when_it_is(house):
    await house.phone("op01")
    tell = house.asterisk.tell

    def slowly(event):
        if isinstance(event, events.StasisStart) and event.args == ["offer"]:
            asyncio.get_running_loop().call_later(0.02, tell, event)
        else:
            tell(event)

    house.asterisk.tell = slowly
    caller = await house.dials(keys="1")
    await house.until(caller, "talking")
    assert len(house.asterisk.mixes[f"{caller.call_id}-bridge"]) == 2
    await caller.hangs_up()
    await house.over(caller)


async def test_when_everybody_has_missed_a_call_the_waiting_go_the_way_out(house):
    async with beside(house.centre.mind_the_waiting()):
        deaf = [await house.phone(name, answers_after=None) for name in ("op01", "op02")]
        caller = await house.dials(keys="1")
        await house.until(caller, "handed_back", within=120)
        assert [note.kind for note in house.of(caller)].count("unanswered") == len(deaf)
        await caller.hangs_up()


async def test_while_somebody_is_only_busy_nobody_is_sent_away(house):
    async with beside(house.centre.mind_the_waiting()):
        phone = await house.phone("op01")
        first = await house.dials(keys="1")
        await house.until(first, "talking")
        second = await house.dials("0800555002", keys="1")
        await asyncio.sleep(600)
        assert house.path(second)[-1] == "queued"
        await phone.hangs_up()
        await house.until(second, "talking")
        await second.hangs_up()
        await house.over(second)


async def test_an_operator_who_hangs_up_at_once_costs_the_caller_nothing_but_a_moment(house):
    slip = await house.phone("op01")
    caller = await house.dials(keys="1")
    await slip.picked_up()
    await slip.hangs_up()
    await house.phone("op02")
    await house.until(caller, "talking", nth=2)
    assert house.desk("op01").paused_for is None
    await caller.hangs_up()
    await house.over(caller)


async def test_a_call_that_is_broadcast_twice_is_claimed_once(house, caplog):
    tell = house.asterisk.tell

    def twice(event):
        for _ in range(1 + isinstance(event, events.CallBroadcast)):
            tell(event)

    house.asterisk.tell = twice
    await house.phone("op01")
    caller = await house.dials(keys="1")
    await house.until(caller, "talking")
    assert [command for _, command in house.asterisk.commands].count(f"claim {caller.call_id}") == 1
    assert not house.centre._claims
    await caller.hangs_up()
    await house.over(caller)
    assert not [record for record in caplog.records if record.name == "calls.centre"]
