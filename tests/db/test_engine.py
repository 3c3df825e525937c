"""Both databases behave the same behind one plain URL."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import JSON, insert, inspect, select, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from db.engine import VERSION_TABLE, async_engine, is_current, migrate, reading, reading_session, sync_engine
from db.models import Base, CallTicket, Note

NOON_IN_JAKARTA = datetime(2026, 11, 22, 12, 0, tzinfo=timezone(timedelta(hours=7)))
NOTE = {
    "node": "a",
    "seq": 1,
    "at": NOON_IN_JAKARTA,
    "kind": "arrived",
    "facts": {"key": "1", "way": [1, 2]},
}


def another_default(_context: Any, _there: Any, column: Any, there: Any, _: Any, wanted: Any) -> bool | None:
    """PostgreSQL cannot ask whether two JSON values are equal; as texts they are told apart well enough."""
    return wanted not in (there or "") if isinstance(column.type, JSON) and wanted is not None else None


def no_search(name: str | None, *_: Any) -> bool:
    """The words by which tickets are found are the database's own business (db/search.py)."""
    return not (name or "").startswith("search_")


def test_the_migrations_lead_to_the_tables_of_the_models(database_url: str) -> None:
    engine = sync_engine(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": VERSION_TABLE,
                "compare_server_default": another_default,
                "include_name": no_search,
            },
        )
        assert compare_metadata(context, Base.metadata) == []
        names = set(filter(no_search, inspect(connection).get_table_names()))
    engine.dispose()
    assert names == {*Base.metadata.tables, VERSION_TABLE}


def test_an_empty_database_is_not_current_and_migrating_twice_is_harmless(empty_database_url: str) -> None:
    assert is_current(empty_database_url) is None
    migrate(empty_database_url)
    assert is_current(empty_database_url)
    migrate(empty_database_url)
    assert is_current(empty_database_url)


async def test_two_that_migrate_at_once_take_turns(empty_database_url: str) -> None:
    await asyncio.gather(*(asyncio.to_thread(migrate, empty_database_url) for _ in range(3)))
    assert is_current(empty_database_url)


def test_all_that_open_a_new_file_at_once_may_write_to_it(tmp_path: Path) -> None:
    """Going over to write-ahead logging is the one step for which SQLite itself does not wait."""

    def opens(file: Path, together: threading.Barrier) -> None:
        engine = sync_engine(f"sqlite:///{file}")
        together.wait()
        try:
            with engine.begin() as connection:
                connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS it (was INTEGER)")
                connection.exec_driver_sql("INSERT INTO it VALUES (1)")
        finally:
            engine.dispose()

    for turn in range(50):  # without our own waiting about one turn in fifteen fails
        file, together = tmp_path / f"{turn}.db", threading.Barrier(4)
        with ThreadPoolExecutor(4) as pool:
            for opened in [pool.submit(opens, file, together) for _ in range(4)]:
                opened.result()


async def test_the_url_is_plain_and_its_password_survives() -> None:
    engine = async_engine("postgresql://somebody:p%40ss%25@127.0.0.1:1/name")
    assert engine.url.drivername == "postgresql+psycopg"
    assert engine.url.password == "p@ss%"
    await engine.dispose()


def test_another_kind_of_database_is_refused_with_the_two_that_are_not() -> None:
    with pytest.raises(ValueError, match=r"'mysql'.*sqlite:////path/file.db or postgresql://"):
        sync_engine("mysql://localhost/kentongan")


async def test_a_moment_comes_back_as_the_same_moment_in_utc(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(insert(Note), NOTE)
        row = (await connection.execute(select(Note.at, Note.facts))).one()
    assert (row.at, row.at.tzinfo) == (NOON_IN_JAKARTA, UTC)
    assert row.facts == {"key": "1", "way": [1, 2]}


async def test_a_moment_is_found_again_by_a_comparison_in_another_zone(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(insert(Note), NOTE)
        before_one_utc_later = select(Note.seq).where(
            Note.at < NOON_IN_JAKARTA.astimezone(UTC) + timedelta(seconds=1)
        )
        assert (await connection.execute(before_one_utc_later)).scalars().all() == [1]


async def test_a_moment_without_a_zone_is_refused(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        with pytest.raises(StatementError, match="without a time zone"):
            await connection.execute(insert(Note), NOTE | {"at": NOON_IN_JAKARTA.replace(tzinfo=None)})


async def test_an_error_does_not_tell_what_was_to_be_stored(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        with pytest.raises(IntegrityError) as told:
            await connection.execute(insert(Note), NOTE | {"at": None, "facts": {"number": "+62 555 0100"}})
    assert "0100" not in str(told.value)


async def test_a_foreign_key_is_held(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        with pytest.raises(IntegrityError):
            await connection.execute(insert(CallTicket), {"call_id": "1.1", "ticket_id": 7})


async def test_many_who_read_and_then_write_all_succeed(sessions: async_sessionmaker[AsyncSession]) -> None:
    """On SQLite a transaction that turned from reader to writer would fail here with "database is locked"."""

    async def read_then_write(seq: int) -> None:
        async with sessions.begin() as session:
            await session.scalars(select(Note.seq))
            session.add(Note(**NOTE | {"seq": seq}))

    await asyncio.gather(*(read_then_write(seq) for seq in range(1, 13)))
    async with sessions() as session:
        assert sorted(await session.scalars(select(Note.seq))) == list(range(1, 13))


async def test_a_reader_waits_for_no_writer(engine: AsyncEngine) -> None:
    async with engine.begin() as writer:
        await writer.execute(insert(Note), NOTE)
        async with reading(engine).connect() as reader:
            assert (await reader.execute(select(Note.seq))).all() == []
        async with reading_session(async_sessionmaker(engine)) as session:
            assert (await session.scalars(select(Note.seq))).all() == []


async def test_sqlite_is_set_to_lose_nothing_when_the_power_goes(tmp_path: object) -> None:
    engine = async_engine(f"sqlite:///{tmp_path}/kentongan.db")
    async with engine.connect() as connection:
        said = {
            name: (await connection.execute(text(f"PRAGMA {name}"))).scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }
    await engine.dispose()
    assert said == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 5000, "foreign_keys": 1}
