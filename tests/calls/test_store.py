"""The call record, its draft ticket and its recording's row are drawn from the journal: once, whatever happens."""
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DBAPIError

from calls.journal import Note
from calls.store import JournalStore
from db import models
from db.engine import sync_engine
from tickets import setup_store

START = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
CALL = "1763800000.12"


def note(seq: int, kind: str, call_id: str | None = CALL, **facts: object) -> Note:
    return Note(seq, START + timedelta(seconds=seq), kind, call_id, facts)


def arrived(seq: int, call_id: str = CALL) -> Note:
    return note(seq, "arrived", call_id, number="0800555001", arrived_at=START.isoformat())


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = sync_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: Engine) -> JournalStore:
    return JournalStore(engine, "kentongan")


def rows(engine: Engine, table: Any) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(select(table.__table__)))


def test_an_answered_call_is_drawn_with_its_moments_ticket_and_recording(engine, store):
    store.commit([arrived(1), note(2, "menu"), note(3, "chosen", topic="fire", pressed="1"), note(4, "queued"),
                  note(5, "offered", operator="op01"), note(6, "talking", operator="op01"), note(7, "ended")])
    [call] = rows(engine, models.Call)
    assert (call.stage, call.outcome, call.topic, call.pressed, call.operator) == (
        "ended", "answered", "fire", "1", "op01")
    moments = (call.answered_at, call.queued_at, call.offered_at, call.talking_at, call.ended_at)
    assert [moment - START for moment in moments] == [timedelta(seconds=n) for n in (2, 4, 5, 6, 7)]
    [ticket] = rows(engine, models.Ticket)
    assert (ticket.lifecycle, ticket.topic, ticket.reporter_number) == ("draft", "fire", "0800555001")
    [recording] = rows(engine, models.Recording)
    assert (recording.raw_name, recording.state) == (f"{CALL}.raw", "waiting")


def test_a_tickets_number_takes_its_month_from_the_regency_and_its_clock_from_the_arrival(engine):
    with engine.begin() as connection:
        setup_store.seed(connection)
    evening = datetime(2026, 11, 30, 18, 0, tzinfo=UTC)
    JournalStore(engine, "kentongan", ZoneInfo("Asia/Jakarta")).commit(
        [note(1, "arrived", number=None, arrived_at=evening.isoformat())])
    [ticket] = rows(engine, models.Ticket)
    assert (ticket.number, ticket.service) == ("2612-0001", "emergency")
    assert (ticket.created_at, ticket.due_at) == (evening, evening + timedelta(minutes=30))


def test_a_caller_offered_twice_keeps_the_moment_at_which_the_wait_began(engine, store):
    store.commit([arrived(1), note(2, "queued"), note(3, "offered", operator="op01"), note(4, "queued"),
                  note(5, "offered", operator="op02")])
    [call] = rows(engine, models.Call)
    assert (call.queued_at, call.offered_at, call.operator) == (
        START + timedelta(seconds=2), START + timedelta(seconds=5), "op02")


def test_a_call_that_only_the_dialplan_saw_gets_its_whole_record(engine, store):
    told = {"number": None, "arrived_at": START.isoformat(), "operator": "op01", "talked_for": 3.0, "why": "unclaimed"}
    store.commit([note(1, "way out", **told)])
    [call] = rows(engine, models.Call)
    assert (call.stage, call.outcome, call.operator, call.caller_number) == ("ended", "handed back", "op01", None)
    assert len(rows(engine, models.Ticket)) == len(rows(engine, models.Recording)) == 1


def test_a_recording_of_the_way_out_begins_when_the_dialplan_answered_after_waiting_for_us(engine, store):
    told = {"number": None, "operator": None, "talked_for": None, "why": "unclaimed",
            "arrived_at": "2026-11-22T14:00:00+00:00", "answered_at": "2026-11-22T14:00:00.800000+00:00"}
    store.commit([note(1, "way out", **told)])
    [call], [recording] = rows(engine, models.Call), rows(engine, models.Recording)
    assert recording.starts_at - call.arrived_at == timedelta(seconds=0.8)


def test_a_note_whose_answer_was_lost_is_taken_once(engine, store):
    store.commit([arrived(1)])
    store.commit([arrived(1), note(2, "menu")])
    assert [row.seq for row in rows(engine, models.Note)] == [1, 2]
    assert len(rows(engine, models.Ticket)) == 1
    assert rows(engine, models.Call)[0].stage == "menu"


@pytest.mark.parametrize("bad", [
    note(2, "arrived", "1763800000.13"),                        # without what a record needs
    note(2, "arrived", CALL, number=None, arrived_at=START.isoformat()),    # an id that is there already
    note(2, "arrived", "1763800000.13", number=None, arrived_at="2026-11-22T14:00:00")])     # whose clock?
def test_a_note_that_cannot_be_drawn_holds_up_nobody(engine, store, bad, caplog):
    with caplog.at_level(logging.ERROR):
        store.commit([arrived(1), bad, arrived(3, "1763800000.14")])
    assert [row.seq for row in rows(engine, models.Note)] == [1, 2, 3]
    assert [row.id for row in rows(engine, models.Call)] == [CALL, "1763800000.14"]
    assert "note 2 (arrived)" in caplog.text
    assert "0800555001" not in caplog.text


def test_while_the_database_refuses_nothing_is_stored_and_the_journal_is_told(engine, store):
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE notes RENAME TO away"))
    with pytest.raises(DBAPIError):
        store.commit([arrived(1)])
    assert rows(engine, models.Call) == []
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO notes"))
    store.commit([arrived(1)])
    assert store.last() == 1
