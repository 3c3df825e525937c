"""Whoever called in vain is called back: one task per number, cleared when the number is answered, whatever happens."""
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from threading import Barrier
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from calls import callbacks_store
from calls.callbacks import (
    ASKED,
    CLEARED,
    DONE,
    GIVEN_UP,
    OPEN,
    STEPS,
    UNDONE,
    IllegalStep,
    Standing,
    State,
    called_in_vain,
    cleared,
    decided,
    opened,
    tried,
    wanted,
)
from calls.journal import Note
from calls.stages import Outcome
from calls.store import JournalStore
from db import models
from db.audit import breaks
from db.engine import sync_engine
from tickets.edit import Conflict
from tickets.store import Unknown

Sessions = async_sessionmaker[AsyncSession]
START = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
LATER = START + timedelta(hours=1)
NUMBER, OTHER = "0800555001", "0800555002"


# --- the table

@pytest.mark.parametrize(("outcome", "talked_for", "is_wanted"), [
    (Outcome.ABANDONED, None, True), (Outcome.ABANDONED, 0.0, True), (Outcome.ANSWERED, None, False),
    (Outcome.HANDED_BACK, None, True), (Outcome.HANDED_BACK, 0.0, True), (Outcome.HANDED_BACK, 0.4, False),
    (Outcome.CUT, None, True), (Outcome.CUT, 9.0, True)])
def test_who_talked_to_nobody_is_called_back(outcome, talked_for, is_wanted):
    assert wanted(outcome, talked_for) is is_wanted


def test_three_attempts_in_vain_ten_minutes_apart_ask_the_supervisor():
    standing, asked_after = opened(START, has_number=True), []
    while standing.state is OPEN:
        standing = tried(standing, False, START)
        asked_after.append(standing.due_at)
    assert asked_after == [START + timedelta(minutes=10), START + timedelta(minutes=10), None]
    assert (standing.state, standing.attempts) == (ASKED, 3)


def test_opened_again_it_takes_three_more_to_ask_again():
    standing = decided(Standing(ASKED, 3, None), True, LATER)
    assert standing == Standing(OPEN, 3, LATER)
    for _ in range(3):
        assert standing.state is OPEN
        standing = tried(standing, False, LATER)
    assert standing == Standing(ASKED, 6, None)


def test_given_up_is_the_supervisors_word():
    assert decided(Standing(ASKED, 3, None), False, LATER) == Standing(GIVEN_UP, 3, None)


@pytest.mark.parametrize("state", [OPEN, ASKED])
def test_reached_is_done_and_called_in_vain_once_more_is_open_and_due(state):
    was = Standing(state, 3, None)
    assert tried(was, True, LATER) == Standing(DONE, 4, None)
    assert cleared(was) == Standing(CLEARED, 3, None)
    assert called_in_vain(was, LATER) == Standing(OPEN, 3, LATER)


def test_what_waits_for_the_supervisor_is_not_tried_in_vain_again():
    with pytest.raises(IllegalStep, match="supervisor"):
        tried(Standing(ASKED, 3, None), False, LATER)


def test_nobody_decides_what_was_not_asked():
    with pytest.raises(IllegalStep, match="open asks for no decision"):
        decided(opened(START, has_number=True), False, LATER)


@pytest.mark.parametrize("over", [CLEARED, DONE, GIVEN_UP])
def test_what_is_over_stays_over(over):
    was = Standing(over, 1, None)
    for again in (lambda: tried(was, True, LATER), lambda: tried(was, False, LATER), lambda: cleared(was),
                  lambda: decided(was, True, LATER), lambda: called_in_vain(was, LATER)):
        with pytest.raises(IllegalStep):
            again()


