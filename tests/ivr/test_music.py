"""Music on hold: quiet, even, without a seam, and the same on every machine."""
import cmath
import math
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pydub import AudioSegment

from ivr import music


@pytest.fixture(scope="module")
def tune() -> AudioSegment:
    return AudioSegment(music.tune().tobytes(), sample_width=2, frame_rate=music.RATE, channels=1)


def test_it_is_quiet_and_never_sudden(tune: AudioSegment) -> None:
    assert tune.dBFS == pytest.approx(-26, abs=0.2)
    assert tune.max_dBFS < -12
    windows = [tune[at:at + 400].dBFS for at in range(0, len(tune), 400)]
    assert max(windows) < -23
    assert min(windows) > -31                                   # nor does the line ever seem dead
    steps = [abs(after - before) for before, after in zip(windows, windows[1:] + windows[:1], strict=True)]
    assert max(steps) < 4


def test_its_end_runs_into_its_beginning(tune: AudioSegment) -> None:
    samples = tune.get_array_of_samples()
    seam = abs(samples[0] - samples[-1])
    usual = max(abs(samples[i] - samples[i + 1]) for i in range(0, len(samples) - 1, 7))
    assert seam <= usual


def test_it_is_made_the_same_every_time_and_within_five_seconds(tune: AudioSegment) -> None:
    before = time.process_time()
    again = music.tune()
    assert time.process_time() - before < 5
    assert again.tobytes() == tune.raw_data
    assert tune.duration_seconds == music.LENGTH


def test_the_built_files_are_as_loud_as_it(prompts: Path, heard: Callable[[Path], AudioSegment]) -> None:
    for ending in ("alaw", "wav16"):
        sound = heard(prompts / "moh" / f"kentongan.{ending}")
        assert sound.duration_seconds == pytest.approx(music.LENGTH, abs=0.01)
        assert sound.dBFS == pytest.approx(music.LOUDNESS, abs=0.5)


def test_a_telephone_carries_all_of_it(tune: AudioSegment) -> None:
    part = tune[10000:11000].get_array_of_samples()
    for pitch in range(3600, 8000, 400):
        turn = 2j * math.pi * pitch / music.RATE
        strength = abs(sum(value * cmath.exp(turn * i) for i, value in enumerate(part))) / len(part)
        assert 20 * math.log10(strength / 32768 + 1e-9) < -70
