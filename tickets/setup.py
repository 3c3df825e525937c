"""tickets: what an admin sets up: services and their forms, categories with their scripts, rules of forwarding.

Each function is one transaction with its lines in the audit. `by` is who does it, `now` the moment, `version` the one
they have seen. After an exception (`Refused`, `Conflict`, `store.Unknown`) nothing has changed; its text says what to
do. Nothing is ever removed but rules: what is deactivated is offered no more, and old tickets still name it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from db.audit import Entry, Trail
from db.models import Category, Form, ForwardRule, Service
from tickets import forms, setup_rules, setup_store, store
from tickets.edit import Conflict, Sessions
from tickets.refused import Refused
from tickets.store import EMERGENCY, Unknown


async def add_service(
    sessions: Sessions, code: str, values: Mapping[str, Any], *, by: str, now: datetime
) -> Service:
    """A new service, without a form; `values` by the names of setup_rules.SERVICE, name, prefix and topics needed."""
    given = {"accept_for": None, "handle_for": None, "active": True} | setup_rules.service(values)
    setup_rules.whole(given, ("name", "prefix", "topics"))
    service = Service(code=setup_rules.code("code", code), form_version=None, version=1, **given)
    async with sessions.begin() as session:
        await _check_prefix(session, service.code, service.prefix)
        await _add(session, service, given, by, now, "service")
    return service


async def change_service(
    sessions: Sessions, code: str, values: Mapping[str, Any], *, by: str, now: datetime, version: int | None = None
) -> Service:
    """What is given is changed. Numbers that were given out stay."""
    given = setup_rules.service(values)
    async with sessions.begin() as session:
        service = await setup_store.service(session, code, hold=True)
        if code == EMERGENCY and given.get("active") is False:
            raise Refused("active", "every call opens a ticket of this service; it cannot be deactivated")
        if "prefix" in given:
            await _check_prefix(session, code, given["prefix"])
        await _change(session, service, given, by, now, version, "service")
    return service


async def add_form(
    sessions: Sessions, code: str, schema: Any, *, by: str, now: datetime, version: int | None = None
) -> Form:
    """A new version of the service's form, in force at once; what was written against older ones stays readable.

    `version`: of the service.
    """
    checked = forms.check_schema(schema)
    async with sessions.begin() as session:
        service = await setup_store.service(session, code, hold=True)
        form = Form(
            service=code, version=await setup_store.last_form_version(session, code) + 1, schema=checked, at=now, who=by
        )
        session.add(form)
        await _change(session, service, {"form_version": form.version}, by, now, version, "service")
    return form


async def add_category(
    sessions: Sessions, code: str, values: Mapping[str, Any], *, by: str, now: datetime
) -> Category:
    """A new category; `values` by the names of setup_rules.CATEGORY, service, topic and name needed."""
    given = {"script": {"questions": []}, "active": True} | setup_rules.category(values)
    setup_rules.whole(given, ("service", "topic", "name"))
    category = Category(code=setup_rules.code("code", code), version=1, **given)
    async with sessions.begin() as session:
        await _check_topic(session, category.service, category.topic)
        await _add(session, category, given, by, now, "category")
    return category


async def change_category(
    sessions: Sessions, code: str, values: Mapping[str, Any], *, by: str, now: datetime, version: int | None = None
) -> Category:
    """What is given is changed; the script as a whole."""
    given = setup_rules.category(values)
    async with sessions.begin() as session:
        category = await setup_store.category(session, code, hold=True)
        if given.keys() & {"service", "topic"}:
            topic = given.get("topic", category.topic)
            await _check_topic(session, given.get("service", category.service), topic)
        await _change(session, category, given, by, now, version, "category")
    return category


async def add_rule(sessions: Sessions, values: Mapping[str, Any], *, by: str, now: datetime) -> ForwardRule:
    """One more rule of whom tickets are proposed to; `values` by the names of setup_rules.RULE."""
    given = setup_rules.rule(values)
    async with sessions.begin() as session:
        await setup_store.only_changer_of_rules(session)
        if given["topic"] is not None or given["service"] is not None:
            await _check_topic(session, given["service"], given["topic"])
        if given["area"] is not None and given["area"] not in await setup_store.areas(session, [given["area"]]):
            raise Refused("area", f"there is no area {given['area']}; import it first")
        try:
            agency = await store.agency(session, given["agency"])
        except Unknown as unknown:
            raise Refused("agency", str(unknown)) from None
        columns = {name: value for name, value in given.items() if name != "agency"}
        rule = ForwardRule(agency_id=agency.id, **columns)
        wanted = setup_store.as_rule(rule, agency)
        if any(setup_store.as_rule(*other) == wanted for other in await setup_store.rules(session)):
            raise Refused("agency", "this rule is there already")
        session.add(rule)
        await session.flush()
        await _told(session, by, now, "rules", str(rule.id), {"rule": (None, given)})
    return rule


async def remove_rule(sessions: Sessions, rule_id: int, *, by: str, now: datetime) -> None:
    """The agency is not proposed by it any more; what was forwarded stays."""
    async with sessions.begin() as session:
        await setup_store.only_changer_of_rules(session)
        rule, agency = await setup_store.rule(session, rule_id)
        await session.delete(rule)
        await _told(session, by, now, "rules", str(rule_id), {"rule": (vars(setup_store.as_rule(rule, agency)), None)})


async def _check_prefix(session: AsyncSession, code: str, prefix: str) -> None:
    other = await setup_store.service_with_prefix(session, prefix)
    if other is not None and other.code != code:
        raise Refused("prefix", f"the numbers of service {other.code} begin so already")


async def _check_topic(session: AsyncSession, service: str | None, topic: str | None) -> None:
    """Whether there is such a service, and whether it (or, without one, any) has the topic. Raises Refused."""
    known = {one.code: one.topics for one in await setup_store.services(session)}
    if service is not None and service not in known:
        raise Refused("service", f"there is no service {service}; there are: {', '.join(known)}")
    topics = sorted({topic for code, topics in known.items() for topic in topics if service in (None, code)})
    if topic is not None and topic not in topics:
        raise Refused("topic", f"topics are: {', '.join(topics)}")


async def _add(
    session: AsyncSession, row: Service | Category, given: Mapping[str, Any], by: str, now: datetime, what: str
) -> None:
    if not await setup_store.is_added(session, row):
        raise Refused("code", f"there is a {what} {row.code} already; change that one")
    await _told(session, by, now, what, row.code, {what: (None, given)})


async def _change(
    session: AsyncSession,
    row: Service | Category,
    given: Mapping[str, Any],
    by: str,
    now: datetime,
    version: int | None,
    what: str,
) -> None:
    if version is not None and version != row.version:
        raise Conflict(
            f"{what} {row.code} was changed meanwhile (you saw version {version}, it is at {row.version}); "
            "load it again and repeat what is still needed"
        )
    new = {name: (getattr(row, name), value) for name, value in given.items() if getattr(row, name) != value}
    if new:
        row.version += 1
        for name, (_, value) in new.items():
            setattr(row, name, value)
        await _told(session, by, now, what, row.code, new)


async def _told(
    session: AsyncSession, by: str, now: datetime, what: str, which: str, changes: Mapping[str, tuple[Any, Any]]
) -> None:
    """The last statement of a transaction."""
    trail = Trail()
    for field, (before, after) in changes.items():
        trail.add(Entry(now, by, what, which, field, before, after))
    await trail.seal_in(session)
