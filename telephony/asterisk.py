"""telephony: an Asterisk of our own: renders its configuration, starts it, stops it, asks it.

It is never a child that dies with us: it runs in a session of its own, and whoever starts the service again finds it
with its calls. An Asterisk of the administrator's takes the same files from `asterisk-conf/kentongan/`.
"""
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from telephony.fetch import Found

#: Real configuration files: `kentongan/` to include anywhere, `own/` for our own instance.
CONF = Path(__file__).parents[1] / "asterisk-conf"
READY_WITHIN = 30.0     #: seconds
GONE_WITHIN = 10.0      #: seconds; then it is killed
#: One row of Asterisk's own book of calls, as `telephony.cel` reads it.
_EVENT = (
    "${eventtime},${eventtype},${CHANNEL(uniqueid)},${CHANNEL(linkedid)},${CHANNEL(channame)},${CHANNEL(context)},"
    "${FILTER(0-9+,${CALLERID(num)})},${eventextra}")
#: A Unix socket has no room for a longer path.
SOCKET_PATH_LIMIT = 107


class AsteriskError(Exception):
    """Asterisk cannot be started or asked; the text says why and what to do."""


@dataclass(frozen=True)
class Plan:
    """Everything that differs from host to host."""

    data: Path                      #: the service's data folder; Asterisk's own lies in `asterisk/` below it
    host: str                       #: address to listen on
    sip_port: int
    ari_port: int
    ami_port: int
    agi_port: int
    rtp_start: int
    rtp_end: int
    trunks: Sequence[str]           #: addresses that may send 112 calls
    claim_for_ms: int               #: how long the dialplan waits for our claim
    claim_by: str                   #: regular expression of the applications that may claim
    language: str                   #: of the way out's prompt
    ari_user: str
    ari_password: str
    ami_user: str
    ami_password: str
    phones: Mapping[str, str]       #: operators' SIP users and passwords


def render(plan: Plan, etc: Path) -> None:
    """Write what `asterisk-conf/kentongan/` needs from this host into `etc`/kentongan, passwords with mode 0600."""
    ours = etc / "kentongan"
    ours.mkdir(parents=True, exist_ok=True)
    for file in sorted((CONF / "kentongan").glob("*.conf")):
        shutil.copyfile(file, ours / file.name)
    for name, text in _local_files(plan).items():
        write_private(ours / name, text)


def render_own(plan: Plan, modules: Path, data: Path) -> Path:
    """Make the folders and the whole configuration of an instance of our own; the path of its asterisk.conf.

    modules, data: where the instance will find its own (see `Found`), perhaps in another container.
    """
    home = plan.data.resolve() / "asterisk"
    for folder in (home / "etc", home / "lib/keys", home / "log", home / "run", home / "spool", plan.data / "spool",
                   plan.data / "events"):
        folder.mkdir(parents=True, exist_ok=True)
    etc = home / "etc"
    render(plan, etc)
    for file in sorted((CONF / "own").glob("*.conf")):
        shutil.copyfile(file, etc / file.name)
    for name, text in _own_files(plan, home, modules, data).items():
        write_private(etc / name, text)
    return etc / "asterisk.conf"


def _local_files(plan: Plan) -> dict[str, str]:
    """The generated parts of the includable files."""
    data = plan.data.resolve()
    phones = "&".join(f"PJSIP/{name}" for name in plan.phones)
    operators = "".join(
        f"\n[{name}](kentongan-operator)\nauth={name}\naors={name}\n"
        f"[{name}](kentongan-operator-auth)\nusername={name}\npassword={password}\n"
        f"[{name}](kentongan-operator-aor)\n"
        for name, password in plan.phones.items())
    return {
        "local-extensions.conf": _generated(f"""
            [globals]
            KT_SPOOL={data}/spool
            KT_PROMPTS={data}/prompts/{plan.language}
            KT_CLAIM_MS={plan.claim_for_ms}
            KT_CLAIM_BY={plan.claim_by}
            KT_AGI_PORT={plan.agi_port}
            KT_ALL_PHONES={phones}
            """),
        "local-pjsip.conf": _generated(f"""
            [kentongan-udp]
            type=transport
            protocol=udp
            bind={plan.host}:{plan.sip_port}

            [trunk](kentongan-trunk)
            transport=kentongan-udp
            [trunk]
            type=identify
            endpoint=trunk
            match={",".join(plan.trunks)}
            """) + operators,
        # A row is one line whatever the network says: FILTER lets no comma and no line's end into the number. (The
        # faster form, [file] with `fields=`, writes it as it came, even into JSON: anybody could write their own rows.)
        "local-cel_custom.conf": _generated(f"""
            [mappings]
            {data}/events/calls.csv => {_EVENT}
            """),
        "local-musiconhold.conf": _generated(f"""
            [kentongan]
            mode=files
            directory={data}/prompts/moh
            """),
    }


