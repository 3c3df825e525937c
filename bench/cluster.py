"""bench: a PostgreSQL server that nobody else has, for measurements and for the tests.

It is started as an unprivileged user on a free port of loopback, in a folder of its own, and is gone afterwards,
however the program that started it ends.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def postgres(**settings: str | int) -> Iterator[str]:
    """The server as URL without a database name; its user `tests` may do anything. `settings`: as in postgresql.conf.

    RuntimeError, in PostgreSQL's own words, if it does not start.
    """
    home = Path(tempfile.mkdtemp(prefix="kentongan-postgres-"))
    data, user = home / "data", _unprivileged_user()
    as_user = ["setpriv", "--pdeathsig=QUIT"]  # after kill -9 of ours, too
    if user:
        os.chown(home, user.pw_uid, user.pw_gid)
        as_user += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    try:
        names = ["--username=tests", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        initdb = subprocess.run(
            [*as_user, _binary("initdb"), *names, f"--pgdata={data}"], cwd=home, capture_output=True, text=True
        )
        if initdb.returncode != 0:
            raise RuntimeError(initdb.stdout + initdb.stderr)
        with _running([*as_user, _binary("postgres"), "-D", str(data)], home, settings) as url:
            yield url
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _running(command: list[str], home: Path, settings: dict[str, str | int]) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": ""} | settings
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    server = subprocess.Popen(
        [*command, *options],
        cwd=home, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stderr is not None
    said: list[str] = []
    ready = threading.Event()
    reader = threading.Thread(target=_listen, args=(server.stderr, said, ready))
    reader.start()
    try:
        if not ready.wait(60) or server.poll() is not None:
            raise RuntimeError("".join(said))
        yield f"postgresql://tests@127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGQUIT)  # at once; nothing here is worth keeping
        server.wait(30)
        reader.join(5)
        server.stderr.close()


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
    if not found:
        raise RuntimeError(f"{name} not found below /usr/lib/postgresql or in PATH; apt-get install postgresql")
    return found
