"""What an admin sets up: whole, told in the audit, or refused with field and reason."""

import asyncio
from datetime import time
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from db.models import Agency, Audit, ForwardRule, Service
from ivr.menu import TOPICS
from routing.store import seed as roster_seed
from tests.tickets.conftest import NOW
from tickets import areas_store, forms, seed, service, setup, setup_rules, setup_store, store
from tickets.edit import Conflict
from tickets.refused import Refused
from tickets.sources import Source

BY: dict[str, Any] = {"by": "adi", "now": NOW}
WATER = {"name": "Air bersih", "prefix": "A-", "topics": ["water"]}


async def audited(desk, what: str) -> list[tuple[str, str, str, Any, Any]]:
    async with desk.sessions() as session:
        rows = await session.scalars(select(Audit).where(Audit.what == what).order_by(Audit.seq))
        return [(row.who, row.which, row.field, row.before, row.after) for row in rows]


async def refused(doing: Any) -> str:
    with pytest.raises(Refused) as told:
        await doing
    return told.value.field


# the seed


async def test_two_who_seed_at_once_seed_once_and_again_changes_nothing(engine, sessions) -> None:
    async def lay() -> None:
        async with engine.begin() as connection:
            await connection.run_sync(roster_seed)
            await connection.run_sync(setup_store.seed)

    await asyncio.gather(*(lay() for _ in range(4)))
    async with sessions() as session:
        rules = await session.scalar(select(func.count(ForwardRule.id)))
        topics = sum(len(agency.topics) for agency in await session.scalars(select(Agency)))
        assert (rules, await session.scalar(select(func.count(Service.code)))) == (topics, 3)


async def test_an_old_houses_agencies_are_proposed_as_before(engine, sessions) -> None:
    def old_house(connection: Connection) -> None:
        connection.execute(Agency.__table__.insert().values(
            code="dinkes", name="Dinkes Lama", topics=["medical", "social"], active=False))

    async with engine.begin() as connection:
        await connection.run_sync(old_house)
        await connection.run_sync(setup_store.seed)
    async with sessions() as session:
        rules = [(agency.name, rule.topic) for rule, agency in await setup_store.rules(session)]
        assert [topic for name, topic in rules if name == "Dinkes Lama"] == ["medical", "social"]
        _, in_force = await setup_store.rules_in_force(session)
        assert "dinkes" not in in_force


def test_the_seed_keeps_to_the_rules_that_an_admin_keeps_to() -> None:
    topics = {one["code"]: one["topics"] for one in seed.SERVICES}
    for one in seed.SERVICES:
        setup_rules.service({name: one[name] for name in setup_rules.SERVICE if name in one})
    for one in seed.CATEGORIES:
        assert setup_rules.category({name: one[name] for name in setup_rules.CATEGORY if name in one})
        assert one["topic"] in topics[one["service"]]
        questions = one["script"]["questions"]
        assert 3 <= len(questions) <= 6
        assert any(question["required"] for question in questions)
    for one in seed.FORMS:
        forms.check_schema(one["schema"])
    assert set(topics[store.EMERGENCY]) == TOPICS - {"any"}


async def test_whoever_is_set_up_gets_proposals_for_every_topic(desk) -> None:
    found = {}
    for one in seed.SERVICES:
        for topic in one["topics"]:
            ticket = await service.open_ticket(
                desk.sessions, service=one["code"], source=Source.WALK_IN, values={"topic": topic}, by="op01", now=NOW)
            async with desk.sessions() as session:
                agencies = await service.proposed_agencies(session, ticket, time(12, 0))
            found[one["code"], topic] = [agency.code for agency in agencies]
    assert found.pop(("emergency", "information")) == []
    assert all(found.values())
    assert found["emergency", "medical"] == ["ambulans118", "psc119"]
    assert found["social-welfare", "housing"] == ["perkim"]


# services and forms


