"""Callers and operators' phones that Python plays like telephones, on a real Asterisk: for the demo, the
story tests and the bench.

    async with phone_registers("op01", password, voice=Tone(1000), answers_after=0.5) as phone:
        async with dial("112", number="0800555001", voice=Tone(440), keys=[Key(1.0, "1")]) as caller:
            await phone.picked_up()
            await caller.hangs_up()

SIPp speaks the SIP (sipp_process.py), rtp.py makes and hears the sound; nothing here needs root. Each context
leaves nothing behind: no process, no file, no registration.
"""

import asyncio
import os
import re
import signal
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from kentongan.rtp import Key, Sound, Tone, Voice, alaw
from kentongan.sipp_process import Address, Message, Sipp, SippFailed, sipp_runs

__all__ = ["Caller", "Ended", "Key", "Phone", "PhoneCall", "SippFailed", "Tone", "dial", "phone_registers"]

Refusal = Literal[480, 486, 603]  # not there, busy, declined
_PATIENCE = 5.0  # seconds for what takes a loopback peer milliseconds


@dataclass(frozen=True)
class Ended:
    by: Literal["caller", "callee"]
    status: int  #: the last final SIP status of the INVITE: 200, 486, 487 after a CANCEL …; 0 if none came
    answered: bool


class Caller:
    """A citizen with a telephone. Made by `dial`."""

    _sipp: Sipp

    def __init__(self, sound: Sound, call_id: str, hangs_up_after: float | None) -> None:
        self.sound, self.call_id, self._hangs_up_after = sound, call_id, hangs_up_after
        new = asyncio.get_running_loop().create_future
        self._tried: asyncio.Future[None] = new()  # from the exchange's first word on SIP allows a CANCEL
        self._rings: asyncio.Future[None] = new()
        self._answered: asyncio.Future[None] = new()
        self._over: asyncio.Future[Ended] = new()
        self._by: Literal["caller", "callee"] = "callee"
        self._status = 0
        self._timers: list[asyncio.TimerHandle] = []

    async def rings(self) -> None:
        """Wait for the ringing tone (180 or 183). SippFailed: the call ended without it."""
        await self._comes(self._rings)

    async def answered(self) -> None:
        """Wait for the answer (200 OK). SippFailed: the call ended without one."""
        await self._comes(self._answered)

    @property
    def is_over(self) -> bool:
        return self._over.done()

    def presses(self, digits: str) -> None:
        """Press keys now, one after the other (100 ms each, 60 ms between them)."""
        for digit in digits:
            self.sound.press(digit)

    async def hangs_up(self) -> Ended:
        """Hang up at this moment: CANCEL before the answer, BYE after it. Nothing if the call is over."""
        await self._or_over(self._tried)
        self._hang_up()
        return await self.ended()

    async def ended(self) -> Ended:
        """Wait for the end of the call, whoever ends it. SippFailed: the exchange never said a word."""
        return await asyncio.shield(self._over)

    def heard(self) -> bytes:
        """What the caller has heard since the answer: 16 bit little-endian, 8 kHz."""
        return self.sound.heard()

    async def _comes(self, event: asyncio.Future[None]) -> None:
        await self._or_over(event)
        if not event.done():
            raise SippFailed(f"the call ended before that: {self._over.result()}")

    async def _or_over(self, event: asyncio.Future[None]) -> None:
        either: list[asyncio.Future[Any]] = [event, self._over]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)

    def _hang_up(self) -> None:
        if not self._over.done() and self._by == "callee":
            self._by = "caller"
            self._sipp.command("HANGUP", self.call_id)

    def _hang_up_after(self, seconds: float) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(seconds, self._hang_up))

    def _tells(self, message: Message) -> None:
        if message.method == "INVITE" and message.status and not message.sent:
            _happens(self._tried)
            if message.status in (180, 183):
                _happens(self._rings)
            if message.status >= 200:
                self._status = message.status
            if message.status == 200 and not self._answered.done():
                if media := message.media():
                    self.sound.connect(*media)
                _happens(self._answered)
                if self._hangs_up_after is not None:
                    self._hang_up_after(self._hangs_up_after)
        elif message.method == "BYE" and not message.status and not message.sent:
            self._by = "callee"

    def _is_gone(self, _: asyncio.Future[None]) -> None:
        for timer in self._timers:
            timer.cancel()
        if self._status:
            self._over.set_result(Ended(self._by, self._status, self._answered.done()))
        else:
            self._over.set_exception(SippFailed(f"no answer from the exchange. SIPp says: {self._sipp.words()}"))
            self._over.exception()  # nobody needs to ask


def _happens(event: asyncio.Future[None]) -> None:
    if not event.done():
        event.set_result(None)


