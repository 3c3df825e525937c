"""Numbers that can be said on a telephone, and understood again however somebody types them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickets.numbers import as_typed, number, series


def test_the_month_is_that_of_the_regency() -> None:
    last_evening = datetime(2026, 11, 30, 18, 0, tzinfo=UTC)
    assert series("", last_evening) == "2611"
    assert series("L-", last_evening.astimezone(ZoneInfo("Asia/Jakarta"))) == "L-2612"


@pytest.mark.parametrize(("running", "whole"), [(1, "2611-0001"), (42, "2611-0042"), (12345, "2611-12345")])
def test_a_number_has_four_digits_or_as_many_as_it_needs(running: int, whole: str) -> None:
    assert number("2611", running) == whole


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("2611-0042", "2611-0042"), (" 2611 42 ", "2611-0042"), ("26110042", "2611-0042"),
        ("l-2611-7", "L-2611-0007"), ("L 2611 0007", "L-2611-0007"), ("l26110007", "L-2611-0007"),
        ("", None), ("42", None), ("api di pasar", None), ("2611-", None), ("TOOLONG-2611-1", None),
    ],
)  # fmt: skip
def test_what_somebody_types_is_understood(typed: str, meant: str | None) -> None:
    assert as_typed(typed) == meant


@given(st.from_regex(r"([A-Z]{1,4}-)?", fullmatch=True), st.datetimes(), st.integers(1, 10**6))
def test_every_number_that_is_given_out_is_understood_again(prefix: str, at: datetime, running: int) -> None:
    whole = number(series(prefix, at.replace(year=2000 + at.year % 100)), running)
    assert as_typed(whole.lower()) == whole
