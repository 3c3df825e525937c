"""web: is the house well? Checks that never raise, never hang, and never pile up while something hangs."""

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from telephony.ari_operations import AriError
from web import store

log = logging.getLogger(__name__)

#: Seconds that a check may take; then it has failed.
PATIENCE = 1.0
#: Notes that the database may lag behind.
DEEPEST_JOURNAL = 1000
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


def journal(depth: Callable[[], int], alive: Callable[[], bool]) -> Callable[[], Awaitable[Verdict]]:
    """Its writer lives, and the database is not far behind."""

    async def look() -> Verdict:
        if not alive():
            return False, "its writer has ended: notes are not stored; start the service again"
        behind = depth()
        return behind < DEEPEST_JOURNAL, f"{behind} notes are not in the database yet"

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


def disk(folder: Path) -> Callable[[], Awaitable[Verdict]]:
    """There is room where the recordings go: 1 GB, or 5 % of a small disk."""

    async def look() -> Verdict:
        size = await asyncio.to_thread(shutil.disk_usage, folder)
        share = size.free / size.total if size.total else 0.0
        return has_room(size.free, size.total), f"{size.free / _GB:.1f} GB free ({share:.0%})"

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
