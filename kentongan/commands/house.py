"""The porch: what all commands share: the database for one command, who types, and how lists are shown."""

import asyncio
import getpass
import json
import platform
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

import typer
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from db.engine import async_engine
from kentongan import ground
from kentongan import settings as porch
from kentongan.settings import Settings

Sessions = async_sessionmaker[AsyncSession]
Answer = TypeVar("Answer")

#: `--json` of every list
Json = Annotated[bool, typer.Option("--json", help="For programs.")]


def with_sessions(work: Callable[[Sessions, Settings], Awaitable[Answer]]) -> Answer:
    """What `work` answers, given the database with this version's tables. Raises OtherVersion."""

    async def go() -> Answer:
        settings = porch.load()
        await ground.see(settings)
        engine = async_engine(settings.database_url)
        try:
            return await work(async_sessionmaker(engine, expire_on_commit=False), settings)
        finally:
            await engine.dispose()

    return asyncio.run(go())


def who() -> str:
    """The name that the audit keeps of whoever types: the host's own user and the host."""
    return f"{getpass.getuser()}@{platform.node()}"


def show(rows: Sequence[Mapping[str, Any]], json_: bool, empty: str = "nothing") -> None:
    """Rows of one kind: as a table in columns as wide as they must be (what a narrow window cuts is of no use), or as
    JSON. `empty`: what is said when there are none."""
    if json_:
        print(json.dumps(list(rows), indent=2, default=_plain, ensure_ascii=False))
        return
    if not rows:
        print(empty)
        return
    lines = [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple | set | frozenset):
        return ",".join(map(str, value)) or "-"
    return f"{_here(value):%Y-%m-%d %H:%M:%S %Z}" if isinstance(value, datetime) else " ".join(str(value).split())


def _here(moment: datetime) -> datetime:
    """In the regency's zone, as the clock on the wall there shows it; lists for programs keep UTC."""
    return moment.astimezone(_zone()) if moment.tzinfo is not None else moment


@cache
def _zone() -> ZoneInfo:
    return ZoneInfo(porch.load().timezone)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no place in JSON")
