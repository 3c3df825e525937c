"""calls: the journal: what happened, in order, never awaited and never lost.

A note gets its number and its moment at once, in the event loop, and those who listen hear of it. One writer thread
commits notes in groups: first to this node's own file, with a full sync, then to the database. While the database is
away, notes stay in the file; when it is back (or at the next start) they are brought in once, by their number.
"""
import asyncio
import logging
import os
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import msgspec

log = logging.getLogger(__name__)

#: Seconds between attempts while the database is away.
RETRY_AFTER = 1.0
#: A file of this many bytes is begun anew as soon as the database has everything in it.
BEGIN_ANEW_AT = 16_000_000
_GROUP = 1000


class Note(msgspec.Struct, frozen=True):
    """One line of the journal."""

    seq: int                    #: this node's running number, from 1, without gaps
    at: datetime                #: UTC
    kind: str                   #: a stage, or another thing that happened
    call_id: str | None = None
    facts: dict[str, Any] = {}


class Store(Protocol):
    """Where notes end up; the database in life (calls.store)."""

    def last(self) -> int: ...
    def commit(self, notes: Sequence[Note]) -> None: ...


class Journal:
    """This node's journal. `open()` before the first note, `close()` after the last."""

    def __init__(self, path: Path, store: Store) -> None:
        self._path, self._store = path, store
        self._seq = self._committed = 0
        self._listeners: list[Callable[[Note], None]] = []
        self._on_commit: list[Callable[[], None]] = []
        self._queue: queue.SimpleQueue[Note | Future[None] | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self) -> None:
        """Find where the numbers stand, bring in what the database has not, and start the writer.

        Raises what the store raises if the database cannot be asked, OSError if the file cannot be written.
        """
        self._loop = asyncio.get_running_loop()
        self._committed = self._store.last()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        left = [note for note in read(self._path) if note.seq > self._committed]
        self._seq = max(self._committed, *(note.seq for note in left), 0)
        file = self._path.open("ab")
        _end_line(file)
        self._writer = threading.Thread(target=self._write, args=(file, left), name="journal", daemon=True)
        self._writer.start()

    def note(self, kind: str, call_id: str | None = None, **facts: object) -> None:
        """Note that something happened just now. Never waits.

        RuntimeError once the journal is closed: the number would be given a second time by who opens it next.
        """
        if self._closed:
            raise RuntimeError(f"the journal is closed, and something notes {kind!r} all the same")
        self._seq += 1
        note = Note(self._seq, datetime.now(UTC), kind, call_id, facts)
        self._queue.put(note)
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
    def alive(self) -> bool:
        """Whether notes are being written."""
        return self._writer is not None and self._writer.is_alive()

    async def settled(self) -> None:
        """Until everything noted so far is in the database."""
        marker: Future[None] = Future()
        self._queue.put(marker)
        await asyncio.wrap_future(marker)

    async def close(self) -> None:
        """Write what is left; while the database is away it stays in the file. Ends the writer."""
        self._closed = True
        if self._writer is not None:
            self._queue.put(None)
            await asyncio.to_thread(self._writer.join)

    # --- the writer thread

    def _write(self, file: BinaryIO, behind: list[Note]) -> None:
        markers: list[Future[None]] = []
        open_ = True
        with file:
            while open_:
                taken = self._take(RETRY_AFTER if behind else None)
                open_ = None not in taken
                fresh = [item for item in taken if isinstance(item, Note)]
                markers += [item for item in taken if isinstance(item, Future)]
                self._to_file(file, fresh)
                behind += fresh
                if self._to_database(behind):
                    behind = []
                    for marker in markers:
                        marker.set_result(None)
                    markers = []
                    if file.tell() > BEGIN_ANEW_AT:
                        file.truncate(0)

    def _take(self, patience: float | None) -> list[Note | Future[None] | None]:
        """What is in the queue now; waits for the first item (with patience: not for ever)."""
        try:
            taken = [self._queue.get(timeout=patience)]
        except queue.Empty:
            return []
        while taken[-1] is not None and len(taken) < _GROUP and not self._queue.empty():
            taken.append(self._queue.get())
        return taken

    def _to_file(self, file: BinaryIO, notes: Iterable[Note]) -> None:
        lines = b"".join(msgspec.json.encode(note) + b"\n" for note in notes)
        if lines:
            try:
                file.write(lines)
                file.flush()
                os.fdatasync(file.fileno())
            except OSError:
                log.exception("the journal's file %s cannot be written; notes go to the database alone", self._path)

    def _to_database(self, notes: Sequence[Note]) -> bool:
        if notes:
            try:
                self._store.commit(notes)
            except Exception:
                log.exception("the journal's %s notes wait in its file: the database does not take them", len(notes))
                return False
            self._committed = notes[-1].seq
            self._tell()
        return True

    def _tell(self) -> None:
        assert self._loop is not None
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


def _end_line(file: BinaryIO) -> None:
    """A line cut by a sudden end must not swallow the next note."""
    if file.tell():
        with open(file.name, "rb") as tail:
            tail.seek(-1, os.SEEK_END)
            if tail.read(1) != b"\n":
                file.write(b"\n")