@asynccontextmanager
async def dial(
    called: str,
    *,
    to: Address = ("127.0.0.1", 5060),
    number: str | None = "0800555001",
    name: str | None = None,
    voice: Voice = None,
    keys: Iterable[Key] = (),
    hangs_up_after: float | None = None,
    limit: float = 120.0,
    host: str = "127.0.0.1",
) -> AsyncIterator[Caller]:
    """Dial `called` at the exchange `to`; the end of the body hangs up.

    number: the caller's own, None = anonymous. name: display name, any text but line breaks (ValueError).
    voice: see rtp.alaw; None sends no audio packets. hangs_up_after: seconds after the answer. limit: seconds
    after which the caller hangs up whatever happens. host: the caller's own IP address.
    """
    keywords: dict[str, object] = {"from": _from(number, name, host), "privacy": "none" if number else "id"}
    sound, call_id = Sound(host, alaw(voice)), uuid.uuid4().hex
    caller = Caller(sound, call_id, hangs_up_after)
    more = ("-m", "1", "-r", "1000", "-aa", "-s", called, "-cid_str", call_id)
    try:
        for key in keys:
            sound.press(key.digit, key.at)
        async with sipp_runs("caller", to, host, {**keywords, "rtp": sound.port}, caller._tells, *more) as sipp:
            caller._sipp = sipp
            sipp.gone.add_done_callback(caller._is_gone)
            caller._hang_up_after(limit)
            try:
                yield caller
            finally:
                with suppress(TimeoutError, SippFailed):  # what has not ended then is ended with SIPp
                    async with asyncio.timeout(_PATIENCE):
                        await caller.hangs_up()
    finally:
        sound.close()


def _from(number: str | None, name: str | None, host: str) -> str:
    """The From header's value."""
    if name and re.search(r"[\r\n\0]", name):
        raise ValueError(f"{name!r}: no SIP message can carry a line break in a name")
    if number is None:
        name, address = name or "Anonymous", "<sip:anonymous@anonymous.invalid>"
    else:
        address = f"<sip:{number}@{host}>"
    return address if name is None else '"' + re.sub(r'(["\\])', r"\\\1", name) + f'" {address}'


