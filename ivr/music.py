"""Music on hold of our own making: bamboo and soft bronze in slendro, a quiet minute that runs in a ring.

Somebody who waits in fear must hear that the line lives, without being startled: so there is always a soft
tone under the bamboo, and nothing is ever sudden. Made by arithmetic alone, so it belongs to nobody and is
the same on every machine. Nothing in it lies above 3.4 kHz: a telephone carries all of it.
"""
import array
import math

#: samples a second
RATE = 16000
#: seconds
LENGTH = 60
#: dBFS over the whole minute
LOUDNESS = -26.0
#: raise it when the tune changes, so that it is built again
RECIPE = 1

#: one gatra of four beats per group; 1 2 3 5 6 are the five tones of slendro
_SCORE = "2321 3532 5653 2165 1216 5321 3565 2316 6532 5653 2123 5321 3216 2165 3532 1612"
_BEAT = LENGTH / len(_SCORE.replace(" ", ""))
_TONES = "12356"
_LOWEST = 262.0                                             # Hz of tone 1
_HIGHEST = 3400.0                                           # Hz a telephone carries

#: multiple of the pitch, and how strong
_Partials = tuple[tuple[float, float], ...]
_BRONZE: _Partials = ((1, 1.0), (2, 0.35), (3, 0.12))
_BAMBOO: _Partials = ((1, 1.0), (2.76, 0.18))


def tune() -> "array.array[int]":
    """The whole loop: 16-bit mono at RATE, LENGTH seconds, the end running into the beginning."""
    mix = array.array("d", bytes(8 * RATE * LENGTH))
    bronze = {tone: _struck(_pitch(tone), _BRONZE, attack=0.09, decay=2.4) for tone in _TONES}
    bamboo = {tone: _struck(_pitch(tone, 1), _BAMBOO, attack=0.012, decay=0.16) for tone in _TONES}
    beats = _SCORE.replace(" ", "")
    for at, tone in enumerate(beats):
        following = beats[(at + 1) % len(beats)]
        _lay(mix, bronze[tone], at * _BEAT, 1.0)
        for after, answer, strength in ((0.0, tone, 0.5), (0.5, following, 0.4), (0.75, tone, 0.4)):
            _lay(mix, bamboo[answer], (at + after) * _BEAT, strength)
    loudness = math.sqrt(sum(value * value for value in mix) / len(mix))
    gain = 32767 * 10 ** (LOUDNESS / 20) / loudness
    return array.array("h", (round(value * gain) for value in mix))


def _pitch(tone: str, octave: int = 0) -> float:
    """Hz. Slendro divides the octave into five nearly equal steps."""
    return float(_LOWEST * 2 ** (octave + _TONES.index(tone) / len(_TONES)))


def _struck(pitch: float, partials: _Partials, attack: float, decay: float) -> list[float]:
    """One stroke: each partial dies the sooner the higher it is. `attack` and `decay` in seconds."""
    count = int(RATE * (attack + 4 * decay))
    stroke = [0.0] * count
    for multiple, strength in partials:
        if pitch * multiple > _HIGHEST:
            continue
        turn, fade = 2 * math.pi * pitch * multiple / RATE, multiple / (decay * RATE)
        for i in range(count):
            stroke[i] += strength * math.sin(turn * i) * math.exp(-fade * i)
    rise = int(RATE * attack)
    for i in range(rise):
        stroke[i] *= 0.5 - 0.5 * math.cos(math.pi * i / rise)
    for i in range(1, rise + 1):                            # and no click at its end
        stroke[-i] *= i / rise
    return stroke


def _lay(mix: "array.array[float]", stroke: list[float], at: float, strength: float) -> None:
    """Adds a stroke at `at` seconds; what rings over the end of the loop rings in its beginning."""
    start = int(at * RATE)
    size = len(mix)
    for offset in range(0, len(stroke), size):
        part = stroke[offset:offset + size]
        fits = min(len(part), size - start)
        for where, piece in ((start, part[:fits]), (0, part[fits:])):
            under = mix[where:where + len(piece)]
            mix[where:where + len(piece)] = array.array(
                "d", (old + strength * new for old, new in zip(under, piece, strict=True)))
