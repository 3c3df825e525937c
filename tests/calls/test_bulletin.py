"""What Asterisk is told by the way: whose phones the way out shall ring, at every moment."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from calls.bulletin import FAMILY, ON_DUTY, OUTSIDE, Bulletin
from routing.acd import Acd
from routing.desk import Desk
from routing.operators import READY


class Asterisk:
    """Its own database, as AMI writes into it."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    async def db_put(self, family: str, key: str, value: str) -> None:
        self.kept[family, key] = value

    async def db_del(self, family: str, key: str) -> None:
        self.kept.pop((family, key), None)

    async def rings(self) -> str | None:
        """The way out's phones, when all that is to be told has been told."""
        for _ in range(5):
            await asyncio.sleep(0)
        return self.kept.get((FAMILY, ON_DUTY))


class House:
    """Three desks, all with their phones, and the bulletin that speaks of them."""

    def __init__(self) -> None:
        self.asterisk: Any = Asterisk()
        self.acd = Acd([Desk(name, frozenset()) for name in ("op01", "op02", "op03")], wrap_up_for=30, widen_after=15,
                       on_change=lambda desk: self.bulletin.look())
        self.outside = ""
        self.bulletin = Bulletin(self.asterisk, self.acd, lambda: self.outside)
        for name in self.acd.desks:
            self.acd.device(name, "NOT_INUSE")


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    running = asyncio.create_task(house.bulletin.run())
    yield house
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_the_phones_on_duty_are_those_of_the_shift_and_change_with_it(house: House) -> None:
    house.acd.on_shift({"op01", "op02"})
    assert await house.asterisk.rings() == "PJSIP/op01&PJSIP/op02"
    house.acd.on_shift({"op03"})
    assert await house.asterisk.rings() == "PJSIP/op03"


async def test_when_nobody_is_on_shift_whoever_is_there_is_rung_but_not_who_has_left(house: House) -> None:
    house.acd.trained({"op01": [], "op02": []})
    assert await house.asterisk.rings() == "PJSIP/op01&PJSIP/op02"
    house.acd.device("op03", "UNAVAILABLE")
    house.acd.device("op03", "NOT_INUSE")
    assert await house.asterisk.rings() == "PJSIP/op01&PJSIP/op02"


async def test_when_nobody_is_there_the_dialplan_has_its_own_list(house: House) -> None:
    for name in house.acd.desks:
        house.acd.device(name, "UNAVAILABLE")
    assert await house.asterisk.rings() is None


async def test_who_answers_one_call_of_the_overflow_is_not_on_duty(house: House) -> None:
    house.acd.trained({"op01": []})
    house.acd.desks["outside-psc119"] = Desk("outside-psc119", frozenset(), READY, is_reserve=True, outside="PJSIP/1@t")
    house.bulletin.look()
    assert await house.asterisk.rings() == "PJSIP/op01"


async def test_the_numbers_outside_are_those_of_the_table_as_it_is_now(house: House) -> None:
    house.outside = "PJSIP/119@trunk"
    house.bulletin.look()
    await house.asterisk.rings()
    assert house.asterisk.kept[FAMILY, OUTSIDE] == "PJSIP/119@trunk"
    house.outside = ""
    house.bulletin.look()
    await house.asterisk.rings()
    assert (FAMILY, OUTSIDE) not in house.asterisk.kept
