"""What is wrong is said to a person: no word of a library's, and nothing of what was sent."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.web.conftest import Doors
from web.app import make_app
from web.complaints import PATTERNS


def patterns(part: Any) -> Iterator[str]:
    """All that texts must fit, wherever the document says so."""
    if isinstance(part, dict):
        if isinstance(part.get("pattern"), str):
            yield part["pattern"]
        for inner in part.values():
            yield from patterns(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from patterns(inner)


async def test_every_pattern_of_the_api_is_told_in_words_and_none_that_there_is_not(porch: Doors) -> None:
    assert set(patterns(make_app(porch.house).openapi())) == set(PATTERNS)


QUERIES = [
    ("calls?limit=x", "limit: it must be a whole number"), ("calls?limit=0", "limit: it must be 1 or more"),
    ("calls?limit=501", "limit: it must be 500 or less"),
    ("calls?stage=gone", "stage: it must be one of: 'arrived', "), ("calls?topic=gone", "topic: topics are: any, "),
    ("calls?from=yesterday", "from: it must be a moment with its time zone, like 2026-11-22T10:00:00+07:00"),
    ("calls?from=2026-11-22T03:00:00", "from: it must be a moment with its time zone, like 2026-11-22T10:00:00+07:00"),
    ("calls?after=%21", "after: send what `next` of the page before says, or leave it out for the first page"),
    ("calls/a%20b", "call_id: a call's id is letters, digits, dots and dashes, like 1763800000.12"),
    ("agencies/Damkar", "code: a code is 1 to 32 small letters, digits and dashes, like psc119"),
    ("tickets/x", "ticket_id: it must be a whole number"),
]


@pytest.mark.parametrize(("asked", "said"), QUERIES)
async def test_what_is_asked_for_wrongly_is_told_in_words(porch: Doors, asked: str, said: str) -> None:
    assert (await porch.ask("GET", f"/api/{asked}", 422))["detail"].startswith(said)


BODIES: list[tuple[dict[str, Any], str]] = [
    ({}, "role: it must be given"), ({"role": "boss"}, "role: it must be one of: 'operator', "),
    ({"role": "qa", "age": 5}, "age: there is no field of that name here"),
    ({"role": "qa", "display_name": 5}, "display_name: it must be a text"),
    ({"role": "qa", "display_name": " "}, "display_name: it may not be empty"),
    ({"role": "qa", "display_name": "x" * 201}, "display_name: it is too long: at most 200 letters are taken"),
    ({"role": "qa", "skills": "fire"}, "skills: it must be a list"),
    ({"role": "operator", "skills": ["fire"] * 99}, "skills: it holds too many: at most "),
]


@pytest.mark.parametrize(("body", "said"), BODIES)
async def test_what_is_sent_wrongly_is_told_in_words(porch: Doors, body: dict[str, Any], said: str) -> None:
    refusal = await porch.by("adi").ask("POST", "/api/users", 422, name="sri", **body)
    assert refusal["detail"].startswith(said)


async def test_a_body_that_is_none_and_an_etag_that_is_none_are_told_in_words(porch: Doors) -> None:
    async with porch.http.post("/api/users", data="{", headers={"Content-Type": "application/json"}) as answer:
        assert (await answer.json())["detail"].endswith("the body is no JSON")
    async with porch.http.patch("/api/users/siti", json={}, headers={"If-Match": "7"}) as answer:
        assert "with its quotation marks" in (await answer.json())["detail"]
