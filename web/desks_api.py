"""web: the operators' desks: who is there, and who takes calls."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter

from db.engine import reading_session
from routing.desk import Desk
from tickets.store import Unknown
from web import shapes, store
from web.house import House


def router(house: House) -> APIRouter:
    """Routes under /api/operators."""
    routes = APIRouter(prefix="/operators")

    @routes.get("")
    async def everybody() -> dict[str, Any]:
        names = await _display_names(house)
        return {"operators": [_said(desk, names) for desk in house.centre.acd.desks.values()]}

    @routes.post("/{name}/ready")
    async def ready(name: shapes.OperatorName) -> dict[str, Any]:
        return await _change(house, name, lambda: house.centre.acd.ready(name))

    @routes.post("/{name}/pause")
    async def pause(name: shapes.OperatorName, body: shapes.PauseBody) -> dict[str, Any]:
        return await _change(house, name, lambda: house.centre.acd.pause(name, body.why))

    return routes


async def _change(house: House, name: str, change: Callable[[], None]) -> dict[str, Any]:
    if name not in house.centre.acd.desks:
        raise Unknown(f"there is no operator {name}")
    names = await _display_names(house)
    change()
    return _said(house.centre.acd.desks[name], names)


async def _display_names(house: House) -> dict[str, str]:
    async with reading_session(house.sessions) as session:
        return await store.display_names(session)


def _said(desk: Desk, names: dict[str, str]) -> dict[str, Any]:
    return {
        "name": desk.name, "display_name": names.get(desk.name, desk.name), "skills": sorted(desk.skills),
        "state": str(desk.state), "on_shift": desk.on_shift, "device": desk.device,
        "why_not_free": desk.why_not_free(), "paused_for": desk.paused_for, "call_id": desk.call_id,
    }
