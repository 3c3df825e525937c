"""Nobody overwrites what they have not seen."""

import pytest

from tests.web.conftest import Doors, token_of

DAMKAR = {"name": "Damkar", "url": None, "topics": ["fire"]}


@pytest.mark.parametrize("path", ["/api/agencies/damkar", "/api/tickets/1"])
async def test_what_several_edit_says_its_version(porch: Doors, path: str) -> None:
    await porch.draft()
    async with porch.http.get(path) as answer:
        assert answer.headers["ETag"] == f'"{(await answer.json())["version"]}"'


async def test_a_write_that_does_not_say_what_it_saw_changes_nothing(porch: Doors) -> None:
    for refusal in (await porch.ask("PUT", "/api/agencies/damkar", 428, **DAMKAR),
                    await porch.by("op01").ask("PATCH", f"/api/tickets/{await porch.draft()}", 428, place="Pasar")):
        assert refusal["type"] == "urn:kentongan:problem:unseen"
        assert "If-Match" in refusal["detail"]
    assert (await porch.get("/api/agencies/damkar"))["version"] == 1


async def test_of_two_who_saw_the_same_the_second_is_told_and_the_first_is_kept(doors: Doors) -> None:
    first = await doors.ask("PUT", "/api/agencies/damkar", seen=1, **DAMKAR | {"phone": "+62 555 0113"})
    assert first["version"] == 2
    refusal = await doors.ask("PUT", "/api/agencies/damkar", 412, seen=1, **DAMKAR)
    assert refusal["type"] == "urn:kentongan:problem:changed-meanwhile"
    assert (await doors.get("/api/agencies/damkar"))["phone"] == "+62 555 0113"


@pytest.mark.parametrize("said", ["7", '"x"', 'W/"1"', "*", '"1", "2"', '"99999999999"', ""])
async def test_what_is_no_etag_of_ours_is_refused(porch: Doors, said: str) -> None:
    headers = {"If-Match": said, "Authorization": f"Bearer {token_of('adi')}"}
    async with porch.http.put("/api/agencies/damkar", json=DAMKAR, headers=headers) as answer:
        assert answer.status == 422
        assert (await answer.json())["field"] == "If-Match"
