"""The queue's house for tests, in virtual time: desks, and callers who take what they are lent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from routing.acd import Acd
from routing.desk import Desk

START = datetime(2026, 11, 22, 14, tzinfo=UTC).timestamp()
WRAP_UP_FOR, WIDEN_AFTER = 30.0, 15.0


def now() -> float:
    return START + asyncio.get_running_loop().time()


@dataclass(eq=False)
class Caller:
    """As much of a call as the queue knows."""

    id: str
    topic: str = "any"
    priority: int = 0
    behind: float = 0.0
    arrived_at: datetime = field(default_factory=lambda: datetime.fromtimestamp(now(), UTC))
    desk: str | None = None
    talks_on: bool = False

    def is_conversation(self) -> bool:
        return self.talks_on


class House:
    """An Acd, and callers who take what they are lent."""

    def __init__(self, *desks: Desk) -> None:
        self.changes: list[tuple[str, str]] = []
        self.acd = Acd(
            desks, wrap_up_for=WRAP_UP_FOR, widen_after=WIDEN_AFTER, now=now,
            on_change=lambda desk: self.changes.append((desk.name, desk.state)),
        )  # fmt: skip
        self.answered: list[str] = []

    def open(self, *names: str) -> None:
        self.acd.on_shift(set(names) or set(self.acd.desks))
        for name in names or self.acd.desks:
            self.acd.device(name, "NOT_INUSE")

    def desk(self, name: str) -> Desk:
        return self.acd.desks[name]

    def comes(self, caller: Caller, talks_for: float = 60.0, rings_for: float = 1.0) -> asyncio.Task[None]:
        return asyncio.create_task(self._lives(caller, talks_for, rings_for))

    async def _lives(self, caller: Caller, talks_for: float, rings_for: float) -> None:
        async with self.acd.desk_for(caller) as loan:
            desk = await loan.desk()
            await asyncio.sleep(rings_for)
            self.answered.append(f"{caller.id} by {desk.name}")
            self.acd.talks(desk)
            await asyncio.sleep(talks_for)


def desk(name: str, *skills: str) -> Desk:
    return Desk(name, frozenset(skills))


@asynccontextmanager
async def leaving(*tasks: asyncio.Task[None]) -> AsyncIterator[None]:
    """Whoever is still there leaves at the end, and nothing of them stays."""
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
