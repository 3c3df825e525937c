"""kill -9 between any two writes of a forward: at the agency exactly once by key, and here consistent.

The forwarding process is a real one, killed by itself before its first write, before its second and so on, until it
lives to the end; after each death another one does the same work again, as a service that was started again does.
"""

import asyncio
import multiprocessing
import signal
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from db.audit import breaks
from db.models import Forwarding, OutboxMessage
from tests.tickets import forwarder
from tickets.outbox import CLAIM_FOR

#: a process for each attempt, out of one that has imported everything
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["pytest", "tests.tickets.forwarder"])


async def forward(url: str, ticket_id: int, now: datetime, dies_before: int = 0) -> int | None:
    process = PROCESSES.Process(target=forwarder.forward, args=(url, ticket_id, now, dies_before))
    process.start()
    await asyncio.to_thread(process.join, 60)
    return process.exitcode


async def test_killed_between_any_two_writes_the_agency_has_it_once_and_we_know_it(
    desk, listens, database_url
) -> None:
    damkar = await listens("damkar")
    tickets: list[int] = []
    lived = False
    while not lived:
        ticket_id = await desk.verified()
        tickets.append(ticket_id)
        now = datetime.now(UTC)
        ended = await forward(database_url, ticket_id, now, dies_before=len(tickets))
        assert ended in (0, -signal.SIGKILL)
        lived = ended == 0
        assert await forward(database_url, ticket_id, now + CLAIM_FOR + timedelta(seconds=1)) == 0
        keys = {key for key, body in zip(damkar.keys, damkar.bodies, strict=True)
                if body["ticket"] == (await desk.ticket(ticket_id)).number}
        assert len(keys) == 1
        assert await desk.states(ticket_id) == {"damkar": "sent"}
        told = [step for step in await desk.history(ticket_id) if step[1] in ("forwarding damkar", "lifecycle")]
        assert told[-3:] == [
            ("op01", "forwarding damkar", None, "queued", None),
            ("op01", "lifecycle", "open", "forwarded", None),
            ("kentongan", "forwarding damkar", "queued", "sent", None),
        ]
        assert [step[1] for step in told].count("forwarding damkar") == 2
    assert len(tickets) > 8  # writes there were
    assert len(set(damkar.keys)) == len(tickets)
    assert len(damkar.keys) > len(tickets)  # some died between the agency's answer and our note
    async with desk.sessions() as session:
        for table in (Forwarding, OutboxMessage):
            assert await session.scalar(select(func.count()).select_from(table)) == len(tickets)
        assert await (await session.connection()).run_sync(lambda connection: list(breaks(connection))) == []
