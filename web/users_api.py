"""web: people: who they are, what they may, and the tokens by which programs act as them. A token is told once."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AfterValidator, Field, StringConstraints

from db.engine import reading_session
from db.models import Token, User
from ivr.menu import TOPICS
from people import rules, service, store
from people.person import Person
from people.rights import CHANGE, READ, Resource, Role
from people.service import Changes
from people.store import Known
from people.tokens import hash_of
from routing import roster_edit
from web import etags, paging, shapes
from web.access import may
from web.house import House
from web.idempotency import told_once
from web.paging import Page
from web.shapes import row

_HIDDEN = frozenset({"password"})
_TOKEN_HIDDEN = frozenset({"hash", "user"})
#: `tokens`: how many open a door now; `skills`: of an operator, or of somebody who was one
_MORE: dict[str, Any] = {"tokens": int, "has_password": bool, "skills": list[str] | None}
UserSaid: Any = shapes.model_of(User, "UserSaid", without=_HIDDEN, **_MORE)
UserMade: Any = shapes.model_of(User, "UserMade", without=_HIDDEN, token=str, **_MORE)
#: `warnings`: when nobody is on duty, if the change took an operator away
UserChanged: Any = shapes.model_of(User, "UserChanged", without=_HIDDEN, warnings=list[str], **_MORE)
TokenSaid: Any = shapes.model_of(Token, "TokenSaid", without=_TOKEN_HIDDEN)
TokenMade: Any = shapes.model_of(Token, "TokenMade", without=_TOKEN_HIDDEN, token=str)

Reader = Annotated[Person, may(READ, Resource.USERS)]
Changer = Annotated[Person, may(CHANGE, Resource.USERS)]
UserName = Annotated[str, Path(pattern=f"^{rules.NAME}$")]
TokenId = Annotated[int, Path(ge=1, le=2**31 - 1)]


def _skill(topic: str) -> str:
    if topic == "any":
        raise ValueError(f"skills are: {', '.join(sorted(TOPICS - {'any'}))}")
    return topic


Skills = Annotated[list[Annotated[shapes.Topic, AfterValidator(_skill)]], Field(max_length=len(TOPICS))]


class Lifetime(shapes.Body):
    """How long a token lasts: days; null: until it is revoked."""

    expires_days: int | None = Field(None, ge=1, le=3650)


class UserBody(Lifetime):
    """Somebody new. `agency` goes with the role agency and with no other, `skills` with operator alone."""

    name: Annotated[str, StringConstraints(max_length=64)]
    role: Role
    display_name: shapes.Name | None = None
    agency: shapes.Code | None = None
    skills: Skills | None = None


class UserChanges(shapes.Body):
    """What shall be otherwise; what is left out or null stays. Whoever becomes inactive loses all tokens."""

    display_name: shapes.Name | None = None
    role: Role | None = None
    agency: shapes.Code | None = None
    skills: Skills | None = None
    active: bool | None = None
    #: for the audit
    why: shapes.Reason | None = None


class Revoked(shapes.Answer):
    """How many tokens open nothing from now on."""

    revoked: int


def router(house: House) -> APIRouter:
    """Routes under /api/users."""
    routes = APIRouter(prefix="/users")

    @routes.get("", response_model=Page[UserSaid], summary="All people")
    async def everybody(
        who: Reader, role: Role | None = None, active: Annotated[bool | None, Query()] = None,
        limit: paging.Limit = 50, after: paging.After = None,
    ) -> Any:
        """By name."""
        key = paging.key(after, str)
        async with reading_session(house.sessions) as session:
            found = await store.users(
                session, _now(), role=role, active=active, after=key[0] if key else "", limit=limit + 1)
        return paging.page([_said(one) for one in found], limit, lambda said: (said["name"],))

    @routes.get("/{name}", response_model=UserSaid, summary="One person")
    async def one(who: Reader, name: UserName, response: Response) -> Any:
        return await _one(house, name, response)

    @routes.post("", response_model=UserMade, status_code=201, summary="Add somebody")
    async def add(who: Changer, body: UserBody, request: Request, response: Response) -> Any:
        """Add somebody. Their token is told here, once."""
        made = await service.add(
            house.sessions, body.name, body.role, who.name, _now(), display_name=body.display_name,
            agency=body.agency, skills=body.skills, expires_days=body.expires_days)
        told_once(request)
        response.headers["Location"] = f"/api/users/{body.name}"
        return await _one(house, body.name, response) | {"token": made}

    @routes.patch("/{name}", response_model=UserChanged, summary="Change somebody's name, role, skills, or let them go")
    async def change(who: Changer, name: UserName, seen: etags.Seen, body: UserChanges, response: Response) -> Any:
        """All of it or nothing. The last active admin stays one. An operator who leaves may leave hours with nobody
        on: it is done all the same, and told in `warnings`."""
        changes = Changes(**body.model_dump(exclude={"why"}))
        await service.change(house.sessions, name, changes, who.name, _now(), seen=seen, why=body.why)
        leaves = changes.active is False or changes.role not in (None, Role.OPERATOR)
        today = _now().astimezone(house.timezone).date()
        warnings = await roster_edit.nobody_on(house.sessions, today) if leaves else []
        return await _one(house, name, response) | {"warnings": warnings}

    @routes.get("/{name}/tokens", response_model=Page[TokenSaid], summary="Somebody's tokens, by number")
    async def tokens(who: Reader, name: UserName) -> Any:
        """All at once, also those that open nothing any more. Of the tokens themselves nothing is kept."""
        async with reading_session(house.sessions) as session:
            return {"items": [row(one, _TOKEN_HIDDEN) for one in await store.tokens_of(session, name)], "next": None}

    @routes.post("/{name}/tokens", response_model=TokenMade, status_code=201, summary="Give somebody one more token")
    async def new_token(who: Changer, name: UserName, body: Lifetime, request: Request) -> Any:
        """One more token, told here, once; the others stay."""
        made = await service.new_token(house.sessions, name, who.name, _now(), expires_days=body.expires_days)
        told_once(request)
        async with reading_session(house.sessions) as session:
            kept = next(one for one in await store.tokens_of(session, name) if one.hash == hash_of(made))
        return row(kept, _TOKEN_HIDDEN) | {"token": made}

    @routes.delete("/{name}/tokens", response_model=Revoked, summary="Revoke all tokens of somebody")
    async def revoke_all(who: Changer, name: UserName) -> Any:
        """Again is harmless."""
        return {"revoked": await service.revoke(house.sessions, name, who.name, _now())}

    @routes.delete("/{name}/tokens/{token_id}", response_model=Revoked, summary="Revoke one token")
    async def revoke(who: Changer, name: UserName, token_id: TokenId) -> Any:
        """Again is harmless."""
        return {"revoked": await service.revoke(house.sessions, name, who.name, _now(), token_id=token_id)}

    return routes


async def _one(house: House, name: str, response: Response) -> dict[str, Any]:
    async with reading_session(house.sessions) as session:
        found = await store.user(session, name, _now())
    etags.tag(response, found.user.version)
    return _said(found)


def _said(one: Known) -> dict[str, Any]:
    return row(one.user, _HIDDEN) | {
        "tokens": one.tokens, "has_password": one.user.password is not None, "skills": one.skills}


def _now() -> datetime:
    return datetime.now(UTC)
