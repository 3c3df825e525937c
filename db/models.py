"""What is stored: one class per table, one comment per column that names its unit.

Moments are `UtcDateTime`: aware in Python, UTC in the database, on SQLite as on PostgreSQL. The words in
`stage`, `lifecycle`, `verification`, `state` belong to the tables of the deciding files (`calls/stages.py`,
`tickets/lifecycle.py` ...), so the database keeps them as plain text and does not know the legal steps.

`calls` is drawn from the journal (`notes`); rows that name a call may be written before its row or outlive
it, so `call_id` is nowhere a foreign key.
"""

import json
from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, DateTime, Dialect, Float, ForeignKey, Index, MetaData, Text, TypeDecorator, text
from sqlalchemy import UniqueConstraint as Unique
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """A moment. Takes any aware datetime, gives back UTC; a naive one (whose clock?) raises ValueError."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError(
                f"a moment without a time zone cannot be stored: {value!r}; say datetime.now(UTC)"
            )
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment  # SQLite drops zones

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class JsonText(TypeDecorator[Any]):
    """A JSON value as text, which comes back as it went in: SQLite makes the number 240 of a bare 240.0 in a column
    that is declared JSON. None is SQL's NULL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value, ensure_ascii=True, sort_keys=True)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


class Base(DeclarativeBase):
    """All tables; constraints get names, since a constraint without one cannot be migrated."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        float: Float(53),
        datetime: UtcDateTime(),
        dict[str, Any]: JSON(),
        list[str]: JSON(),
    }


#: of tickets that still have a clock, in the words that the index of `due_at` knows
UNFINISHED = "lifecycle NOT IN ('done', 'closed')"


def _known(column: str, *then: str) -> Index:
    """An index of those rows that have a value there: what is not known yet costs no writing."""
    known = text(f"{column} IS NOT NULL")
    return Index(None, column, *then, sqlite_where=known, postgresql_where=known)


class Call(Base):
    """One caller's contact with 112, ring to end, as far as the journal has told it."""

    __tablename__ = "calls"
    __table_args__ = (
        Index(None, "arrived_at", "id"),
        Index(None, "caller_number", "arrived_at", "id"),
        Index(None, "stage", "arrived_at", "id"),
        Index(None, "operator", "arrived_at", "id"),
        *(_known(name, "arrived_at", "id") for name in ("outcome", "disposition")),
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


class Ticket(Base):
    """Our record of one report. Several calls may belong to it, and several tickets to one call."""

    __tablename__ = "tickets"
    __table_args__ = (
        Index(None, "lifecycle", "id"),
        *(_known(name, "id") for name in ("category", "subdistrict", "village", "merged_into")),
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


class Service(Base):
    """What people can ask for: emergency, care for the elderly ... Each has its form, numbers and clock."""

    __tablename__ = "services"

    #: e.g. "emergency", "elder", "social-welfare"
    code: Mapped[str] = mapped_column(primary_key=True)
    #: as people know it
    name: Mapped[str]
    #: before its tickets' numbers: "" or e.g. "L-"
    prefix: Mapped[str] = mapped_column(unique=True)
    #: the topics it knows
    topics: Mapped[list[str]]
    #: the version of its form that new entries are written against; None: it has no form of its own
    form_version: Mapped[int | None]
    #: an agency has so long to accept, seconds; None: no clock
    accept_for: Mapped[float | None]
    #: a report is handled so long after its arrival, seconds; None: no clock
    handle_for: Mapped[float | None]
    active: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=1)


class Form(Base):
    """One version of a service's form; never changed, so that old entries stay readable."""

    __tablename__ = "forms"

    service: Mapped[str] = mapped_column(ForeignKey("services.code"), primary_key=True)
    #: from 1
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: JSON Schema, draft 2020-12, of an object
    schema: Mapped[dict[str, Any]]
    at: Mapped[datetime]
    #: a user's name
    who: Mapped[str]


class Category(Base):
    """What happened, finer than a topic, with the questions that an operator asks about it."""

    __tablename__ = "categories"

    #: e.g. "house-fire"
    code: Mapped[str] = mapped_column(primary_key=True)
    service: Mapped[str] = mapped_column(ForeignKey("services.code"), index=True)
    topic: Mapped[str]
    name: Mapped[str]
    #: {"questions": [{"key", "text", "required"}, ...]}; answers to the required ones are A1's evidence
    script: Mapped[dict[str, Any]]
    active: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=1)


class Area(Base):
    """A sub-district or a village, as the admin has imported them."""

    __tablename__ = "areas"

    #: the regency's code, e.g. "35.10.18" or "35.10.18.2003"
    code: Mapped[str] = mapped_column(primary_key=True)
    #: subdistrict, village
    kind: Mapped[str] = mapped_column(index=True)
    name: Mapped[str]
    #: of a village: its sub-district
    parent: Mapped[str | None] = mapped_column(ForeignKey("areas.code"), index=True)
    #: false: not offered any more, old tickets still name it
    active: Mapped[bool] = mapped_column(default=True)


