"""calls: what became of calls while no process of ours was there: noted once, at the start of the next one.

Asterisk's channels say who is still there. Whoever is not, and has no end in our books, has ended; and a recording in
the spool that no call knows is that of a call which the dialplan carried alone (its number is lost with the channel).
"""
import asyncio
from collections.abc import Awaitable, Callable, Set
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from calls import store
from calls.call import Notes


async def tell(
    notes: Notes, sessions: async_sessionmaker[AsyncSession], node: str, spool: Path,
    look: Callable[[], Awaitable[Set[str]]],
) -> None:
    """Note the ends that nobody saw. `look`: ids of all channels in Asterisk now, and of the calls in our hands; it
    returns when everything noted before is in the books.

    Books first, then Asterisk, then the books again: who arrives in between stands in neither list, and whose end
    was seen in between has it by then.
    """
    found = {path.stem: path for path in await asyncio.to_thread(lambda: list(spool.glob("*.raw")))}
    unfinished = await store.unfinished(sessions, node)
    alive = await look()
    unfinished &= await store.unfinished(sessions, node)
    for call_id in sorted(unfinished - alive):
        notes.note("ended", call_id, by="nobody of us saw", ended_at=_still_since(spool / f"{call_id}.raw"))
    for call_id in sorted(found.keys() - alive - await store.known(sessions, found)):
        notes.note("way out", call_id, number=None, arrived_at=_arrived_at(call_id, found[call_id]), operator=None,
                   talked_for=None, why="found in the spool", ended_at=_still_since(found[call_id]))


def _still_since(raw: Path) -> str | None:
    """The moment of the recording's last sound, if there is one: nearest to the end that nobody saw."""
    return datetime.fromtimestamp(raw.stat().st_mtime, UTC).isoformat() if raw.exists() else None


def _arrived_at(call_id: str, raw: Path) -> str:
    """Asterisk's unique ids begin with the second of the call's arrival."""
    second = call_id.split(".")[0]
    moment = int(second) if second.isdecimal() and len(second) == 10 else raw.stat().st_mtime
    return datetime.fromtimestamp(moment, UTC).isoformat()
