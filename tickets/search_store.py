"""tickets: long lists of them, filtered and searched, in two queries however long the page is.

The newest first, in the order in which they were written down (`id`, and so also their numbers): a cursor in that order
stays right whatever comes meanwhile, and each index of db/models/ is read in it, so that a page costs as much as a
page, not as much as the table.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, cast, column, false, func, select, table, text, union_all
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.expression import ColumnElement

from db.models import UNFINISHED, Agency, Call, CallTicket, Forwarding, OutboxMessage, Ticket
from db.search import TICKET_WORDS
from tickets import search_words

#: characters of a narrative that a list shows
BEGINNING = 200

#: what a list shows of a ticket
_SHOWN = (
    Ticket.id, Ticket.number, Ticket.service, Ticket.source, Ticket.lifecycle, Ticket.verification, Ticket.topic,
    Ticket.category, Ticket.subdistrict, Ticket.village, Ticket.place, Ticket.latitude, Ticket.longitude,
    func.substr(Ticket.narrative, 1, BEGINNING).label("narrative"), Ticket.override_by, Ticket.merged_into,
    Ticket.due_at, Ticket.created_at, Ticket.updated_at, Ticket.version, Ticket.subject_name, Ticket.subject_number,
)  # fmt: skip
#: what it shows of who reported, to those who may see them
_REPORTER = (Ticket.reporter_name, Ticket.reporter_number)


@dataclass(frozen=True)
class Wanted:
    """Which tickets; what is left out does not matter."""

    #: words, parts of numbers, as a person types them (tickets/search_words.py)
    q: str = ""
    #: any of these
    lifecycles: Sequence[str] = ()
    verification: str | None = None
    service: str | None = None
    topic: str | None = None
    category: str | None = None
    subdistrict: str | None = None
    village: str | None = None
    #: code of an agency that it was forwarded to
    agency: str | None = None
    #: who answered one of its calls
    operator: str | None = None
    #: not before
    created_from: datetime | None = None
    #: before
    created_to: datetime | None = None
    #: only those whose clock has run out while they are neither done nor closed
    late: bool = False
    #: also those that go on in another ticket
    merged: bool = False


@dataclass(frozen=True)
class Told:
    """How far one agency is with a ticket."""

    #: its code
    agency: str
    #: a word of tickets/forwarding.py
    state: str


@dataclass(frozen=True)
class Line:
    """One ticket in a list. `ticket` has the columns of `_SHOWN` (and of `_REPORTER`) by their names."""

    ticket: Row[Any]
    #: how many calls belong to it
    calls: int
    #: in the order in which they were told
    agencies: list[Told] = field(default_factory=list)


async def page(
    session: AsyncSession,
    wanted: Wanted,
    *,
    now: datetime,
    limit: int,
    before: int | None = None,
    seen_by: str | None = None,
) -> list[Line]:
    """The newest `limit` tickets; `before`: only those older than the ticket with this id. Two queries.

    `seen_by`: code of the agency whose person looks: what was forwarded to it, how far it is with that
    itself, and nothing about who reported. Nor is it found by people: one index has those who report and those who are
    reported about.
    """
    calls = select(func.count()).where(CallTicket.ticket_id == Ticket.id).scalar_subquery()
    shown = select(calls.label("calls"), *_SHOWN, *(_REPORTER if seen_by is None else ()))
    ids = _ids(session, wanted, now, limit, before, seen_by)
    rows = (await session.execute(shown.where(Ticket.id.in_(ids)).order_by(Ticket.id.desc()))).all()
    agencies: dict[int, list[Told]] = defaultdict(list)
    if rows:
        told = (
            select(Forwarding.ticket_id, Agency.code, Forwarding.state)
            .join(Agency, Forwarding.agency_id == Agency.id)
            .where(Forwarding.ticket_id.in_([row.id for row in rows]))
            .order_by(Forwarding.id)
        )
        if seen_by is not None:
            told = told.where(Agency.code == seen_by)
        for ticket_id, code, state in await session.execute(told):
            agencies[ticket_id].append(Told(code, state))
    return [Line(row, row.calls, agencies[row.id]) for row in rows]


async def forwardings_of(
    session: AsyncSession, ticket_ids: Iterable[int]
) -> dict[int, list[tuple[Forwarding, Agency, OutboxMessage]]]:
    """Whom each of the tickets was forwarded to, in that order, with the latest message about it. One query."""
    latest = select(func.max(OutboxMessage.id)).where(OutboxMessage.forwarding_id == Forwarding.id)
    rows = await session.execute(
        select(Forwarding, Agency, OutboxMessage)
        .join(Agency, Forwarding.agency_id == Agency.id)
        .join(OutboxMessage, OutboxMessage.id == latest.correlate(Forwarding).scalar_subquery())
        .where(Forwarding.ticket_id.in_(list(ticket_ids)))
        .order_by(Forwarding.id)
    )
    found: dict[int, list[tuple[Forwarding, Agency, OutboxMessage]]] = defaultdict(list)
    for forwarding, agency, message in rows:
        found[forwarding.ticket_id].append((forwarding, agency, message))
    return found


def _ids(
    session: AsyncSession, wanted: Wanted, now: datetime, limit: int, before: int | None, seen_by: str | None
) -> Any:
    """Ids of the page's tickets."""
    matching = select(Ticket.id).where(*_conditions(wanted, now, seen_by))
    if before is not None:
        matching = matching.where(Ticket.id < before)
    if wanted.q.strip():
        return _found(session, matching.where(*_any_of(wanted.lifecycles)), wanted.q, limit, people=seen_by is None)
    newest = matching.order_by(Ticket.id.desc()).limit(limit)
    if len(wanted.lifecycles) < 2:
        return newest.where(*_any_of(wanted.lifecycles))
    # each from its own stretch of the index, in order: an IN would read all of all of them and sort
    each = [select(newest.where(Ticket.lifecycle == word).subquery().c.id) for word in dict.fromkeys(wanted.lifecycles)]
    together = union_all(*each).subquery()
    return select(together.c.id).order_by(together.c.id.desc()).limit(limit)


