"""db: what was reported: the ticket, its number, and what hangs on it (calls, remarks, files).

What a service asks for stands in setup.py, and who was told of a ticket in telling.py.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, known

#: of tickets that still have a clock, in the words that the index of `due_at` knows
UNFINISHED = "lifecycle NOT IN ('done', 'closed')"


class Ticket(Base):
    """Our record of one report. Several calls may belong to it, and several tickets to one call."""

    __tablename__ = "tickets"
    __table_args__ = (
        Index(None, "lifecycle", "id"),
        *(known(name, "id") for name in ("category", "subdistrict", "village", "merged_into")),
        Index(None, "due_at", sqlite_where=text(UNFINISHED), postgresql_where=text(UNFINISHED)),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: readable aloud: the service's prefix, year and month, running number, e.g. "2611-0042", "L-2611-0007"
    number: Mapped[str] = mapped_column(unique=True)
    #: which service's form, number series and clock it has: code of a service
    service: Mapped[str] = mapped_column(default="emergency", server_default="emergency")
    #: how the report reached us, a word of tickets/sources.py: call, walk in, website ...
    source: Mapped[str] = mapped_column(default="call", server_default="call")
    #: a word of tickets/lifecycle.py
    lifecycle: Mapped[str]
    #: a word of tickets/verification.py
    verification: Mapped[str]
    #: what it is about: fire, medical, police, disaster, social, information, any (not known yet)
    topic: Mapped[str]
    #: finer than the topic: code of a category, whose script asks the questions
    category: Mapped[str | None]
    #: what was answered to the category's questions, by their keys: the evidence that A1 rests on
    answers: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    #: the version of the service's form that `form` was written against; None: nothing was written
    form_version: Mapped[int | None]
    #: the service's own fields, by the names of its form's schema
    form: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    #: code of an area of kind "subdistrict"
    subdistrict: Mapped[str | None]
    #: code of an area of kind "village"
    village: Mapped[str | None]
    #: where, in the reporter's words
    place: Mapped[str | None]
    #: WGS 84, degrees
    latitude: Mapped[float | None]
    #: WGS 84, degrees
    longitude: Mapped[float | None]
    #: what happened, in the operator's words
    narrative: Mapped[str | None]
    reporter_name: Mapped[str | None]
    #: as the network or the reporter gave it; may be absent or false
    reporter_number: Mapped[str | None]
    #: whom it is about, if that is not the reporter
    subject_name: Mapped[str | None]
    subject_number: Mapped[str | None]
    #: the ticket that tells of the same event and goes on for this one
    merged_into: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"))
    #: handled by then: the service's clock, from the report's arrival; None: no clock
    due_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(index=True)
    updated_at: Mapped[datetime]
    verified_at: Mapped[datetime | None]
    #: who verified, e.g. "op01"
    verified_by: Mapped[str | None]
    #: how the report was found true or not, in words
    evidence: Mapped[str | None]
    #: who let it be forwarded without A1
    override_by: Mapped[str | None]
    #: the danger that could not wait
    override_reason: Mapped[str | None]
    #: counts the changes, from 1; who edits says which one they saw
    version: Mapped[int]


class TicketNumber(Base):
    """The last number given out in a series: its row is the queue in which tickets wait for theirs."""

    __tablename__ = "ticket_numbers"

    #: the service's prefix, year and month, e.g. "2611", "L-2611"
    series: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[int]


class CallTicket(Base):
    """Which calls and tickets belong together, n:m."""

    __tablename__ = "call_tickets"

    call_id: Mapped[str] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), primary_key=True, index=True)
    #: the user who found that they belong together; None: the call opened the ticket, and this never changes
    linked_by: Mapped[str | None]


class TicketNote(Base):
    """What somebody wants remembered about a ticket; never changed."""

    __tablename__ = "ticket_notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), index=True)
    at: Mapped[datetime]
    #: a user's name
    who: Mapped[str]
    text: Mapped[str]


class Attachment(Base):
    """A file that belongs to a ticket, e.g. a photo of the dwelling; the file itself lies in the data folder."""

    __tablename__ = "attachments"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), index=True)
    #: as its sender called it, for people to read; never part of a path
    title: Mapped[str]
    #: what it was found to be, e.g. "image/jpeg"
    media_type: Mapped[str]
    #: bytes
    size: Mapped[int]
    #: of the file, lower-case hex; also its name below attachments/
    sha256: Mapped[str]
    at: Mapped[datetime]
    #: a user's name
    who: Mapped[str]
