"""The porch: `kentongan callbacks …`: whom to call back, what came of it, and the supervisor's word."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from calls import callbacks_store
from calls.callbacks import UNDONE, State
from db.engine import reading_session
from kentongan.commands.house import Json, Sessions, show, who, with_sessions
from kentongan.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Callers whom nobody answered, to be called back.")

Reached = Annotated[bool, typer.Option("--reached/--not-reached", help="Whether somebody was there.")]


class Decision(StrEnum):
    """What becomes of a caller whom nobody reached."""

    OPEN = "open"
    GIVE_UP = "give-up"


@app.command("list")
def list_(
    state: Annotated[list[State] | None, typer.Option(help="Which; without it those not over.")] = None,
    numberless: Annotated[bool, typer.Option(help="Those without a number, and only those.")] = False,
    limit: Annotated[int, typer.Option(min=1)] = 50, json_: Json = False,
) -> None:
    """Open ones first, then the oldest."""

    async def work(sessions: Sessions, settings: Settings) -> list[dict[str, Any]]:
        async with reading_session(sessions) as session:
            found = await callbacks_store.tasks(session, state or UNDONE, numberless=numberless, limit=limit)
        return [_line(task) for task in found]

    show(with_sessions(work), json_, "nobody without a number waits" if numberless else
         "nobody with a number is to be called back; without one: kentongan callbacks list --numberless")


@app.command()
def attempt(
    callback: int, reached: Reached, call: Annotated[str | None, typer.Option(help="By which call.")] = None,
    json_: Json = False,
) -> None:
    """Somebody has called back. Three attempts in vain ask the supervisor."""
    _change(callback, json_, lambda sessions: callbacks_store.attempt(
        sessions, callback, reached, call, who=who(), now=datetime.now(UTC), version=None))


@app.command()
def decide(
    callback: int, decision: Decision, reason: Annotated[str, typer.Option(help="For the audit.")], json_: Json = False
) -> None:
    """The supervisor's word on somebody who could not be reached."""
    if not (why := reason.strip()):
        raise typer.BadParameter("say why; it stands in the audit", param_hint="--reason")
    _change(callback, json_, lambda sessions: callbacks_store.decide(
        sessions, callback, decision is Decision.OPEN, why, who=who(), now=datetime.now(UTC), version=None))


def _change(callback: int, json_: bool, change: Callable[[Sessions], Awaitable[None]]) -> None:
    """Do it, and tell how the task stands then."""

    async def work(sessions: Sessions, settings: Settings) -> dict[str, Any]:
        await change(sessions)
        async with reading_session(sessions) as session:
            return _line(await callbacks_store.task(session, callback))

    show([with_sessions(work)], json_)


def _line(task: callbacks_store.Task) -> dict[str, Any]:
    row = task.row
    return {
        "id": row.id, "number": row.number, "state": row.state, "opened_at": row.opened_at, "attempts": row.attempts,
        "due_at": row.due_at, "calls": list(task.calls), "closed_at": row.closed_at, "closed_by": row.closed_by,
        "cleared_by_call": row.cleared_by_call}
