"""db: who may come in, and what is kept of what they did: users, tokens, the audit, writes that were asked for twice.

The audit and the keys name their user without a foreign key: agencies, the host and Kentongan itself stand there, too.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, JsonText


class User(Base):
    """A person with a role. An operator's user has the operator's name."""

    __tablename__ = "users"

    #: e.g. "op01", "sri"; small letters, digits, - and .
    name: Mapped[str] = mapped_column(primary_key=True)
    display_name: Mapped[str]
    #: a word of people/rights.py
    role: Mapped[str]
    #: of a user with the role "agency": code of theirs
    agency: Mapped[str | None]
    #: argon2id, as one string; None: no password, only tokens
    password: Mapped[str | None]
    #: false: nothing of theirs opens a door any more, history stays
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)


class Token(Base):
    """What a program shows to act as a user. Only its hash is kept."""

    __tablename__ = "tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.name"), index=True)
    #: SHA-256 of the token, lower-case hex (it has 160 bits of chance: no salt is needed)
    hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    #: None: it lasts until it is revoked
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Audit(Base):
    """Who changed what, from what to what, and why: append-only, each row sealed to the one before (db/audit.py)."""

    __tablename__ = "audit"
    __table_args__ = (Index(None, "what", "which"),)

    #: from 1, without gaps
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    #: a user's name, an agency's code, or "kentongan"
    who: Mapped[str]
    #: the kind of thing: ticket, roster, user, agency, recording ...
    what: Mapped[str]
    #: which of its kind: a ticket's id, a user's name ...
    which: Mapped[str]
    #: what of it changed or was done, e.g. "place", "forwarding damkar", "listened"
    field: Mapped[str]
    before: Mapped[Any | None] = mapped_column(JsonText)
    after: Mapped[Any | None] = mapped_column(JsonText)
    why: Mapped[str | None]
    #: 128 bits of chance, hex: without them a short value could be found from its digest by trying all
    salt: Mapped[str]
    #: SHA-256 over all of the above, lower-case hex
    digest: Mapped[str]
    #: SHA-256 over the chain of the row before and this digest, lower-case hex
    chain: Mapped[str]


class IdempotencyKey(Base):
    """A write that was asked for under a key, and what we answered: asked again, it is not done again."""

    __tablename__ = "idempotency_keys"

    #: who asked
    user: Mapped[str] = mapped_column(primary_key=True)
    #: the header Idempotency-Key
    key: Mapped[str] = mapped_column(primary_key=True)
    #: SHA-256 of method, address and body, lower-case hex: the same key for something else is refused
    fingerprint: Mapped[str]
    at: Mapped[datetime] = mapped_column(index=True)
    #: HTTP; None while it is being done
    status: Mapped[int | None]
    #: the answer's headers that count (ETag, Location, Content-Type)
    headers: Mapped[dict[str, Any] | None]
    #: the answer's body, JSON as text
    body: Mapped[str | None]
