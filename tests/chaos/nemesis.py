"""Breaks things, one after the other, and mends them again: each fault strikes what really runs."""

import asyncio
import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

from kentongan.settings import Settings, own_asterisk, secrets_of
from tests.chaos.plan import Fault, Kind
from tests.chaos.street import Operator

#: of the small disk that the recordings are on; a call of a minute takes two
DISK = "48m"


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """`folder` is a disk of its own for the body (a tmpfs, which only root can mount)."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0750", "kentongan-chaos", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


class Nemesis:
    """Strikes as planned. `struck`: from when to when sound may be missing, on the run's clock; `faults`: how many."""

    def __init__(self, settings: Settings, guard: int, operators: Sequence[Operator], seed: int,
                 clock: Callable[[], float], say: Callable[[str], None]) -> None:
        self._settings, self._guard, self._operators = settings, guard, operators
        self._random, self._clock, self._say = Random(seed), clock, say
        self.struck: list[tuple[float, float]] = []
        self.faults = 0

    async def strikes(self, faults: Sequence[Fault]) -> None:
        began = self._clock()
        for fault in faults:
            await asyncio.sleep(max(0.0, began + fault.at - self._clock()))
            self._say(f"{fault.kind}" + (f" for {fault.lasts:.0f} s" if fault.lasts else ""))
            since = self._clock()
            await self._strike(fault)
            self.faults += 1
            self.struck.append((since - 1.0, self._clock() + 5.0))

    async def _strike(self, fault: Fault) -> None:
        match fault.kind:
            case Kind.KILL:
                self._signal(signal.SIGKILL)
            case Kind.STOP:
                await self._stands_still(fault.lasts)
            case Kind.CUT:
                port = f":{self._settings.ari_port}"
                await asyncio.to_thread(subprocess.run, ["ss", "-K", "-4", "dst", "127.0.0.1", "dport", "=", port],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            case Kind.LOCK:
                await self._lock(fault.lasts)
            case Kind.FULL:
                await self._fill(fault.lasts)
            case Kind.PHONE:
                await self._random.choice(self._operators).loses_power(fault.lasts)
                await asyncio.sleep(fault.lasts)
            case Kind.ASTERISK:
                if (pid := own_asterisk(self._settings, secrets_of(self._settings, [])).pid) is not None:
                    os.kill(pid, signal.SIGKILL)

    def _service(self) -> int | None:
        found = subprocess.run(["pgrep", "-P", str(self._guard)], capture_output=True, text=True)
        return int(found.stdout.split()[0]) if found.stdout else None

    def _signal(self, what: signal.Signals) -> int | None:
        pid = self._service()
        if pid is not None:
            os.kill(pid, what)
        return pid

    async def _stands_still(self, seconds: float) -> None:
        """The guard may have killed it before it is woken."""
        pid = self._signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    async def _lock(self, seconds: float) -> None:
        file = self._settings.data / "kentongan.db"
        database = sqlite3.connect(file, timeout=30, isolation_level=None, check_same_thread=False)
        try:
            await asyncio.to_thread(database.execute, "BEGIN IMMEDIATE")
            await asyncio.sleep(seconds)
            database.execute("ROLLBACK")
        finally:
            database.close()

    async def _fill(self, seconds: float) -> None:
        ballast = self._settings.data / "spool" / "ballast"
        with ballast.open("wb") as file, suppress(OSError):
            while True:
                file.write(bytes(1 << 20))
        await asyncio.sleep(seconds)
        ballast.unlink()
