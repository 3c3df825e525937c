"""web ◆ The shapes of what is sent to us, and of what we answer. Pure."""

import base64
import binascii
import unicodedata
import warnings
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Annotated, Any, get_args, get_type_hints
from urllib.parse import urlsplit

from fastapi import Path
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    create_model,
)

from calls.disposition import Disposition
from db.models import Base
from ivr.menu import TOPICS

#: Bytes of the longest body of all, for routes that take files: a file of 10 MB and what a form wraps it in.
LONGEST_UPLOAD = 10_100_000
#: PostgreSQL's integer
_BIGGEST = 2**31 - 1


def storable(text: str) -> str:
    """The text. Raises ValueError for control characters but \\n and \\t."""
    if any(unicodedata.category(letter) == "Cc" and letter not in "\n\t" for letter in text):
        raise ValueError("a text holds no control characters but line breaks (\\n) and tabs")
    return text


def _line(text: str) -> str:
    if any(unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in text):
        raise ValueError("this is one line: no line breaks, no control characters")
    return text


def _when(at: datetime) -> datetime:
    if not 2000 <= at.year < 3000:
        raise ValueError("a moment lies in the years 2000 to 2999")
    return at


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


#: what somebody tells, as long as it takes
Words = Annotated[str, StringConstraints(max_length=10_000), AfterValidator(storable)]
Line = Annotated[str, StringConstraints(max_length=200), AfterValidator(_line)]
Reason = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000), AfterValidator(storable)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_line)]
#: a moment, with its zone
When = Annotated[AwareDatetime, AfterValidator(_when)]
Topic = Annotated[str, AfterValidator(_topic)]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]

# parts of addresses

CallId = Annotated[str, Path(pattern=r"^[0-9A-Za-z.-]{1,128}$")]
TicketId = Annotated[int, Path(ge=1, le=_BIGGEST)]
OperatorName = Annotated[str, Path(max_length=64)]
AgencyCode = Annotated[Code, Path()]


class Body(BaseModel):
    """A field that we do not know is a mistake of the sender's, and better said than swallowed."""

    model_config = ConfigDict(extra="forbid")


class DispositionBody(Body):
    """The operator's verdict on a call."""

    disposition: Disposition


class PauseBody(Body):
    """Why a desk gets no calls for a while."""

    why: Name


class AgencyBody(Body):
    """An agency as it shall be. Without an address its reports wait; without a secret it keeps its own, or gets one."""

    name: Name
    url: Annotated[Line, AfterValidator(_address)] | None
    topics: list[Code] = Field(max_length=30)
    phone: Line | None = None
    active: bool = True
    secret: Annotated[str, AfterValidator(_signing_secret)] | None = None


# answers


def moment(at: datetime) -> str:
    """UTC to the microsecond, always of one length, so that moments sort as text."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


#: a moment in an answer
Moment = Annotated[
    datetime, PlainSerializer(moment, return_type=str), WithJsonSchema({"type": "string", "format": "date-time"})]


class Answer(BaseModel):
    """What we answer; made from a row, or from a dict."""

    model_config = ConfigDict(from_attributes=True)


def model_of(table: type[Base], name: str = "", *, without: Collection[str] = (), **more: Any) -> Any:
    """The model of an answer: the table's columns, by their names and types, and `more` fields (name=type).

    `name`: in the OpenAPI document; each model wants its own. Takes a row, or a dict (see `row`).
    """
    types = get_type_hints(table)
    fields = {column.key: _answered(get_args(types[column.key])[0]) for column in table.__table__.columns
              if column.key not in without}
    with warnings.catch_warnings():     # a column may be called as a method of pydantic's that is on its way out
        warnings.filterwarnings("ignore", message="Field name .* shadows an attribute", category=UserWarning)
        return create_model(name or table.__name__, __base__=Answer, __doc__=table.__doc__, **(fields | more))


def _answered(kind: Any) -> Any:
    if kind is datetime:
        return Moment
    return Moment | None if datetime in get_args(kind) else kind


def row(of: Any, without: Collection[str] = ()) -> dict[str, Any]:
    """A stored row as JSON values, by the names of its columns."""
    return {column.key: _value(getattr(of, column.key)) for column in of.__table__.columns if column.key not in without}


def _value(value: Any) -> Any:
    return moment(value) if isinstance(value, datetime) else value
