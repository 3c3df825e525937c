"""web: what an admin sets up: services with their forms, categories with their scripts, rules of forwarding."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from db.engine import reading_session
from db.models import Category, Form, ForwardRule, Service
from people.person import Person
from people.rights import CHANGE, READ, Resource
from tickets import setup, setup_store
from web import etags, shapes
from web.access import may
from web.etags import Seen
from web.house import House
from web.paging import Page
from web.shapes import Body, Code, Line, Name, row

Reader = Annotated[Person, may(READ, Resource.SETUP)]
Changer = Annotated[Person, may(CHANGE, Resource.SETUP)]
CodeInPath = Annotated[Code, Path()]
Version = Annotated[int, Path(ge=1, le=2**31 - 1)]
RuleId = Annotated[int, Path(ge=1, le=2**31 - 1)]
Hour = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Seconds = Annotated[float, Field(gt=0, le=366 * 24 * 3600)]
Topics = Annotated[list[Code], Field(min_length=1, max_length=30)]

ServiceSaid: Any = shapes.model_of(Service, "ServiceSaid")
FormSaid: Any = shapes.model_of(Form, "FormSaid")
CategorySaid: Any = shapes.model_of(Category, "CategorySaid")
RuleSaid: Any = shapes.model_of(ForwardRule, "RuleSaid", without=("agency_id",), agency=str)


class ServiceBody(Body):
    """What is given is changed; a clock that is null does not run."""

    name: Name | None = None
    prefix: Line | None = Field(None, description='before its tickets\' numbers: "" or e.g. "L-"')
    topics: Topics | None = None
    accept_for: Seconds | None = Field(None, description="an agency has so long to accept, seconds")
    handle_for: Seconds | None = Field(None, description="a report is handled so long after its arrival, seconds")
    active: bool | None = None


class NewServiceBody(ServiceBody):
    """A service, without a form yet."""

    code: Code
    name: Name
    prefix: Line
    topics: Topics


class FormBody(Body):
    """A JSON Schema, draft 2020-12, of an object."""

    schema_: dict[str, Any] = Field(alias="schema")


class Question(Body):
    """One question of a category's script."""

    key: Line
    text: Name
    required: bool = False


class Script(Body):
    """What an operator asks, in this order; the answers to the required ones are A1's evidence."""

    questions: list[Question] = Field(max_length=30)


class CategoryBody(Body):
    """What is given is changed, the script as a whole."""

    service: Code | None = None
    topic: Code | None = None
    name: Name | None = None
    script: Script | None = None
    active: bool | None = None


class NewCategoryBody(CategoryBody):
    """A category; without a script, its evidence is told in words."""

    code: Code
    service: Code
    topic: Code
    name: Name


class RuleBody(Body):
    """Whom tickets are proposed to; what is null fits all."""

    service: Code | None = None
    topic: Code | None = None
    area: Line | None = Field(None, description="code of a sub-district (with all its villages) or of a village")
    starts: Hour | None = Field(None, description="local wall time")
    ends: Hour | None = Field(None, description="local wall time; before (or at) the start: on the next day")
    agency: Code


