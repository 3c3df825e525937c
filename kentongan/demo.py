"""The porch: `make demo`: one caller dials 112, and the whole story is told with its proof.

Nothing is rehearsed behind the scenes: the service runs as `kentongan run` starts it, the caller and the operator are
real SIP phones, the operator's clicks go through the doors like any desk's, the agency checks a signature.
"""
import asyncio
import shutil
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from pydub import AudioSegment

from ivr import sound
from kentongan.agency import Receipt, Receiver, receiving
from kentongan.ground import lay, phones
from kentongan.settings import Settings
from kentongan.sipp import Key, dial, phone_registers
from kentongan.stage import PATIENCE, Doors, doors_of, environment_of, own_place, service
from recordings.names import archive_names

CALLER = "0800555112"
CALLER_SAYS = ("Tolong, ada kebakaran. Rumah tetangga saya terbakar, di Jalan Kentongan nomor lima, Desa Sukamaju. "
               "Apinya sudah sampai ke atap.")
OPERATOR_SAYS = ("Seratus dua belas, selamat siang. Tenang, Ibu. Di mana kebakarannya? "
                 "Baik, pemadam segera kami hubungi.")
PLACE = "Jalan Kentongan 5, Desa Sukamaju"
NARRATIVE = "Rumah terbakar, api sudah sampai atap, tetangga yang melapor."
#: to what the category's script asks; these answers are the evidence that A1 rests on
ANSWERS = {"burning": "Rumah satu lantai, atap.", "trapped": "Tidak ada, semua sudah keluar."}
EVIDENCE = "Alamat diulang pelapor, suara api terdengar, tidak ada riwayat laporan palsu."
#: A voice is there if its channel is louder than this during the talk (dBFS).
AUDIBLE = -45.0


async def tell(settings: Settings, keep: bool) -> int:
    """Play the story; returns the exit status, 0 only if all of its proof is there."""
    began = time.monotonic()
    settings = own_place(settings)
    async with AsyncExitStack() as stack:
        if not keep:
            stack.callback(shutil.rmtree, settings.data, ignore_errors=True)
        guard = await stack.enter_async_context(service(settings, keep))
        agency = await stack.enter_async_context(receiving("Regu jaga Damkar"))
        doors = await stack.enter_async_context(doors_of(settings))
        print(f"  {_since(began)} the service answers on {settings.host}:{settings.sip_port}/udp (pid {guard})")
        receipt, talk = await _story(
            settings, doors, agency, lambda line: print(f"  {_since(began)} {line}", flush=True))
        good = await _proof(settings, doors, talk, receipt)
        if keep:
            print(f"\nLeft running (guard pid {guard}). Doors: {settings.public_url}\n"
                  f"Stop it: kill {guard}; {environment_of(settings)} .venv/bin/kentongan asterisk stop")
            print(f"Phones: {environment_of(settings)} .venv/bin/kentongan phones")
    verdict = "Everything is there." if good else "SOMETHING IS MISSING (see above)."
    print(f"\n{verdict} {_since(began).strip()} in all.")
    return 0 if good else 1


# --- the story


async def _story(
    settings: Settings, doors: Doors, agency: Receiver, say: Callable[[str], None]
) -> tuple[Receipt, str]:
    """The agency's receipt and the id of the call."""
    registrar = (settings.host, settings.sip_port)
    operator = next(row for row in phones(settings, await lay(settings)) if row["on_shift"] and "fire" in row["skills"])
    voices = settings.data / "voices"
    caller_voice, operator_voice = await asyncio.to_thread(_voices, voices)
    await set_up_agency(doors, "damkar", agency)
    token = (await doors.post(f"/api/users/{operator['user']}/tokens"))["token"]
    async with phone_registers(operator["user"], operator["password"], at=registrar, voice=operator_voice,
                               answers_after=9.5, talks_for=9.0) as phone:
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
    call_id = (await doors.get("/api/calls?limit=1"))["items"][0]["id"]
    call = await doors.until("the call's end", lambda call: call["ended_at"], f"/api/calls/{call_id}")
    async with doors_of(settings, token) as desk:           # from here on it is the operator who acts, by name
        await desk.post(f"/api/calls/{call_id}/disposition", disposition="real")
        ticket = call["tickets"][0]
        path = f"/api/tickets/{ticket['id']}"
        ticket = await desk.patch(path, ticket["version"], category="house-fire", place=PLACE, narrative=NARRATIVE,
                                  answers=ANSWERS)
        ticket = await desk.post(f"{path}/verification", ticket["version"], result="checking")
        ticket = await desk.post(f"{path}/verification", ticket["version"], result="a1", evidence=EVIDENCE)
        say(f"ticket {ticket['number']}: filled, verified, A1")
        await desk.post(f"{path}/forward", ticket["version"],
                        agencies=[proposed["agency"] for proposed in ticket["proposed"]])
        say("forwarded to the fire brigade")
    async with asyncio.timeout(PATIENCE):
        receipt = await agency.receipts.get()
    say("the fire brigade checked the signature and acknowledged by its link")
    return receipt, call_id


async def set_up_agency(doors: Doors, code: str, receiver: Receiver) -> None:
    """Let a seeded agency be told at this receiver."""
    agencies = (await doors.get("/api/agencies"))["items"]
    there = next(agency for agency in agencies if agency["code"] == code)
    made = await doors.put(f"/api/agencies/{code}", there["version"], name=there["name"], url=receiver.url,
                           topics=there["topics"], secret=receiver.secret or None)
    receiver.secret = receiver.secret or made["secret"]


