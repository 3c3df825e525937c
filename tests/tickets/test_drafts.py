"""A draft stands for every call, once, with a number nobody else has."""

import asyncio
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from db.audit import Trail
from db.engine import sync_engine
from db.models import Ticket
from tests.tickets.conftest import NOW
from tickets import service, store


async def open_draft(engine: AsyncEngine, call_id: str, topic: str = "any", at: datetime = NOW) -> int:
    trail = Trail()
    async with engine.begin() as connection:
        drafted = await connection.run_sync(store.open_draft, trail, call_id, topic, None, at)
        await connection.run_sync(trail.seal)
    return drafted


async def test_a_call_gets_one_draft_however_often_it_is_asked_for(desk, engine) -> None:
    first = await open_draft(engine, "1.1")
    assert await open_draft(engine, "1.1", "fire") == first
    assert await open_draft(engine, "1.2") != first
    async with desk.sessions() as session:
        assert [ticket.id for ticket in await store.tickets_of(session, "1.1")] == [first]
        assert await store.calls_of(session, first) == ["1.1"]
    assert await desk.history(first) == [("kentongan", "lifecycle", None, "draft", "call 1.1")]
    ticket = await desk.ticket(first)
    assert (ticket.number, ticket.lifecycle, ticket.verification, ticket.version) == (
        "2611-0001", "draft", "open", 1,
    )  # fmt: skip


async def test_numbers_run_on_in_a_month_and_begin_anew_in_the_next(engine, sessions) -> None:
    for call, month in enumerate((11, 11, 12, 11)):
        await open_draft(engine, f"1.{call}", at=datetime(2026, month, 1, tzinfo=UTC))
    async with sessions() as session:
        numbers = (await session.scalars(select(Ticket.number).order_by(Ticket.id))).all()
        assert numbers == ["2611-0001", "2611-0002", "2612-0001", "2611-0003"]


async def test_forty_calls_at_once_get_forty_numbers_without_a_hole(engine, sessions) -> None:
    await asyncio.gather(*(open_draft(engine, f"1.{call}") for call in range(40)))
    async with sessions() as session:
        numbers = (await session.scalars(select(Ticket.number))).all()
    assert sorted(numbers) == [f"2611-{n:04}" for n in range(1, 41)]


async def test_one_call_opened_by_ten_at_once_has_one_draft(engine, sessions) -> None:
    found = await asyncio.gather(*(open_draft(engine, "1.1") for _ in range(10)))
    assert len(set(found)) == 1
    async with sessions() as session:
        assert len((await session.scalars(select(Ticket.id))).all()) == 1


def test_a_draft_that_is_rolled_back_leaves_nothing_not_even_a_hole_in_the_numbers(database_url: str) -> None:
    engine = sync_engine(database_url)
    with engine.connect() as connection:
        store.open_draft(connection, Trail(), "1.1", "any", None, NOW)
        connection.rollback()
    with engine.begin() as connection:
        store.open_draft(connection, Trail(), "1.2", "any", None, NOW)
        assert connection.scalars(select(Ticket.number)).all() == ["2611-0001"]
    engine.dispose()


async def test_the_callers_choice_goes_into_the_draft_once_and_never_over_a_persons(desk, engine) -> None:
    async def choose(topic: str) -> str:
        async with engine.begin() as connection:
            trail = Trail()
            await connection.run_sync(store.choose_topic, trail, "1763800000.1", topic, NOW)
            await connection.run_sync(trail.seal)
        return (await desk.ticket(ticket_id)).topic

    ticket_id = await desk.draft()
    assert await choose("any") == "any"
    assert await choose("police") == "police"
    assert await choose("fire") == "police"
    assert [line[1:4] for line in await desk.history(ticket_id)][1:] == [("topic", "any", "police")]
    await service.fill(desk.sessions, ticket_id, {"topic": ""}, by="op01", now=NOW)
    assert await choose("fire") == "any"
