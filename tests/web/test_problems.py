"""What the doors say when something is not possible."""

import pytest
from fastapi.exceptions import ResponseValidationError

from tests.web.conftest import NUMBER, Doors


async def test_an_answer_that_fits_no_model_is_a_plain_500_and_its_values_are_in_no_log(
    porch: Doors, caplog: pytest.LogCaptureFixture
) -> None:
    await porch.call()
    async with porch.engine.begin() as connection:
        await connection.exec_driver_sql(f"UPDATE calls SET pressed = x'ff', caller_number = '{NUMBER}'")
    problem = await porch.ask("GET", "/api/calls/1763800000.1", 500)
    assert problem["type"] == "urn:kentongan:problem:fault"
    assert "an answer does not fit its model: response.pressed: string_unicode" in caplog.text
    assert NUMBER not in caplog.text
    assert ResponseValidationError.__name__ not in caplog.text


@pytest.mark.parametrize(("path", "status"), [
    ("/api/calls?limit=geheim", 422), ("/api/calls/geheim%20x", 422), ("/api/operators/geheim", 404),
    ("/api/agencies/Geheim", 422), ("/api/geheim", 404), ("/api/calls?after=geheim", 422)])
async def test_a_refusal_does_not_repeat_what_was_sent(porch: Doors, path: str, status: int) -> None:
    assert "geheim" not in str(await porch.ask("GET", path, status)).lower()


async def test_a_door_that_takes_no_such_method_says_so_as_a_problem(porch: Doors) -> None:
    problem = await porch.ask("DELETE", "/api/calls", 405)
    assert (problem["status"], problem["title"]) == (405, "Method Not Allowed")
