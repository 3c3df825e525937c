"""web: what the doors say when something is not possible: problem details, RFC 9457.

One table: which exception of the rooms becomes which status. Whoever raised it has changed nothing, and wrote its
text for the person who tried; so the text is passed on. Of the database's errors only the kind is told.
"""

import logging
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from calls import stages
from people import rules as people_rules
from people import service as people
from people import store as people_store
from recordings import review, review_store
from routing import operators, roster_edit, roster_rules
from tickets import attachments, edit, photos, places, service, steps, store
from tickets.refused import Refused
from web import access, etags, paging
from web.complaints import words

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
_TYPE = "urn:kentongan:problem:"

#: exception → status, last word of the type, title
_TABLE: dict[type[Exception], tuple[int, str, str]] = {
    store.Unknown: (404, "unknown", "There is no such thing"),
    people_store.Unknown: (404, "unknown", "There is no such thing"),
    access.Forbidden: (403, "not-allowed", "You may not do that"),
    edit.Conflict: (412, "changed-meanwhile", "Somebody else has changed it meanwhile"),
    people.Conflict: (412, "changed-meanwhile", "Somebody else has changed it meanwhile"),
    roster_edit.Unknown: (404, "unknown", "There is no such thing"),
    roster_edit.Conflict: (412, "changed-meanwhile", "Somebody else has changed it meanwhile"),
    etags.Stale: (412, "changed-meanwhile", "Somebody else has changed it meanwhile"),
    etags.Unseen: (428, "unseen", "Say which version you have seen"),
    stages.IllegalStep: (409, "step-not-possible", "That is not possible now"),
    operators.IllegalStep: (409, "step-not-possible", "That is not possible now"),
    steps.IllegalStep: (409, "step-not-possible", "That is not possible now"),
    review_store.Unknown: (404, "unknown", "There is no such thing"),
    review.NotPlayable: (409, "no-sound", "There is nothing to hear"),
    people.Refused: (409, "not-possible", "That is not possible as things stand"),
    service.NotForwardable: (409, "not-forwardable", "The ticket may not be forwarded"),
    attachments.Full: (409, "full", "The ticket takes no more files"),
    attachments.NoPlace: (503, "no-place", "The data folder fails"),
    photos.NotKept: (415, "not-kept", "Files of this kind are not kept"),
    photos.Damaged: (422, "damaged", "The file is not what it seems"),
    places.Unreadable: (422, "unreadable", "The table cannot be used"),
}


class Problem(BaseModel):
    """Why not, and what to do about it (RFC 9457)."""

    type: str               #: a URN that never changes, for programs
    title: str
    status: int
    detail: str             #: for a person
    field: str | None = None    #: the one that is to be mended, dotted: "agencies.0"


#: of a refusal, for the OpenAPI document
DOCUMENTED = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


