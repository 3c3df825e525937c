"""An ear for recordings: where is a steady tone to be heard, and where does it break off?

Goertzel's question ("how much of this window is that frequency?") asked of every window; 60 s of 8 kHz audio take
about 0.1 s. Samples are 16 bit linear.
"""

import math
from array import array
from collections.abc import Sequence
from itertools import pairwise
from operator import mul

Stretch = tuple[float, float]  # from, to in seconds


def samples(pcm: bytes) -> "array[int]":
    """16 bit little-endian bytes as numbers."""
    return array("h", pcm)


def channels(pcm: bytes) -> tuple["array[int]", "array[int]"]:
    """The left and the right one of two interleaved channels, as MixMonitor's D writes them."""
    both = samples(pcm)
    return both[0::2], both[1::2]


def tones(heard: Sequence[int], rate: int, hz: float, window: float = 0.01) -> list[Stretch]:
    """The stretches in which the tone `hz` makes up half of the sound or more, above -40 dBFS.

    Two tones closer than 1/window (100 Hz) are not told apart.
    """
    size = round(rate * window)
    cosine = [math.cos(2 * math.pi * hz * n / rate) for n in range(size)]
    sine = [math.sin(2 * math.pi * hz * n / rate) for n in range(size)]
    found: list[Stretch] = []
    for at in range(0, len(heard) - size + 1, size):
        part = heard[at : at + size]
        tone = (sum(map(mul, part, cosine)) ** 2 + sum(map(mul, part, sine)) ** 2) * 2 / size
        everything = sum(map(mul, part, part))
        if everything / size > 328**2 / 2 and tone > everything / 2:
            since = found.pop()[0] if found and found[-1][1] == at / rate else at / rate
            found.append((since, (at + size) / rate))
    return found


def gaps(heard: Sequence[int], rate: int, hz: float, window: float = 0.01) -> list[Stretch]:
    """The holes between the first and the last moment of the tone."""
    stretches = tones(heard, rate, hz, window)
    return [(before[1], after[0]) for before, after in pairwise(stretches)]
