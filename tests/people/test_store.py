"""Who stands behind a token, and which tokens open nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from db import audit
from db.models import Agency, Audit, Operator, Token, User
from people import store
from people.person import Person
from people.rights import Role
from people.tokens import hash_of
from tests.statements import counted

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
Sessions = async_sessionmaker[AsyncSession]


@pytest.fixture
async def house(sessions: Sessions) -> Sessions:
    """sri, who reviews, and damkar-1 of the fire brigade; each has a token of their name."""
    async with sessions.begin() as session:
        session.add(Agency(code="damkar", name="Damkar", topics=[]))
        for name, role, agency in (("sri", "qa", None), ("damkar-1", "agency", "damkar")):
            session.add(User(name=name, display_name=name, role=role, agency=agency, created_at=NOW))
            await session.flush()
            session.add(Token(user=name, hash=hash_of(name), created_at=NOW, expires_at=NOW + timedelta(days=1)))
    return sessions


async def test_a_token_tells_who_it_is_with_role_and_agency(house: Sessions) -> None:
    assert await store.person_of(house, "sri", NOW) == Person("sri", Role.QA)
    assert await store.person_of(house, "damkar-1", NOW) == Person("damkar-1", Role.AGENCY, "damkar")


@pytest.mark.parametrize("token", ["", "kt_", "SRI", "sri ", "' OR 1=1", "\ud800", "nul\0"])
async def test_what_is_no_token_is_nobody(house: Sessions, token: str) -> None:
    assert await store.person_of(house, token, NOW) is None


async def test_the_hash_itself_opens_nothing(house: Sessions) -> None:
    assert await store.person_of(house, hash_of("sri"), NOW) is None


async def test_a_token_ends_at_its_moment(house: Sessions) -> None:
    end = NOW + timedelta(days=1)
    assert await store.person_of(house, "sri", end - timedelta(microseconds=1)) is not None
    assert await store.person_of(house, "sri", end) is None


async def test_a_revoked_token_opens_nothing(house: Sessions) -> None:
    async with house.begin() as session:
        (await session.scalars(select(Token).where(Token.user == "sri"))).one().revoked_at = NOW
    assert await store.person_of(house, "sri", NOW) is None
    assert await store.person_of(house, "damkar-1", NOW) is not None


async def test_who_is_deactivated_or_gets_another_role_is_so_at_once(house: Sessions) -> None:
    async with house.begin() as session:
        (await session.get_one(User, "sri")).role = "supervisor"
    assert await store.person_of(house, "sri", NOW) == Person("sri", Role.SUPERVISOR)
    async with house.begin() as session:
        (await session.get_one(User, "sri")).active = False
    assert await store.person_of(house, "sri", NOW) is None


async def test_the_people_of_an_agency_that_is_deactivated_are_let_in_again_when_it_is_active_again(
    house: Sessions,
) -> None:
    for active, agency in ((False, "damkar"), (True, "damkar"), (True, "none")):
        async with house.begin() as session:
            (await session.scalars(select(Agency))).one().active = active
            user = await session.get_one(User, "damkar-1")
            user.agency, user.password = agency, "kept"
        is_let_in = active and agency == "damkar"
        assert (await store.person_of(house, "damkar-1", NOW) is not None) == is_let_in
        assert (await store.password_of(house, "damkar-1") is not None) == is_let_in
        assert await store.person_of(house, "sri", NOW) is not None


async def test_asking_who_it_is_takes_one_query(house: Sessions, engine: AsyncEngine) -> None:
    with counted(engine) as statements:
        await store.person_of(house, "damkar-1", NOW)
    assert len(statements) == 1


async def test_every_operator_gets_a_user_of_their_name_once(sessions: Sessions, engine: AsyncEngine) -> None:
    async with sessions.begin() as session:
        session.add(Operator(name="op01", display_name="Siti", skills=["fire"]))
        session.add(Operator(name="op02", display_name="Budi", skills=[], active=False))
    for _ in range(2):
        async with engine.begin() as connection:
            await connection.run_sync(store.seed, NOW)
    async with sessions() as session:
        users = (await session.scalars(select(User).order_by(User.name))).all()
        assert [(user.name, user.display_name, user.role, user.active) for user in users] == [
            ("op01", "Siti", "operator", True), ("op02", "Budi", "operator", False)]
        assert await session.scalar(select(func.count()).select_from(Audit).where(Audit.what == "user")) == 2
        assert await (await session.connection()).run_sync(lambda sync: list(audit.breaks(sync))) == []
