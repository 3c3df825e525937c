"""One SIPp process on Python's line: what it sends and receives comes as events, commands go back.

SIPp speaks the SIP of its scenario (scenarios/*.xml) and decides nothing. It writes every message that it
sends or receives into a FIFO (`-trace_msg`): these are our events. Our commands (HANGUP, ANSWER …) are SIP-
like datagrams that we send to SIPp's own port under the Call-ID concerned: a step of the scenario waits for
them as it does for a BYE, so that a hang-up is on its way within a millisecond at any stage, and nothing is
polled.
"""

import asyncio
import itertools
import os
import random
import re
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

Address = tuple[str, int]
_PORTS = itertools.cycle(random.sample(range(30000, 32768), 2768))
#: Where SIPp begins to look for two ports for sound that we never let it make: left alone, all begin at 6000, and the
#: fiftieth SIPp of a machine finds none.
_UNUSED = itertools.cycle(random.sample(range(20000, 29996, 4), 2499))
SCENARIOS = Path(__file__).parent / "scenarios"


class SippFailed(RuntimeError):
    """SIPp is missing, died, or was refused; the text says which, with SIPp's own words."""


@dataclass(frozen=True)
class Message:
    """One SIP message as SIPp traced it."""

    sent: bool
    text: str

    @property
    def call_id(self) -> str:
        return self.header("Call-ID")

    @property
    def status(self) -> int:
        """Of an answer: its status; of a request: 0."""
        return int(self.text.split(" ", 2)[1]) if self.text.startswith("SIP/2.0 ") else 0

    @property
    def method(self) -> str:
        """Of a request its own, of an answer the one that is answered."""
        return self.header("CSeq").rpartition(" ")[2] if self.status else self.text.partition(" ")[0]

    def header(self, name: str) -> str:
        found = re.search(rf"^{name}:[ \t]*(.*?)\r?$", self.text, re.MULTILINE | re.IGNORECASE)
        return found[1] if found else ""

    def media(self) -> Address | None:
        """Where the sender wants to hear, if the message says so (SDP)."""
        port = re.search(r"^m=audio (\d+)", self.text, re.MULTILINE)
        host = re.search(r"^c=IN IP4 (\S+)", self.text, re.MULTILINE)
        return (host[1], int(port[1])) if port and host else None


class _Trace:
    """Cuts SIPp's message trace into messages; whatever else it says is skipped."""

    _HEAD = re.compile(rb"UDP message (sent|received) [(\[](\d+)[\]) ]*bytes[) ]*:\n\n")

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[Message]:
        self._buffer += data
        messages = []
        while head := self._HEAD.search(self._buffer):
            end = head.end() + int(head[2])
            if len(self._buffer) < end:
                break
            text = self._buffer[head.end() : end].decode(errors="replace")
            messages.append(Message(head[1] == b"sent", text))
            self._buffer = self._buffer[end:]
        return messages


class Sipp:
    """One SIPp process. Its messages go to `tells`; `gone` is done when the last of them was told."""

    def __init__(self, room: Path, address: Address, tells: Callable[[Message], None]) -> None:
        self.address, self.room, self._tells, self._trace = address, room, tells, _Trace()
        self.pid = 0
        self.fifo = room / "trace"
        os.mkfifo(self.fifo)
        self._reader = os.open(self.fifo, os.O_RDONLY | os.O_NONBLOCK)
        self._commands = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._numbered = 0
        loop = asyncio.get_running_loop()
        self.gone: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._reader, self._read)

    def command(self, word: str, call_id: str, subject: object = "") -> None:
        """Give the scenario of this call its next word."""
        self._numbered += 1  # SIPp takes two equal messages for a repetition
        lines = [
            f"{word} sip:kentongan SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK-{self._numbered}",
            "From: <sip:kentongan@localhost>;tag=k",
            "To: <sip:kentongan@localhost>",
            f"Call-ID: {call_id}",
            f"CSeq: {self._numbered} {word}",
            f"Subject: {subject}",
            "Content-Length: 0",
        ]
        self._commands.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), self.address)

    def words(self) -> str:
        """What SIPp itself had to say."""
        return (self.room / "stderr").read_text(errors="replace")[-1000:].strip() or "nothing"

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._reader)
        os.close(self._reader)
        self._commands.close()

    def _read(self) -> None:
        data = os.read(self._reader, 1 << 16)
        for message in self._trace.feed(data):
            self._tells(message)
        if not data:  # SIPp has closed its end: it is gone
            asyncio.get_running_loop().remove_reader(self._reader)
            self.gone.set_result(None)


@asynccontextmanager
async def sipp_runs(
    scenario: str,
    to: Address,
    host: str,
    keywords: Mapping[str, object],
    tells: Callable[[Message], None],
    *more: str,
) -> AsyncIterator[Sipp]:
    """Run SIPp with one of our scenarios; the end of the body is its end. SippFailed: not installed."""
    program = shutil.which("sipp")
    if program is None:
        raise SippFailed("sipp is not installed. Install it: apt-get install sip-tester")
    with tempfile.TemporaryDirectory(prefix="kentongan-sipp-") as room:
        port = _free_port(host)
        sipp = Sipp(Path(room), (host, port), tells)
        arguments = [f"{to[0]}:{to[1]}", "-sf", str(SCENARIOS / f"{scenario}.xml"), "-nostdin"]
        arguments += ["-i", host, "-p", str(port), "-bind_local", "-ci", host, "-cp", str(_free_port(host))]
        arguments += ["-mp", str(next(_UNUSED))]
        arguments += ["-trace_msg", "-message_file", str(sipp.fifo), "-watchdog_interval", "0", *more]
        for keyword, value in keywords.items():
            arguments += ["-key", keyword, str(value)]
        stderr = os.open(sipp.room / "stderr", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            process = await asyncio.create_subprocess_exec(  # setpriv: after kill -9 of us it dies, too
                "setpriv", "--pdeathsig=KILL", program, *arguments, cwd=room, start_new_session=True,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=stderr,
            )  # fmt: skip
        finally:
            os.close(stderr)
        sipp.pid = process.pid
        try:
            yield sipp
        finally:
            await _stop(process, at_its_end=sipp.gone.done())
            sipp.close()


async def _stop(process: asyncio.subprocess.Process, at_its_end: bool) -> None:
    if not at_its_end:
        with suppress(ProcessLookupError):          # it has just ended by itself
            process.terminate()
    try:
        async with asyncio.timeout(2):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _free_port(host: str) -> int:
    """A free UDP port below those that the system hands out, lest it hands this one out before SIPp has it."""
    while True:
        port = next(_PORTS)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
            probe.bind((host, port))
            return port
