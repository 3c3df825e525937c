"""The first figures: ten calls a second for thirty seconds, on a real Asterisk, the real service and real SIP.

    make bench                                          # one run, a minute and a half
    .venv/bin/python -m bench.first_figures --runs 3    # the table of docs/performance.md: medians

Everything is of its own (data folder, ports, Asterisk), stopped by process id and removed afterwards. The tables are
printed, and written with all runs into bench/results/. docs/performance.md says what each figure means. The exit
status is 1 if any call failed.
"""
import argparse
import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, func, select

from bench import processes
from bench.counted import Tally
from bench.house import Service, asterisk_runs, everybody_on_shift, log_of, place, service_runs, until
from bench.parties import Moments, callers_dial, phones_ring, which
from bench.processes import Spent, busy, spent
from bench.reckoning import Figures, markdown, middle, spread
from calls.stages import Outcome
from db.engine import reading, sync_engine
from db.models import Call, Note, Recording, Ticket
from kentongan.ground import Ground, lay
from kentongan.settings import Settings, load
from telephony.asterisk import Asterisk
from telephony.fetch import find

#: Callers a second, for so many seconds.
RATE, LASTS = 10, 30
CALLS = RATE * LASTS
#: The caller's key (any operator), and when it is pressed: seconds after the answer.
KEY, PRESSED_AFTER = "0", 1.0
#: Seconds from the operator's answer to the operator's hang-up; below 0.5 the service takes it for a broken phone.
TALK_FOR = 0.7
#: How often the service is started and stopped only to see how soon it is ready.
STARTS = 3
#: Who is offered a desk within so many seconds has not waited for one.
AT_ONCE = 0.002
RESULTS = Path(__file__).parent / "results"


# --- one run


@dataclass
class Meter:
    """What was used, from its making to `stop`."""

    asterisk: Asterisk
    service: Service

    def __post_init__(self) -> None:
        self._at_start = self._read()
        self.used = self._at_start

    def _read(self) -> tuple[float, Spent, Spent]:
        pid = self.asterisk.pid
        if pid is None:
            raise RuntimeError("Asterisk has died")
        return busy(), spent(pid), spent(self.service.pid)

    def stop(self) -> None:
        now = self._read()
        self.used = now[0] - self._at_start[0], now[1] - self._at_start[1], now[2] - self._at_start[2]


@dataclass
class Seen:
    """Everything that one run's figures are made of."""

    callers: list[Moments]
    began: Tally
    ended: Tally
    meter: Meter
    load_seconds: float
    ours: float                     #: CPU seconds of the callers, the phones and this program
    boot: float
    first: float                    #: seconds to the first "ok", with nothing compiled yet
    starts: list[float]
    archived: int
    asterisk_mb: float
    service_mb: float
    faults: list[str]


async def one_run(say: Callable[[str], None]) -> Figures:
    with place() as settings:
        ground = await lay(settings)
        engine = sync_engine(settings.database_url)
        try:
            with engine.begin() as connection:
                everybody_on_shift(connection)
            with asterisk_runs(settings, ground) as (asterisk, boot):
                first = await _start_once(settings)
                starts = [await _start_once(settings) for _ in range(STARTS)]
                ready = ", ".join(f"{seconds:.2f}" for seconds in starts)
                say(f"Asterisk booted in {boot:.2f} s; service ready in {first:.2f} s at first, then in {ready} s")
                async with service_runs(settings, "bench.counted") as (service, _):
                    say(f"service runs (pid {service.pid}): {CALLS} calls, {RATE} a second")
                    seen = await _load(settings, ground, asterisk, service, boot, first, starts)
                with engine.connect() as connection:
                    figures = _figures(connection, seen)
            seen.faults += _complaints(settings)
        finally:
            engine.dispose()
    for fault in seen.faults:
        say(f"FAILED: {fault}")
    return Figures(figures.spreads, {**figures.singles, "failures": float(len(seen.faults))})


async def _start_once(settings: Settings) -> float:
    async with service_runs(settings, "kentongan.cli", "service") as (_, took):
        return took


async def _load(settings: Settings, ground: Ground, asterisk: Asterisk, service: Service, boot: float,
                first: float, starts: list[float]) -> Seen:
    at, room = (settings.host, settings.sip_port), settings.data / "bench"
    room.mkdir()
    passwords = ground.secrets.phones
    async with phones_ring(at, passwords, TALK_FOR, room) as rang:
        await until(lambda: _all_free(service, len(passwords)), "every desk ready")
        await asyncio.sleep(0.5)
        began, own, meter, since = await service.tally(), _own(), Meter(asterisk, service), time.monotonic()
        callers = await callers_dial(at, CALLS, RATE, KEY, PRESSED_AFTER, room)
        await until(lambda: asyncio.to_thread(_all_ended, settings), "the end of every call in the database")
        load_seconds = time.monotonic() - since
        meter.stop()
        ended = await service.tally()
        archived = await asyncio.to_thread(_archived, settings)
        pid = asterisk.pid or 0
        memory = processes.memory(pid), processes.memory(service.pid)
    for call, moment in rang.items():
        callers[call].rang = moment
    return Seen(callers, began, ended, meter, load_seconds, _own() - own, boot, first, starts, archived, *memory, [])


async def _all_free(service: Service, desks: int) -> bool:
    return await service.free_desks() == desks


def _all_ended(settings: Settings) -> bool:
    return _count(settings, Call.ended_at.is_not(None)) == CALLS


def _archived(settings: Settings) -> int:
    return _count(settings, Recording.state == "archived")


