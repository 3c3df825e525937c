"""A spool with raw recordings as MixMonitor writes them."""
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.recordings.tones import CALLER, OTHERS, Tone, interleaved


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., Path]:
    """Writes a raw recording into the spool: the caller's tone left, the others' right."""

    def write(name: str = "1763800000.12.raw", caller: Tone = CALLER, others: Tone = OTHERS,
              seconds: float = 2.0) -> Path:
        raw = tmp_path / "spool" / name
        raw.parent.mkdir(exist_ok=True)
        raw.write_bytes(interleaved(caller.samples(seconds), others.samples(seconds)))
        return raw

    return write
