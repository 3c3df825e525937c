"""web: whom to call back: the list, an attempt, and the supervisor's decision when nobody can be reached."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import StringConstraints

from calls import callbacks_store
from calls.callbacks import ASKED, OPEN, State
from calls.callbacks_store import Task
from db.engine import reading_session
from db.models import Callback
from people.person import Person
from people.rights import CHANGE, READ, Resource
from web import etags, paging, shapes
from web.access import may
from web.house import House

Reader = Annotated[Person, may(READ, Resource.CALLBACKS)]
CallbackId = Annotated[int, Path(ge=1, le=2**31 - 1)]
States = Annotated[Sequence[State], Query(max_length=len(State), description="Which; without it those not over")]
Numberless = Annotated[bool, Query(description="Those of callers whose network gave no number, and only those")]

One: Any = shapes.model_of(Callback, "Callback", calls=list[str])


class AttemptBody(shapes.Body):
    """Somebody has called back. `call_id`: the call by which they were reached, where it is known."""

    reached: bool
    call_id: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.-]{1,128}$")] | None = None


class DecisionBody(shapes.Body):
    """What becomes of a caller whom nobody reached, and why."""

    decision: Literal["open", "give up"]
    reason: shapes.Reason


def router(house: House) -> APIRouter:
    """Routes under /api/callbacks."""
    routes = APIRouter(prefix="/callbacks")

    async def answer(response: Response, task_id: int) -> dict[str, Any]:
        async with reading_session(house.sessions) as session:
            task = await callbacks_store.task(session, task_id)
        etags.tag(response, task.row.version)
        return _said(task)

    @routes.get("", response_model=paging.Page[One], summary="Call-back tasks, open ones first")
    async def waiting(
        who: Reader, limit: paging.Limit = 50, after: paging.After = None, state: States = (OPEN, ASKED),
        numberless: Numberless = False,
    ) -> Any:
        """Open ones first, then the oldest first."""
        key: Any = paging.key(after, bool, datetime, int)
        async with reading_session(house.sessions) as session:
            found = await callbacks_store.tasks(
                session, state, numberless=numberless, limit=limit + 1, after=key)
        return paging.page([_said(task) for task in found], limit, _place)

    @routes.get("/{callback_id}", response_model=One, summary="One call-back task")
    async def one(who: Reader, callback_id: CallbackId, response: Response) -> Any:
        return await answer(response, callback_id)

    @routes.post("/{callback_id}/attempt", response_model=One, summary="Write down an attempt to call back")
    async def attempt(
        who: Annotated[Person, may(CHANGE, Resource.CALLBACKS)], callback_id: CallbackId, body: AttemptBody,
        seen: etags.Seen, response: Response,
    ) -> Any:
        """Three attempts in vain ask the supervisor; each puts the next one off by ten minutes."""
        await callbacks_store.attempt(
            house.sessions, callback_id, body.reached, body.call_id, who=who.name, now=datetime.now(UTC), version=seen)
        return await answer(response, callback_id)

    @routes.post(
        "/{callback_id}/decision", response_model=One, summary="Decide what becomes of a caller whom nobody reaches")
    async def decide(
        who: Annotated[Person, may(CHANGE, Resource.DECISIONS)], callback_id: CallbackId, body: DecisionBody,
        seen: etags.Seen, response: Response,
    ) -> Any:
        """For a task that was tried in vain three times (state `asked`)."""
        await callbacks_store.decide(
            house.sessions, callback_id, body.decision == "open", body.reason, who=who.name, now=datetime.now(UTC),
            version=seen)
        return await answer(response, callback_id)

    return routes


def _said(task: Task) -> dict[str, Any]:
    return shapes.row(task.row) | {"calls": list(task.calls)}


def _place(said: dict[str, Any]) -> tuple[Any, ...]:
    return said["state"] == OPEN, said["opened_at"], said["id"]
