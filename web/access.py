"""web: who may pass a door: each route of the API asks for one right of people/rights.py, in its signature.

    async def one(who: Annotated[Person, may(READ, Resource.TICKETS)], ticket_id: TicketId) -> ...

`web/doorframe.py` has found out who it is; whoever may not is answered 403, before anything else is looked at. Let
`who` be the first argument, so that nobody learns from other refusals what there is.
"""

from dataclasses import dataclass
from typing import Any

from fastapi import Depends
from starlette.requests import HTTPConnection

from people import rights
from people.person import Person
from people.rights import Resource, Role, Verb


class Forbidden(Exception):
    """Known, but not allowed; the text says who is."""


@dataclass(frozen=True)
class Right:
    """What a route asks of whoever knocks."""

    verb: Verb
    resource: Resource

    async def __call__(self, request: HTTPConnection) -> Person:
        """Who it is. Raises Forbidden."""
        who: Person = request.state.person
        if not rights.may(who.role, self.verb, self.resource):
            raise Forbidden(f"{self.roles()} may {self.verb} {self.resource}, and your role is {who.role}")
        return who

    def roles(self) -> str:
        """Who may, in words."""
        return ", ".join(role for role in Role if rights.may(role, self.verb, self.resource)) or "nobody"


def may(verb: Verb, resource: Resource) -> Any:
    """For the annotation of a route's argument: the person, if they have the right."""
    return Depends(Right(verb, resource))


def must_be_own(who: Person, desk: str) -> None:
    """Operators change their own desk alone, supervisors any. Raises Forbidden."""
    if who.role is Role.OPERATOR and who.name != desk:
        raise Forbidden("operators change their own desk; a supervisor may change any")
