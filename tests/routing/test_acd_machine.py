"""Whatever callers, operators, phones and shifts do, in whatever order and within whatever tick: the queue strands
nobody and no desk is lost. Virtual time; a machine of hypothesis."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from calls import invariants, stages
from calls.invariants import CallSeen, DeskSeen, Picture
from calls.stages import Stage
from routing import policy
from routing.acd import Acd
from routing.desk import Desk
from routing.operators import OFFERED, READY, RINGABLE, TALKING, UNREACHABLE, WRAP_UP, IllegalStep
from tests.virtual import VirtualLoop

START = datetime(2026, 11, 22, 14, tzinfo=UTC).timestamp()
WRAP_UP_FOR, WIDEN_AFTER = 5.0, 15.0
SKILLS = {"op01": {"fire", "medical"}, "op02": {"police"}, "op03": set()}

names = st.sampled_from(sorted(SKILLS))
some = st.sets(names)
which = st.integers(0, 20)
devices = st.sampled_from(sorted(RINGABLE | UNREACHABLE | {"INUSE", "RINGING"}))


@dataclass(eq=False)
class Caller:
    """As much of a call as the queue knows, and whoever plays its story."""

    id: str
    topic: str
    priority: int
    arrived_at: datetime
    behind: float = 0.0
    desk: str | None = None
    stage: Stage = stages.QUEUED
    task: asyncio.Task[None] | None = None
    happens: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    def is_conversation(self) -> bool:
        return False

    async def lives(self, acd: Acd) -> None:
        while self.stage is not stages.ENDED:
            async with acd.desk_for(self) as loan:
                if self.stage is not stages.TALKING:
                    self.stage = stages.QUEUED
                    desk = await loan.desk()
                    self.stage = stages.OFFERED
                    if await self.happens.get() == "missed":
                        acd.rests(desk, "did not answer")
                        continue
                    acd.talks(desk)
                    self.stage = stages.TALKING
                desk = await loan.desk()
                if await self.happens.get() == "missed":
                    acd.rests(desk, "phone lost in mid-talk")
                    self.stage = stages.QUEUED
                else:
                    self.stage = stages.ENDED


class Queue(RuleBasedStateMachine):
    """Callers, operators and a roster; between two steps as much time passes as hypothesis likes, often none."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.callers: list[Caller] = []
        self.count = 0
        self.before = Picture()
        self.settled = True
        self.opens()
        self.acd.on_shift(set(SKILLS))

    def now(self) -> float:
        return START + self.loop.time()

    def opens(self) -> None:
        self.acd = Acd([Desk(name, frozenset(skills)) for name, skills in SKILLS.items()],
                       wrap_up_for=WRAP_UP_FOR, widen_after=WIDEN_AFTER, now=self.now)  # fmt: skip

    async def begins(self, caller: Caller) -> None:
        caller.task = asyncio.create_task(caller.lives(self.acd))

    def does(self, do: object, *values: object) -> None:
        """In the loop, and nothing else: not one tick passes."""

        async def at_once() -> None:
            do(*values)

        self.loop.plays(at_once())
        self.settled = False

    # --- callers

    @rule(topic=st.sampled_from(["any", "fire", "police"]), priority=st.sampled_from([5, 5, 9]))
    def somebody_arrives(self, topic: str, priority: int) -> None:
        self.count += 1
        arrived_at = datetime.fromtimestamp(self.now(), UTC)
        caller = Caller(f"c{self.count}", topic, priority, arrived_at)
        self.callers.append(caller)
        self.loop.plays(self.begins(caller))
        self.settled = False

    @precondition(lambda self: self.callers)
    @rule(which=which)
    def somebody_hangs_up(self, which: int) -> None:
        caller = self.callers[which % len(self.callers)]
        assert caller.task is not None
        self.does(caller.task.cancel)

    @precondition(lambda self: self.callers)
    @rule(which=which, name=names, first=st.booleans())
    def somebody_hangs_up_in_the_tick_in_which_a_phone_comes(self, which: int, name: str, first: bool) -> None:
        caller = self.callers[which % len(self.callers)]
        assert caller.task is not None
        steps = [caller.task.cancel, partial(self.acd.device, name, "NOT_INUSE")]
        self.does(lambda: [step() for step in (steps if first else reversed(steps))])

    # --- operators and their phones

    @precondition(lambda self: self.callers)
    @rule(which=which, what=st.sampled_from(["answered", "answered", "missed"]))
    def somebody_answers_or_hangs_up_or_vanishes(self, which: int, what: str) -> None:
        caller = self.callers[which % len(self.callers)]
        if caller.stage in (stages.OFFERED, stages.TALKING) and caller.happens.empty():
            self.does(caller.happens.put_nowait, what)

    @rule(name=names, device=devices)
    def a_phone_says(self, name: str, device: str) -> None:
        self.does(self.acd.device, name, device)

    @rule(names=some)
    def phones_are_plugged_in(self, names: set[str]) -> None:
        for name in sorted(names):
            self.does(self.acd.device, name, "NOT_INUSE")

    @rule(name=names, change=st.sampled_from(["pause", "ready", "wrapped_up"]))
    def an_operator_says(self, name: str, change: str) -> None:
        before = self.acd.desks[name].state
        do = getattr(self.acd, change)
        try:
            self.does(do, *([name, "lunch"] if change == "pause" else [name]))
        except IllegalStep:
            assert self.acd.desks[name].state is before

    @rule(names=some)
    def the_shift_changes(self, names: set[str]) -> None:
        self.does(self.acd.on_shift, names)

    @rule(name=names, skills=st.sets(st.sampled_from(["fire", "police"])))
    def somebody_is_trained(self, name: str, skills: set[str]) -> None:
        self.does(self.acd.trained, SKILLS | {name: skills})

    # --- the rest

    @rule(seconds=st.sampled_from([0.0, 0.0005, 1.0, WRAP_UP_FOR, WIDEN_AFTER, 60.0]))
    def time_passes(self, seconds: float) -> None:
        self.loop.plays(asyncio.sleep(seconds))
        for _ in range(10):
            self.loop.plays(asyncio.sleep(0))
        self.callers = [caller for caller in self.callers if caller.task is not None and not caller.task.done()]
        self.settled = True

    @rule()
    def the_service_is_killed_and_another_adopts(self) -> None:
        old, talks = self.acd, {c.id: c.desk for c in self.callers if c.stage is stages.TALKING}
        alive = [caller for caller in self.callers if caller.task is not None and not caller.task.cancelling()]
        for caller in self.callers:
            assert caller.task is not None
            caller.task.cancel()
        self.time_passes(0.0)
        old.stops()
        self.callers = []
        self.opens()
        for desk in old.desks.values():
            self.does(self.acd.device, desk.name, "INUSE" if desk.name in talks.values() else desk.device)
        self.acd.on_shift({desk.name for desk in old.desks.values() if desk.on_shift})
        for caller in alive:
            if caller.stage is not stages.ENDED:
                caller.desk, caller.happens = talks.get(caller.id), asyncio.Queue()
                caller.stage = stages.TALKING if caller.desk else stages.QUEUED
                self.callers.append(caller)
                self.loop.plays(self.begins(caller))
        self.settled = False

    # --- what holds

    def picture(self) -> Picture:
        return Picture(
            tuple(CallSeen(caller.id, caller.stage, caller.arrived_at, owned=True,
                           leaving=caller.task is not None and caller.task.cancelling() > 0,
                           conversation=caller.stage is stages.TALKING, desk=caller.desk) for caller in self.callers),
            tuple(DeskSeen(desk.name, desk.state, desk.call_id) for desk in self.acd.desks.values()),
            {waiting.call_id: waiting.since for waiting in self.acd.queue()},
        )  # fmt: skip

    @invariant()
    def nothing_is_broken(self) -> None:
        now = self.picture()
        assert invariants.at_once(now, self.before) == []
        assert not self.settled or invariants.breaches(now, now) == []
        assert not self.loop.faults
        self.before = now

    @invariant()
    def nobody_waits_while_a_desk_could_be_rung(self) -> None:
        if self.settled:
            free = [policy.Free(d.name, d.skills, d.idle_since)
                    for d in self.acd.desks.values() if d.why_not_free() is None]  # fmt: skip
            assert policy.match(self.acd.queue(), free, self.now() - 0.01, WIDEN_AFTER) == []

    @invariant()
    def a_free_desk_has_no_call(self) -> None:
        for desk in self.acd.desks.values():
            assert (desk.call_id is not None) == (desk.state in (OFFERED, TALKING, WRAP_UP))

    def teardown(self) -> None:
        """Everybody goes; then every desk is as it was before the first call."""
        try:
            self.callers_are_served()
            assert self.acd.queue() == []
            assert {desk.state for desk in self.acd.desks.values()} == {READY}
            assert not asyncio.all_tasks(self.loop)
        finally:
            self.loop.ends()

    def callers_are_served(self) -> None:
        self.acd.on_shift(set(self.acd.desks))
        for _ in range(4 * len(self.callers) + 4):
            self.phones_are_plugged_in(set(self.acd.desks))
            for desk in self.acd.desks.values():
                if desk.state not in (OFFERED, TALKING):
                    self.does(self.acd.ready, desk.name)
            for caller in self.callers:
                if caller.stage in (stages.OFFERED, stages.TALKING) and caller.happens.empty():
                    self.does(caller.happens.put_nowait, "answered")
            self.time_passes(WIDEN_AFTER)
        assert self.callers == []
        self.time_passes(WRAP_UP_FOR)


def test_the_queue_strands_nobody_and_loses_no_desk() -> None:
    run_state_machine_as_test(Queue, settings=settings(
        max_examples=80, stateful_step_count=30, deadline=None, derandomize=True, database=None))  # fmt: skip
