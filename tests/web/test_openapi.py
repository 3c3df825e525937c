"""What the API says of itself, and that it is true."""

import re

import aiohttp

from people.rights import RIGHTS
from tests.web.conftest import Doors
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
            if method == "get":
                assert not operation["responses"].keys() & {"412", "428"}, where
            else:
                assert "Idempotency-Key" in [given["name"] for given in operation["parameters"]], where
