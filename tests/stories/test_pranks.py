"""The boy who cried wolf: whoever has joked is put behind others for some seconds, and is always answered."""

import asyncio

import pytest
from sqlalchemy import select

from db.models import Call
from routing.operators import READY
from tests.stories.fake_house import FakeHouse
from tests.stories.house import SPOKEN_FOR, Caller, House

WOLF, NEIGHBOUR = "+62800555901", "+62800555902"
#: (What one story made of a number is still in the books of a real house when the next is told: nobody else has these.)
SECOND_WOLF, THIRD_WOLF = "+62800555903", "+62800555904"
PROMISED = "if-emergency"


async def rings_and_is_known(house: House, number: str = WOLF) -> Caller:
    """In the greeting still, when the past of the number is known."""
    caller = await house.dials(number)
    await house.until(caller, "prank")
    caller.presses("1")
    await house.until(caller, "queued")
    return caller


async def rings(house: House, number: str = NEIGHBOUR) -> Caller:
    caller = await house.dials(number, keys="1")
    await house.until(caller, "queued")
    return caller


def order(house: House) -> list[str | None]:
    return [waiting.call_id for waiting in house.acd.queue()]


def held(house: House, caller: Caller) -> dict[str, object] | None:
    with house._reads() as connection:
        return connection.scalar(select(Call.prank).where(Call.id == caller.call_id))


async def test_after_twelve_pranks_a_fire_is_behind_an_equal_call_and_answered(house: House) -> None:
    await house.judged_before(WOLF, "prank", 12)
    wolf = await rings_and_is_known(house)
    neighbour = await rings(house)
    assert order(house) == [neighbour.call_id, wolf.call_id]
    operator = await house.phone("op01")
    await house.until(neighbour, "talking")
    await operator.says_goodbye()
    await house.until(wolf, "talking")
    assert await house.talks(wolf)
    await operator.says_goodbye()
    record = await house.over(wolf)
    assert (record.outcome, record.topic, record.tickets) == ("answered", "fire", ["draft"])
    known = held(house, wolf)
    assert known is not None
    assert (known["behind"], len(known["reasons"])) == (30.0, 12)
    assert WOLF[1:] not in str((await house.until(wolf, "prank")).facts)
    await house.over(neighbour)
    assert held(house, neighbour) is None


async def test_after_twelve_pranks_who_says_that_it_is_an_emergency_has_their_normal_place(house: House) -> None:
    await house.judged_before(SECOND_WOLF, "prank", 12)
    wolf = await rings_and_is_known(house, SECOND_WOLF)
    neighbour = await rings(house)
    wolf.presses("5")
    await house.until(wolf, "prank lifted")
    assert order(house) == [wolf.call_id, neighbour.call_id]
    operator = await house.phone("op01")
    await house.until(wolf, "talking")
    await operator.says_goodbye()
    await house.until(neighbour, "talking")
    await operator.says_goodbye()
    assert (await house.over(wolf)).outcome == "answered"
    known = held(house, wolf)
    assert known is not None
    assert (known["behind"], known["score"] > 11) == (0.0, True)
    await house.over(neighbour)


async def test_pranks_hold_nobody_up_who_is_alone(house: House) -> None:
    await house.judged_before(THIRD_WOLF, "prank", 12)
    await house.phone("op01")
    caller = await house.dials(THIRD_WOLF)
    await house.until(caller, "prank")
    caller.presses("1")
    chosen, talking = await house.until(caller, "chosen"), await house.until(caller, "talking")
    assert (talking.at - chosen.at).total_seconds() < SPOKEN_FOR
    await caller.hangs_up()
    await house.over(caller)
    await house.until_desk("op01", READY)


@pytest.mark.looptime(idle_step=0.01, idle_timeout=0.5)
async def test_who_is_behind_is_told_of_the_key_until_they_have_pressed_it(fake_house: FakeHouse) -> None:
    await fake_house.judged_before(WOLF, "prank", 12)
    wolf, neighbour = await rings_and_is_known(fake_house), await rings(fake_house)
    await asyncio.sleep(8)
    heard = [[sound for sound in channel.heard if sound == PROMISED] for channel in fake_house.asterisk.up.values()]
    assert heard == [[PROMISED], []]
    wolf.presses("78")                  # (no other key is taken for it)
    await asyncio.sleep(12)
    heard = fake_house.asterisk.up[wolf.call_id or ""].heard
    assert heard.count(PROMISED) > 1
    wolf.presses("5")
    await fake_house.until(wolf, "prank lifted")
    told = heard.count(PROMISED)
    await asyncio.sleep(20)
    assert heard.count(PROMISED) == told
    for caller in (wolf, neighbour):
        await caller.hangs_up()
        await fake_house.over(caller)


@pytest.mark.looptime(idle_step=0.01, idle_timeout=0.5)
@pytest.mark.parametrize("number", [WOLF, None])
async def test_other_verdicts_and_callers_without_a_number_weigh_nothing(
    fake_house: FakeHouse, number: str | None
) -> None:
    for verdict in ("real", "ghost", "information", "not our matter") + (("prank",) if number is None else ()):
        await fake_house.judged_before(WOLF, verdict, 12)
    first = await fake_house.dials(number, keys="1")
    await fake_house.until(first, "queued")
    second = await rings(fake_house)
    assert order(fake_house) == [first.call_id, second.call_id]
    for caller in (first, second):
        await caller.hangs_up()
        await fake_house.over(caller)
        assert held(fake_house, caller) is None


@pytest.mark.looptime(idle_step=0.01, idle_timeout=0.5)
@pytest.mark.parametrize("fault", ["slow", "very slow", "away"])
async def test_a_database_that_does_not_say_in_time_holds_nothing_against_anybody(
    fake_house: FakeHouse, fault: str
) -> None:
    await fake_house.judged_before(WOLF, "prank", 12)
    fake_house.books_take = {"slow": 2.0, "very slow": 3600.0, "away": 0.01}[fault]
    fake_house.books_fail = fault == "away"
    first = await fake_house.dials(WOLF, keys="1")
    chosen = await fake_house.until(first, "chosen")
    second = await rings(fake_house)
    await asyncio.sleep(4)
    assert order(fake_house) == [first.call_id, second.call_id]
    arrived = await fake_house.until(first, "arrived")
    assert (chosen.at - arrived.at).total_seconds() < SPOKEN_FOR
    for caller in (first, second):
        await caller.hangs_up()
        await fake_house.over(caller)
        assert [note.kind for note in fake_house.of(caller) if "prank" in note.kind] == []


@pytest.mark.looptime(idle_step=0.01, idle_timeout=0.5)
async def test_a_call_that_is_adopted_stands_where_any_other_would(fake_house: FakeHouse) -> None:
    await fake_house.judged_before(WOLF, "prank", 12)
    wolf, neighbour = await rings_and_is_known(fake_house), await rings(fake_house)
    assert order(fake_house) == [neighbour.call_id, wolf.call_id]
    fake_house.is_killed()
    await asyncio.sleep(1)
    await fake_house.starts_again()
    for caller in (wolf, neighbour):
        await fake_house.until(caller, "queued", nth=2)
    assert order(fake_house) == [wolf.call_id, neighbour.call_id]
    for caller in (wolf, neighbour):
        await caller.hangs_up()
        await fake_house.over(caller)
