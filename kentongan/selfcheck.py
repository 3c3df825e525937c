"""The porch: the self-check: every trap of this host that has cost somebody time, and its mend.

Blocking and read-only: nothing is started, changed or sent to another host.
"""
import concurrent.futures
import resource
import shutil
import socket
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.exc import SQLAlchemyError

from db.engine import is_current
from ivr import build
from kentongan.settings import Settings, SettingsError
from telephony.asterisk import SOCKET_PATH_LIMIT
from telephony.fetch import LEAST, UNFIT, find, version_of

LOOPBACK = ("127.", "localhost", "::1")
#: A name that takes longer (s) stalls every INVITE.
NAME_WITHIN = 0.5
FREE_BYTES = 1_000_000_000
HANDLES = 4096


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `mend` is what to do when it is bad."""

    what: str
    bad: bool
    says: str
    mend: str = ""

    def __str__(self) -> str:
        line = f"{'✗' if self.bad else '✓'} {self.what}: {self.says}"
        return f"{line}\n    → {self.mend}" if self.bad else line


def findings(settings: Settings) -> list[Finding]:
    """Look at everything; what cannot be looked at is itself a finding."""
    found: list[Finding] = []
    for look in LOOKS:
        try:
            found += look(settings)
        except (OSError, SettingsError, SQLAlchemyError) as fault:
            found.append(Finding(look.__name__.strip("_").replace("_", " "), True, f"could not be looked at: {fault}",
                                 "mend what the message names, then check again"))
    return found


def _host_name(settings: Settings) -> Iterator[Finding]:
    name = socket.gethostname()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        began = time.monotonic()
        asked = pool.submit(socket.getaddrinfo, name, None)
        try:
            asked.result(timeout=NAME_WITHIN)
            bad, says = False, f"{name} resolves in {(time.monotonic() - began) * 1000:.0f} ms"
        except (OSError, TimeoutError) as fault:
            bad = True
            says = f"{name} does not resolve at once ({type(fault).__name__}): every call would stall for seconds"
    yield Finding("host name", bad, says, f"add the line `127.0.1.1 {name}` to /etc/hosts")


def _asterisk(settings: Settings) -> Iterator[Finding]:
    if not settings.start_asterisk:
        yield Finding("Asterisk", False, "not ours to start; the service looks at its version when it connects")
        return
    least = ".".join(map(str, LEAST))
    found = find(settings.asterisk_root)
    says = f"{found.version} ({found.origin})" if found else f"none of version {least} or newer"
    yield Finding("Asterisk", found is None, says, "kentongan asterisk fetch")
    if (system := shutil.which("asterisk")) and (version := version_of((system,))) in UNFIT:
        yield Finding("the system's Asterisk", True, f"{version} is not to be used: {UNFIT[version]}",
                      "install another version, or leave it: a fetched one is used")


def _files(settings: Settings) -> Iterator[Finding]:
    control = settings.data / "asterisk/run/asterisk.ctl"
    yield Finding("data folder", len(str(control)) > SOCKET_PATH_LIMIT, str(settings.data),
                  f"its path is too long for Asterisk's socket ({SOCKET_PATH_LIMIT} characters): set KENTONGAN_DATA")
    secrets = settings.data / "secrets.toml"
    if secrets.exists():
        mode = stat.S_IMODE(secrets.stat().st_mode)
        yield Finding("secrets", bool(mode & 0o077), f"mode {mode:04o}", f"chmod 600 {secrets}")
    parent = next(folder for folder in (settings.data, *settings.data.parents) if folder.exists())
    free = shutil.disk_usage(parent).free
    yield Finding("disk", free < FREE_BYTES, f"{free / 1e9:.1f} GB free for recordings",
                  "a full disk ends recordings without a word: free some, or give KENTONGAN_DATA a volume of its own")


def _programs(settings: Settings) -> Iterator[Finding]:
    for program, package in (("ffmpeg", "ffmpeg"), ("espeak-ng", "espeak-ng")):
        where = shutil.which(program)
        yield Finding(program, where is None, where or "not installed", f"apt-get install {package}")


def _prompts(settings: Settings) -> Iterator[Finding]:
    lost = build.missing(settings.data / "prompts")
    says = f"{len(lost)} missing, for example {lost[0]}" if lost else "all there, music on hold too"
    yield Finding("prompts", bool(lost), says, "kentongan prompts build")


def _ports(settings: Settings) -> Iterator[Finding]:
    ports = {name: getattr(settings, name) for name in ("http_port", "ari_port", "ami_port", "agi_port")}
    doubled = len(set(ports.values())) < len(ports)
    yield Finding("ports", doubled, ", ".join(f"{name} {port}" for name, port in ports.items()),
                  "two of them are the same: change one in kentongan.toml or by KENTONGAN_…")
    if not (settings.data / "asterisk/run/asterisk.ctl").exists():      # (else it is ours that has them)
        for name, kind in (*((name, socket.SOCK_STREAM) for name in ports), ("sip_port", socket.SOCK_DGRAM)):
            with socket.socket(socket.AF_INET, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind is socket.SOCK_STREAM)
                try:
                    probe.bind((settings.host, getattr(settings, name)))
                except OSError as fault:
                    yield Finding(name, True, f"{getattr(settings, name)} cannot be had: {fault.strerror}",
                                  f"end the program that has it, or set KENTONGAN_{name.upper()}")
    low, high = settings.rtp_start, settings.rtp_end
    yield Finding("audio ports", high - low < 39, f"{low} to {high}",
                  "a call and its operator need four: 20 calls want 80 (KENTONGAN_RTP_START, KENTONGAN_RTP_END)")
    if not settings.host.startswith(LOOPBACK):
        yield Finding("listening", True, f"{settings.host} is not loopback; neither doors nor SIP are encrypted yet",
                      "put a TLS proxy and a firewall before them, or set host = \"127.0.0.1\"")


def _limits(settings: Settings) -> Iterator[Finding]:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield Finding("file handles", soft < HANDLES, str(soft),
                  f"ulimit -n {HANDLES} before starting (a call needs about eight)")
    try:
        ZoneInfo(settings.timezone)
        bad = False
    except (ZoneInfoNotFoundError, ValueError):
        bad = True
    yield Finding("time zone", bad, settings.timezone, "use a name like Asia/Jakarta, or apt-get install tzdata")


def _database(settings: Settings) -> Iterator[Finding]:
    kind = settings.database_url.partition(":")[0]
    own = settings.data / "kentongan.db"
    if settings.database_url.endswith(str(own)) and not own.exists():
        yield Finding("database", False, "SQLite, made at the first start")
        return
    current = is_current(settings.database_url)
    says = f"{kind}, {'up to date' if current else 'not of this version'}"
    yield Finding("database", not current, says, "kentongan db migrate")


LOOKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    _host_name, _asterisk, _files, _programs, _prompts, _ports, _limits, _database)
