"""A chaos run: calls through a real Asterisk while everything breaks; at the end the books are held against each other.

    make chaos                      300 calls, a quarter of an hour; the seed is printed
    SEED=4711 make chaos            the same run again
    make chaos SHORT=1              40 callers, each fault once: two minutes
    python -m tests.chaos.run --calls 1000 --every 1.0

Needs root (it mounts a small disk for the recordings and cuts connections). Exit status 0 only if nobody was lost.
"""

import argparse
import asyncio
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import select

from calls import reckoning
from calls.reckoning import compare
from db.engine import sync_engine
from db.models import Call, Callback, CallTicket, Note, Recording, RecordingGap
from kentongan.ground import lay, phones
from kentongan.settings import CHECKOUT, Settings, load, own_asterisk, secrets_of
from kentongan.stage import Doors, doors_of, everybody_works, free_ports, service
from telephony.cel_book import CelBook
from tests.chaos import street
from tests.chaos.books import Experience, Left, Record, Task, complaints
from tests.chaos.nemesis import Nemesis, small_disk
from tests.chaos.plan import Kind, Run, draw

OPERATORS = 6
#: seconds in which, after the last call, everything has been written, archived and cleared up
SETTLED_WITHIN = 120.0
#: Settings of the run: the forms are short, so that six operators bear it.
SETTINGS = "wrap_up_for = 5.0\ntell_place_every = 10.0\nrtp_start = 14000\nrtp_end = 15999\n"


@dataclass(frozen=True)
class Report:
    """What a run gave. `complaints`: empty if all is well."""

    seed: int
    told: list[Experience]
    records: list[Record]
    tasks: list[Task]
    #: how many struck
    faults: int
    complaints: list[str]

    def lines(self) -> list[str]:
        outcomes = Counter(record.outcome for record in self.records)
        return [
            f"seed        {self.seed}; {self.faults} faults",
            f"callers     {len(self.told)}: {sum(one.answered for one in self.told)} got a 200, "
            f"{sum(bool(one.talked_for) for one in self.told)} talked to a human",
            f"calls       {len(self.records)}: " + ", ".join(f"{word} {n}" for word, n in outcomes.most_common()),
            f"call-backs  {len(self.tasks)}: "
            + ", ".join(f"{state} {n}" for state, n in Counter(task.state for task in self.tasks).most_common()),
            *(f"✗ {complaint}" for complaint in self.complaints),
            "Nobody was lost." if not self.complaints else f"{len(self.complaints)} COMPLAINTS",
        ]


async def play(seed: int, plan: Run, data: Path) -> Report:
    """The run in a place of its own below `data`, which must be empty."""
    if (built := CHECKOUT / "var/prompts").exists():
        shutil.copytree(built, data / "prompts")
    (data / "kentongan.toml").write_text(SETTINGS)
    settings = load(data=data, **free_ports())
    began = time.monotonic()

    def clock() -> float:
        return time.monotonic() - began

    def say(line: str) -> None:
        print(f"  {clock():6.1f} s {line}", flush=True)

    async with AsyncExitStack() as stack:
        stack.enter_context(small_disk(data / "spool"))
        guard = await stack.enter_async_context(service(settings, keep=False))
        admin = await stack.enter_async_context(doors_of(settings))
        staff = [row for row in phones(settings, await lay(settings)) if row["user"]][:OPERATORS]
        await everybody_works(admin, [row["user"] for row in staff], settings.timezone)
        operators = [await stack.enter_async_context(street.operator(settings, admin, row["user"], row["password"]))
                     for row in staff]
        await admin.until("everybody is ready", _free, "/api/operators", len(staff))
        say(f"{len(plan.callers)} callers, {len(plan.faults)} faults, {len(staff)} operators; seed {seed}")
        began_at, offset = datetime.now(UTC), clock()
        nemesis = Nemesis(settings, guard, operators, seed, clock, say)
        strikes = asyncio.create_task(nemesis.strikes(plan.faults))
        told = await asyncio.gather(*(
            street.lives(citizen, (settings.host, settings.sip_port), clock) for citizen in plan.callers))
        await strikes
        say("the last caller has hung up; the books are waited for")
        records, tasks, left = await _settled(settings, admin, len(staff), began_at, offset)
        with closing(CelBook(settings.data / "events/calls.csv")) as book:
            exchange = compare(book.accounts().values(), await asyncio.to_thread(_ours, settings))
    found = complaints(told, records, tasks, left, exchange, nemesis.struck)
    return Report(seed, list(told), records, tasks, nemesis.faults, found)


def _free(answer: dict[str, Any], wanted: int) -> bool:
    return sum(row["why_not_free"] is None for row in answer["items"]) >= wanted


