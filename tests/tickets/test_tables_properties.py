"""Lifecycle, verification and forwarding together: no way leads out without A1 or an override, every way can end, and
what is not possible changes nothing. Once over every state that the tables know, once on a real database.
"""

import asyncio
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.ext.asyncio import async_sessionmaker

from db.engine import async_engine
from routing.store import seed
from tests.tickets.conftest import NOW, drafted
from tickets import forwarding, lifecycle, service, setup_store, store, verification
from tickets.edit import editing
from tickets.forwarding import ACCEPTED, DONE, ON_THE_WAY, QUEUED, REFUSED, SENT, Override
from tickets.lifecycle import CLOSED, DRAFT, OPEN, Lifecycle
from tickets.service import NotForwardable
from tickets.steps import IllegalStep
from tickets.verification import A1, CANNOT_BE_CHECKED, CHECKING, NOT_TRUE, Verification

AGENCIES = ("damkar", "polres")
DANGER = Override("op01", "trapped, water rising")
SAID = (ACCEPTED, ON_THE_WAY, DONE, REFUSED)
RESULTS = (A1, NOT_TRUE, CANNOT_BE_CHECKED)


@dataclass(frozen=True)
class Model:
    """A ticket as the three tables see it, and what people and agencies do with it. Illegal: raises."""

    life: Lifecycle = DRAFT
    truth: Verification = verification.OPEN
    override: bool = False
    #: of each agency; None: never told
    told: tuple[forwarding.State | None, ...] = (None, None)

    def states(self) -> list[forwarding.State]:
        return [state for state in self.told if state is not None]

    def taken_up(self) -> "Model":
        if self.life is CLOSED:
            raise IllegalStep("closed")
        return replace(self, life=lifecycle.step(DRAFT, OPEN)) if self.life is DRAFT else self

    def checked(self, to: Verification) -> "Model":
        taken = self.taken_up()
        return replace(taken, truth=verification.step(self.truth, to))

    def overridden(self) -> "Model":
        return replace(self.taken_up(), override=True)

    def forwarded(self, agency: int) -> "Model":
        taken = self.taken_up()
        if (why := forwarding.why_not(self.truth, DANGER if self.override else None)) is not None:
            raise NotForwardable(why)
        return taken if self.told[agency] not in (None, REFUSED) else taken.stands(agency, QUEUED)

    def heard(self, agency: int, to: forwarding.State) -> "Model":
        before = self.told[agency]
        if before is None:
            raise IllegalStep("never told")
        return self.stands(agency, forwarding.step(before, to))

    def stands(self, agency: int, state: forwarding.State) -> "Model":
        new = replace(self, told=tuple(state if one == agency else old for one, old in enumerate(self.told)))
        to = lifecycle.derived(new.states())
        return new if self.life in (to, CLOSED) else replace(new, life=lifecycle.step(self.life, to))

    def closed(self) -> "Model":
        return replace(self, life=lifecycle.step(self.life, CLOSED))

    def reopened(self) -> "Model":
        if self.life is not CLOSED:
            raise IllegalStep("not closed")
        return replace(self, life=lifecycle.step(CLOSED, lifecycle.reopened(self.states())))


def moves(model: Model) -> Iterator[Callable[[], Model]]:
    """Whatever anybody could try."""
    yield from (model.taken_up, model.overridden, model.closed, model.reopened)
    yield from (lambda to=to: model.checked(to) for to in Verification)
    for agency in range(len(AGENCIES)):
        yield lambda agency=agency: model.forwarded(agency)
        yield from (lambda agency=agency, to=to: model.heard(agency, to) for to in (SENT, *SAID))


@cache
def ways() -> dict[Model, set[Model]]:
    """Every state that can be reached from a new draft, with those that follow on it."""
    found, ahead = dict[Model, set[Model]](), [Model()]
    while ahead:
        if (model := ahead.pop()) in found:
            continue
        found[model] = set()
        for move in moves(model):
            try:
                found[model].add(move())
            except (IllegalStep, NotForwardable):
                continue
        ahead += found[model]
    return found