@given(st.lists(st.sampled_from(["in vain", "reached", "missed", "go on", "give up", "answered"]), max_size=30))
def test_whatever_happens_only_steps_of_the_table_are_taken(things):
    standing = opened(START, has_number=True)
    for thing in things:
        before = standing
        try:
            standing = {
                "in vain": lambda s: called_in_vain(s, LATER), "reached": lambda s: tried(s, True, LATER),
                "missed": lambda s: tried(s, False, LATER), "go on": lambda s: decided(s, True, LATER),
                "give up": lambda s: decided(s, False, LATER), "answered": cleared,
            }[thing](before)
        except IllegalStep:
            continue
        assert standing.state is before.state or standing.state in STEPS[before.state]
        assert (standing.due_at is not None) is (standing.state is OPEN)
        assert standing.attempts >= before.attempts


def test_what_is_not_over_is_what_can_still_go_on():
    assert {state for state in State if STEPS[state]} == UNDONE


# --- drawn by the journal

@pytest.fixture
def books(database_url: str) -> Iterator[Engine]:
    engine = sync_engine(database_url)
    yield engine
    engine.dispose()


class Line:
    """A journal: calls that end in one way or another."""

    def __init__(self, engine: Engine, node: str = "kentongan") -> None:
        self._store, self._seq, self.node = JournalStore(engine, node), count(1), node

    def note(self, kind: str, call_id: str, **facts: object) -> Note:
        seq = next(self._seq)
        return Note(seq, START + timedelta(seconds=seq), kind, call_id, facts)

    def comes(self, call_id: str, number: str | None = NUMBER) -> None:
        self.write(self.note("arrived", call_id, number=number, arrived_at=START.isoformat()))

    def ends(self, call_id: str) -> None:
        self.write(self.note("ended", call_id, by="caller"))

    def abandoned(self, call_id: str, number: str | None = NUMBER) -> None:
        self.comes(call_id, number)
        self.ends(call_id)

    def answered(self, call_id: str, number: str | None = NUMBER) -> None:
        self.comes(call_id, number)
        self.write(self.note("talking", call_id, operator="op01"))
        self.ends(call_id)

    def went_the_way_out(self, call_id: str, talked_for: float | None, number: str | None = NUMBER) -> None:
        self.write(self.note("way out", call_id, number=number, arrived_at=START.isoformat(), why="unclaimed",
                             operator="op01" if talked_for else None, talked_for=talked_for))

    def write(self, *notes: Note) -> None:
        self._store.commit(notes)


@pytest.fixture
def line(books: Engine) -> Line:
    return Line(books)


def rows(engine: Engine, table: Any) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(select(table.__table__).order_by(*table.__table__.primary_key)))


def history(engine: Engine) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        assert list(breaks(connection)) == []
    return [(row.which, row.field, row.before, row.after, row.why) for row in rows(engine, models.Audit)
            if row.what == "callback"]


def test_an_abandoned_call_opens_a_task(books, line):
    line.abandoned("a.1")
    [task] = rows(books, models.Callback)
    assert (task.number, task.state, task.attempts, task.version) == (NUMBER, "open", 0, 1)
    assert task.opened_at == task.due_at == START + timedelta(seconds=2)
    assert [row.call_id for row in rows(books, models.CallbackCall)] == ["a.1"]
    assert history(books) == [("1", "state", None, "open", "call a.1")]


def test_the_same_number_joins_its_task_and_another_gets_its_own(books, line):
    for call_id, number in (("a.1", NUMBER), ("a.2", OTHER), ("a.3", NUMBER)):
        line.abandoned(call_id, number)
    assert [task.number for task in rows(books, models.Callback)] == [NUMBER, OTHER]
    assert [(row.callback_id, row.call_id) for row in rows(books, models.CallbackCall)] == [
        (1, "a.1"), (1, "a.3"), (2, "a.2")]
    assert rows(books, models.Callback)[0].due_at == START + timedelta(seconds=6), "they are there just now"
    assert history(books)[-1] == ("1", "call", None, "a.3", None)


def test_calls_without_a_number_have_a_task_each(books, line):
    line.abandoned("a.1", None)
    line.abandoned("a.2", None)
    line.answered("a.3", None)
    assert [(task.number, task.state) for task in rows(books, models.Callback)] == [(None, "asked"), (None, "asked")]


