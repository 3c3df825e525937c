"""A hundred thousand calls and tickets: how long the lists and the search take, on SQLite and on PostgreSQL.

    python -m bench.growth [--count 100000]

Fills a database of its own, asks each question fifty times (each time with other values), counts the statements, and
looks into the plans for tables that are read from end to end. Ends with status 1 if a question takes more statements
than it may, or reads a whole table. What the index of words costs whoever writes is measured as well: drafts committed
per second, as the journal's writer makes them, with that index and without.
"""
import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import psycopg
from sqlalchemy import Connection, event, func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from bench import invented, processes
from bench.cluster import postgres
from bench.reckoning import Spread, spread
from calls import search_store as calls
from calls.journal import Note as JournalNote
from calls.store import JournalStore
from db.engine import async_engine, migrate, reading_session, sync_engine
from db.models import Base, Call, Note, Ticket
from tickets import search_store as tickets

RESULTS = Path(__file__).parent / "results"
RUNS = 50
DRAFTS = 300
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
#: tables that a question may not read from end to end, but for WALKS
LARGE = ("calls", "tickets", "forwardings", "notes", "outbox", "call_tickets")

#: what has no index of its own on purpose: rare questions that take tens of milliseconds (docs/performance.md)
WALKS = {"calls: part of a number", "tickets: being checked (none)", "tickets: a service that nobody asked for"}
#: calls from which on an index is quicker than the table: a planner knows, too
MANY = 50_000

Question = Callable[[AsyncSession, Random], Awaitable[Any]]


