"""What operators do with a ticket: each a transaction with its history, or nothing at all."""

import asyncio
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from db.models import Agency, Forwarding, OutboxMessage, Ticket
from tests.tickets.conftest import NOW
from tickets import forwarding, service, store
from tickets.forwarding import ACCEPTED, DONE, ON_THE_WAY, QUEUED, REFUSED, SENT
from tickets.service import Conflict, IllegalStep, Incomplete, NotForwardable
from tickets.verification import A1, CANNOT_BE_CHECKED, CHECKING, NOT_TRUE, Verification

LATER = NOW + timedelta(minutes=1)


async def test_filling_a_draft_opens_it_and_notes_every_field(desk) -> None:
    ticket_id = await desk.draft()
    form = {"place": " Jl. Melati 3 ", "narrative": "Api", "topic": "fire", "category": " "}
    ticket = await service.fill(desk.sessions, ticket_id, form, by="op01", now=LATER, version=1)
    assert (ticket.lifecycle, ticket.place, ticket.category, ticket.version) == (
        "open",
        "Jl. Melati 3",
        None,
        2,
    )
    assert (ticket.created_at, ticket.updated_at) == (NOW, LATER)
    assert await desk.history(ticket_id) == [
        ("kentongan", "lifecycle", None, "draft", "call 1763800000.1"),
        ("op01", "lifecycle", "draft", "open", None),
        ("op01", "place", None, "Jl. Melati 3", None),
        ("op01", "narrative", None, "Api", None),
        ("op01", "topic", "any", "fire", None),
    ]


async def test_the_same_again_is_no_change(desk) -> None:
    ticket_id = await desk.filled()
    before, lines = await desk.ticket(ticket_id), await desk.history(ticket_id)
    ticket = await service.fill(desk.sessions, ticket_id, {"topic": "fire"}, by="op02", now=LATER)
    assert (ticket.version, ticket.updated_at) == (before.version, NOW)
    assert await desk.history(ticket_id) == lines


async def test_who_saw_an_older_version_is_told_and_nothing_changes(desk) -> None:
    ticket_id = await desk.filled()
    with pytest.raises(Conflict, match=r"ticket 2611-0001 .* \(you saw version 1, it is at 2\)"):
        await service.fill(desk.sessions, ticket_id, {"place": "x"}, by="op02", now=LATER, version=1)
    assert (await desk.ticket(ticket_id)).place == "Pasar Rogojampi"


async def test_of_two_who_save_at_once_one_is_told(desk) -> None:
    ticket_id = await desk.filled()
    said = await asyncio.gather(
        *(
            service.fill(
                desk.sessions, ticket_id, {"place": f"place {n}"}, by=f"op0{n}", now=LATER, version=2
            )
            for n in range(1, 6)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Conflict) for result in said) == 4
    assert sum(isinstance(result, Ticket) for result in said) == 1
    assert (await desk.ticket(ticket_id)).version == 3


async def test_a_field_that_the_form_does_not_have_is_refused(desk) -> None:
    ticket_id = await desk.draft()
    with pytest.raises(ValueError, match="no lifecycle, verification; what can be written is topic, category"):
        await service.fill(
            desk.sessions, ticket_id, {"verification": "a1", "lifecycle": "x"}, by="op01", now=NOW
        )


async def test_a_ticket_that_is_not_there_is_unknown(desk) -> None:
    with pytest.raises(store.Unknown, match="there is no ticket 4711"):
        await service.begin_check(desk.sessions, 4711, by="op01", now=NOW)


async def test_a1_needs_a_check_that_was_begun(desk) -> None:
    ticket_id = await desk.filled()
    with pytest.raises(IllegalStep, match="open cannot become A1; it can become: checking"):
        await service.verify(desk.sessions, ticket_id, A1, "seen", by="op01", now=NOW)
    assert (await desk.ticket(ticket_id)).evidence is None


