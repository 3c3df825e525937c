"""The sound of the callers and phones that `make demo` and the story tests put on the line.

SIPp can play audio and keys only through raw sockets, which needs root, and it cannot hear. So SIPp speaks
SIP (kentongan/sipp.py), and this file speaks and hears RTP: A-law (payload 8) and RFC 4733 key events
(payload 101) in one SSRC and one run of sequence numbers, a packet every 20 ms. One thread beats time for
all streams of the process, so that a busy event loop makes nobody stutter.
"""

import audioop
import math
import socket
import struct
import threading
import time
import wave
from array import array
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

RATE = 8000
BEAT = 0.02
FRAME = 160  # samples, and bytes of A-law, in a beat
SILENCE = b"\xd5"
KEYS = "0123456789*#ABCD"
KEY_BEATS = 5  # a key is held for 100 ms …
KEY_PAUSE = 3  # … and the next one comes 60 ms later at the earliest


@dataclass(frozen=True)
class Tone:
    """A steady sine of `hz` (whole hertz; 0 is silence that flows), about -10 dBFS."""

    hz: int


@dataclass(frozen=True)
class Key:
    """A key pressed `at` seconds after the answer."""

    at: float
    digit: str  # one of 0123456789*#ABCD


Voice = Tone | Path | None


def alaw(voice: Voice) -> bytes:
    """The voice as A-law at 8 kHz, to be played round and round; b"" for None (no audio packets at all).

    A path names raw A-law (.alaw) or a WAV of one channel and 16 bit. ValueError: another kind of file.
    """
    match voice:
        case None:
            return b""
        case Tone(hz):
            sine = (round(10000 * math.sin(2 * math.pi * hz * n / RATE)) for n in range(RATE))
            return audioop.lin2alaw(array("h", sine).tobytes(), 2)
        case Path(suffix=".alaw"):
            return voice.read_bytes()
    with wave.open(str(voice), "rb") as file:
        if (file.getnchannels(), file.getsampwidth()) != (1, 2):
            raise ValueError(f"{voice}: want one channel of 16 bit, or a .alaw file")
        samples, rate = file.readframes(file.getnframes()), file.getframerate()
    if rate != RATE:
        samples, _ = audioop.ratecv(samples, 2, 1, rate, RATE, None)
    return audioop.lin2alaw(samples, 2)


@dataclass(eq=False)
class Sound:
    """One end of an RTP stream, at `port`: from `connect` to `close` it speaks, presses keys and listens."""

    host: str
    voice: bytes = b""
    port: int = field(init=False)

    def __post_init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((self.host, 0))
        self._socket.setblocking(False)
        self.port = self._socket.getsockname()[1]
        self._peer: tuple[str, int] | None = None
        self._ssrc = (id(self) ^ time.monotonic_ns()) & 0xFFFFFFFF
        self._sequence = 0
        self._beats = 0
        self._keys: deque[tuple[int, str]] = deque()  # (beat it is due at, digit)
        self._pressed_at: int | None = None
        self._heard = bytearray()
        self._expected = 0, 0  # source and timestamp of the packet that should come next

    def connect(self, host: str, port: int) -> None:
        """The call is answered: speak to this address from now on. A second call only changes the address."""
        if self._peer is None:
            self._peer = host, port
            _conductor.add(self)
        self._peer = host, port

    def press(self, digit: str, at: float | None = None) -> None:
        """Press a key `at` seconds after `connect`, or now; never before the key before it is released."""
        if len(digit) != 1 or digit not in KEYS:
            raise ValueError(f"{digit!r} is no key of a telephone")
        self._keys.append((self._beats if at is None else round(at / BEAT), digit))

    def heard(self) -> bytes:
        """What came since `connect`, 16 bit little-endian at 8 kHz; silence where nothing came (±20 ms)."""
        return audioop.alaw2lin(bytes(self._heard), 2)

    def close(self) -> None:
        _conductor.remove(self)
        self._socket.close()

    def beat(self) -> None:
        """Called every 20 ms by the conductor."""
        self._listen()
        now, self._beats = self._beats, self._beats + 1
        if self._pressed_at is None and self._keys and self._keys[0][0] <= now:
            self._pressed_at = now
        if self._pressed_at is not None:
            self._send_key(self._keys[0][1], self._pressed_at, now - self._pressed_at + 1)
        if self.voice:
            start = now * FRAME % len(self.voice)
            frame = self.voice[start : start + FRAME]
            while len(frame) < FRAME:
                frame += self.voice[: FRAME - len(frame)]
            self._send(8, now, frame, first=now == 0)

    def _send_key(self, digit: str, since: int, held: int) -> None:
        """The key's next packet. The audio goes on beside it (RFC 4733 2.6), which keeps the hole that every key
        leaves at the other end at 80 ms: Asterisk is deaf from a key's first packet to its last."""
        if held <= KEY_BEATS:
            last = held == KEY_BEATS
            event = struct.pack(">BBH", KEYS.index(digit), 0x80 * last | 10, held * FRAME)
            for _ in range(3 if last else 1):
                self._send(101, since, event, first=held == 1)
        elif held == KEY_BEATS + KEY_PAUSE:
            self._pressed_at = None
            self._keys.popleft()

    def _send(self, kind: int, beat: int, payload: bytes, first: bool) -> None:
        assert self._peer
        head = struct.pack(
            ">BBHII", 0x80, first << 7 | kind, self._sequence & 0xFFFF, beat * FRAME & 0xFFFFFFFF, self._ssrc
        )
        self._sequence += 1
        try:
            self._socket.sendto(head + payload, self._peer)
        except OSError:  # the other end has gone: a telephone does not mind
            return

    def _listen(self) -> None:
        while True:
            try:
                packet = self._socket.recv(2048)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP refusal for something that we sent
            if len(packet) > 12 and packet[1] & 0x7F == 8:
                timestamp, source = struct.unpack(">II", packet[4:12])
                self._hear(timestamp, source, packet[12:])

    def _hear(self, timestamp: int, source: int, audio: bytes) -> None:
        """Put the audio where it belongs: after its predecessor as the timestamps say, unless they leap."""
        hole = self._beats * FRAME - len(self._heard) - FRAME  # as the clock says, give or take a beat or two
        told = (timestamp - self._expected[1]) & 0xFFFFFFFF
        if source == self._expected[0] and abs(told - hole) <= 5 * FRAME:
            hole = told
        elif hole <= 5 * FRAME:
            hole = 0
        self._heard += SILENCE * hole + audio
        self._expected = source, timestamp + len(audio)


class _Conductor:
    """Beats time for all streams; the thread lives while there are any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sounds: list[Sound] = []
        self._running = False
        self._pause = threading.Event()  # never set: only a sleep that nobody mistakes for a test's

    def add(self, sound: Sound) -> None:
        with self._lock:
            self._sounds.append(sound)
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="rtp", daemon=True).start()

    def remove(self, sound: Sound) -> None:
        with self._lock:
            if sound in self._sounds:
                self._sounds.remove(sound)

    def _run(self) -> None:
        due = time.monotonic()
        while True:
            with self._lock:  # held through the beat, so that nobody closes a socket under us
                if not self._sounds:
                    self._running = False
                    return
                for sound in self._sounds:
                    sound.beat()
            due += BEAT
            self._pause.wait(max(0.0, due - time.monotonic()))


_conductor = _Conductor()