async def test_a_new_service_works_at_once(desk) -> None:
    await setup.add_service(desk.sessions, "water", WATER | {"handle_for": 86400}, **BY)
    schema = {"type": "object", "properties": {"wells": {"type": "integer", "title": "Sumur"}}}
    assert (await setup.add_form(desk.sessions, "water", schema, **BY, version=1)).version == 1
    await setup.add_category(
        desk.sessions, "dry-well", {"service": "water", "topic": "water", "name": "Sumur kering"}, **BY)
    ticket = await service.open_ticket(
        desk.sessions, service="water", source=Source.WEBSITE, values={"category": "dry-well", "form": {"wells": 2}},
        by="op01", now=NOW)
    assert (ticket.number, ticket.topic, ticket.form) == ("A-2611-0001", "water", {"wells": 2})
    given = WATER | {"accept_for": None, "handle_for": 86400, "active": True}
    assert await audited(desk, "service") == [
        ("adi", "water", "service", None, given), ("adi", "water", "form_version", None, 1)]


async def test_a_change_says_what_was_before_and_the_same_again_is_none(desk) -> None:
    for _ in range(2):
        done = await setup.change_service(desk.sessions, "elder", {"handle_for": 7200, "name": "Lansia"}, **BY)
        assert (done.version, done.handle_for) == (2, 7200)
    assert await audited(desk, "service") == [
        ("adi", "elder", "handle_for", 14400, 7200), ("adi", "elder", "name", "Lansia Sebatang Kara", "Lansia")]


async def test_who_saw_an_older_version_is_told_and_nothing_changes(desk) -> None:
    await setup.change_service(desk.sessions, "elder", {"name": "Lansia"}, **BY, version=1)
    for late in (
        setup.change_service(desk.sessions, "elder", {"name": "x"}, **BY, version=1),
        setup.add_form(desk.sessions, "elder", {"type": "object"}, **BY, version=1),
    ):
        with pytest.raises(Conflict, match=r"service elder was changed meanwhile \(you saw version 1, it is at 2\)"):
            await late
    async with desk.sessions() as session:
        assert len(await setup_store.forms(session, "elder")) == 1
    with pytest.raises(Conflict):
        await setup.change_category(desk.sessions, "flood", {"name": "x"}, **BY, version=2)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": ""}, "name"), ({"name": "x\ny"}, "name"), ({"name": None}, "name"), ({"prefix": "l"}, "prefix"),
        ({"prefix": "L-"}, "prefix"), ({"prefix": ""}, "prefix"), ({"prefix": None}, "prefix"),
        ({"topics": []}, "topics"), ({"topics": ["a", "a"]}, "topics"), ({"topics": ["A b"]}, "topics.0"),
        ({"topics": ["any"]}, "topics.0"), ({"topics": "fire"}, "topics"), ({"accept_for": 0}, "accept_for"),
        ({"handle_for": -1}, "handle_for"), ({"handle_for": float("nan")}, "handle_for"), ({"active": 1}, "active"),
        ({"version": 7}, "version"), ({"form_version": 7}, "form_version"),
    ],
)  # fmt: skip
async def test_a_service_that_makes_no_sense_is_refused(desk, values: dict[str, Any], field: str) -> None:
    assert await refused(setup.add_service(desk.sessions, "water", WATER | values, **BY)) == field
    assert await refused(setup.change_service(desk.sessions, "social-welfare", values, **BY)) == field
    async with desk.sessions() as session:
        assert [one.version for one in await setup_store.services(session)] == [1, 1, 1]
    assert await audited(desk, "service") == []


async def test_there_is_one_of_a_code_and_calls_have_their_service(desk) -> None:
    sessions = desk.sessions
    assert await refused(setup.add_service(sessions, "elder", WATER, **BY)) == "code"
    assert await refused(setup.add_service(sessions, "Elder", WATER, **BY)) == "code"
    assert await refused(setup.change_service(sessions, "emergency", {"active": False}, **BY)) == "active"
    assert await refused(setup.add_form(sessions, "elder", {"type": "array"}, **BY)) == "schema"
    for doing in (
        setup.change_service(sessions, "none", {}, **BY), setup.add_form(sessions, "none", {"type": "object"}, **BY),
        setup.change_category(sessions, "none", {}, **BY), setup.remove_rule(sessions, 4711, **BY),
    ):  # fmt: skip
        with pytest.raises(store.Unknown):
            await doing


# categories


