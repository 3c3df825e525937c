"""The house in which a story is played: twice, on a fake Asterisk in virtual time and on a real one."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.stories.fake_house import FakeHouse
from tests.stories.house import House
from tests.stories.real_house import Exchange, RealHouse, running_exchange

#: (a fake house in which nothing can happen any more is given up at once)
HOUSES = [
    pytest.param("fake", marks=pytest.mark.looptime(idle_step=0.01, idle_timeout=0.5)),
    pytest.param("asterisk", marks=pytest.mark.asterisk),
]


@pytest.fixture(scope="session")
def exchange() -> Iterator[Exchange]:
    """The Asterisk of all stories."""
    with running_exchange() as exchange:
        yield exchange


@pytest.fixture
def own_exchange() -> Iterator[Exchange]:
    """For a story that spoils more than a house."""
    with running_exchange() as exchange:
        yield exchange


@pytest.fixture
async def real_house(exchange: Exchange) -> AsyncIterator[RealHouse]:
    house = RealHouse(exchange)
    await house.open()
    yield house
    await house.close()


@pytest.fixture
async def fake_house(migrated_sqlite: Path, tmp_path: Path) -> AsyncIterator[FakeHouse]:
    shutil.copy(migrated_sqlite, tmp_path / "kentongan.db")
    house = FakeHouse(tmp_path / "kentongan.db", tmp_path / "menu.toml")
    yield house
    await house.close()


@pytest.fixture(params=HOUSES)
def house(request: pytest.FixtureRequest) -> House:
    """Everybody has gone at the end, and nothing of them is left: see `House.is_in_order`."""
    return request.getfixturevalue("fake_house" if request.param == "fake" else "real_house")
