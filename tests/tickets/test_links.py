"""Calls and tickets: several of each may belong together, and what opened a ticket stays with it."""

import asyncio

import pytest

from db.models import Call
from tests.tickets.conftest import NOW
from tickets import links, store
from tickets.steps import IllegalStep
from tickets.store import Unknown

ANOTHER = "1763800000.99"


@pytest.fixture
async def call(desk) -> str:
    async with desk.sessions.begin() as session:
        session.add(Call(id=ANOTHER, node="kentongan", stage="ended", topic="fire", pressed="", arrived_at=NOW))
    return ANOTHER


async def calls_of(desk, ticket_id: int) -> list[str]:
    async with desk.sessions() as session:
        return list(await store.calls_of(session, ticket_id))


async def test_a_call_is_linked_to_several_tickets_and_a_ticket_to_several_calls(desk, call) -> None:
    first, second = await desk.filled(), await desk.filled()
    assert await links.link(desk.sessions, first, call, by="op01", now=NOW)
    assert await links.link(desk.sessions, second, call, by="op01", now=NOW)
    assert await calls_of(desk, first) == ["1763800000.1", call]
    async with desk.sessions() as session:
        assert [ticket.id for ticket in await store.tickets_of(session, call)] == [first, second]
    assert (await desk.history(first))[-1] == ("op01", "call", None, call, None)


async def test_a_link_can_be_taken_back_and_the_history_knows_both(desk, call) -> None:
    ticket_id = await desk.filled()
    await links.link(desk.sessions, ticket_id, call, by="op01", now=NOW)
    await links.unlink(desk.sessions, ticket_id, call, by="op02", now=NOW)
    assert await calls_of(desk, ticket_id) == ["1763800000.1"]
    assert (await desk.history(ticket_id))[-2:] == [
        ("op01", "call", None, call, None), ("op02", "call", call, None, None),
    ]  # fmt: skip


async def test_the_call_that_opened_a_ticket_stays_with_it(desk) -> None:
    ticket_id = await desk.filled()
    with pytest.raises(IllegalStep, match=r"call 1763800000\.1 opened ticket 2611-0001 and stays"):
        await links.unlink(desk.sessions, ticket_id, "1763800000.1", by="op01", now=NOW)
    assert await calls_of(desk, ticket_id) == ["1763800000.1"]


async def test_linked_again_nothing_changes_even_at_once(desk, call) -> None:
    ticket_id = await desk.filled()
    done = await asyncio.gather(
        *(links.link(desk.sessions, ticket_id, call, by=f"op0{number}", now=NOW) for number in (1, 2))
    )
    assert sorted(done) == [False, True]
    steps = await desk.history(ticket_id)
    assert [step[1] for step in steps].count("call") == 1


async def test_what_is_not_there_is_not_linked(desk, call) -> None:
    ticket_id = await desk.draft()
    with pytest.raises(Unknown, match="no call 17"):
        await links.link(desk.sessions, ticket_id, "17", by="op01", now=NOW)
    with pytest.raises(Unknown, match="no ticket 4711"):
        await links.link(desk.sessions, 4711, call, by="op01", now=NOW)
    with pytest.raises(Unknown, match="does not belong to ticket 2611-0001"):
        await links.unlink(desk.sessions, ticket_id, call, by="op01", now=NOW)
    assert (await desk.ticket(ticket_id)).version == 1
