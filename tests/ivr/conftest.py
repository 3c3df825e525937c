"""Prompts and music built for real, once for all tests of this room, and a measuring instrument for them."""
import wave
from array import array
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from pydub import AudioSegment

from ivr.build import Built, build


@pytest.fixture(scope="session")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("prompts")
    build(into)
    return into


@pytest.fixture(scope="session")
def built(prompts: Path) -> list[Built]:
    return build(prompts)


def _alaw(code: int) -> int:
    """One A-law byte as a 16-bit sample, as ITU-T G.711 writes it."""
    code ^= 0x55
    exponent, step = code >> 4 & 7, code & 15
    size = (step << 4) + 8 if exponent == 0 else (step << 4) + 0x108 << exponent - 1
    return size if code & 0x80 else -size


@pytest.fixture(scope="session")
def heard() -> Callable[[Path], AudioSegment]:
    """A built sound as it is played, decoded by other means than those that made it."""
    meaning = [_alaw(code) for code in range(256)]

    @cache
    def hear(path: Path) -> AudioSegment:
        if path.suffix == ".alaw":
            raw = array("h", (meaning[code] for code in path.read_bytes())).tobytes()
            return AudioSegment(raw, sample_width=2, frame_rate=8000, channels=1)
        with wave.open(str(path)) as wav:
            raw = wav.readframes(wav.getnframes())
            return AudioSegment(raw, sample_width=2, frame_rate=wav.getframerate(), channels=1)

    return hear
