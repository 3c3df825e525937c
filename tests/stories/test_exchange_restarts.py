"""Asterisk dies and is started again: nobody who was on the line is forgotten, and nobody has to start us again."""
import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from db.engine import sync_engine
from db.models import Callback, Recording
from kentongan.ground import lay, phones
from kentongan.settings import own_asterisk, secrets_of
from kentongan.sipp import Key, Tone, dial
from kentongan.stage import until_healthy
from routing.operators import OFFERED, TALKING
from tests.stories.fake_house import FakeHouse
from tests.stories.test_killed import Centre, centre
from tests.waiting import until

CUT = "cut by the exchange"


@pytest.fixture
async def fake(migrated_sqlite: Path, tmp_path: Path) -> AsyncIterator[FakeHouse]:
    shutil.copy(migrated_sqlite, tmp_path / "kentongan.db")
    house = FakeHouse(tmp_path / "kentongan.db", tmp_path / "menu.toml")
    await looks(house)
    yield house
    await house.close()


async def looks(house: FakeHouse) -> None:
    await house.centre.reconcile(house._look, at_once=True)


@pytest.mark.looptime(idle_step=0.01, idle_timeout=0.5)
@pytest.mark.parametrize("away_for", [0.5, 4, 30])
@pytest.mark.parametrize("stood", ["arrived", "menu", "queued", "offered", "talking"])
async def test_wherever_a_call_stood_it_is_closed_as_cut_by_the_exchange(
    fake: FakeHouse, stood: str, away_for: float,
) -> None:
    await fake.phone("op01", answers_after=None if stood in ("queued", "offered") else 0.5)
    if stood == "queued":
        fake.acd.pause("op01", "not yet")
    caller = await fake.dials(keys="" if stood in ("arrived", "menu") else "1")
    await fake.until(caller, stood)
    fake.asterisk.dies()
    fake.centre.hears_nothing()
    died_at = fake.notes[-1].at
    await asyncio.sleep(away_for)
    fake.asterisk.is_started_again()
    await looks(fake)
    await fake.comes(lambda: caller.call_id not in fake.centre.calls or None, "end of the call")
    handed_back = fake.path(caller)[-1] == "handed_back"        # we had given up before it was back
    if not handed_back:
        assert (await fake.over(caller)).outcome == CUT
        [end] = [note for note in fake.of(caller) if note.kind == "ended"]
        assert end.facts["ended_at"] >= died_at.isoformat()
        with fake._reads() as connection:
            assert connection.scalar(select(func.count()).select_from(Callback)) == 1
    assert away_for > 4 or not handed_back
    assert fake.desk("op01").state not in (OFFERED, TALKING)


@pytest.mark.looptime(idle_step=0.01, idle_timeout=0.5)
async def test_a_call_of_the_new_asterisk_that_comes_before_our_look_is_not_cut(fake: FakeHouse) -> None:
    await fake.phone("op01")
    fake.asterisk.dies()
    fake.centre.hears_nothing()
    await asyncio.sleep(1)
    fake.asterisk.is_started_again()
    await asyncio.sleep(1)
    caller = await fake.dials(keys="1")
    await looks(fake)
    await fake.until(caller, "talking")
    await caller.hangs_up()
    assert (await fake.over(caller)).outcome == "answered"


async def of_calls(house: Centre, *numbers: str) -> list[Any]:
    """The newest calls of these numbers, once they are over."""
    def over(answer: Any) -> bool:
        return [row for row in answer["items"] if row["stage"] == "ended" and row["caller_number"][-3:] in numbers]
    answer = await house.doors.until("end of them", lambda answer: len(over(answer)) == len(numbers), "/api/calls")
    return over(answer)


@pytest.mark.asterisk
@pytest.mark.timeout(90)
async def test_asterisk_restarts_and_what_it_cut_is_on_record_with_recording_and_call_back() -> None:
    """Sentence 6: records closed, partial recordings saved, call-back tasks made, phones watched until they are back;
    no restart of ours."""
    async with (
        centre() as house,
        house.operator(answers_after=0.1) as phone,
        AsyncExitStack() as second,
        dial("112", to=house.sip, number="0800555001", voice=Tone(440), keys=[Key(0.3, "1")]),
        dial("112", to=house.sip, number="0800555002", voice=Tone(440), keys=[Key(1, "1")]),
    ):
        await phone.picked_up()
        await house.doors.until("talk and wait", lambda answer: stages(answer) == {"talking", "queued"}, "/api/calls")
        *_, other = [row for row in phones(house.settings, await lay(house.settings)) if row["on_shift"]]
        assert other["user"] != phone.user
        away = await second.enter_async_context(house.phone(other, answers_after=None))
        await house.doors.until("log-in", lambda answer: logged_in(answer) >= {phone.user, away.user}, "/api/operators")
        asterisk = own_asterisk(house.settings, secrets_of(house.settings, []))
        died = asterisk.pid
        assert died is not None
        away.loses_power()
        os.kill(died, signal.SIGKILL)
        cut = await of_calls(house, "001", "002")
        assert [call["outcome"] for call in cut] == [CUT, CUT]
        assert asterisk.pid not in (None, died)
        tasks = await house.doors.get("/api/callbacks")
        assert sorted(task["number"][-3:] for task in tasks["items"]) == ["001", "002"]
        for call in cut:
            await until(lambda call_id=call["id"]: archived_for(house, call_id))
            lasted = datetime.fromisoformat(call["ended_at"]) - datetime.fromisoformat(call["arrived_at"])
            assert lasted.total_seconds() - archived_for(house, call["id"]) <= 2
        assert away.user in await house.fault("phones")
        async with house.phone(other, answers_after=0.1):
            await until_healthy(house.settings)
            async with dial("112", to=house.sip, number="0800555003", voice=Tone(440), keys=[Key(0.3, "0")]):
                await house.doors.until("claim", lambda answer: len(stages(answer) - {"ended"}) == 1, "/api/calls")


def stages(answer: Any) -> set[str]:
    return {row["stage"] for row in answer["items"]}


def logged_in(answer: Any) -> set[str]:
    return {row["name"] for row in answer["items"] if row["state"] != "out"}


def archived_for(house: Centre, call_id: str) -> float:
    """Seconds of the call that are in the archive; 0.0: not yet."""
    engine = sync_engine(house.settings.database_url)
    with engine.connect() as connection:
        length = connection.scalar(select(Recording.duration_for).where(
            Recording.call_id == call_id, Recording.state == "archived"))
    engine.dispose()
    return length or 0.0
