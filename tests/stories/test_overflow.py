"""Who waits too long: the supervisor's phone rings, then a number outside; and when too many call, nobody is lost."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import cycle

import pytest
from sqlalchemy import select

from calls.callbacks import UNDONE
from calls.stages import TALKING
from db.models import Call, Callback
from routing.operators import READY
from tests.stories.house import OFFER_FOR, OUTSIDE, SUPERVISOR, Caller, House, Phone
from tests.stories.real_house import RealHouse
from tests.waiting import until

NEVER = 600.0
PSC = "outside-psc119"


async def everybody_talks(house: House) -> tuple[Phone, Caller]:
    """The one operator who is there talks to somebody."""
    operator = await house.phone("op01")
    first = await house.dials("0800555001", keys="1")
    await house.until(first, "talking")
    return operator, first


def steps(house: House, caller: Caller) -> list[tuple[str, list[str]]]:
    return [(note.facts["step"], note.facts["who"]) for note in house.of(caller) if note.kind == "overflow"]


async def test_the_supervisor_is_rung_after_the_limit_and_talks(house: House) -> None:
    supervisor = await house.supervisor()
    house.limits(supervisors=2, outside=NEVER)
    _, first = await everybody_talks(house)
    caller = await house.dials("0800555002", keys="1")
    talking = await house.until(caller, "talking")
    assert talking.facts["operator"] == SUPERVISOR
    assert steps(house, caller) == [("supervisors", [SUPERVISOR])]
    [overflow] = [note for note in house.of(caller) if note.kind == "overflow"]
    [arrived] = [note for note in house.of(caller) if note.kind == "arrived"]
    assert (overflow.at - arrived.at).total_seconds() >= 1.9
    assert await house.talks(caller)
    await supervisor.says_goodbye()
    record = await house.over(caller)
    assert (record.outcome, record.operator) == ("answered", SUPERVISOR)
    assert SUPERVISOR not in house.acd.desks
    await first.hangs_up()


async def test_then_the_number_outside_is_rung_and_its_talk_is_one_like_any_other(house: House) -> None:
    await house.supervisor(answers_after=None)
    agency = await house.outside()
    house.limits(supervisors=1, outside=2)
    _, first = await everybody_talks(house)
    caller = await house.dials("0800555002", keys="1")
    talking = await house.until(caller, "talking", within=30)
    assert talking.facts["operator"] == PSC
    assert steps(house, caller) == [("supervisors", [SUPERVISOR]), ("outside", [PSC])]
    assert [note.facts["operator"] for note in house.of(caller) if note.kind == "unanswered"] == [SUPERVISOR]
    assert await house.talks(caller)
    await agency.says_goodbye()
    await house.until(caller, "outside left")  # it may have been a machine: whoever was helped hangs up
    await house.until(caller, "queued", nth=2)
    await caller.hangs_up()
    record = await house.over(caller)
    assert (record.outcome, record.operator) == ("answered", PSC)
    assert len(record.recordings) == 1
    with house._reads() as connection:
        assert OUTSIDE not in set(connection.scalars(select(Call.caller_number)))  # it is nobody's call
    await first.hangs_up()


async def test_nobody_outside_answers_the_place_is_kept_and_an_operator_who_is_free_wins(house: House) -> None:
    await house.outside(answers_after=None)
    house.limits(outside=1, again_after=1)
    operator, _ = await everybody_talks(house)
    caller = await house.dials("0800555002", keys="1")
    later = await house.dials("0800555003", keys="1")
    await house.until(caller, "unanswered", within=OFFER_FOR + 15)
    assert house.path(caller)[-1] == "queued"
    assert house.acd.place(caller.call_id or "") == 1
    await house.until(caller, "overflow", nth=3, within=30)  # again, while it waits (some other caller's turn between)
    await operator.says_goodbye()
    await house.until(caller, "talking", within=30)
    assert house.path(caller).count("offered") == 1
    assert house.desk("op01").call_id == caller.call_id
    assert house.path(later)[-1] == "queued"
    await later.hangs_up()
    await caller.hangs_up()


async def test_who_hangs_up_while_the_supervisor_is_rung_leaves_nothing_behind(house: House) -> None:
    supervisor = await house.supervisor(answers_after=1.5)
    house.limits(supervisors=1)
    _, first = await everybody_talks(house)
    caller = await house.dials("0800555002", keys="1")
    await house.until(caller, "overflow")
    await caller.hangs_up()
    assert (await house.over(caller)).outcome == "abandoned"
    other = await house.dials("0800555003", keys="1")
    await house.until(other, "talking")
    await supervisor.says_goodbye()
    await house.over(other)
    await first.hangs_up()


async def test_a_talk_with_the_supervisor_survives_a_stop_and_a_start(house: House) -> None:
    supervisor = await house.supervisor()
    house.limits(supervisors=1)
    _, first = await everybody_talks(house)
    caller = await house.dials("0800555002", keys="1")
    await house.until(caller, "talking")
    await house.stops()
    await house.starts_again()
    adopted = await house.until(caller, "adopted")
    assert adopted.facts["operator"] == SUPERVISOR
    assert await house.talks(caller)
    await supervisor.says_goodbye()
    assert (await house.over(caller)).outcome == "answered"
    await first.hangs_up()


@pytest.mark.asterisk
async def test_without_the_service_and_its_phones_the_number_outside_is_rung_until_it_answers(
    real_house: RealHouse,
) -> None:
    house = real_house
    agency = await house.outside()
    house.limits(outside=NEVER)
    asterisk = house.exchange.asterisk
    await until(lambda: OUTSIDE in asterisk.ask("database get kentongan outside"))
    await house.stops()
    caller = await house.dials(claimed=False)
    await agency.picked_up()
    await agency.says_goodbye()  # perhaps a machine: it is rung again until the caller hangs up
    await agency.picked_up()
    await caller.hangs_up()
    await house.is_empty()
    await house.starts_again()
    told = await house.comes(lambda: next((n for n in house.notes if n.kind == "way out"), None), "report")
    assert (told.facts["operator"], told.facts["talked_for"] >= 0) == (None, True)
    assert [note.call_id for note in house.notes if note.kind in ("arrived", "way out", "adopted")] == [told.call_id]


class Crowd:
    """Many people dial 112, one after the other; some have patience, some call again."""

    def __init__(self, house: House, callers: int, within: float, patience: tuple[float, ...], talk: float) -> None:
        self.house, self.callers, self.within, self.talk = house, callers, within, talk
        self.patience = cycle(patience)

    async def comes(self) -> set[str | None]:
        """The ids of their calls, once everybody has gone."""
        callers, people = [], []
        for n in range(self.callers):
            callers.append(await self.house.dials(f"0800555{700 + n}", keys="1"))
            people.append(asyncio.create_task(self.waits(callers[-1], next(self.patience))))
            await asyncio.sleep(self.within / self.callers)
        await asyncio.gather(*people)
        for caller in callers:
            await self.house.over(caller)
        return {caller.call_id for caller in callers}

    async def waits(self, caller: Caller, patience: float) -> None:
        """Until somebody talks to them, and then as long as there is something to say; or until they give up."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while self.house.centre.calls[caller.call_id or ""].stage is not TALKING:
                    await asyncio.sleep(0.1)
            await asyncio.sleep(self.talk)
        await caller.hangs_up()