def script(*questions: Any) -> dict[str, Any]:
    return {"script": {"questions": list(questions)}}


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"service": "none"}, "service"), ({"service": None}, "service"), ({"topic": "housing"}, "topic"),
        ({"topic": None}, "topic"), ({"topic": "any"}, "topic"), ({"name": " "}, "name"), ({"script": None}, "script"),
        ({"script": {}}, "script"), ({"script": {"questions": [], "x": 1}}, "script"),
        (script({"key": "a"}), "script.questions.0"), (script("a"), "script.questions.0"),
        (script({"key": "A!", "text": "?"}), "script.questions.0.key"),
        (script({"key": "a", "text": " "}), "script.questions.0.text"),
        (script({"key": "a", "text": "?", "required": "no"}), "script.questions.0.required"),
        (script({"key": "a", "text": "?"}, {"key": "a", "text": "?"}), "script"),
        (script(*({"key": f"k{n}", "text": "?"} for n in range(31))), "script"),
    ],
)  # fmt: skip
async def test_a_category_that_makes_no_sense_is_refused(desk, values: dict[str, Any], field: str) -> None:
    whole = {"service": "emergency", "topic": "fire", "name": "Asap"}
    assert await refused(setup.add_category(desk.sessions, "smoke", whole | values, **BY)) == field
    assert await refused(setup.change_category(desk.sessions, "house-fire", values, **BY)) == field
    assert await audited(desk, "category") == []


async def test_a_script_is_changed_as_a_whole_and_told(desk) -> None:
    asked = script({"key": "a", "text": "Apa?"})
    done = await setup.change_category(desk.sessions, "flood", asked, **BY, version=1)
    assert (done.version, done.script["questions"]) == (2, [{"key": "a", "text": "Apa?", "required": False}])
    [(who, which, field, before, after)] = await audited(desk, "category")
    assert (who, which, field, after) == ("adi", "flood", "script", done.script)
    assert before["questions"][0]["key"] == "depth"
    assert await refused(setup.add_category(
        desk.sessions, "flood", {"service": "emergency", "topic": "fire", "name": "x"}, **BY)) == "code"


# rules


async def test_a_rule_proposes_at_once_and_no_more_when_it_is_gone(desk, engine) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(areas_store.seed)
    ticket_id = await desk.draft("fire")
    ticket = await service.fill(desk.sessions, ticket_id, {"village": "00.00.01.0001"}, by="op01", now=NOW)

    async def proposed(at: time) -> list[str]:
        async with desk.sessions() as session:
            return [agency.code for agency in await service.proposed_agencies(session, ticket, at)]

    by_night = {"topic": "fire", "area": "00.00.01", "starts": "22:00", "ends": "05:00", "agency": "bpbd"}
    rule = await setup.add_rule(desk.sessions, by_night, **BY)
    assert (await proposed(time(23, 0)), await proposed(time(12, 0))) == (["bpbd", "damkar"], ["damkar"])
    assert await refused(setup.add_rule(desk.sessions, by_night, **BY)) == "agency"
    await setup.remove_rule(desk.sessions, rule.id, **BY)
    assert await proposed(time(23, 0)) == ["damkar"]
    told = {"service": None, **by_night}
    assert await audited(desk, "rules") == [
        ("adi", str(rule.id), "rule", None, told), ("adi", str(rule.id), "rule", told, None)]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"agency": None}, "agency"), ({"agency": "nobody"}, "agency"), ({"topic": "weather"}, "topic"),
        ({"service": "none"}, "service"), ({"service": "elder", "topic": "fire"}, "topic"), ({"area": "99"}, "area"),
        ({"starts": "07:00"}, "ends"), ({"ends": "07:00"}, "starts"), ({"starts": "7:00", "ends": "9:00"}, "starts"),
        ({"starts": "07:00", "ends": "24:00"}, "ends"), ({"id": 7}, "id"), ({"topic": "fire"}, "agency"),
    ],
)  # fmt: skip
async def test_a_rule_that_makes_no_sense_is_refused(desk, values: dict[str, Any], field: str) -> None:
    assert await refused(setup.add_rule(desk.sessions, {"agency": "damkar"} | values, **BY)) == field
    assert await audited(desk, "rules") == []