def questions(count: int) -> dict[str, Question]:
    """By name; each asks for a page of 50, with values by chance."""

    def listed(q: str = "", seen_by: str | None = None, **wanted: Any) -> Question:
        async def ask(session: AsyncSession, chance: Random) -> Any:
            values = {name: value(chance) if callable(value) else value for name, value in wanted.items()}
            before = values.pop("before", None)
            these = tickets.Wanted(q=_filled(q, chance), **values)
            return await tickets.page(session, these, now=NOW, limit=50, before=before, seen_by=seen_by)
        return ask

    def called(**wanted: Any) -> Question:
        async def ask(session: AsyncSession, chance: Random) -> Any:
            values = {name: value(chance) if callable(value) else value for name, value in wanted.items()}
            before = values.pop("before", None)
            return await calls.page(session, calls.Wanted(**values), limit=50, before=before)
        return ask

    def a_day(chance: Random) -> datetime:
        return NOW - timedelta(days=chance.randint(2, max(3, count // 100)))

    unfinished = ("draft", "open", "forwarded", "accepted", "on_the_way", "refused")
    return {
        "tickets: newest": listed(),
        "tickets: a page in the middle": listed(before=lambda chance: chance.randint(count // 100, count)),
        "tickets: one lifecycle (closed)": listed(lifecycles=("closed",)),
        "tickets: all that are unfinished": listed(lifecycles=unfinished),
        "tickets: all but drafts, A1": listed(lifecycles=("closed", *unfinished[1:], "done"), verification="a1"),
        "tickets: being checked (none)": listed(verification="checking"),
        "tickets: service of 3 %": listed(service="social-welfare"),
        "tickets: a service that nobody asked for": listed(service="pilot"),
        "tickets: topic and village": listed(topic="fire", village=lambda chance: chance.choice(invented.VILLAGES)),
        "tickets: sub-district": listed(subdistrict=lambda chance: chance.choice(invented.SUBDISTRICTS)),
        "tickets: category": listed(category=lambda chance: chance.choice(invented.CATEGORIES)),
        "tickets: late": listed(late=True),
        "tickets: from a day long ago to a week later": listed(
            created_from=a_day, created_to=lambda chance: NOW - timedelta(days=chance.randint(1, 300))),
        "tickets: seen by a busy agency": listed(seen_by="damkar"),
        "tickets: seen by an agency that has few": listed(seen_by="puskesmas"),
        "tickets: answered by an operator": listed(operator=lambda chance: chance.choice(invented.OPERATORS)),
        "search: whole ticket number": listed("{number}"),
        "search: end of a ticket number": listed("{running}"),
        "search: whole telephone number": listed("{phone}"),
        "search: part of a telephone number": listed("{part}"),
        "search: rare word": listed(invented.RARE),
        "search: word of every sixth ticket": listed(invented.COMMON),
        "search: three letters (keb…)": listed("keb"),
        "search: two words": listed(f"{invented.COMMON} tetangga"),
        "search: a name": listed("{name}"),
        "search: common word, open tickets": listed(invented.COMMON, lifecycles=("open",)),
        "search: common word, by an agency": listed(invented.COMMON, seen_by="damkar"),
        "search: nothing like it": listed("zzzzzz"),
        "calls: newest": called(),
        "calls: a page in the middle": called(before=lambda chance: (a_day(chance), "")),
        "calls: of an operator": called(operator=lambda chance: chance.choice(invented.OPERATORS)),
        "calls: handed back": called(outcome="handed back"),
        "calls: a rare disposition": called(disposition="test"),
        "calls: disposition and operator": called(disposition="prank", operator="op03"),
        "calls: not over yet (none)": called(stage="talking"),
        "calls: whole number": called(number=invented.a_number),
        "calls: part of a number": called(number=lambda chance: invented.a_number(chance)[-6:]),
        "calls: from a day to a week later": called(
            arrived_from=a_day, arrived_to=lambda chance: NOW - timedelta(days=chance.randint(1, 300))),
    }


def allowed(name: str) -> int:
    """Statements that a question may take."""
    return 1 if name.startswith("calls") else 2


def _filled(q: str, chance: Random) -> str:
    phone = invented.a_number(chance)
    month = NOW - timedelta(days=30 * chance.randint(1, 30))
    return q.format(number=f"{month:%y%m}-{chance.randint(1, 2900):04}", running=f"{chance.randint(1, 2900):04}",
                    phone=f"0{phone[3:6]} {phone[6:9]}-{phone[9:]}", part=phone[-6:], name=invented.a_name(chance))


# --- the database

@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """An empty one of each kind, durable as in service; removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="ktg-") as folder, postgres() as server:
        with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
            admin.execute("CREATE DATABASE growth")
        yield {"SQLite": f"sqlite:///{folder}/kentongan.db", "PostgreSQL": f"{server}/growth"}


def fill(url: str, count: int) -> float:
    """Seconds that it took. Afterwards the database has had the rest that it takes by itself (statistics)."""
    began = time.monotonic()
    migrate(url)
    engine = sync_engine(url)
    with engine.begin() as connection:
        _insert(connection, invented.agencies())
    for piece in invented.years(count, NOW):
        with engine.begin() as connection:
            _insert(connection, piece)
    took = time.monotonic() - began
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("SELECT setval('tickets_id_seq', (SELECT max(id) FROM tickets))")
            connection.exec_driver_sql("VACUUM ANALYZE")
    engine.dispose()
    return took


def _insert(connection: Connection, years: invented.Years) -> None:
    for table in Base.metadata.sorted_tables:
        if rows := years.rows.get(table.name):
            connection.execute(insert(table), rows)


# --- measuring

@dataclass(frozen=True)
class Answer:
    """What was seen of one question."""

    first: float            #: ms, on a new connection
    warm: Spread
    statements: int         #: the most that one run took
    rows: float             #: told per run, on the average
    scans: list[str]        #: large tables read from end to end


async def measure(url: str, count: int, only: str = "") -> dict[str, Answer]:
    """All questions, one after the other."""
    answers = {}
    for name, question in questions(count).items():
        if only in name:
            answers[name] = await _ask(url, question)
    return answers


async def _ask(url: str, question: Question) -> Answer:
    engine, seen = async_engine(url), list[tuple[str, Any]]()
    sessions = async_sessionmaker(engine, expire_on_commit=False)

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if not statement.startswith("BEGIN"):
            seen.append((statement, parameters))

    async with reading_session(sessions) as session:
        await session.execute(select(1))        # connecting and logging in are not in it
    event.listen(engine.sync_engine, "before_cursor_execute", note)
    chance, took, told, most = Random(7), list[float](), 0, 0
    for _ in range(RUNS + 1):
        seen.clear()
        async with reading_session(sessions) as session:
            began = time.perf_counter()
            told += len(await question(session, chance))
            took.append(time.perf_counter() - began)
        most = max(most, len(seen))
    event.remove(engine.sync_engine, "before_cursor_execute", note)
    scans = [scan for statement, parameters in seen for scan in await _scans(engine, statement, parameters)]
    await engine.dispose()
    return Answer(took[0] * 1000, spread(took[1:]), most, told / (RUNS + 1), sorted(set(scans)))


async def _scans(engine: AsyncEngine, statement: str, parameters: Any) -> list[str]:
    """Large tables that the plan reads from end to end without an index, and sorts or throws away."""
    async with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps = [row.detail for row in plan]
            return [step for step in steps
                    if step in {f"SCAN {table}" for table in LARGE} and any("TEMP B-TREE" in other for other in steps)]
        told = (await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)).scalar_one()
        return [f"{step['Node Type']} {step['Relation Name']}" for step in _steps(told[0]["Plan"])
                if step["Node Type"] == "Seq Scan" and step["Relation Name"] in LARGE]


def _steps(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _steps(below)


def drafts(url: str) -> tuple[float, float]:
    """Drafts committed per second, one by one, with the index of words and without. The index is gone afterwards."""
    engine = sync_engine(url)
    store, given = JournalStore(engine, "bench"), 0

    def per_second() -> float:
        nonlocal given
        began = time.perf_counter()
        for _ in range(DRAFTS):
            given += 1
            store.commit([JournalNote(given, NOW, "arrived", f"1763800000.b{given}", {
                "arrived_at": NOW.isoformat(), "number": f"+62555{given:07}"})])
        return DRAFTS / (time.perf_counter() - began)

    per_second()
    among = per_second()
    with engine.begin() as connection:
        gone = "INDEX search_tickets" if engine.dialect.name == "postgresql" else "TRIGGER search_tickets_added"
        connection.exec_driver_sql(f"DROP {gone}")
    alone = per_second()
    with engine.connect() as connection:
        drawn = connection.scalar(select(func.count()).where(Call.node == "bench"))
    engine.dispose()
    if drawn != given:
        raise RuntimeError(f"of {given} notes only {drawn} were drawn; what was measured is something else")
    return among, alone


def sizes(url: str) -> dict[str, float]:
    """MB: the whole, and the index of words; and how many rows there are."""
    engine = sync_engine(url)
    with engine.connect() as connection:
        def one(query: str) -> float:
            return float(connection.exec_driver_sql(query).scalar_one())

        counted = {table.__tablename__: float(connection.scalar(select(func.count()).select_from(table)) or 0)
                   for table in (Call, Ticket, Note)}
        if engine.dialect.name == "postgresql":
            whole, words = one("SELECT pg_database_size('growth')"), one("SELECT pg_relation_size('search_tickets')")
        else:
            whole = one("SELECT sum(pgsize) FROM dbstat")
            words = one("SELECT sum(pgsize) FROM dbstat WHERE name LIKE 'search_tickets%'")
    engine.dispose()
    return {"database, MB": whole / 1e6, "of these the index of words, MB": words / 1e6} | counted


# --- telling

def markdown(answers: Mapping[str, Answer]) -> str:
    lines = ["| question | first, ms | p50, ms | p99, ms | statements | rows | reads a whole table |",
             "|---|---:|---:|---:|---:|---:|---|"]
    for name, answer in answers.items():
        lines.append(f"| {name} | {answer.first:.1f} | {answer.warm.p50:.1f} | {answer.warm.p99:.1f} | "
                     f"{answer.statements} | {answer.rows:.0f} | {', '.join(answer.scans)} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure lists and search over many calls and tickets.")
    parser.add_argument("--count", type=int, default=100_000, help="calls, and as many tickets")
    count = parser.parse_args().count
    facts, told, faults = processes.machine() | {"load before it": f"{os.getloadavg()[0]:.2f}"}, [], list[str]()
    with databases() as urls:
        for kind, url in urls.items():
            filled = fill(url, count)
            singles = {"filled in, s": filled} | sizes(url)
            answers = asyncio.run(measure(url, count))
            among, alone = drafts(url)
            singles |= {"drafts per second": among, "… without the index of words": alone}
            told.append(f"## {kind}\n\n{markdown(answers)}\n\n" + "".join(
                f"- {name}: {value:,.0f}\n" for name, value in singles.items()))
            print(told[-1], flush=True)
            faults += [f"{kind}, {name}: {answer.statements} statements" for name, answer in answers.items()
                       if answer.statements > allowed(name)]
            faults += [f"{kind}, {name}: {scan}" for name, answer in answers.items()
                       if count >= MANY and name not in WALKS for scan in answer.scans]
    about = "".join(f"- {name}: {value}\n" for name, value in facts.items())
    text = f"{about}\n" + "\n".join(told) + "".join(f"\nFAULT {fault}" for fault in faults)
    print(about, *faults, sep="\n")
    (RESULTS / f"{datetime.now(UTC):growth-%Y%m%d-%H%M%S}.md").write_text(text)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
