"""The porch: an admin's file in force: it is followed without a restart, and a broken one never reaches a caller."""
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")


class Followed(Generic[T]):
    """Reads `path` again when it has changed; whatever is wrong with it, what it said last stays in force.

    `seed`: the file we ship, with comments for whoever edits it; copied to `path` if there is none, and in force, as
    `shipped`, while `path` is broken from the very beginning. `read(text, where)` raises ValueError: where, and why.
    """

    def __init__(self, path: Path, seed: Path, shipped: T, read: Callable[[str, str], T]) -> None:
        self._path, self._now, self._read = path, shipped, read
        self._stamp: object = None
        #: what is wrong with the file, while it is not in force; for the health page
        self.fault: str | None = None
        with suppress(OSError):                             # current() says what is the matter
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.write_text(seed.read_text("utf-8"), "utf-8")
        self.current()

    def current(self) -> T:
        """What the file says; never raises. Costs one stat when nothing has changed."""
        try:
            seen = self._path.stat()
            stamp = seen.st_mtime_ns, seen.st_size, seen.st_ino
            if stamp != self._stamp or self.fault:          # a fault may be mended elsewhere: a prompt that was missing
                self._now = self._read(self._path.read_text("utf-8"), str(self._path))
                self._stamp, self.fault = stamp, None
        except (OSError, UnicodeDecodeError) as wrong:
            self._refuse(f"{self._path}: the file cannot be read: {wrong}")
        except ValueError as wrong:
            self._refuse(str(wrong))
        return self._now

    def _refuse(self, fault: str) -> None:
        if fault != self.fault:
            log.error("refused, what it said last stays in force: %s", fault)
        self.fault = fault
