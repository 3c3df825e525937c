"""What ended while no process of ours was there is noted once, by the next one."""
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from calls import aftermath
from calls.journal import Note
from calls.store import JournalStore
from db import models
from db.engine import sync_engine

CALL, ANOTHER = "1795358698.2", "1795358699.3"
ARRIVED, LAST_SOUND = datetime(2026, 11, 22, 14, 44, 58, tzinfo=UTC), datetime(2026, 11, 22, 14, 45, 30, tzinfo=UTC)


class Books:
    """A journal that is committed at once."""

    def __init__(self, engine: Engine, sessions: async_sessionmaker[AsyncSession], spool: Path) -> None:
        self.engine, self.sessions, self.spool = engine, sessions, spool
        self.rescued = spool / "rescued"
        self.store = JournalStore(engine, "kentongan")

    def note(self, kind: str, call_id: str | None = None, **facts: object) -> None:
        self.store.commit([Note(self.store.last() + 1, datetime.now(UTC), kind, call_id, facts)])

    def arrives(self, call_id: str) -> None:
        self.note("arrived", call_id, number="+62555001", arrived_at=ARRIVED.isoformat())

    def is_recorded(self, call_id: str) -> None:
        raw = self.spool / f"{call_id}.raw"
        raw.write_bytes(bytes(32_000))
        os.utime(raw, (LAST_SOUND.timestamp(), LAST_SOUND.timestamp()))

    async def are_looked_through(self, *alive: str) -> None:
        async def look() -> set[str]:
            return set(alive)

        await aftermath.tell(self, self.sessions, "kentongan", self.spool, self.rescued, look)

    def rows(self, table: Any) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(select(table.__table__)))


@pytest.fixture
def books(database_url: str, sessions: async_sessionmaker[AsyncSession], tmp_path: Path) -> Iterator[Books]:
    engine = sync_engine(database_url)
    (tmp_path / "spool").mkdir()
    yield Books(engine, sessions, tmp_path / "spool")
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

    await aftermath.tell(books, books.sessions, "kentongan", books.spool, books.rescued, look)
    assert [call.stage for call in books.rows(models.Call)] == ["arrived"]


async def test_whose_end_is_seen_while_the_books_are_looked_through_ends_once(books: Books) -> None:
    books.arrives(CALL)

    async def look() -> set[str]:
        books.note("ended", CALL, by="operator")
        return set()

    before = books.store.last()
    await aftermath.tell(books, books.sessions, "kentongan", books.spool, books.rescued, look)
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
