"""The porch: when no service comes back, the guard sends those who wait the dialplan's way out, so that phones ring.

Asked of Asterisk itself over ARI, with the standard library alone: whatever keeps the service from starting (the
database away, a broken upgrade) must not keep the guard from this. Whoever talks is left alone.
"""
import base64
import http.client
import json
import re
import tomllib
import urllib.parse
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WAY_OUT = "kentongan-wayout"
#: seconds for one request; Asterisk is on this host
PATIENCE = 2.0
#: The ids of channels that the service rang: calls/adopt.py
_RUNG = re.compile(r".+-.+-[0-9a-f]{8}")


@dataclass(frozen=True)
class Exchange:
    """Where Asterisk's ARI listens, and the file that holds its password (none before the first start)."""

    url: str                #: "http://127.0.0.1:8113/ari"
    secrets: Path
    told: Path              #: where those who were sent are written down, a line each, for the service that is back

    def rescue(self) -> int:
        """How many waiting callers were sent the way out. Raises whatever goes wrong with asking who waits; after that
        nobody's trouble, and no full disk, keeps the others from being sent."""
        waiting, ringing = _astray(self._ask("GET", "/channels"), self._ask("GET", "/bridges"))
        sent = [channel for channel in waiting
                if self._tell("POST", f"/channels/{channel}/continue?context={WAY_OUT}&extension=s&priority=1")]
        for channel in ringing:
            self._tell("DELETE", f"/channels/{channel}")
        if sent:
            with suppress(OSError), self.told.open("a") as told:        # (then it is noted as an end that nobody saw)
                told.writelines(f"{channel}\n" for channel in sent)
        return len(sent)

    def _tell(self, method: str, path: str) -> bool:
        """Whether it was done; not, if the channel has just hung up or left by itself."""
        try:
            self._ask(method, path)
        except (OSError, ValueError, http.client.HTTPException):
            return False
        return True

    def _ask(self, method: str, path: str) -> Any:
        password = tomllib.loads(self.secrets.read_text())["ari"]
        request = urllib.request.Request(self.url + path, method=method)
        request.add_header("Authorization", "Basic " + base64.b64encode(f"kentongan:{password}".encode()).decode())
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read() or b"null")


def _astray(channels: list[dict[str, Any]], bridges: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Callers who are in our application's hands and talk to nobody, and the phones that are rung for them."""
    talking = {member for bridge in bridges if len(bridge["channels"]) > 1 for member in bridge["channels"]}
    waiting = [channel["id"] for channel in channels if channel["dialplan"]["app_name"].startswith("Stasis")
               and channel["dialplan"]["context"] == "kentongan-trunk" and channel["id"] not in talking
               and not _RUNG.fullmatch(channel["id"])]
    ringing = [channel["id"] for channel in channels if channel["id"] not in talking
               and any(channel["id"].startswith(f"{caller}-") for caller in waiting)]
    return [urllib.parse.quote(name) for name in waiting], [urllib.parse.quote(name) for name in ringing]
