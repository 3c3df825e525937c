"""web: the operators' desks: who is there, and who takes calls."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter

from db.engine import reading_session
from people.person import Person
from people.rights import CHANGE, READ, Resource
from routing.desk import Desk
from tickets.store import Unknown
from web import shapes, store
from web.access import may, must_be_own
from web.house import House

Changer = Annotated[Person, may(CHANGE, Resource.DESKS)]


def router(house: House) -> APIRouter:
    """Routes under /api/operators."""
    routes = APIRouter(prefix="/operators")

    @routes.get("")
    async def everybody(who: Annotated[Person, may(READ, Resource.DESKS)]) -> dict[str, Any]:
        names = await _display_names(house)
        return {"items": [_said(desk, names) for desk in house.centre.acd.desks.values()], "next": None}

    async def change(who: Person, name: str, step: Callable[[str], None]) -> dict[str, Any]:
        must_be_own(who, name)
        if name not in house.centre.acd.desks:
            raise Unknown("there is no such operator")
        names = await _display_names(house)
        step(name)
        return _said(house.centre.acd.desks[name], names)

    @routes.post("/{name}/ready")
    async def ready(who: Changer, name: shapes.OperatorName) -> dict[str, Any]:
        """Log in, or end a pause or the wrap-up."""
        return await change(who, name, house.centre.acd.ready)

    @routes.post("/{name}/pause")
    async def pause(who: Changer, name: shapes.OperatorName, body: shapes.PauseBody) -> dict[str, Any]:
        return await change(who, name, lambda name: house.centre.acd.pause(name, body.why))

    return routes


async def _display_names(house: House) -> dict[str, str]:
    async with reading_session(house.sessions) as session:
        return await store.display_names(session)


def _said(desk: Desk, names: dict[str, str]) -> dict[str, Any]:
    return {
        "name": desk.name, "display_name": names.get(desk.name, desk.name), "skills": sorted(desk.skills),
        "state": str(desk.state), "on_shift": desk.on_shift, "device": desk.device,
        "why_not_free": desk.why_not_free(), "paused_for": desk.paused_for, "call_id": desk.call_id,
    }