async def test_a1_says_what_it_still_needs_and_leaves_the_check_open(desk) -> None:
    ticket_id = await desk.draft()
    await service.begin_check(desk.sessions, ticket_id, by="op01", now=NOW)
    with pytest.raises(Incomplete, match="A1 needs: topic, place, narrative, evidence") as told:
        await service.verify(desk.sessions, ticket_id, A1, " ", by="op01", now=NOW)
    assert told.value.fields == ["topic", "place", "narrative", "evidence"]
    assert (await desk.ticket(ticket_id)).verification == CHECKING


async def test_a1_says_who_when_and_how(desk) -> None:
    ticket = await desk.ticket(await desk.verified())
    assert (ticket.verification, ticket.verified_by, ticket.verified_at, ticket.evidence) == (
        "a1", "op01", NOW, "Called back, smoke seen",
    )  # fmt: skip


async def test_a_verdict_without_words_leaves_those_of_the_one_before_but_a1_rests_on_its_own(desk) -> None:
    ticket_id = await desk.filled()
    for result, words in ((NOT_TRUE, "The neighbour saw nothing"), (CANNOT_BE_CHECKED, " ")):
        await service.begin_check(desk.sessions, ticket_id, by="op01", now=NOW)
        ticket = await service.verify(desk.sessions, ticket_id, result, words, by="op01", now=NOW)
        assert (ticket.verification, ticket.evidence) == (result, "The neighbour saw nothing")
    await service.begin_check(desk.sessions, ticket_id, by="op01", now=NOW)
    with pytest.raises(Incomplete, match=r"A1 needs: evidence$"):
        await service.verify(desk.sessions, ticket_id, A1, "", by="op01", now=NOW)


async def test_what_a1_rests_on_cannot_be_emptied_any_more(desk) -> None:
    ticket_id = await desk.verified()
    for field in ("topic", "place", "narrative"):
        with pytest.raises(Incomplete, match=f"A1 needs: {field}$"):
            await service.fill(desk.sessions, ticket_id, {field: ""}, by="op01", now=NOW)


@pytest.mark.parametrize("result", [NOT_TRUE, CANNOT_BE_CHECKED])
async def test_what_was_not_found_true_may_be_checked_again(desk, result: Verification) -> None:
    ticket_id = await desk.filled()
    await service.begin_check(desk.sessions, ticket_id, by="op01", now=NOW)
    await service.verify(desk.sessions, ticket_id, result, "", by="op01", now=NOW)
    await service.begin_check(desk.sessions, ticket_id, by="op02", now=NOW)
    ticket = await service.verify(desk.sessions, ticket_id, A1, "A neighbour called", by="op02", now=LATER)
    assert (ticket.verification, ticket.verified_by, ticket.verified_at) == (A1, "op02", LATER)


async def test_without_a1_nothing_is_forwarded_and_the_reason_is_said(desk) -> None:
    ticket_id = await desk.filled()
    with pytest.raises(
        NotForwardable, match=r"2611-0001 cannot be forwarded: .* not A1; danger to life needs"
    ):
        await service.forward(desk.sessions, ticket_id, ["damkar"], by="op01", now=NOW)
    assert await desk.states(ticket_id) == {}
    assert (await desk.ticket(ticket_id)).lifecycle == "open"


@pytest.mark.parametrize(("by", "why"), [("op01", " "), ("", "trapped")])
async def test_an_override_needs_who_and_why(desk, by: str, why: str) -> None:
    ticket_id = await desk.draft()
    with pytest.raises(NotForwardable, match="who answers for it and which danger"):
        await service.override(desk.sessions, ticket_id, why, by=by, now=NOW)
    assert (await desk.ticket(ticket_id)).lifecycle == "draft"


async def test_danger_to_life_goes_out_unverified_and_says_so(desk) -> None:
    ticket_id = await desk.draft()
    await service.override(desk.sessions, ticket_id, "screams, then silence", by="op01", now=NOW)
    ticket = await service.forward(desk.sessions, ticket_id, ["polres"], by="op01", now=NOW)
    assert ticket.lifecycle == "forwarded"
    async with desk.sessions() as session:
        message = await store.message_of(session, await desk.forwarding_id(ticket_id, "polres"))
    assert (message.payload["verification"], message.payload["unverified"]) == ("open", True)
    assert message.payload["override"] == {"by": "op01", "why": "screams, then silence"}
    assert ("op01", "override_by", None, "op01", "screams, then silence") in await desk.history(ticket_id)


