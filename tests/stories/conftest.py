"""The house in which a story is played: twice, on a fake Asterisk in virtual time and on a real one."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.stories.fake_house import FakeHouse
from tests.stories.house import House

#: (a fake house in which nothing can happen any more is given up at once)
HOUSES = [pytest.param("fake", marks=pytest.mark.looptime(idle_step=0.01, idle_timeout=0.5))]


@pytest.fixture(params=HOUSES)
async def house(
    request: pytest.FixtureRequest, migrated_sqlite: Path, tmp_path: Path
) -> AsyncIterator[House]:
    shutil.copy(migrated_sqlite, tmp_path / "kentongan.db")
    house = FakeHouse(tmp_path / "kentongan.db", tmp_path / "menu.toml")
    yield house
    await house.close()