def test_a_call_that_is_answered_clears_the_task_of_its_number_alone(books, line):
    line.abandoned("a.1")
    line.abandoned("a.2", OTHER)
    line.answered("a.3")
    mine, others = rows(books, models.Callback)
    assert (mine.state, mine.cleared_by_call, mine.closed_by, mine.due_at) == ("cleared", "a.3", "kentongan", None)
    assert (mine.closed_at, mine.version) == (START + timedelta(seconds=6), 2), "as soon as they talk"
    assert others.state == "open"
    assert history(books)[-1] == ("1", "state", "open", "cleared", "call a.3")


def test_after_that_the_next_one_abandoned_opens_a_new_task(books, line):
    line.abandoned("a.1")
    line.answered("a.2")
    line.abandoned("a.3")
    assert [task.state for task in rows(books, models.Callback)] == ["cleared", "open"]


@pytest.mark.parametrize(("talked_for", "states"), [(None, ["open"]), (0.0, ["open"]), (12.5, [])])
def test_a_call_that_went_the_way_out_is_called_back_if_nobody_talked_to_it(books, line, talked_for, states):
    line.went_the_way_out("a.1", talked_for)
    assert [task.state for task in rows(books, models.Callback)] == states


def test_a_talk_on_the_way_out_clears_the_task(books, line):
    line.abandoned("a.1")
    line.went_the_way_out("a.2", 12.5)
    assert [task.state for task in rows(books, models.Callback)] == ["cleared"]


def test_an_adopted_talk_clears_the_task(books, line):
    line.abandoned("a.1")
    line.write(line.note("adopted", "a.2", stage="talking", operator="op01", number=NUMBER,
                         arrived_at=START.isoformat()))
    assert [task.state for task in rows(books, models.Callback)] == ["cleared"]


def test_drawn_twice_nothing_changes(books, line):
    line.abandoned("a.1")
    again = Line(books, line.node)
    again.abandoned("a.1")                              # the same notes: only the answer was lost
    before = rows(books, models.Callback), rows(books, models.CallbackCall), history(books)
    line.ends("a.1")                                    # another note that says the same
    assert (rows(books, models.Callback), rows(books, models.CallbackCall), history(books)) == before


def test_an_end_told_again_after_the_task_was_cleared_opens_nothing(books, line):
    line.abandoned("a.1")
    line.answered("a.2")
    line.ends("a.1")
    assert [task.state for task in rows(books, models.Callback)] == ["cleared"]


def test_twenty_abandoned_calls_of_one_number_at_once_make_one_task(books):
    lines = [Line(books, f"node{n}") for n in range(20)]
    for line in lines:
        line.comes(f"{line.node}.1")
    together = Barrier(len(lines))

    def end(line: Line) -> None:
        together.wait(10)
        line.ends(f"{line.node}.1")

    with ThreadPoolExecutor(len(lines)) as threads:
        list(threads.map(end, lines))
    [task] = rows(books, models.Callback)
    assert (task.state, task.version) == ("open", 20)
    assert len(rows(books, models.CallbackCall)) == 20
    assert len(history(books)) == 20


def test_whatever_is_wrong_with_a_task_the_call_has_its_record(books, line, caplog):
    line.comes("a.1")
    with books.begin() as connection:           # no row can be written
        table = "CREATE TRIGGER none BEFORE INSERT ON callbacks "
        if books.dialect.name == "sqlite":
            connection.execute(text(table + "BEGIN SELECT RAISE(ABORT, 'no'); END"))
        else:
            connection.execute(text("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE "
                                    "EXCEPTION 'no' USING ERRCODE = 'check_violation'; END $$"))
            connection.execute(text(table + "FOR EACH ROW EXECUTE FUNCTION refuse()"))
    with caplog.at_level(logging.ERROR):
        line.ends("a.1")
    [call] = rows(books, models.Call)
    assert (call.stage, call.outcome) == ("ended", "abandoned")
    assert rows(books, models.Callback) == [] == history(books)
    assert "a.1" in caplog.text
    assert NUMBER not in caplog.text


