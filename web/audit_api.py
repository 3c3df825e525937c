"""web: the audit, for admins: who changed what, from what to what, and why."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from db import audit
from db.engine import reading_session
from db.models import Audit
from people.person import Person
from people.rights import READ, Resource
from web import paging, shapes
from web.access import may
from web.house import House
from web.paging import Page

AuditSaid: Any = shapes.model_of(Audit, "AuditSaid")


def router(house: House) -> APIRouter:
    """Routes under /api/audit."""
    routes = APIRouter(prefix="/audit")

    @routes.get("", response_model=Page[AuditSaid], summary="The audit, the newest lines first")
    async def newest(
        who: Annotated[Person, may(READ, Resource.AUDIT)],
        what: Annotated[shapes.Line | None, Query(description="A kind of thing: ticket, roster, user …")] = None,
        which: Annotated[shapes.Line | None, Query(description="Which of its kind, e.g. a ticket's id")] = None,
        by: Annotated[shapes.Line | None, Query(alias="who", description="Who did it")] = None,
        limit: paging.Limit = 50, after: paging.After = None,
    ) -> Any:
        """The newest first."""
        key = paging.key(after, int)
        async with reading_session(house.sessions) as session:
            rows = await audit.newest(
                session, limit + 1, what=what, which=which, who=by, before=key[0] if key else None)
        return paging.page(rows, limit, lambda row: (row.seq,))

    return routes
