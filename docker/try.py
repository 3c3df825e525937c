#!/usr/bin/env python3
"""The containers, tried for real: builds them, calls 112 through them, restarts the service under a call, takes all
down and up again, and looks whether everything is still there. Prints what it saw; exit status 0 only if all was right.

    .venv/bin/python docker/try.py                  base and PostgreSQL from the registry
    .venv/bin/python docker/try.py --from-packages  both made here from Debian's packages (no registry needed)
    … --keep                                        leaves everything running

It has a compose project and ports of its own, so that it plays beside a service that runs.
"""
import asyncio
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
from pydub import AudioSegment

from kentongan.sipp import Key, PhoneCall, Tone, dial, phone_registers
from kentongan.stage import PORTS, Doors, free_ports

HERE = Path(__file__).parent
HOST = "127.0.0.1"
#: Audio is there if a tenth of a second of it is louder than this (of 32768).
AUDIBLE = 500
STEPS: list[bool] = []
BEGAN = time.monotonic()


def say(text: str) -> None:
    print(f"[{time.monotonic() - BEGAN:6.1f} s] {text}", flush=True)


def seen(what: str, good: bool, says: object = "") -> None:
    STEPS.append(good)
    say(f"{'✓' if good else '✗'} {what}{f': {says}' if says != '' else ''}")


