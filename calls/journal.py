"""calls: the journal: what happened, in order, never awaited and never lost.

A note gets its number and its moment at once, in the event loop, and those who listen hear of it. One thread commits
notes in groups to this node's own file, with a full sync; another one brings them into the database. So a database that
is away, locked or slow keeps nothing from the disk: its notes stay in the file, and when it is back (or at the next
start) they are brought in once, by their number. Without a database the file alone says where the numbers stand.
"""
import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import msgspec

from calls.journal_file import JournalFile

log = logging.getLogger(__name__)

#: Seconds between attempts while the database is away, or the file cannot be written.
RETRY_AFTER = 1.0
#: Seconds that the database gets at the end for what it does not have yet; the file has it.
LAST_WORDS = 6.0
#: Notes in one group, at most.
_GROUP = 1000


class Note(msgspec.Struct, frozen=True):
    """One line of the journal."""

    seq: int                    #: this node's running number, from 1, without gaps
    at: datetime                #: UTC
    kind: str                   #: a stage, or another thing that happened
    call_id: str | None = None
    facts: dict[str, Any] = {}


#: A note, one who waits until the notes before are in the database, or the end.
_Item = Note | Future[None] | None
_Queue = queue.SimpleQueue[_Item]


class Store(Protocol):
    """Where notes end up; the database in life (calls.store)."""

    def last(self) -> int: ...
    def commit(self, notes: Sequence[Note]) -> None: ...


class LostCount(Exception):
    """Neither the database nor the file says where the numbers stand; the text says what to do."""


