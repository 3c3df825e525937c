"""Raw recordings as MixMonitor writes them, made of tones, and an ear for archives."""
import cmath
import math
import subprocess
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

RATE = 8000


@dataclass(frozen=True)
class Tone:
    """One party's voice: a pitch in Hz and a peak level in dBFS (None: silence)."""
    pitch: float
    dbfs: float | None = -12.0

    def samples(self, seconds: float) -> "array[int]":
        peak = 0.0 if self.dbfs is None else 32767 * 10 ** (self.dbfs / 20)
        turn = 2 * math.pi * self.pitch / RATE
        return array("h", (round(peak * math.sin(turn * i)) for i in range(round(seconds * RATE))))


CALLER, OTHERS = Tone(440), Tone(1000)


@dataclass(frozen=True)
class Heard:
    """The two channels of an archive, decoded."""
    left: "array[int]"
    right: "array[int]"

    @property
    def seconds(self) -> float:
        return len(self.left) / RATE


def interleaved(left: Iterable[int], right: Iterable[int]) -> bytes:
    return array("h", chain.from_iterable(zip(left, right, strict=True))).tobytes()


def strength(samples: "array[int]", pitch: float) -> float:
    """Peak level of one pitch, in dBFS."""
    turn, count = 2j * math.pi * pitch / RATE, len(samples)
    bell = (0.5 - 0.5 * math.cos(2 * math.pi * i / count) for i in range(count))
    total = sum(value * weight * cmath.exp(-turn * i)
                for i, (value, weight) in enumerate(zip(samples, bell, strict=True)))
    return 20 * math.log10(abs(total) * 4 / count / 32768 + 1e-12)


def level(samples: "array[int]") -> float:
    """Loudness in dBFS."""
    power = sum(value * value for value in samples) / len(samples)
    return 10 * math.log10(power / 32768 ** 2 + 1e-12)


def hear(ogg: Path) -> Heard:
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", str(ogg), "-ar", str(RATE), "-ac", "2", "-f", "s16le", "-"],
                         capture_output=True, check=True).stdout
    both = array("h", raw)
    return Heard(both[0::2], both[1::2])
