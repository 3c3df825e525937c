"""The queue and its desks in virtual time: who is lent what, and that no desk is ever lost."""

import asyncio
from datetime import UTC, datetime

import pytest

from routing.operators import OFFERED, OUT, PAUSED, READY, TALKING, WRAP_UP, IllegalStep
from tests.routing.acd_house import START, WIDEN_AFTER, WRAP_UP_FOR, Caller, House, desk, leaving, now

pytestmark = pytest.mark.looptime


async def test_a_caller_gets_the_desk_that_can_help() -> None:
    house = House(desk("op01", "police"), desk("op02", "fire"))
    house.open()
    async with leaving(house.comes(Caller("c1", "fire"))):
        await asyncio.sleep(2)
        assert house.answered == ["c1 by op02"]
        assert (house.desk("op02").state, house.desk("op02").call_id) == (TALKING, "c1")


async def test_a_caller_waits_until_a_desk_comes() -> None:
    house = House(desk("op01"))
    async with leaving(house.comes(Caller("c1"))):
        await asyncio.sleep(600)
        house.open()
        await asyncio.sleep(2)
        assert house.answered == ["c1 by op01"]


async def test_a_talk_is_followed_by_wrap_up_and_then_the_desk_is_ready_again() -> None:
    house = House(desk("op01"))
    house.open()
    await house.comes(Caller("c1"), talks_for=60, rings_for=1)
    assert (house.desk("op01").state, house.desk("op01").call_id) == (WRAP_UP, "c1")
    await asyncio.sleep(WRAP_UP_FOR - 1)
    assert house.desk("op01").state is WRAP_UP
    await asyncio.sleep(2)
    assert (house.desk("op01").state, house.desk("op01").call_id) == (READY, None)
    assert house.desk("op01").idle_since == pytest.approx(START + 61 + WRAP_UP_FOR)


async def test_wrap_up_ends_early_when_the_operator_says_so() -> None:
    house = House(desk("op01"))
    house.open()
    await house.comes(Caller("c1"), talks_for=60, rings_for=1)
    async with leaving(house.comes(Caller("c2"))):
        await asyncio.sleep(1)
        house.acd.ready("op01")
        await asyncio.sleep(2)
        assert house.answered == ["c1 by op01", "c2 by op01"]
        await asyncio.sleep(WRAP_UP_FOR)
        assert house.desk("op01").state is TALKING  # the old timer is gone


async def test_a_pause_in_wrap_up_outlasts_it() -> None:
    house = House(desk("op01"))
    house.open()
    await house.comes(Caller("c1"))
    house.acd.pause("op01", "lunch")
    await asyncio.sleep(2 * WRAP_UP_FOR)
    assert (house.desk("op01").state, house.desk("op01").paused_for) == (PAUSED, "lunch")


async def test_a_paused_desk_gets_no_call_until_it_is_ready() -> None:
    house = House(desk("op01"))
    house.open()
    house.acd.pause("op01", "lunch")
    async with leaving(house.comes(Caller("c1"))):
        await asyncio.sleep(60)
        assert not house.answered
        house.acd.ready("op01")
        await asyncio.sleep(2)
        assert house.answered == ["c1 by op01"]
        assert house.desk("op01").paused_for is None


@pytest.mark.parametrize("state", [OFFERED, TALKING])
async def test_a_desk_in_a_call_is_neither_paused_nor_made_ready(state: str) -> None:
    house = House(desk("op01"))
    house.open()
    async with leaving(house.comes(Caller("c1"), rings_for=10)):
        await asyncio.sleep(5 if state == OFFERED else 15)
        for change in (lambda: house.acd.pause("op01", "lunch"), lambda: house.acd.ready("op01")):
            with pytest.raises(IllegalStep, match="op01 is in a call"):
                change()
        assert house.desk("op01").state == state
        assert house.desk("op01").paused_for is None


