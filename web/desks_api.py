"""web: the operators' desks: who is there, and who takes calls."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter

from db.engine import reading_session
from people.person import Person
from people.rights import CHANGE, READ, Resource
from routing.desk import Desk
from routing.operators import State
from tickets.store import Unknown
from web import shapes, store
from web.access import may, must_be_own
from web.house import House
from web.paging import Page


class DeskSaid(shapes.Answer):
    """An operator's seat."""

    name: str
    display_name: str
    skills: list[str]
    state: State
    on_shift: bool
    #: Asterisk's word for the state of the phone
    device: str
    #: why it gets no call now; null: it is free
    why_not_free: str | None
    paused_for: str | None
    #: the call it is offered, talks in, or is writing down in wrap-up
    call_id: str | None


Reader = Annotated[Person, may(READ, Resource.DESKS)]
Changer = Annotated[Person, may(CHANGE, Resource.DESKS)]


def router(house: House) -> APIRouter:
    """Routes under /api/operators."""
    routes = APIRouter(prefix="/operators")

    acd = house.centre.acd

    def desk(name: str) -> Desk:
        if name not in acd.desks:
            raise Unknown("there is no such operator")
        return acd.desks[name]

    async def change(who: Person, name: str, step: Callable[[], None]) -> dict[str, Any]:
        must_be_own(who, name)
        names = await _display_names(house)
        changed = desk(name)            # from here to the step nothing awaits: it cannot go between them
        step()
        return _said(changed, names)

    @routes.get("", response_model=Page[DeskSaid], summary="All desks, and why they get no call")
    async def everybody(who: Reader) -> Any:
        """All at once: there are as many as there are chairs."""
        names = await _display_names(house)
        return {"items": [_said(desk, names) for desk in acd.desks.values()], "next": None}

    @routes.get("/{name}", response_model=DeskSaid, summary="One operator's desk")
    async def one(who: Reader, name: shapes.OperatorName) -> Any:
        return _said(desk(name), await _display_names(house))

    @routes.post("/{name}/ready", response_model=DeskSaid, summary="Take calls from now on")
    async def ready(who: Changer, name: shapes.OperatorName) -> Any:
        """Log in, or end a pause or the wrap-up: calls may come. Operators their own desk, supervisors any. What is
        still in the way, such as a phone that is not registered, stands in `why_not_free`: then no call comes."""
        return await change(who, name, lambda: acd.ready(name))

    @routes.post("/{name}/pause", response_model=DeskSaid, summary="Take no calls for a while")
    async def pause(who: Changer, name: shapes.OperatorName, body: shapes.PauseBody) -> Any:
        """No calls for a while, and why. Operators their own desk, supervisors any."""
        return await change(who, name, lambda: acd.pause(name, body.why))

    @routes.post("/{name}/wrap-up-done", response_model=DeskSaid, summary="End the wrap-up before its time is over")
    async def wrap_up_done(who: Changer, name: shapes.OperatorName) -> Any:
        """The form is finished before its time is over. Operators their own desk, supervisors any."""
        return await change(who, name, lambda: acd.wrapped_up(name))

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
