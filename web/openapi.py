"""web: the API's own description, /openapi.json, completed by what holds for every route: whose token opens it, the
refusals that it may give, and the header Idempotency-Key of every write.
"""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.routing import RouteContext, iter_route_contexts

from web import etags, idempotency, problems
from web.access import Right

_ABOUT = """Calls, tickets, people and agencies of an emergency number, for desks and programs.

Every request carries `Authorization: Bearer …` with a person's token. Lists come in pages (`limit`, `after`). Things
that several people edit carry an `ETag`; a change sends it back as `If-Match`. Whoever is not sure whether a write
arrived sends it again under the same `Idempotency-Key`. Refusals are problem details (RFC 9457), and a refusal has
written nothing."""

#: status → why
_ALWAYS = {
    401: "No token, or one that opens nothing (any more)", 403: "Your role may not",
    404: "There is no such thing, or not for you", 422: "Something that was sent cannot be used; `field` says what",
    503: "The database does not answer, or the service is being stopped"}
_WRITES = {409: "Not possible as things stand, or the same Idempotency-Key is under way", 413: "Too long"}
_SEEN = {412: "Somebody else has changed it meanwhile", 428: "If-Match is missing"}
_BODY = {400: "The body cannot be read"}


class Described(FastAPI):
    """An application that says all of it."""

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        if self.openapi_schema is None:
            document = super().openapi()
            document["info"]["description"] = _ABOUT
            parts = document.setdefault("components", {})
            parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            parts.setdefault("schemas", {})["Problem"] = problems.Problem.model_json_schema()
            for route, method, right in rights_of(self):
                _complete(document["paths"][route.path_format][method.lower()], route, method, right)
        assert self.openapi_schema is not None
        return self.openapi_schema


def rights_of(app: FastAPI) -> Iterator[tuple[RouteContext, str, Right]]:
    """Every route under /api with its method and the right that it asks for. Raises ValueError if it asks for none."""
    for route in iter_route_contexts(app.routes):
        if route.path_format is None or not route.path_format.startswith("/api"):
            continue
        asked = [needed.call for needed in route.dependant.dependencies if isinstance(needed.call, Right)]
        if len(asked) != 1:
            raise ValueError(f"{route.path_format} asks for {len(asked)} rights: give it one argument with `may`")
        for method in sorted(route.methods or ()):
            yield route, method, asked[0]


def _complete(operation: dict[str, Any], route: RouteContext, method: str, right: Right) -> None:
    assert route.path_format is not None
    operation["security"] = [{"token": []}]
    operation.setdefault("tags", [route.path_format.split("/")[2]])
    who = f"Who may: {right.roles()}."
    operation["description"] = f"{operation['description']}\n\n{who}" if "description" in operation else who
    refusals = dict(_ALWAYS)
    if method in idempotency.WRITES:
        refusals |= _WRITES
        operation.setdefault("parameters", []).append(idempotency.PARAMETER)
    for given in operation.get("parameters", ()):
        if given["name"] == "If-Match":
            given["required"] = any(needed.call is etags.seen for needed in route.dependant.dependencies)
            refusals |= _SEEN
    if "requestBody" in operation:
        refusals |= _BODY
    for status, why in refusals.items():
        operation["responses"].setdefault(str(status), {"description": why})
    for status, said in operation["responses"].items():
        if int(status) >= 400:
            said |= problems.DOCUMENTED
