"""Lists of tickets behind the door: who sees what, what is refused, and how many queries a request takes."""

from urllib.parse import quote

from tests.statements import counted
from tests.web.conftest import NOW, NUMBER, Doors


async def test_a_list_is_the_newest_first_in_pages(doors: Doors) -> None:
    numbers = []
    for count in range(1, 6):
        numbers.insert(0, (await doors.get(f"/api/tickets/{await doors.draft(f'1763800000.{count}')}"))["number"])
    first = await doors.get("/api/tickets?limit=3")
    await doors.draft("1763800000.9")
    second = await doors.get(f"/api/tickets?limit=3&after={first['next']}")
    assert [line["number"] for line in (*first["items"], *second["items"])] == numbers
    assert second["next"] is None


async def test_a_line_tells_what_a_desk_must_see(doors: Doors) -> None:
    ticket = await doors.forwarded()
    [line] = (await doors.get("/api/tickets"))["items"]
    assert (line["number"], line["lifecycle"], line["verification"]) == (ticket["number"], "forwarded", "a1")
    assert (line["calls"], line["agencies"]) == (1, [{"agency": "damkar", "state": "queued"}])
    assert (line["place"], line["reporter_number"], line["created_at"]) == (
        "Pasar Rogojampi", NUMBER, ticket["created_at"])


FILTERS = [
    ("q=pasar", True), ("q=0112", True), ("q=2611-0001", True), ("q=kebun", False), ("lifecycle=forwarded", True),
    ("lifecycle=open&lifecycle=forwarded", True), ("lifecycle=open", False), ("verification=a1", True),
    ("verification=checking", False), ("service=emergency&topic=fire&agency=damkar", True), ("agency=polres", False),
    ("village=35.10.18.2003", False), ("subdistrict=35.10.18", False), ("category=nothing", False),
    ("operator=op01", False), ("from=2026-11-22T10:00:00%2B07:00", True), ("to=2026-11-22T03:00:00Z", False),
    ("late=false&merged=true", True), (f"q={quote(chr(34) + ' * OR -')}", False), ("q=pasar%00", True),
    (f"q={'a' * 9_999}", False),
]


async def test_filters_come_from_the_address(doors: Doors) -> None:
    await doors.forwarded()
    assert [(query, (await doors.get(f"/api/tickets?{query}"))["items"] != []) for query, _ in FILTERS] == FILTERS


REFUSED = [
    ("lifecycle=gone", "lifecycle.0"), ("lifecycle=open&lifecycle=gone", "lifecycle.1"),
    ("verification=b2", "verification"),
    ("from=2026-11-22T10:00:00", "from"), ("to=yesterday", "to"), ("village='", "village"), ("agency=%00", "agency"),
    ("service=A B", "service"), ("late=perhaps", "late"), ("limit=501", "limit"), ("after=!", "after"),
    ("operator=%00", "operator"), (f"q={'a' * 10_001}", "q"),
]


async def test_a_filter_that_cannot_be_used_is_named(porch: Doors) -> None:
    assert [(query, (await porch.ask("GET", f"/api/tickets?{query}", 422))["field"]) for query, _ in REFUSED] == REFUSED


async def test_a_cursor_of_another_list_is_refused(porch: Doors) -> None:
    for count in (1, 2):
        await porch.call(f"1763800000.{count}")
    other = (await porch.get("/api/calls?limit=1"))["next"]
    await porch.ask("GET", f"/api/tickets?after={other}", 422)


async def test_an_agency_sees_what_was_forwarded_to_it_and_nothing_about_people(doors: Doors) -> None:
    await doors.forwarded(reporter_name="Ibu Sri")
    await doors.draft("1763800000.2")
    agency = doors.by("damkar-jaga")
    [line] = (await agency.get("/api/tickets"))["items"]
    assert (line["place"], line["reporter_name"], line["reporter_number"]) == ("Pasar Rogojampi", None, None)
    assert len((await agency.get("/api/tickets?q=rogojampi"))["items"]) == 1
    for typed in ("sri", "0112", "5550112"):
        assert (await agency.get(f"/api/tickets?q={typed}"))["items"] == []


async def test_a_request_takes_as_many_queries_for_many_as_for_one(doors: Doors) -> None:
    """One is for the token; the others stand in docs/performance.md."""
    ticket = await doors.forwarded()
    await doors.call("1763800000.1", arrived_at=NOW)
    paths = {"/api/tickets": 3, "/api/calls": 2, f"/api/tickets/{ticket['id']}": 7, "/api/calls/1763800000.1": 7}
    desk = doors.by("siti")
    few = {path: await _queries(desk, path) for path in paths}
    await doors.step(ticket, "forward", agencies=["polres", "bpbd", "damkar"])
    for count in range(2, 12):
        await doors.call(f"1763800000.{count}")
    many = {path: await _queries(desk, path) for path in paths}
    assert (few, many) == (paths, paths)


async def _queries(doors: Doors, path: str) -> int:
    with counted(doors.engine) as statements:
        await doors.get(path)
    return len(statements)
