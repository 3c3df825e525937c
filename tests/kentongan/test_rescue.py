"""Whom the guard sends the way out, against an exchange that answers as Asterisk does, or as a broken one."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kentongan.guard import BACK_WITHIN, Absence
from kentongan.rescue import Exchange

#: rung by the service through the trunk for somebody who has hung up since
OUTSIDE = "1795370341.9-outside-psc119-0badcafe"
WAITING, TALKING, PHONE, ELSEWHERE = "1795370342.0", "1795370343.1", "1795370342.0-op01-0badcafe", "1795370344.2"


def channel(name: str, app: str = "StasisBroadcast", context: str = "kentongan-trunk") -> dict[str, Any]:
    return {"id": name, "dialplan": {"app_name": app, "context": context}}


class Ari(BaseHTTPRequestHandler):
    """Two who wait in our hands and talk, a phone that rings, a line outside, and somebody on the way out already."""

    refuses: tuple[str, ...] = ()
    rubbish: bytes = b""
    asked: list[str]

    def _answer(self, value: object = None) -> None:
        type(self).asked.append(f"{self.command} {self.path.split('?')[0]}")
        if self.rubbish:
            self.wfile.write(self.rubbish)
            return
        body = json.dumps(value).encode()
        self.send_response(404 if any(part in self.path for part in self.refuses) else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        channels = [channel(WAITING), channel(TALKING), channel(OUTSIDE, "Stasis"), channel(PHONE, "", "default"),
                    channel(ELSEWHERE, "Dial", "kentongan-wayout")]  # fmt: skip
        bridges = [{"id": "b", "channels": [TALKING, "phone"]}, {"id": "c", "channels": []}]
        self._answer({"/ari/channels": channels, "/ari/bridges": bridges}[self.path])

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: numbers could be in it."""


@pytest.fixture
def ari() -> Iterator[tuple[type[Ari], str]]:
    handler = type("Handler", (Ari,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_port}/ari"
    server.shutdown()
    thread.join()
    server.server_close()


def exchange(url: str, folder: Path, told: Path | None = None) -> Exchange:
    (folder / "secrets.toml").write_text('ari = "a password"\n')
    return Exchange(url, folder / "secrets.toml", told or folder / "rescued")


def test_who_waits_is_sent_and_written_down_who_talks_is_left_alone(ari: Any, tmp_path: Path) -> None:
    handler, url = ari
    assert exchange(url, tmp_path).rescue() == 1
    assert handler.asked[2:] == [f"POST /ari/channels/{WAITING}/continue", f"DELETE /ari/channels/{PHONE}"]
    assert (tmp_path / "rescued").read_text().split() == [WAITING]


def test_who_has_just_hung_up_is_not_counted(ari: Any, tmp_path: Path) -> None:
    handler, url = ari
    handler.refuses = ("/continue",)
    assert exchange(url, tmp_path).rescue() == 0
    assert not (tmp_path / "rescued").exists()


def test_a_full_disk_keeps_nobody_waiting(ari: Any, tmp_path: Path) -> None:
    handler, url = ari
    assert exchange(url, tmp_path, told=Path("/dev/full")).rescue() == 1
    assert f"POST /ari/channels/{WAITING}/continue" in handler.asked


@pytest.mark.parametrize("rubbish", [b"rubbish\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[]", b""])
def test_whatever_asterisk_answers_the_guard_lives(ari: Any, tmp_path: Path, rubbish: bytes, capsys: Any) -> None:
    handler, url = ari
    handler.rubbish, handler.refuses = rubbish, ("/channels",)
    absence = Absence(exchange(url, tmp_path).rescue)
    absence._since -= BACK_WITHIN + 1
    absence.goes_on()
    assert "could not be sent the way out" in capsys.readouterr().err


def test_before_the_first_start_there_is_nobody_to_rescue(tmp_path: Path, capsys: Any) -> None:
    absence = Absence(Exchange("http://127.0.0.1:1/ari", tmp_path / "none.toml", tmp_path / "rescued").rescue)
    absence._since -= BACK_WITHIN + 1
    absence.goes_on()
    assert "FileNotFoundError" in capsys.readouterr().err
