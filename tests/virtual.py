"""Virtual time for whoever steps it by hand, as a machine of hypothesis does: nothing happens between the steps."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time passes when nobody has anything to do, and then at once. Faults that nobody caught are kept in `faults`."""

    def __init__(self) -> None:
        super().__init__()
        self._at = 0.0
        self.faults: list[dict[str, Any]] = []
        self.set_exception_handler(lambda loop, context: self.faults.append(context))
        poll = self._selector.select

        def select(timeout: float | None) -> Any:
            assert timeout is not None, "nothing can happen any more, and somebody waits"
            self._at += timeout
            return poll(0)

        self._selector.select = select

    def time(self) -> float:
        return self._at

    def plays(self, work: Coroutine[Any, Any, T]) -> T:
        """Do this to its end; whatever else goes on in the loop goes on meanwhile, and is left there."""
        return self.run_until_complete(work)

    def ends(self) -> None:
        """Whoever is still there is cancelled."""
        for _ in range(5):  # some cancel slowly
            for task in (left := asyncio.all_tasks(self)):
                task.cancel()
            if left:
                self.run_until_complete(asyncio.wait(left, timeout=60))
        self.close()
