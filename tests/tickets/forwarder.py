"""A process that forwards a ticket and empties the outbox, and that can be told to die before one of its writes."""

import asyncio
import os
import signal
from datetime import datetime
from typing import Any

import aiohttp
from sqlalchemy import Engine, event
from sqlalchemy.ext.asyncio import async_sessionmaker

from db.engine import async_engine
from tickets import service
from tickets.outbox import Outbox


def forward(url: str, ticket_id: int, now: datetime, dies_before: int) -> None:
    """To damkar. `dies_before`: number of the write (INSERT, UPDATE, DELETE, COMMIT) that never comes; 0: none."""
    asyncio.run(_forward(url, ticket_id, now, dies_before))


async def _forward(url: str, ticket_id: int, now: datetime, dies_before: int) -> None:
    engine = async_engine(url)
    _die(engine.sync_engine, dies_before)
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    await service.forward(sessions, ticket_id, ["damkar"], by="op01", now=now)
    async with aiohttp.ClientSession() as http:
        outbox = Outbox(sessions, http, lambda forwarding: f"http://127.0.0.1/a/{forwarding}", asyncio.Event())
        await outbox.deliver_due(now)
    await engine.dispose()


def _die(engine: Engine, before: int) -> None:
    writes = 0

    def count() -> None:
        nonlocal writes
        writes += 1
        if writes == before:
            os.kill(os.getpid(), signal.SIGKILL)

    @event.listens_for(engine, "before_cursor_execute")
    def statement(_connection: Any, _cursor: Any, said: str, *_: Any) -> None:
        if said.split()[0] in ("INSERT", "UPDATE", "DELETE"):
            count()

    @event.listens_for(engine, "commit")
    def commit(_connection: Any) -> None:
        count()
