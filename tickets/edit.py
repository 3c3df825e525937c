"""tickets: how a ticket is changed: held, so that changes take turns, and with a line of history for each.

One `async with editing(...)` is one transaction: an exception inside it changes nothing.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from db.audit import Entry, Trail
from db.models import Agency, Forwarding, Ticket
from tickets import forwarding, lifecycle, store

Sessions = async_sessionmaker[AsyncSession]


class Conflict(Exception):
    """Somebody else changed the ticket since it was read; nothing has changed."""


@dataclass
class Edit:
    """A ticket in somebody's hand."""

    session: AsyncSession
    ticket: Ticket
    who: str
    now: datetime
    #: so that others who saw the ticket before must look again; what its agencies do alone is none of that
    changed: bool = False
    trail: Trail = field(default_factory=Trail)

    def put(self, name: str, value: Any, why: str | None = None) -> None:
        """Change one field and note it; the same value again is no change."""
        before = getattr(self.ticket, name)
        if before != value:
            self.note(name, before, value, why)
            self._keep(name, value)

    def put_within(self, name: str, values: Mapping[str, Any]) -> None:
        """Change some keys of a field that holds several, with a line for each; None takes a key away."""
        held = dict(getattr(self.ticket, name))
        for key, value in values.items():
            before = held.get(key)
            if before != value:
                self.note(f"{name}.{key}", before, value)
                held[key] = value
        self._keep(name, {key: value for key, value in held.items() if value is not None})

    def _keep(self, name: str, value: Any) -> None:
        if getattr(self.ticket, name) != value:
            setattr(self.ticket, name, value)
            self.changed = True

    def note(self, what: str, before: Any, after: Any, why: str | None = None) -> None:
        """One line of the ticket's history: JSON values. It stands in the audit."""
        self.trail.add(Entry(self.now, self.who, store.AUDITED, str(self.ticket.id), what, before, after, why))

    def enter(self, to: lifecycle.Lifecycle, why: str | None = None) -> None:
        """Take a step of the ticket's lifecycle; raises IllegalStep."""
        self.put("lifecycle", lifecycle.step(lifecycle.Lifecycle(self.ticket.lifecycle), to), why)

    def take_up(self) -> None:
        """A person works on it: a draft becomes open. Raises IllegalStep if it is closed."""
        if self.ticket.lifecycle == lifecycle.CLOSED:
            raise lifecycle.IllegalStep(f"ticket {self.ticket.number} is closed and does not change any more")
        if self.ticket.lifecycle == lifecycle.DRAFT:
            self.enter(lifecycle.OPEN)

    async def advance(
        self, row: Forwarding, agency: Agency, to: forwarding.State, why: str | None = None
    ) -> None:
        """Take a step of one forwarding; the ticket follows the least advanced. Raises IllegalStep."""
        before = row.state
        row.state = forwarding.step(forwarding.State(before), to)
        self.note(f"forwarding {agency.code}", before, to, why)
        await self.follow()

    async def follow(self) -> None:
        """Let the lifecycle be what the forwardings make of it. A closed ticket stays closed."""
        rows = await store.forwardings_of(self.session, self.ticket.id)
        to = lifecycle.derived(forwarding.State(row.state) for row, _ in rows)
        now = lifecycle.Lifecycle(self.ticket.lifecycle)
        if now not in (to, lifecycle.CLOSED):
            self.note("lifecycle", now, to)
            self.ticket.lifecycle, self.ticket.updated_at = lifecycle.step(now, to), self.now


@asynccontextmanager
async def editing(
    sessions: Sessions, ticket_id: int, who: str, now: datetime, version: int | None = None
) -> AsyncIterator[Edit]:
    """Hold the ticket for one transaction. `version`: the one that `who` has seen; None: it does not matter.

    Raises store.Unknown, Conflict.
    """
    async with sessions.begin() as session:
        ticket = await store.for_change(session, ticket_id)
        if version is not None and version != ticket.version:
            raise Conflict(
                f"ticket {ticket.number} was changed meanwhile (you saw version {version}, "
                f"it is at {ticket.version}); load it again and repeat what is still needed"
            )
        edit = Edit(session, ticket, who, now)
        yield edit
        if edit.changed:
            ticket.version += 1
            ticket.updated_at = now
        await edit.trail.seal_in(session)
        session.expunge(ticket)  # readable after the transaction
