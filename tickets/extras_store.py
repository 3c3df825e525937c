"""tickets: the SQL of what belongs to tickets: notes, attachments, links, likely duplicates, merges. Functions take a
session and leave commit to its owner."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import Agency, Attachment, Call, CallTicket, Forwarding, Ticket, TicketNote
from tickets.similar import Report
from tickets.store import Unknown

#: of the reports near one in time, so many at most are compared
_MOST_CANDIDATES = 1000


# merged tickets: one event's, from the one that goes on to those that went into it


async def head(session: AsyncSession, ticket_id: int) -> Ticket:
    """The ticket that goes on for this one: itself, if it was merged into none. Raises Unknown."""
    up = select(Ticket.id, Ticket.merged_into).where(Ticket.id == ticket_id).cte("up", recursive=True)
    up = up.union(select(Ticket.id, Ticket.merged_into).join(up, Ticket.id == up.c.merged_into))
    top = select(up.c.id).where(up.c.merged_into.is_(None)).scalar_subquery()
    found = await session.scalar(select(Ticket).where(Ticket.id == top))
    if found is None:
        raise Unknown(f"there is no ticket {ticket_id}")
    return found


async def family(session: AsyncSession, ticket_id: int) -> Sequence[Ticket]:
    """The ticket first, then all that were merged into it, by whatever way, the oldest first. Raises Unknown."""
    down = select(Ticket.id).where(Ticket.id == ticket_id).cte("down", recursive=True)
    down = down.union(select(Ticket.id).join(down, Ticket.merged_into == down.c.id))
    every = select(Ticket).where(Ticket.id.in_(select(down.c.id)))
    found = (await session.scalars(every.order_by(Ticket.id != ticket_id, Ticket.id))).all()
    if not found:
        raise Unknown(f"there is no ticket {ticket_id}")
    return found


# notes and attachments, with the number of the ticket they were written to; the newest first, before `before` (an id)


async def remarks(
    session: AsyncSession, ticket_ids: Sequence[int], limit: int, before: int | None
) -> Sequence[tuple[TicketNote, str]]:
    """What was noted on these tickets."""
    written = select(TicketNote, Ticket.number).join(Ticket).where(TicketNote.ticket_id.in_(ticket_ids))
    if before is not None:
        written = written.where(TicketNote.id < before)
    rows = await session.execute(written.order_by(TicketNote.id.desc()).limit(limit))
    return [(note, number) for note, number in rows]


async def attachments(
    session: AsyncSession, ticket_ids: Sequence[int], limit: int, before: int | None
) -> Sequence[tuple[Attachment, str]]:
    """What was attached to these tickets."""
    sent = select(Attachment, Ticket.number).join(Ticket).where(Attachment.ticket_id.in_(ticket_ids))
    if before is not None:
        sent = sent.where(Attachment.id < before)
    rows = await session.execute(sent.order_by(Attachment.id.desc()).limit(limit))
    return [(attachment, number) for attachment, number in rows]


async def attachment(
    session: AsyncSession, ticket_ids: Sequence[int], attachment_id: int
) -> tuple[Attachment, str]:
    """One of these tickets' attachments. Raises Unknown."""
    sent = select(Attachment, Ticket.number).join(Ticket)
    wanted = sent.where(Attachment.id == attachment_id, Attachment.ticket_id.in_(ticket_ids))
    row = (await session.execute(wanted)).one_or_none()
    if row is None:
        raise Unknown(f"this ticket has no attachment {attachment_id}")
    return row[0], row[1]


async def same_file(session: AsyncSession, ticket_id: int, sha256: str) -> Attachment | None:
    """The ticket's attachment with this very file."""
    same = select(Attachment).where(Attachment.ticket_id == ticket_id, Attachment.sha256 == sha256)
    found: Attachment | None = await session.scalar(same)
    return found


async def number_of_attachments(session: AsyncSession, ticket_id: int) -> int:
    """Of this ticket alone."""
    counted = select(func.count()).select_from(Attachment).where(Attachment.ticket_id == ticket_id)
    return (await session.scalar(counted)) or 0


# calls and tickets


async def link(session: AsyncSession, ticket_id: int, call_id: str) -> CallTicket | None:
    """How the two belong together; None: they do not."""
    return await session.get(CallTicket, (call_id, ticket_id), populate_existing=True)


async def links(session: AsyncSession, ticket_id: int) -> Sequence[CallTicket]:
    """The ticket's calls."""
    of = select(CallTicket).where(CallTicket.ticket_id == ticket_id).order_by(CallTicket.call_id)
    return (await session.scalars(of)).all()


async def unlink(session: AsyncSession, ticket_id: int, call_id: str) -> None:
    """They do not belong together any more."""
    pair = CallTicket.ticket_id == ticket_id, CallTicket.call_id == call_id
    await session.execute(delete(CallTicket).where(*pair))


async def is_call(session: AsyncSession, call_id: str) -> bool:
    """Whether we have a record of it."""
    return await session.scalar(select(Call.id).where(Call.id == call_id)) is not None


# whose, and which are alike


async def is_forwarded_to(session: AsyncSession, ticket_id: int, agency: str | None) -> bool:
    """Whether the agency with this code was ever told of the ticket."""
    told = select(Forwarding.id).join(Agency).where(Forwarding.ticket_id == ticket_id, Agency.code == agency)
    return await session.scalar(told.limit(1)) is not None


async def reports(session: AsyncSession, since: datetime, until: datetime) -> list[tuple[Report, str, str]]:
    """What began between these moments and was merged into nothing, with number and lifecycle; the newest first."""
    wanted = (
        Ticket.id, Ticket.created_at, Ticket.topic, Ticket.category, Ticket.subdistrict, Ticket.village, Ticket.place,
        Ticket.latitude, Ticket.longitude, Ticket.number, Ticket.lifecycle,
    )  # fmt: skip
    rows = await session.execute(
        select(*wanted)
        .where(Ticket.created_at.between(since, until), Ticket.merged_into.is_(None))
        .order_by(Ticket.created_at.desc(), Ticket.id.desc())
        .limit(_MOST_CANDIDATES)
    )
    return [(_report(*row[:9]), row.number, row.lifecycle) for row in rows]


def report_of(ticket: Ticket) -> Report:
    """What is compared of a ticket."""
    return _report(
        ticket.id, ticket.created_at, ticket.topic, ticket.category, ticket.subdistrict, ticket.village, ticket.place,
        ticket.latitude, ticket.longitude)  # fmt: skip


def _report(
    ticket_id: int, at: datetime, topic: str, category: str | None, subdistrict: str | None, village: str | None,
    place: str | None, latitude: float | None, longitude: float | None,
) -> Report:  # fmt: skip
    point = None if latitude is None or longitude is None else (latitude, longitude)
    return Report(ticket_id, at, topic, category, subdistrict, village, place, point)
