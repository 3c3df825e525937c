"""tickets: the SQL of what an admin sets up: services, their forms, categories, rules of forwarding; and the seed.

Functions take a session (or connection) and leave commit to its owner.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import Agency, Area, Attachment, Base, Category, Form, ForwardRule, Service, Ticket
from tickets import seed as new_house
from tickets.store import Unknown
from tickets.told import About
from tickets.whom import Rule


async def services(session: AsyncSession) -> Sequence[Service]:
    """All, by code."""
    return (await session.scalars(select(Service).order_by(Service.code))).all()


async def services_by_code(session: AsyncSession) -> dict[str, Service]:
    return {one.code: one for one in await services(session)}


async def service(session: AsyncSession, code: str, *, hold: bool = False) -> Service:
    """`hold`: others who want to change it wait for our transaction. Raises Unknown."""
    found: Service | None = await session.scalar(_held(select(Service).where(Service.code == code), hold))
    if found is None:
        raise Unknown(f"there is no service {code}")
    return found


async def service_with_prefix(session: AsyncSession, prefix: str) -> Service | None:
    return await session.scalar(select(Service).where(Service.prefix == prefix))


async def forms(session: AsyncSession, service: str) -> Sequence[Form]:
    """All versions of a service's form, the newest first."""
    return (
        await session.scalars(select(Form).where(Form.service == service).order_by(Form.version.desc()))
    ).all()


async def form(session: AsyncSession, service: str, version: int) -> Form:
    """Raises Unknown."""
    found = await session.get(Form, (service, version))
    if found is None:
        raise Unknown(f"service {service} has no form of version {version}")
    return found


async def last_form_version(session: AsyncSession, service: str) -> int:
    """0: it never had a form."""
    return await session.scalar(select(func.max(Form.version)).where(Form.service == service)) or 0


async def categories(session: AsyncSession, service: str | None = None) -> Sequence[Category]:
    """All of a service (None: of all), by code."""
    wanted = select(Category).order_by(Category.code)
    return (await session.scalars(wanted if service is None else wanted.where(Category.service == service))).all()


async def category(session: AsyncSession, code: str, *, hold: bool = False) -> Category:
    """`hold`: others who want to change it wait for our transaction. Raises Unknown."""
    found: Category | None = await session.scalar(_held(select(Category).where(Category.code == code), hold))
    if found is None:
        raise Unknown(f"there is no category {code}")
    return found


async def rules(session: AsyncSession) -> Sequence[tuple[ForwardRule, Agency]]:
    """All, with the agency that each proposes, in the order in which they were made."""
    rows = await session.execute(select(ForwardRule, Agency).join(Agency).order_by(ForwardRule.id))
    return [(rule, agency) for rule, agency in rows]


async def rule(session: AsyncSession, rule_id: int) -> tuple[ForwardRule, Agency]:
    """Raises Unknown."""
    row = (
        await session.execute(select(ForwardRule, Agency).join(Agency).where(ForwardRule.id == rule_id))
    ).one_or_none()
    if row is None:
        raise Unknown(f"there is no rule {rule_id}")
    return row[0], row[1]


async def rules_in_force(session: AsyncSession) -> tuple[list[Rule], dict[str, Agency]]:
    """For tickets.whom: the rules of active agencies, and those agencies by code."""
    found = [(rule, agency) for rule, agency in await rules(session) if agency.active]
    return [as_rule(rule, agency) for rule, agency in found], {agency.code: agency for _, agency in found}


def as_rule(rule: ForwardRule, agency: Agency) -> Rule:
    return Rule(agency.code, rule.service, rule.topic, rule.area, rule.starts, rule.ends)


async def areas(session: AsyncSession, codes: Iterable[str | None]) -> dict[str, Area]:
    """Those of the codes that are areas, offered or not."""
    wanted = {code for code in codes if code is not None}
    if not wanted:
        return {}
    return {area.code: area for area in await session.scalars(select(Area).where(Area.code.in_(wanted)))}


async def about(session: AsyncSession, ticket: Ticket) -> About:
    """What the ticket's codes stand for; the form is the one that was filled, or is to be filled now."""
    known = await areas(session, [ticket.subdistrict, ticket.village])
    names = {code: area.name for code, area in known.items()}
    category = await session.get(Category, ticket.category) if ticket.category is not None else None
    version = ticket.form_version
    if version is None:
        version = await session.scalar(select(Service.form_version).where(Service.code == ticket.service))
    form = await session.get(Form, (ticket.service, version)) if version is not None else None
    return About(
        category,
        names.get(ticket.subdistrict or ""),
        names.get(ticket.village or ""),
        form.schema if form is not None else None,
    )


async def accept_for(session: AsyncSession, service: str) -> float | None:
    """Seconds that an agency has to accept a ticket of the service; None: no clock."""
    found: float | None = await session.scalar(select(Service.accept_for).where(Service.code == service))
    return found


async def media_types(session: AsyncSession, ticket_id: int) -> dict[int, str]:
    """Of the ticket's attachments, by their ids."""
    rows = await session.execute(
        select(Attachment.id, Attachment.media_type).where(Attachment.ticket_id == ticket_id)
    )
    return {row.id: row.media_type for row in rows}


async def is_added(session: AsyncSession, row: Service | Category) -> bool:
    """False: there is one of its code already, and nothing more can be done in this transaction."""
    session.add(row)
    try:
        await session.flush()
    except IntegrityError:
        return False
    return True


async def only_changer_of_rules(session: AsyncSession) -> None:
    """Two who change the rules take turns; whoever reads does not wait. SQLite has one writer anyway."""
    connection = await session.connection()
    if connection.dialect.name == "postgresql":
        await connection.exec_driver_sql("LOCK TABLE forward_rules IN SHARE ROW EXCLUSIVE MODE")


def seed(connection: Connection) -> None:
    """Services with forms and categories, their agencies, and a rule for each topic of an agency that is there; where
    there are no services at all yet. After the roster's seed, which brings agencies. Two at once are harmless.

    From asyncio: `await connection.run_sync(seed)`.
    """
    if connection.scalar(select(Service.code).limit(1)) is not None:
        return
    services = _insert(connection, Service, [one | {"active": True, "version": 1} for one in new_house.SERVICES])
    if not connection.scalars(services.returning(Service.code)).all():
        return  # somebody else has just done it
    connection.execute(insert(Form), [one | {"who": "kentongan"} for one in new_house.FORMS])
    connection.execute(insert(Category), [one | {"active": True, "version": 1} for one in new_house.CATEGORIES])
    connection.execute(_insert(connection, Agency, [one | {"active": True} for one in new_house.AGENCIES]))
    rules = [
        {"topic": topic, "agency_id": agency.id}
        for agency in connection.execute(select(Agency.id, Agency.topics).order_by(Agency.code))
        for topic in agency.topics
    ]
    if rules:
        connection.execute(insert(ForwardRule), rules)


def _insert(connection: Connection, table: type[Base], rows: list[dict[str, Any]]) -> Any:
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table).values(rows).on_conflict_do_nothing()


def _held(query: Select[Any], hold: bool) -> Select[Any]:
    return query.with_for_update().execution_options(populate_existing=True) if hold else query
