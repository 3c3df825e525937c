"""What is measured: a data folder and ports of its own, an Asterisk, the service. All of it ends with the body, by
process id, and leaves nothing behind."""
import asyncio
import inspect
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp
import msgspec
from sqlalchemy import Connection, delete, insert, select

from bench.counted import TALLY, Tally
from db.models import Duty, Operator, Shift
from ivr import build
from kentongan.ground import Ground
from kentongan.settings import CHECKOUT, Settings, load, own_asterisk
from telephony.asterisk import Asterisk

_PORTS = ("sip_port", "http_port", "ari_port", "ami_port", "agi_port")


@contextmanager
def place() -> Iterator[Settings]:
    """A data folder and ports that nobody else has; the folder is removed afterwards."""
    data = Path(tempfile.mkdtemp(prefix="ktb-"))
    try:
        if (built := CHECKOUT / "var/prompts").exists():
            shutil.copytree(built, data / "prompts")
        build.build(data / "prompts")
        ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
        yield load(data=data, wrap_up_for=0.0, rtp_start=20000, rtp_end=22999, **ports)
    finally:
        shutil.rmtree(data, ignore_errors=True)


def _free_ports(count: int) -> list[int]:
    """Free for TCP and for UDP."""
    found: dict[int, tuple[socket.socket, socket.socket]] = {}
    while len(found) < count:
        tcp, udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        tcp.bind(("127.0.0.1", 0))
        port = tcp.getsockname()[1]
        try:
            udp.bind(("127.0.0.1", port))
            found[port] = tcp, udp
        except OSError:
            tcp.close()
            udp.close()
    for pair in found.values():
        for probe in pair:
            probe.close()
    return list(found)


def everybody_on_shift(connection: Connection) -> None:
    """Every operator, every shift, every day."""
    connection.execute(delete(Duty))
    operators, shifts = connection.scalars(select(Operator.name)).all(), connection.scalars(select(Shift.code)).all()
    connection.execute(insert(Duty), [{"operator": operator, "shift": shift, "weekday": weekday}
                                      for operator in operators for shift in shifts for weekday in range(7)])


@contextmanager
def asterisk_runs(settings: Settings, ground: Ground) -> Iterator[tuple[Asterisk, float]]:
    """Asterisk, and the seconds from its start to "fully booted"."""
    asterisk = own_asterisk(settings, ground.secrets)
    began = time.monotonic()
    asterisk.start()
    try:
        yield asterisk, time.monotonic() - began
    finally:
        asterisk.stop()


class Service:
    """The service in a process of its own, without its guard, and its doors."""

    def __init__(self, settings: Settings, process: asyncio.subprocess.Process, http: aiohttp.ClientSession) -> None:
        self.pid = process.pid
        self._settings, self._process, self._http = settings, process, http

    async def healthy(self) -> None:
        """Until `/healthz` says ok."""
        while True:
            if self._process.returncode is not None:
                raise RuntimeError(f"the service did not start:\n{log_of(self._settings)[-3000:]}")
            try:
                async with self._http.get("/healthz") as answer:
                    if (await answer.json())["status"] == "ok":
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.01)

    async def free_desks(self) -> int:
        async with self._http.get("/metrics") as answer:
            found = re.search(r"^kentongan_desks_free (\d+)", await answer.text(), re.MULTILINE)
        return int(found[1]) if found else 0

    async def tally(self) -> Tally:
        path = self._settings.data / TALLY
        path.unlink(missing_ok=True)
        os.kill(self.pid, signal.SIGUSR1)
        await until(path.exists, "the service's tally")
        return msgspec.json.decode(path.read_bytes(), type=Tally)


@asynccontextmanager
async def service_runs(settings: Settings, *command: str) -> AsyncIterator[tuple[Service, float]]:
    """The service, and the seconds from its start to "ok"."""
    names = {"data", "asterisk_root", "wrap_up_for", "rtp_start", "rtp_end", *_PORTS}
    environment = {f"KENTONGAN_{name.upper()}": str(getattr(settings, name)) for name in names}
    environment |= {name: value for name, value in os.environ.items() if not name.startswith(("KENTONGAN_", "PYTHON"))}
    # Compiled modules are kept, as anywhere, whatever our own environment says; but nowhere outside our folder.
    environment["PYTHONPYCACHEPREFIX"] = str(settings.data / "pycache")
    began = time.monotonic()
    with (settings.data / "service.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *command, cwd=Path(__file__).parents[1], env=environment,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    try:
        async with aiohttp.ClientSession(settings.public_url) as http:
            service = Service(settings, process, http)
            async with asyncio.timeout(30):
                await service.healthy()
            yield service, time.monotonic() - began
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(15):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def log_of(settings: Settings) -> str:
    """What the service has logged."""
    return (settings.data / "service.log").read_text(errors="replace")


async def until(is_so: Callable[[], bool | Awaitable[bool]], what: str, within: float = 20.0) -> None:
    """Look every 20 ms. RuntimeError: `what` was not so in time."""
    deadline = time.monotonic() + within
    while True:
        answer = is_so()
        if await answer if inspect.isawaitable(answer) else answer:
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {within:.0f} s")
        await asyncio.sleep(0.02)
