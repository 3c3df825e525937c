"""The menu in force: follows the admin's file without a restart, and lets no broken one reach a caller."""
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from ivr.menu import Menu, MenuError, language_of, parse

log = logging.getLogger(__name__)

#: the menu we ship, with comments for whoever edits it
SEED = Path(__file__).parent / "menus" / "main.toml"


class MenuFile:
    """Reads `path` again when it has changed; whatever is wrong with it, the last good menu stays in force.

    `prompts_for(language)`: seconds by name of the prompts that are built. On the first start `seed` is
    copied to `path`; it is also the menu in force when `path` is broken from the very beginning.
    """

    def __init__(self, path: Path, seed: Path, prompts_for: Callable[[str], Mapping[str, float]]) -> None:
        self._path, self._prompts_for = path, prompts_for
        self._stamp: object = None
        #: file, line and reason, while the file is not the menu in force; for the health page
        self.fault: str | None = None
        shipped = seed.read_text("utf-8")
        self._menu = parse(shipped, str(seed), None)
        with suppress(OSError):                             # current() says what is the matter
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.write_text(shipped, "utf-8")
        self.current()

    def current(self) -> Menu:
        """The menu for the next call; never raises. Costs one stat when nothing has changed."""
        try:
            stamp = self._look()
            if stamp != self._stamp or self.fault:          # a fault may be mended by building a prompt, too
                text = self._path.read_text("utf-8")
                prompts = self._prompts_for(language_of(text, str(self._path)))
                self._menu = parse(text, str(self._path), prompts)
                self._stamp, self.fault = stamp, None
        except MenuError as wrong:
            self._refuse(str(wrong))
        except (OSError, UnicodeDecodeError) as wrong:
            self._refuse(f"{self._path}, line 1: the file cannot be read: {wrong}")
        return self._menu

    def _look(self) -> object:
        seen = self._path.stat()
        return seen.st_mtime_ns, seen.st_size, seen.st_ino

    def _refuse(self, fault: str) -> None:
        if fault != self.fault:
            log.error("menu refused, the last good one stays in force: %s", fault)
        self.fault = fault
