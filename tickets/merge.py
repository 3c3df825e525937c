"""tickets: one event, several tickets: one goes on, the others go into it, and nothing is lost.

What went in is closed with that reason and stays as it was: its history, notes, attachments and forwardings are read
at its own address and, with its number, at the ticket that goes on, whose calls are then those of both. A ticket whose
agencies have not acknowledged does not go into another (nobody would look after it): the other goes into it, or waits.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from db.audit import Entry, Trail
from db.engine import reading_session
from db.models import CallTicket, Ticket
from tickets import extras_store, lifecycle, merging, store
from tickets.edit import Conflict, Edit, Sessions, editing
from tickets.forwarding import State
from tickets.steps import IllegalStep


@dataclass(frozen=True)
class Merged:
    """Two tickets as they then stand, and what the one that went in could give the other (see merging.offered)."""

    ticket: Ticket
    into: Ticket
    offered: Mapping[str, Any]


async def merge(
    sessions: Sessions, ticket_id: int, into_id: int, *, by: str, now: datetime, version: int | None = None
) -> Merged:
    """`ticket_id` goes into `into_id`, or into the ticket that goes on for that one already.

    `version`: of `ticket_id`, as `by` has seen it. Raises store.Unknown, Conflict, IllegalStep; nothing has changed.
    """
    async with reading_session(sessions) as session:
        into_id = (await extras_store.head(session, into_id)).id
    if into_id == ticket_id:
        raise IllegalStep(f"ticket {ticket_id} goes on for that one already; a ticket cannot go into itself")
    async with _holding(sessions, (ticket_id, into_id), by, now) as held:
        gone, into = held[ticket_id], held[into_id]
        await _check(gone, into, version)
        into.take_up()
        reason = f"merged into {into.ticket.number}"
        gone.put("merged_into", into.ticket.id, reason)
        gone.enter(lifecycle.CLOSED, reason)
        into.note("merged", None, gone.ticket.number)
        await _hand_over_calls(gone, into)
        _hand_over_clock(gone, into)
        into.changed = True
    return Merged(gone.ticket, into.ticket, offered(into.ticket, [gone.ticket]))


async def unmerge(
    sessions: Sessions, ticket_id: int, why: str, *, by: str, now: datetime, version: int | None = None
) -> Ticket:
    """It was another event after all: the ticket goes on by itself, as far as its own agencies are. Calls that the
    other got through it stay linked there until somebody unlinks them. Raises store.Unknown, Conflict, IllegalStep.
    """
    async with editing(sessions, ticket_id, by, now, version) as edit:
        into = edit.ticket.merged_into
        if into is None:
            raise IllegalStep(f"ticket {edit.ticket.number} was merged into none")
        told = await store.forwardings_of(edit.session, ticket_id)
        edit.put("merged_into", None, why)
        edit.enter(lifecycle.reopened(State(row.state) for row, _ in told), why)
        edit.trail.add(Entry(now, by, store.AUDITED, str(into), "merged", edit.ticket.number, None, why))
    return edit.ticket


def offered(ticket: Ticket, merged: Iterable[Ticket]) -> dict[str, Any]:
    """What the ticket lacks and one that went into it knows."""
    return merging.offered(_values(ticket), map(_values, merged))


async def _check(gone: Edit, into: Edit, version: int | None) -> None:
    """Whether it may be, now that nobody else can change either."""
    ticket, other = gone.ticket, into.ticket
    if ticket.merged_into is not None:
        raise IllegalStep(f"ticket {ticket.number} was merged already; what is to go on is the ticket it went into")
    if other.merged_into is not None:
        raise Conflict(f"ticket {other.number} was merged meanwhile; look which ticket goes on for it")
    if version is not None and version != ticket.version:
        raise Conflict(
            f"ticket {ticket.number} was changed meanwhile (you saw version {version}, it is at {ticket.version}); "
            "load it again, and look whether it is still the same event"
        )
    if ticket.lifecycle == lifecycle.CLOSED:
        raise IllegalStep(f"ticket {ticket.number} is closed and does not change any more")
    told = await store.forwardings_of(gone.session, ticket.id)
    reason = merging.why_not(
        ticket.number, other.number, {agency.code: State(row.state) for row, agency in told},
        may_leave=merging.may_leave(ticket.verification, ticket.override_by),
        into_may_leave=merging.may_leave(other.verification, other.override_by),
    )  # fmt: skip
    if reason is not None:
        raise IllegalStep(reason)


async def _hand_over_calls(gone: Edit, into: Edit) -> None:
    there = {link.call_id for link in await extras_store.links(into.session, into.ticket.id)}
    for link in await extras_store.links(gone.session, gone.ticket.id):
        if link.call_id not in there:
            into.session.add(CallTicket(call_id=link.call_id, ticket_id=into.ticket.id, linked_by=into.who))
            into.note("call", None, link.call_id, f"merged from {gone.ticket.number}")


def _hand_over_clock(gone: Edit, into: Edit) -> None:
    """Whoever reported first waits longest: the earlier of both clocks counts."""
    due, other = gone.ticket.due_at, into.ticket.due_at
    if due is not None and (other is None or due < other):
        into.note("due_at", other and other.isoformat(), due.isoformat(), f"merged from {gone.ticket.number}")
        into.ticket.due_at = due


def _values(ticket: Ticket) -> dict[str, Any]:
    return {name: getattr(ticket, name) for name in ("topic", *merging.OFFERED)}


@asynccontextmanager
async def _holding(
    sessions: Sessions, ticket_ids: tuple[int, int], who: str, now: datetime
) -> AsyncIterator[dict[int, Edit]]:
    """Both tickets for one transaction, as tickets.edit.editing holds one; taken in the order of their ids, so that
    two who want the same two take turns. Raises store.Unknown."""
    async with sessions.begin() as session:
        trail, held = Trail(), dict[int, Edit]()
        for ticket_id in sorted(ticket_ids):
            ticket = await store.for_change(session, ticket_id)
            held[ticket_id] = Edit(session, ticket, who, now, trail=trail)
        yield held
        for edit in held.values():
            if edit.changed:
                edit.ticket.version += 1
                edit.ticket.updated_at = now
        await trail.seal_in(session)
        for edit in held.values():
            session.expunge(edit.ticket)
