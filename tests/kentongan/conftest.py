"""A data folder at which somebody types `kentongan …`; and a small exchange: a real Asterisk with one trunk, three
phones and a dialplan that tries callers and phones."""

import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from db.engine import sync_engine
from db.models import Audit
from kentongan import cli, ground
from kentongan.settings import load
from telephony.fetch import find

TRUNK = """
[global]
type=global
endpoint_identifier_order=username,ip,anonymous
[udp]
type=transport
protocol=udp
bind=127.0.0.1:{sip}
[trunk]
type=endpoint
context=from-trunk
disallow=all
allow=alaw
direct_media=no
[trunk]
type=identify
endpoint=trunk
match=127.0.0.1
"""
PHONE = """
[{name}]
type=endpoint
disallow=all
allow=alaw
direct_media=no
auth={name}
aors={name}
[{name}]
type=auth
username={name}
password={password}
[{name}]
type=aor
max_contacts=1
remove_existing=yes
qualify_frequency=1
"""
DIALPLAN = """
[from-trunk]
exten => keys,1,Gosub(arrive,1)
 same => n,Answer()
 same => n,Wait(60)
exten => early,1,Gosub(arrive,1)
 same => n,Ringing()
 same => n,Wait(60)
exten => busy,1,Hangup(17)
exten => short,1,Answer()
 same => n,Wait(0.05)
 same => n,Hangup()
exten => _op0X,1,Gosub(arrive,1)
 same => n,MixMonitor({rec}/${{UNIQUEID}}.raw,D)
 same => n,Dial(PJSIP/${{EXTEN}},2)
 same => n,Verbose(0,tried ${{UNIQUEID}} ${{DIALSTATUS}})
exten => arrive,1,Verbose(0,arrived ${{UNIQUEID}} ${{CHANNEL}} ${{CALLERID(num)}} [${{CALLERID(name)}}])
 same => n,Return()
"""
MODULES = [
    *["res_timing_timerfd", "res_crypto", "res_sorcery_config", "res_sorcery_memory", "res_sorcery_astdb"],
    *["res_pjproject", "res_pjsip", "res_pjsip_session", "res_pjsip_pubsub", "res_http_websocket"],
    *["res_pjsip_authenticator_digest", "res_pjsip_registrar", "res_pjsip_caller_id", "res_pjsip_nat"],
    *["res_pjsip_endpoint_identifier_ip", "res_pjsip_endpoint_identifier_user", "res_pjsip_sdp_rtp"],
    *["res_rtp_asterisk", "chan_pjsip", "codec_alaw", "format_pcm", "format_sln", "bridge_simple"],
    *["bridge_softmix", "pbx_config", "app_dial", "app_verbose", "app_stack", "func_callerid"],
    *["func_strings", "app_mixmonitor", "app_chanspy", "func_periodic_hook", "func_cut"],
    *["func_groupcount", "func_uri"],
]
EMPTY = ["acl", "ccss", "cdr", "cel", "features", "indications", "udptl", "http", "manager", "stasis", "ari"]


NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
#: exit status, stdout, stderr of `kentongan …`
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def laid_sqlite(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Path:
    """A database as the service has it after its first start."""
    data = tmp_path_factory.mktemp("laid")
    laid = shutil.copy(migrated_sqlite, data / "kentongan.db")
    asyncio.run(ground.lay(load(data=data, database_url=f"sqlite:///{laid}")))
    return laid


@pytest.fixture
def house(tmp_path: Path, laid_sqlite: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of a service, and nothing else in the environment."""
    for name in [name for name in os.environ if name.startswith("KENTONGAN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KENTONGAN_DATA", str(tmp_path))
    shutil.copy(laid_sqlite, tmp_path / "kentongan.db")
    return tmp_path


@pytest.fixture
def kentongan(house: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Type it."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["kentongan", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    return run


@pytest.fixture
def database(house: Path) -> Iterator[Engine]:
    """That of the data folder, beside the command line."""
    engine = sync_engine(f"sqlite:///{house}/kentongan.db")
    yield engine
    engine.dispose()


def audited(database: Engine, what: str) -> list[Audit]:
    """What the audit says of one kind of thing, oldest first."""
    with Session(database) as session:
        return list(session.scalars(select(Audit).where(Audit.what == what).order_by(Audit.seq)))


@dataclass(frozen=True)
class Exchange:
    """A running Asterisk: its SIP address, its folder of recordings, its console's text and how to ask it."""

    sip: tuple[str, int]
    password: str  # of its phones op01, op02, op03
    rec: Path
    console: Path
    command: tuple[str, ...]

    async def says(self, words: str) -> str:
        """What the console answers to a command."""
        pipe = asyncio.subprocess.PIPE
        asked = await asyncio.create_subprocess_exec(*self.command, "-rx", words, stdout=pipe, stderr=pipe)
        out, _ = await asked.communicate()
        return out.decode()

    def call_of(self, number: str) -> tuple[str, str, str]:
        """Unique id, channel and caller name of the last call from this number."""
        found = re.findall(rf"^arrived (\S+) (\S+) {number} \[(.*)\]$", self._text(), re.MULTILINE)
        return found[-1]

    def keys_of(self, number: str) -> str:
        """The keys that this call has pressed."""
        channel = re.escape(self.call_of(number)[1])
        return "".join(re.findall(rf"DTMF end '(.)' received on {channel},", self._text()))

    def result_of(self, number: str) -> str:
        """What Dial said of this call when it was over."""
        return re.findall(rf"^tried {self.call_of(number)[0]} (\S+)", self._text(), re.MULTILINE)[-1]

    def recording_of(self, number: str) -> bytes:
        return (self.rec / f"{self.call_of(number)[0]}.raw").read_bytes()

    def _text(self) -> str:
        return self.console.read_text(errors="surrogateescape")


@pytest.fixture(scope="module")
def exchange() -> Iterator[Exchange]:
    found = find(load().asterisk_root)
    assert found, "no Asterisk of version 22.10.1 or newer is here: .venv/bin/kentongan asterisk fetch"
    home = Path(tempfile.mkdtemp(prefix="kt"))      # short: the console's socket has a path of 108 characters
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        sip = probe.getsockname()[1]
    for name in ("etc", "lib/keys", "run", "log", "spool", "rec"):
        (home / name).mkdir(parents=True)
    folders = {"etc": "etc", "varlib": "lib", "db": "lib", "key": "lib", "agi": "lib"}
    folders |= {"spool": "spool", "run": "run", "log": "log"}
    phones = [PHONE.format(name=name, password="only-for-tests") for name in ("op01", "op02", "op03")]
    files = {
        "asterisk": "[directories]\n"
        + "".join(f"ast{key}dir={home / name}\n" for key, name in folders.items())
        + f"astmoddir={found.modules}\nastdatadir={found.data}\n",
        "modules": "[modules]\nautoload=no\n" + "".join(f"load={name}.so\n" for name in MODULES),
        "pjsip": TRUNK.format(sip=sip) + "".join(phones),
        "extensions": DIALPLAN.format(rec=home / "rec"),
        "logger": "[logfiles]\nconsole => notice,warning,error,verbose,dtmf\n",
        "pjproject": "[log_mappings]\ntype=log_mappings\n",
        "rtp": "[general]\nrtpstart=20000\nrtpend=29999\n",
    }
    for name, text in {**dict.fromkeys(EMPTY, ""), **files}.items():
        (home / "etc" / f"{name}.conf").write_text(text)
    command = (*found.loader, "-C", str(home / "etc/asterisk.conf"))
    with (home / "console").open("wb") as console:
        asterisk = subprocess.Popen([*command, "-f", "-n"], stdin=subprocess.DEVNULL, stdout=console, stderr=console)
    try:
        booted = [*command, "-rx", "core waitfullybooted"]
        while "fully booted" not in subprocess.run(booted, capture_output=True, text=True, check=False).stdout:
            assert asterisk.poll() is None, (home / "console").read_text()
        yield Exchange(("127.0.0.1", sip), "only-for-tests", home / "rec", home / "console", command)
    finally:
        asterisk.terminate()
        asterisk.wait()
        shutil.rmtree(home)
