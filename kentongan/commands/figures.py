"""The porch: `kentongan figures`: a day in figures."""

import json
from dataclasses import asdict
from datetime import datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from calls.figures_store import Figures, figures
from db.engine import reading_session
from kentongan.commands.house import Json, Sessions, with_sessions
from kentongan.settings import Settings


def show(
    day: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The local date; else today.")] = None,
    json_: Json = False,
) -> None:
    """A day in figures: calls, waits, dispositions, tickets, forwardings, call-backs."""

    async def work(sessions: Sessions, settings: Settings) -> Figures:
        zone = ZoneInfo(settings.timezone)
        date = (day or datetime.now(zone)).date()
        since, until = (datetime.combine(date + timedelta(days=n), time.min, zone) for n in (0, 1))
        async with reading_session(sessions) as session:
            return await figures(session, since, until)

    found = with_sessions(work)
    print(json.dumps(asdict(found), indent=2) if json_ else "\n".join(found.lines()))
