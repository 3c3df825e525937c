"""db: whom a ticket was handed to, and the messages that must still leave.

Beside tickets.py because it has clocks and states of its own: each agency's, and each message's.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy import UniqueConstraint as Unique
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base


class Forwarding(Base):
    """One ticket handed to one agency, with its own state and clock."""

    __tablename__ = "forwardings"
    __table_args__ = (Unique("ticket_id", "agency_id"), Index(None, "agency_id", "ticket_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    agency_id: Mapped[int] = mapped_column(ForeignKey("agencies.id"))
    #: a word of tickets/forwarding.py
    state: Mapped[str] = mapped_column(index=True)
    created_at: Mapped[datetime]
    #: accepted by then: the service's clock, from when the agency was asked (last); None: no clock
    accept_by: Mapped[datetime | None]
    #: the agency's machine took it (HTTP 2xx)
    sent_at: Mapped[datetime | None]
    #: a person at the agency said so
    accepted_at: Mapped[datetime | None]
    accepted_by: Mapped[str | None]


class OutboxMessage(Base):
    """One message that must leave, written in the transaction of what it tells."""

    __tablename__ = "outbox"
    __table_args__ = (Index(None, "state", "due_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    #: the same at every attempt (webhook-id): the receiver tells a repetition by it
    key: Mapped[str] = mapped_column(unique=True)
    forwarding_id: Mapped[int] = mapped_column(ForeignKey("forwardings.id"), index=True)
    #: what is told; the adapter adds the link and the time of sending
    payload: Mapped[dict[str, Any]]
    #: not before; while somebody sends it: when their claim ends
    due_at: Mapped[datetime]
    #: attempts begun
    attempts: Mapped[int] = mapped_column(default=0)
    #: waiting, sent, set_aside (needs a person)
    state: Mapped[str] = mapped_column(default="waiting")
    last_error: Mapped[str | None]
    sent_at: Mapped[datetime | None]
