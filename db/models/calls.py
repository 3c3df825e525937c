"""db: what is kept of a call: the journal, what was drawn from it, and who is to be called back.

`calls` is drawn from the journal (`notes`); rows that name a call may be written before its row or outlive
it, so `call_id` is nowhere a foreign key.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, JsonText, known


class Call(Base):
    """One caller's contact with 112, ring to end, as far as the journal has told it."""

    __tablename__ = "calls"
    __table_args__ = (
        Index(None, "arrived_at", "id"),
        Index(None, "caller_number", "arrived_at", "id"),
        Index(None, "stage", "arrived_at", "id"),
        Index(None, "operator", "arrived_at", "id"),
        *(known(name, "arrived_at", "id") for name in ("outcome", "disposition")),
    )

    #: Asterisk's channel uniqueid, e.g. "1763800000.12"; only [0-9A-Za-z.-]
    id: Mapped[str] = mapped_column(primary_key=True)
    #: which instance of ours wrote the call's journal
    node: Mapped[str]
    #: what the network says, E.164 where it could be read; absent or false is normal
    caller_number: Mapped[str | None]
    #: a word of calls/stages.py
    stage: Mapped[str]
    #: answered, abandoned, handed back ...: computed from the journal
    outcome: Mapped[str | None]
    #: the skill the call needs: fire, medical, police, disaster, social, information, any
    topic: Mapped[str] = mapped_column(default="any")
    #: keys the caller pressed, in order, e.g. "91"
    pressed: Mapped[str] = mapped_column(default="")
    #: reached our trunk; the clocks of answering start here
    arrived_at: Mapped[datetime]
    #: we took the call up (greeting begins)
    answered_at: Mapped[datetime | None]
    #: greeting and menu were over
    queued_at: Mapped[datetime | None]
    #: the last offer to a desk began to ring
    offered_at: Mapped[datetime | None]
    #: an operator's voice was joined; the clocks of answering stop here
    talking_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    #: who answered, e.g. "op01"
    operator: Mapped[str | None]
    #: the operator's verdict, a word of calls/disposition.py
    disposition: Mapped[str | None]
    disposed_at: Mapped[datetime | None]
    #: who gave the disposition, e.g. "op01"
    disposed_by: Mapped[str | None]
    #: pranks held against the number when the call came: score, reasons, behind (s; 0 once lifted); none: nothing
    prank: Mapped[dict[str, Any] | None] = mapped_column(JsonText)
    #: who waited in silence: asked (times), heard (voice, key, nothing; null: not yet), pressed, said; none: not asked
    silence: Mapped[dict[str, Any] | None] = mapped_column(JsonText)


class Note(Base):
    """One line of the journal; never changed. Desks catch up from `seq`."""

    __tablename__ = "notes"

    #: which instance of ours wrote it
    node: Mapped[str] = mapped_column(primary_key=True)
    #: the node's running number, from 1, without gaps
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    call_id: Mapped[str | None] = mapped_column(index=True)
    at: Mapped[datetime]
    #: what happened, one word
    kind: Mapped[str]
    #: the particulars, as JSON values
    facts: Mapped[dict[str, Any]]


class Callback(Base):
    """A caller whom nobody has answered and who is to be called back: one open task per number."""

    __tablename__ = "callbacks"
    __table_args__ = (
        Index(None, "state", "opened_at"),
        Index(
            "uq_callbacks_open_number",
            "number",
            unique=True,
            sqlite_where=text("state IN ('open', 'asked')"),
            postgresql_where=text("state IN ('open', 'asked')"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: None: the network gave none; kept in a list of its own
    number: Mapped[str | None]
    #: a word of calls/callbacks.py: open, asked (the supervisor decides), cleared, done, given_up
    state: Mapped[str]
    opened_at: Mapped[datetime]
    #: times that somebody tried to call back
    attempts: Mapped[int] = mapped_column(default=0)
    #: no sooner than this is another attempt asked for
    due_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    #: a user's name, or "kentongan" when the number called again
    closed_by: Mapped[str | None]
    #: the call that cleared it, or by which they were reached
    cleared_by_call: Mapped[str | None]
    version: Mapped[int] = mapped_column(default=1)


class CallbackCall(Base):
    """The unanswered calls behind a call-back task."""

    __tablename__ = "callback_calls"

    callback_id: Mapped[int] = mapped_column(ForeignKey("callbacks.id"), primary_key=True)
    call_id: Mapped[str] = mapped_column(primary_key=True, index=True)
