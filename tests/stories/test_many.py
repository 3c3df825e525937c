"""500 calls at ten a second, hung up at whatever moment: afterwards everything is as it was before the first."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import func, select

from db.models import Call, CallTicket, Note, Recording
from telephony.ari import POOL
from tests.stories.real_house import Exchange, RealHouse, running_exchange

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(150)]

CALLS, PER_SECOND = 500, 10
SCENARIO = Path(__file__).parent / "scenarios/many_callers.xml"
#: Connections that are kept open for the next command; as many as were needed at once, POOL at most.
KEPT = "tcp to ARI"
#: Files of the database: SQLite can close none while another connection of the process holds a lock, and keeps it for
#: the next one. As many as there were at once: the pool's 5 and 10 more, the journal's; three files each at most.
DATABASE, DATABASE_FILES = "database", 3 * (15 + 2)
#: What the archivist holds while it works off what the calls have left, one recording after the other: its worker's
#: output and errors.
ARCHIVING_TASKS, ARCHIVING_HANDLES = Counter({"Process._read_stream": 2}), Counter({"pipe": 2})


@dataclass(frozen=True)
class Left:
    """What may leak, by kind."""

    channels: int
    bridges: int
    tasks: Counter[str]
    handles: Counter[str]  #: of our process
    asterisk: Counter[str]

    def more_than(self, before: "Left") -> dict[str, object]:
        """What there was not before, but for connections that are kept."""
        grown: dict[str, object] = {
            "channels": self.channels, "bridges": self.bridges,
            "tasks": self.tasks - before.tasks - ARCHIVING_TASKS,
            "handles": self.handles - before.handles - ARCHIVING_HANDLES,
            "asterisk": self.asterisk - before.asterisk,
        }  # fmt: skip
        for counted in (grown["handles"], grown["asterisk"]):
            assert isinstance(counted, Counter)
            del counted[KEPT], counted[DATABASE]
        return {kind: found for kind, found in grown.items() if found}


async def left(house: RealHouse) -> Left:
    ari_port, exchange = house.exchange.settings.ari_port, house.exchange
    tasks = Counter(task.get_coro().__qualname__ for task in asyncio.all_tasks())
    return Left(
        len(await house.asks("channels")), len(await house.asks("bridges")), tasks,
        handles("self", ari_port), handles(exchange.asterisk.pid, ari_port),
    )  # fmt: skip


def handles(pid: int | str | None, ari_port: int) -> Counter[str]:
    """Files, sockets and pipes of a process, by kind."""
    sockets = {}
    for protocol in ("tcp", "udp", "unix"):
        for line in Path(f"/proc/{pid}/net/{protocol}").read_text().splitlines()[1:]:
            of = line.split()
            if protocol == "unix":
                sockets[of[6]] = "unix"
                continue
            ports = {int(of[n].split(":")[1], 16) for n in (1, 2)}
            sockets[of[9]] = KEPT if protocol == "tcp" and ari_port in ports and 0 not in ports else protocol
    kinds: Counter[str] = Counter()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(handle.readlink())
        except FileNotFoundError:  # the one that lists them
            continue
        kind, _, inode = target.partition(":[")
        kind = DATABASE if "kentongan.db" in target else kind
        kinds[sockets.get(inode.rstrip("]"), "socket") if kind == "socket" else kind] += 1
    return kinds


async def callers(house: RealHouse, calls: int) -> int:
    """So many calls; SIPp's exit status, 0: all were answered, and ended as they should."""
    host, port = house.exchange.sip
    process = await asyncio.create_subprocess_exec(
        "sipp", f"{host}:{port}", "-sf", str(SCENARIO), "-m", str(calls), "-r", str(PER_SECOND), "-i", host,
        "-nostdin", cwd="/", stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def grown_since(house: RealHouse, before: Left) -> dict[str, object]:
    """What is left at last of what was not there before."""
    for _ in range(200):
        after = await left(house)
        assert max(after.handles[KEPT], after.asterisk[KEPT]) <= POOL + 2  # the events' socket, and our own question
        assert after.handles[DATABASE] <= DATABASE_FILES
        if not (grown := after.more_than(before)):
            break
        await asyncio.sleep(0.05)
    return grown


@pytest.fixture
def own_exchange() -> Iterator[Exchange]:
    """Of its own: other stories need not wait until 500 recordings are in the archive."""
    with running_exchange() as exchange:
        yield exchange


@pytest.fixture
async def house(own_exchange: Exchange) -> AsyncIterator[RealHouse]:
    house = RealHouse(own_exchange)
    await house.open()
    yield house
    await house.close()


async def test_after_500_calls_nothing_is_left_of_them(house: RealHouse) -> None:
    for n in range(1, 10):
        await house.phone(f"op0{n}", answers_after=0.05)
    assert await callers(house, 5) == 0
    await house.is_in_order()
    known, before = len(house.notes), await left(house)

    assert await callers(house, CALLS) == 0
    await house.is_in_order()
    await house.settled()
    assert await grown_since(house, before) == {}

    def on_record() -> set[str | None]:
        """Claimed by us, or (on a machine that is too busy for that) reported by the dialplan's way out."""
        return {note.call_id for note in house.notes[known:] if note.kind in ("arrived", "way out")}

    await house.comes(lambda: len(on_record()) == CALLS or None, "record of every call")
    await house.settled()
    notes, ids = house.notes[known:], on_record()
    with house._reads() as connection:
        outcomes = Counter(connection.scalars(select(Call.outcome).where(Call.id.in_(ids))))
        drafts = connection.scalar(select(func.count()).select_from(CallTicket).where(CallTicket.call_id.in_(ids)))
        recordings = connection.scalar(select(func.count()).select_from(Recording).where(Recording.call_id.in_(ids)))
        noted = connection.scalar(select(func.count()).select_from(Note).where(Note.seq >= notes[0].seq))
    assert outcomes.keys() - {"handed back"} == {"answered", "abandoned"}
    assert (outcomes.total(), drafts, recordings) == (CALLS, CALLS, CALLS)
    assert noted == len(notes)
