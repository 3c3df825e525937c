"""The porch: the stage of the demo: a place of its own, the service in a process of its own, and its doors."""
import asyncio
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp

from kentongan.settings import Settings, load, own_asterisk, secrets_of

PATIENCE = 20.0
PORTS = ("sip_port", "http_port", "ari_port", "ami_port", "agi_port")


def own_place(settings: Settings, name: str = "demo") -> Settings:
    """A folder of the demo's own, begun anew, and ports that are free: it plays beside a service that runs."""
    data = settings.data / name
    shutil.rmtree(data, ignore_errors=True)
    if (built := settings.data / "prompts").exists():           # as `make setup` has built them
        shutil.copytree(built, data / "prompts")
    free = free_ports()
    taken = {name: free[name] for name in PORTS if not _is_free(settings.host, getattr(settings, name))}
    for name, port in taken.items():
        print(f"  port {getattr(settings, name)} is taken; {name} is {port} for the demo")
    values = {name: getattr(settings, name) for name in PORTS} | taken
    return load(data=data, asterisk_root=settings.asterisk_root, **values)


def _is_free(host: str, port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind is socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True


def free_ports() -> dict[str, int]:
    """A free port for each of the service's."""
    probes = [socket.socket() for _ in PORTS]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return {name: int(probe.getsockname()[1]) for name, probe in zip(PORTS, probes, strict=True)}
    finally:
        for probe in probes:
            probe.close()


def environment_of(settings: Settings) -> str:
    names = ("data", *PORTS)
    return " ".join(f"KENTONGAN_{name.upper()}={getattr(settings, name)}" for name in names)


@asynccontextmanager
async def service(settings: Settings, keep: bool) -> AsyncIterator[int]:
    """`kentongan run` in a process of its own; ended with its Asterisk after the body, unless it is to stay."""
    settings.data.mkdir(parents=True, exist_ok=True)
    log_file = settings.data / "service.log"
    environment = os.environ | dict(pair.split("=", 1) for pair in environment_of(settings).split(" "))
    with log_file.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "kentongan.cli", "run", env=environment, stdin=asyncio.subprocess.DEVNULL,
            stdout=output, stderr=output, start_new_session=True)
    finished = False
    try:
        print("  starting: prompts, database, Asterisk, service …", flush=True)
        dying = asyncio.create_task(process.wait())
        healthy = asyncio.create_task(until_healthy(settings))
        await asyncio.wait({dying, healthy}, return_when=asyncio.FIRST_COMPLETED)
        if not healthy.done():
            healthy.cancel()
            raise RuntimeError(f"the service did not start:\n{log_file.read_text()[-2000:]}")
        await healthy
        yield process.pid
        finished = True
    finally:
        if not (keep and finished):
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                await process.wait()
            own_asterisk(settings, secrets_of(settings, [])).stop()


async def until_healthy(settings: Settings) -> None:
    """Until /healthz finds nothing wrong; TimeoutError after a minute and a half."""
    async with asyncio.timeout(90), aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(f"{settings.public_url}/healthz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)


class Doors:
    """The service's API, as a desk would use it. `seen`: the version that a write has seen."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    async def get(self, path: str) -> Any:
        return await self._ask("GET", path)

    async def post(self, path: str, seen: int | None = None, **values: Any) -> Any:
        return await self._ask("POST", path, seen, values)

    async def put(self, path: str, seen: int | None = None, **values: Any) -> Any:
        return await self._ask("PUT", path, seen, values)

    async def patch(self, path: str, seen: int | None = None, **values: Any) -> Any:
        return await self._ask("PATCH", path, seen, values)

    async def brings(self, path: str, media_type: str, text: str) -> None:
        """Put a file in the place of what is there."""
        async with self._http.get(path) as there:
            seen = there.headers["ETag"]
        headers = {"If-Match": seen, "Content-Type": media_type}
        async with self._http.put(path, data=text.encode(), headers=headers) as answer:
            if answer.status >= 400:
                raise RuntimeError(f"PUT {path}: {answer.status} {await answer.text()}")

    async def until(self, what: str, is_so: Callable[..., Any], path: str, *given: Any) -> Any:
        """The answer at `path` once it is as it should be. TimeoutError: it is not, and what it is instead."""
        answer = None
        try:
            async with asyncio.timeout(PATIENCE):
                while not is_so(answer := await self.get(path), *given):
                    await asyncio.sleep(0.1)
                return answer
        except TimeoutError:
            raise TimeoutError(f"{what}: not within {PATIENCE:g} s; {path} says {json.dumps(answer)[:500]}") from None

    async def _ask(
        self, method: str, path: str, seen: int | None = None, values: dict[str, Any] | None = None
    ) -> Any:
        headers = {} if seen is None else {"If-Match": f'"{seen}"'}
        async with self._http.request(method, path, json=values, headers=headers) as answer:
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path} {json.dumps(values)}: {answer.status} {await answer.text()}")
            return await answer.json()


@asynccontextmanager
async def doors_of(settings: Settings, token: str | None = None) -> AsyncIterator[Doors]:
    """The doors for whoever has the token; without one, for this host's own programs."""
    headers = {"Authorization": f"Bearer {token or secrets_of(settings, []).api}"}
    async with aiohttp.ClientSession(settings.public_url, headers=headers) as http:
        yield Doors(http)


async def everybody_works(admin: Doors, names: Sequence[str], timezone: str) -> None:
    """A roster brought in as an admin would: these people, in every shift from yesterday to tomorrow."""
    today = datetime.now(ZoneInfo(timezone)).date()
    days = [today + timedelta(days=n) for n in (-1, 0, 1)]
    shifts = [shift["code"] for shift in (await admin.get("/api/roster"))["shifts"]]
    rows = [f"{day},{shift},{name}" for day in days for shift in shifts for name in names]
    await admin.brings("/api/roster.csv", "text/csv", "\n".join(["day,shift,operator", *rows]) + "\n")
