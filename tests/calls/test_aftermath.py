"""What ended while no process of ours was there is noted once, by the next one."""
import os
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from calls.aftermath import REMEMBERED, Aftermath
from calls.journal import Note
from calls.store import JournalStore
from db import models
from db.engine import sync_engine
from telephony.cel import OPERATORS, TRUNK, WAY_OUT
from telephony.cel_book import CelBook

ARRIVED = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
LAST_SOUND = ARRIVED + timedelta(seconds=32)
CALL, ANOTHER = f"{ARRIVED.timestamp():.0f}.2", f"{ARRIVED.timestamp() + 1:.0f}.3"


class Books:
    """A journal that is committed at once."""

    def __init__(self, engine: Engine, sessions: async_sessionmaker[AsyncSession], spool: Path) -> None:
        self.engine, self.sessions, self.spool = engine, sessions, spool
        self.rescued = spool / "rescued"
        self.asterisks = spool / "calls.csv"
        self.store = JournalStore(engine, "kentongan")
        self.book = CelBook(self.asterisks)

    def note(self, kind: str, call_id: str | None = None, **facts: object) -> None:
        self.store.commit([Note(self.store.last() + 1, datetime.now(UTC), kind, call_id, facts)])

    def arrives(self, call_id: str) -> None:
        self.note("arrived", call_id, number="+62555001", arrived_at=ARRIVED.isoformat())

    def is_recorded(self, call_id: str) -> None:
        raw = self.spool / f"{call_id}.raw"
        raw.write_bytes(bytes(32_000))
        os.utime(raw, (LAST_SOUND.timestamp(), LAST_SOUND.timestamp()))

    def asterisk_tells(self, at: float, event: str, call_id: str = CALL, *, phone: str | None = None, bridge: str = "",
                       context: str = TRUNK, arrived: datetime = ARRIVED) -> None:
        """A row of Asterisk's own book, seconds after the arrival; of the caller's channel or a phone's."""
        channel = call_id if phone is None else f"{call_id}-{phone}-00000000"
        name, where = ("PJSIP/trunk-00000000", context) if phone is None else (f"PJSIP/{phone}-00000001", OPERATORS)
        extra = f'{{"bridge_id":"{bridge}"}}' if bridge else ""
        with self.asterisks.open("a") as file:
            file.write(f"{arrived.timestamp() + at:.6f},{event},{channel},{call_id},{name},{where},0800555009,{extra}")
            file.write("\n")

    def somebody_talks(self, begin: float, end: float, desk: str, context: str = TRUNK) -> None:
        """As Asterisk's own book has it."""
        self.asterisk_tells(begin, "BRIDGE_ENTER", bridge="b", context=context)
        self.asterisk_tells(begin, "BRIDGE_ENTER", phone=desk, bridge="b")
        self.asterisk_tells(end, "BRIDGE_EXIT", phone=desk, bridge="b")
        self.asterisk_tells(end, "BRIDGE_EXIT", bridge="b", context=context)

    def aftermath(self, *alive: str) -> Aftermath:
        async def look() -> set[str]:
            return set(alive)

        return self.aftermath_by(look)

    def aftermath_by(self, look: Callable[[], Awaitable[set[str]]]) -> Aftermath:
        return Aftermath(self, self.sessions, "kentongan", self.spool, self.rescued, self.book, look)

    async def are_looked_through(self, *alive: str) -> None:
        await self.aftermath(*alive).tell(at_start=True)

    def rows(self, table: Any) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(select(table.__table__)))


@pytest.fixture
def books(database_url: str, sessions: async_sessionmaker[AsyncSession], tmp_path: Path) -> Iterator[Books]:
    engine = sync_engine(database_url)
    (tmp_path / "spool").mkdir()
    books = Books(engine, sessions, tmp_path / "spool")
    yield books
    books.book.close()
    engine.dispose()


async def test_a_call_that_ended_unseen_ends_with_its_last_sound_and_its_recording_is_archived(books: Books) -> None:
    books.arrives(CALL)
    books.is_recorded(CALL)
    await books.are_looked_through()
    [call] = books.rows(models.Call)
    assert (call.stage, call.outcome, call.ended_at) == ("ended", "abandoned", LAST_SOUND)
    assert books.rows(models.Recording)[0].state == "waiting"


async def test_a_call_that_is_still_there_is_left_alone(books: Books) -> None:
    books.arrives(CALL)
    books.is_recorded(CALL)
    books.is_recorded(ANOTHER)                  # on the way out, with us or without us
    await books.are_looked_through(CALL, ANOTHER)
    assert [call.stage for call in books.rows(models.Call)] == ["arrived"]