def _any_of(lifecycles: Sequence[str]) -> list[ColumnElement[bool]]:
    return [Ticket.lifecycle.in_(lifecycles)] if lifecycles else []


def _found(session: AsyncSession, matching: Any, typed: str, limit: int, *, people: bool) -> Any:
    """Of those that match otherwise, the newest with these words."""
    sought = search_words.sought(typed)
    if not sought:
        return matching.where(false())
    if session.get_bind().dialect.name == "sqlite":
        question = column("search_tickets").op("MATCH")(search_words.fts5(sought, people=people))
        rows = select(table("search_tickets", column("rowid")).c.rowid).where(question)
        return matching.where(Ticket.id.in_(rows)).order_by(Ticket.id.desc()).limit(limit)
    asked = cast(search_words.tsquery(sought, people=people), TSQUERY)
    question = column(TICKET_WORDS, is_literal=True).op("@@")(asked)
    # all of them first: the planner would rather go through the newest tickets and work out the words of each
    found = matching.where(question).cte("found").prefix_with("MATERIALIZED")
    return select(found.c.id).order_by(found.c.id.desc()).limit(limit)


def _conditions(wanted: Wanted, now: datetime, seen_by: str | None) -> list[ColumnElement[bool]]:
    """What is asked beside words and lifecycles."""
    same = ("verification", "service", "topic", "category", "subdistrict", "village")
    given = [(getattr(Ticket, name), getattr(wanted, name)) for name in same]
    conditions = [column == value for column, value in given if value is not None]
    if wanted.created_from is not None:
        conditions.append(Ticket.created_at >= wanted.created_from)
    if wanted.created_to is not None:
        conditions.append(Ticket.created_at < wanted.created_to)
    if not wanted.merged:
        conditions.append(Ticket.merged_into.is_(None))
    if wanted.late:
        late = Ticket.__table__.alias("late")
        conditions.append(Ticket.id.in_(select(late.c.id).where(late.c.due_at < now, text(UNFINISHED))))
    if wanted.operator is not None:
        answered = select(CallTicket.ticket_id).join(Call, Call.id == CallTicket.call_id)
        conditions.append(Ticket.id.in_(answered.where(Call.operator == wanted.operator)))
    for code in {wanted.agency, seen_by} - {None}:
        agency = select(Agency.id).where(Agency.code == code).scalar_subquery()
        conditions.append(Ticket.id.in_(select(Forwarding.ticket_id).where(Forwarding.agency_id == agency)))
    return conditions