# --- by people

@pytest.fixture
def task(line: Line) -> int:
    line.abandoned("a.1")
    return 1


async def attempt(sessions: Sessions, reached: bool, call_id: str | None = None, version: int | None = None) -> None:
    await callbacks_store.attempt(sessions, 1, reached, call_id, who="op01", now=LATER, version=version)


async def test_reached_the_task_is_done(books: Engine, sessions: Sessions, line: Line, task: int) -> None:
    line.comes("a.2", OTHER)
    await attempt(sessions, True, "a.2", 1)
    [row] = rows(books, models.Callback)
    assert (row.state, row.attempts, row.closed_by, row.closed_at) == ("done", 1, "op01", LATER)
    assert (row.cleared_by_call, row.due_at, row.version) == ("a.2", None, 2)
    assert history(books)[1:] == [
        ("1", "attempt", None, "reached", "call a.2"), ("1", "state", "open", "done", None)]


async def test_in_vain_three_times_then_the_supervisor_gives_up(books: Engine, sessions: Sessions, task: int) -> None:
    for _ in range(3):
        await attempt(sessions, False)
    await callbacks_store.decide(sessions, 1, False, "number does not exist", who="sri", now=LATER, version=4)
    [row] = rows(books, models.Callback)
    assert (row.state, row.attempts, row.closed_by, row.version) == ("given_up", 3, "sri", 5)
    assert history(books)[-2:] == [
        ("1", "state", "open", "asked", None), ("1", "state", "asked", "given_up", "number does not exist")]


async def test_a_call_in_vain_while_the_supervisor_is_asked_opens_the_task_again(
    books: Engine, sessions: Sessions, line: Line, task: int
) -> None:
    for _ in range(3):
        await attempt(sessions, False)
    line.abandoned("a.2")
    [row] = rows(books, models.Callback)
    assert (row.state, row.attempts) == ("open", 3)
    assert history(books)[-2] == ("1", "state", "asked", "open", "call a.2")


async def test_the_second_of_two_at_one_task_is_told(sessions: Sessions, books: Engine, task: int) -> None:
    await attempt(sessions, False, version=1)
    with pytest.raises(Conflict, match=r"you saw version 1, it is at 2"):
        await attempt(sessions, False, version=1)
    assert rows(books, models.Callback)[0].attempts == 1


async def test_what_is_refused_has_written_nothing(sessions: Sessions, books: Engine, task: int) -> None:
    before = rows(books, models.Callback), history(books)
    with pytest.raises(Unknown, match="no call-back 9"):
        await callbacks_store.attempt(sessions, 9, True, None, who="op01", now=LATER, version=None)
    with pytest.raises(Unknown, match=r"no call x\.1"):
        await attempt(sessions, True, "x.1")
    with pytest.raises(IllegalStep):
        await callbacks_store.decide(sessions, 1, True, "why not", who="sri", now=LATER, version=None)
    assert (rows(books, models.Callback), history(books)) == before


async def test_the_list_has_open_ones_first_by_age_in_pages(
    engine: AsyncEngine, sessions: Sessions, line: Line
) -> None:
    for n in range(5):
        line.abandoned(f"a.{n}", f"0800555{n:03}")
    for n in range(2):
        line.abandoned(f"b.{n}", None)
    for _ in range(3):
        await attempt(sessions, False)
    seen: list[int] = []
    place = None
    while True:
        async with sessions() as session:
            page = await callbacks_store.tasks(session, UNDONE, numberless=False, limit=2, after=place)
        if not page:
            break
        seen += [task.row.id for task in page]
        place = callbacks_store.place(page[-1])
    assert seen == [2, 3, 4, 5, 1], "the one that waits for the supervisor comes last"
    async with sessions() as session:
        nameless = await callbacks_store.tasks(session, UNDONE, numberless=True, limit=9)
        assert [task.calls for task in nameless] == [["b.0"], ["b.1"]]
