"""The past pranks of a number, on both databases."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from calls import pranks_store
from db.models import Call
from routing.pranks import WEIGHED, Past
from tests.statements import counted

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)
HOUR = timedelta(hours=1)
NUMBER = "+62800555112"


def call(call_id: str, at: datetime, disposition: str | None = "prank", **other: Any) -> dict[str, Any]:
    return {"id": call_id, "node": "kentongan", "caller_number": NUMBER, "stage": "ended", "topic": "any",
            "pressed": "", "arrived_at": at, "disposition": disposition, "disposed_by": "op01", **other}


async def given(engine: AsyncEngine, *calls: dict[str, Any]) -> async_sessionmaker[AsyncSession]:
    async with engine.begin() as connection:
        await connection.execute(insert(Call), list(calls))
    return async_sessionmaker(engine)


async def test_pranks_of_the_number_and_of_this_week_newest_first_in_one_query(engine: AsyncEngine) -> None:
    sessions = await given(
        engine,
        call("1", NOW - 3 * HOUR), call("2", NOW - HOUR, disposed_by=None), call("3", NOW - 2 * HOUR, "real"),
        call("4", NOW - HOUR, None), call("5", NOW - HOUR, caller_number="+62800555113"),
        call("6", NOW - 8 * 24 * HOUR), call("7", NOW + HOUR), call("8", NOW - HOUR, "ghost"),
        call("9", NOW - HOUR, caller_number=None))
    with counted(engine) as statements:
        found = await pranks_store.past(sessions, NUMBER, NOW)
    assert found == [Past("2", NOW - HOUR, None), Past("1", NOW - 3 * HOUR, "op01")]
    assert len(statements) == 1


async def test_however_many_there_are_no_more_are_read_than_are_weighed(engine: AsyncEngine) -> None:
    sessions = await given(engine, *(call(str(n), NOW - n * timedelta(minutes=1)) for n in range(1, 100)))
    found = await pranks_store.past(sessions, NUMBER, NOW)
    assert [past.call_id for past in found] == [str(n) for n in range(1, WEIGHED + 1)]


async def test_they_are_found_by_the_index_of_numbers(engine: AsyncEngine) -> None:
    if engine.dialect.name != "sqlite":
        return              # PostgreSQL plans by what it finds in the table
    asked = pranks_store.pranks_of(NUMBER, NOW)
    query = asked.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    async with engine.connect() as connection:
        plan = (await connection.execute(text(f"EXPLAIN QUERY PLAN {query}"))).all()
    assert [row[3].split(" USING ")[1].split(" (")[0] for row in plan] == [
        "INDEX ix_calls_caller_number_arrived_at_id"]
