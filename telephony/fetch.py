"""Finds an Asterisk that is fit for an emergency number, or fetches one: the first thing a bare machine
lacks.

Debian's stable releases carry no Asterisk; its unstable release carries a current one. So we take the
system's Asterisk when it is new enough, and otherwise a private one: the packages of Debian sid, downloaded
by the machine's own apt (its mirror, its proxy, its keys) with state of their own, unpacked into a folder of
the checkout and run through the loader and libraries that came with them. Neither root nor a chroot is needed
and the system's packages never change.

A fetch is atomic: it grows under another name and is renamed when it is whole and has told its version, so a
half-done one is never taken for Asterisk. Two that run at once wait for each other. Standard library only,
because `tools/setup` asks `find` before anything is installed.
"""

import fcntl
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

#: Brings claimable calls (StasisBroadcast), reported variables, and fixes for two holes in ARI.
LEAST = (22, 10, 1)
#: Versions that are new enough and yet unfit, with the reason.
UNFIT = {(22, 11, 0): "its Bridge() fails after a ChanSpy, so a supervised call could not be transferred"}

_INSTEAD = f"Install Asterisk {'.'.join(map(str, LEAST))} or newer in /usr or /usr/local, then try again."
#: Folders of the packages that nothing of ours reads.
_BALLAST = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "usr/share/lintian",
    "var/cache",
)
#: Processor → Debian's library folder and the name of the loader in it.
_LOADERS = {
    "x86_64": ("x86_64-linux-gnu", "ld-linux-x86-64.so.2"),
    "aarch64": ("aarch64-linux-gnu", "ld-linux-aarch64.so.1"),
}

Progress = Callable[[str], None]


class NoAsteriskError(Exception):
    """No fit Asterisk can be had here; the text says why and what to do."""


class Version(NamedTuple):
    """Asterisk's own version; Debian's additions are left out."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


@dataclass(frozen=True)
class Found:
    """An Asterisk that is fit to run."""

    #: Words in front of Asterisk's own arguments: the program, or loader, library path and program.
    loader: tuple[str, ...]
    #: `astmoddir`: the folder of its modules.
    modules: Path
    #: `astdatadir`: holds rest-api/, the description of its ARI.
    data: Path
    version: Version
    origin: Literal["system", "prefix"]


def parse_version(text: str) -> Version | None:
    """Read "Asterisk 22.10.1+dfsg…" or Debian's "1:22.10.1~dfsg…"; None for all else, git builds too."""
    match = re.match(r"(?:Asterisk |\d+:)?(\d+)\.(\d+)(?:\.(\d+))?(?![\d.])", text.strip())
    return Version(int(match[1]), int(match[2]), int(match[3] or 0)) if match else None


def unfit(version: Version | None) -> str | None:
    """Why this version must not answer emergency calls; None when it may."""
    if version is None:
        return "its version cannot be read"
    if version < LEAST:
        return f"{version} is older than {'.'.join(map(str, LEAST))}: no claimable calls, known holes"
    return f"{version} is refused: {UNFIT[version]}" if version in UNFIT else None


# --- Finding --------------------------------------------------------------------------------------


def find(prefix: Path) -> Found | None:
    """The system's Asterisk if it is fit, else the one under `prefix`, else None. Takes milliseconds."""
    return find_system() or find_private(prefix)


