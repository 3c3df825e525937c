"""telephony: Asterisk's own book of calls as a file: read on from where we stood, and kept short.

Asterisk opens the file for every row that it writes (cel_custom), so it may be put aside at any moment: what is being
written goes into the old one, the next row into a new one. The old one is kept until it is the new one's turn.
"""
import os
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

from telephony.cel import TRUNK, Account, Row, accounts, parse

#: A file of this many bytes (some 2,500 calls) is put aside; one that was, is kept.
LIMIT = 4_000_000


class CelBook:
    """The book from its beginning, less the calls that were forgotten. Blocks: to be read in a thread, by one at a
    time."""

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self._path, self._limit = path, limit
        self._aside = path.with_name(path.name + ".1")
        self._file: BinaryIO | None = None
        self._cut = b""                         # a line that is not whole yet
        self._rows: list[Row] = []
        self._begun = False

    def accounts(self) -> dict[str, Account]:
        """What it tells now, by call id. Raises OSError if it cannot be read; if nothing was written yet, nothing."""
        if not self._begun:
            if self._aside.exists():
                self._take(self._aside.read_bytes())
                self._cut = b""
            self._begun = True
        self._read_on()
        return accounts(self._rows)

    def forget(self, call_ids: Collection[str]) -> None:
        """Of these we know all that we need. Rows that belong to no call are dropped as well."""
        kept = {row.channel for row in self._rows
                if row.event == "CHAN_START" and row.context == TRUNK and row.channel not in call_ids}
        bridges = {row.bridge for row in self._rows if row.channel in kept and row.bridge is not None}
        self._rows = [row for row in self._rows if row.linked in kept or row.channel in kept or row.bridge in bridges]

    def close(self) -> None:
        """Read no more."""
        if self._file is not None:
            self._file.close()

    def _read_on(self) -> None:
        while True:
            if self._file is None:
                try:
                    self._file = self._path.open("rb")
                except FileNotFoundError:
                    return
            if os.fstat(self._file.fileno()).st_size < self._file.tell():
                self._file.seek(0)                          # somebody has cut it
            self._take(self._file.read())
            if self._is_still_there(self._file):
                if self._file.tell() > self._limit:
                    self._path.replace(self._aside)         # read on until Asterisk has begun another
                return
            if not self._path.exists():
                return
            self._take(self._file.read())                   # written while we looked: nothing comes after this
            self._file.close()
            self._file, self._cut = None, b""

    def _is_still_there(self, file: BinaryIO) -> bool:
        try:
            return os.path.samestat(os.fstat(file.fileno()), self._path.stat())
        except FileNotFoundError:
            return False

    def _take(self, data: bytes) -> None:
        *lines, self._cut = (self._cut + data).split(b"\n")
        self._rows += [row for line in lines if (row := parse(line.decode("utf-8", "replace"))) is not None]
