"""What the tests of this room share: a moment, and a database of one's own for each try of a property."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

Lend = Callable[[], AbstractContextManager[str]]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def new_database(request: pytest.FixtureRequest) -> Lend:
    """Lends a new database with this version's tables, as a URL, each time it is called."""
    if request.param == "postgresql":
        lend, template = request.getfixturevalue("postgres_database"), request.getfixturevalue("migrated_postgres")
        return lambda: lend(template)
    migrated: Path = request.getfixturevalue("migrated_sqlite")

    @contextmanager
    def copy() -> Iterator[str]:
        with TemporaryDirectory() as folder:
            shutil.copy(migrated, f"{folder}/kentongan.db")
            yield f"sqlite:///{folder}/kentongan.db"

    return copy
