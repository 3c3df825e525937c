"""The porch: `kentongan audit …`: what has been changed by whom, and whether anybody has touched the book since."""

import re
import sys
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from db import audit
from db.engine import reading_session
from kentongan.commands.house import Json, Sessions, show, with_sessions
from kentongan.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Who changed what, from what to what, and why.")

#: broken rows that are named
_NAMED = 20


@app.command("list")
def list_(
    what: Annotated[str | None, typer.Option(help="A kind of thing: ticket, roster, user, agency …")] = None,
    which: Annotated[str | None, typer.Option(help="Which of its kind, e.g. a user's name.")] = None,
    who: Annotated[str | None, typer.Option(help="Who did it.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="So many at most.")] = 50,
    json_: Json = False,
) -> None:
    """The last changes, the newest first."""

    async def work(sessions: Sessions, settings: Settings) -> list[dict[str, Any]]:
        async with reading_session(sessions) as session:
            rows = await audit.newest(session, limit, what=what, which=which, who=who)
        hidden = () if json_ else ("salt", "digest", "chain")
        return [{column.key: getattr(row, column.key) for column in row.__table__.columns if column.key not in hidden}
                for row in rows]

    show(with_sessions(work), json_, "the audit tells of nothing like that")


@app.command()
def head() -> None:
    """Number and chain of the last row: write them down where nobody who has the database can change them."""
    print(_told(*_ask(audit.head)))


@app.command()
def verify(
    written: Annotated[str | None, typer.Option(
        metavar="NUMBER:CHAIN", help="A head that was written down: is it still there?")] = None,
) -> None:
    """Walk the whole chain. Exit 1 if a row does not fit those before it, and name it."""
    number, chain = _parted(written)

    def walk(connection: Connection) -> tuple[tuple[int, str], list[int], str | None]:
        last = audit.head(connection)           # before the walk, which therefore sees all that stands under it
        return last, list(audit.breaks(connection)), audit.chain_at(connection, number)

    last, broken, found = _ask(walk)
    if broken:
        more = f" and {len(broken) - _NAMED} more" if len(broken) > _NAMED else ""
        print(f"{len(broken)} rows do not fit what stands before them: {', '.join(map(str, broken[:_NAMED]))}{more}. "
              "Somebody has changed, removed or slipped in rows there; compare with a backup.", file=sys.stderr)
    if found != chain:
        what = "is not there any more" if found is None else "is another one now"
        print(f"row {number}, as it was written down, {what}: the audit was cut off or made anew.", file=sys.stderr)
    if broken or found != chain:
        raise SystemExit(1)
    print(f"all {last[0]} rows fit; the head, to be written down elsewhere:")
    print(_told(*last))


def _parted(written: str | None) -> tuple[int, str]:
    if written is None:
        return 0, audit.GENESIS
    if (told := re.fullmatch("([0-9]{1,9}):([0-9a-f]{64})", written.strip())) is None:
        raise typer.BadParameter("give what `kentongan audit head` printed: a number, a colon, 64 letters")
    return int(told[1]), told[2]


def _told(number: int, chain: str) -> str:
    return f"{number}:{chain}"


def _ask(question: Any) -> Any:
    """What `question(connection)` answers."""

    async def work(sessions: Sessions, settings: Settings) -> Any:
        async with reading_session(sessions) as session:
            return await (await session.connection()).run_sync(question)

    return with_sessions(work)
