"""web ◆ The shapes of what is sent to us, and of what we answer. Pure."""

import base64
import binascii
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from calls.disposition import Disposition
from ivr.menu import TOPICS
from tickets.verification import Verification

#: PostgreSQL's integer
_BIGGEST = 2**31 - 1


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("a text cannot hold the character NUL")
    return text


def _topic(topic: str) -> str:
    if topic not in TOPICS:
        raise ValueError(f"topics are: {', '.join(sorted(TOPICS))}")
    return topic


def _address(url: str) -> str:
    parts = urlsplit(url)
    odd = " " in url or not url.isprintable() or parts.username is not None or parts.port == 0
    if odd or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an agency's address begins with https:// (or http://), then a host, without a user")
    return url


def _signing_secret(secret: str) -> str:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise ValueError("a signing secret is whsec_ and 24 to 64 bytes as base64; leave it out and one is made")
    return secret


Words = Annotated[str, StringConstraints(max_length=10_000), AfterValidator(_storable)]
Line = Annotated[str, StringConstraints(max_length=200), AfterValidator(_storable)]
Reason = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000), AfterValidator(_storable)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_storable)]
By = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64), AfterValidator(_storable)]
Topic = Annotated[str, AfterValidator(_topic)]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]

# parts of addresses

CallId = Annotated[str, Path(pattern=r"^[0-9A-Za-z.-]{1,128}$")]
TicketId = Annotated[int, Path(ge=1, le=_BIGGEST)]
OperatorName = Annotated[str, Path(max_length=64)]
AgencyCode = Annotated[Code, Path()]
Limit = Annotated[int, Query(ge=1, le=500)]


class Body(BaseModel):
    """A field that we do not know is a mistake of the sender's, and better said than swallowed."""

    model_config = ConfigDict(extra="forbid")


class DispositionBody(Body):
    """The operator's verdict on a call."""

    disposition: Disposition
    by: By


class PauseBody(Body):
    """Why a desk gets no calls for a while."""

    why: Name


class TicketBody(Body):
    """Every change of a ticket says which version it has seen, and who makes it."""

    version: int = Field(ge=1)
    by: By


class FormBody(TicketBody):
    """What is given is written; null or blanks empty a field."""

    topic: Topic | None = None
    category: Line | None = None
    place: Words | None = None
    narrative: Words | None = None
    reporter_name: Line | None = None
    reporter_number: Line | None = None

    def given(self) -> dict[str, str | None]:
        """The form's fields that were sent."""
        return self.model_dump(exclude={"version", "by"}, exclude_unset=True)


class VerificationBody(TicketBody):
    """How the check goes: it begins ("checking"), or ends with a result and how that was found."""

    result: Literal[Verification.CHECKING, Verification.A1, Verification.NOT_TRUE, Verification.CANNOT_BE_CHECKED]
    evidence: Words = ""


class OverrideBody(TicketBody):
    """The danger that cannot wait for A1."""

    reason: Reason


class ForwardBody(TicketBody):
    """To whom."""

    agencies: list[Code] = Field(min_length=1, max_length=50)


class AgencyBody(Body):
    """An agency as it shall be. Without an address its reports wait; without a secret it keeps its own, or gets one."""

    name: Name
    url: Annotated[Line, AfterValidator(_address)] | None
    topics: list[Topic] = Field(max_length=len(TOPICS))
    secret: Annotated[str, AfterValidator(_signing_secret)] | None = None


# answers


def row(of: Any, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """A stored row as JSON values, by the names of its columns."""
    return {column.key: _value(getattr(of, column.key)) for column in of.__table__.columns if column.key not in without}


def _value(value: Any) -> Any:
    return moment(value) if isinstance(value, datetime) else value


def moment(at: datetime) -> str:
    """UTC to the microsecond, always of one length, so that moments sort as text."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")