async def test_forwarding_makes_one_row_and_one_message_for_each_agency_named(desk) -> None:
    ticket_id = await desk.verified()
    ticket = await service.forward(
        desk.sessions, ticket_id, ["damkar", "psc119", "damkar"], by="op01", now=LATER, version=4
    )
    assert (ticket.lifecycle, ticket.version) == ("forwarded", 5)
    assert await desk.states(ticket_id) == {"damkar": "queued", "psc119": "queued"}
    async with desk.sessions() as session:
        messages = [message for message, _, _ in await store.undelivered(session)]
    assert len({message.key for message in messages}) == 2
    assert {(message.state, message.due_at, message.attempts) for message in messages} == {
        ("waiting", LATER, 0)
    }
    assert messages[0].payload == {
        "ticket": "2611-0001",
        "service": "emergency",
        "topic": "fire",
        "category": None,
        "category_name": None,
        "place": "Pasar Rogojampi",
        "subdistrict": None,
        "village": None,
        "latitude": None,
        "longitude": None,
        "narrative": "Api di kios nomor 3",
        "subject_name": None,
        "subject_number": None,
        "answers": [],
        "form": [],
        "verification": "a1",
        "unverified": False,
        "override": None,
    }
    assert ("op01", "forwarding damkar", None, "queued", None) in await desk.history(ticket_id)


async def test_an_agency_nobody_knows_stops_all_of_the_forwarding(desk) -> None:
    ticket_id = await desk.verified()
    with pytest.raises(store.Unknown, match="there is no agency fbi"):
        await service.forward(desk.sessions, ticket_id, ["damkar", "fbi"], by="op01", now=NOW)
    assert await desk.states(ticket_id) == {}
    async with desk.sessions() as session:
        assert (await session.scalars(select(OutboxMessage))).all() == []


async def test_forwarding_to_nobody_is_refused(desk) -> None:
    with pytest.raises(ValueError, match="at least one agency"):
        await service.forward(desk.sessions, await desk.verified(), [], by="op01", now=NOW)


async def test_an_agency_that_has_it_is_not_told_twice(desk) -> None:
    ticket_id = await desk.forwarded("damkar")
    await service.forward(desk.sessions, ticket_id, ["damkar", "bpbd"], by="op01", now=NOW)
    async with desk.sessions() as session:
        assert len((await session.scalars(select(OutboxMessage))).all()) == 2


@pytest.mark.parametrize(("left", "messages"), [("waiting", 1), ("set_aside", 1), ("sent", 2)])
async def test_an_agency_that_refused_may_be_asked_again_and_is_told_once_more(desk, left, messages) -> None:
    ticket_id = await desk.forwarded("damkar")
    async with desk.sessions.begin() as session:
        await session.execute(update(OutboxMessage).values(state=left))
        await session.execute(update(Agency).values(url="http://127.0.0.1:9/", secret="whsec_AAAA"))
    forwarding_id = await desk.forwarding_id(ticket_id)
    await service.agency_said(desk.sessions, forwarding_id, REFUSED, "no water", by="op01", now=NOW)
    assert (await desk.ticket(ticket_id)).lifecycle == "refused"
    async with desk.sessions() as session:
        assert await store.agencies_due(session, LATER) == []
    await service.forward(desk.sessions, ticket_id, ["damkar"], by="op01", now=NOW)
    assert (await desk.ticket(ticket_id)).lifecycle == "forwarded"
    async with desk.sessions() as session:
        rows = (await session.scalars(select(OutboxMessage))).all()
        assert [row.state for row in rows].count("waiting") == 1
        assert len({row.key for row in rows}) == messages


