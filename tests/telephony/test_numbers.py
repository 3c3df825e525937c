"""Caller numbers: one form for each number, none for what is no number."""
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from telephony.numbers import LONGEST, clean

HOSTILE = [
    "${SHELL(id)}", "0800555001;rm", "0800555001'", '"0800555001"', "../../0800555001", "0800555001\x00",
    "x" * 500, "0" * 500, "０８００", "٠٨٠٠٥٥٥",
    "<sip:0800555001@x>", "0800555001\r\nAction: Originate", "é", "\ud800",
    "0800555001 x",
]


@pytest.mark.parametrize(("raw", "number"), [
    ("0800555001", "+62800555001"), ("+62800555001", "+62800555001"), ("62800555001", "+62800555001"),
    ("0062800555001", "+62800555001"), ("0062555123", "0062555123"), ("0800 555-001", "+62800555001"),
    (" (0800) 555.001 ", "+62800555001"),
    ("+62 555 123 4567", "+625551234567"), ("+1 212 555 0123", "+12125550123"),
    ("112", "112"), ("14045", "14045"), ("421234", "421234"), ("1500123", "1500123"), ("0", "0"),
    ("00000000000", "00000000000"), ("+999999999999999", "999999999999999"), ("1" * 20, "1" * 20),
])
def test_a_number_has_one_form(raw: str, number: str) -> None:
    assert clean(raw) == number


@pytest.mark.parametrize("raw", [None, "", " ", "+", "-", "()", "anonymous", "Unknown", "private", "1" * 21])
def test_no_number_is_none(raw: str | None) -> None:
    assert clean(raw) is None


@pytest.mark.parametrize("raw", HOSTILE)
def test_what_is_no_number_is_none(raw: str) -> None:
    assert clean(raw) is None


@given(st.none() | st.text() | st.text("0123456789+ .()-", max_size=45))
@example("0" * LONGEST)
def test_the_result_is_digits_or_none_and_clean_twice_is_clean_once(raw: str | None) -> None:
    number = clean(raw)
    if number is not None:
        digits = number.removeprefix("+")
        assert digits.isascii()
        assert digits.isdigit()
        assert len(digits) <= LONGEST
        assert clean(number) == number
