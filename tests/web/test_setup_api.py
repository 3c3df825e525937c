"""What an admin sets up through the doors: services with forms, categories, rules of forwarding."""

from typing import Any

import pytest

from tests.web.conftest import Doors

SCHEMA = {"type": "object", "properties": {"wells": {"type": "integer"}}, "additionalProperties": False}


async def test_a_new_service_with_form_category_and_rule_works_without_a_release(doors: Doors) -> None:
    adi, operator = doors.by("adi"), doors.by("op01")
    made = await adi.ask(
        "POST", "/api/services", 201, code="water", name="Air bersih", prefix="A-", topics=["water"], handle_for=86400)
    assert (made["version"], made["form_version"], made["accept_for"], made["active"]) == (1, None, None, True)
    form = await adi.ask("POST", "/api/services/water/forms", 201, seen=1, schema=SCHEMA)
    assert (form["version"], form["schema"], form["who"]) == (1, SCHEMA, "adi")
    script = {"questions": [{"key": "since", "text": "Sejak kapan?", "required": True}]}
    await adi.ask("POST", "/api/categories", 201, code="dry-well", service="water", topic="water", name="Sumur kering",
                  script=script)
    rule = await adi.ask("POST", "/api/rules", 201, topic="water", agency="bpbd", starts="22:00", ends="22:00")
    assert (rule["agency"], rule["topic"], rule["service"]) == ("bpbd", "water", None)

    ticket = await operator.ask(
        "POST", "/api/tickets", 201, service="water", source="website", category="dry-well", form={"wells": 2})
    assert ticket["number"].startswith("A-")
    assert [one["agency"] for one in ticket["proposed"]] == ["bpbd"]
    assert "answers.since" in ticket["missing"]
    await adi.http.delete(f"/api/rules/{rule['id']}")
    assert (await doors.get(f"/api/tickets/{ticket['id']}"))["proposed"] == []


async def test_a_change_wants_the_version_that_was_seen(doors: Doors) -> None:
    adi = doors.by("adi")
    for path, change in (("services/elder", {"name": "Lansia"}), ("categories/flood", {"name": "Banjir besar"})):
        assert (await adi.get(f"/api/{path}"))["version"] == 1
        await adi.ask("PATCH", f"/api/{path}", 428, **change)
        assert (await adi.ask("PATCH", f"/api/{path}", seen=1, **change))["version"] == 2
        await adi.ask("PATCH", f"/api/{path}", 412, seen=1, name="x")
        assert (await adi.get(f"/api/{path}"))["name"] == change["name"]
    await adi.ask("POST", "/api/services/elder/forms", 412, seen=1, schema=SCHEMA)
    await adi.ask("POST", "/api/services/elder/forms", 201, seen=2, schema=SCHEMA)
    forms = (await adi.get("/api/services/elder/forms"))["items"]
    assert [form["version"] for form in forms] == [2, 1]
    assert (await adi.get("/api/services/elder/forms/1"))["schema"]["required"] == ["name", "address", "family_members"]


async def test_lists_tell_everything_there_is(porch: Doors) -> None:
    services = (await porch.get("/api/services"))["items"]
    assert [one["code"] for one in services] == ["elder", "emergency", "social-welfare"]
    everything = (await porch.get("/api/categories"))["items"]
    of_elder = (await porch.get("/api/categories?service=elder"))["items"]
    assert {one["service"] for one in of_elder} == {"elder"}
    assert len(everything) > len(of_elder) > 1
    rules = (await porch.get("/api/rules"))["items"]
    assert ("damkar", "fire") in [(one["agency"], one["topic"]) for one in rules]


@pytest.mark.parametrize(("method", "path", "body", "field"), [
    ("POST", "services", {"code": "x", "name": "x", "prefix": "L-", "topics": ["x"]}, "prefix"),
    ("POST", "services", {"code": "elder", "name": "x", "prefix": "X-", "topics": ["x"]}, "code"),
    ("POST", "services", {"code": "x", "name": "x", "prefix": "X-"}, "topics"),
    ("POST", "services", {"code": "x", "name": "x", "prefix": "X-", "topics": ["x"], "version": 3}, "version"),
    ("PATCH", "services/elder", {"name": None}, "name"), ("PATCH", "services/elder", {"handle_for": -1}, "handle_for"),
    ("PATCH", "services/emergency", {"active": False}, "active"),
    ("POST", "services/elder/forms", {"schema": {"type": "array"}}, "schema"),
    ("POST", "services/elder/forms", {"schema": []}, "schema"),
    ("POST", "services/elder/forms", {"schema": {"type": "object", "$ref": "http://x/"}}, "schema.$ref"),
    ("POST", "categories", {"code": "x", "service": "none", "topic": "x", "name": "x"}, "service"),
    ("POST", "categories", {"code": "flood", "service": "emergency", "topic": "fire", "name": "x"}, "code"),
    ("PATCH", "categories/flood", {"service": None}, "service"),
    ("PATCH", "categories/flood", {"script": {"questions": [{"key": "?", "text": "x"}]}}, "script.questions.0.key"),
    ("POST", "rules", {"agency": "nobody"}, "agency"), ("POST", "rules", {"agency": "damkar", "topic": "x"}, "topic"),
    ("POST", "rules", {"agency": "damkar", "area": "99"}, "area"),
    ("POST", "rules", {"agency": "damkar", "starts": "07:00"}, "ends"),
    ("POST", "rules", {"agency": "damkar", "starts": "7", "ends": "9"}, "starts")])
async def test_what_makes_no_sense_is_refused_and_changes_nothing(
    porch: Doors, method: str, path: str, body: dict[str, Any], field: str
) -> None:
    lists = ("services", "categories", "rules")
    before = [await porch.get(f"/api/{name}") for name in lists]
    assert (await porch.by("adi").ask(method, f"/api/{path}", 422, seen=1, **body))["field"] == field
    assert [await porch.get(f"/api/{name}") for name in lists] == before


@pytest.mark.parametrize("path", ["services/none", "services/none/forms", "services/elder/forms/9", "categories/none"])
async def test_what_is_not_there_is_a_404(porch: Doors, path: str) -> None:
    await porch.ask("GET", f"/api/{path}", 404)


async def test_operators_read_and_only_admins_change(porch: Doors) -> None:
    operator = porch.by("op01")
    await operator.get("/api/categories")
    writes = (("POST", "services"), ("PATCH", "services/elder"), ("POST", "services/elder/forms"),
              ("POST", "categories"), ("PATCH", "categories/flood"), ("POST", "rules"), ("DELETE", "rules/1"))
    for method, path in writes:
        await operator.ask(method, f"/api/{path}", 403, seen=1)
