"""The porch: `kentongan recordings …`: find them, hear them with a reason, comment on a second."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from calls.disposition import Disposition
from calls.stages import Outcome
from db.engine import reading_session
from kentongan.commands.house import Json, Sessions, show, who, with_sessions
from kentongan.settings import Settings
from recordings import review, review_store
from recordings.review_store import Wanted

app = typer.Typer(no_args_is_help=True, help="Recordings: find, listen with a reason, comment.")

From = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day, local.")]
To = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day, local.")]
Seconds = Annotated[float | None, typer.Option(min=0, help="Seconds.")]


@app.command("list")
def list_(
    operator: str | None = None, disposition: Disposition | None = None, outcome: Outcome | None = None,
    topic: str | None = None, length_min: Seconds = None, length_max: Seconds = None, wait_min: Seconds = None,
    wait_max: Seconds = None, since: From = None, until: To = None,
    comments: Annotated[bool | None, typer.Option(help="With comments, or without.")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 50, json_: Json = False,
) -> None:
    """The newest first. `wait`: seconds from arrival to talk; `gaps`: stretches that are missing."""
    wanted = Wanted(operator, disposition, outcome, topic, length_max, length_min, wait_max, wait_min,
                    commented=comments)

    async def work(sessions: Sessions, settings: Settings) -> list[dict[str, Any]]:
        zone = ZoneInfo(settings.timezone)
        between = replace(
            wanted, since=since and since.replace(tzinfo=zone),
            until=until and (until + timedelta(days=1)).replace(tzinfo=zone))
        async with reading_session(sessions) as session:
            return [_line(one) for one in await review_store.page(session, between, limit)]

    show(with_sessions(work), json_, "no recording is like that")


def _line(one: review_store.Reviewed) -> dict[str, Any]:
    row, call = one.recording, one.call
    return {
        "id": row.id, "call_id": row.call_id, "starts_at": row.starts_at, "state": row.state,
        "length": row.duration_for, "wait": one.waited_for, "operator": call and call.operator,
        "outcome": call and call.outcome, "disposition": call and call.disposition, "gaps": len(one.gaps),
        "comments": one.comments, "fault": row.fault}


@app.command()
def listen(
    recording: int, reason: Annotated[str, typer.Option(help="Why you listen; it stands in the audit.")],
    json_: Json = False,
) -> None:
    """Print where the sound lies (Ogg/Opus, left the caller, right everybody else)."""
    if not (why := reason.strip()):
        raise typer.BadParameter("say why you listen; it stands in the audit", param_hint="--reason")

    async def work(sessions: Sessions, settings: Settings) -> review.Sound:
        sound = await review.sound(sessions, settings.data / "recordings", recording)
        await review.listened(sessions, recording, who(), why, datetime.now(UTC))
        return sound

    sound = with_sessions(work)
    print(json.dumps({"path": str(sound.path), "bytes": sound.stat.st_size, "sha256": sound.sha256}, indent=2)
          if json_ else sound.path)


@app.command()
def comment(
    recording: int, text: str, at: Annotated[float, typer.Option(min=0, help="Seconds from its start.")]
) -> None:
    """Say something about a second of a recording."""
    if not (said := text.strip()):
        raise typer.BadParameter("a comment has a text", param_hint="TEXT")
    with_sessions(lambda sessions, settings: review.comment(
        sessions, recording, at, said, who(), datetime.now(UTC)))
    print(f"recording {recording} has your comment at {at:g} s")
