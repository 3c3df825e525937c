"""People are added and changed whole or not at all; the audit tells who did what, and never a secret."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from db import audit
from db.models import Agency, Audit, Operator, Token, User
from people import passwords, service, store
from people.person import Person
from people.rights import Role
from people.service import Changes, Conflict, Refused
from people.store import Known, Unknown

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
GOOD = "kuda biru makan awan"
Sessions = async_sessionmaker[AsyncSession]


@pytest.fixture
async def house(sessions: Sessions) -> Sessions:
    """The fire brigade, and one admin: ani."""
    async with sessions.begin() as session:
        session.add(Agency(code="damkar", name="Pemadam", topics=["fire"]))
        session.add(Agency(code="old", name="Gone", topics=[], active=False))
    await service.add(sessions, "ani", Role.ADMIN, "root@server", NOW)
    return sessions


async def known(house: Sessions, name: str) -> Known:
    async with house() as session:
        return await store.user(session, name, NOW)


async def told(house: Sessions, name: str) -> list[tuple[str, object, object]]:
    async with house() as session:
        rows = await session.scalars(select(Audit).where(Audit.what == "user", Audit.which == name).order_by(Audit.seq))
        return [(row.field, row.before, row.after) for row in rows]


async def count(house: Sessions, table: type = Audit) -> int:
    async with house() as session:
        return await session.scalar(select(func.count()).select_from(table)) or 0


async def test_who_is_added_has_a_token_that_opens(house: Sessions) -> None:
    token = await service.add(house, "sri", Role.QA, "ani", NOW, display_name=" Sri Rahayu ")
    assert await store.person_of(house, token, NOW) == Person("sri", Role.QA)
    assert (await known(house, "sri")).user.display_name == "Sri Rahayu"
    assert await told(house, "sri") == [
        ("added", None, {"display_name": "Sri Rahayu", "role": "qa", "agency": None}),
        ("token", None, {"id": 2, "expires_at": None})]


async def test_a_token_for_a_week_ends_after_a_week(house: Sessions) -> None:
    token = await service.add(house, "sri", Role.QA, "ani", NOW, expires_days=7)
    assert await store.person_of(house, token, NOW + timedelta(days=6, hours=23)) is not None
    assert await store.person_of(house, token, NOW + timedelta(days=7)) is None


async def test_a_new_operator_is_an_operator_with_skills(house: Sessions) -> None:
    await service.add(house, "op10", Role.OPERATOR, "ani", NOW, display_name="Wayan", skills=["medical", "fire"])
    async with house() as session:
        operator = await session.get_one(Operator, "op10")
    assert (operator.display_name, operator.skills, operator.active) == ("Wayan", ["fire", "medical"], True)


async def test_somebody_of_an_agency_belongs_to_it(house: Sessions) -> None:
    token = await service.add(house, "damkar-1", Role.AGENCY, "ani", NOW, agency="damkar")
    assert await store.person_of(house, token, NOW) == Person("damkar-1", Role.AGENCY, "damkar")


Try = Callable[[Sessions], Awaitable[object]]
#: what is refused, and the words that say why
REFUSALS: list[tuple[type[Exception], str, Try]] = [
    (service.Invalid, "small letters", lambda h: service.add(h, "Sri", Role.QA, "ani", NOW)),
    (service.Invalid, "own", lambda h: service.add(h, "host", Role.QA, "ani", NOW)),
    (service.Invalid, "line", lambda h: service.add(h, "sri", Role.QA, "ani", NOW, display_name="a\nb")),
    (service.Invalid, "belongs", lambda h: service.add(h, "sri", Role.AGENCY, "ani", NOW)),
    (service.Invalid, "only", lambda h: service.add(h, "sri", Role.QA, "ani", NOW, agency="damkar")),
    (service.Invalid, "no active agency", lambda h: service.add(h, "sri", Role.AGENCY, "ani", NOW, agency="none")),
    (service.Invalid, "no active agency", lambda h: service.add(h, "sri", Role.AGENCY, "ani", NOW, agency="old")),
    (service.Invalid, "skills", lambda h: service.add(h, "sri", Role.QA, "ani", NOW, skills=["fire"])),
    (service.Invalid, "days", lambda h: service.add(h, "sri", Role.QA, "ani", NOW, expires_days=0)),
    (Refused, "already", lambda h: service.add(h, "ani", Role.QA, "ani", NOW)),
    (Unknown, "no user sri", lambda h: service.change(h, "sri", Changes(active=False), "ani", NOW)),
    (Unknown, "no user", lambda h: service.change(h, "\ud800\0", Changes(active=False), "ani", NOW)),
    (Unknown, "no user sri", lambda h: service.new_token(h, "sri", "ani", NOW)),
    (Unknown, "no user sri", lambda h: service.revoke(h, "sri", "ani", NOW)),
    (Unknown, "no user sri", lambda h: service.set_password(h, "sri", GOOD, "ani", NOW)),
    (Unknown, "no token 77", lambda h: service.revoke(h, "ani", "ani", NOW, token_id=77)),
    (Conflict, "version 7", lambda h: service.change(h, "ani", Changes(display_name="A"), "ani", NOW, seen=7)),
    (service.Invalid, "line", lambda h: service.change(h, "ani", Changes(display_name=" "), "ani", NOW)),
    (service.Invalid, "only", lambda h: service.change(h, "ani", Changes(agency="damkar"), "ani", NOW)),
    (service.Invalid, "12", lambda h: service.set_password(h, "ani", "short", "ani", NOW)),
    (Refused, "last active admin", lambda h: service.change(h, "ani", Changes(active=False), "ani", NOW)),
    (Refused, "last active admin", lambda h: service.change(
        h, "ani", Changes(display_name="A", role=Role.QA), "ani", NOW)),
]


@pytest.mark.parametrize(("kind", "words", "attempt"), REFUSALS)
async def test_what_is_refused_has_changed_and_told_nothing(
    house: Sessions, kind: type[Exception], words: str, attempt: Try
) -> None:
    before = await count(house), await count(house, User), await count(house, Token), (await known(house, "ani"))
    with pytest.raises(kind, match=words):
        await attempt(house)
    after = await count(house), await count(house, User), await count(house, Token), (await known(house, "ani"))
    assert after[:3] == before[:3]
    assert [(k.user.version, k.user.role, k.user.display_name, k.user.active, k.tokens) for k in (before[3], after[3])
            ] == [(1, "admin", "ani", True, 1)] * 2


async def test_several_changes_are_one_version_and_the_same_again_is_none(house: Sessions) -> None:
    await service.add(house, "sri", Role.QA, "ani", NOW)
    changes = Changes(display_name="Sri", role=Role.SUPERVISOR)
    await service.change(house, "sri", changes, "ani", NOW, seen=1, why="promoted")
    assert (await told(house, "sri"))[2:] == [("display_name", "sri", "Sri"), ("role", "qa", "supervisor")]
    await service.change(house, "sri", changes, "ani", NOW, seen=2)
    assert ((await known(house, "sri")).user.version, len(await told(house, "sri"))) == (2, 4)


async def test_two_who_edit_the_same_user_do_not_overwrite_one_another(house: Sessions) -> None:
    await service.add(house, "sri", Role.QA, "ani", NOW)
    done = await asyncio.gather(
        *(service.change(house, "sri", Changes(display_name=f"Sri {n}"), "ani", NOW, seen=1) for n in range(5)),
        return_exceptions=True)
    assert [type(one) for one in done if one is not None] == [Conflict] * 4
    assert (await known(house, "sri")).user.version == 2


async def test_who_is_deactivated_loses_all_tokens_for_good(house: Sessions) -> None:
    token = await service.add(house, "sri", Role.QA, "ani", NOW)
    other = await service.new_token(house, "sri", "ani", NOW)
    await service.change(house, "sri", Changes(active=False), "ani", NOW)
    with pytest.raises(Refused, match="activate"):
        await service.new_token(house, "sri", "ani", NOW)
    await service.change(house, "sri", Changes(active=True), "ani", NOW)
    assert [await store.person_of(house, one, NOW) for one in (token, other)] == [None, None]
    new = await service.new_token(house, "sri", "ani", NOW)
    assert await store.person_of(house, new, NOW) == Person("sri", Role.QA)


async def test_one_token_or_all_are_revoked_and_again_is_harmless(house: Sessions) -> None:
    first = await service.add(house, "sri", Role.QA, "ani", NOW)
    others = [await service.new_token(house, "sri", "ani", NOW) for _ in range(2)]
    assert await service.revoke(house, "sri", "ani", NOW, token_id=2) == 1
    assert await store.person_of(house, first, NOW) is None
    assert await store.person_of(house, others[0], NOW) is not None
    assert await service.revoke(house, "sri", "ani", NOW) == 2
    assert await service.revoke(house, "sri", "ani", NOW) == 0
    assert [line for line in await told(house, "sri") if line[2] is None] == [
        ("token", {"id": n}, None) for n in (2, 3, 4)]


async def test_anothers_token_cannot_be_revoked_by_naming_oneself(house: Sessions) -> None:
    token = await service.add(house, "sri", Role.QA, "ani", NOW)
    with pytest.raises(Unknown):
        await service.revoke(house, "ani", "ani", NOW, token_id=2)
    assert await store.person_of(house, token, NOW) is not None


async def test_the_operators_row_follows_the_user(house: Sessions) -> None:
    async def row() -> tuple[str, list[str], bool]:
        async with house() as session:
            operator = await session.get_one(Operator, "op10")
        return operator.display_name, operator.skills, operator.active

    await service.add(house, "op10", Role.OPERATOR, "ani", NOW, skills=["fire"])
    await service.change(house, "op10", Changes(display_name="Wayan", skills=["police", "fire"]), "ani", NOW)
    assert await row() == ("Wayan", ["fire", "police"], True)
    await service.change(house, "op10", Changes(active=False), "ani", NOW)
    assert not (await row())[2]
    await service.change(house, "op10", Changes(active=True), "ani", NOW)
    assert (await row())[2]
    await service.change(house, "op10", Changes(role=Role.SUPERVISOR), "ani", NOW)
    assert await row() == ("Wayan", ["fire", "police"], False)
    assert ("skills", ["fire"], ["fire", "police"]) in await told(house, "op10")


async def test_a_person_who_becomes_an_agencys_needs_one_and_leaves_it_with_the_role(house: Sessions) -> None:
    await service.add(house, "sri", Role.QA, "ani", NOW)
    with pytest.raises(service.Invalid, match="belongs"):
        await service.change(house, "sri", Changes(role=Role.AGENCY), "ani", NOW)
    await service.change(house, "sri", Changes(role=Role.AGENCY, agency="damkar"), "ani", NOW)
    assert (await known(house, "sri")).user.agency == "damkar"
    await service.change(house, "sri", Changes(role=Role.QA), "ani", NOW)
    assert (await known(house, "sri")).user.agency is None


async def test_of_two_admins_who_dismiss_one_another_one_stays(house: Sessions) -> None:
    for n in range(5):
        await service.add(house, f"budi{n}", Role.ADMIN, "ani", NOW)
    everybody = ["ani", *(f"budi{n}" for n in range(5))]
    done = await asyncio.gather(
        *(service.change(house, name, Changes(role=Role.QA), "x", NOW) for name in everybody), return_exceptions=True)
    assert [type(one) for one in done if one is not None] == [Refused]
    async with house() as session:
        assert len(await store.users(session, NOW, role=Role.ADMIN, active=True)) == 1


async def test_of_two_who_add_the_same_name_one_is_told(house: Sessions) -> None:
    done = await asyncio.gather(
        *(service.add(house, "sri", role, "ani", NOW) for role in (Role.QA, Role.SUPERVISOR)), return_exceptions=True)
    assert [type(one) for one in done if not isinstance(one, str)] == [Refused]


async def test_a_password_lets_in_its_owner_and_nobody_else(house: Sessions) -> None:
    await service.add(house, "sri", Role.QA, "ani", NOW)
    assert await passwords.person_with(house, "sri", "") is None
    await service.set_password(house, "sri", GOOD, "sri", NOW)
    assert await passwords.person_with(house, "sri", GOOD) == Person("sri", Role.QA)
    for name, password in (("sri", GOOD + "."), ("ani", GOOD), ("ani", ""), ("nobody", GOOD), ("nobody", ""),
                           ("\0", GOOD), ("sri", "\ud800")):
        assert await passwords.person_with(house, name, password) is None, (name, password)
    await service.change(house, "sri", Changes(active=False), "ani", NOW)
    assert await passwords.person_with(house, "sri", GOOD) is None


async def test_letters_composed_otherwise_are_the_same_password(house: Sessions) -> None:
    await service.set_password(house, "ani", "caf\u00e9 di tepi pantai", "ani", NOW)
    assert await passwords.person_with(house, "ani", "cafe\u0301 di tepi pantai") is not None


async def test_for_a_name_that_nobody_has_a_hash_is_computed_all_the_same(
    house: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    real = passwords._ARGON2.verify
    monkeypatch.setattr(passwords._ARGON2, "verify", lambda given, kept: checked.append(kept) or real(given, kept))
    for name in ("nobody", "ani", "\0"):
        await passwords.person_with(house, name, GOOD)
    assert len(checked) == 3
    assert all(kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$") for kept in checked)


async def test_the_audit_holds_no_token_no_password_and_no_hash(house: Sessions, engine: AsyncEngine) -> None:
    token = await service.add(house, "sri", Role.QA, "ani", NOW)
    await service.set_password(house, "sri", GOOD, "ani", NOW)
    await service.revoke(house, "sri", "ani", NOW)
    async with house() as session:
        rows = (await session.scalars(select(Audit))).all()
        said = json.dumps([[row.who, row.which, row.field, row.before, row.after, row.why] for row in rows])
        kept = (await session.get_one(User, "sri")).password or ""
        hashes = (await session.scalars(select(Token.hash))).all()
    assert kept.startswith("$argon2id$")
    assert not [secret for secret in (token, token[3:], GOOD, kept, "argon2", *hashes) if secret in said]
    async with engine.connect() as connection:
        assert await connection.run_sync(lambda sync: list(audit.breaks(sync))) == []


async def test_people_are_listed_by_name_and_by_what_is_asked_for(house: Sessions) -> None:
    await service.add(house, "budi", Role.ADMIN, "ani", NOW)
    await service.add(house, "op10", Role.OPERATOR, "ani", NOW, skills=["fire"])
    await service.change(house, "budi", Changes(active=False), "ani", NOW)

    async def names(**asked: object) -> list[str]:
        async with house() as session:
            return [one.user.name for one in await store.users(session, NOW, **asked)]

    assert await names() == ["ani", "budi", "op10"]
    assert await names(role=Role.ADMIN) == ["ani", "budi"]
    assert await names(role=Role.ADMIN, active=True) == ["ani"]
    assert await names(after="ani", limit=1) == ["budi"]
    assert (await known(house, "op10")).skills == ["fire"]
    assert [(await known(house, name)).tokens for name in ("ani", "budi")] == [1, 0]
