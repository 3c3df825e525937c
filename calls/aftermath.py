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
    notes: Notes, sessions: async_sessionmaker[AsyncSession], node: str, spool: Path, rescued: Path,
    look: Callable[[], Awaitable[Set[str]]],
) -> None:
    """Note the ends that nobody saw. `rescued`: the file in which the guard tells whom it sent the way out. `look`: ids
    of all channels in Asterisk now, and of the calls in our hands; it returns when all that was noted is in the books.

    Books first, then Asterisk, then the books again: who arrives in between stands in neither list, and whose end
    was seen in between has it by then.
    """
    found = {path.stem: path for path in await asyncio.to_thread(lambda: list(spool.glob("*.raw")))}
    unfinished = await store.unfinished(sessions, node)
    alive = await look()
    unfinished &= await store.unfinished(sessions, node)
    sent = await asyncio.to_thread(_lines, rescued)
    for call_id in sorted(unfinished - alive):
        ended_at = _still_since(spool / f"{call_id}.raw")
        if call_id in sent:
            _note_way_out(notes, call_id, "sent by the guard", ended_at)
        else:
            notes.note("ended", call_id, by="nobody of us saw", ended_at=ended_at)
    if sent and not sent & alive:
        await look()                                    # safe in the books: no need to be told again
        await asyncio.to_thread(rescued.unlink)
    for call_id in sorted(found.keys() - alive - await store.known(sessions, found)):
        _note_way_out(notes, call_id, "found in the spool", _still_since(found[call_id]),
                      arrived_at=_arrived_at(call_id, found[call_id]))


def _note_way_out(notes: Notes, call_id: str, why: str, ended_at: str | None, arrived_at: str | None = None) -> None:
    """`arrived_at`: None for a call that is in the books. Nobody knows who answered, if anybody did."""
    notes.note("way out", call_id, number=None, arrived_at=arrived_at, operator=None, talked_for=None, why=why,
               ended_at=ended_at)


def _lines(file: Path) -> set[str]:
    return set(file.read_text().split()) if file.exists() else set()


def _still_since(raw: Path) -> str | None:
    """The moment of the recording's last sound, if there is one: nearest to the end that nobody saw."""
    return datetime.fromtimestamp(raw.stat().st_mtime, UTC).isoformat() if raw.exists() else None


def _arrived_at(call_id: str, raw: Path) -> str:
    """Asterisk's unique ids begin with the second of the call's arrival."""
    second = call_id.split(".")[0]
    moment = int(second) if second.isdecimal() and len(second) == 10 else raw.stat().st_mtime
    return datetime.fromtimestamp(moment, UTC).isoformat()
