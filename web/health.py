"""web: is the house well? Checks that never raise, never hang, and never pile up while something hangs."""

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from telephony.ari_operations import AriError
from web import store

log = logging.getLogger(__name__)

#: Seconds that a check may take; then it has failed.
PATIENCE = 1.0
#: Notes that the database may lag behind.
DEEPEST_JOURNAL = 1000
#: Seconds that it may lag behind.
LATEST_JOURNAL = 3.0
_GB = 1_000_000_000

#: Whether it is well, and what there is to say about it.
Verdict = tuple[bool, str]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    says: str       #: for a person; no personal data


class Health:
    """All checks at once: `await health()`.

    A check that has not ended in time has failed, and the next question waits for the same one: a disk or a
    database that hangs costs one thread or one connection, however often it is asked for.
    """

    def __init__(self, checks: Mapping[str, Callable[[], Awaitable[Verdict]]]) -> None:
        self._checks = checks
        self._looking: dict[str, asyncio.Task[Check]] = {}

    async def __call__(self) -> list[Check]:
        """In the order in which the checks were given."""
        for name, check in self._checks.items():
            if name not in self._looking or self._looking[name].done():
                self._looking[name] = asyncio.create_task(_look(name, check), name=f"check {name}")
        looking = dict(self._looking)
        await asyncio.wait(looking.values(), timeout=PATIENCE)
        return [
            task.result() if task.done() else Check(name, False, f"no answer within {PATIENCE:.0f} s")
            for name, task in looking.items()
        ]


async def _look(name: str, check: Callable[[], Awaitable[Verdict]]) -> Check:
    try:
        return Check(name, *await check())
    except Exception as fault:
        log.warning("check %s failed: %s", name, type(fault).__name__)
        return Check(name, False, f"could not be looked at ({type(fault).__name__})")


def asterisk(connected: Callable[[], bool], version: Callable[[], Awaitable[str]]) -> Callable[[], Awaitable[Verdict]]:
    """Events flow, and Asterisk answers a question."""

    async def look() -> Verdict:
        if not connected():
            return False, "no events from Asterisk; new calls go the dialplan's way out"
        try:
            return True, f"Asterisk {await version()}"
        except AriError as fault:
            return False, f"events flow, but a command was not answered ({type(fault).__name__})"

    return look


def phones(connected: Callable[[], bool], missed: Callable[[], list[str]]) -> Callable[[], Awaitable[Verdict]]:
    """Asterisk tells which phones are there: without it nobody would be rung. `missed`: whose phone was there before
    Asterisk was away, and is not back."""

    async def look() -> Verdict:
        if not connected():
            return False, "no word of them from Asterisk (AMI)"
        if lost := missed():
            return False, f"not back since Asterisk was away: {', '.join(lost)}"
        return True, "their states are told"

    return look


def trunk(last_call: Callable[[], datetime | None], since: Callable[[], datetime | None]
          ) -> Callable[[], Awaitable[Verdict]]:
    """Carriers send calls and register nowhere: whether one gets through is known when it does."""

    async def look() -> Verdict:
        call, began = last_call(), since()
        if call is None or began is None or call < began:
            return True, "no call yet" + (f" since Asterisk was started at {_told(began)}" if began else "")
        return True, f"last call at {_told(call)}"

    return look


def _told(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(" ", "seconds")


def database(sessions: async_sessionmaker[AsyncSession]) -> Callable[[], Awaitable[Verdict]]:
    """A row can be asked for."""

    async def look() -> Verdict:
        await store.answers(sessions)
        return True, "answers"

    return look


class Books(Protocol):
    """What is asked of the journal."""

    @property
    def alive(self) -> bool: ...
    @property
    def depth(self) -> int: ...
    @property
    def behind_for(self) -> float: ...
    @property
    def file_fault(self) -> str | None: ...


def journal(books: Books) -> Callable[[], Awaitable[Verdict]]:
    """Its writers live, the database follows, and this node's own file can be written."""

    async def look() -> Verdict:
        if not books.alive:
            return False, "its writer has ended: notes are not stored; start the service again"
        behind, late = books.depth, books.behind_for >= LATEST_JOURNAL
        says = f"{behind} notes are not in the database yet"
        if late:
            says += f", for {books.behind_for:.0f} s; they wait in this node's file and come in by themselves"
        if (fault := books.file_fault) is not None:
            says += f"; this node's file cannot be written ({fault}): a crash loses what the database lacks"
        return behind < DEEPEST_JOURNAL and not late and fault is None, says

    return look


def prompts(missing: Callable[[], list[str]]) -> Callable[[], Awaitable[Verdict]]:
    """Callers hear everything that they should. `missing` may read the disk."""

    async def look() -> Verdict:
        lost = await asyncio.to_thread(missing)
        if not lost:
            return True, "all there"
        more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
        return False, f"missing: {', '.join(lost[:5])}{more}; build them: kentongan prompts build"

    return look


def disk(*folders: Path) -> Callable[[], Awaitable[Verdict]]:
    """There is room where data and recordings go: 1 GB, or 5 % of a small disk. Each may have a disk of its own."""

    async def look() -> Verdict:
        sizes = {folder: await asyncio.to_thread(shutil.disk_usage, folder) for folder in folders}
        folder, size = min(sizes.items(), key=lambda one: (has_room(one[1].free, one[1].total), one[1].free))
        share = size.free / size.total if size.total else 0.0
        where = f" for {folder.name}/" if folder != folders[0] else ""
        return has_room(size.free, size.total), f"{size.free / _GB:.1f} GB free ({share:.0%}){where}"

    return look


def has_room(free: int, total: int) -> bool:
    """Both in bytes."""
    return free >= _GB or free >= total * 0.05


def menu(fault: Callable[[], str | None]) -> Callable[[], Awaitable[Verdict]]:
    """The admin's file is the menu in force. `fault` says why it is not; it is asked in the event loop."""

    async def look() -> Verdict:
        wrong = fault()
        return wrong is None, "in force" if wrong is None else f"the last good one is in force; refused: {wrong}"

    return look


def recordings(trouble: Callable[[], str | None]) -> Callable[[], Awaitable[Verdict]]:
    """Calls are recorded and archives are made. `trouble` says why not."""

    async def look() -> Verdict:
        wrong = trouble()
        return wrong is None, "archived as they come" if wrong is None else wrong

    return look
