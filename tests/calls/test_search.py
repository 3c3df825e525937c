"""The list of calls: filtered, newest first, one query a page, the same on both databases."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from calls import search_store
from calls.search_store import Wanted
from db.engine import reading_session
from db.models import Call
from tests.statements import counted

Sessions = async_sessionmaker[AsyncSession]
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)

#: by their ids; 3 and 4 arrived in the same moment
CALLS: dict[str, dict[str, Any]] = {
    "1": {"arrived_at": NOW - 5 * HOUR, "caller_number": "+62800555112", "outcome": "abandoned"},
    "2": {"arrived_at": NOW - 3 * HOUR, "operator": "op01", "outcome": "answered", "disposition": "prank"},
    "3": {"arrived_at": NOW - 2 * HOUR, "operator": "op01", "caller_number": "+62800555113", "topic": "fire"},
    "4": {"arrived_at": NOW - 2 * HOUR, "caller_number": "0800555", "disposition": "real", "stage": "talking"},
    "5": {"arrived_at": NOW - 4 * HOUR, "caller_number": "+62800555112", "operator": "op02", "topic": "fire"},
}
FILTERS: list[tuple[Wanted, str]] = [
    (Wanted(), "43251"),
    (Wanted(operator="op01"), "32"),
    (Wanted(operator="op09"), ""),
    (Wanted(outcome="abandoned"), "1"),
    (Wanted(disposition="prank"), "2"),
    (Wanted(stage="talking"), "4"),
    (Wanted(topic="fire"), "35"),
    (Wanted(topic="fire", operator="op02"), "5"),
    (Wanted(arrived_from=NOW - 2 * HOUR), "43"),
    (Wanted(arrived_to=NOW - 3 * HOUR), "51"),
    (Wanted(arrived_from=NOW - 4 * HOUR, arrived_to=NOW - 2 * HOUR), "25"),
    (Wanted(number="+62800555112"), "51"),
    (Wanted(number="0800 555-112"), "51"),
    (Wanted(number="62 800 555 112"), "51"),
    (Wanted(number="0062800555112"), "51"),
    (Wanted(number="555112"), "51"),
    (Wanted(number="112"), "51"),
    (Wanted(number="0800555"), "4351"),
    (Wanted(number="00"), "4351"),
    (Wanted(number="0800 555 119"), ""),
    (Wanted(number="%"), ""),
    (Wanted(number=""), ""),
    (Wanted(number="'; DROP TABLE calls; --"), ""),
    (Wanted(number="1" * 10_000), ""),
]


@pytest.fixture
async def calls(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        for call_id, values in CALLS.items():
            bare = {"id": call_id, "node": "a", "stage": "ended", "topic": "any", "pressed": ""}
            await connection.execute(insert(Call), bare | values)


async def ids(sessions: Sessions, wanted: Wanted, **other: Any) -> str:
    async with reading_session(sessions) as session:
        return "".join([call.id for call in await search_store.page(session, wanted, **{"limit": 50, **other})])


@pytest.mark.usefixtures("calls")
async def test_filters_leave_the_newest_first(sessions: Sessions) -> None:
    assert [(wanted, await ids(sessions, wanted)) for wanted, _ in FILTERS] == FILTERS


@pytest.mark.usefixtures("calls")
async def test_pages_put_together_are_the_whole_list_also_where_two_arrived_at_once(sessions: Sessions) -> None:
    for wanted, whole in FILTERS:
        found = ""
        while piece := await ids(
            sessions, wanted, limit=1, before=(CALLS[found[-1]]["arrived_at"], found[-1]) if found else None
        ):
            found += piece
        assert found == whole


@pytest.mark.usefixtures("calls")
async def test_what_comes_between_two_pages_moves_nothing(engine: AsyncEngine, sessions: Sessions) -> None:
    assert await ids(sessions, Wanted(), limit=2) == "43"
    async with engine.begin() as connection:
        bare = {"id": "6", "node": "a", "stage": "ended", "topic": "any", "pressed": "", "arrived_at": NOW}
        await connection.execute(insert(Call), bare)
    assert await ids(sessions, Wanted(), limit=2, before=(NOW - 2 * HOUR, "3")) == "25"


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize("limit", [1, 50])
async def test_a_page_takes_one_query_however_long_it_is(engine: AsyncEngine, sessions: Sessions, limit: int) -> None:
    for wanted, _ in FILTERS:
        async with reading_session(sessions) as session:
            with counted(engine) as statements:
                await search_store.page(session, wanted, limit=limit)
        assert len(statements) == 1
