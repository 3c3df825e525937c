"""The audit is append-only, and whoever touches it all the same is found out."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from alembic import command
from sqlalchemy import Connection, Engine, delete, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from db import audit
from db.audit import Entry, Trail
from db.engine import alembic_config, migrate, sync_engine
from db.models import Audit

NOW = datetime(2026, 11, 22, 3, 0, 0, 123456, tzinfo=UTC)


def told(connection: Connection, *afters: object) -> None:
    trail = Trail()
    for count, after in enumerate(afters):
        trail.add(Entry(NOW + timedelta(seconds=count), "sri", "user", "op01", "role", None, after, "because"))
    trail.seal(connection)


@pytest.fixture
def book(database_url: str) -> Engine:
    engine = sync_engine(database_url)
    with engine.begin() as connection:
        told(connection, "operator", {"b": 1, "a": [1.5, None, "kebakaran \N{FIRE}"]}, None)
    yield engine
    engine.dispose()


def _unguarded(connection: Connection) -> None:
    """As somebody who owns the database would do it."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("ALTER TABLE audit DISABLE TRIGGER audit_append_only"))
    else:
        for verb in ("update", "delete"):
            connection.execute(text(f"DROP TRIGGER audit_no_{verb}"))


def test_rows_are_numbered_and_fit_one_another_whatever_was_said(book: Engine) -> None:
    with book.begin() as connection:
        told(connection, "supervisor")
    with book.connect() as connection:
        assert list(connection.scalars(select(Audit.seq).order_by(Audit.seq))) == [1, 2, 3, 4]
        assert list(audit.breaks(connection)) == []
        assert audit.head(connection)[0] == 4


VALUES = (
    240.0, 0.0, -0.0, 1e22, 0.1, 240, 0, 2**63, -(10**30), True, False, "240", "240.0", "1e3", "-0", "0x10", "null",
    "true", "", " 1", '"', "NaN", "a\0b", {}, [], [240.0, -0.0, None], {"accept_for": 240.0, "b": {"a": "1.0", "z": 1}},
    None,
)  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back_as_it_was_told_whatever_it_looks_like(book: Engine, value: object) -> None:
    trail = Trail()
    trail.add(Entry(NOW, "sri", "service", "emergency", "accept_for", value, value))
    with book.begin() as connection:
        trail.seal(connection)
    with book.connect() as connection:
        row = connection.execute(select(Audit.before, Audit.after).order_by(Audit.seq.desc()).limit(1)).one()
        nothing = select(Audit.seq).where(Audit.seq == 4, Audit.after.is_(None))
        assert (connection.scalar(nothing) is not None) == (value is None)
        assert (repr(row.before), repr(row.after)) == (repr(value),) * 2
        assert list(audit.breaks(connection)) == []


@pytest.mark.parametrize("change", [update(Audit).values(who="x"), delete(Audit).where(Audit.seq == 2)])
def test_the_database_refuses_to_change_it(book: Engine, change: object) -> None:
    with book.connect() as connection, pytest.raises(DBAPIError, match="append-only"):
        connection.execute(change)


@pytest.mark.parametrize(
    ("touch", "found"),
    [
        (update(Audit).where(Audit.seq == 2).values(after="admin"), [2]),
        (update(Audit).where(Audit.seq == 1).values(at=NOW - timedelta(days=1)), [1]),
        (update(Audit).where(Audit.seq == 3).values(why=None), [3]),
        (delete(Audit).where(Audit.seq == 2), [3]),
        (delete(Audit).where(Audit.seq == 1), [2]),
    ],
)
def test_who_touches_it_all_the_same_is_found_out(book: Engine, touch: object, found: list[int]) -> None:
    with book.begin() as connection:
        _unguarded(connection)
        connection.execute(touch)
        assert list(audit.breaks(connection)) == found


def test_a_row_that_was_made_to_fit_breaks_the_next(book: Engine) -> None:
    with book.begin() as connection:
        _unguarded(connection)
        first = connection.scalar(select(Audit.chain).where(Audit.seq == 1)) or ""
        digest = audit.digest_of(2, Entry(NOW, "sri", "user", "op01", "role", None, "admin", None), "00")
        forged = {"at": NOW, "after": "admin", "why": None, "salt": "00", "digest": digest}
        forged["chain"] = audit.chained(first, digest)
        connection.execute(update(Audit).where(Audit.seq == 2).values(**forged))
        assert list(audit.breaks(connection)) == [3]