def _is_ready(answer: dict[str, Any], name: str) -> bool:
    return any(row["name"] == name and row["why_not_free"] is None for row in answer["items"])


def _voices(folder: Path) -> tuple[Path, Path]:
    """What caller and operator say, as WAV: each waits before speaking, so that both are heard in the talk."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name, voice, text, quiet_before in (
        ("caller", "id", CALLER_SAYS, 16_000), ("operator", "id+f3", OPERATOR_SAYS, 400)
    ):
        speech = sound.spoken(text, voice, 170).set_frame_rate(8000).set_channels(1).set_sample_width(2)
        speech = speech.apply_gain(-20.0 - speech.dBFS)
        path = folder / f"{name}.wav"
        (AudioSegment.silent(quiet_before, 8000) + speech + AudioSegment.silent(1000, 8000)).export(path, format="wav")
        made.append(path)
    return made[0], made[1]


# --- the proof


async def _proof(settings: Settings, doors: Doors, call_id: str, receipt: Receipt) -> bool:
    """Print the timeline and everything that exists now; whether all of it is as it should be."""
    token = (await doors.post("/api/users", name="pendengar", role="qa"))["token"]     # who hears recordings
    async with doors_of(settings, token) as reviewer:
        call = await reviewer.until("the recording's archive", lambda call: all(
            recording["state"] not in ("recording", "waiting") for recording in call["recordings"]
        ), f"/api/calls/{call_id}")
    ticket = await doors.get(f"/api/tickets/{call['tickets'][0]['id']}")
    arrived, talking, ended = (datetime.fromisoformat(call[name]) for name in ("arrived_at", "talking_at", "ended_at"))
    forwarding, recording = ticket["forwardings"][0], call["recordings"][0]

    print("\nTimeline (ms since the call reached the trunk)")
    moments = [(note["at"], f"call     {note['kind']}", _facts(note["facts"])) for note in call["notes"]]
    moments += [
        (step["at"], f"ticket   {step['field']}", f"{step['before'] or '-'} → {step['after'] or '-'} ({step['who']})")
        for step in ticket["history"]]
    for at, what, facts in sorted(moments):
        print(f"  {(datetime.fromisoformat(at) - arrived).total_seconds() * 1000:9.0f}  {what:<24} {facts}")

    archive = settings.data / "recordings" / archive_names(call_id, datetime.fromisoformat(recording["starts_at"]))[0]
    waited_for, lasted_for = (talking - arrived).total_seconds(), (ended - arrived).total_seconds()
    levels = await asyncio.to_thread(_levels, archive, waited_for, lasted_for)
    expected = (ended - datetime.fromisoformat(call["answered_at"])).total_seconds()
    stages = [note["kind"] for note in call["notes"]]
    print("\nWhat exists now")
    return all([
        _is("call", f"{call['id']} from {call['caller_number']}: {call['outcome']}, {call['disposition']}, answered by "
            f"{call['operator']} after {waited_for:.1f} s",
            call["outcome"] == "answered" and call["disposition"] == "real"),
        _is("journal", f"{len(stages)} notes",
            [stage for stage in stages if stage in _WAY] == list(_WAY)),
        _is("ticket", f"{ticket['number']}: {ticket['topic']}, {ticket['place']}; {ticket['verification']}, "
            f"{ticket['lifecycle']}",
            ticket["verification"] == "a1" and ticket["lifecycle"] == "accepted"),
        _is("recording", f"{archive.name}: {recording['duration_for'] or 0:.1f} s of {expected:.1f} s, sha256 "
            f"{(recording['sha256'] or '-')[:16]}…",
            recording["state"] == "archived" and abs(recording["duration_for"] - expected) < 1.0),
        _is("caller's voice", f"{levels[0]:.1f} dBFS in the talk (left)", levels[0] > AUDIBLE),
        _is("operator's voice", f"{levels[1]:.1f} dBFS in the talk (right)", levels[1] > AUDIBLE),
        _is("forwarding", f"{receipt.payload['ticket']} at the agency, signature good, webhook-id {receipt.key}",
            receipt.payload["ticket"] == ticket["number"]),
        _is("acknowledgement", f"accepted by {forwarding['accepted_by']} at {forwarding['accepted_at']}",
            receipt.acknowledged and forwarding["state"] == "accepted"),
    ])


_WAY = ("arrived", "menu", "queued", "offered", "talking", "ended")


def _is(what: str, says: str, good: bool) -> bool:
    print(f"  {'✓' if good else '✗'} {what:<17} {says}")
    return good


def _facts(facts: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items()
                     if name not in ("arrived_at", "number") and value != "")


def _levels(archive: Path, start: float, end: float) -> tuple[float, float]:
    """dBFS of the caller's and the others' channel between two moments of the recording, seconds."""
    if not archive.exists():
        return float("-inf"), float("-inf")
    caller, others = AudioSegment.from_file(archive)[round(start * 1000):round(end * 1000)].split_to_mono()
    return caller.dBFS, others.dBFS


def _since(began: float) -> str:
    return f"{time.monotonic() - began:7.3f} s"
