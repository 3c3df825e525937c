"""Whatever is done to people in whatever order: the audit holds, and there is an admin once there was one."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from db import audit
from db.engine import async_engine
from db.models import Audit, Operator, User
from people import service, store
from people.rights import Role
from people.service import Changes, Conflict, Refused
from people.store import Unknown
from tests.people.conftest import Lend

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
REFUSED = (service.Invalid, Refused, Conflict, Unknown)

names = st.sampled_from(["ani", "budi", "op10"])
roles = st.sampled_from(Role)
steps = st.one_of(
    st.tuples(st.just("add"), names, roles),
    st.tuples(st.just("change"), names, st.builds(
        Changes, display_name=st.none() | st.sampled_from(["A", ""]), role=st.none() | roles,
        agency=st.none() | st.just("none"), skills=st.none() | st.just(["fire"]), active=st.none() | st.booleans())),
    st.tuples(st.just("stale"), names, st.integers(0, 3)),
    st.tuples(st.just("token"), names, st.none() | st.integers(0, 2)),
    st.tuples(st.just("revoke"), names, st.none() | st.integers(1, 5)),
)


async def take(sessions: async_sessionmaker[AsyncSession], now: datetime, step: tuple) -> None:
    match step:
        case "add", name, role:
            await service.add(sessions, name, role, "x", now)
        case "change", name, changes:
            await service.change(sessions, name, changes, "x", now)
        case "stale", name, seen:
            await service.change(sessions, name, Changes(display_name="B"), "x", now, seen=seen)
        case "token", name, days:
            await service.new_token(sessions, name, "x", now, expires_days=days)
        case "revoke", name, token_id:
            await service.revoke(sessions, name, "x", now, token_id=token_id)


async def story(url: str, taken: list[tuple]) -> None:
    engine = async_engine(url)
    try:
        sessions = async_sessionmaker(engine, expire_on_commit=False)
        was_an_admin, rows = False, 0
        for count, step in enumerate(taken):
            refused = False
            try:
                await take(sessions, NOW + timedelta(seconds=count), step)
            except REFUSED:
                refused = True
            async with sessions() as session:
                admins = await store.users(session, NOW, role=Role.ADMIN, active=True)
                was_an_admin = was_an_admin or bool(admins)
                assert bool(admins) == was_an_admin, step
                before, rows = rows, await session.scalar(select(func.count()).select_from(Audit)) or 0
                assert rows == before or not refused, step
                await operators_fit(session)
        await the_audit_holds(engine)
    finally:
        await engine.dispose()


async def operators_fit(session: AsyncSession) -> None:
    both = select(User.role, User.active, Operator.active).outerjoin(Operator, Operator.name == User.name)
    for role, active, answers in (await session.execute(both)).all():
        assert bool(answers) == (active and role == Role.OPERATOR)


async def the_audit_holds(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        assert await connection.run_sync(lambda sync: list(audit.breaks(sync))) == []


@pytest.mark.timeout(300)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(taken=st.lists(steps, min_size=1, max_size=15))
def test_the_audit_holds_and_there_is_an_admin_once_there_was_one(new_database: Lend, taken: list[tuple]) -> None:
    with new_database() as url:
        asyncio.run(story(url, [("add", "ani", Role.ADMIN), *taken]))