async def test_a_desk_that_did_not_answer_rests_and_the_caller_stays_at_the_head() -> None:
    house = House(desk("deaf"), desk("op02"))
    house.open("deaf")
    first, second = Caller("c1"), Caller("c2")

    async def unanswered_once() -> None:
        async with house.acd.desk_for(first) as loan:
            rung = await loan.desk()
            await asyncio.sleep(15)
            house.acd.rests(rung, "did not answer")
        await house._lives(first, 60, 1)

    one = asyncio.create_task(unanswered_once())
    await asyncio.sleep(1)
    async with leaving(one, house.comes(second)):
        await asyncio.sleep(15)
        assert [w.call_id for w in house.acd.queue()] == ["c1", "c2"]
        assert (house.acd.place("c1"), house.acd.place("c2")) == (1, 2)
        assert (house.desk("deaf").state, house.desk("deaf").paused_for) == (PAUSED, "did not answer")
        house.open()
        await asyncio.sleep(2)
        assert house.answered == ["c1 by op02"]


async def test_who_is_being_offered_is_told_the_first_place() -> None:
    house = House(desk("op01"))
    house.open()
    async with leaving(house.comes(Caller("c1"), rings_for=10), house.comes(Caller("c2"))):
        await asyncio.sleep(1)
        assert (house.acd.place("c1"), house.acd.place("c2")) == (1, 1)


async def test_the_longest_idle_desk_is_rung() -> None:
    house = House(desk("op01"), desk("op02"), desk("op03"))
    house.acd.on_shift({"op01", "op02", "op03"})
    for name in ("op02", "op03", "op01"):
        house.acd.device(name, "NOT_INUSE")
        await asyncio.sleep(1)
    async with leaving(*(house.comes(Caller(f"c{n}"), talks_for=5) for n in range(3))):
        await asyncio.sleep(2)
        assert sorted(house.answered) == ["c0 by op02", "c1 by op03", "c2 by op01"]


async def test_a_desk_whose_caller_left_while_it_rang_keeps_its_turn() -> None:
    house = House(desk("op01"), desk("op02"))
    house.open("op01")
    await asyncio.sleep(10)
    house.open()
    async with leaving(house.comes(Caller("c1"), rings_for=10)):
        await asyncio.sleep(5)
        assert house.desk("op01").state is OFFERED
    assert (house.desk("op01").state, house.desk("op01").idle_since) == (READY, START)
    async with leaving(house.comes(Caller("c2"))):
        await asyncio.sleep(2)
        assert house.answered == ["c2 by op01"]


@pytest.mark.parametrize("order", ["hang-up first", "offer first"])
async def test_a_desk_offered_to_a_caller_who_just_left_is_not_lost(order: str) -> None:
    house = House(desk("op01"))
    caller = house.comes(Caller("c1"))
    await asyncio.sleep(60)
    steps = [caller.cancel, house.open]
    for do in steps if order == "hang-up first" else reversed(steps):
        do()
    await asyncio.gather(caller, return_exceptions=True)
    assert (house.desk("op01").state, house.desk("op01").call_id) == (READY, None)
    assert not house.acd.queue()


@pytest.mark.parametrize("ticks", range(8))
async def test_a_desk_that_comes_within_the_ticks_of_a_hang_up_goes_to_the_next_caller(ticks: int) -> None:
    house = House(desk("op01"))
    leaver, stayer = house.comes(Caller("c1")), house.comes(Caller("c2"))
    async with leaving(leaver, stayer):
        await asyncio.sleep(60)
        loop = asyncio.get_running_loop()

        def after(ticks: int) -> None:
            if ticks:
                loop.call_soon(after, ticks - 1)
            else:
                house.open()

        loop.call_soon(leaver.cancel)
        after(ticks)
        await asyncio.sleep(5)
        assert house.answered[-1] == "c2 by op01"
        assert house.desk("op01").call_id == "c2"


@pytest.mark.parametrize("device", ["INUSE", "RINGING", "ONHOLD", "BUSY"])
async def test_the_phone_overrules_what_we_think_of_a_desk(device: str) -> None:
    house = House(desk("op01"))
    house.open()
    house.acd.device("op01", device)
    async with leaving(house.comes(Caller("c1"))):
        await asyncio.sleep(60)
        assert not house.answered
        assert house.desk("op01").state is READY
        house.acd.device("op01", "NOT_INUSE")
        await asyncio.sleep(2)
        assert house.answered == ["c1 by op01"]


