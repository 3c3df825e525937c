"""The table of rights, cell by cell, at every door: who may passes, who may not is told so, a dead token opens none."""

import re
from collections.abc import Iterator

from sqlalchemy import update

from db.models import Token
from people.rights import RIGHTS, Role, may
from tests.web.conftest import NOW, SOMEBODY, Doors, token_of
from web.access import Right
from web.app import make_app
from web.openapi import rights_of


def doors_of(doors: Doors) -> Iterator[tuple[str, str, Right]]:
    """(method, path, right) of every door, with something that is not there in place of what varies."""
    for route, method, right in rights_of(make_app(doors.house)):
        path = route.path_format or ""
        path = path.replace("/operators/{name}", "/operators/op01")    # an operator's own desk
        path = re.sub("{[a-z_]*(?:id|version)}", "2147483647", path)
        yield method, re.sub("[{}]", "", path), right


async def status_of(doors: Doors, method: str, path: str, token: str | None) -> int:
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {"Authorization": ""}
    body = None if method in ("GET", "HEAD") else {}
    async with doors.http.request(method, path, json=body, headers=headers) as answer:
        return answer.status


async def test_every_role_passes_the_doors_that_the_table_opens_and_no_other(porch: Doors) -> None:
    wrong = []
    for method, path, right in doors_of(porch):
        for role in Role:
            status = await status_of(porch, method, path, token_of(SOMEBODY[role]))
            if (status == 403) == may(role, right.verb, right.resource) or status == 401 or status >= 500:
                wrong.append((method, path, str(role), status))
    assert wrong == []


async def test_every_right_of_the_table_is_asked_for_at_some_door(porch: Doors) -> None:
    asked = {right for _, _, right in doors_of(porch)}
    assert {Right(verb, resource) for resource, verb in RIGHTS} == asked


async def test_no_token_and_a_dead_one_open_no_door(porch: Doors) -> None:
    async with porch.house.sessions.begin() as session:
        for name, values in (("siti", {"revoked_at": NOW}), ("adi", {"expires_at": NOW})):
            await session.execute(update(Token).where(Token.user == name).values(values))
    tokens = [None, "", "kt_of-nobody", token_of("siti"), token_of("adi")]
    opened = [(method, path, token) for method, path, _ in doors_of(porch) for token in tokens
              if await status_of(porch, method, path, token) != 401]
    assert opened == []


async def test_the_hosts_token_opens_what_an_admin_may(porch: Doors) -> None:
    for method, path, right in doors_of(porch):
        status = await status_of(porch, method, path, token_of("host"))
        assert (status != 403) == may(Role.ADMIN, right.verb, right.resource), (method, path)