async def _settled(settings: Settings, admin: Doors, staff: int, began_at: datetime, offset: float
                   ) -> tuple[list[Record], list[Task], Left]:
    """The books, once nothing is under way any more; as they are when patience ends."""
    until = time.monotonic() + SETTLED_WITHIN
    while True:
        try:
            records, tasks, notes = await asyncio.to_thread(_books, settings, began_at, offset)
            answer = await admin.get("/api/operators")
            metrics = await _metrics(settings)
            quiet = (all(record.outcome and all(state not in ("recording", "waiting") for state, _, _ in
                                                record.recordings) for record in records)
                     and _free(answer, staff))
        except (aiohttp.ClientError, TimeoutError, RuntimeError):       # the doors are shut just now
            quiet = False
            if time.monotonic() > until:
                raise
        if quiet or time.monotonic() > until:
            break
        await asyncio.sleep(0.5)
    asterisk = own_asterisk(settings, secrets_of(settings, []))
    channels = re.search(r"(\d+) active channel", asterisk.ask("core show channels count"))
    bridges = len(asterisk.ask("bridge show all").strip().splitlines()) - 1
    stuck = [f"{row['name']}: {row['why_not_free']}" for row in answer["items"]
             if row["why_not_free"] not in (None, "not on shift")]
    leaks = [name for name, text in (("the service's log", (settings.data / "service.log").read_text()),
                                     ("the figures", metrics)) if "800555" in text]
    breaches = sum(float(value) for value in re.findall(r"^kentongan_breaches_total\{.*\} (\S+)$", metrics, re.M))
    return records, tasks, Left(int(channels[1]) if channels else -1, bridges, stuck, notes, breaches, leaks)


async def _metrics(settings: Settings) -> str:
    async with aiohttp.ClientSession() as http, http.get(f"{settings.public_url}/metrics") as answer:
        return await answer.text()


def _books(settings: Settings, began_at: datetime, offset: float) -> tuple[list[Record], list[Task], list[int]]:
    engine = sync_engine(settings.database_url)
    try:
        with engine.connect() as connection:
            missing: Counter[int] = Counter()
            for row in connection.execute(select(RecordingGap.recording_id, RecordingGap.from_s, RecordingGap.to_s)):
                missing[row.recording_id] += row.to_s - row.from_s
            recordings: dict[str, list[tuple[str, float, float]]] = {}
            for row in connection.execute(select(Recording.id, Recording.call_id, Recording.state,
                                                 Recording.duration_for)):
                recordings.setdefault(row.call_id, []).append((row.state, row.duration_for or 0.0, missing[row.id]))
            tickets: Counter[str] = Counter(connection.scalars(select(CallTicket.call_id)))
            records = [
                Record(row.id, row.caller_number, row.stage, row.outcome, tickets[row.id],
                       recordings.get(row.id, []),
                       ((row.ended_at or row.arrived_at) - row.arrived_at).total_seconds(),
                       offset + (row.arrived_at - began_at).total_seconds())
                for row in connection.execute(select(*Call.__table__.columns))
            ]
            tasks = [Task(*row) for row in connection.execute(select(Callback.number, Callback.state))]
            return records, tasks, list(connection.scalars(select(Note.seq).order_by(Note.seq)))
    finally:
        engine.dispose()


def _ours(settings: Settings) -> list[reckoning.Record]:
    engine = sync_engine(settings.database_url)
    try:
        with engine.connect() as connection:
            return [reckoning.Record(row.id, row.stage == "ended", row.operator, row.talking_at is not None)
                    for row in connection.execute(select(*Call.__table__.columns))]
    finally:
        engine.dispose()


def main() -> int:
    words = argparse.ArgumentParser(description="Calls while everything breaks.")
    words.add_argument("--calls", type=int, default=300)
    words.add_argument("--every", type=float, default=2.0, help="seconds between two callers, on the average")
    words.add_argument("--faults", default="", help="exactly these, in order: KILL,STOP,…")
    words.add_argument("--keep", action="store_true", help="leave the data folder there")
    given = words.parse_args()
    seed = int(os.environ.get("SEED") or random.randrange(10**6))
    print(f"chaos: seed {seed} (SEED={seed} make chaos repeats it)", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    data = Path(tempfile.mkdtemp(prefix="kt-chaos-"))
    kinds = [Kind[name] for name in given.faults.split(",")] if given.faults else None
    try:
        report = asyncio.run(play(seed, draw(seed, given.calls, given.every, kinds), data))
    finally:
        if given.keep:
            print(f"left in {data}")
        else:
            shutil.rmtree(data, ignore_errors=True)
    print("\n".join(report.lines()))
    return 1 if report.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