async def test_a_phone_that_goes_logs_out_and_one_that_comes_logs_in() -> None:
    house = House(desk("op01"))
    house.open()
    house.acd.device("op01", "UNAVAILABLE")
    assert house.desk("op01").state is OUT
    async with leaving(house.comes(Caller("c1"))):
        await asyncio.sleep(60)
        house.acd.device("op01", "NOT_INUSE")
        assert house.desk("op01").state is OFFERED
    assert ("op01", "out") in house.changes


@pytest.mark.parametrize("gone_at", [0.5, 30])
async def test_a_phone_that_went_during_a_call_is_logged_out_after_it(gone_at: float) -> None:
    house = House(desk("op01"))
    house.open()
    caller = house.comes(Caller("c1"), talks_for=60, rings_for=1)
    await asyncio.sleep(gone_at)
    house.acd.device("op01", "UNAVAILABLE")
    await caller
    await asyncio.sleep(WRAP_UP_FOR + 1)
    assert house.desk("op01").state is OUT


async def test_a_phone_that_is_unplugged_in_wrap_up_is_logged_out_at_once() -> None:
    house = House(desk("op01"))
    house.open()
    await house.comes(Caller("c1"))
    house.acd.device("op01", "UNAVAILABLE")
    assert house.desk("op01").state is OUT
    house.acd.device("op01", "NOT_INUSE")
    idle_since = house.desk("op01").idle_since
    await asyncio.sleep(2 * WRAP_UP_FOR)
    assert (house.desk("op01").state, house.desk("op01").idle_since) == (READY, idle_since)


async def test_a_phone_that_nobody_knows_is_nobodys() -> None:
    house = House(desk("op01"))
    house.acd.device("trunk", "INUSE")
    assert not house.changes


async def test_who_is_not_on_shift_is_not_rung() -> None:
    house = House(desk("op01"), desk("op02"))
    house.open()
    house.acd.on_shift({"op02"})
    async with leaving(house.comes(Caller("c1")), house.comes(Caller("c2"))):
        await asyncio.sleep(5)
        assert house.answered == ["c1 by op02"]
        house.acd.on_shift({"op01"})  # the shift ends: who talks goes on talking
        await asyncio.sleep(5)
        assert house.answered == ["c1 by op02", "c2 by op01"]
        assert house.desk("op02").state is TALKING


async def test_after_a_long_wait_any_desk_is_rung() -> None:
    house = House(desk("op01", "police"))
    house.open()
    async with leaving(house.comes(Caller("c1", "fire"))):
        await asyncio.sleep(WIDEN_AFTER - 1)
        assert not house.answered
        await asyncio.sleep(3)
        assert house.answered == ["c1 by op01"]


async def test_an_older_caller_and_a_more_urgent_one_come_first() -> None:
    house = House(desk("op01"))
    arrived = datetime.fromtimestamp(now() - 300, UTC)
    callers = [Caller("new"), Caller("old", arrived_at=arrived), Caller("urgent", priority=1)]
    async with leaving(*(house.comes(caller, talks_for=5) for caller in callers)):
        await asyncio.sleep(1)
        assert [w.call_id for w in house.acd.queue()] == ["urgent", "old", "new"]
        assert [house.acd.place(name) for name in ("urgent", "old", "new")] == [1, 2, 3]
        house.open()
        await asyncio.sleep(3 * (WRAP_UP_FOR + 10))
        assert house.answered == [f"{name} by op01" for name in ("urgent", "old", "new")]


async def test_a_talk_found_alive_has_its_desk_already_and_ends_like_any_other() -> None:
    house = House(desk("op01"))
    house.acd.on_shift({"op01"})
    caller = Caller("c1", desk="op01")
    async with house.acd.desk_for(caller) as loan:
        assert (await loan.desk()).name == "op01"
        assert (house.desk("op01").state, house.desk("op01").call_id) == (TALKING, "c1")
    assert (house.desk("op01").state, caller.desk) == (WRAP_UP, None)


async def test_a_desk_whose_talk_goes_on_without_us_stays_in_it_until_the_talk_is_taken_up_again_and_ends() -> None:
    house = House(desk("op01"))
    house.open()
    caller = Caller("c1")
    async with house.acd.desk_for(caller) as loan:
        house.acd.talks(await loan.desk())
        caller.talks_on = True
    await asyncio.sleep(WRAP_UP_FOR + 1)
    assert (house.desk("op01").state, house.desk("op01").call_id) == (TALKING, "c1")
    caller.desk = "op01"
    async with house.acd.desk_for(caller):
        caller.talks_on = False
    assert house.desk("op01").state is WRAP_UP
    assert [state for _, state in house.changes].count(WRAP_UP) == 1


