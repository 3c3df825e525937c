"""web: sub-districts and villages: looked up by desks, brought in as a table by the admin."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query, Response

from db.engine import reading_session
from db.models import Area
from people.person import Person
from people.rights import CHANGE, READ, Resource
from tickets import areas_store, places
from web import paging, shapes
from web.access import may
from web.house import House
from web.shapes import row

Reader = Annotated[Person, may(READ, Resource.SETUP)]
Code = Annotated[str | None, Query(pattern=r"^[0-9A-Za-z.-]{1,32}$")]

One: Any = shapes.model_of(Area, "Place")
_CSV = {"text/csv": {"schema": {"type": "string"}, "example": places.write(places.INVENTED[:2])}}
_TABLE: dict[int | str, dict[str, Any]] = {200: {"description": "The table", "content": _CSV}}


class Imported(shapes.Answer):
    """How many places were added, changed, not in the file and so not offered any more, or as they are."""

    added: int
    changed: int
    deactivated: int
    unchanged: int


class Csv(Response):
    """A table for spreadsheets."""

    media_type = "text/csv"


def router(house: House) -> APIRouter:
    """Routes under /api/areas."""
    routes = APIRouter(prefix="/areas")

    @routes.get("", response_model=paging.Page[One], summary="Sub-districts and villages")
    async def places_(
        who: Reader, limit: paging.Limit = 50, after: paging.After = None,
        kind: Literal["subdistrict", "village"] | None = None, parent: Code = None, active: bool | None = True,
    ) -> Any:
        """By code."""
        key = paging.key(after, str)
        async with reading_session(house.sessions) as session:
            found = await areas_store.areas(
                session, limit + 1, key[0] if key else None, kind=kind, parent=parent, active=active)
        return paging.page([row(area) for area in found], limit, lambda one: (one["code"],))

    @routes.get("/export", response_class=Csv, responses=_TABLE, summary="Sub-districts and villages as a file")
    async def export(who: Reader) -> Response:
        """The places that are offered, as they can be imported again."""
        async with reading_session(house.sessions) as session:
            text = await areas_store.as_csv(session)
        return Csv(text, headers={"Content-Disposition": 'attachment; filename="areas.csv"'})

    @routes.post(
        "/import", response_model=Imported, max_body_size=places.LONGEST,
        summary="Bring in sub-districts and villages from a file")
    async def bring_in(
        who: Annotated[Person, may(CHANGE, Resource.SETUP)], data: Annotated[bytes, Body(media_type="text/csv")],
        replace: Annotated[bool, Query(description="What is not in the table is not offered any more")] = False,
    ) -> Any:
        """A table with the columns code, kind, name, parent, in UTF-8. Taken as a whole, or refused as a whole."""
        now = datetime.now(UTC)
        return vars(await areas_store.bring_in(house.sessions, data, by=who.name, now=now, replace=replace))

    return routes