class Journal:
    """This node's journal. `open()` before the first note, `close()` after the last. Made in the event loop."""

    def __init__(self, path: Path, store: Store) -> None:
        self._path, self._store = path, store
        self._file = JournalFile(path)
        self._seq = self._committed = 0
        self._counted = False                           # whether the database has said where the numbers stand
        self._behind_since: float | None = None
        self._refused = False                           # whether it is known that the database does not take notes
        self._listeners: list[Callable[[Note], None]] = []
        self._on_commit: list[Callable[[], None]] = []
        self._to_file: _Queue = queue.SimpleQueue()
        self._to_database: _Queue = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._loop = asyncio.get_running_loop()

    def open(self) -> None:
        """Find where the numbers stand, bring in what the database has not, and start to write.

        May take as long as the database does to answer, so not for the event loop. LostCount if nobody knows the
        numbers.
        """
        try:
            left = read(self._path)
        except OSError as fault:
            log.error("the journal's file cannot be read; what only it has is lost: %s", fault)
            left = []
        try:
            self._committed = self._store.last()
            self._counted = True
        except Exception as fault:
            if not left:
                raise LostCount(
                    f"The database does not answer ({type(fault).__name__}), and there is no journal of this node in "
                    f"{self._path}: nobody knows its next number. Bring the database back.") from fault
            log.warning("the journal is opened without the database (%s): its file has the numbers",
                        type(fault).__name__)
            self._committed = left[0].seq - 1           # at least; it will be asked
            self._behind_since = monotonic()
        left = [note for note in left if note.seq > self._committed]
        self._seq = max(self._committed, *(note.seq for note in left), 0)
        self._threads = [threading.Thread(target=self._fill_file, name="journal", daemon=True),
                         threading.Thread(target=self._fill_database, args=(left,), name="journal-db", daemon=True)]
        for thread in self._threads:
            thread.start()

    def note(self, kind: str, call_id: str | None = None, **facts: object) -> None:
        """Note that something happened just now. Never waits.

        RuntimeError once the journal is closed: the number would be given a second time by who opens it next.
        """
        if self._closed:
            raise RuntimeError(f"the journal is closed, and something notes {kind!r} all the same")
        self._seq += 1
        note = Note(self._seq, datetime.now(UTC), kind, call_id, facts)
        self._to_file.put(note)
        for listener in self._listeners:
            listener(note)

    def listen(self, listener: Callable[[Note], None]) -> None:
        """Hear every note from now on, at once and before it is written."""
        self._listeners.append(listener)

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Be called, in the event loop, after notes have come into the database."""
        self._on_commit.append(listener)

    @property
    def depth(self) -> int:
        """Notes that the database does not have yet."""
        return self._seq - self._committed

    @property
    def behind_for(self) -> float:
        """Seconds since the database last had everything; 0.0 while it follows."""
        since = self._behind_since
        return 0.0 if since is None else monotonic() - since

    @property
    def file_fault(self) -> str | None:
        """Why this node's own file cannot be written, for a person; None: it can."""
        return self._file.fault

    @property
    def alive(self) -> bool:
        """Whether notes are being written."""
        return bool(self._threads) and all(thread.is_alive() for thread in self._threads)

    async def settled(self) -> None:
        """Until everything noted so far is in the database."""
        marker: Future[None] = Future()
        self._to_file.put(marker)
        await asyncio.wrap_future(marker)

    async def close(self) -> None:
        """Write what is left; what the database does not take within LAST_WORDS stays in the file."""
        self._closed = True
        if self._threads:
            self._to_file.put(None)
            filling, bringing = self._threads
            await asyncio.to_thread(filling.join)
            await asyncio.to_thread(bringing.join, LAST_WORDS)

    # --- two threads: what is noted goes through the first into the second

    def _fill_file(self) -> None:
        with self._file as file:
            taken: list[_Item] = []
            while None not in taken:
                taken = _take(self._to_file, RETRY_AFTER if file.owes else None)
                fresh = [item for item in taken if isinstance(item, Note)]
                file.write([(note.seq, msgspec.json.encode(note) + b"\n") for note in fresh], self._committed)
                for item in taken:
                    self._to_database.put(item)

    def _fill_database(self, left: list[Note]) -> None:
        markers: list[Future[None]] = []
        taken: list[_Item] = []
        behind = self._bring(left)
        while None not in taken:
            taken = _take(self._to_database, RETRY_AFTER if behind else None)
            markers += [item for item in taken if isinstance(item, Future)]
            behind = self._bring(behind + [item for item in taken if isinstance(item, Note)])
            if not behind:
                for marker in markers:
                    if marker.set_running_or_notify_cancel():       # else nobody waits for it any more
                        marker.set_result(None)
                markers = []

    def _bring(self, notes: list[Note]) -> list[Note]:
        """Notes into the database, group by group; what it does not take comes back."""
        if notes and self._behind_since is None:
            self._behind_since = monotonic()
        try:
            if notes and not self._counted:
                self._committed, self._counted = self._store.last(), True
                notes = [note for note in notes if note.seq > self._committed]
            while notes:
                self._store.commit(notes[:_GROUP])
                self._committed = notes[min(_GROUP, len(notes)) - 1].seq
                notes = notes[_GROUP:]
                self._tell()
        except Exception:
            if not self._refused:
                log.exception("the database does not take the journal's notes; they wait in its file")
            self._refused = True
            return notes
        if self._refused:
            log.warning("the database has everything again after %.0f s", self.behind_for)
        self._refused, self._behind_since = False, None
        return []

    def _tell(self) -> None:
        for listener in self._on_commit:
            try:
                self._loop.call_soon_threadsafe(listener)
            except RuntimeError:        # the loop has been closed: nobody is left to be told
                return


def read(path: Path) -> list[Note]:
    """The notes of a journal's file. A line cut by a sudden end is left out, with a warning."""
    notes: list[Note] = []
    if path.exists():
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            try:
                notes.append(msgspec.json.decode(line, type=Note))
            except msgspec.MsgspecError:
                log.warning("%s line %s is not a note (cut by a sudden end?); it is left out", path, number)
    return notes


def _take(queue_: _Queue, patience: float | None) -> list[_Item]:
    """What is in the queue now; waits for the first item (with patience: not for ever). None is the end."""
    try:
        taken = [queue_.get(timeout=patience)]
    except queue.Empty:
        return []
    while taken[-1] is not None and len(taken) < _GROUP and not queue_.empty():
        taken.append(queue_.get())
    return taken
