"""A day's figures are about what arrived in it, and two days add up."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from calls.figures_store import figures, share
from db.models import Call

MORNING = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)


async def calls_came(sessions: async_sessionmaker[AsyncSession], *rows: dict[str, object]) -> None:
    async with sessions.begin() as session:
        for n, row in enumerate(rows):
            arrived = {"arrived_at": MORNING + timedelta(hours=n)}
            plain = {"id": f"1.{n}", "node": "a", "stage": "ended", "topic": "any", "pressed": ""}
            session.add(Call(**plain | arrived | row))


async def test_calls_are_counted_by_what_became_of_them(sessions: async_sessionmaker[AsyncSession]) -> None:
    await calls_came(
        sessions, {"outcome": "answered", "talking_at": MORNING + timedelta(seconds=4), "disposition": "real"},
        {"outcome": "abandoned", "caller_number": "+62555001"}, {"outcome": None, "stage": "queued"})
    async with sessions() as session:
        found = await figures(session, MORNING, MORNING + timedelta(days=1))
    assert (found.calls, found.without_number) == (3, 2)
    assert found.outcomes == {"answered": 1, "abandoned": 1, "goes on": 1}
    assert (found.waits, found.dispositions) == ([4.0], {"real": 1})
    assert found.answered_within(10) == 1.0
    assert any("half 4.0 s" in line for line in found.lines())


async def test_the_figures_of_two_stretches_add_up(sessions: async_sessionmaker[AsyncSession]) -> None:
    await calls_came(sessions, *({"outcome": "abandoned"} for _ in range(5)))
    noon = MORNING + timedelta(hours=2)
    async with sessions() as session:
        parts = [await figures(session, MORNING, noon), await figures(session, noon, MORNING + timedelta(days=1))]
    assert [part.calls for part in parts] == [2, 3]


async def test_a_day_on_which_nobody_called_has_figures_too(sessions: async_sessionmaker[AsyncSession]) -> None:
    async with sessions() as session:
        found = await figures(session, MORNING, MORNING + timedelta(days=1))
    assert (found.calls, found.answered_within(10)) == (0, None)
    assert found.lines()[0] == "calls         0: none; 0 without a number"


@pytest.mark.parametrize(("part", "value"), [(0.5, 2.0), (0.9, 4.0), (1.0, 4.0), (0.0, 1.0)])
def test_a_share_is_the_value_that_so_many_do_not_exceed(part: float, value: float) -> None:
    assert share([1.0, 2.0, 3.0, 4.0], part) == value


def test_nothing_has_no_share() -> None:
    assert share([], 0.5) is None