def reaches(goal: Callable[[Model], bool]) -> set[Model]:
    """From where some way leads to the goal."""
    before: dict[Model, set[Model]] = {}
    for model, nexts in ways().items():
        for following in nexts:
            before.setdefault(following, set()).add(model)
    reached: set[Model] = set()
    ahead = [model for model in ways() if goal(model)]
    while ahead:
        if (model := ahead.pop()) not in reached:
            reached.add(model)
            ahead += before.get(model, set())
    return reached


def is_waiting(model: Model) -> bool:
    return bool({QUEUED, SENT} & set(model.states()))


def test_all_of_the_tables_is_walked() -> None:
    assert {model.life for model in ways()} == set(Lifecycle)
    assert {model.truth for model in ways()} == set(Verification)
    assert {state for model in ways() for state in model.states()} == set(forwarding.State)


def test_nothing_was_forwarded_without_a1_or_an_override() -> None:
    for model in ways():
        if model.states() or model.life not in (DRAFT, OPEN, CLOSED):
            assert model.truth is A1 or model.override, model


def test_a1_once_found_stays_found() -> None:
    assert all(after.truth is A1 for model, nexts in ways().items() if model.truth is A1 for after in nexts)


def test_every_way_can_end() -> None:
    assert reaches(lambda model: model.life is CLOSED) == set(ways())


def test_what_is_verified_can_always_be_acknowledged_or_taken_back_to_be() -> None:
    verified = {model for model in ways() if model.truth is A1 or model.override}
    assert verified <= reaches(lambda model: model.life in (lifecycle.ACCEPTED, lifecycle.DONE))


def test_no_ticket_is_closed_while_an_agency_has_not_acknowledged() -> None:
    assert not [model for model in ways() if model.life is CLOSED and is_waiting(model)]


def test_a_ticket_that_is_not_closed_stands_where_its_agencies_stand() -> None:
    for model in ways():
        if model.states() and model.life is not CLOSED:
            assert model.life is lifecycle.derived(model.states()), model