async def test_a_call_that_only_the_dialplan_saw_is_found_by_its_recording(books: Books) -> None:
    books.is_recorded(CALL)
    await books.are_looked_through()
    [call] = books.rows(models.Call)
    assert (call.id, call.outcome, call.arrived_at, call.ended_at) == (CALL, "handed back", ARRIVED, LAST_SOUND)
    assert len(books.rows(models.Ticket)) == 1


async def test_looking_again_notes_nothing_twice(books: Books) -> None:
    books.arrives(ANOTHER)
    books.is_recorded(CALL)
    await books.are_looked_through()
    before = books.store.last()
    await books.are_looked_through()
    assert books.store.last() == before


async def test_who_arrives_while_the_books_are_looked_through_is_not_declared_dead(books: Books) -> None:
    async def look() -> set[str]:
        books.arrives(CALL)                     # claimed by us in this very moment
        books.is_recorded(CALL)
        return set()

    await books.aftermath_by(look).tell(at_start=True)
    assert [call.stage for call in books.rows(models.Call)] == ["arrived"]


async def test_whose_end_is_seen_while_the_books_are_looked_through_ends_once(books: Books) -> None:
    books.arrives(CALL)

    async def look() -> set[str]:
        books.note("ended", CALL, by="operator")
        return set()

    before = books.store.last()
    await books.aftermath_by(look).tell(at_start=True)
    assert books.store.last() == before + 1


async def test_whom_the_guard_sent_the_way_out_is_not_called_abandoned(books: Books) -> None:
    books.arrives(CALL)
    books.rescued.write_text(f"{CALL}\n")
    await books.are_looked_through(CALL)                    # still on the line: its phones may be ringing
    assert books.rescued.exists()
    await books.are_looked_through()
    [call] = books.rows(models.Call)
    assert (call.outcome, call.caller_number) == ("handed back", "+62555001")
    assert not books.rescued.exists()


# --- what Asterisk's own book knows

def seconds(since: datetime | None) -> float:
    assert since is not None
    return (since - ARRIVED).total_seconds()


async def test_a_talk_whose_end_nobody_of_us_saw_ends_when_asterisk_says(books: Books) -> None:
    books.arrives(CALL)
    books.note("talking", CALL, operator="op03")
    books.asterisk_tells(0, "CHAN_START")
    books.somebody_talks(9, 50, "op03")
    books.asterisk_tells(50, "HANGUP")
    books.is_recorded(CALL)                     # silent since its 32nd second
    await books.are_looked_through()
    [call] = books.rows(models.Call)
    assert (call.outcome, call.operator, seconds(call.ended_at)) == ("answered", "op03", 50)


async def test_who_answered_and_when_is_known_even_if_we_were_killed_while_the_phone_rang(books: Books) -> None:
    books.arrives(CALL)
    books.note("offered", CALL, operator="op03")
    books.asterisk_tells(0, "CHAN_START")
    books.somebody_talks(9, 50, "op03")
    books.asterisk_tells(50, "HANGUP")
    await books.are_looked_through()
    [call] = books.rows(models.Call)
    assert (call.outcome, call.operator) == ("answered", "op03")
    assert (seconds(call.talking_at), seconds(call.ended_at)) == (9, 50)
    assert books.rows(models.Callback) == []


async def test_a_call_that_was_handed_back_and_answered_there_has_who_and_for_how_long(books: Books) -> None:
    books.arrives(CALL)
    books.note("handed_back", CALL)
    books.asterisk_tells(0, "CHAN_START")
    books.somebody_talks(30, 71, "op05", WAY_OUT)
    books.asterisk_tells(72, "HANGUP", context=WAY_OUT)
    await books.are_looked_through()
    [call] = books.rows(models.Call)
    assert (call.outcome, call.operator, call.caller_number) == ("handed back", "op05", "+62555001")
    assert (seconds(call.talking_at), seconds(call.ended_at)) == (30, 72)
    assert books.rows(models.Note)[-1].facts["talked_for"] == 41.0
    assert books.rows(models.Callback) == []


async def test_a_call_that_no_book_of_ours_has_is_told_with_its_number(books: Books) -> None:
    books.asterisk_tells(0, "CHAN_START")
    books.somebody_talks(7, 20, "op05", WAY_OUT)
    books.asterisk_tells(20, "HANGUP", context=WAY_OUT)
    books.is_recorded(CALL)                     # its recording does not tell it a second time
    await books.are_looked_through()
    [call] = books.rows(models.Call)
    assert (call.outcome, call.operator, call.caller_number) == ("handed back", "op05", "+62800555009")
    assert (call.arrived_at, seconds(call.talking_at), seconds(call.ended_at)) == (ARRIVED, 7, 20)
    assert len(books.rows(models.Ticket)) == 1
    assert [row.state for row in books.rows(models.Recording)] == ["waiting"]


