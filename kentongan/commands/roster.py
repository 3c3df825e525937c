"""The porch: `kentongan roster …`: who is on and when; taken out and brought in as CSV or iCalendar, as a whole."""

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from enum import StrEnum, auto
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from db.engine import reading_session
from kentongan.commands.house import Json, Sessions, show, who, with_sessions
from kentongan.settings import Settings
from routing import roster_csv, roster_edit, roster_ical, store
from routing.roster import DAY, WEEKDAYS, Shift, least_seats, on_duty
from routing.roster_edit import Change, Outcome
from routing.roster_rules import LONGEST_FILE, Given, Known, Refused, thin_places

app = typer.Typer(no_args_is_help=True, help="Who is on duty and when.")


class Format(StrEnum):
    """Of a file."""

    CSV = auto()
    ICS = auto()


AsFormat = Annotated[Format | None, typer.Option("--format", help="Otherwise as the file's name ends; else CSV.")]
Why = Annotated[str | None, typer.Option(help="For the audit.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only look what would become of it.")]


@app.command()
def on(
    at: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"], help=(
        "The regency's time, like \"2026-11-23 02:00\"; otherwise now."))] = None, json_: Json = False,
) -> None:
    """Who is on duty."""

    async def work(sessions: Sessions, settings: Settings) -> list[dict[str, Any]]:
        zone = ZoneInfo(settings.timezone)
        moment = at.replace(tzinfo=zone) if at is not None else _now()
        async with reading_session(sessions) as session:
            plan = await store.near(session, moment, zone)
            people = {row.name: row for row in await store.operators(session)}
        return [{
            "operator": stint.operator, "name": people[stint.operator].display_name, "shift": stint.duty.shift,
            "since": stint.starts.replace(tzinfo=zone), "until": stint.ends.replace(tzinfo=zone),
            "skills": people[stint.operator].skills} for stint in on_duty(plan, moment, zone)]

    show(with_sessions(work), json_, "nobody is on duty: kentongan roster gaps")


@app.command("show")
def show_(json_: Json = False) -> None:
    """The weekly pattern, and days that differ from yesterday on: a line per day and shift."""

    async def work(sessions: Sessions, settings: Settings) -> list[dict[str, Any]]:
        async with reading_session(sessions) as session:
            plan = (await store.plan(session)).since(_today(settings) - DAY)
        hours = {shift.code: (shift.starts, shift.ends) for shift in plan.shifts}
        keys = sorted({(str(duty.weekday), *hours[duty.shift], duty.shift) for duty in plan.weekly}) + sorted(
            {(duty.day.isoformat(), *hours[duty.shift], duty.shift) for duty in plan.days})
        named = [(str(duty.weekday), duty.shift, duty.operator) for duty in plan.weekly]
        named += [(duty.day.isoformat(), duty.shift, duty.operator) for duty in plan.days]
        return [{"day": WEEKDAYS[int(day)] if len(day) == 1 else day, "shift": shift, "starts": starts, "ends": ends,
                 "operators": sorted(name for on, code, name in named if (on, code) == (day, shift))}
                for day, starts, ends, shift in keys]

    show(with_sessions(work), json_, "nobody has a duty")


@app.command()
def gaps(json_: Json = False) -> None:
    """Where one is on or nobody, and where nobody has a skill: in the week, and on days to come that differ."""

    async def work(sessions: Sessions, settings: Settings) -> tuple[str, list[dict[str, Any]]]:
        async with reading_session(sessions) as session:
            plan = await store.plan(session)
            skills = {row.name: row.skills for row in await store.operators(session)}
        places = thin_places(plan, skills, _today(settings))
        return str(least_seats(plan)), [
            {"when": place.when, "skill": place.skill, "operators": sorted(place.operators)} for place in places]

    thinnest, places = with_sessions(work)
    show(places, json_, f"no gaps; the fewest seats of the week: {thinnest}")