def router(house: House) -> APIRouter:
    """Routes under /api/services, /api/categories and /api/rules."""
    routes = APIRouter()
    sessions = house.sessions

    @routes.get("/services", response_model=Page[ServiceSaid], summary="All services")
    async def services(who: Reader) -> Any:
        """All at once, also those that are not offered any more."""
        async with reading_session(sessions) as session:
            return _all(await setup_store.services(session))

    @routes.post("/services", status_code=201, response_model=ServiceSaid, summary="Add a service")
    async def add_service(who: Changer, body: NewServiceBody, response: Response) -> Any:
        made = await setup.add_service(sessions, body.code, _given(body, "code"), by=who.name, now=_now())
        response.headers["Location"] = f"/api/services/{made.code}"
        return _tagged(response, made)

    @routes.get("/services/{code}", response_model=ServiceSaid, summary="One service")
    async def service(who: Reader, code: CodeInPath, response: Response) -> Any:
        async with reading_session(sessions) as session:
            return _tagged(response, await setup_store.service(session, code))

    @routes.patch("/services/{code}", response_model=ServiceSaid, summary="Change a service")
    async def change_service(
        who: Changer, code: CodeInPath, seen: Seen, body: ServiceBody, response: Response
    ) -> Any:
        """What is deactivated is offered no more; old tickets keep it."""
        done = await setup.change_service(sessions, code, _given(body), by=who.name, now=_now(), version=seen)
        return _tagged(response, done)

    @routes.get("/services/{code}/forms", response_model=Page[FormSaid], summary="All versions of a service's form")
    async def forms(who: Reader, code: CodeInPath) -> Any:
        """All versions of its form, the newest first."""
        async with reading_session(sessions) as session:
            await setup_store.service(session, code)
            return _all(await setup_store.forms(session, code))

    @routes.get("/services/{code}/forms/{version}", response_model=FormSaid, summary="One version of a service's form")
    async def form(who: Reader, code: CodeInPath, version: Version) -> Any:
        async with reading_session(sessions) as session:
            return row(await setup_store.form(session, code, version))

    @routes.post(
        "/services/{code}/forms", status_code=201, response_model=FormSaid, summary="Give a service a new form")
    async def add_form(who: Changer, code: CodeInPath, seen: Seen, body: FormBody, response: Response) -> Any:
        """A new version, in force at once; what was written against older ones stays readable. If-Match is the
        service's."""
        made = await setup.add_form(sessions, code, body.schema_, by=who.name, now=_now(), version=seen)
        response.headers["Location"] = f"/api/services/{code}/forms/{made.version}"
        return row(made)

    @routes.get("/categories", response_model=Page[CategorySaid], summary="All categories")
    async def categories(who: Reader, service: Annotated[Code | None, Query()] = None) -> Any:
        """All at once, also those that are not offered any more."""
        async with reading_session(sessions) as session:
            return _all(await setup_store.categories(session, service))

    @routes.post("/categories", status_code=201, response_model=CategorySaid, summary="Add a category")
    async def add_category(who: Changer, body: NewCategoryBody, response: Response) -> Any:
        made = await setup.add_category(sessions, body.code, _given(body, "code"), by=who.name, now=_now())
        response.headers["Location"] = f"/api/categories/{made.code}"
        return _tagged(response, made)

    @routes.get("/categories/{code}", response_model=CategorySaid, summary="One category")
    async def category(who: Reader, code: CodeInPath, response: Response) -> Any:
        async with reading_session(sessions) as session:
            return _tagged(response, await setup_store.category(session, code))

    @routes.patch("/categories/{code}", response_model=CategorySaid, summary="Change a category")
    async def change_category(
        who: Changer, code: CodeInPath, seen: Seen, body: CategoryBody, response: Response
    ) -> Any:
        done = await setup.change_category(sessions, code, _given(body), by=who.name, now=_now(), version=seen)
        return _tagged(response, done)

    @routes.get("/rules", response_model=Page[RuleSaid], summary="All rules of forwarding")
    async def rules(who: Reader) -> Any:
        """All at once, in the order in which they were made."""
        async with reading_session(sessions) as session:
            found = await setup_store.rules(session)
        return {"items": [row(rule) | {"agency": agency.code} for rule, agency in found], "next": None}

    @routes.post("/rules", status_code=201, response_model=RuleSaid, summary="Add a rule of forwarding")
    async def add_rule(who: Changer, body: RuleBody) -> Any:
        made = await setup.add_rule(sessions, body.model_dump(), by=who.name, now=_now())
        return row(made) | {"agency": body.agency}

    @routes.delete("/rules/{rule_id}", status_code=204, summary="Remove a rule of forwarding")
    async def remove_rule(who: Changer, rule_id: RuleId) -> None:
        """The agency is not proposed by it any more; what was forwarded stays."""
        await setup.remove_rule(sessions, rule_id, by=who.name, now=_now())

    return routes


def _given(body: Body, *without: str) -> dict[str, Any]:
    return body.model_dump(exclude_unset=True, exclude=set(without))


def _all(rows: Any) -> dict[str, Any]:
    return {"items": [row(one) for one in rows], "next": None}


def _tagged(response: Response, of: Service | Category) -> dict[str, Any]:
    etags.tag(response, of.version)
    return row(of)


def _now() -> datetime:
    return datetime.now(UTC)
