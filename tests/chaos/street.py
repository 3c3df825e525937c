"""The street outside: citizens who dial and tell their own book, operators who answer and are ready again."""

import asyncio
import audioop
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp

from kentongan.rtp import RATE, Key, Tone
from kentongan.settings import Settings
from kentongan.sipp import Caller, Phone, SippFailed, dial, phone_registers
from kentongan.stage import Doors
from tests.chaos.books import Experience
from tests.chaos.plan import Citizen

#: seconds between two listenings, and of sound that is listened to
_LISTEN_EVERY, _EAR = 0.25, 0.2
#: what an operator says; half a period is four samples
_VOICE, _HALF = Tone(1000), 8 * 2 // 2
_LOUD = 1000
#: seconds for a goodbye to an exchange that may be dead
_GOODBYE = 5.0


def is_operator(sound: bytes) -> bool:
    """Whether an operator's tone is there: shifted by half a period it cancels itself out."""
    loud = audioop.rms(sound, 2) if len(sound) > 2 * _HALF else 0
    return loud > _LOUD and audioop.rms(audioop.add(sound[_HALF:], sound[:-_HALF], 2), 2) < loud / 4


async def lives(citizen: Citizen, to: tuple[str, int], clock: Callable[[], float]) -> Experience:
    """One call, as its caller experiences it."""
    await asyncio.sleep(citizen.dials_at)
    dialled_at, answered, talked_for = clock(), False, 0.0
    keys = [Key(citizen.pressed_at, citizen.key)] if citizen.key else []
    async with dial("112", to=to, number=citizen.number, voice=Tone(440), keys=keys, limit=240.0) as line:
        with suppress(SippFailed):
            async with asyncio.timeout(citizen.patience):
                await line.answered()
            answered = True
            talked_for = await _talks(line, citizen, clock)
        with suppress(SippFailed, TimeoutError):
            async with asyncio.timeout(_GOODBYE):
                await line.hangs_up()
        ended_at = clock()
    return Experience(citizen.number, dialled_at, answered, talked_for, ended_at)


async def _talks(line: Caller, citizen: Citizen, clock: Callable[[], float]) -> float:
    """Seconds of an operator's voice, until they or the caller have had enough."""
    talked_for, alone_since = 0.0, clock()
    over = asyncio.ensure_future(line.ended())
    while talked_for < citizen.talks_for and clock() - alone_since < citizen.patience and not over.done():
        await asyncio.wait([over], timeout=_LISTEN_EVERY)
        if is_operator(line.heard()[-round(_EAR * RATE) * 2 :]):
            talked_for, alone_since = talked_for + _LISTEN_EVERY, clock()
    over.cancel()
    return talked_for


@asynccontextmanager
async def operator(settings: Settings, admin: Doors, user: str, password: str) -> AsyncIterator["Operator"]:
    """Somebody at a desk, with a telephone."""
    one = Operator(settings, admin, user, password)
    works = asyncio.create_task(one.works())
    try:
        yield one
    finally:
        works.cancel()
        await asyncio.gather(works, return_exceptions=True)


class Operator:
    """Answers whatever rings; says that they are ready whenever their desk rests, as a person would."""

    def __init__(self, settings: Settings, admin: Doors, user: str, password: str) -> None:
        self.user = user
        self._settings, self._admin, self._password = settings, admin, password
        self._without_power, self._lasts = asyncio.Event(), 0.0

    async def works(self) -> None:
        async with asyncio.TaskGroup() as both:
            both.create_task(self._minds_the_desk())
            both.create_task(self._has_a_phone())

    async def loses_power(self, seconds: float) -> None:
        """The telephone is dead for a while, without a goodbye."""
        self._lasts = seconds
        self._without_power.set()

    async def _has_a_phone(self) -> None:
        where = self._settings.host, self._settings.sip_port
        while True:
            with suppress(SippFailed):
                async with phone_registers(self.user, self._password, at=where, voice=_VOICE, answers_after=0.4,
                                           talks_for=6.0) as phone:
                    await self._keeps_registered(phone)
                    _dies(phone)
                await asyncio.sleep(self._lasts)
            self._without_power.clear()
            await asyncio.sleep(0.5)

    async def _keeps_registered(self, phone: Phone) -> None:
        """As telephones do, every now and then (more often here: Asterisk may have begun anew)."""
        while not self._without_power.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(3.0):
                    await self._without_power.wait()
            with suppress(SippFailed):
                await phone.registers()

    async def _minds_the_desk(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            with suppress(aiohttp.ClientError, TimeoutError, RuntimeError):      # the doors may be shut just now
                desk = await self._admin.get(f"/api/operators/{self.user}")
                if desk["state"] == "paused":
                    await self._admin.post(f"/api/operators/{self.user}/ready")
                elif desk["state"] == "wrap_up":
                    await self._admin.post(f"/api/operators/{self.user}/wrap-up-done")


def _dies(phone: Phone) -> None:
    """Its process is killed: no goodbye, no more sound."""
    room = str(phone._sipp.room)
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str((process / "cwd").readlink()) == room:
                os.kill(int(process.name), signal.SIGKILL)
    for call in phone.calls:
        call._close()