async def test_after_the_stop_the_clock_makes_nobody_ready() -> None:
    house = House(desk("op01"))
    house.open()
    await house.comes(Caller("c1"))
    assert house.desk("op01").state is WRAP_UP
    house.acd.stops()
    house.changes.clear()
    await asyncio.sleep(WRAP_UP_FOR + 1)
    assert house.changes == []


async def test_whoever_listens_hears_of_each_change_after_it() -> None:
    house = House(desk("op01"))
    house.open()
    house.changes.clear()
    await house.comes(Caller("c1"))
    await asyncio.sleep(WRAP_UP_FOR + 1)
    seen = [state for name, state in house.changes if name == "op01"]
    assert list(dict.fromkeys(seen)) == [OFFERED, TALKING, WRAP_UP, READY]


async def test_new_skills_count_for_who_waits_and_who_is_new_gets_a_desk() -> None:
    house = House(desk("op01", "fire"))
    house.open()
    async with leaving(house.comes(Caller("1", "medical"))):
        await asyncio.sleep(2)
        assert house.answered == []
        house.acd.trained({"op01": ["fire", "medical"], "op99": ["fire"]})
        await asyncio.sleep(2)
        assert house.answered == ["1 by op01"]
        assert house.desk("op99").state is OUT
        house.open("op99")
        async with leaving(house.comes(Caller("2", "fire"))):
            await asyncio.sleep(2)
            assert house.answered == ["1 by op01", "2 by op99"]


async def test_who_has_left_is_not_rung_though_their_phone_stays_plugged_in() -> None:
    house = House(desk("op01"), desk("op02"))
    house.open("op01")
    house.acd.trained({"op02": []})
    assert list(house.acd.desks) == ["op02"]
    assert house.changes[-1] == ("op01", OUT)
    house.acd.device("op01", "UNAVAILABLE")
    house.acd.device("op01", "NOT_INUSE")
    house.acd.on_shift({"op01", "op02"})
    async with leaving(house.comes(Caller("1"))):
        await asyncio.sleep(60)
        assert house.answered == []


async def test_who_has_left_finishes_the_call_they_are_in_and_gets_no_other() -> None:
    house = House(desk("op01"))
    house.open()
    async with leaving(house.comes(Caller("1"), talks_for=60), house.comes(Caller("2"))):
        await asyncio.sleep(10)
        house.acd.trained({})
        house.acd.on_shift(set())
        assert (house.desk("op01").state, house.desk("op01").call_id) == (TALKING, "1")
        await asyncio.sleep(60)
        house.acd.trained({})
        await asyncio.sleep(2 * WRAP_UP_FOR)
        assert (house.acd.desks, house.answered) == ({}, ["1 by op01"])


async def test_who_comes_back_is_logged_in_by_the_phone_that_is_still_there() -> None:
    house = House(desk("op01"))
    house.open()
    house.acd.trained({})
    house.acd.trained({"op01": ["fire"]})
    assert (house.desk("op01").state, house.desk("op01").why_not_free()) == (READY, "not on shift")


async def test_a_new_desk_whose_phone_was_there_first_is_logged_in_by_it() -> None:
    house = House(desk("op01"))
    house.acd.device("op99", "NOT_INUSE")
    async with leaving(house.comes(Caller("1", "fire"))):
        await asyncio.sleep(2)
        house.acd.trained({"op01": [], "op99": ["fire"]})
        house.acd.on_shift({"op99"})
        await asyncio.sleep(2)
        assert house.answered == ["1 by op99"]


async def test_a_new_desk_whose_phone_went_before_it_came_stays_out() -> None:
    house = House()
    house.acd.device("op99", "NOT_INUSE")
    house.acd.device("op99", "UNAVAILABLE")
    house.acd.trained({"op99": ["fire"]})
    assert (house.desk("op99").state, house.desk("op99").device) == (OUT, "UNAVAILABLE")