def find_system() -> Found | None:
    """A fit Asterisk on the PATH or where administrators put it."""
    program = shutil.which("asterisk", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if program is None:
        return None
    return _look(Path(program).resolve().parents[1], (program,), "system")


def find_private(prefix: Path) -> Found | None:
    """A fit Asterisk that `fetch` unpacked under `prefix`."""
    triplet, name = _LOADERS.get(platform.machine(), ("", ""))
    lib = prefix / "usr/lib" / triplet
    loader = (str(lib / name), "--library-path", str(lib), str(prefix / "usr/sbin/asterisk"))
    return _look(prefix / "usr", loader, "prefix")


def version_of(loader: tuple[str, ...]) -> Version | None:
    """Ask the program itself; None when it does not run or says nothing we know."""
    try:
        answer = subprocess.run([*loader, "-V"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_version(answer.stdout)


def _look(usr: Path, loader: tuple[str, ...], origin: Literal["system", "prefix"]) -> Found | None:
    """Put the parts together: program, modules, REST description must be there, the version fit."""
    libraries = (*usr.glob("lib/*/asterisk"), usr / "lib/asterisk", usr / "lib64/asterisk")
    modules = [folder / "modules" for folder in libraries if (folder / "modules/res_ari.so").exists()]
    places = (usr / "share/asterisk", usr.parent / "var/lib/asterisk", Path("/var/lib/asterisk"))
    data = [folder for folder in places if (folder / "rest-api/resources.json").exists()]
    version = version_of(loader) if modules and data else None
    if version is None or unfit(version):
        return None
    return Found(loader, modules[0], data[0], version, origin)


# --- Fetching -------------------------------------------------------------------------------------


def fetch(prefix: Path, progress: Progress) -> Found:
    """Make sure that a fit Asterisk stands under `prefix`; about 80 MB are downloaded unless it is there.

    `progress` gets a line for each step and every few seconds of a long one. Raises NoAsteriskError when the
    mirror cannot be reached or has no fit version; nothing half-done is left then.
    """
    prefix = prefix.resolve()
    prefix.parent.mkdir(parents=True, exist_ok=True)
    with prefix.with_name(prefix.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if found := find_private(prefix):
            return found
        growing = prefix.with_name(prefix.name + ".growing")
        shutil.rmtree(growing, ignore_errors=True)  # of a run that was killed: we hold the lock
        try:
            _fill(growing, progress)
            shutil.rmtree(prefix, ignore_errors=True)
            (growing / "root").rename(prefix)
        finally:
            shutil.rmtree(growing, ignore_errors=True)
        found = find_private(prefix)
    if found is None:
        raise NoAsteriskError(f"The packages in {prefix} do not make a running Asterisk. {_INSTEAD}")
    progress(f"Asterisk {found.version} in {prefix}")
    return found


def _fill(growing: Path, progress: Progress) -> None:
    """Download and unpack everything into `growing`/root."""
    if platform.machine() not in _LOADERS:
        raise NoAsteriskError(
            f"No Asterisk can be fetched for this processor, {platform.machine()}. {_INSTEAD}"
        )
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise NoAsteriskError(f"This system has no apt to fetch Asterisk with. {_INSTEAD}")
    progress("Package lists of Debian sid")
    apt = _usable_apt(growing)
    offered = _output([*apt("apt-cache"), "show", "--no-all-versions", "asterisk"])
    named = re.search(r"^Version: (.+)$", offered, re.MULTILINE)
    if reason := unfit(parse_version(named[1]) if named else None):
        raise NoAsteriskError(f"The Debian mirror's Asterisk cannot be used: {reason}. {_INSTEAD}")
    install = [*apt("apt-get"), "install", "-y", "asterisk", "asterisk-modules"]
    sizes = [
        int(size)
        for size in re.findall(r"^'.*' \S+ (\d+) ", _output([*install, "--print-uris"]), re.MULTILINE)
    ]
    progress(f"Downloading {len(sizes)} packages, {sum(sizes) // 1_000_000} MB")
    archives = growing / "cache/archives"
    _watch(
        [*install, "--download-only"],
        lambda: progress(f"  … {sum(deb.stat().st_size for deb in archives.rglob('*.deb')) // 1_000_000} MB"),
    )
    progress("Unpacking")
    for deb in sorted(archives.glob("*.deb")):
        _output(["dpkg", "-x", str(deb), str(growing / "root")])
    for folder in _BALLAST:
        shutil.rmtree(growing / "root" / folder, ignore_errors=True)


def mirrors() -> list[str]:
    """Addresses of the archives that this machine's own apt uses for whole distributions."""
    listed = _output(
        [
            "apt-get",
            "indextargets",
            "--no-release-info",  # also before the first update
            "--format",
            "$(REPO_URI) $(RELEASE) $(COMPONENT)",
            "Created-By: Packages",
        ]
    )
    return whole_distributions(listed.splitlines())


def whole_distributions(rows: list[str]) -> list[str]:
    """Of rows "address release component", the addresses that carry a distribution, each once, in order.

    "bookworm" and "stable" are distributions; "bookworm-security", "bookworm-updates" and "nodistro/x" not.
    """
    fields = [row.split() for row in rows]
    return list(
        dict.fromkeys(row[0] for row in fields if len(row) == 3 and row[2] == "main" and row[1].isalpha())
    )


def _usable_apt(growing: Path) -> Callable[[str], list[str]]:
    """Give apt a state of its own over the first mirror that carries sid, signed by Debian's keys.

    Returns a function: name of an apt program → the words that start it with that state.
    """
    state = growing / "state"
    for folder in (state / "lists/partial", growing / "cache/archives/partial", growing / "root"):
        folder.mkdir(parents=True)
    (state / "status").touch()
    options = {
        "Dir::State": state,
        "Dir::State::status": state / "status",
        "Dir::Cache": growing / "cache",
        "Dir::Etc::sourcelist": state / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",  # the checkout may be closed to apt's own user
        "APT::Update::Error-Mode": "any",
        "Acquire::Check-Valid-Until": "false",  # a mirror's sid may be old; its signature still counts
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        "quiet": "1",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    signed = f"[signed-by={keyring}] " if keyring.exists() else ""
    faults = []
    for mirror in mirrors():
        (state / "sources.list").write_text(f"deb {signed}{mirror} sid main\n")
        try:
            _output(["apt-get", *words, "update"])
        except NoAsteriskError as fault:
            faults.append(str(fault))
            continue
        return lambda program: [program, *words]
    raise NoAsteriskError(
        "None of this machine's package archives gives Debian sid.\n"
        + "\n".join(faults or ["(apt has no archive at all)"])
        + f"\n{_INSTEAD}"
    )


def _output(command: list[str]) -> str:
    """What a command prints; NoAsteriskError with its complaint when it fails."""
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PATH": _path(), "LC_ALL": "C"}
    )
    if done.returncode:
        complaint = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        raise NoAsteriskError(f"{command[0]} {command[-1]} failed:\n{complaint}")
    return done.stdout


def _watch(command: list[str], tick: Callable[[], None]) -> None:
    """Run a long command, calling `tick` every five seconds."""
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
    ) as process:
        while True:
            try:
                _, complaint = process.communicate(timeout=5)
            except subprocess.TimeoutExpired:
                tick()
                continue
            break
    if process.returncode:
        raise NoAsteriskError(
            f"The download failed:\n{complaint.strip()}\nTry again when the mirror is reachable."
        )


def _path() -> str:
    """dpkg insists on the folders of the system's own programs, which another's PATH may lack."""
    return os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin:/sbin:/bin"
