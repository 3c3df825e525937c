"""Reserves in the queue, in virtual time: a desk that is lent for one call that has waited too long."""

import asyncio

import pytest

from routing.desk import Desk
from routing.operators import OFFERED, OUT, READY, TALKING
from tests.routing.acd_house import Caller, House

pytestmark = pytest.mark.looptime


def reserve() -> Desk:
    return Desk("outside-psc119", frozenset(), READY, is_reserve=True, outside="PJSIP/119@trunk")


async def waiting(house: House, caller: Caller) -> asyncio.Task[str]:
    """Who waits in vain, until they are lent something; and then is given it back at once."""
    async def turn() -> str:
        async with house.acd.desk_for(caller) as loan:
            return (await loan.desk()).name

    task = asyncio.create_task(turn())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task


async def test_a_reserve_answers_for_who_waits_and_is_gone_after_the_call() -> None:
    house = House(Desk("op01", frozenset()))
    turn = await waiting(house, Caller("c1"))
    assert house.acd.lends(reserve(), "c1")
    assert house.desk("outside-psc119").state is OFFERED
    assert not house.acd.is_staffed()  # nobody can be rung there
    assert await turn == "outside-psc119"
    assert house.acd.desks.keys() == {"op01"}
    assert house.changes[-1] == ("outside-psc119", OUT)


async def test_a_reserve_that_comes_too_late_gets_no_call() -> None:
    house = House(Desk("op01", frozenset()))
    turn = await waiting(house, Caller("c1"))
    house.open()
    assert not house.acd.lends(reserve(), "c1")
    assert await turn == "op01"
    assert not house.acd.lends(reserve(), "c1")
    assert house.acd.desks.keys() == {"op01"}


async def test_a_reserve_talks_to_one_caller_at_a_time() -> None:
    house = House()
    turns = [await waiting(house, Caller(name)) for name in ("c1", "c2")]
    assert [house.acd.lends(reserve(), name) for name in ("c1", "c2")] == [True, False]
    assert await turns[0] == "outside-psc119"
    assert house.acd.lends(reserve(), "c2")
    assert await turns[1] == "outside-psc119"


async def test_a_talk_of_somebody_who_is_no_operator_is_taken_up_again_until_it_is_over() -> None:
    house = House(Desk("op01", frozenset()))
    caller = Caller("c1", desk="sri", talks_on=True)
    async with house.acd.desk_for(caller) as loan:
        assert (await loan.desk()).state is TALKING
        house.acd.trained({"op01": []})
        assert "sri" in house.acd.desks
        caller.talks_on = False
    assert "sri" not in house.acd.desks