@contextmanager
def timed(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    say(f"  {what}: {time.monotonic() - began:.1f} s")


def run(*command: str | Path) -> str:
    """What it prints; on failure its words are told and the trial is over."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        words = " ".join(map(str, command))
        raise SystemExit(f"{words}: status {done.returncode}\n{(done.stdout + done.stderr)[-4000:]}")
    return done.stdout


def compose(*words: str) -> str:
    return run("docker", "compose", "-f", HERE / "compose.yaml", *words)


async def composing(*words: str) -> str:
    """The same beside a call that goes on."""
    return await asyncio.to_thread(compose, *words)


def inside(service: str, *command: str) -> str:
    return compose("exec", "-T", service, *command)


# --- building


def build(from_packages: bool) -> None:
    say(f"Docker {run('docker', 'version', '--format', '{{.Server.Version}}').strip()}, "
        f"Compose {run('docker', 'compose', 'version', '--short').strip()}")
    if from_packages:
        base, postgres = "kentongan-base:bookworm", "kentongan-postgres"
        if not run("docker", "images", "-q", base):
            with timed("base image from Debian's packages"):
                run(HERE / "base", base)
        with timed("PostgreSQL from Debian's packages"):
            run("docker", "build", "-q", "-f", HERE / "postgres/Dockerfile", "--build-arg", f"BASE={base}",
                "-t", postgres, HERE.parent)
        os.environ |= {"KENTONGAN_BASE_IMAGE": base, "KENTONGAN_POSTGRES_IMAGE": postgres}
    for name in ("asterisk", "service"):
        with timed(f"image of {name}"):
            compose("build", "-q", name)
    for name in sorted(set(compose("config", "--images").split())):
        size = run("docker", "image", "inspect", "--format", "{{.Size}}", name)
        say(f"  {name}: {int(size) / 1e6:.0f} MB")


# --- what must hold


def nobody_is_root() -> None:
    for name in ("postgres", "asterisk", "service"):
        uid = inside(name, "id", "-u").strip()
        status = inside(name, "cat", "/proc/1/status").splitlines()
        facts = dict(line.split(":\t", 1) for line in status if ":\t" in line)
        writable = subprocess.run(
            ["docker", "compose", "-f", str(HERE / "compose.yaml"), "exec", "-T", name, "touch", "/usr/written"],
            capture_output=True).returncode == 0
        seen(f"{name} is nobody special", "0" not in (uid, facts["Uid"].split("\t")[0]) and not writable
             and int(facts["CapBnd"], 16) == 0 and facts["NoNewPrivs"] == "1",
             f"uid {uid}, capabilities {int(facts['CapBnd'], 16):x}, system {'writable' if writable else 'read-only'}")


def processes() -> dict[str, str]:
    """Each container's id and moment of start: another pair is another Asterisk."""
    return {name: run("docker", "inspect", "--format", "{{.Id}} {{.State.StartedAt}}",
                      compose("ps", "-q", name).strip())
            for name in ("postgres", "asterisk", "service")}


async def until_healthy() -> None:
    async with asyncio.timeout(90), aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(f"{_doors()}/healthz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)


def _doors() -> str:
    return f"http://{HOST}:{os.environ['KENTONGAN_HTTP_PORT']}"


def operators() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(inside("service", "kentongan", "phones", "--json"))
    return [row for row in rows if row["on_shift"]]


def token() -> str:
    lines = inside("service", "cat", "/data/secrets.toml").splitlines()
    return next(line.split('"')[1] for line in lines if line.startswith("api = "))


async def newest(doors: Doors) -> dict[str, Any]:
    """The newest call, once its recording is in the archive."""
    call_id = (await doors.get("/api/calls?limit=1"))["items"][0]["id"]
    call: dict[str, Any] = await doors.until(
        "the archive", lambda call: call["ended_at"] and all(one["state"] == "archived" for one in call["recordings"]),
        f"/api/calls/{call_id}")
    return call


def archive_of(call: dict[str, Any]) -> bytes:
    """Its recording, out of the volume."""
    with tempfile.TemporaryDirectory() as room:
        compose("cp", f"service:/data/recordings/{call['recordings'][0]['archive_name']}", f"{room}/call.ogg")
        return Path(f"{room}/call.ogg").read_bytes()


def quiet_for(sound: bytes, lasted_for: float) -> float:
    """Seconds of the longest stretch of whole tenths of a second (16 bit, 8 kHz) without a tone; what is missing at the
    end of `lasted_for` seconds is silence, too."""
    longest = now = 0
    sound += bytes(max(0, int(lasted_for * 8000) - len(sound) // 2) * 2)
    for tenth in AudioSegment(sound, sample_width=2, frame_rate=8000, channels=1)[::100]:
        now = now + 1 if tenth.rms < AUDIBLE else 0
        longest = max(longest, now)
    return longest / 10


# --- the calls


async def a_call(doors: Doors, operator: dict[str, Any]) -> dict[str, Any]:
    sip = (HOST, int(os.environ["KENTONGAN_SIP_PORT"]))
    async with phone_registers(
        operator["user"], operator["password"], at=sip, voice=Tone(1000), talks_for=5.0
    ) as phone:
        await doors.until("ready", _is_ready, "/api/operators", operator["user"])
        async with dial("112", to=sip, number="0800555112", voice=Tone(440), keys=[Key(3.0, "1")]) as caller:
            await caller.answered()
            await phone.picked_up()
            ended = await caller.ended()
    call = await newest(doors)
    ticket = call["tickets"][0]
    seen("a call is answered", call["outcome"] == "answered" and ended.by == "callee",
         f"{call['id']}, {call['operator']}")
    seen("it has a ticket", bool(ticket["number"]), ticket["number"])
    recording = call["recordings"][0]
    with tempfile.NamedTemporaryFile(suffix=".ogg") as file:
        file.write(archive_of(call))
        file.flush()
        caller_side, others = AudioSegment.from_file(file.name)[-4000:-1000].split_to_mono()
    seen("both voices are in its recording", min(caller_side.dBFS, others.dBFS) > -45,
         f"{recording['duration_for']:.1f} s, caller {caller_side.dBFS:.0f} dBFS, operator {others.dBFS:.0f} dBFS")
    return call


async def a_call_that_outlives_the_service(doors: Doors, operator: dict[str, Any]) -> dict[str, Any]:
    sip = (HOST, int(os.environ["KENTONGAN_SIP_PORT"]))
    before = processes()
    async with phone_registers(operator["user"], operator["password"], at=sip, voice=Tone(1000)) as phone:
        await doors.until("ready", _is_ready, "/api/operators", operator["user"])
        async with dial("112", to=sip, number="0800555113", voice=Tone(440), keys=[Key(3.0, "1")]) as caller:
            await caller.answered()
            handset: PhoneCall = await phone.picked_up()
            await asyncio.sleep(2)
            operator_had, caller_had, began = len(handset.heard()), len(caller.heard()), time.monotonic()
            with timed("docker compose restart service, until healthy"):
                await composing("restart", "service")
                await until_healthy()
            # Everything inside dies at once, as if the machine had no memory left; Docker's policy starts it again.
            with timed("service killed, until healthy"):
                with suppress(SystemExit):      # who says it dies, too
                    await composing("exec", "-T", "service", "python3", "-c", "import os; os.kill(-1, 9)")
                await asyncio.sleep(1)
                await until_healthy()
            await asyncio.sleep(2)
            lasted_for = time.monotonic() - began
            quiet = (quiet_for(handset.heard()[operator_had:], lasted_for),
                     quiet_for(caller.heard()[caller_had:], lasted_for))
            seen("service restarted and killed under a call: they talk on", max(quiet) <= 0.2,
                 f"longest silence in {lasted_for:.1f} s: operator {quiet[0]:.1f} s, caller {quiet[1]:.1f} s")
            ended = await handset.hangs_up()
    after = processes()
    same = {name for name in before if before[name] == after[name]}
    seen("Asterisk and PostgreSQL were left alone", same == {"asterisk", "postgres"})
    call = await newest(doors)
    records = len((await doors.get("/api/calls"))["items"])
    channels = inside("asterisk", "asterisk", "-rx", "core show channels count").split()[0]
    seen("the call is whole",
         call["outcome"] == "answered" and ended.by == "callee" and (records, channels) == (2, "0"),
         f"{call['id']}, {records} records of 2 calls, recording {call['recordings'][0]['duration_for']:.1f} s, "
         f"{channels} channels left")
    return call


async def a_call_with_asterisk_alone(operator: dict[str, Any]) -> None:
    """As after a power cut from which neither database nor service has come back."""
    compose("stop", "service", "postgres")
    compose("restart", "asterisk")
    compose("up", "-d", "--no-deps", "--wait", "asterisk")
    sip = (HOST, int(os.environ["KENTONGAN_SIP_PORT"]))
    async with (
        phone_registers(operator["user"], operator["password"], at=sip, voice=Tone(1000)) as phone,
        dial("112", to=sip, number="0800555114", voice=Tone(440)) as caller, asyncio.timeout(60),
    ):
        handset = await phone.picked_up()
        await asyncio.sleep(2)
        quiet = quiet_for(handset.heard(), 2.0)
        await handset.hangs_up()
        await caller.ended()
    seen("Asterisk alone lets a caller and an operator talk", quiet < 1, f"silence {quiet:.1f} of 2 s")


def _is_ready(answer: Any, name: str) -> bool:
    return any(row["name"] == name and row["why_not_free"] is None for row in answer["items"])


# --- the trial


async def trial(keep: bool) -> None:
    with timed("up, until all are healthy"):
        compose("up", "-d", "--wait")
    nobody_is_root()
    on_shift, bearer = operators(), token()
    async with aiohttp.ClientSession(_doors(), headers={"Authorization": f"Bearer {bearer}"}) as http:
        doors = Doors(http)
        first = await a_call(doors, on_shift[0])
        second = await a_call_that_outlives_the_service(doors, on_shift[-1])
        say("memory\n" + run("docker", "stats", "--no-stream", "--format", "           {{.Name}}: {{.MemUsage}}",
                             *compose("ps", "-q").split()).rstrip())
        before = {call["id"]: hashlib.sha256(archive_of(call)).hexdigest() for call in (first, second)}
        with timed("down"):
            compose("down")
        with timed("up again"):
            compose("up", "-d", "--wait")
        same = {row["user"]: row["password"] for row in on_shift}.items() <= {
            row["user"]: row["password"] for row in operators()}.items()
        seen("passwords and tokens are the same", same and token() == bearer)
        for call in (first, second):
            again = await doors.get(f"/api/calls/{call['id']}")
            ticket = await doors.get(f"/api/tickets/{call['tickets'][0]['id']}")
            seen(f"call {call['id']} is still there", again["notes"] == call["notes"]
                 and ticket["number"] == call["tickets"][0]["number"]
                 and hashlib.sha256(archive_of(call)).hexdigest() == before[call["id"]],
                 f"its {len(again['notes'])} notes, ticket {ticket['number']}, recording {before[call['id']][:12]}…")
        await a_call(doors, operators()[0])
        await a_call_with_asterisk_alone(on_shift[0])
        with timed("up once more"):
            compose("up", "-d", "--wait")
        last = await newest(doors)
        seen("that call is on record, too", last["id"] not in before and len(
            (await doors.get("/api/calls"))["items"]) == 4, f"{last['id']}, {last['outcome']}")
    if keep:
        say(f"left running: COMPOSE_PROJECT_NAME={os.environ['COMPOSE_PROJECT_NAME']}, doors {_doors()}")


def main(words: list[str]) -> int:
    if not set(words) <= {"--from-packages", "--keep"}:
        print(__doc__, file=sys.stderr)
        return 2
    ports = free_ports()
    os.environ |= {f"KENTONGAN_{name.upper()}": str(ports[name]) for name in PORTS}
    os.environ |= {"COMPOSE_PROJECT_NAME": "kentongan-try", "KENTONGAN_HOST": HOST, "KENTONGAN_TRUNKS": '["127.0.0.1"]'}
    build("--from-packages" in words)
    compose("down", "-v", "--remove-orphans")
    try:
        asyncio.run(trial("--keep" in words))
    except BaseException:
        STEPS.append(False)
        print(compose("ps", "-a") + compose("logs", "--tail", "60", "asterisk", "service"))
        raise
    finally:
        if "--keep" not in words:
            compose("down", "-v")
    good = all(STEPS)
    say(f"{sum(STEPS)} of {len(STEPS)} as they should be" + ("" if good else ": SOMETHING IS WRONG (see above)"))
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
