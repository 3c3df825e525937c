"""A house on a real Asterisk: the whole service in the test's own event loop, callers and phones by SIPp.

One Asterisk serves all stories of a test run; each story has a service of its own on the same journal. Prompts and
music are short tones that a recording tells apart.
"""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from sqlalchemy import Executable, insert

from db.engine import sync_engine
from db.models import Duty, User
from ivr import build
from kentongan import sipp
from kentongan.ground import Ground, find, lay
from kentongan.main import Service
from kentongan.rtp import Tone, alaw
from kentongan.settings import Settings, load, own_asterisk
from kentongan.stage import free_ports
from routing.overflow_file import SEED as OVERFLOW
from routing.seed import OPERATORS, SHIFTS
from telephony import asterisk as own
from telephony.asterisk import Asterisk
from tests.stories.house import (
    ANSWER_FOR,
    OFFER_FOR,
    OUTSIDE,
    RING_WITHIN,
    SILENT_FOR,
    SPOKEN_FOR,
    SUPERVISOR,
    TELL_PLACE_EVERY,
    WRAP_UP_FOR,
    Caller,
    House,
    Phone,
    Voice,
    menu_text,
)

CALLER, OPERATOR, PROMPT, MUSIC = Tone(440), Tone(1000), Tone(700), Tone(300)
VOICES = {Voice.SPEAKS: CALLER, Voice.SILENT: Tone(0), Voice.NOTHING: None}
#: Seconds after which Asterisk misses a phone's packets (10 in life).
RTP_TIMEOUT = 2
#: A sentence's length (s); greeting and menu last longer.
SENTENCE = 0.5
PAST = 1_000_000


@dataclass(frozen=True)
class Exchange:
    """A running Asterisk, and what a service needs to be its own."""

    settings: Settings
    ground: Ground
    asterisk: Asterisk

    @property
    def sip(self) -> tuple[str, int]:
        return self.settings.host, self.settings.sip_port


@contextmanager
def running_exchange() -> Iterator[Exchange]:
    """An Asterisk of the tests' own; ended by its pid, and everything that it wrote is removed."""
    data = Path(tempfile.mkdtemp(prefix="kt"))  # short: the console's socket has a path of 108 characters
    try:
        settings = load(
            data=data, **free_ports(), rtp_start=40000, rtp_end=45999, offer_for=OFFER_FOR, ring_within=RING_WITHIN,
            wrap_up_for=WRAP_UP_FOR, tell_place_every=TELL_PLACE_EVERY, silent_for=SILENT_FOR, answer_for=ANSWER_FOR,
        )  # fmt: skip
        asyncio.run(lay(settings))
        a_supervisor_is_there(settings)
        ground = asyncio.run(find(settings))
        everybody_is_always_on_shift(settings)
        _lay_sounds(data / "prompts")
        asterisk = own_asterisk(settings, ground.secrets)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(own, "CONF", _impatient_configuration(data / "conf"))
            asterisk.start()
        try:
            yield Exchange(settings, ground, asterisk)
        finally:
            asterisk.stop()
    finally:
        shutil.rmtree(data)


def everybody_is_always_on_shift(settings: Settings) -> None:
    engine = sync_engine(settings.database_url)
    with engine.begin() as connection:
        connection.execute(Duty.__table__.delete())
        connection.execute(insert(Duty), [
            {"operator": name, "shift": shift.code, "weekday": day}
            for name in OPERATORS for shift in SHIFTS for day in range(7)
        ])  # fmt: skip
    engine.dispose()


def a_supervisor_is_there(settings: Settings) -> None:
    engine = sync_engine(settings.database_url)
    with engine.begin() as connection:
        connection.execute(insert(User).values(
            name=SUPERVISOR, display_name="Sri", role="supervisor", active=True, version=1,
            created_at=datetime.now(UTC)))  # fmt: skip
    engine.dispose()


def _lay_sounds(prompts: Path) -> None:
    second = alaw(PROMPT)
    (prompts / "id").mkdir(parents=True)
    (prompts / "moh").mkdir()
    for name in (*build.texts(prompts, "id"), "beep"):
        seconds = SPOKEN_FOR / 2 if name in ("greeting", "menu", "wrong_key", "campaign") else SENTENCE
        (prompts / "id" / f"{name}.alaw").write_bytes((second * 2)[: round(8000 * seconds)])
    (prompts / "moh/kentongan.alaw").write_bytes(alaw(MUSIC) * 10)


def _impatient_configuration(copy: Path) -> Path:
    """Ours, but for one number that nobody wants to wait for."""
    shutil.copytree(own.CONF, copy)
    file = copy / "kentongan/pjsip.conf"
    before = file.read_text()
    file.write_text(before.replace("rtp_timeout=10", f"rtp_timeout={RTP_TIMEOUT}"))
    assert file.read_text() != before
    return copy


class RealCaller(Caller):
    def __init__(self, caller: sipp.Caller) -> None:
        self.sip = caller

    def presses(self, digits: str) -> None:
        self.sip.presses(digits)

    def speaks(self) -> None:
        self.sip.sound.voice = alaw(CALLER)

    def falls_silent(self) -> None:
        self.sip.sound.voice = alaw(Tone(0))

    async def answered(self) -> None:
        await self.sip.answered()

    async def hangs_up(self) -> None:
        await self.sip.hangs_up()

    async def ended(self) -> None:
        async with asyncio.timeout(30):
            await self.sip.ended()