def _count(settings: Settings, condition: ColumnElement[bool]) -> int:
    engine = sync_engine(settings.database_url)
    try:
        with reading(engine).connect() as connection:
            return connection.scalar(select(func.count()).where(condition)) or 0
    finally:
        engine.dispose()


def _own() -> float:
    """CPU seconds of this program and of all its children that have ended."""
    return sum(usage.ru_utime + usage.ru_stime for usage in map(
        resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


# --- its figures


def _figures(connection: Connection, seen: Seen) -> Figures:
    rows = {index: row for row in connection.execute(select(Call.id, Call.caller_number, Call.outcome, Call.arrived_at))
            if (index := which(row.caller_number or "")) is not None}
    notes = connection.execute(select(Note.call_id, Note.kind, Note.at)).all()
    at = {(note.call_id, note.kind): note.at.timestamp() for note in notes}
    answers, rings, drafts, waited = [], [], [], 0
    for index, moments in enumerate(seen.callers):
        row = rows.get(index)
        match moments:
            case Moments(float(sent), float(answered), float(), float(rang)) if row and row.outcome == Outcome.ANSWERED:
                answers.append(answered - sent)
                rings.append(rang - at[row.id, "chosen"])
                waited += at[row.id, "offered"] - at[row.id, "queued"] > AT_ONCE
                drafts.append(seen.ended.drafts[row.id] - row.arrived_at.timestamp())
            case _:
                seen.faults.append(f"call {index}: {moments}, {row.outcome if row else 'no row'}")
    tickets = connection.scalar(select(func.count()).select_from(Ticket))
    if tickets != CALLS:
        seen.faults.append(f"{tickets} tickets for {CALLS} calls")
    seen.faults += [f"note {note.kind!r} of call {note.call_id}" for note in notes
                    if note.kind in ("unanswered", "desk lost", "claim lost", "handed back", "way out")]
    return Figures({
        "caller: INVITE → 200": spread(answers),
        "menu's end → INVITE at the operator's phone": spread(rings),
        "arrival → draft ticket committed": spread(drafts),
        "service: start → ready (Asterisk runs)": spread(seen.starts),
    }, {"callers who waited for a desk": float(waited), **_singles(seen, len(notes))})


def _singles(seen: Seen, notes: int) -> dict[str, float]:
    machine, asterisk, service = seen.meter.used
    began, ended = seen.began, seen.ended
    if (lost := ended.failures - began.failures):
        seen.faults.append(f"{lost} commands to ARI were not carried out")

    def per_call(name: str) -> float:
        return float(getattr(ended, name) - getattr(began, name)) / CALLS

    ours = asterisk.own + service.own + service.children + seen.ours
    return {
        "Asterisk: start → fully booted, s": seen.boot,
        "service: first start → ready (nothing compiled), s": seen.first,
        "Asterisk: CPU per call, ms": asterisk.own / CALLS * 1000,
        "service: CPU per call, ms": service.own / CALLS * 1000,
        "archive workers: CPU per recording, ms": service.children / max(1, seen.archived) * 1000,
        "recordings archived by the last call's end": float(seen.archived),
        "Asterisk: memory, MB": seen.asterisk_mb,
        "service: memory, MB": seen.service_mb,
        "ARI requests per call": per_call("requests"),
        "ARI events per call": per_call("events"),
        "journal notes per call": notes / CALLS,
        "database: transactions per call": per_call("transactions"),
        "database: of these, writing": per_call("writing"),
        "database: of these, the journal's": per_call("of_journal"),
        "database: statements per call": per_call("statements"),
        "database: rows written per call": per_call("rows"),
        "event loop: worst lag, ms": ended.lag * 1000,
        "machine: processors busy in all": machine / seen.load_seconds,
        "machine: of these, with callers, phones and this program": seen.ours / seen.load_seconds,
        "machine: of these, with other work": max(0.0, machine - ours) / seen.load_seconds,
    }


def _complaints(settings: Settings) -> list[str]:
    """Lines of the logs that should not be there."""
    ours = [line for line in log_of(settings).splitlines() if '"level": "error"' in line or "Traceback" in line]
    log = settings.data / "asterisk/log/messages"
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    theirs = [line for line in lines if " ERROR[" in line]
    return [f"log: {line[:300]}" for line in (ours + theirs)[:20]]


# --- all of them


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the first figures.")
    parser.add_argument("--runs", type=int, default=1, help="how often; the table has the medians")
    runs = parser.parse_args().runs
    facts = processes.machine() | {"Asterisk": _asterisk_version()}
    loads, results = [], []
    for number in range(1, runs + 1):
        loads.append(round(os.getloadavg()[0], 2))
        print(f"run {number} of {runs}, load before it {loads[-1]}")
        results.append(asyncio.run(one_run(lambda line: print(f"  {line}", flush=True))))
        print(markdown(results[-1]), flush=True)
    about = "".join(f"- {name}: {value}\n" for name, value in (facts | {"load before each run": str(loads)}).items())
    text = f"{about}\n{markdown(middle(results))}"
    if runs > 1:
        print(f"medians of {runs} runs\n\n{text}")
    else:
        print(about)
    name = datetime.now(UTC).strftime("first-figures-%Y%m%d-%H%M%S")
    (RESULTS / f"{name}.md").write_text(text)
    (RESULTS / f"{name}.json").write_text(json.dumps(
        {"machine": facts, "loads": loads, "runs": [asdict(result) for result in results]}, indent=1))
    return int(any(result.singles["failures"] for result in results))


def _asterisk_version() -> str:
    found = find(load().asterisk_root)
    return str(found.version) if found else "none"


if __name__ == "__main__":
    sys.exit(main())
