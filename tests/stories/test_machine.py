"""The whole centre on a fake Asterisk, and whatever hypothesis thinks of: callers, hang-ups, phones that refuse and
vanish, pauses, shifts, events doubled, late and out of order, the service killed and stopped. What must always be true
is, at every note and every second; and in the end everybody has reached a human and nothing of them is left."""

import asyncio
import logging
import shutil
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from calls import invariants
from calls.centre import Centre
from calls.stages import ENDED, Stage
from calls.watch import picture
from routing.operators import OFFERED, READY, TALKING, IllegalStep
from telephony import events
from telephony.ari_operations import AriError
from tests.stories import fake
from tests.stories.fake_house import FakeCaller, FakeHouse
from tests.stories.house import OUTSIDE, SUPERVISOR, Voice
from tests.virtual import VirtualLoop

#: As the service does: seconds between looks at Asterisk.
LOOK_EVERY = 5.0
PHONES = ("op01", "op02", "op03")
#: Rung for whoever waits too long.
RESERVES = (SUPERVISOR, f"{OUTSIDE}@trunk")
#: Everybody is served within so many seconds once every phone is there and answers.
SERVED_WITHIN = 300

names = st.sampled_from(PHONES)
phones = st.sampled_from(PHONES + RESERVES)
which = st.integers(0, 20)
moments = st.sampled_from([0.0, 0.001, 0.002, 0.003, 0.01, 0.2, 0.5, 1.0, 2.0, 5.0, 30.0])


