"""routing: the overflow table in force: follows the admin's file without a restart; a broken one changes nothing."""
import logging
from contextlib import suppress
from pathlib import Path

from routing.overflow import Table, TableError, parse

log = logging.getLogger(__name__)

#: the table we ship, with comments for whoever edits it
SEED = Path(__file__).parent / "overflow.toml"


class OverflowFile:
    """Reads `path` again when it has changed; made from the one we ship, if there is none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: object = None
        #: what is wrong with the file, while it is not in force; for the health page
        self.fault: str | None = None
        shipped = SEED.read_text("utf-8")
        self._table = parse(shipped, str(SEED))
        with suppress(OSError):                         # current() says what is the matter
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.write_text(shipped, "utf-8")
        self.current()

    def current(self) -> Table:
        """The table for the next step; never raises. Costs one stat when nothing has changed."""
        try:
            seen = self._path.stat()
            stamp = seen.st_mtime_ns, seen.st_size, seen.st_ino
            if stamp != self._stamp:
                self._stamp = stamp
                self._table = parse(self._path.read_text("utf-8"), str(self._path))
                self.fault = None
        except TableError as wrong:
            self._refuse(str(wrong))
        except (OSError, UnicodeDecodeError) as wrong:
            self._stamp = None
            self._refuse(f"{self._path} cannot be read: {wrong}")
        return self._table

    def _refuse(self, fault: str) -> None:
        if fault != self.fault:
            log.error("overflow table refused, the last good one stays in force: %s", fault)
        self.fault = fault