@app.command()
def export(file: Path, format_: AsFormat = None, operator: Annotated[str | None, typer.Option(
        help="Of a calendar: this one's duties alone.")] = None) -> None:
    """Write the roster into FILE (- prints it)."""

    async def work(sessions: Sessions, settings: Settings) -> bytes:
        async with reading_session(sessions) as session:
            house = await roster_edit.house(session)
        if operator is not None and operator not in {one.name for one in house.operators}:
            raise roster_edit.Unknown(f"there is no operator {operator}: kentongan users list")
        plan = house.roster.since(_today(settings) - DAY)
        if _format(file, format_) is Format.ICS:
            return roster_ical.write(plan, house.operators, ZoneInfo(settings.timezone), _now(), operator)
        return roster_csv.write(plan)

    if operator is not None and _format(file, format_) is not Format.ICS:
        raise Refused.because("--operator", "only a calendar can be one operator's: --format ics")
    data = with_sessions(work)
    if str(file) == "-":
        sys.stdout.write(data.decode())
    else:
        try:
            file.write_bytes(data)
        except OSError as wrong:
            raise Refused.because(str(file), wrong.strerror or "cannot be written") from None
        print(f"written: {file}")


@app.command("import")
def import_(file: Path, format_: AsFormat = None, dry_run: DryRun = False, why: Why = None) -> None:
    """Take what FILE says: its weekly rows replace the whole weekly pattern, its dated rows those days. Or nothing."""
    data = _read(file)

    def read(settings: Settings) -> Callable[[Known], Given]:
        if _format(file, format_) is Format.ICS:
            return partial(roster_ical.read, data, ZoneInfo(settings.timezone))
        return partial(roster_csv.read, data)

    _tell(with_sessions(lambda sessions, settings: roster_edit.take(
        sessions, read(settings), _change(settings, why, dry_run))), dry_run)


@app.command()
def restore(
    day: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"])], why: Why = None, dry_run: DryRun = False,
) -> None:
    """Let the weekly pattern hold again on a DAY that differs, like 2026-12-25."""
    _tell(with_sessions(lambda sessions, settings: roster_edit.restore(
        sessions, day.date(), _change(settings, why, dry_run))), dry_run)


@app.command()
def shifts(
    given: Annotated[list[str] | None, typer.Argument(metavar="[CODE=07:00-15:00]...")] = None,
    why: Why = None, dry_run: DryRun = False, json_: Json = False,
) -> None:
    """The shifts; or, with all of them given, other ones."""
    if given:
        wanted = [_shift(one) for one in given]
        _tell(with_sessions(lambda sessions, settings: roster_edit.set_shifts(
            sessions, wanted, _change(settings, why, dry_run))), dry_run, "the shifts are changed")
        return

    async def work(sessions: Sessions, settings: Settings) -> list[dict[str, Any]]:
        async with reading_session(sessions) as session:
            return [vars(shift) for shift in sorted((await store.plan(session)).shifts, key=lambda it: it.starts)]

    show(with_sessions(work), json_, "there are no shifts")


def _tell(outcome: Outcome, dry_run: bool, otherwise: str = "nothing is changed: it stood there so") -> None:
    changed = ["the weekly pattern"] if outcome.week else []
    changed += [day.isoformat() for day in outcome.days]
    verb = "would be changed" if dry_run else "changed"
    print(f"{verb}: {', '.join(changed)}" if changed else otherwise)
    for warning in outcome.warnings:
        print(f"warning: {warning}", file=sys.stderr)


def _change(settings: Settings, why: str | None, dry_run: bool) -> Change:
    return Change(who(), _now(), ZoneInfo(settings.timezone), why=why, dry_run=dry_run)


def _shift(given: str) -> Shift:
    code, _, hours = given.partition("=")
    starts, _, ends = hours.partition("-")
    if not (code and starts and ends):
        raise Refused.because("", f"{given!r}: a shift is given like pagi=07:00-15:00")
    return Shift(code, starts, ends)


def _read(file: Path) -> bytes:
    try:
        with (sys.stdin.buffer if str(file) == "-" else file.open("rb")) as opened:
            return opened.read(LONGEST_FILE + 1)
    except OSError as wrong:
        raise Refused.because(str(file), wrong.strerror or "cannot be read") from None


def _format(file: Path, given: Format | None) -> Format:
    return given or (Format.ICS if file.suffix.lower() in (".ics", ".ical") else Format.CSV)


def _now() -> datetime:
    return datetime.now(UTC)


def _today(settings: Settings) -> date:
    return datetime.now(ZoneInfo(settings.timezone)).date()
