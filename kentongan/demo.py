"""The porch: `make demo`: one caller dials 112, and the whole story is told with its proof.

Nothing is rehearsed behind the scenes: the service runs as `kentongan run` starts it, the caller and the operator are
real SIP phones, the operator's clicks go through the doors like any desk's, the agency checks a signature.
"""
import asyncio
import json
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
from pydub import AudioSegment

from ivr import sound
from kentongan.agency import Receipt, Receiver, receiving
from kentongan.ground import lay, phones
from kentongan.settings import Settings, load, own_asterisk, secrets_of
from kentongan.sipp import Key, dial, phone_registers

CALLER = "0800555112"
CALLER_SAYS = ("Tolong, ada kebakaran. Rumah tetangga saya terbakar, di Jalan Kentongan nomor lima, Desa Sukamaju. "
               "Apinya sudah sampai ke atap.")
OPERATOR_SAYS = "Seratus dua belas, selamat siang. Tenang, Ibu. Di mana kebakarannya? Baik, pemadam segera kami hubungi."
PLACE = "Jalan Kentongan 5, Desa Sukamaju"
NARRATIVE = "Rumah terbakar, api sudah sampai atap, tetangga yang melapor."
EVIDENCE = "Alamat diulang pelapor, suara api terdengar, tidak ada riwayat laporan palsu."
#: A voice is there if its channel is louder than this during the talk (dBFS).
AUDIBLE = -45.0
PATIENCE = 20.0
PORTS = ("sip_port", "http_port", "ari_port", "ami_port", "agi_port")


async def tell(settings: Settings, keep: bool) -> int:
    """Play the story; returns the exit status, 0 only if all of its proof is there."""
    began = time.monotonic()
    settings = _own_place(settings)
    async with AsyncExitStack() as stack:
        if not keep:
            stack.callback(shutil.rmtree, settings.data, ignore_errors=True)
        service = await stack.enter_async_context(_service(settings, keep))
        agency = await stack.enter_async_context(receiving("Regu jaga Damkar"))
        doors = await stack.enter_async_context(_doors(settings))
        print(f"  {_since(began)} the service answers on {settings.host}:{settings.sip_port}/udp (pid {service})")
        receipt, talk = await _story(settings, doors, agency, lambda line: print(f"  {_since(began)} {line}", flush=True))
        good = await _proof(settings, doors, talk, receipt)
        if keep:
            print(f"\nLeft running (guard pid {service}). Doors: {settings.public_url}   Stop it: kill {service}; "
                  f"{_environment(settings)} .venv/bin/kentongan asterisk stop")
            print(f"Phones: {_environment(settings)} .venv/bin/kentongan phones")
    print(f"\n{'Everything is there.' if good else 'SOMETHING IS MISSING (see above).'} {_since(began).strip()} in all.")
    return 0 if good else 1


# --- the story


async def _story(settings: Settings, doors: "Doors", agency: Receiver, say: Callable[[str], None]) -> tuple[Receipt, str]:
    registrar = (settings.host, settings.sip_port)
    operator = next(row for row in phones(settings, await lay(settings)) if row["on_shift"] and "fire" in row["skills"])
    voices = settings.data / "voices"
    caller_voice, operator_voice = await asyncio.to_thread(_voices, voices)
    made = await doors.put("/api/agencies/damkar", name="Pemadam Kebakaran", url=agency.url, topics=["fire"])
    agency.secret = made["secret"]
    async with phone_registers(operator["user"], operator["password"], at=registrar, voice=operator_voice,
                               answers_after=7.0, talks_for=9.0) as phone:
        await doors.until(f"{operator['user']} is ready", _is_ready, "/api/operators", operator["user"])
        say(f"{operator['user']} ({operator['name']}) has logged in: the phone is registered")
        async with dial("112", to=registrar, number=CALLER, voice=caller_voice, keys=[Key(5.0, "1")]) as caller:
            say("a caller dials 112")
            await caller.answered()
            say("answered: greeting and menu; the caller will press 1 (fire)")
            await phone.rang()
            say(f"the phone of {operator['user']} rings; the caller hears their place in the queue and music")
            await phone.picked_up()
            say("the operator answers; they talk")
            ended = await caller.ended()
            say(f"hung up by the {'operator' if ended.by == 'callee' else 'caller'}; wrap-up")
    call_id = (await doors.get("/api/calls?limit=1"))["calls"][0]["id"]
    call = await doors.until("the call's end", lambda call: call["ended_at"], f"/api/calls/{call_id}")
    by = operator["user"]
    await doors.post(f"/api/calls/{call_id}/disposition", disposition="real", by=by)
    ticket = call["tickets"][0]
    path = f"/api/tickets/{ticket['id']}"
    ticket = await doors.patch(path, version=ticket["version"], by=by, category="house fire", place=PLACE, narrative=NARRATIVE)
    ticket = await doors.post(f"{path}/verification", version=ticket["version"], by=by, result="checking")
    ticket = await doors.post(f"{path}/verification", version=ticket["version"], by=by, result="a1", evidence=EVIDENCE)
    say(f"ticket {ticket['number']}: filled, verified, A1")
    await doors.post(f"{path}/forward", version=ticket["version"], by=by, agencies=["damkar"])
    say("forwarded to the fire brigade")
    async with asyncio.timeout(PATIENCE):
        receipt = await agency.receipts.get()
    say("the fire brigade checked the signature and acknowledged by its link")
    return receipt, call_id


