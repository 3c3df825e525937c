"""Engines for both databases by one plain URL, and the way to this version's tables.

`sqlite:////path/kentongan.db` and `postgresql://user@host/name` are what people write; the drivers
(aiosqlite, psycopg) are filled in here. On SQLite every transaction begins IMMEDIATE: one that begins as a
reader and writes later would fail at once when somebody else has written meanwhile. Those that only read say so
(`reading`, `reading_session`).
"""

import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

#: our own: Asterisk's realtime schemas are Alembic's too and may live in the same database
VERSION_TABLE = "kentongan_version"

_BUSY_S = 5
_PRAGMAS = ("synchronous=FULL", f"busy_timeout={_BUSY_S * 1000}", "foreign_keys=ON")
#: a database that went away must be noticed in seconds (libpq: s, ms)
_POSTGRES_PATIENCE = {"connect_timeout": 5, "tcp_user_timeout": 10_000}
_DRIVERS = {"sqlite": ("sqlite+pysqlite", "sqlite+aiosqlite"), "postgresql": ("postgresql+psycopg",) * 2}

# at DEBUG it writes every statement's values: what callers said must not reach a log
logging.getLogger("aiosqlite").setLevel(logging.WARNING)

#: execution options of a transaction that only reads
_READING: dict[str, Any] = {"reads": True, "postgresql_readonly": True}

AnyEngine = TypeVar("AnyEngine", Engine, AsyncEngine)


def sync_engine(url: str) -> Engine:
    """For the journal's writer thread, migrations and tools. Whoever makes it disposes of it."""
    full = _with_driver(url, asynchronous=False)
    engine = create_engine(full, **_options(full))
    _keep_house(engine)
    return engine


def async_engine(url: str) -> AsyncEngine:
    """For everything in the event loop. Whoever makes it disposes of it, once, at the end."""
    full = _with_driver(url, asynchronous=True)
    engine = create_async_engine(full, **_options(full))
    _keep_house(engine.sync_engine)
    return engine


def reading(engine: AnyEngine) -> AnyEngine:
    """The same engine and pool, for transactions that only read: neither they nor a writer waits."""
    return engine.execution_options(**_READING)


@asynccontextmanager
async def reading_session(sessions: async_sessionmaker[AsyncSession]) -> AsyncIterator[AsyncSession]:
    """A session that only reads: it waits for no writer, and no writer (the journal!) waits for it."""
    async with sessions() as session:
        await session.connection(execution_options=_READING)
        yield session


def migrate(url: str) -> None:
    """Bring the database to this version's tables, all steps or none. Again is harmless; two take turns."""
    engine = sync_engine(url)
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(112112)")  # SQLite: BEGIN IMMEDIATE
            command.upgrade(alembic_config(connection), "head")
    finally:
        engine.dispose()


def is_current(url: str) -> bool | None:
    """Whether the database has exactly this version's tables; None: it has none of ours yet. OperationalError if it
    cannot be reached."""
    engine = sync_engine(url)
    try:
        with reading(engine).connect() as connection:
            there = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
            heads = there.get_current_heads()
            return heads == tuple(_scripts(connection).get_heads()) if heads else None
    finally:
        engine.dispose()


def in_words(fault: BaseException) -> str:
    """What the database says, for a person: one line without any value."""
    said = str(getattr(fault, "orig", None) or fault).strip().partition("\n")[0]
    return f"{type(fault).__name__}: {said}" if said else type(fault).__name__


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration for this open connection; no ini file that a wheel could forget."""
    config = Config(attributes={"connection": connection, "version_table": VERSION_TABLE})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _scripts(connection: Connection) -> ScriptDirectory:
    return ScriptDirectory.from_config(alembic_config(connection))


def _with_driver(url: str, *, asynchronous: bool) -> URL:
    plain = make_url(url)
    kind = plain.get_backend_name()
    if kind not in _DRIVERS:
        raise ValueError(
            f"the database URL begins with {plain.drivername!r}; "
            "Kentongan keeps its data in sqlite:////path/file.db or postgresql://user@host/name"
        )
    return plain.set(drivername=_DRIVERS[kind][asynchronous])


class _Connection(sqlite3.Connection):
    """Lets go of the write lock when it is closed: an async session that is cancelled in mid-transaction would keep it
    until somebody collects the garbage, and lock the database for everybody."""

    def close(self) -> None:
        if self.in_transaction:
            self.rollback()
        super().close()


def _options(url: URL) -> dict[str, Any]:
    silent: dict[str, Any] = {
        "hide_parameters": True
    }  # what callers said must not reach a log in the text of an error
    if url.get_backend_name() == "sqlite":
        return silent | {"connect_args": {"factory": _Connection}}
    return silent | {"pool_pre_ping": True, "connect_args": _POSTGRES_PATIENCE}


def _keep_house(engine: Engine) -> None:
    if engine.dialect.name != "sqlite":
        event.listen(engine, "handle_error", _hide_details)
        return

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: object) -> None:
        connection.isolation_level = (
            None  # the driver would begin transactions by guessing; we say when and how
        )
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        _into_wal(cursor)
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get("reads", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _into_wal(cursor: sqlite3.Cursor) -> None:
    """Write-ahead logging, also when several open a new file at once: SQLite does not wait its `busy_timeout` for this
    one step (two readers that both want to become the writer would wait for each other), so we do."""
    until = monotonic() + _BUSY_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > until:
                raise
        sleep(0.01)  # in the driver's own thread, never in the event loop's


def _hide_details(context: ExceptionContext) -> None:
    """PostgreSQL adds the failing row's values to its message."""
    for error in (context.original_exception, context.sqlalchemy_exception):
        if error is not None and error.args:
            error.args = (str(error.args[0]).partition("\nDETAIL:")[0], *error.args[1:])