async def test_the_ticket_follows_the_least_advanced_of_its_agencies(desk) -> None:
    ticket_id = await desk.forwarded("damkar", "psc119")
    damkar, psc119 = [await desk.forwarding_id(ticket_id, code) for code in ("damkar", "psc119")]
    seen = []
    for who, to in [
        (damkar, ACCEPTED),
        (psc119, ACCEPTED),
        (damkar, ON_THE_WAY),
        (psc119, REFUSED),
        (damkar, DONE),
    ]:
        ticket = await service.agency_said(desk.sessions, who, to, "by phone", by="op01", now=LATER)
        seen.append(ticket.lifecycle)
    assert seen == ["forwarded", "accepted", "accepted", "on_the_way", "done"]
    async with desk.sessions() as session:
        row, _ = await store.forwarding(session, damkar)
        assert (row.accepted_at, row.accepted_by) == (LATER, "op01")


async def test_an_agency_has_five_minutes_and_five_more_when_it_is_asked_again(desk) -> None:
    ticket_id = await desk.forwarded("damkar")
    forwarding_id, five = await desk.forwarding_id(ticket_id), timedelta(minutes=5)

    async def clock() -> tuple[datetime | None, datetime | None]:
        async with desk.sessions() as session:
            row, _ = await store.forwarding(session, forwarding_id)
            return row.accept_by, row.accepted_at

    assert await clock() == (NOW + five, None)
    for said in (ACCEPTED, REFUSED):
        await service.agency_said(desk.sessions, forwarding_id, said, "by phone", by="op01", now=NOW)
    await service.forward(desk.sessions, ticket_id, ["damkar"], by="op01", now=LATER)
    assert await clock() == (LATER + five, None)


async def test_a_step_that_an_agency_cannot_take_changes_nothing(desk) -> None:
    ticket_id = await desk.forwarded("damkar")
    lines = await desk.history(ticket_id)
    with pytest.raises(
        IllegalStep, match="queued cannot become done; it can become: accepted, refused, sent"
    ):
        await service.agency_said(
            desk.sessions, await desk.forwarding_id(ticket_id), DONE, "", by="op01", now=NOW
        )
    assert await desk.states(ticket_id) == {"damkar": "queued"}
    assert await desk.history(ticket_id) == lines


async def test_that_a_message_was_sent_is_nothing_an_agency_says(desk) -> None:
    forwarding_id = await desk.forwarding_id(await desk.forwarded("damkar"))
    for to in (QUEUED, SENT):
        with pytest.raises(ValueError, match="an agency says accepted, on the way, done or refused"):
            await service.agency_said(desk.sessions, forwarding_id, to, "", by="op01", now=NOW)


async def test_a_draft_is_closed_with_a_reason_and_then_stays_as_it_is(desk) -> None:
    ticket_id = await desk.draft()
    with pytest.raises(ValueError, match="closed with a reason"):
        await service.close(desk.sessions, ticket_id, " ", by="op01", now=NOW)
    ticket = await service.close(desk.sessions, ticket_id, "nobody there", by="op01", now=NOW)
    assert ticket.lifecycle == "closed"
    form = {"place": "x"}
    for attempt in (
        service.fill(desk.sessions, ticket_id, form, by="op01", now=NOW),
        service.begin_check(desk.sessions, ticket_id, by="op01", now=NOW),
        service.override(desk.sessions, ticket_id, "danger", by="op01", now=NOW),
        service.forward(desk.sessions, ticket_id, ["damkar"], by="op01", now=NOW),
    ):
        with pytest.raises(IllegalStep, match="2611-0001 is closed"):
            await attempt


async def test_a_ticket_that_was_closed_is_reopened_with_a_reason_and_stands_where_its_agencies_are(desk) -> None:
    told, quiet = await desk.forwarded("damkar"), await desk.filled()
    await service.agency_said(desk.sessions, await desk.forwarding_id(told), ACCEPTED, "", by="op01", now=NOW)
    for ticket_id, stands in ((told, "accepted"), (quiet, "open")):
        with pytest.raises(IllegalStep, match="is not closed"):
            await service.reopen(desk.sessions, ticket_id, "more smoke", by="op01", now=NOW)
        await service.close(desk.sessions, ticket_id, "over", by="op01", now=NOW)
        with pytest.raises(ValueError, match="reopened with a reason"):
            await service.reopen(desk.sessions, ticket_id, " ", by="op01", now=NOW)
        ticket = await service.reopen(desk.sessions, ticket_id, "more smoke", by="op01", now=LATER)
        assert ticket.lifecycle == stands
        assert (await desk.history(ticket_id))[-1] == ("op01", "lifecycle", "closed", stands, "more smoke")


