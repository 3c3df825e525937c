"""The porch: `kentongan calls …`: the calls there were, and the journal of one."""

import json
from datetime import datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from calls import search_store
from calls.disposition import Disposition
from calls.search_store import Wanted
from calls.stages import Outcome, Stage
from db.engine import reading_session
from kentongan.commands.house import Json, Sessions, show, with_sessions
from kentongan.settings import Settings
from tickets import store as tickets

app = typer.Typer(no_args_is_help=True, help="Calls and their journals.")

From = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day, local.")]
To = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day, local.")]


@app.command("list")
def list_(
    number: Annotated[str | None, typer.Option(help="The caller's, or a part of it.")] = None,
    stage: Stage | None = None, topic: str | None = None, operator: str | None = None,
    outcome: Outcome | None = None, disposition: Disposition | None = None,
    since: From = None, until: To = None,
    limit: Annotated[int, typer.Option(min=1)] = 50, json_: Json = False,
) -> None:
    """The newest first."""

    async def work(sessions: Sessions, settings: Settings) -> list[dict[str, Any]]:
        zone = ZoneInfo(settings.timezone)
        wanted = Wanted(
            number, stage, topic, operator, outcome, disposition, since and since.replace(tzinfo=zone),
            until and (until + timedelta(days=1)).replace(tzinfo=zone))
        async with reading_session(sessions) as session:
            return [{
                "id": call.id, "arrived_at": call.arrived_at, "number": call.caller_number, "stage": call.stage,
                "outcome": call.outcome, "topic": call.topic, "operator": call.operator,
                "disposition": call.disposition, "ended_at": call.ended_at,
            } for call in await search_store.page(session, wanted, limit=limit)]

    show(with_sessions(work), json_, "no call is like that")


@app.command("show")
def show_(call_id: str, json_: Json = False) -> None:
    """Everything about one call: what is known of it, its tickets, and its journal line by line."""
    from web import store  # only here: all commands would wait for FastAPI
    from web.shapes import row

    async def work(sessions: Sessions, settings: Settings) -> dict[str, Any]:
        async with reading_session(sessions) as session:
            call = await store.call(session, call_id)
            return row(call) | {
                "tickets": [ticket.number for ticket in await tickets.tickets_of(session, call_id)],
                "notes": [row(note, without={"call_id"}) for note in await store.notes(session, call_id)]}

    whole = with_sessions(work)
    if json_:
        print(json.dumps(whole, indent=2, ensure_ascii=False))
        return
    notes = whole.pop("notes")
    show([{"what": name, "is": value} for name, value in whole.items()], False)
    print()
    show([{"at": note["at"], "note": note["kind"], "facts": " ".join(f"{k}={v}" for k, v in note["facts"].items())}
          for note in notes], False, "its journal is empty")
