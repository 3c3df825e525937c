"""calls: the journal's file on this node's own disk: numbered lines, each group with a full sync.

A disk that is full or gone costs no call anything: what cannot be written is kept in memory, and written as soon as
that is possible, unless the database has it by then. Written by one thread.
"""
import logging
import os
from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

log = logging.getLogger(__name__)

#: A file of this many bytes is begun anew as soon as the database has everything in it.
BEGIN_ANEW_AT = 16_000_000

#: its number, and its text with its end
Line = tuple[int, bytes]


class JournalFile:
    """Opened by the first write, and again after a fault; `with` closes it."""

    def __init__(self, path: Path) -> None:
        self.fault: str | None = None       #: why the last write failed, for a person
        self._path = path
        self._file: FileIO | None = None
        self._owed: list[Line] = []
        self._last = 0                      #: highest number in it

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    @property
    def owes(self) -> bool:
        """Whether something that should be in it is not."""
        return bool(self._owed)

    def write(self, lines: Sequence[Line], safe: int) -> None:
        """Add the lines, and those that could not be written before; `safe`: the database has all up to this number.

        Never raises: see `fault`.
        """
        owed = [*self._owed, *lines]
        self._owed = [line for line in owed if line[0] > safe] or owed[-1:]     # the last one tells where numbers stand
        if not self._owed:
            return
        try:
            self._add(b"".join(text for _, text in self._owed), safe)
        except OSError as fault:
            if self.fault is None:
                log.error("the journal's file cannot be written, and notes go to the database alone: %s", fault)
            self.fault = fault.strerror or type(fault).__name__
            return
        if self.fault is not None:
            log.warning("the journal's file can be written again")
        self.fault, self._last, self._owed = None, self._owed[-1][0], []

    def _add(self, text: bytes, safe: int) -> None:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = FileIO(str(self._path), "a+")
            text = _end_of_line(self._file) + text
        end = self._file.seek(0, os.SEEK_END)
        if end > BEGIN_ANEW_AT and 0 < self._last <= safe:
            self._file.truncate(end := 0)
        try:
            left = memoryview(text)
            while left:
                left = left[self._file.write(left) or 0:]
            os.fdatasync(self._file.fileno())
        except OSError:
            _take_back(self._file, end)
            self._file = None
            raise


def _end_of_line(file: FileIO) -> bytes:
    """A line cut by a sudden end must not swallow the next one."""
    if file.seek(0, os.SEEK_END) == 0:
        return b""
    file.seek(-1, os.SEEK_END)
    return b"" if file.read(1) == b"\n" else b"\n"


def _take_back(file: FileIO, end: int) -> None:
    """Half a group is none: it comes again as a whole."""
    try:
        file.truncate(end)
        file.close()
    except OSError as fault:
        log.warning("a half-written group stays in the journal's file: %s", fault)