@pytest.fixture
async def crowd(request: pytest.FixtureRequest, house: House) -> AsyncIterator[Crowd]:
    """On the fake sixty in a minute; on a real Asterisk twenty in twenty seconds, with talks to match."""
    if "fake" in request.node.name:
        yield Crowd(house, 60, 60.0, (20.0, 45.0, 90.0, 200.0), talk=30.0)
    else:
        yield Crowd(house, 20, 20.0, (1.5, 6.0, 12.0, 40.0), talk=5.0)


@pytest.mark.timeout(180)
async def test_of_too_many_callers_each_has_talked_or_is_called_back_once(house: House, crowd: Crowd) -> None:
    await house.supervisor()
    await house.outside()
    house.limits(supervisors=1, outside=2, again_after=5)
    for name in ("op01", "op02"):
        await house.phone(name)
    came = await crowd.comes()
    await house.settled()
    with house._reads() as connection:
        calls = connection.execute(
            select(Call.caller_number, Call.outcome, Call.operator).where(Call.id.in_(came))).all()  # fmt: skip
        open_tasks = Counter(connection.scalars(select(Callback.number).where(Callback.state.in_(UNDONE))))
    assert len({call.caller_number for call in calls}) == crowd.callers
    for number, outcome, _ in calls:
        assert outcome in ("answered", "abandoned"), (number, outcome)
        assert open_tasks[number] == (outcome == "abandoned"), (number, outcome)
    assert {"op01", "op02", SUPERVISOR, PSC} <= {call.operator for call in calls}
    assert {call.outcome for call in calls} == {"answered", "abandoned"}
    for name in ("op01", "op02"):
        await house.until_desk(name, READY)
