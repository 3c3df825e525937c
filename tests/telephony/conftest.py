"""A real Asterisk for the tests of this room: own directory, own free ports, stopped by its pid."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kentongan.settings import load
from telephony.fetch import find

FOUND = find(load().asterisk_root)
assert FOUND, "no Asterisk of version 22.10.1 or newer is here: .venv/bin/kentongan asterisk fetch"
MODULES = """
res_timing_timerfd res_crypto res_sorcery_config res_sorcery_memory res_sorcery_astdb
res_sorcery_memory_cache res_http_websocket res_websocket_client res_stasis res_stasis_answer
res_stasis_playback res_stasis_recording res_stasis_snoop res_stasis_device_state res_stasis_broadcast
app_stasis app_stasis_broadcast res_ari_model res_ari res_ari_applications res_ari_asterisk res_ari_bridges
res_ari_channels res_ari_device_states res_ari_endpoints res_ari_events res_ari_playbacks res_pjproject
res_pjsip res_pjsip_session res_pjsip_pubsub res_pjsip_acl res_pjsip_authenticator_digest
res_pjsip_endpoint_identifier_ip res_pjsip_endpoint_identifier_user res_pjsip_registrar res_pjsip_sdp_rtp
res_rtp_asterisk chan_pjsip codec_alaw codec_ulaw codec_a_mu codec_resample format_pcm format_sln bridge_simple
bridge_softmix bridge_native_rtp bridge_builtin_features res_musiconhold pbx_config app_playback app_dial
app_stack app_exec app_verbose app_echo app_db func_db func_callerid func_channel func_strings func_logic
func_devstate app_queue res_speech res_agi res_manager_devicestate res_clioriginate
"""
EMPTY = ("acl", "ccss", "cdr", "cel", "features", "indications", "udptl", "websocket_client",
         "queues", "queuerules")


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """A port on loopback that nobody uses now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Asterisk:
    """One Asterisk, to be started, frozen, thawed, killed. ARI and AMI user: kt, password: secret."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.http, self.ami, self.agi = free_port(), free_port(), free_port()
        self.sip = free_port(socket.SOCK_DGRAM)
        self.ari_url = f"http://127.0.0.1:{self.http}/ari"
        self.silence = home / "silence"             # two seconds
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("etc", "lib/keys", "log", "run", "spool", "music"):
            (home / name).mkdir(parents=True)
        self.silence.with_suffix(".alaw").write_bytes(b"\xd5" * 16000)
        (home / "music/hold.alaw").write_bytes(b"\xd5" * 16000)
        for name, text in self._configuration().items():
            (home / "etc" / f"{name}.conf").write_text(text)

    def _configuration(self) -> dict[str, str]:
        directories = {
            "astetcdir": self.home / "etc", "astmoddir": FOUND.modules,
            "astvarlibdir": self.home / "lib", "astdbdir": self.home / "lib", "astkeydir": self.home / "lib",
            "astdatadir": FOUND.data, "astagidir": self.home / "lib",
            "astspooldir": self.home / "spool", "astrundir": self.home / "run",
            "astlogdir": self.home / "log",
        }
        ports = {"@HTTP@": self.http, "@AMI@": self.ami, "@AGI@": self.agi, "@SIP@": self.sip}
        texts = dict.fromkeys(EMPTY, "") | {
            "asterisk": "[directories]\n" + "".join(f"{key} => {at}\n" for key, at in directories.items()),
            "modules": "[modules]\nautoload=no\n" + "".join(f"load={name}.so\n" for name in MODULES.split()),
            "logger": "[logfiles]\nmessages => notice,warning,error\n",
            "http": "[general]\nenabled=yes\nbindaddr=127.0.0.1\nbindport=@HTTP@\nsessionlimit=100\n",
            "ari": "[general]\nenabled=yes\n[kt]\ntype=user\npassword=secret\n",
            "manager": MANAGER,
            "musiconhold": f"[general]\n[kentongan]\nmode=files\ndirectory={self.home / 'music'}\n",
            "pjproject": "[startup]\ntype=startup\n[log_mappings]\ntype=log_mappings\n",
            "pjsip": PJSIP,
            "extensions": EXTENSIONS,
        }
        for name in texts:
            for mark, port in ports.items():
                texts[name] = texts[name].replace(mark, str(port))
        return texts

    def _command(self) -> list[str]:
        return [*FOUND.loader, "-C", str(self.home / "etc/asterisk.conf")]

    def start(self) -> None:
        """Returns when it is fully booted."""
        with (self.home / "out.log").open("wb") as output:
            self._process = subprocess.Popen(
                [*self._command(), "-f", "-n"], stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        while "fully booted" not in self.cli("core waitfullybooted"):
            assert self._process.poll() is None, (self.home / "out.log").read_text()

    def cli(self, command: str) -> str:
        """Asterisk's console."""
        done = subprocess.run(
            [*self._command(), "-rx", command], capture_output=True, text=True, timeout=20, check=False
        )
        return done.stdout + done.stderr

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def freeze(self) -> None:
        """Returns when no thread of it runs any more."""
        self._signal(signal.SIGSTOP)
        assert self._process is not None
        os.waitpid(self._process.pid, os.WUNTRACED)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """As if the power had failed."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


EXTENSIONS = """
[entry]
exten => 112,1,NoOp()
 same => n,StasisBroadcast(800,^kentongan,trunk)
 same => n,Goto(wayout,s,1)
