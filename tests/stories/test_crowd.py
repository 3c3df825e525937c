"""The service is killed with a crowd on the line (faults 1, 2 and 3): who talks talks on, who waits keeps their place,
who was still listening to the menu waits with the others."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from signal import SIGKILL
from typing import Any

import pytest

from kentongan.ground import lay, phones
from kentongan.rtp import RATE
from kentongan.sipp import Caller, Key, Phone, Tone, dial
from kentongan.stage import doors_of, everybody_works, until_healthy
from tests import ear
from tests.stories.test_killed import Centre, centre

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(120)]

TALKING, WAITING, IN_THE_MENU = 9, 50, 20
OPERATOR = Tone(1000)
#: Seconds without the operator's voice that would be heard as a hole; the service is away for longer than that.
A_HOLE = 0.5


@dataclass
class Crowd:
    """Who is on the line, in the order in which they came."""

    house: Centre
    phones: list[Phone]
    talking: list[Caller]
    waiting: list[Caller]
    in_the_menu: list[Caller]

    async def stands(self, **wanted: int) -> list[dict[str, Any]]:
        """The calls, once so many stand at each stage."""
        def is_so(answer: dict[str, Any]) -> bool:
            return Counter(call["stage"] for call in answer["items"]) == wanted
        return list((await self.house.doors.until(str(wanted), is_so, "/api/calls?limit=100"))["items"])


def number(n: int) -> str:
    return f"0800555{n:03}"


@asynccontextmanager
async def crowd() -> AsyncIterator[Crowd]:
    async with centre() as house, AsyncExitStack() as street:
        async def dials(n: int, key: str | None, voice: Tone | None = None) -> Caller:
            return await street.enter_async_context(dial(
                "112", to=house.sip, number=number(n), voice=voice, keys=[Key(0.5, key)] if key else []))

        staff = phones(house.settings, await lay(house.settings))
        await everybody_works(house.doors, [row["user"] for row in staff], house.settings.timezone)
        desks = [await street.enter_async_context(house.phone(row, answers_after=0.1)) for row in staff]
        there = Crowd(house, desks, [], [], [])
        await house.doors.until("nine who are free", lambda answer: sum(
            row["why_not_free"] is None for row in answer["items"]) == TALKING, "/api/operators")
        there.talking = [await dials(n, "1", Tone(440)) for n in range(TALKING)]
        await there.stands(talking=TALKING)
        there.waiting = [await dials(100 + n, "1") for n in range(WAITING)]
        await there.stands(talking=TALKING, queued=WAITING)
        there.in_the_menu = [await dials(200 + n, None) for n in range(IN_THE_MENU)]
        for caller in there.in_the_menu:
            await caller.answered()
        yield there


async def test_a_service_that_is_killed_under_a_crowd_costs_nobody_anything():
    async with crowd() as there:
        house = there.house
        before = {call["id"]: call for call in await there.stands(talking=TALKING, queued=WAITING, menu=IN_THE_MENU)}
        house.signal_service(SIGKILL)
        await until_healthy(house.settings)
        after = await there.stands(talking=TALKING, queued=WAITING + IN_THE_MENU)
        for call in after:
            for kept in ("caller_number", "arrived_at", "operator"):
                assert call[kept] == before[call["id"]][kept]

        for phone in there.phones:                      # the next nine are those who have waited for longest
            await phone.calls[0].hangs_up()
            assert (await phone.picked_up()) is phone.calls[0]
            token = (await house.doors.post(f"/api/users/{phone.user}/tokens"))["token"]
            async with doors_of(house.settings, token) as desk:
                place = f"/api/operators/{phone.user}"
                await desk.until("the talk's end", lambda row: row["state"] == "wrap_up", place)
                await desk.post(f"{place}/wrap-up-done")
        for phone in there.phones:
            await phone.picked_up()
        ended = await there.stands(ended=TALKING, talking=TALKING, queued=WAITING + IN_THE_MENU - TALKING)
        waited = sorted((datetime.fromisoformat(call["arrived_at"]), call["id"])
                        for call in before.values() if call["stage"] == "queued")
        assert {call["id"] for call in ended if call["stage"] == "talking"} == {first for _, first in waited[:TALKING]}
        assert {call["outcome"] for call in ended if call["stage"] == "ended"} == {"answered"}
        for caller in there.talking:
            assert (await caller.ended()).by == "callee"
            holes = ear.gaps(ear.samples(caller.heard()), RATE, OPERATOR.hz)
            assert all(until - since < A_HOLE for since, until in holes), holes
        for caller in (*there.waiting, *there.in_the_menu):
            assert not caller.is_over
