"""The two ends of the load: many callers in one SIPp process, and the operators' phones.

The tests' callers (kentongan/sipp.py) are one process each and can be played like telephones; here hundreds of calls
must cost the measured machine as little as they can. Moments are SIPp's own (its short message trace), in seconds
since 1970, and not when Python heard of them. Audio and keys of the callers are kentongan/rtp.py's; the phones echo.
"""
import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from kentongan.rtp import Sound, Tone, alaw
from kentongan.sipp_process import Address, Message, sipp_runs

HOST = "127.0.0.1"
#: Numbers that belong to nobody; three digits tell the calls apart.
NUMBER, MOST_CALLS = "0800555{:03d}", 1000
_SCENARIOS = Path(__file__).parent / "scenarios"
#: Seconds after the last INVITE in which every call must have ended by itself.
PATIENCE = 40.0


@dataclass
class Moments:
    """Of one call; seconds since 1970. What did not happen is missing."""

    invited: float | None = None            #: INVITE sent by the caller
    answered: float | None = None           #: 200 received by the caller
    hung_up: float | None = None            #: BYE received by the caller
    rang: float | None = None               #: INVITE received by an operator's phone


def which(text: str) -> int | None:
    """The call (0, 1, …) whose caller's number stands in this text, however it is written."""
    found = re.search(r"800555(\d{3})", text)
    return int(found[1]) if found else None


@asynccontextmanager
async def phones_ring(
    at: Address, passwords: Mapping[str, str], talk_for: float, room: Path
) -> AsyncIterator[dict[int, float]]:
    """Switch on and register a phone for every user; they answer at once and hang up `talk_for` seconds later.

    Lends a dictionary that is filled at the end: by call (see `which`), when its INVITE reached a phone.
    """
    rang = dict[int, float]()
    async with AsyncExitStack() as phones:
        for user, password in passwords.items():
            await phones.enter_async_context(_phone(at, user, password, talk_for, room / f"{user}.csv", rang))
        yield rang


@asynccontextmanager
async def _phone(at: Address, user: str, password: str, talk_for: float, trace: Path,
                 rang: dict[int, float]) -> AsyncIterator[None]:
    callers, registered = dict[str, int](), asyncio.Event()

    def hears(message: Message) -> None:
        if message.method == "REGISTER" and message.status == 200:
            registered.set()
        arrives = message.method == "INVITE" and not message.sent and not message.status
        if arrives and (call := which(message.header("From"))) is not None:
            callers[message.call_id] = call

    more = ("-rsa", f"{at[0]}:{at[1]}", "-au", user, "-ap", password, "-d", str(round(talk_for * 1000)), "-rtp_echo",
            "-default_behaviors", "all,-abortunexp", *_short_trace(trace))
    async with sipp_runs(str(_SCENARIOS / "phone"), at, HOST, {"user": user}, hears, *more) as sipp:
        async with asyncio.timeout(10):
            while not registered.is_set():          # a SIPp that is still starting hears nothing: say it again
                sipp.command("LOGIN", uuid4().hex)
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await registered.wait()
        yield
    for told in _told(trace):
        if told.says == "INVITE" and not told.sent and told.call_id in callers:
            rang.setdefault(callers[told.call_id], told.at)


async def callers_dial(
    to: Address, calls: int, per_second: int, key: str, pressed_after: float, room: Path
) -> list[Moments]:
    """Dial 112 `calls` times; each caller speaks, and presses `key` so many seconds after the answer. Returns when all
    calls are over."""
    voice = alaw(Tone(440))
    sounds = [Sound(HOST, voice) for _ in range(calls)]
    for sound in sounds:
        sound.press(key, pressed_after)

    def hears(message: Message) -> None:
        if not message.sent and message.call_id:
            sound = sounds[int(message.call_id) - 1]
            if message.method == "INVITE" and message.status == 200 and (media := message.media()):
                sound.connect(*media)
            elif message.method == "BYE" and not message.status:
                sound.close()

    trace, numbers = room / "callers.csv", room / "numbers.csv"
    numbers.write_text("SEQUENTIAL\n" + "".join(f"{NUMBER.format(n)};{sound.port}\n" for n, sound in enumerate(sounds)))
    more = ("-inf", str(numbers), "-r", str(per_second), "-m", str(calls), "-l", str(calls), "-cid_str", "%u")
    try:
        async with (sipp_runs(str(_SCENARIOS / "callers"), to, HOST, {}, hears, *more, *_short_trace(trace)) as sipp,
                    asyncio.timeout(calls / per_second + PATIENCE)):
            await sipp.gone
    finally:
        for sound in sounds:
            sound.close()
    return _moments(trace, calls)


def _moments(trace: Path, calls: int) -> list[Moments]:
    found = [Moments() for _ in range(calls)]
    for told in _told(trace):
        call = found[int(told.call_id) - 1]
        match told.says, told.of, told.sent:
            case "INVITE", _, True:
                call.invited = call.invited or told.at      # not its repetitions
            case "200", "INVITE", False:
                call.answered = call.answered or told.at
            case "BYE", _, False:
                call.hung_up = call.hung_up or told.at
            case _:
                pass
    return found


# --- SIPp's short message trace


@dataclass(frozen=True)
class _Told:
    at: float           #: seconds since 1970
    sent: bool
    call_id: str
    says: str           #: a request's method, or an answer's status
    of: str             #: the method in CSeq


def _short_trace(path: Path) -> tuple[str, ...]:
    return "-trace_shortmsg", "-shortmessage_file", str(path)


def _told(trace: Path) -> list[_Told]:
    """Lines like "date, time, 1764.25, S, call-id, CSeq:1 INVITE, INVITE sip:… SIP/2.0", with tabs."""
    told = []
    for line in trace.read_text(errors="replace").splitlines():
        cells = line.split("\t")
        if len(cells) < 6 or cells[-4] not in "SR":
            continue
        at, direction, call_id, of, first = cells[-5:]
        words = first.split(" ")
        told.append(_Told(float(at), direction == "S", call_id, words[1] if words[0] == "SIP/2.0" else words[0],
                          of.rpartition(" ")[2]))
    return told
