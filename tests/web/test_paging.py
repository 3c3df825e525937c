"""Lists in pages."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.web.conftest import NOW, Doors
from web import paging

_small = st.integers(-(2**31), 2**31 - 1)
_words = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(st.datetimes(timezones=st.just(UTC)), _words, _small, st.floats(allow_nan=False, allow_infinity=False))
def test_a_cursor_brings_its_key_back(at: datetime, word: str, number: int, figure: float) -> None:
    key = (at, word, number, figure)
    assert paging.key(paging.cursor(key), datetime, str, int, float) == key


def word_of(json: str) -> str:
    return base64.urlsafe_b64encode(json.encode()).decode().rstrip("=")


@pytest.mark.parametrize("after", [
    "x", "____", word_of("[]"), word_of("{}"), word_of("null"), word_of("7"), word_of('["a", 1]'), word_of('[1, "a"]'),
    word_of('["2026-11-22T03:00:00", 1]'), word_of('["2026-11-22T03:00:00+00:00", true]'),
    word_of('["2026-11-22T03:00:00+00:00", 99999999999]'), word_of('["2026-11-22T03:00:00+00:00", 1, 1]'),
    word_of('["2026-11-22T03:00:00+00:00"')])
def test_what_is_no_cursor_of_the_list_is_refused(after: str) -> None:
    with pytest.raises(paging.BadCursor):
        paging.key(after, datetime, int)


def test_a_page_ends_where_the_next_begins() -> None:
    rows = list(range(7, 0, -1))
    first = paging.page(rows[:4], 3, lambda row: (row,))
    assert first["items"] == [7, 6, 5]
    assert paging.key(first["next"], int) == (5,)
    assert paging.page(rows[:3], 3, lambda row: (row,)) == {"items": [7, 6, 5], "next": None}
    assert paging.page([], 3, lambda row: (row,)) == {"items": [], "next": None}


async def test_page_by_page_every_call_comes_once_whatever_comes_meanwhile(doors: Doors) -> None:
    for n in range(7):                                  # two and two of the same moment
        await doors.call(f"1763800000.{n}", arrived_at=NOW + timedelta(seconds=n // 2))
    seen: list[str] = []
    path: str | None = "/api/calls?limit=2"
    while path is not None:
        page: dict[str, Any] = await doors.get(path)
        seen += [call["id"] for call in page["items"]]
        path = page["next"] and f"/api/calls?limit=2&after={page['next']}"
        await doors.call(f"1763900000.{len(seen)}", arrived_at=NOW + timedelta(days=1))
    assert seen == [f"1763800000.{n}" for n in range(6, -1, -1)]


@pytest.mark.parametrize("after", ["x", "%00", "a b", "a" * 501, word_of('["2026-11-22T03:00:00Z", 1]')])
async def test_a_cursor_of_another_list_is_refused_and_named(porch: Doors, after: str) -> None:
    assert (await porch.ask("GET", f"/api/calls?after={after}", 422))["field"] == "after"
