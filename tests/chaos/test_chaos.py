"""A chaos run in small: two minutes, every fault once, Asterisk's death included. Nobody is lost."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.plan import Kind, draw
from tests.chaos.run import play

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(400)]

SEED = 112


@pytest.fixture
def data() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="kt-chaos-"))
    yield folder
    shutil.rmtree(folder)


async def test_whatever_breaks_nobody_is_lost(data: Path) -> None:
    assert os.geteuid() == 0, "connections are cut and a small disk is mounted: run the tests as root"
    kinds = [Kind.KILL, Kind.CUT, Kind.LOCK, Kind.PHONE, Kind.ASTERISK, Kind.STOP, Kind.FULL]
    report = await play(SEED, draw(SEED, 40, 2.0, kinds), data)
    print("\n".join(report.lines()))
    assert report.complaints == []
    assert len(report.told) == 40
    assert sum(bool(one.talked_for) for one in report.told) > 10
    assert report.faults == len(kinds)
