"""The roster as rows, on both databases."""

import asyncio

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from db.models import Agency, Duty, Operator
from routing import seed, store


async def seeded(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(store.seed)


async def test_a_seeded_house_gives_back_what_the_seed_says(
    engine: AsyncEngine, sessions: async_sessionmaker[AsyncSession]
) -> None:
    await seeded(engine)
    async with sessions() as session:
        assert {row.name: tuple(row.skills) for row in await store.operators(session)} == seed.OPERATORS
        assert set((await store.plan(session)).shifts) == set(seed.SHIFTS)
        assert (await store.plan(session)).weekly == set(seed.DUTIES)
        agencies = (await session.scalars(select(Agency))).all()
        assert {(row.code, row.name, tuple(row.topics)) for row in agencies} == set(seed.AGENCIES)
        assert {row.url for row in agencies} == {None}


async def test_seeding_again_or_twice_at_once_brings_nothing_back_that_an_admin_took_away(
    engine: AsyncEngine, sessions: async_sessionmaker[AsyncSession]
) -> None:
    await asyncio.gather(seeded(engine), seeded(engine))
    async with sessions.begin() as session:
        await session.execute(delete(Duty).where(Duty.operator == "op09"))
        await session.execute(delete(Operator).where(Operator.name == "op09"))
    await seeded(engine)
    async with sessions() as session:
        assert len(await store.operators(session)) == 8
        assert len((await session.scalars(select(Agency))).all()) == 5


async def test_who_has_left_has_no_duties(
    engine: AsyncEngine, sessions: async_sessionmaker[AsyncSession]
) -> None:
    await seeded(engine)
    async with sessions.begin() as session:
        await session.execute(update(Operator).where(Operator.name == "op01").values(active=False))
    async with sessions() as session:
        assert "op01" not in {operator.name for operator in await store.operators(session)}
        assert "op01" not in {duty.operator for duty in (await store.plan(session)).weekly}