async def test_an_agency_that_refuses_after_all_has_not_accepted(desk) -> None:
    ticket_id = await desk.forwarded("damkar")
    forwarding_id = await desk.forwarding_id(ticket_id)
    for to, at, by in ((ACCEPTED, NOW, "op01"), (REFUSED, None, None)):
        await service.agency_said(desk.sessions, forwarding_id, to, "by telephone", by="op01", now=NOW)
        async with desk.sessions() as session:
            row, _ = await store.forwarding(session, forwarding_id)
        assert (row.state, row.accepted_at, row.accepted_by) == (to, at, by)


async def test_what_no_agency_has_accepted_is_not_closed(desk) -> None:
    ticket_id = await desk.forwarded("damkar")
    with pytest.raises(IllegalStep, match="forwarded cannot become closed"):
        await service.close(desk.sessions, ticket_id, "done with it", by="op01", now=NOW)


OPERATIONS = st.lists(
    st.sampled_from(
        ["fill", "check", "a1", "not_true", "override", "blank", "forward", "close", "reopen", *forwarding.State]
    ),
    max_size=14,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=OPERATIONS)
async def test_no_path_leads_out_of_the_house_without_a1_or_override(desk, operations: list[str]) -> None:
    """And whatever was refused has changed nothing; every change has raised the version."""
    ticket_id = await desk.draft()
    for operation in operations:
        before, lines = await desk.ticket(ticket_id), await desk.history(ticket_id)
        try:
            await play(desk, ticket_id, operation)
        except (IllegalStep, Incomplete, NotForwardable):
            after = await desk.ticket(ticket_id)
            assert (after.version, await desk.history(ticket_id)) == (before.version, lines)
        after = await desk.ticket(ticket_id)
        told = await desk.states(ticket_id)
        if told or after.lifecycle not in ("draft", "open", "closed"):
            assert after.verification == A1 or (after.override_by and after.override_reason)
        changed = [
            getattr(before, f) != getattr(after, f)
            for f in ("lifecycle", "verification", "place", "override_by")
        ]
        assert after.version > before.version if any(changed) else after.version >= before.version


async def play(desk, ticket_id: int, operation: str) -> None:
    s, by = desk.sessions, {"by": "op01", "now": NOW}
    if operation in list(forwarding.State):
        if operation not in (QUEUED, SENT) and "damkar" in await desk.states(ticket_id):
            to = forwarding.State(operation)
            await service.agency_said(s, await desk.forwarding_id(ticket_id), to, "", **by)
        return
    form = {"topic": "fire", "place": "Genteng", "narrative": "Api"}
    await {
        "fill": lambda: service.fill(s, ticket_id, form, **by),
        "check": lambda: service.begin_check(s, ticket_id, **by),
        "a1": lambda: service.verify(s, ticket_id, A1, "seen", **by),
        "not_true": lambda: service.verify(s, ticket_id, NOT_TRUE, "", **by),
        "override": lambda: service.override(s, ticket_id, "danger", **by),
        "blank": lambda: service.override(s, ticket_id, " ", **by),
        "forward": lambda: service.forward(s, ticket_id, ["damkar"], **by),
        "close": lambda: service.close(s, ticket_id, "over", **by),
        "reopen": lambda: service.reopen(s, ticket_id, "not over", **by),
    }[operation]()


async def test_states_in_the_database_are_words_of_the_tables(desk) -> None:
    ticket_id = await desk.forwarded("damkar")
    async with desk.sessions() as session:
        states = (await session.scalars(select(Forwarding.state))).all()
    ticket = await desk.ticket(ticket_id)
    assert [type(word) for word in (ticket.lifecycle, ticket.verification, *states)] == [str, str, str]
    assert states == [QUEUED]
    assert SENT == "sent"
