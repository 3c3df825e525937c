"""Telephony, caller numbers: what the network says, made comparable. Decides, never awaits.

A caller number may be absent, false or hostile; it is never an identity. One form for each number lets a
record, a call-back task and a prank score find each other.
"""
import re

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

REGION, COUNTRY = "ID", "62"
LONGEST = 20                #: digits; E.164 has at most 15

_NUMBER = re.compile(r"\+?[0-9 ().-]+", re.ASCII)


def clean(raw: str | None) -> str | None:
    """The number as E.164 ("+62800555001") where it can be known, else its digits ("112"), else None.

    None: there is no number, it is withheld ("anonymous"), or it is no number at all: anything that holds
    another character than digits, a leading plus, spaces, dots, dashes and brackets. Never raises; clean
    twice is clean once.
    """
    text = (raw or "").strip()
    if len(text) > 2 * LONGEST or not _NUMBER.fullmatch(text):
        return None
    digits = re.sub(r"[^0-9]", "", text)
    if not 0 < len(digits) <= LONGEST:
        return None
    return (text.startswith("+") and _formatted("+" + digits)) or _e164(digits) or digits


def _e164(digits: str) -> str | None:
    """In full with 00, 0 or the country's code before it; else it may lack its area code."""
    if digits.startswith("00"):
        return _formatted("+" + digits[2:], sure=True)
    if digits.startswith("0"):
        return _formatted(digits)
    if digits.startswith(COUNTRY) and len(digits) >= len(COUNTRY) + 8:
        return _formatted("+" + digits)
    return None


def _formatted(number: str, sure: bool = False) -> str | None:
    """As E.164 if it has a possible length; with `sure` only if such a number is given out."""
    try:
        parsed = phonenumbers.parse(number, REGION)
    except NumberParseException:
        return None
    full = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
    if phonenumbers.is_valid_number(parsed):
        return full
    possible = phonenumbers.is_possible_number_with_reason(parsed) == ValidationResult.IS_POSSIBLE
    trunk_zero_left = full.startswith(f"+{parsed.country_code}0")
    return full if possible and not trunk_zero_left and not sure else None