def test_what_is_taken_from_the_end_shows_in_the_head(book: Engine) -> None:
    with book.begin() as connection:
        before = audit.head(connection)
        _unguarded(connection)
        connection.execute(delete(Audit).where(Audit.seq == 3))
        assert list(audit.breaks(connection)) == []
        assert audit.head(connection) != before


async def test_many_who_write_at_once_take_turns(
    engine: AsyncEngine, sessions: async_sessionmaker[AsyncSession]
) -> None:
    async def one(name: str) -> None:
        async with sessions.begin() as session:
            trail = Trail()
            trail.add(Entry(NOW, name, "ticket", "1", "place", None, "Rogojampi"))
            await trail.seal_in(session)

    await asyncio.gather(*(one(f"op{n:02}") for n in range(20)))
    async with engine.connect() as connection:
        assert await connection.run_sync(lambda sync: list(audit.breaks(sync))) == []
        assert (await connection.run_sync(audit.head))[0] == 20


def test_what_was_told_of_tickets_before_there_was_an_audit_moves_into_it(empty_database_url: str) -> None:
    engine = sync_engine(empty_database_url)
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), "0001")
        connection.execute(
            text(
                "INSERT INTO tickets (id, number, lifecycle, verification, topic, created_at, updated_at, version) "
                "VALUES (7, '2611-0001', 'open', 'open', 'fire', '2026-11-22 03:00:00', '2026-11-22 03:00:00', 1)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO ticket_steps (ticket_id, at, who, what, before, after, why) VALUES "
                "(7, '2026-11-22 03:00:00.000000', 'kentongan', 'lifecycle', NULL, 'draft', 'call 1.1'), "
                "(7, '2026-11-22 03:00:01.500000', 'op01', 'place', '240.0', 'there', NULL)"
            )
        )
    migrate(empty_database_url)
    with engine.connect() as connection:
        rows = connection.execute(select(Audit.before, Audit.after).order_by(Audit.seq)).all()
        assert list(audit.breaks(connection)) == []
        assert connection.execute(text("SELECT service, answers FROM tickets")).one()[0] == "emergency"
    engine.dispose()
    assert [tuple(row) for row in rows] == [(None, "draft"), ("240.0", "there")]


async def test_the_newest_are_told_first_by_what_which_who_and_from_a_row_on(
    sessions: async_sessionmaker[AsyncSession],
) -> None:
    async with sessions.begin() as session:
        trail = Trail()
        for who, what, which in (("sri", "user", "op01"), ("op01", "ticket", "1"), ("op01", "ticket", "2")):
            trail.add(Entry(NOW, who, what, which, "place", None, "Rogojampi"))
        await trail.seal_in(session)

    async def found(limit: int = 9, **asked: object) -> list[int]:
        async with sessions() as session:
            return [row.seq for row in await audit.newest(session, limit, **asked)]

    assert await found() == [3, 2, 1]
    assert await found(1) == [3]
    assert await found(before=3) == [2, 1]
    assert await found(what="ticket") == [3, 2]
    assert await found(what="ticket", which="1") == [2]
    assert await found(who="sri") == [1]


def test_a_head_that_was_written_down_is_found_again(book: Engine) -> None:
    with book.connect() as connection:
        number, chain = audit.head(connection)
        assert audit.chain_at(connection, number) == chain
        assert audit.chain_at(connection, 0) == audit.GENESIS
        assert audit.chain_at(connection, number + 1) is None


async def test_what_is_taken_back_is_not_in_it(sessions: async_sessionmaker[AsyncSession]) -> None:
    async with sessions() as session:
        trail = Trail()
        trail.add(Entry(NOW, "sri", "ticket", "1", "place", None, "Rogojampi"))
        await trail.seal_in(session)
        await session.rollback()
    async with sessions() as session:
        assert await audit.newest(session, 9) == []