exten => slow,1,StasisBroadcast(5000,^kentongan,trunk)

[wayout]
exten => s,1,Set(CHANNEL(hangup_handler_push)=ended,s,1)
 same => n,Set(CALLERID(num)=0800555001)
 same => n,Set(KT_ARRIVED=1763800000.25)
 same => n,Set(KT_WAYOUT=handed back)
 same => n,Dial(Local/s@far,5,gS(1))
exten => nobody,1,Set(CHANNEL(hangup_handler_push)=ended,s,1)
 same => n,Hangup()

[ended]
exten => s,1,AGI(agi://127.0.0.1:@AGI@/wayout)
 same => n,Set(DB(kentongan/ended)=${UNIQUEID})
 same => n,Return()

[far]
exten => s,1,Answer()
 same => n,Echo()
"""

MANAGER = """
[general]
enabled=yes
bindaddr=127.0.0.1
port=@AMI@
[kt]
secret=secret
deny=0.0.0.0/0.0.0.0
permit=127.0.0.1/255.255.255.255
read=call,system
write=call,system,agent
eventfilter(action(include),name(FullyBooted))=
eventfilter(action(include),name(DeviceStateChange),header(Device),method(starts_with))=PJSIP/
"""

PJSIP = """
[udp]
type=transport
protocol=udp
bind=127.0.0.1:@SIP@
[op01]
type=endpoint
context=far
disallow=all
allow=alaw
auth=op01
aors=op01
[op01]
type=auth
auth_type=userpass
username=op01
password=op01
[op01]
type=aor
max_contacts=1
remove_existing=yes
[op02]
type=endpoint
context=far
aors=op02
[op02]
type=aor
max_contacts=1
remove_existing=yes
"""


def _made() -> Iterator[Asterisk]:
    home = Path(tempfile.mkdtemp(prefix="kt"))      # short: the console's socket has a path of 108 characters
    try:
        asterisk = Asterisk(home)
        try:
            asterisk.start()
            yield asterisk
        finally:
            asterisk.kill()
    finally:
        shutil.rmtree(home)


@pytest.fixture(scope="module")
def asterisk() -> Iterator[Asterisk]:
    """One for all tests of a file, which leave it as they found it."""
    yield from _made()


@pytest.fixture
def own_asterisk() -> Iterator[Asterisk]:
    """One for this test alone, which may kill it."""
    yield from _made()