async def test_who_left_before_anybody_could_answer_is_called_back(books: Books) -> None:
    books.asterisk_tells(0, "CHAN_START")
    books.asterisk_tells(0.4, "HANGUP")
    await books.are_looked_through()
    [call] = books.rows(models.Call)
    assert (call.stage, call.outcome) == ("ended", "abandoned")
    assert [task.number for task in books.rows(models.Callback)] == ["+62800555009"]


async def test_a_report_without_the_moment_of_the_answer_is_completed_once(books: Books) -> None:
    books.note("way out", CALL, number="0800555009", arrived_at=ARRIVED.isoformat(), operator="op05", talked_for=41.0,
               why="unclaimed", ended_at=(ARRIVED + timedelta(seconds=72)).isoformat())
    books.asterisk_tells(0, "CHAN_START")
    books.somebody_talks(30, 71, "op05", WAY_OUT)
    books.asterisk_tells(72, "HANGUP", context=WAY_OUT)
    await books.are_looked_through()
    [call] = books.rows(models.Call)
    assert (seconds(call.talking_at), call.operator, call.outcome) == (30, "op05", "handed back")
    before = books.store.last()
    for _ in range(2):
        await books.are_looked_through()
    books.book.close()
    books.book = CelBook(books.asterisks)       # another service, which reads all of it
    await books.are_looked_through()
    assert books.store.last() == before


async def test_a_call_told_by_asterisk_and_then_by_a_late_report_is_drawn_once(books: Books) -> None:
    books.asterisk_tells(0, "CHAN_START")
    books.somebody_talks(30, 71, "op05", WAY_OUT)
    books.asterisk_tells(72, "HANGUP", context=WAY_OUT)
    await books.are_looked_through()
    before = books.rows(models.Call)
    books.note("way out", CALL, number="0800555009", arrived_at=ARRIVED.isoformat(), operator=None, talked_for=None,
               why="unclaimed")
    assert books.rows(models.Call) == before
    assert len(books.rows(models.Ticket)) == len(books.rows(models.Recording)) == 1


async def test_a_slip_of_the_finger_is_no_answer(books: Books) -> None:
    books.arrives(CALL)
    books.note("ended", CALL, by="caller")
    books.asterisk_tells(0, "CHAN_START")
    books.somebody_talks(10, 10.2, "op05")
    books.asterisk_tells(11, "HANGUP")
    before = books.store.last()
    await books.are_looked_through()
    assert (books.rows(models.Call)[0].outcome, books.store.last()) == ("abandoned", before)


async def test_while_we_run_an_end_that_nobody_reports_is_noted_at_the_second_look(books: Books) -> None:
    aftermath = books.aftermath()
    await aftermath.tell(at_start=True)
    books.arrives(CALL)
    books.note("handed_back", CALL)
    books.asterisk_tells(0, "CHAN_START")
    books.somebody_talks(30, 71, "op05", WAY_OUT)
    books.asterisk_tells(72, "HANGUP", context=WAY_OUT)
    await aftermath.tell(at_start=False)
    assert books.rows(models.Call)[0].stage == "handed_back"       # whoever saw it may be about to tell
    for _ in range(3):
        await aftermath.tell(at_start=False)
    [call] = books.rows(models.Call)
    assert (call.stage, call.operator) == ("ended", "op05")
    assert [note.kind for note in books.rows(models.Note)] == ["arrived", "handed_back", "way out"]


async def test_a_call_that_goes_on_in_asterisk_is_left_alone_whatever_its_book_has(books: Books) -> None:
    books.asterisk_tells(0, "CHAN_START")
    books.asterisk_tells(1, "ANSWER", context=WAY_OUT)
    await books.are_looked_through(CALL)
    assert books.rows(models.Call) == []


async def test_what_is_older_than_our_memory_is_not_brought_back(books: Books) -> None:
    long_ago = datetime.now(UTC) - REMEMBERED - timedelta(hours=1)
    books.asterisk_tells(0, "CHAN_START", arrived=long_ago)
    books.asterisk_tells(1, "HANGUP", arrived=long_ago)
    await books.are_looked_through()
    assert books.rows(models.Call) == []


async def test_a_call_in_which_asterisk_died_ended_with_its_last_sound_or_else_its_last_event(books: Books) -> None:
    books.arrives(CALL)
    books.arrives(ANOTHER)
    books.is_recorded(ANOTHER)
    for call_id in (CALL, ANOTHER):
        books.asterisk_tells(0, "CHAN_START", call_id)
        books.asterisk_tells(7, "ANSWER", call_id)
    await books.are_looked_through()
    assert {call.id: seconds(call.ended_at) for call in books.rows(models.Call)} == {CALL: 7, ANOTHER: 32}


async def test_without_asterisks_book_we_go_by_our_own(books: Books) -> None:
    books.asterisks.mkdir()                     # unreadable
    books.arrives(CALL)
    books.is_recorded(CALL)
    await books.are_looked_through()
    assert books.rows(models.Call)[0].ended_at == LAST_SOUND