class RealPhone(Phone):
    def __init__(self, house: "RealHouse", phone: sipp.Phone) -> None:
        self._house, self.sip = house, phone

    async def picked_up(self) -> None:
        async with asyncio.timeout(30):
            await self.sip.picked_up()

    async def hangs_up(self) -> None:
        await self.sip.hangs_up()

    async def vanishes(self) -> None:
        room = str(self.sip._sipp.room)
        for process in Path("/proc").glob("[0-9]*"):
            try:
                found = str((process / "cwd").readlink()) == room
            except OSError:
                continue
            if found:
                os.kill(int(process.name), signal.SIGKILL)
        for call in self.sip.calls:
            call._close()  # it speaks no more

        async def nothing() -> None:
            self._house.vanished.append(self.sip.user)

        self.sip.unregisters = nothing


class RealHouse(House):
    """The service as it is run, on an Asterisk as it is run."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self.exchange = exchange
        self.engine = sync_engine(exchange.settings.database_url)
        self.vanished: list[str] = []
        self._people = AsyncExitStack()
        self._menu_path = exchange.settings.data / "menu.toml"
        self.writes_menu(menu_text())
        self.writes_overflow(OVERFLOW.read_text("utf-8"))

    async def open(self) -> None:
        self.service = Service(self.exchange.settings, self.exchange.ground)
        self.service.journal.listen(self.hears)
        self.centre, self.acd, self.menu = self.service.centre, self.service.acd, self.service.menu
        self._closing = asyncio.Event()
        self._running = asyncio.create_task(self._run())
        await self.comes(lambda: self._is_up() or None, "service")

    async def _run(self) -> None:
        """In one task: the service's groups and timeouts must be left where they were entered."""
        async with self.service.running():
            await self._closing.wait()

    def _is_up(self) -> bool:
        if self._running.done():
            self._running.result()
        ready = self.service.ari.connected and self.service.ami.connected
        return ready and all(self.desk(name).on_shift for name in OPERATORS)

    async def stops(self) -> None:
        if not self._closing.is_set():
            self._closing.set()
            await self._running
            # In life its process is gone now: it notes nothing.
            self.service.journal._listeners.remove(self.hears)

    async def starts_again(self) -> None:
        await self.open()

    async def close(self) -> None:
        """Everybody goes, then the service."""
        await self._people.aclose()
        for name in self.vanished:  # its registration would outlive it
            async with sipp.phone_registers(name, self.exchange.ground.secrets.phones[name], at=self.exchange.sip):
                pass
        try:
            await self.is_in_order()
        finally:
            await self.stops()
            self.engine.dispose()

    async def _phone(
        self, name: str, answers_after: float | None, rings: bool, refuses: Any, registered: bool
    ) -> Phone | None:
        if not registered:
            return None
        phone = await self._people.enter_async_context(sipp.phone_registers(
            name, self.exchange.ground.secrets.phones[name], at=self.exchange.sip, answers_after=answers_after,
            rings=rings, refuses=refuses, voice=OPERATOR,
        ))  # fmt: skip
        return RealPhone(self, phone)

    async def _outside(self, answers_after: float | None) -> tuple[Phone, str]:
        phone = await self._people.enter_async_context(sipp.phone_registers(
            OUTSIDE, None, at=self.exchange.sip, answers_after=answers_after, voice=OPERATOR,
        ))  # fmt: skip
        host, port = phone.address
        return RealPhone(self, phone), f"PJSIP/trunk/sip:{{number}}@{host}:{port}"

    async def _dial(self, number: str | None, name: str | None, voice: Voice, keys: str, at: float) -> Caller:
        presses = [sipp.Key(at + 0.2 * n, key) for n, key in enumerate(keys)]
        caller = await self._people.enter_async_context(sipp.dial(
            "112", to=self.exchange.sip, number=None if number is None else quote(number, safe="+"), name=name,
            voice=VOICES[voice], keys=presses,
        ))  # fmt: skip
        return RealCaller(caller)

    async def writes(self, statement: Executable) -> None:
        """In a thread: whoever holds the database now may be waiting for this very loop."""
        await asyncio.to_thread(self._write, statement)

    def _write(self, statement: Executable) -> None:
        with self.engine.begin() as connection:
            connection.execute(statement)

    async def settled(self) -> None:
        await self.service.journal.settled()

    async def is_empty(self) -> None:
        async with asyncio.timeout(10):
            while left := [*await self.asks("channels"), *await self.asks("bridges")]:
                self.left = left
                await asyncio.sleep(0.05)

    async def talks(self, caller: Caller) -> bool:
        mixes = [bridge["channels"] for bridge in await self.asks("bridges")]
        return any(caller.call_id in mix and len(mix) == 2 for mix in mixes)

    async def asks(self, what: str) -> Any:
        """Asterisk itself, whether or not a service runs."""
        settings = self.exchange.settings
        login = aiohttp.encode_basic_auth("kentongan", self.exchange.ground.secrets.ari)
        async with (
            aiohttp.ClientSession(headers={"Authorization": login}) as http,
            http.get(f"http://127.0.0.1:{settings.ari_port}/ari/{what}") as answer,
        ):
            return await answer.json()

    def writes_menu(self, text: str) -> None:
        self._menu_path.write_text(text, "utf-8")

    def writes_overflow(self, text: str) -> None:
        (self.exchange.settings.data / "overflow.toml").write_text(text, "utf-8")