def problem(status: int, kind: str, title: str, detail: str, *, field: str | None = None,
            headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer. `field` names the one that is to be mended, dotted: "agencies.0"."""
    content: dict[str, Any] = {"type": _TYPE + kind, "title": title, "status": status, "detail": detail}
    if field is not None:
        content["field"] = field
    return JSONResponse(content, status, headers=headers, media_type=MEDIA_TYPE)


def unauthorized() -> Response:
    """For whoever brings no token, or a wrong one."""
    return problem(401, "no-token", "A token is needed",
                   "Send the header `Authorization: Bearer …` with your token; an admin makes one with "
                   "`kentongan users`, and revokes it", headers={"WWW-Authenticate": "Bearer"})


def too_long() -> Response:
    """For a body that no route of ours takes."""
    return problem(413, "too-long", "That is too long", "What you sent is longer than this door takes; send less")


def bad_key() -> Response:
    """For an Idempotency-Key that is none."""
    return problem(422, "invalid", "That cannot be used", "Idempotency-Key: one, of 1 to 200 letters, figures and "
                   "signs of ASCII, without blanks", field="Idempotency-Key")


def other_request() -> Response:
    """For an Idempotency-Key that was used for something else."""
    return problem(422, "key-used", "The key was used for something else", "Under this Idempotency-Key something else "
                   "was sent before; every write wants its own key", field="Idempotency-Key")


def under_way() -> Response:
    """For a write that is asked for again before it has ended."""
    return problem(409, "under-way", "It is being done", "The write under this Idempotency-Key is under way; ask again "
                   "in a second and you get its answer", headers={"Retry-After": "1"})


def outcome_unknown(at: datetime) -> Response:
    """For a write that began, and of whose end we know nothing."""
    return problem(409, "outcome-unknown", "Nobody knows whether it was done",
                   f"The write under this Idempotency-Key began at {at:%Y-%m-%dT%H:%M:%SZ} and no answer of it is "
                   "kept, so it is not done again. Load what you wanted to change; if it was not done, send it under a "
                   "new key")


def told_once() -> Response:
    """For a write that is asked for again, and whose answer held a secret."""
    return problem(409, "told-once", "It was done", "The write under this Idempotency-Key was done; what its answer "
                   "told is told once and not kept. If you have not got it, have a new one made")


def done_already() -> Response:
    """For a write that is asked for again, and whose answer is too long to be kept."""
    return problem(409, "done-already", "It was done", "The write under this Idempotency-Key was done; its answer is "
                   "too long to be kept. Load what you changed, and you see what was told")


def unexpected() -> Response:
    """For a fault of ours; what it was stands in the log."""
    return problem(500, "fault", "A fault of ours",
                   "It stands in the log of the service; what you wanted may not have happened")


def stopping() -> Response:
    """For whoever still waits for an answer when we are stopped."""
    return problem(503, "stopping", "The service is being stopped",
                   "What you wanted may not have happened; ask again soon", headers={"Retry-After": "5"})


def too_slow() -> Response:
    """For whoever has waited long enough; what was begun has been broken off."""
    return problem(503, "too-slow", "No answer in time",
                   "What you wanted may not have happened; calls are not affected. /healthz says more",
                   headers={"Retry-After": "5"})


async def _known(request: Request, fault: Exception) -> Response:
    status, kind, title = next(row for known, row in _TABLE.items() if isinstance(fault, known))
    return problem(status, kind, title, str(fault))


async def _incomplete(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, service.Incomplete)
    return problem(422, "incomplete", "Something is missing", str(fault), field=fault.fields[0])


async def _refused(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, Refused)
    return problem(422, "refused", "That cannot be used", str(fault), field=fault.field)


async def _no_roster(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, roster_rules.Refused)
    return problem(422, "no-roster", "The roster cannot be so", str(fault), field=fault.faults[0].where or None)


async def _invalid(request: Request, fault: Exception) -> Response:
    """The first thing that is wrong with what was sent; never repeats what was sent."""
    assert isinstance(fault, RequestValidationError)
    first = fault.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:]) or None
    return problem(422, "invalid", "That cannot be used", f"{field or first['loc'][0]}: {words(first)}", field=field)


async def _misused(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, people_rules.Invalid)
    return problem(422, "invalid", "That cannot be used", str(fault), field=fault.field)


async def _http(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException)
    return problem(fault.status_code, "http", str(fault.detail), f"{request.method} is answered with {fault.detail}",
                   headers=dict(fault.headers or {}))


async def _bad_cursor(request: Request, fault: Exception) -> Response:
    return problem(422, "invalid", "That cannot be used", str(fault), field="after")


async def _misfit(request: Request, fault: Exception) -> Response:
    """An answer that is not what the document says. Its text would tell the values: only where and what is logged."""
    assert isinstance(fault, ResponseValidationError)
    wrong = [f"{'.'.join(map(str, error['loc']))}: {error['type']}" for error in fault.errors()[:5]]
    log.error("an answer does not fit its model: %s", "; ".join(wrong))
    return unexpected()


async def _database(request: Request, fault: Exception) -> Response:
    return database(fault)


def database(fault: Exception) -> Response:
    """For whoever needs the database while it is away; only the fault's kind is logged."""
    log.error("the database did not do what a request needs: %s", type(fault).__name__)
    return problem(503, "database", "The database does not answer",
                   "Calls are not affected; /healthz says more. Try again in a few seconds")


HANDLERS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    **dict.fromkeys(_TABLE, _known),
    service.Incomplete: _incomplete,
    Refused: _refused,
    people_rules.Invalid: _misused,
    paging.BadCursor: _bad_cursor,
    roster_rules.Refused: _no_roster,
    RequestValidationError: _invalid,
    ResponseValidationError: _misfit,
    HTTPException: _http,
    SQLAlchemyError: _database,
}
