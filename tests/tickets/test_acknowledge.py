"""A person at the agency follows the link: once it counts, after that it tells."""

import asyncio
from datetime import timedelta

import pytest

from tests.tickets.conftest import NOW
from tickets import link, service, store
from tickets.acknowledge import acknowledge
from tickets.forwarding import DONE, ON_THE_WAY, REFUSED

LATER = NOW + timedelta(minutes=4)
SECRET = b"a secret of this house"


async def token(desk, ticket_id: int, code: str = "damkar") -> str:
    return link.token(SECRET, await desk.forwarding_id(ticket_id, code))


async def test_the_first_use_accepts_and_the_second_tells_when_and_by_whom(desk) -> None:
    ticket_id = await desk.forwarded("damkar")
    first = await acknowledge(desk.sessions, await token(desk, ticket_id), SECRET, "Pak Joko", NOW)
    assert (first.first, first.ticket_number, first.agency_code) == (True, "2611-0001", "damkar")
    assert (await desk.ticket(ticket_id)).lifecycle == "accepted"
    assert ("damkar", "forwarding damkar", "queued", "accepted", "Pak Joko") in await desk.history(ticket_id)
    before = await desk.ticket(ticket_id), await desk.history(ticket_id)

    second = await acknowledge(desk.sessions, await token(desk, ticket_id), SECRET, "Bu Sri", LATER)
    assert (second.first, second.accepted_at, second.accepted_by) == (False, NOW, "Pak Joko")
    assert (await desk.ticket(ticket_id)).version == before[0].version
    assert await desk.history(ticket_id) == before[1]


async def test_an_agency_that_accepts_does_not_disturb_who_is_typing(desk) -> None:
    ticket_id = await desk.forwarded("damkar")
    seen = (await desk.ticket(ticket_id)).version
    await acknowledge(desk.sessions, await token(desk, ticket_id), SECRET, "", LATER)
    accepted = await desk.ticket(ticket_id)
    assert (accepted.lifecycle, accepted.version, accepted.updated_at) == ("accepted", seen, LATER)
    await service.fill(desk.sessions, ticket_id, {"place": "Kios 3"}, by="op01", now=LATER, version=seen)


async def test_of_ten_uses_at_once_one_is_the_first(desk) -> None:
    ticket_id = await desk.forwarded("damkar")
    its = await token(desk, ticket_id)
    done = await asyncio.gather(*(acknowledge(desk.sessions, its, SECRET, "", NOW) for _ in range(10)))
    assert sum(each.first for each in done) == 1
    assert {each.accepted_at for each in done} == {NOW}


async def test_the_ticket_is_accepted_when_the_last_agency_has_accepted(desk) -> None:
    ticket_id = await desk.forwarded("damkar", "psc119")
    seen = []
    for code in ("psc119", "damkar"):
        await acknowledge(desk.sessions, await token(desk, ticket_id, code), SECRET, "", NOW)
        seen.append((await desk.ticket(ticket_id)).lifecycle)
    assert seen == ["forwarded", "accepted"]


async def test_two_agencies_that_accept_at_once_both_count(desk) -> None:
    ticket_id = await desk.forwarded("damkar", "psc119")
    links = [await token(desk, ticket_id, code) for code in ("damkar", "psc119")]
    await asyncio.gather(*(acknowledge(desk.sessions, each, SECRET, "", NOW) for each in links))
    assert (await desk.ticket(ticket_id)).lifecycle == "accepted"


async def test_a_link_not_of_our_making_is_unknown(desk) -> None:
    ticket_id = await desk.forwarded("damkar")
    for wrong in ("", "1", "1.", f"{await token(desk, ticket_id)}x", link.token(b"another", 1)):
        with pytest.raises(store.Unknown, match="not one of ours"):
            await acknowledge(desk.sessions, wrong, SECRET, "", NOW)
    with pytest.raises(store.Unknown, match="no forwarding 4711"):
        await acknowledge(desk.sessions, link.token(SECRET, 4711), SECRET, "", NOW)
    assert await desk.states(ticket_id) == {"damkar": "queued"}


async def test_an_agency_that_refused_may_think_better_of_it(desk) -> None:
    ticket_id = await desk.forwarded("damkar")
    forwarding_id = await desk.forwarding_id(ticket_id)
    await service.agency_said(desk.sessions, forwarding_id, REFUSED, "no water", by="op01", now=NOW)
    assert (await acknowledge(desk.sessions, await token(desk, ticket_id), SECRET, "", LATER)).first
    assert (await desk.ticket(ticket_id)).lifecycle == "accepted"


@pytest.mark.parametrize("further", [[ON_THE_WAY], [ON_THE_WAY, DONE]])
async def test_an_agency_that_is_further_is_not_brought_back_by_its_link(desk, further) -> None:
    ticket_id = await desk.forwarded("damkar")
    await acknowledge(desk.sessions, await token(desk, ticket_id), SECRET, "", NOW)
    for to in further:
        await service.agency_said(
            desk.sessions, await desk.forwarding_id(ticket_id), to, "", by="op01", now=NOW
        )
    assert not (await acknowledge(desk.sessions, await token(desk, ticket_id), SECRET, "", LATER)).first
    assert await desk.states(ticket_id) == {"damkar": further[-1]}


async def test_a_link_that_is_used_after_the_ticket_was_closed_leaves_it_closed(desk) -> None:
    ticket_id = await desk.forwarded("damkar")
    await service.agency_said(
        desk.sessions, await desk.forwarding_id(ticket_id), REFUSED, "no", by="op01", now=NOW
    )
    await service.close(desk.sessions, ticket_id, "the caller put it out", by="op01", now=NOW)
    assert (await acknowledge(desk.sessions, await token(desk, ticket_id), SECRET, "", LATER)).first
    assert (await desk.ticket(ticket_id)).lifecycle == "closed"
