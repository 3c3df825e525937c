"""Notes: only ever added, by somebody, at a moment, and in nobody's way."""

from datetime import timedelta

import pytest

from tests.tickets.conftest import NOW
from tickets import extras_store, remarks, service
from tickets.refused import Refused
from tickets.store import Unknown


async def noted(desk, ticket_id: int, **page) -> list[tuple[str, str]]:
    async with desk.sessions() as session:
        rows = await extras_store.remarks(session, [ticket_id], page.get("limit", 50), page.get("before"))
        return [(note.who, note.text) for note, _ in rows]


async def test_a_note_says_who_wrote_it_and_when_and_stands_in_the_history(desk) -> None:
    ticket_id = await desk.filled()
    note = await remarks.add(desk.sessions, ticket_id, " Kunci di tetangga\n", by="op02", now=NOW + timedelta(hours=1))
    assert (note.who, note.at, note.text) == ("op02", NOW + timedelta(hours=1), "Kunci di tetangga")
    assert await noted(desk, ticket_id) == [("op02", "Kunci di tetangga")]
    assert (await desk.history(ticket_id))[-1] == ("op02", "note", None, "Kunci di tetangga", None)


async def test_the_newest_stands_first_and_lists_go_on_where_they_ended(desk) -> None:
    ticket_id, other = await desk.filled(), await desk.filled()
    ids = [(await remarks.add(desk.sessions, ticket_id, f"note {n}", by="op01", now=NOW)).id for n in range(3)]
    await remarks.add(desk.sessions, other, "of another", by="op01", now=NOW)
    assert await noted(desk, ticket_id, limit=2) == [("op01", "note 2"), ("op01", "note 1")]
    assert await noted(desk, ticket_id, before=ids[1]) == [("op01", "note 0")]


async def test_a_note_is_no_conflict_for_an_operator_who_is_writing_the_form(desk) -> None:
    ticket_id = await desk.filled()
    seen = (await desk.ticket(ticket_id)).version
    await remarks.add(desk.sessions, ticket_id, "Called again", by="op02", now=NOW)
    await service.fill(desk.sessions, ticket_id, {"place": "Pasar"}, by="op01", now=NOW, version=seen)


async def test_a_note_takes_up_a_draft_and_reopens_nothing(desk) -> None:
    ticket_id = await desk.draft()
    await remarks.add(desk.sessions, ticket_id, "Nobody there", by="op01", now=NOW)
    assert (await desk.ticket(ticket_id)).lifecycle == "open"
    await service.close(desk.sessions, ticket_id, "Nothing to do", by="op01", now=NOW)
    await remarks.add(desk.sessions, ticket_id, "The neighbour told us the same", by="op01", now=NOW)
    assert (await desk.ticket(ticket_id)).lifecycle == "closed"
    assert len(await noted(desk, ticket_id)) == 2


async def test_a_note_without_a_word_or_a_ticket_is_none(desk) -> None:
    ticket_id = await desk.draft()
    with pytest.raises(Refused, match="write one"):
        await remarks.add(desk.sessions, ticket_id, " \n", by="op01", now=NOW)
    with pytest.raises(Unknown):
        await remarks.add(desk.sessions, 4711, "x", by="op01", now=NOW)
    assert await noted(desk, ticket_id) == []
    assert (await desk.ticket(ticket_id)).lifecycle == "draft"