def _is_ready(answer: dict[str, Any], name: str) -> bool:
    return any(row["name"] == name and row["why_not_free"] is None for row in answer["operators"])


def _voices(folder: Path) -> tuple[Path, Path]:
    """What caller and operator say, as WAV: each waits before speaking, so that both are heard in the talk."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name, voice, text, quiet_before in (("caller", "id", CALLER_SAYS, 13_000), ("operator", "id+f3", OPERATOR_SAYS, 400)):
        speech = sound.spoken(text, voice, 170).set_frame_rate(8000).set_channels(1).set_sample_width(2)
        speech = speech.apply_gain(-20.0 - speech.dBFS)
        path = folder / f"{name}.wav"
        (AudioSegment.silent(quiet_before, 8000) + speech + AudioSegment.silent(1000, 8000)).export(path, format="wav")
        made.append(path)
    return made[0], made[1]


# --- the proof


async def _proof(settings: Settings, doors: "Doors", call_id: str, receipt: Receipt) -> bool:
    """Print the timeline and everything that exists now; whether all of it is as it should be."""
    call = await doors.until("the recording's archive", lambda call: all(
        recording["state"] not in ("recording", "waiting") for recording in call["recordings"]), f"/api/calls/{call_id}")
    ticket = await doors.get(f"/api/tickets/{call['tickets'][0]['id']}")
    arrived, talking, ended = (datetime.fromisoformat(call[name]) for name in ("arrived_at", "talking_at", "ended_at"))
    forwarding, recording = ticket["forwardings"][0], call["recordings"][0]

    print("\nTimeline (ms since the call reached the trunk)")
    moments = [(note["at"], f"call     {note['kind']}", _facts(note["facts"])) for note in call["notes"]]
    moments += [(step["at"], f"ticket   {step['what']}", f"{step['before'] or '-'} → {step['after'] or '-'} ({step['who']})")
                for step in ticket["history"]]
    for at, what, facts in sorted(moments):
        print(f"  {(datetime.fromisoformat(at) - arrived).total_seconds() * 1000:9.0f}  {what:<24} {facts}")

    archive = settings.data / "recordings" / (recording["archive_name"] or "-")
    levels = await asyncio.to_thread(_levels, archive, (talking - arrived).total_seconds(), (ended - arrived).total_seconds())
    expected = (ended - datetime.fromisoformat(call["answered_at"])).total_seconds()
    stages = [note["kind"] for note in call["notes"]]
    print("\nWhat exists now")
    return all([
        _is("call", f"{call['id']} from {call['caller_number']}: {call['outcome']}, {call['disposition']}, answered by "
            f"{call['operator']} after {(talking - arrived).total_seconds():.1f} s",
            call["outcome"] == "answered" and call["disposition"] == "real"),
        _is("journal", f"{len(stages)} notes",
            [stage for stage in stages if stage in _WAY] == list(_WAY)),
        _is("ticket", f"{ticket['number']}: {ticket['topic']}, {ticket['place']}; {ticket['verification']}, {ticket['lifecycle']}",
            ticket["verification"] == "a1" and ticket["lifecycle"] == "accepted"),
        _is("recording", f"{archive.name}: {recording['duration_for'] or 0:.1f} s of {expected:.1f} s, sha256 "
            f"{(recording['sha256'] or '-')[:16]}…", recording["state"] == "archived" and abs(recording["duration_for"] - expected) < 1.0),
        _is("caller's voice", f"{levels[0]:.1f} dBFS in the talk (left)", levels[0] > AUDIBLE),
        _is("operator's voice", f"{levels[1]:.1f} dBFS in the talk (right)", levels[1] > AUDIBLE),
        _is("forwarding", f"{receipt.payload['ticket']} received by the agency, signature good, webhook-id {receipt.key}",
            receipt.payload["ticket"] == ticket["number"]),
        _is("acknowledgement", f"accepted by {forwarding['accepted_by']} at {forwarding['accepted_at']}",
            receipt.acknowledged and forwarding["state"] == "accepted"),
    ])


_WAY = ("arrived", "menu", "queued", "offered", "talking", "ended")


def _is(what: str, says: str, good: bool) -> bool:
    print(f"  {'✓' if good else '✗'} {what:<17} {says}")
    return good


def _facts(facts: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items() if name not in ("arrived_at", "number") and value != "")


def _levels(archive: Path, start: float, end: float) -> tuple[float, float]:
    """dBFS of the caller's and the others' channel between two moments of the recording, seconds."""
    if not archive.exists():
        return float("-inf"), float("-inf")
    caller, others = AudioSegment.from_file(archive)[round(start * 1000):round(end * 1000)].split_to_mono()
    return caller.dBFS, others.dBFS


# --- the stage


def _own_place(settings: Settings) -> Settings:
    """A folder of the demo's own, begun anew, and ports that are free: it plays beside a service that runs."""
    data = settings.data / "demo"
    shutil.rmtree(data, ignore_errors=True)
    if (built := settings.data / "prompts").exists():           # as `make setup` has built them
        shutil.copytree(built, data / "prompts")
    taken = {name: _free_port() for name in PORTS if not _is_free(settings.host, getattr(settings, name))}
    for name, port in taken.items():
        print(f"  port {getattr(settings, name)} is taken; {name} is {port} for the demo")
    values = {name: getattr(settings, name) for name in PORTS} | taken
    return load(data=data, asterisk_root=settings.asterisk_root, **values)


