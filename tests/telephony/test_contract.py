"""What we ask of Asterisk, compared with what the running Asterisk says that it offers."""
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.request import Request, urlopen

import pytest
from aiohttp import encode_basic_auth

from telephony import ari_operations as ari
from telephony.ari_operations import USED, Operation
from telephony.events import KNOWN

pytestmark = pytest.mark.asterisk


def described(asterisk: Any, resource: str) -> Any:
    """The description that Asterisk serves of one kind of resource."""
    login = {"Authorization": encode_basic_auth("kt", "secret")}
    request = Request(f"{asterisk.ari_url}/api-docs/{resource}.json", headers=login)
    with urlopen(request, timeout=5) as answer:
        return json.load(answer)


def faults(asterisk: Any, used: Operation) -> Iterator[str]:
    """In what the operation differs from the description."""
    resource = used.path.split("/")[1]
    offered = [
        operation
        for api in described(asterisk, resource)["apis"] if api["path"] == used.path
        for operation in api["operations"] if operation["httpMethod"] == used.method
    ]
    if not offered:
        yield f"no {used.method} {used.path}"
        return
    parameters = offered[0].get("parameters", [])
    names = {
        kind: {parameter["name"] for parameter in parameters if parameter["paramType"] == kind}
        for kind in ("path", "query", "body")
    }
    if (ours := set(re.findall(r"{(\w+)}", used.path))) != names["path"]:
        yield f"{used.path}: path parameters {ours ^ names['path']}"
    if odd := set(used.query) - names["query"]:
        yield f"{used.path}: query parameters {odd}"
    if used.body and used.body not in names["body"]:
        yield f"{used.path}: body {used.body}"
    required = {parameter["name"] for parameter in parameters if parameter.get("required")}
    if missing := required - names["path"] - {*used.query, used.body}:
        yield f"{used.path}: required parameters {missing}"
    statuses = {int(error["code"]) for error in offered[0].get("errorResponses", [])}
    if used.gone and not used.gone & statuses:
        yield f"{used.path}: none of {used.gone} is told of"


@pytest.mark.parametrize("used", USED, ids=lambda used: f"{used.method} {used.path}")
def test_what_we_use_is_what_asterisk_offers(asterisk: Any, used: Operation) -> None:
    assert list(faults(asterisk, used)) == []


def test_the_comparison_sees_a_wrong_path_and_a_wrong_parameter(asterisk: Any) -> None:
    assert list(faults(asterisk, replace(ari.CHANNELS_ANSWER, path="/channels/{channelId}/pick_up")))
    assert list(faults(asterisk, replace(ari.CHANNELS_HANGUP, query=("why",))))
    assert list(faults(asterisk, replace(ari.EVENTS_CLAIM, query=("channelId",))))
    assert list(faults(asterisk, replace(ari.CHANNELS_SET_VARIABLES, body="values")))


def test_every_event_that_we_know_is_one_that_asterisk_describes(asterisk: Any) -> None:
    models = described(asterisk, "events")["models"]
    assert KNOWN - set(models) == set()
