"""The service as `kentongan run` starts it, with a tally beside it: `python -m bench.counted`.

SIGUSR1 lays the tally so far into `tally.json` in the data folder. Nothing of the service is changed; a few lines run
after its own: counting costs some µs per statement of the database.
"""
import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
from sqlalchemy import Connection, Engine, event

from calls.journal import Note
from calls.stages import ARRIVED
from calls.store import JournalStore
from kentongan import cli, main
from kentongan.ground import Ground
from kentongan.settings import Settings

TALLY = "tally.json"


class Tally(msgspec.Struct):
    """Counted since the start, but for `lag`."""

    requests: int = 0               #: commands given to ARI
    failures: int = 0               #: of these, not carried out
    events: int = 0                 #: received from ARI
    transactions: int = 0           #: begun, on both engines
    writing: int = 0                #: of these, committed with at least one row changed
    of_journal: int = 0             #: of the writing ones, the journal's (one each for a group of notes)
    statements: int = 0
    rows: int = 0                   #: inserted, changed or deleted
    lag: float = 0.0                #: seconds that the loop was late at worst since the last tally
    drafts: dict[str, float] = {}   #: by call: when its draft ticket's transaction had been committed, s since 1970


class Counting:
    """Listens to every engine of the process. A connection serves one thread at a time, so its own count needs no lock;
    the sum is taken when a transaction ends, under the interpreter's."""

    def __init__(self) -> None:
        self.ended: list[tuple[bool, int, int]] = []        #: (is the journal's, statements, rows), one per transaction
        self.drafts: dict[str, float] = {}
        event.listen(Engine, "begin", self._begins)
        event.listen(Engine, "after_cursor_execute", self._executed)
        event.listen(Engine, "commit", self._ends)
        event.listen(Engine, "rollback", self._rolls_back)

    def _begins(self, connection: Connection) -> None:
        connection.info["statements"] = connection.info["rows"] = 0

    def _executed(self, connection: Connection, cursor: Any, statement: str, *_more: object) -> None:
        if statement.startswith(("BEGIN", "PRAGMA")):
            return
        connection.info["statements"] = connection.info.get("statements", 0) + 1
        if not statement.startswith("SELECT"):
            connection.info["rows"] = connection.info.get("rows", 0) + max(0, cursor.rowcount)

    def _ends(self, connection: Connection) -> None:
        info = connection.info
        self.ended.append((not connection.dialect.is_async, info.get("statements", 0), info.get("rows", 0)))

    def _rolls_back(self, connection: Connection) -> None:
        self.ended.append((not connection.dialect.is_async, connection.info.get("statements", 0), 0))

    def tally(self, service: main.Service, lag: float) -> Tally:
        ended = list(self.ended)
        writing = [of_journal for of_journal, _, rows in ended if rows]
        return Tally(
            service.ari.requests, service.ari.failures, service.ari.received, len(ended), len(writing), sum(writing),
            sum(statements for _, statements, _ in ended), sum(rows for _, _, rows in ended), lag, dict(self.drafts))


def run() -> None:
    """Like `kentongan service`."""
    counting = Counting()

    class Counted(main.Service):
        def __init__(self, settings: Settings, ground: Ground) -> None:
            super().__init__(settings, ground)
            self._tally = settings.data / TALLY

        @asynccontextmanager
        async def running(self) -> AsyncIterator[main.Service]:
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._lay)
            async with super().running():
                yield self

        def _lay(self) -> None:
            new = self._tally.with_suffix(".new")
            new.write_bytes(msgspec.json.encode(counting.tally(self, self._worst_lag())))
            new.replace(self._tally)

    class Timed(JournalStore):
        def commit(self, notes: Sequence[Note]) -> None:
            super().commit(notes)
            now = time.time()
            counting.drafts |= {note.call_id: now for note in notes if note.kind == ARRIVED and note.call_id}

    sys.argv = [str(Path(sys.argv[0])), "service"]
    with patch.object(main, "Service", Counted), patch.object(main, "JournalStore", Timed):
        cli.main()


if __name__ == "__main__":
    run()