class Faults(logging.Handler):
    """What the service said went wrong with it, and was none of Asterisk's refusals."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        fault = record.exc_info[1] if record.exc_info else None
        if not isinstance(fault, AriError | fake.Killed):
            self.seen.append(f"{record.getMessage()}: {fault!r}")


class Centre112(RuleBasedStateMachine):
    """A day in the centre, a bad one."""

    def __init__(self, database: Path, menu: Path) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.faults = Faults()
        logging.getLogger().addHandler(self.faults)
        self.callers: list[fake.Channel] = []
        self.gone: set[str] = set()  #: who hung up
        self.told: list[events.Event] = []
        self.lateness = cycle([0.0])
        self.dead: list[Centre] = []  #: kept, as a process keeps its tasks until it is gone
        self.phones = {name: fake.Phone(name, answers_after=0.1) for name in PHONES + RESERVES}
        self.does(self.opens, database, menu)

    async def opens(self, database: Path, menu: Path) -> None:
        self.house = FakeHouse(database, menu)
        self.house.limits(supervisors=2, outside=3, again_after=2)
        self.asterisk = self.house.asterisk
        self.asterisk.tell = self.tells
        for phone in self.phones.values():
            self.asterisk.plugs_in(phone)
        self.work_beside()

    def work_beside(self) -> None:
        """What the service does beside its calls."""
        self.beside = [asyncio.create_task(work) for work in (self.looks(), self.house.centre.mind_the_waiting())]

    async def looks(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self.house.centre.reconcile(self.house._look, at_once=False)

    def tells(self, event: events.Event) -> None:
        """As Asterisk does, but later than it should, and so out of order."""
        self.told.append(event)
        late = fake.WAY + next(self.lateness)
        asyncio.get_running_loop().call_later(late, lambda: self.asterisk.hears(event))

    def does(self, do: Callable[..., Coroutine[Any, Any, None] | None], *values: Any) -> None:
        """In the loop, where not a tick passes but for what is awaited."""

        async def at_once() -> None:
            if (awaited := do(*values)) is not None:
                await awaited

        self.loop.plays(at_once())

    # --- callers

    @rule(keys=st.sampled_from(["1", "3", "", "99"]), at=st.sampled_from([0.2, 4.0]), number=st.integers(0, 3),
          then=st.sampled_from([1.0, 0.5, 0.24, 0.0, 6.0]), voice=st.sampled_from(Voice))  # fmt: skip
    def somebody_dials(self, keys: str, at: float, number: int, then: float, voice: Voice) -> None:
        def dial() -> None:
            channel = self.asterisk.rings_112(f"080055500{number}" if number else "anonymous")
            FakeCaller(self.asterisk, channel, voice, keys, at)
            self.callers.append(channel)

        self.does(dial)
        self.time_passes(then)

    @precondition(lambda self: self.callers)
    @rule(which=which, after=moments)
    def somebody_hangs_up(self, which: int, after: float) -> None:
        self.time_passes(after)
        channel = self.callers.pop(which % len(self.callers))
        self.gone.add(channel.id)
        self.does(self.asterisk.ends, channel)

    # --- operators and their phones

    @rule(name=phones, answers_after=st.sampled_from([None, 0.0, 0.1, 1.0]), rings=st.booleans(),
          refuses=st.sampled_from([None, None, 486]), registered=st.booleans())  # fmt: skip
    def a_phone_behaves_from_now_on(self, name: str, **how: Any) -> None:
        for what, value in how.items():
            setattr(self.phones[name], what, value)

    @rule(name=phones, cause=st.sampled_from([0, 16, fake.NO_PACKETS]))
    def an_operator_hangs_up_or_a_phone_is_lost(self, name: str, cause: int) -> None:
        for channel in self.asterisk.of(self.phones[name]):
            self.does(self.asterisk.ends, channel, cause)

    @rule()
    def all_phones_are_as_they_should_be(self) -> None:
        for phone in self.phones.values():
            phone.answers_after, phone.rings, phone.refuses, phone.registered = 0.1, True, None, True
            self.does(self.asterisk.plugs_in, phone)
        for name in PHONES:
            self.an_operator_says(name, "ready")
        self.the_shift_changes(set(PHONES))

    @rule(name=phones)
    def a_phone_goes_or_comes(self, name: str) -> None:
        there = name in self.asterisk.phones
        self.does(self.asterisk.unplugs if there else self.asterisk.plugs_in, self.phones[name])

    @rule(name=names, change=st.sampled_from(["pause", "ready", "wrapped_up"]))
    def an_operator_says(self, name: str, change: str) -> None:
        values = [name, "lunch"] if change == "pause" else [name]
        with suppress(IllegalStep):
            self.does(getattr(self.house.acd, change), *values)

    @rule(names=st.sets(names))
    def the_shift_changes(self, names: set[str]) -> None:
        self.does(self.house.acd.on_shift, names)

    # --- events that are not as they should be

    @rule(late=st.lists(st.sampled_from([0.0, 0.001, 0.01, 0.3]), min_size=1, max_size=4))
    def events_come_late_and_out_of_order(self, late: list[float]) -> None:
        self.lateness = cycle(late)

    @precondition(lambda self: self.told)
    @rule(which=which)
    def an_event_comes_again(self, which: int) -> None:
        event = self.told[-1 - which % len(self.told)]
        held = self.asterisk.up.get(events.channel_id(event) or "")
        if not isinstance(event, events.StasisStart) or (held is not None and held.ours):
            self.does(self.asterisk.hears, event)

    @rule()
    def an_event_comes_that_nobody_knows(self) -> None:
        self.does(self.asterisk.hears, events.Unknown("ChannelSneezed", {"channel": {"id": "1"}}))

    # --- the service

    @rule(away=moments)
    def it_is_killed_and_another_adopts(self, away: float) -> None:
        self.does(self.is_killed, away)

    async def is_killed(self, away: float) -> None:
        for task in self.beside:
            task.cancel()
        self.dead.append(self.house.centre)
        self.house.is_killed()
        await asyncio.sleep(away)
        await self.house.starts_again()
        self.work_beside()
        self.notes_what_ended_meanwhile()

    @rule(away=moments)
    def it_stops_and_starts(self, away: float) -> None:
        self.does(self.is_stopped, away)

    async def is_stopped(self, away: float) -> None:
        for task in self.beside:
            task.cancel()
        await self.house.stops()
        await asyncio.sleep(away)
        await self.house.starts_again()
        self.work_beside()
        self.notes_what_ended_meanwhile()

    def notes_what_ended_meanwhile(self) -> None:
        """As calls/aftermath.py does for a service that starts."""
        house = self.house
        stages = {note.call_id: note for note in house.notes if note.kind in {*Stage, "adopted"}}
        for call_id, note in stages.items():
            if call_id not in self.asterisk.up.keys() | house.centre.calls.keys() and note.kind != ENDED:
                house.journal.note("ended", call_id, by="nobody of us saw")

    @rule(seconds=moments)
    def time_passes(self, seconds: float) -> None:
        self.loop.plays(asyncio.sleep(seconds))

    # --- what holds

    @invariant()
    def nothing_is_broken(self) -> None:
        now = picture(self.house.centre, None)
        assert invariants.at_once(now, now) == []
        assert not self.house.breaches, f"{self.house.breaches}\n{self.house.told()}"
        assert not self.faults.seen, f"{self.faults.seen}\n{self.house.told()}"
        assert not self.loop.faults, f"{self.loop.faults}\n{self.house.told()}"

    def teardown(self) -> None:
        """Every phone is there and answers; then everybody who stayed on the line has reached a human."""
        try:
            self.lateness = cycle([0.0])
            self.all_phones_are_as_they_should_be()
            self.does(self.everybody_is_served)
            self.does(self.is_over)
            self.nothing_is_broken()
        finally:
            logging.getLogger().removeHandler(self.faults)
            self.loop.ends()

    async def everybody_is_served(self) -> None:
        for _ in range(SERVED_WITHIN):
            if all(caller.gone.is_set() for caller in self.callers):
                break
            for name in PHONES:
                with suppress(IllegalStep):
                    self.house.acd.ready(name)
            await asyncio.sleep(1)
            for phone in self.phones.values():
                for channel in self.asterisk.of(phone):
                    if channel.state == "Up":
                        self.asterisk.ends(channel, 0)
        for caller in self.callers:
            assert caller.gone.is_set(), f"{caller.id} still waits\n{self.house.told()}"
            assert self.reached_somebody(caller), f"{caller.id} heard {caller.heard}\n{self.house.told()}"

    def reached_somebody(self, caller: fake.Channel) -> bool:
        return any(heard in PHONES or heard.startswith(f"{caller.id}-") for heard in caller.heard)

    async def is_over(self) -> None:
        await asyncio.sleep(2 * LOOK_EVERY + 1)
        for task in self.beside:
            task.cancel()
        desks = {name: self.house.desk(name) for name in PHONES}
        assert all(desk.state not in (OFFERED, TALKING) for desk in desks.values()), self.house.told()
        for name in PHONES:
            self.house.acd.ready(name)
        why_not = {name: (desk.state, desk.why_not_free(), desk.device) for name, desk in desks.items()}
        assert all(why == (READY, None, "NOT_INUSE") for why in why_not.values()), f"{why_not}\n{self.house.told()}"
        await self.house.close()


@pytest.mark.timeout(120)
def test_whatever_happens_everybody_reaches_a_human_and_nothing_is_left(migrated_sqlite: Path, tmp_path: Path) -> None:
    shutil.copy(migrated_sqlite, tmp_path / "kentongan.db")
    run_state_machine_as_test(
        partial(Centre112, tmp_path / "kentongan.db", tmp_path / "menu.toml"),
        settings=settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True, database=None),
    )  # fmt: skip