class ForwardRule(Base):
    """Whom a ticket is proposed to; what is None fits all. Read by tickets/whom.py."""

    __tablename__ = "forward_rules"

    id: Mapped[int] = mapped_column(primary_key=True)
    service: Mapped[str | None] = mapped_column(ForeignKey("services.code"))
    topic: Mapped[str | None]
    #: a sub-district (with all its villages) or a village
    area: Mapped[str | None] = mapped_column(ForeignKey("areas.code"))
    #: local wall time "HH:MM", the first minute
    starts: Mapped[str | None]
    #: local wall time "HH:MM", the first minute that is no longer in it
    ends: Mapped[str | None]
    agency_id: Mapped[int] = mapped_column(ForeignKey("agencies.id"))


class Agency(Base):
    """Who must act: fire, ambulance, police ..."""

    __tablename__ = "agencies"

    id: Mapped[int] = mapped_column(primary_key=True)
    #: short name, e.g. "damkar"
    code: Mapped[str] = mapped_column(unique=True)
    #: name as people know it
    name: Mapped[str]
    #: where reports are posted; without one they wait and are shown
    url: Mapped[str | None]
    #: Standard Webhooks signing secret, "whsec_" and base64
    secret: Mapped[str | None]
    #: topics it is proposed for
    topics: Mapped[list[str]]
    #: whom an operator telephones there, e.g. "+62 555 0113"
    phone: Mapped[str | None]
    #: false: not proposed any more, history stays
    active: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=1, server_default="1")


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


class Operator(Base):
    """Who answers."""

    __tablename__ = "operators"

    #: also the SIP user, e.g. "op01"
    name: Mapped[str] = mapped_column(primary_key=True)
    display_name: Mapped[str]
    #: topics they are trained for
    skills: Mapped[list[str]]
    #: false: left the service, history stays
    active: Mapped[bool] = mapped_column(default=True)


class Shift(Base):
    """One stretch of the day; an end before (or at) the start lies on the next day."""

    __tablename__ = "shifts"

    #: e.g. "malam"
    code: Mapped[str] = mapped_column(primary_key=True)
    #: local wall time "HH:MM"
    starts: Mapped[str]
    #: local wall time "HH:MM", the first minute that is no longer in it
    ends: Mapped[str]


class Duty(Base):
    """The weekly pattern: this operator, this shift, every such weekday. It never runs out."""

    __tablename__ = "duties"

    operator: Mapped[str] = mapped_column(ForeignKey("operators.name"), primary_key=True)
    shift: Mapped[str] = mapped_column(ForeignKey("shifts.code"), primary_key=True)
    #: the day the shift starts, 0 = Monday
    weekday: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class DayDuty(Base):
    """A day that differs: where a day has any of these, they stand in place of its weekly pattern."""

    __tablename__ = "day_duties"

    #: local date on which the shift starts, "2026-11-22"
    day: Mapped[str] = mapped_column(primary_key=True)
    operator: Mapped[str] = mapped_column(ForeignKey("operators.name"), primary_key=True)
    shift: Mapped[str] = mapped_column(ForeignKey("shifts.code"), primary_key=True)


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


class RecordingComment(Base):
    """What a reviewer says about a second of a recording; never changed."""

    __tablename__ = "recording_comments"

    id: Mapped[int] = mapped_column(primary_key=True)
    recording_id: Mapped[int] = mapped_column(ForeignKey("recordings.id"), index=True)
    #: seconds from the recording's start
    at_s: Mapped[float]
    at: Mapped[datetime]
    #: a user's name
    who: Mapped[str]
    text: Mapped[str]


class Recording(Base):
    """What was recorded of one leg of a call, and where it stands on its way into the archive."""

    __tablename__ = "recordings"

    id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[str] = mapped_column(index=True)
    #: whose side, e.g. "caller"
    leg: Mapped[str]
    #: file below spool/
    raw_name: Mapped[str]
    #: file below recordings/, e.g. "2026/11/22/1763800000.12.ogg"
    archive_name: Mapped[str | None]
    #: file below recordings/
    peaks_name: Mapped[str | None]
    #: recording, waiting, archived, missing, faulty
    state: Mapped[str] = mapped_column(index=True)
    starts_at: Mapped[datetime] = mapped_column(index=True)
    ends_at: Mapped[datetime | None]
    #: length of the archive, seconds
    duration_for: Mapped[float | None]
    #: of the archive file, lower-case hex
    sha256: Mapped[str | None]
    #: loudness of the caller's channel, dB below full scale (negative)
    caller_dbfs: Mapped[float | None]
    #: loudness of the others' channel, dB below full scale (negative)
    others_dbfs: Mapped[float | None]
    #: why it is missing or faulty, in words
    fault: Mapped[str | None]


class RecordingGap(Base):
    """A stretch that is missing from a recording, and why."""

    __tablename__ = "recording_gaps"

    id: Mapped[int] = mapped_column(primary_key=True)
    recording_id: Mapped[int] = mapped_column(ForeignKey("recordings.id"), index=True)
    #: seconds from the recording's start
    from_s: Mapped[float]
    #: seconds from the recording's start
    to_s: Mapped[float]
    why: Mapped[str]
