"""The porch: `kentongan areas …`: sub-districts and villages, kept in a spreadsheet and brought in as a whole."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from db.engine import reading_session
from kentongan.commands.house import Json, Sessions, show, who, with_sessions
from kentongan.settings import Settings
from tickets import areas_store, places

app = typer.Typer(no_args_is_help=True, help="Sub-districts and villages.")

Replace = Annotated[bool, typer.Option("--replace", help="What is not in FILE is not offered any more.")]
All = Annotated[bool, typer.Option("--all", help="Also what is not offered any more.")]


@app.command("import")
def import_(file: Path, replace: Replace = False) -> None:
    """Take over FILE (- reads it): a CSV table with the columns code,kind,name,parent; all of it, or nothing."""
    try:
        data = sys.stdin.buffer.read(places.LONGEST + 1) if str(file) == "-" else file.read_bytes()
    except OSError as wrong:
        _fail(file, wrong)
    done = with_sessions(lambda sessions, settings: areas_store.bring_in(
        sessions, data, by=who(), now=datetime.now(UTC), replace=replace))
    print(f"{done.added} added, {done.changed} changed, {done.deactivated} not offered any more, "
          f"{done.unchanged} as they were")


@app.command()
def export(file: Path) -> None:
    """Write the places that are offered into FILE (- prints them), as `import` takes them."""

    async def work(sessions: Sessions, settings: Settings) -> str:
        async with reading_session(sessions) as session:
            return await areas_store.as_csv(session)

    text = with_sessions(work)
    if str(file) == "-":
        sys.stdout.write(text)
        return
    try:
        file.write_text(text, newline="")
    except OSError as wrong:
        _fail(file, wrong)
    print(f"written: {file}")


@app.command("list")
def list_(all_: All = False, json_: Json = False) -> None:
    """The places, by code."""

    async def work(sessions: Sessions, settings: Settings) -> list[dict[str, Any]]:
        async with reading_session(sessions) as session:
            found = await areas_store.areas(session, active=None if all_ else True)
        return [{"code": area.code, "kind": area.kind, "name": area.name, "parent": area.parent,
                 "active": area.active} for area in found]

    show(with_sessions(work), json_, "no places: kentongan areas import FILE")


def _fail(file: Path, wrong: OSError) -> NoReturn:
    print(f"{file}: {wrong.strerror or 'it does not work'}; nothing was done", file=sys.stderr)
    raise typer.Exit(1)
