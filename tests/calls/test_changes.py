"""What people change comes into the journal: in the audit's order, ids only, and not again after a restart."""
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from calls import changes_store
from db.audit import Entry, Trail
from db.models import Note
from telephony.tasks import beside

Sessions = async_sessionmaker[AsyncSession]
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


class Journal:
    """Keeps its notes in the database at once."""

    def __init__(self) -> None:
        self.facts: list[dict[str, object]] = []
        self.news = asyncio.Event()

    def note(self, kind: str, call_id: str | None = None, **facts: object) -> None:
        assert (kind, call_id) == ("changed", None)
        self.facts.append(facts)
        self.news.set()

    async def until(self, audit: int) -> list[tuple[object, object]]:
        """What has changed, once the change of this number is told."""
        async with asyncio.timeout(10):
            while not self.facts or self.facts[-1]["audit"] != audit:
                self.news.clear()
                await self.news.wait()
        return [(facts["what"], facts["which"]) for facts in self.facts]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes_store, "LOOK_EVERY", 0.01)


@asynccontextmanager
async def following(sessions: Sessions) -> AsyncIterator[Journal]:
    journal = Journal()
    async with beside(changes_store.tell(journal, sessions, "kentongan")):
        yield journal


async def change(sessions: Sessions, *things: tuple[str, str]) -> None:
    trail = Trail()
    for what, which in things:
        trail.add(Entry(NOW, "op01", what, which, "place", "secret", "told to nobody"))
    async with sessions.begin() as session:
        await trail.seal_in(session)


async def told_already(sessions: Sessions, audit: int) -> None:
    facts = {"what": "ticket", "which": "1", "audit": audit}
    async with sessions.begin() as session:
        session.add(Note(node="kentongan", seq=1, call_id=None, at=NOW, kind="changed", facts=facts))


async def test_each_thing_that_changed_is_told_once_in_order(sessions: Sessions) -> None:
    await told_already(sessions, 0)
    await change(sessions, ("ticket", "1"), ("user", "siti"), ("ticket", "2"), ("ticket", "1"), ("callback", "7"))
    async with following(sessions) as journal:
        assert await journal.until(5) == [("ticket", "2"), ("ticket", "1"), ("callback", "7")]
        await change(sessions, ("roster", "week"))
        await journal.until(6)
    assert "secret" not in str(journal.facts)
    assert journal.facts[0] == {"what": "ticket", "which": "2", "audit": 3}


async def test_a_new_house_begins_now_and_an_old_one_where_it_stopped(sessions: Sessions) -> None:
    await change(sessions, ("ticket", "1"), ("ticket", "2"), ("ticket", "3"))
    async with following(sessions) as journal:
        async with asyncio.timeout(10):
            while not journal.facts:                # it may look for the first time after or before this
                await change(sessions, ("ticket", "9"))
                await asyncio.sleep(0.02)
        assert {facts["which"] for facts in journal.facts} == {"9"}
    await told_already(sessions, 1)
    async with following(sessions) as again:
        async with asyncio.timeout(10):
            while not again.facts:
                await asyncio.sleep(0.01)
        assert [facts["which"] for facts in again.facts][:2] == ["2", "3"]


async def test_more_than_is_read_at_once_is_told_without_a_pause(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes_store, "LOOK_EVERY", 3600)
    await told_already(sessions, 0)
    await change(sessions, *(("ticket", str(n)) for n in range(1, 1202)))
    async with following(sessions) as journal:
        assert [which for _, which in await journal.until(1201)] == [str(n) for n in range(1, 1202)]


async def test_it_goes_on_after_the_database_was_away(engine: AsyncEngine, sessions: Sessions) -> None:
    await told_already(sessions, 0)
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE audit RENAME TO away"))
    failed = asyncio.Event()
    event.listen(engine.sync_engine, "handle_error", lambda _: failed.set())
    async with following(sessions) as journal:
        await failed.wait()
        async with engine.begin() as connection:
            await connection.execute(text("ALTER TABLE away RENAME TO audit"))
        await change(sessions, ("ticket", "1"))
        assert await journal.until(1) == [("ticket", "1")]