def _is_free(host: str, port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind is socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment(settings: Settings) -> str:
    names = ("data", *PORTS)
    return " ".join(f"KENTONGAN_{name.upper()}={getattr(settings, name)}" for name in names)


@asynccontextmanager
async def _service(settings: Settings, keep: bool) -> AsyncIterator[int]:
    """`kentongan run` in a process of its own; ended with its Asterisk after the body, unless it is to stay."""
    settings.data.mkdir(parents=True, exist_ok=True)
    log_file = settings.data / "service.log"
    environment = os.environ | dict(pair.split("=", 1) for pair in _environment(settings).split(" "))
    with log_file.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "kentongan.cli", "run", env=environment, stdin=asyncio.subprocess.DEVNULL,
            stdout=output, stderr=output, start_new_session=True)
    finished = False
    try:
        await _until_healthy(settings, process, log_file)
        yield process.pid
        finished = True
    finally:
        if not (keep and finished):
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                await process.wait()
            own_asterisk(settings, secrets_of(settings, [])).stop()


async def _until_healthy(settings: Settings, process: asyncio.subprocess.Process, log_file: Path) -> None:
    print("  starting: prompts, database, Asterisk, service …", flush=True)
    async with asyncio.timeout(90), aiohttp.ClientSession() as http:
        while process.returncode is None:
            try:
                async with http.get(f"{settings.public_url}/healthz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    raise RuntimeError(f"the service did not start:\n{log_file.read_text()[-2000:]}")


@asynccontextmanager
async def _doors(settings: Settings) -> AsyncIterator["Doors"]:
    token = secrets_of(settings, []).api
    async with aiohttp.ClientSession(settings.public_url, headers={"Authorization": f"Bearer {token}"}) as http:
        yield Doors(http)


class Doors:
    """The service's API, as a desk would use it."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    async def get(self, path: str) -> Any:
        return await self._ask("GET", path)

    async def post(self, path: str, **values: Any) -> Any:
        return await self._ask("POST", path, values)

    async def put(self, path: str, **values: Any) -> Any:
        return await self._ask("PUT", path, values)

    async def patch(self, path: str, **values: Any) -> Any:
        return await self._ask("PATCH", path, values)

    async def until(self, what: str, is_so: Callable[..., Any], path: str, *given: Any) -> Any:
        """The answer at `path` once it is as it should be."""
        async with asyncio.timeout(PATIENCE):
            while not is_so(answer := await self.get(path), *given):
                await asyncio.sleep(0.1)
            return answer

    async def _ask(self, method: str, path: str, values: dict[str, Any] | None = None) -> Any:
        async with self._http.request(method, path, json=values) as answer:
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path} {json.dumps(values)}: {answer.status} {await answer.text()}")
            return await answer.json()


def _since(began: float) -> str:
    return f"{time.monotonic() - began:7.3f} s"
