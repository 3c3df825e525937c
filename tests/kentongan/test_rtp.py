"""The sound of kentongan/rtp.py without any exchange: two ends that hear each other."""

import math
import wave
from array import array
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kentongan.rtp import BEAT, Sound, Tone, alaw
from tests.ear import channels, gaps, samples, tones
from tests.waiting import until

SECOND = 16000  # bytes that were heard


@pytest.fixture
async def two() -> AsyncIterator[tuple[Sound, Sound]]:
    left, right = Sound("127.0.0.1", alaw(Tone(440))), Sound("127.0.0.1", alaw(Tone(1000)))
    left.connect("127.0.0.1", right.port)
    right.connect("127.0.0.1", left.port)
    yield left, right
    left.close()
    right.close()


async def test_each_end_hears_the_other_without_a_gap(two: tuple[Sound, Sound]) -> None:
    left, right = two
    await until(lambda: min(len(left.heard()), len(right.heard())) > 0.5 * SECOND)
    for heard, hz in ((left.heard(), 1000), (right.heard(), 440)):
        assert len(tones(samples(heard), 8000, hz)) == 1


async def test_the_voice_goes_on_beside_the_keys(two: tuple[Sound, Sound]) -> None:
    left, right = two
    left.press("1")
    await until(lambda: len(right.heard()) > 0.5 * SECOND)
    assert gaps(samples(right.heard()), 8000, 440) == []


async def test_silence_is_heard_where_nothing_came() -> None:
    mute, talker, listener = Sound("127.0.0.1"), Sound("127.0.0.1", alaw(Tone(440))), Sound("127.0.0.1")
    listener.connect("127.0.0.1", mute.port)
    await until(lambda: listener._beats >= 0.4 / BEAT)
    talker.connect("127.0.0.1", listener.port)
    await until(lambda: tones(samples(listener.heard()), 8000, 440))
    for sound in (mute, talker, listener):
        sound.close()
    assert tones(samples(listener.heard()), 8000, 440)[0][0] == pytest.approx(0.4, abs=0.1)


@pytest.mark.parametrize("digit", ["", "12", "x", "a"])
def test_only_keys_of_a_telephone_can_be_pressed(digit: str) -> None:
    sound = Sound("127.0.0.1")
    with pytest.raises(ValueError, match="no key of a telephone"):
        sound.press(digit)
    sound.close()


def test_a_voice_is_a_tone_or_a_file_or_nothing(tmp_path: Path) -> None:
    raw, wav = tmp_path / "voice.alaw", tmp_path / "voice.wav"
    raw.write_bytes(alaw(Tone(440)))
    assert alaw(raw) == alaw(Tone(440))
    assert alaw(None) == b""
    assert alaw(Tone(0)) == b"\xd5" * 8000
    with wave.open(str(wav), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(array("h", [0] * 16000).tobytes())
    assert len(alaw(wav)) == pytest.approx(8000, abs=2)
    with wave.open(str(wav), "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(400))
    with pytest.raises(ValueError, match="one channel"):
        alaw(wav)


def test_the_ear_finds_tones_and_holes_and_tells_the_channels_apart() -> None:
    rate = 8000
    loud, other, still = _tone(440), _tone(1000), array("h", [0] * rate)
    heard = loud[: rate // 2] + still[: rate // 10] + loud[: rate // 2] + other
    assert tones(heard, rate, 440) == [(0.0, 0.5), (0.6, 1.1)]
    assert tones(heard, rate, 1000) == [(1.1, 2.1)]
    assert gaps(heard, rate, 440) == [(0.5, 0.6)]
    both = array("h", [sample for pair in zip(loud, other, strict=True) for sample in pair])
    assert channels(both.tobytes()) == (loud, other)


def _tone(hz: int) -> "array[int]":
    return array("h", (round(8000 * math.sin(2 * math.pi * hz * n / 8000)) for n in range(8000)))
