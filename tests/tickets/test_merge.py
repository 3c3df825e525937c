"""One event, several tickets: one goes on, the others go into it, nothing is lost and nothing is hidden."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from db.models import Call, CallTicket, Ticket
from tests.tickets.conftest import NOW
from tickets import extras_store, forwarding, links, merge, merging, remarks, service, store
from tickets.edit import Conflict
from tickets.steps import IllegalStep
from tickets.store import Unknown
from tickets.verification import A1

LATER = NOW + timedelta(minutes=5)


async def into(desk, ticket_id: int, other: int, **seen) -> merge.Merged:
    return await merge.merge(desk.sessions, ticket_id, other, by="op02", now=LATER, **seen)


async def accepted(desk) -> int:
    ticket_id = await desk.forwarded("damkar")
    row = await desk.forwarding_id(ticket_id)
    await service.agency_said(desk.sessions, row, forwarding.ACCEPTED, "by phone", by="op01", now=NOW)
    return ticket_id


async def family(desk, ticket_id: int) -> list[int]:
    async with desk.sessions() as session:
        return [ticket.id for ticket in await extras_store.family(session, ticket_id)]


async def offers(desk, ticket_id: int) -> dict[str, object]:
    async with desk.sessions() as session:
        ticket, *merged = await extras_store.family(session, ticket_id)
    return merge.offered(ticket, merged)


async def head(desk, ticket_id: int) -> int:
    async with desk.sessions() as session:
        return (await extras_store.head(session, ticket_id)).id


async def calls_of(desk, ticket_id: int) -> list[str]:
    async with desk.sessions() as session:
        return list(await store.calls_of(session, ticket_id))


async def everything(desk) -> list[tuple[object, ...]]:
    async with desk.sessions() as session:
        tickets = await session.scalars(select(Ticket).order_by(Ticket.id))
        linked = await session.execute(select(CallTicket.call_id, CallTicket.ticket_id).order_by(CallTicket.call_id))
        said = [(one.id, one.version, one.lifecycle, one.merged_into, one.updated_at) for one in tickets]
        return [*said, *map(tuple, linked)]


async def test_a_second_report_goes_into_the_first_and_says_so_in_both_histories(desk) -> None:
    first, second = await desk.filled(), await desk.draft("fire")
    done = await into(desk, second, first, version=1)
    assert (done.ticket.lifecycle, done.ticket.merged_into, done.ticket.version) == ("closed", first, 2)
    assert (done.into.lifecycle, done.into.version) == ("open", 3)
    assert await calls_of(desk, first) == ["1763800000.1", "1763800000.2"]
    assert await calls_of(desk, second) == ["1763800000.2"]
    assert (await desk.history(second))[-2:] == [
        ("op02", "merged_into", None, first, "merged into 2611-0001"),
        ("op02", "lifecycle", "draft", "closed", "merged into 2611-0001"),
    ]
    assert (await desk.history(first))[-2:] == [
        ("op02", "merged", None, "2611-0002", None),
        ("op02", "call", None, "1763800000.2", "merged from 2611-0002"),
    ]


async def test_what_one_lacks_and_the_other_knows_is_offered_and_nothing_is_overwritten(desk) -> None:
    first, second = await desk.draft(), await desk.filled()
    await service.fill(desk.sessions, first, {"place": "Jalan Contoh 1"}, by="op01", now=NOW)
    await service.fill(desk.sessions, second, {"reporter_name": "Ibu Sri"}, by="op01", now=NOW)
    done = await into(desk, second, first)
    offered = {"topic": "fire", "narrative": "Api di kios nomor 3", "reporter_name": "Ibu Sri"}
    assert done.offered == offered
    ticket = await desk.ticket(first)
    assert (ticket.place, ticket.narrative, ticket.topic) == ("Jalan Contoh 1", None, "any")
    assert await offers(desk, first) == offered
    await service.fill(desk.sessions, first, {"narrative": "Api"}, by="op01", now=NOW)
    assert await offers(desk, first) == {"topic": "fire", "reporter_name": "Ibu Sri"}


async def test_notes_of_both_are_read_at_the_one_that_goes_on_with_where_they_stand(desk) -> None:
    first, second, third = [await desk.filled() for _ in range(3)]
    await remarks.add(desk.sessions, third, "deep", by="op01", now=NOW)
    await into(desk, third, second)
    await into(desk, second, first)
    await remarks.add(desk.sessions, first, "own", by="op01", now=NOW)
    assert await family(desk, first) == [first, second, third]
    assert await family(desk, third) == [third]
    async with desk.sessions() as session:
        rows = await extras_store.remarks(session, await family(desk, first), 50, None)
    assert [(note.text, number) for note, number in rows] == [("own", "2611-0001"), ("deep", "2611-0003")]


async def test_into_a_merged_ticket_means_into_the_one_that_goes_on_for_it(desk) -> None:
    first, second, third = [await desk.filled() for _ in range(3)]
    await into(desk, second, first)
    done = await into(desk, third, second)
    assert done.into.id == first
    assert [await head(desk, ticket_id) for ticket_id in (first, second, third)] == [first] * 3
    assert await calls_of(desk, first) == [f"1763800000.{number}" for number in (1, 2, 3)]


async def test_no_ticket_goes_into_itself_by_whatever_way(desk) -> None:
    first, second, third = [await desk.filled() for _ in range(3)]
    await into(desk, third, second)
    await into(desk, second, first)
    before = await everything(desk)
    for other in (first, second, third):
        with pytest.raises(IllegalStep, match="cannot go into itself"):
            await into(desk, first, other)
    with pytest.raises(IllegalStep, match="ticket 2611-0002 was merged already"):
        await into(desk, second, first)
    with pytest.raises(IllegalStep, match=r"cannot go into itself|was merged already"):
        await into(desk, second, third)
    assert await everything(desk) == before


async def test_of_two_who_merge_each_into_the_other_at_once_one_wins_and_the_other_is_told(desk) -> None:
    for _ in range(5):
        first, second = await desk.filled(), await desk.filled()
        done = await asyncio.gather(into(desk, first, second), into(desk, second, first), return_exceptions=True)
        [won] = [one for one in done if isinstance(one, merge.Merged)]
        [told] = [one for one in done if isinstance(one, Conflict | IllegalStep)]
        assert "merged" in str(told) or "itself" in str(told)
        assert {won.ticket.merged_into, won.into.merged_into} == {won.into.id, None}
        assert await family(desk, won.into.id) == [won.into.id, won.ticket.id]


async def test_a_ring_of_merges_at_once_is_never_closed(desk) -> None:
    ring = [await desk.filled() for _ in range(4)]
    pairs = zip(ring, [*ring[1:], ring[0]], strict=True)
    await asyncio.gather(*(into(desk, one, other) for one, other in pairs), return_exceptions=True)
    heads = {await head(desk, ticket_id) for ticket_id in ring}
    families = [await family(desk, top) for top in heads]
    assert sorted(one for found in families for one in found) == sorted(ring)


async def test_a_ticket_that_waits_for_an_agency_does_not_vanish_but_takes_the_other_in(desk) -> None:
    first, second = await desk.filled(), await desk.forwarded("damkar")
    with pytest.raises(IllegalStep, match=r"2611-0002 waits for damkar to acknowledge.*merge 2611-0001 into 2611-0002"):
        await into(desk, second, first)
    done = await into(desk, first, second)
    assert (done.into.lifecycle, done.ticket.lifecycle) == ("forwarded", "closed")


async def test_a_verified_ticket_does_not_go_into_one_that_is_not(desk) -> None:
    first, second = await desk.filled(), await desk.verified()
    with pytest.raises(IllegalStep, match="2611-0002 is verified and 2611-0001 is not"):
        await into(desk, second, first)
    await service.override(desk.sessions, first, "trapped", by="op01", now=NOW)
    assert (await into(desk, second, first)).into.override_by == "op01"


async def test_what_its_agencies_do_stays_visible_and_goes_on_after_a_merge(desk) -> None:
    first, second = await desk.verified(), await accepted(desk)
    await into(desk, second, first)
    row = await desk.forwarding_id(second)
    await service.agency_said(desk.sessions, row, forwarding.ON_THE_WAY, "by phone", by="op01", now=LATER)
    assert await desk.states(second) == {"damkar": "on_the_way"}
    assert (await desk.ticket(second)).lifecycle == "closed"
    assert await family(desk, first) == [first, second]


async def test_the_clock_of_whoever_reported_first_counts(desk) -> None:
    first, second, third = await desk.filled(), await desk.filled(), await desk.filled()
    async with desk.sessions.begin() as session:
        for ticket_id, due in ((first, LATER), (second, NOW), (third, LATER)):
            (await session.get_one(Ticket, ticket_id)).due_at = due
    await into(desk, second, first)
    await into(desk, third, first)
    assert (await desk.ticket(first)).due_at == NOW
    assert [step[1] for step in await desk.history(first)].count("due_at") == 1


async def test_who_saw_an_older_version_of_what_goes_in_changes_nothing(desk) -> None:
    first, second = await desk.filled(), await desk.filled()
    before = await everything(desk)
    with pytest.raises(Conflict, match="you saw version 1, it is at 2"):
        await into(desk, second, first, version=1)
    assert await everything(desk) == before
    for pair in ((4711, first), (first, 4711)):
        with pytest.raises(Unknown):
            await into(desk, *pair)
    await service.close(desk.sessions, second, "done", by="op01", now=NOW)
    before = await everything(desk)
    for pair in ((first, second), (second, first)):
        with pytest.raises(IllegalStep, match="2611-0002 is closed"):
            await into(desk, *pair)
    assert await everything(desk) == before


async def test_undone_a_ticket_goes_on_by_itself_where_its_agencies_are(desk) -> None:
    first, second, third = await desk.verified(), await accepted(desk), await desk.filled()
    await into(desk, second, first)
    await into(desk, third, second)
    assert await family(desk, first) == [first, second, third]
    ticket = await merge.unmerge(desk.sessions, second, "another kitchen", by="op03", now=LATER)
    assert (ticket.lifecycle, ticket.merged_into) == ("accepted", None)
    assert (await desk.history(first))[-1] == ("op03", "merged", "2611-0002", None, "another kitchen")
    assert await calls_of(desk, first) == [f"1763800000.{number}" for number in (1, 2, 3)]
    await links.unlink(desk.sessions, first, "1763800000.2", by="op03", now=LATER)
    assert await family(desk, first) == [first, third]
    assert (await merge.unmerge(desk.sessions, third, "another", by="op03", now=LATER)).lifecycle == "open"
    with pytest.raises(IllegalStep, match="was merged into none"):
        await merge.unmerge(desk.sessions, third, "another", by="op03", now=LATER)


async def test_a_call_that_both_had_is_linked_once(desk) -> None:
    first, second = await desk.filled(), await desk.filled()
    async with desk.sessions.begin() as session:
        session.add(Call(id="1763800000.1", node="n", stage="ended", topic="fire", pressed="", arrived_at=NOW))
    await links.link(desk.sessions, second, "1763800000.1", by="op01", now=NOW)
    await into(desk, second, first)
    assert await calls_of(desk, first) == ["1763800000.1", "1763800000.2"]


values = st.fixed_dictionaries({name: st.none() | st.sampled_from(["", " ", "a", "b"]) for name in merging.OFFERED})


@given(values, st.lists(values, max_size=3))
def test_offered_is_what_one_lacks_and_another_has_the_first_of_them(into_values, merged) -> None:
    found = merging.offered(into_values, merged)
    for name in merging.OFFERED:
        known = [one[name] for one in merged if (one[name] or "").strip()]
        lacks = not (into_values[name] or "").strip()
        assert found.get(name) == (known[0] if lacks and known else None)


@given(st.dictionaries(st.sampled_from(["damkar", "polres"]), st.sampled_from(forwarding.State)), st.booleans(),
       st.booleans())  # fmt: skip
def test_a_merge_leaves_nothing_verified_that_nobody_looks_after(told, may_leave, into_may_leave) -> None:
    reason = merging.why_not("1", "2", told, may_leave=may_leave, into_may_leave=into_may_leave)
    waits = {"queued", "sent"} & set(told.values())
    assert (reason is None) is (not waits and (into_may_leave or not may_leave))


def test_a1_or_an_override_may_leave() -> None:
    assert merging.may_leave(A1, None)
    assert merging.may_leave("open", "op01")
    assert not merging.may_leave("not_true", None)