class PhoneCall:
    """A call at a phone, from its INVITE on."""

    def __init__(self, phone: "Phone", invite: Message) -> None:
        self.call_id, self._phone, self._invite = invite.call_id, phone, invite
        self.sound = Sound(phone.address[0], phone.voice)
        self._decided = self._picked_up = self._hung_up = False
        self._status = 0
        self._by: Literal["caller", "callee"] = "caller"
        self._over: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self._timers: list[asyncio.TimerHandle] = []

    @property
    def caller(self) -> str:
        """The From header as it came."""
        return self._invite.header("From")

    @property
    def user(self) -> str:
        """Whose phone it is at."""
        return self._phone.user

    @property
    def is_over(self) -> bool:
        return self._over.done()

    def answers(self) -> None:
        if not self._decided:
            self._decided = True
            self._command("ANSWER", self.sound.port)

    def refuses(self, status: Refusal = 486) -> None:
        if not self._decided:
            self._decided = True
            self._command(f"REFUSE{status}")

    async def hangs_up(self) -> Ended:
        """Lay down the handset: BYE in a conversation, 486 while it still rings."""
        self._hang_up()
        return await self.ended()

    async def ended(self) -> Ended:
        """Wait for the end; "callee" is this phone, "caller" the other side."""
        return await asyncio.shield(self._over)

    def heard(self) -> bytes:
        """What was heard in this handset since it was picked up: 16 bit little-endian, 8 kHz."""
        return self.sound.heard()

    def _hang_up(self) -> None:
        self.refuses()
        if self._picked_up and not self._hung_up:
            self._command("HANGUP")
        self._hung_up = True  # or as soon as the answer is acknowledged

    def _command(self, word: str, subject: object = "") -> None:
        if not self._over.done():
            self._phone._sipp.command(word, self.call_id, subject)

    def _later(self, delay: float, action: Callable[[], None]) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(delay, action))

    def _tells(self, message: Message) -> None:
        match message.method, message.sent, message.status:
            case "INVITE", True, status if status >= 200:
                self._status = status
                if status != 200:
                    self._by = "caller" if status == 487 else "callee"
                    self._close()
            case "ACK", False, _ if self._status == 200 and not self._picked_up:
                self._picked_up = True
                if media := self._invite.media():
                    self.sound.connect(*media)
                self._phone._picked_up.put_nowait(self)
                if self._hung_up:
                    self._command("HANGUP")
                elif self._phone.talks_for is not None:
                    self._later(self._phone.talks_for, self._hang_up)
            case "BYE", sent, 0:
                self._by = "callee" if sent else "caller"
            case "BYE", _, _:
                self._close()

    def _close(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self.sound.close()
        if not self._over.done():
            self._over.set_result(Ended(self._by, self._status, self._picked_up))


@dataclass(eq=False)
class Phone:
    """An operator's telephone. Made by `phone_registers`. What it does with a call may be changed at any time
    and counts for the calls after that."""

    user: str
    address: Address
    answers_after: float | None  #: seconds from the INVITE; None rings for ever
    rings: bool  #: False: sends no 180
    refuses: Refusal | None  #: at once, with this status
    voice: bytes  #: A-law
    talks_for: float | None  #: seconds from picking up to its own BYE
    calls: list[PhoneCall] = field(default_factory=list)  #: all calls since it was switched on
    _sipp: Sipp = field(init=False)
    _is_dead: bool = False

    def __post_init__(self) -> None:
        self._rang: asyncio.Queue[PhoneCall] = asyncio.Queue()
        self._picked_up: asyncio.Queue[PhoneCall] = asyncio.Queue()
        self._logins: dict[str, asyncio.Queue[Message]] = {}  # by Call-ID

    async def rang(self) -> PhoneCall:
        """Wait for the next call that reaches this phone (each is told once)."""
        return await self._rang.get()

    async def picked_up(self) -> PhoneCall:
        """Wait for the next call that is answered here (each is told once)."""
        return await self._picked_up.get()

    async def hangs_up(self) -> None:
        """End every call at this phone now."""
        await asyncio.gather(*(call.hangs_up() for call in self.calls))

    async def registers(self, expires: int = 3600) -> None:
        """Register at the exchange for `expires` seconds, from the phone's own port. SippFailed: no; why."""
        host, port = self.address
        try:
            async with asyncio.timeout(_PATIENCE):
                status = await self._login(f"<sip:{self.user}@{host}:{port}>;expires={expires}")
        except TimeoutError:
            raise SippFailed(
                f"{self.user}: no answer to a REGISTER. Is the exchange up? SIPp says: {self._sipp.words()}"
            ) from None
        if status != 200:
            raise SippFailed(f"{self.user}: REGISTER was refused with {status}. Is the password right?")

    async def unregisters(self) -> None:
        """Take the registration back; the phone itself stays on."""
        await self.registers(expires=0)

    def loses_power(self) -> None:
        """Without a word to anybody; it stays registered, and is silent for good."""
        os.kill(self._sipp.pid, signal.SIGKILL)
        self._is_dead = True
        for call in self.calls:
            call._close()

    async def _login(self, contact: str) -> int:
        """One REGISTER; its final status."""
        messages: asyncio.Queue[Message] = asyncio.Queue()
        while messages.empty():  # a SIPp that is still starting hears nothing: say it again
            call_id = uuid.uuid4().hex
            self._logins[call_id] = messages
            self._sipp.command("LOGIN", call_id, contact)
            await asyncio.sleep(0.02)
        while True:
            message = await messages.get()
            if message.status >= 200 and (message.status != 401 or message.header("CSeq").startswith("2")):
                return message.status

    def _tells(self, message: Message) -> None:
        call = next((call for call in self.calls if call.call_id == message.call_id), None)
        if message.call_id in self._logins:
            self._logins[message.call_id].put_nowait(message)
        elif call is not None:
            call._tells(message)
        elif message.method == "INVITE" and not message.sent and not message.status:
            self._ring(PhoneCall(self, message))

    def _ring(self, call: PhoneCall) -> None:
        self.calls.append(call)
        self._rang.put_nowait(call)
        if self.refuses is not None:
            call.refuses(self.refuses)
            return
        if self.rings:
            call._command("RING")
        if self.answers_after is not None:
            call._later(self.answers_after, call.answers)


@asynccontextmanager
async def phone_registers(
    user: str,
    password: str | None,
    *,
    at: Address = ("127.0.0.1", 5060),
    answers_after: float | None = 0.5,
    rings: bool = True,
    refuses: Refusal | None = None,
    voice: Voice = None,
    talks_for: float | None = None,
    host: str = "127.0.0.1",
) -> AsyncIterator[Phone]:
    """Switch on a phone and register it at the exchange `at` for an hour; it answers OPTIONS while it is on.

    password: None if it is one behind the trunk, which registers nowhere: it is called at its address.
    The end of the body hangs up, unregisters and switches off. For the arguments see Phone and rtp.alaw.
    SippFailed: it could not register.
    """
    phone = Phone(user, (host, 0), answers_after, rings, refuses, alaw(voice), talks_for)
    more = ("-rsa", f"{at[0]}:{at[1]}", "-au", user, "-ap", password or "-", "-default_behaviors", "all,-abortunexp")
    async with sipp_runs("phone", at, host, {"user": user}, phone._tells, *more) as sipp:
        phone._sipp, phone.address = sipp, sipp.address
        if password is not None:
            await phone.registers()
        try:
            yield phone
        finally:
            with suppress(TimeoutError, SippFailed):  # the exchange may be gone
                async with asyncio.timeout(0 if phone._is_dead else _PATIENCE):
                    await phone.hangs_up()
                    if password is not None:
                        await phone.unregisters()
            for call in phone.calls:
                call._close()
