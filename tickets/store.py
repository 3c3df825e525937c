"""tickets: all SQL of this room. Functions take a session (or connection) and leave commit to its owner."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, bindparam, insert, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from db.audit import Entry, Trail
from db.models import Agency, Audit, Call, CallTicket, Forwarding, OutboxMessage, Service, Ticket, TicketNumber
from tickets import clocks, numbers
from tickets.delivery import SENT, WAITING
from tickets.forwarding import QUEUED, REFUSED
from tickets.lifecycle import DRAFT
from tickets.verification import OPEN

#: the kind of thing that a ticket is, in the audit
AUDITED = "ticket"
#: the service whose tickets calls open
EMERGENCY = "emergency"
_CLOCK = select(Service.prefix, Service.handle_for).where(Service.code == bindparam("code"))

Found = TypeVar("Found")


class Unknown(LookupError):
    """There is no such ticket, agency, forwarding or link."""


# drafts: written by the journal's writer, in its transaction


def open_draft(
    connection: Connection, trail: Trail, call_id: str, topic: str, reporter_number: str | None, at: datetime
) -> int:
    """The id of the call's ticket, a new draft if it has none yet. Again is harmless.

    The ticket's number takes its month from `at`, in the zone of `at`. Until the transaction ends, others who
    want a number wait: numbers run on without doubles, and a draft that is rolled back leaves no hole.
    """
    found = _ticket_of(connection, call_id)
    if found is not None:
        return found
    service = connection.execute(_CLOCK, {"code": EMERGENCY}).one_or_none()  # none: a house without its seed
    number = next_number(connection, numbers.series(service.prefix if service else "", at))
    found = _ticket_of(connection, call_id)  # another writer's, who had the number's row before us
    if found is not None:
        return found
    ticket_id = connection.execute(
        insert(Ticket)
        .values(
            number=number,
            service=EMERGENCY,
            lifecycle=DRAFT,
            verification=OPEN,
            topic=topic,
            reporter_number=reporter_number,
            due_at=clocks.after(at, service.handle_for if service else None),
            created_at=at,
            updated_at=at,
            version=1,
        )
        .returning(Ticket.id)
    ).scalar_one()
    connection.execute(insert(CallTicket).values(call_id=call_id, ticket_id=ticket_id))
    trail.add(Entry(at, "kentongan", AUDITED, str(ticket_id), "lifecycle", None, DRAFT, f"call {call_id}"))
    return ticket_id


def choose_topic(connection: Connection, trail: Trail, call_id: str, topic: str, at: datetime) -> None:
    """What the caller chose in the menu, for a draft that has no topic yet. Never overrules a person."""
    linked = select(CallTicket.ticket_id).where(CallTicket.call_id == call_id)
    changed = connection.scalars(
        update(Ticket)
        .where(
            Ticket.id.in_(linked), Ticket.lifecycle == DRAFT, Ticket.topic == "any", literal(topic) != "any"
        )
        .values(topic=topic, updated_at=at, version=Ticket.version + 1)
        .returning(Ticket.id)
    ).all()
    for ticket_id in changed:
        trail.add(Entry(at, "kentongan", AUDITED, str(ticket_id), "topic", "any", topic))


def _ticket_of(connection: Connection, call_id: str) -> int | None:
    """The call's first ticket."""
    return connection.scalar(
        select(CallTicket.ticket_id)
        .where(CallTicket.call_id == call_id)
        .order_by(CallTicket.ticket_id)
        .limit(1)
    )


def next_number(connection: Connection, series: str) -> str:
    """The next ticket's. Until the transaction ends, others who want one of this series wait."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    last = connection.execute(
        dialect.insert(TicketNumber)
        .values(series=series, last=1)
        .on_conflict_do_update(index_elements=["series"], set_={"last": TicketNumber.last + 1})
        .returning(TicketNumber.last)
    ).scalar_one()
    return numbers.number(series, last)


# reading


async def ticket(session: AsyncSession, ticket_id: int) -> Ticket:
    """Raises Unknown."""
    return _found(await session.get(Ticket, ticket_id), "ticket", ticket_id)


async def ticket_with_number(session: AsyncSession, number: str) -> Ticket:
    """Raises Unknown."""
    return _found(await session.scalar(select(Ticket).where(Ticket.number == number)), "ticket", number)


async def calls(session: AsyncSession, call_ids: Sequence[str]) -> Sequence[Call]:
    """Those of them that have a record."""
    return (await session.scalars(select(Call).where(Call.id.in_(call_ids)))).all() if call_ids else []


async def tickets_of(session: AsyncSession, call_id: str) -> Sequence[Ticket]:
    """The call's tickets, the draft that it opened first."""
    linked = select(Ticket).join(CallTicket).where(CallTicket.call_id == call_id).order_by(Ticket.id)
    return (await session.scalars(linked)).all()


async def calls_of(session: AsyncSession, ticket_id: int) -> Sequence[str]:
    """Ids of the calls that belong to the ticket."""
    linked = select(CallTicket.call_id).where(CallTicket.ticket_id == ticket_id).order_by(CallTicket.call_id)
    return (await session.scalars(linked)).all()


async def history(session: AsyncSession, ticket_id: int) -> Sequence[Audit]:
    """All that was changed of a ticket, in that order."""
    taken = select(Audit).where(Audit.what == AUDITED, Audit.which == str(ticket_id)).order_by(Audit.seq)
    return (await session.scalars(taken)).all()


