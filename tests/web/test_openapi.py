"""What the API says of itself, and that it is true."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import aiohttp
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from db import models
from people.rights import RIGHTS, Role, may
from tests.web.conftest import NOW, SOMEBODY, Doors, token_of
from web.app import make_app
from web.openapi import Described, rights_of


async def test_the_description_and_its_page_need_no_token_and_nothing_from_outside(porch: Doors) -> None:
    async with aiohttp.ClientSession(porch.url) as stranger:
        async with stranger.get("/openapi.json") as answer:
            assert answer.status == 200
            document = await answer.json()
        async with stranger.get("/docs") as answer:
            page, policy = await answer.text(), answer.headers["Content-Security-Policy"]
        assets = re.findall(r'(?:src|href)="(/[^"]+)"', page)
        assert assets == ["/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js"]
        for asset in assets:
            async with stranger.get(asset) as answer:
                assert answer.status == 200
                assert len(await answer.read()) > 100_000
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "//" not in re.sub(r"data:,", "", page)
    assert "http" not in policy
    assert "script-src 'self' 'sha256-" in policy
    assert document["info"]["title"] == "Kentongan"


async def test_other_pages_still_run_no_script(porch: Doors) -> None:
    async with aiohttp.ClientSession(porch.url) as stranger:
        for path in ("/", "/openapi.json", "/api/calls", "/docs/nothing"):
            async with stranger.get(path) as answer:
                assert "script-src" not in answer.headers["Content-Security-Policy"]
                assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


async def test_every_route_of_the_api_asks_for_one_right_of_the_table(porch: Doors) -> None:
    app = make_app(porch.house)
    asked = {(right.resource, right.verb) for _, _, right in rights_of(app)}
    assert asked <= RIGHTS.keys()
    assert (await porch.get("/openapi.json"))["paths"].keys() == {route.path_format for route, _, _ in rights_of(app)}


async def test_every_operation_says_who_may_what_comes_back_and_what_may_go_wrong(porch: Doors) -> None:
    app = make_app(porch.house)
    assert isinstance(app, Described)
    for path, operations in app.openapi()["paths"].items():
        for method, operation in operations.items():
            where = (method, path)
            assert operation["security"] == [{"token": []}], where
            assert "Who may: " in operation["description"], where
            assert {"401", "403", "404", "422", "503"} <= operation["responses"].keys(), where
            for status, said in operation["responses"].items():
                if int(status) >= 400:
                    assert said["content"].keys() == {"application/problem+json"}, (*where, status)
                elif "application/json" in said.get("content", {}):
                    assert said["content"]["application/json"]["schema"] != {}, (*where, status)
            if method in ("get", "head"):
                assert not operation["responses"].keys() & {"412", "428"}, where
            else:
                assert "Idempotency-Key" in [given["name"] for given in operation["parameters"]], where


async def test_every_operation_has_a_heading_that_says_what_it_does(porch: Doors) -> None:
    paths = make_app(porch.house).openapi()["paths"]
    headings = [operation["summary"] for operations in paths.values() for operation in operations.values()]
    assert [heading for heading in headings if len(heading.split()) < 2 or heading.istitle()] == []
    assert len(set(headings)) == len(headings)


# what the document says is true, whatever is sent

CHECKS: list[Any] = [not_a_server_error, status_code_conformance, content_type_conformance,
                     response_headers_conformance, response_schema_conformance]
#: what there is, by names of parts of addresses; ids are 1
KNOWN = {"call_id": "1763800000.1", "code": "damkar", "name": "op03"}
#: a stream that never ends has its own tests
_ENDLESS = "/api/events"


async def inhabited(doors: Doors) -> None:
    """Something behind every door."""
    await doors.call()
    await doors.forwarded()
    await doors.add(
        models.Note(node="kentongan", seq=1, call_id="1763800000.1", at=NOW, kind="arrived", facts={}),
        models.Callback(number="+62800555113", state="open", opened_at=NOW),
        models.Recording(call_id="1763800000.1", leg="caller", raw_name="1763800000.1.raw", state="archived",
                         starts_at=NOW, duration_for=90.5))


def knocks(document: dict[str, Any], doors: Doors) -> Iterator[tuple[str, dict[str, str], st.SearchStrategy[Case]]]:
    """Every operation for each role that may: a label, headers, and tries at what is there, what is not, nonsense."""
    who_may = {(method, route.path_format): right for route, method, right in rights_of(make_app(doors.house))}
    for operations in document["paths"].values():
        for said in operations.values():
            del said["security"]            # tokens are ours to send
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = result.ok()
        if operation.path == _ENDLESS:
            continue
        right = who_may[operation.method.upper(), operation.path]
        there = {part: KNOWN.get(part, 1) for part in re.findall(r"{(\w+)}", operation.path)}
        tries = st.one_of(operation.as_strategy(GenerationMode.POSITIVE, path_parameters=there),
                          operation.as_strategy(GenerationMode.POSITIVE),
                          operation.as_strategy(GenerationMode.NEGATIVE))
        for role in Role:
            if may(role, right.verb, right.resource):
                yield f"{operation.label} by {role}", {"Authorization": f"Bearer {token_of(SOMEBODY[role])}"}, tries


async def test_nothing_that_is_sent_brings_a_fault_or_an_answer_that_is_not_documented(porch: Doors) -> None:
    await inhabited(porch)
    document = await porch.get("/openapi.json")

    def faults(label: str, headers: dict[str, str], tries: st.SearchStrategy[Case]) -> list[str]:
        @settings(max_examples=3, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
                  suppress_health_check=list(HealthCheck))
        @given(case=tries)
        def knock(case: Case) -> None:
            answer = case.call(base_url=porch.url, headers=headers, timeout=20)
            case.validate_response(answer, checks=CHECKS)

        try:
            knock()
        except (Exception, FailureGroup) as fault:          # all that is wrong is told at once
            return [f"{label}: {fault}"]
        return []

    def all_of_it() -> list[str]:
        return [fault for knocked in knocks(document, porch) for fault in faults(*knocked)]

    assert await asyncio.to_thread(all_of_it) == []