def _own_files(plan: Plan, home: Path, modules: Path, data: Path) -> dict[str, str]:
    return {
        "asterisk.conf": _generated(f"""
            [directories]
            astetcdir => {home}/etc
            astmoddir => {modules}
            astvarlibdir => {home}/lib
            astdbdir => {home}/lib
            astkeydir => {home}/lib
            astdatadir => {data}
            astagidir => {home}/lib
            astspooldir => {home}/spool
            astrundir => {home}/run
            astlogdir => {home}/log
            [options]
            live_dangerously = no
            disable_remote_console_shell = yes
            """),
        "http.conf": _generated(f"""
            [general]
            enabled=yes
            bindaddr=127.0.0.1
            bindport={plan.ari_port}
            enable_static=no
            enable_status=no
            sessionlimit=100
            """),
        "ari.conf": _generated(f"""
            [general]
            enabled=yes
            [{plan.ari_user}]
            type=user
            password={plan.ari_password}
            """),
        "manager.conf": _generated(f"""
            [general]
            enabled=yes
            bindaddr=127.0.0.1
            port={plan.ami_port}
            displayconnects=no
            [{plan.ami_user}]
            secret={plan.ami_password}
            deny=0.0.0.0/0.0.0.0
            permit=127.0.0.1/255.255.255.255
            read=call,system
            write=call,system,agent
            eventfilter(action(include),name(FullyBooted)) =
            eventfilter(action(include),name(DeviceStateChange),header(Device),method(starts_with)) = PJSIP/
            """),
        "rtp.conf": _generated(f"""
            [general]
            rtpstart={plan.rtp_start}
            rtpend={plan.rtp_end}
            strictrtp=yes
            """),
    }


def _generated(text: str) -> str:
    lines = (line.strip() for line in text.strip().splitlines())
    return "; Written by Kentongan at every start: change the settings, not this file.\n" + "\n".join(lines) + "\n"


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody else may ever read, whole or not at all; of two at once, one stands in the end."""
    fd, new = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)     # mode 0600
    try:
        with open(fd, "w", encoding="utf-8") as file:
            file.write(text)
        Path(new).replace(path)
    except BaseException:
        Path(new).unlink()
        raise


class Asterisk:
    """Our own instance, found by its data folder: whoever asks, in whatever process, sees the same one."""

    def __init__(self, plan: Plan, found: Found) -> None:
        self._plan, self._found = plan, found
        self.home = plan.data.resolve() / "asterisk"

    @property
    def pid(self) -> int | None:
        """The process id, or None if it does not run."""
        try:
            pid = int((self.home / "run/asterisk.pid").read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if os.fsencode(self.home / "etc/asterisk.conf") in command else None

    def start(self) -> bool:
        """Render, start and wait until it is fully booted; False if it was running already (then it is left as it is).

        Raises AsteriskError with the end of its log.
        """
        if self.pid is not None:
            return False
        if len(str(self.home / "run/asterisk.ctl")) > SOCKET_PATH_LIMIT:
            raise AsteriskError(
                f"{self.home}/run/asterisk.ctl is too long for a socket ({SOCKET_PATH_LIMIT} characters): "
                "choose a shorter KENTONGAN_DATA")
        conf = render_own(self._plan, self._found.modules, self._found.data)
        with (self.home / "log/console").open("wb") as console:
            process = subprocess.Popen(
                [*self._found.loader, "-C", str(conf), "-f", "-n"], cwd=self.home,
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True, umask=0o027,
                env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(self.home)})   # ENV() is readable by ARI
        deadline = time.monotonic() + READY_WITHIN
        while "fully booted" not in self.ask("core waitfullybooted"):
            if process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AsteriskError(f"Asterisk did not start. The end of {self.home}/log:\n{self._end_of_log()}")
            time.sleep(0.02)
        return True

    def ask(self, command: str) -> str:
        """What the remote console answers to a command; "" if Asterisk does not run."""
        done = subprocess.run(
            [*self._found.loader, "-C", str(self.home / "etc/asterisk.conf"), "-rx", command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace")
        return done.stdout if done.returncode == 0 else ""

    def stop(self) -> bool:
        """End it and its calls; False if it did not run."""
        if (pid := self.pid) is None:
            return False
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + GONE_WITHIN
        while self.pid is not None:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                deadline += GONE_WITHIN
            time.sleep(0.02)
        return True

    def _end_of_log(self) -> str:
        lines: list[str] = []
        for name in ("log/console", "log/messages"):
            if (path := self.home / name).exists():
                lines += path.read_text(errors="replace").splitlines()[-10:]
        return "\n".join(lines)