class RealTicket(RuleBasedStateMachine):
    """The same on a real SQLite: whatever the model refuses is refused, and not a row of any table has changed."""

    #: a database with a ticket whose form is filled
    template: Path
    ticket_id: int
    seen: ClassVar[set[Lifecycle]] = set()

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="kentongan-tables-", dir=_in_memory()))
        shutil.copy(self.template, self.folder / "kentongan.db")
        self.loop = asyncio.Runner()
        self.engine = async_engine(f"sqlite:///{self.folder}/kentongan.db")
        self.sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self.model = Model(life=OPEN)

    def run(self, doing: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run(doing)

    def teardown(self) -> None:
        self.run(self.engine.dispose())
        self.loop.close()
        shutil.rmtree(self.folder)

    def rows(self) -> list[Any]:
        """Everything that stands in the database."""
        file = sqlite3.connect(self.folder / "kentongan.db")
        tables = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        every = [(name, file.execute(f'SELECT * FROM "{name}"').fetchall()) for name in sorted(tables)]
        file.close()
        return every

    def both(self, expected: Callable[[], Model], doing: Coroutine[Any, Any, Any]) -> None:
        """Both do it, or both refuse."""
        try:
            self.model = expected()
        except (IllegalStep, NotForwardable) as refusal:
            before = self.rows()
            with pytest.raises(type(refusal)):
                self.run(doing)
            assert self.rows() == before
        else:
            self.run(doing)

    def told(self, agency: int) -> int:
        async def find() -> int:
            async with self.sessions() as session:
                rows = await store.forwardings_of(session, self.ticket_id)
            return next(row.id for row, one in rows if one.code == AGENCIES[agency])

        return int(self.run(find()))

    @initialize(is_danger=st.booleans())
    def may_leave(self, is_danger: bool) -> None:
        """Half of the stories begin where most would not come by chance."""
        if is_danger:
            self.override()
            self.forward(0)

    @rule()
    def begin_check(self) -> None:
        self.both(lambda: self.model.checked(CHECKING),
                  service.begin_check(self.sessions, self.ticket_id, by="op01", now=NOW))

    @rule(to=st.sampled_from(RESULTS))
    def verify(self, to: Verification) -> None:
        self.both(lambda: self.model.checked(to),
                  service.verify(self.sessions, self.ticket_id, to, "Seen", by="op01", now=NOW))

    @rule()
    def override(self) -> None:
        self.both(self.model.overridden,
                  service.override(self.sessions, self.ticket_id, DANGER.why, by=DANGER.by, now=NOW))

    @rule(agency=st.sampled_from([0, 1]))
    def forward(self, agency: int) -> None:
        self.both(lambda: self.model.forwarded(agency),
                  service.forward(self.sessions, self.ticket_id, [AGENCIES[agency]], by="op01", now=NOW))

    @precondition(lambda self: self.model.states())
    @rule(agency=st.sampled_from([0, 1]), to=st.sampled_from(SAID))
    def agency_said(self, agency: int, to: forwarding.State) -> None:
        if self.model.told[agency] is not None:
            self.both(lambda: self.model.heard(agency, to), service.agency_said(
                self.sessions, self.told(agency), to, "by phone", by="op01", now=NOW))

    @precondition(lambda self: self.model.states())
    @rule(agency=st.sampled_from([0, 1]))
    def sent(self, agency: int) -> None:
        """What the outbox notes."""

        async def note() -> None:
            async with editing(self.sessions, self.ticket_id, "kentongan", NOW) as edit:
                row, told = await store.forwarding(edit.session, forwarding_id)
                await edit.advance(row, told, SENT)

        if self.model.told[agency] is not None:
            forwarding_id = self.told(agency)
            self.both(lambda: self.model.heard(agency, SENT), note())

    @rule(really=st.sampled_from([True, False, False]))
    def close(self, really: bool) -> None:
        if not really:      # else most stories end at once
            return
        self.both(self.model.closed, service.close(self.sessions, self.ticket_id, "done", by="op01", now=NOW))

    @rule()
    def reopen(self) -> None:
        self.both(self.model.reopened, service.reopen(self.sessions, self.ticket_id, "more", by="op01", now=NOW))

    @invariant()
    def stands_where_the_model_stands(self) -> None:
        async def look() -> Model:
            async with self.sessions() as session:
                ticket = await store.ticket(session, self.ticket_id)
                rows = {agency.code: forwarding.State(row.state) for row, agency in await store.forwardings_of(
                    session, self.ticket_id)}
            return Model(Lifecycle(ticket.lifecycle), Verification(ticket.verification),
                         ticket.override_by is not None, tuple(rows.get(code) for code in AGENCIES))

        assert self.run(look()) == self.model
        self.seen.add(self.model.life)
        assert not self.model.states() or self.model.truth is A1 or self.model.override


def _in_memory() -> str | None:
    """Where each commit's sync costs nothing, if this host has such a place."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


async def move_in(database: Path) -> int:
    engine = async_engine(f"sqlite:///{database}")
    async with engine.begin() as connection:
        await connection.run_sync(seed)
        await connection.run_sync(setup_store.seed)
        ticket_id = await connection.run_sync(drafted, "1763800000.1", "fire")
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    form = {"place": "Pasar Contoh", "narrative": "Api"}
    await service.fill(sessions, ticket_id, form, by="op01", now=NOW)
    await engine.dispose()
    return ticket_id


def test_on_a_real_database_the_tables_hold_and_a_refusal_leaves_every_row_as_it_was(
    migrated_sqlite: Path, tmp_path: Path
) -> None:
    RealTicket.template = Path(shutil.copy(migrated_sqlite, tmp_path / "kentongan.db"))
    RealTicket.ticket_id = asyncio.run(move_in(RealTicket.template))
    run_state_machine_as_test(RealTicket, settings=settings(
        max_examples=20, stateful_step_count=20, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck)))
    assert RealTicket.seen >= {OPEN, lifecycle.FORWARDED, lifecycle.ACCEPTED, CLOSED}
