"""Fixtures for every room's tests.

Databases: a test that asks for `database_url` (or `sessions`) runs twice, on SQLite and on PostgreSQL, each
time on a database of its own with this version's tables. The PostgreSQL server is started by the first test
that needs one, as an unprivileged user, and dies with the test run, however that ends.
"""

import gc
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from bench.cluster import postgres
from db.engine import async_engine, migrate

settings.register_profile("kentongan", deadline=None)   # how long an example takes says how busy the machine is
settings.load_profile("kentongan")

DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
_numbers = count(1)

#: from the name of a database to a copy of it, as a URL
Lend = Callable[[str], AbstractContextManager[str]]


def pytest_collection_finish() -> None:
    """As `kentongan.main.serve` does: a full collection of all that is loaded makes a conversation stutter."""
    gc.collect()
    gc.freeze()


@pytest.fixture(params=DATABASES)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without any table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/kentongan.db"
        return
    with request.getfixturevalue("postgres_database")("template0") as url:
        yield url


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with this version's tables and no rows."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "kentongan.db")
        yield f"sqlite:///{tmp_path}/kentongan.db"
        return
    with request.getfixturevalue("postgres_database")(request.getfixturevalue("migrated_postgres")) as url:
        yield url


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = async_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
def sessions(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    return async_sessionmaker(engine, expire_on_commit=False)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: str) -> str:
    """The name of a database that others are copied from."""
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as admin:
        admin.execute("CREATE DATABASE migrated")
    migrate(f"{postgres_server}/migrated")
    return "migrated"


@pytest.fixture(scope="session")
def postgres_database(postgres_server: str) -> Lend:
    """Lends a new database, copied from the one that is named, as a URL."""

    @contextmanager
    def lend(template: str) -> Iterator[str]:
        name = f"test_{next(_numbers)}"
        with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
            yield f"{postgres_server}/{name}"
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")

    return lend


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL server on a free port of 127.0.0.1, as URL without a database name. It need not survive anything."""
    with postgres(fsync="off", full_page_writes="off", max_connections=60) as url:
        yield url