async def forwardings_of(session: AsyncSession, ticket_id: int) -> Sequence[tuple[Forwarding, Agency]]:
    """Whom the ticket was forwarded to, in that order."""
    rows = await session.execute(
        select(Forwarding, Agency)
        .join(Agency)
        .where(Forwarding.ticket_id == ticket_id)
        .order_by(Forwarding.id)
    )
    return [(forwarding, agency) for forwarding, agency in rows]


async def forwarding(session: AsyncSession, forwarding_id: int) -> tuple[Forwarding, Agency]:
    """One forwarding and its agency, as they stand now. Raises Unknown."""
    row = (
        await session.execute(
            select(Forwarding, Agency)
            .join(Agency)
            .where(Forwarding.id == forwarding_id)
            .execution_options(populate_existing=True)
        )
    ).one_or_none()
    found = _found(row, "forwarding", forwarding_id)
    return found[0], found[1]


async def agencies(session: AsyncSession) -> Sequence[Agency]:
    """The active ones, by their code."""
    return (await session.scalars(select(Agency).where(Agency.active).order_by(Agency.code))).all()


async def agency(session: AsyncSession, code: str) -> Agency:
    """An active agency. Raises Unknown, with the codes that there are."""
    found = {one.code: one for one in await agencies(session)}
    if code not in found:
        raise Unknown(f"there is no agency {code}; there are: {', '.join(found)}")
    return found[code]


def is_reachable(agency: Agency) -> bool:
    """Whether messages to it can be sent; otherwise it must be telephoned."""
    return agency.url is not None and agency.secret is not None


async def undelivered(session: AsyncSession) -> Sequence[tuple[OutboxMessage, Forwarding, Agency]]:
    """What agencies do not know yet: set aside, tried again, or without an address. The oldest first."""
    rows = await session.execute(
        select(OutboxMessage, Forwarding, Agency)
        .join(Forwarding, OutboxMessage.forwarding_id == Forwarding.id)
        .join(Agency)
        .where(OutboxMessage.state != SENT, Forwarding.state == QUEUED)
        .order_by(OutboxMessage.id)
    )
    return [(message, forwarding, agency) for message, forwarding, agency in rows]


# changing: in a transaction that holds the ticket, so that changes of one ticket take turns


async def for_change(session: AsyncSession, ticket_id: int) -> Ticket:
    """The ticket as it stands now; others who want to change it wait for our transaction. Raises Unknown."""
    held = select(Ticket).where(Ticket.id == ticket_id).with_for_update()
    return _found(await session.scalar(held.execution_options(populate_existing=True)), "ticket", ticket_id)


async def message_of(session: AsyncSession, forwarding_id: int) -> OutboxMessage:
    """The forwarding's latest message. Raises Unknown."""
    latest = (
        select(OutboxMessage)
        .where(OutboxMessage.forwarding_id == forwarding_id)
        .order_by(OutboxMessage.id.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )
    return _found(await session.scalar(latest), "message of forwarding", forwarding_id)


async def message(session: AsyncSession, message_id: int) -> OutboxMessage:
    """As it stands now. Raises Unknown."""
    return _found(await session.get(OutboxMessage, message_id, populate_existing=True), "message", message_id)


# the outbox: a message is claimed by moving `due_at` behind the end of the claim


async def agencies_due(session: AsyncSession, now: datetime) -> Sequence[int]:
    """Ids of the agencies that have an address, a secret and a message that is due."""
    due = _sendable(select(Forwarding.agency_id)).where(OutboxMessage.due_at <= now).distinct()
    return (await session.scalars(due.order_by(Forwarding.agency_id))).all()


async def next_due(session: AsyncSession, now: datetime) -> datetime | None:
    """When the next message that is not due yet will be."""
    later = _sendable(select(OutboxMessage.due_at)).where(OutboxMessage.due_at > now)
    found: datetime | None = await session.scalar(later.order_by(OutboxMessage.due_at).limit(1))
    return found


async def claim(
    session: AsyncSession, agency_id: int, now: datetime, until: datetime
) -> tuple[OutboxMessage, Forwarding, Agency] | None:
    """The agency's message that has been due longest, ours until `until`; None if none is left.

    On PostgreSQL a row that another instance is just claiming is passed over; on SQLite there is one writer.
    """
    row = (
        await session.execute(
            _sendable(select(OutboxMessage, Forwarding, Agency))
            .where(Forwarding.agency_id == agency_id, OutboxMessage.due_at <= now)
            .order_by(OutboxMessage.due_at, OutboxMessage.id)
            .limit(1)
            .with_for_update(of=OutboxMessage, skip_locked=True)
            .execution_options(populate_existing=True)
        )
    ).one_or_none()
    if row is None:
        return None
    message, forwarding, agency = row
    message.due_at = until
    message.attempts += 1
    return message, forwarding, agency


def _sendable(query: Any) -> Any:
    return (
        query.select_from(OutboxMessage)
        .join(Forwarding, OutboxMessage.forwarding_id == Forwarding.id)
        .join(Agency, Forwarding.agency_id == Agency.id)
        .where(
            OutboxMessage.state == WAITING,
            Forwarding.state != REFUSED,
            Agency.url.is_not(None),
            Agency.secret.is_not(None),
        )
    )


def _found(row: Found | None, kind: str, name: object) -> Found:
    if row is None:
        raise Unknown(f"there is no {kind} {name}")
    return row
