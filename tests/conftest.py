"""Fixtures for every room's tests.

Databases: a test that asks for `database_url` (or `sessions`) runs twice, on SQLite and on PostgreSQL, each
time on a database of its own with this version's tables. The PostgreSQL server is started by the first test
that needs one, as an unprivileged user, and dies with the test run, however that ends.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from typing import IO

import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from db.engine import async_engine, migrate

DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
_numbers = count(1)

#: from the name of a database to a copy of it, as a URL
Lend = Callable[[str], AbstractContextManager[str]]


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
    """A PostgreSQL server on a free port of 127.0.0.1, as URL without a database name."""
    home = Path(tempfile.mkdtemp(prefix="kentongan-postgres-"))
    data, user = home / "data", _unprivileged_user()
    as_user = ["setpriv", "--pdeathsig=QUIT"]  # after kill -9 of the tests, too
    if user:
        os.chown(home, user.pw_uid, user.pw_gid)
        as_user += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    names = ["--username=tests", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
    initdb = subprocess.run(
        [*as_user, _binary("initdb"), *names, f"--pgdata={data}"], cwd=home, capture_output=True, text=True
    )
    assert initdb.returncode == 0, initdb.stdout + initdb.stderr
    settings = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "fsync": "off",
        "full_page_writes": "off",
        "max_connections": 60,
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    server = subprocess.Popen(
        [*as_user, _binary("postgres"), "-D", str(data), *options],
        cwd=home, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stderr is not None
    said: list[str] = []
    ready = threading.Event()
    reader = threading.Thread(target=_listen, args=(server.stderr, said, ready))
    reader.start()
    try:
        assert ready.wait(60), "".join(said)
        assert server.poll() is None, "".join(said)
        yield f"postgresql://tests@127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGQUIT)  # at once; nothing here is worth keeping
        server.wait(30)
        reader.join(5)
        shutil.rmtree(home, ignore_errors=True)


def _listen(stderr: IO[str], said: list[str], ready: threading.Event) -> None:
    for line in stderr:
        said.append(line)
        if "ready to accept connections" in line:
            ready.set()
    ready.set()  # it ended: whoever waits looks and finds out why


def _unprivileged_user() -> pwd.struct_passwd | None:
    """initdb refuses root: whom to be instead; None when we are somebody else already."""
    if os.geteuid() != 0:
        return None
    names = {user.pw_name: user for user in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def _binary(name: str) -> str:
    """Debian keeps the server's programs out of PATH; the newest wins."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[4]))
    found = str(debian[-1]) if debian else shutil.which(name)
    assert found, f"{name} not found below /usr/lib/postgresql or in PATH; apt-get install postgresql"
    return found
