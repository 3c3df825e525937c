"""web ◆ What is wrong with something that was sent, in words for whoever sent it: pydantic's own are for programmers.

What was sent is never repeated.
"""

from collections.abc import Mapping
from typing import Any

#: what a text must be like, by the pattern that it does not fit
PATTERNS = {
    r"^[a-z0-9][a-z0-9-]{0,31}$": "a code is 1 to 32 small letters, digits and dashes, like psc119",
    r"^[a-z][a-z0-9.-]{0,31}$": "a user's name is 1 to 32 small letters, digits, dots and dashes, the first a letter",
    r"^[0-9A-Za-z._-]{1,64}$": "an operator's name is 1 to 64 letters, digits, dots and dashes, like op01",
    r"^[0-9A-Za-z.-]{1,128}$": "a call's id is letters, digits, dots and dashes, like 1763800000.12",
    r"^[0-9A-Za-z.-]{1,32}$": "an area's code is 1 to 32 letters, digits, dots and dashes, like 35.10.01",
    r"^([01][0-9]|2[0-3]):[0-5][0-9]$": "a time of day is written like 07:00",
    r"^[A-Za-z0-9_-]+$": "send what `next` of the page before says, or leave it out for the first page",
    r"^[0-9]{1,15}$": "the number of an event is 1 to 15 digits",
    r'^"[0-9]{1,9}"$': 'send the ETag of what you have seen as it came, with its quotation marks, like "7"',
    r"^[!-~]{1,200}$": "1 to 200 letters, digits and signs of ASCII, without blanks",
}
#: kinds of fault that say the same
_ALIKE = {
    "int_type": "int_parsing", "int_from_float": "int_parsing", "int_parsing_size": "int_parsing",
    "float_type": "float_parsing", "bool_type": "bool_parsing", "literal_error": "enum",
    "date_type": "date_parsing", "date_from_datetime_parsing": "date_parsing",
    "date_from_datetime_inexact": "date_parsing",
    "datetime_type": "datetime_parsing", "datetime_from_date_parsing": "datetime_parsing",
    "datetime_object_invalid": "datetime_parsing", "timezone_aware": "datetime_parsing",
    "model_attributes_type": "dict_type", "model_type": "dict_type",
}
#: by kind of fault; in braces what pydantic knows of the rule
_WORDS = {
    "missing": "it must be given",
    "extra_forbidden": "there is no field of that name here",
    "string_type": "it must be a text",
    "string_unicode": "it must be a text in UTF-8",
    "string_too_short": "it may not be empty",
    "string_too_long": "it is too long: at most {max_length} letters are taken",
    "int_parsing": "it must be a whole number",
    "float_parsing": "it must be a number",
    "finite_number": "it must be a number that ends",
    "bool_parsing": "it must be true or false",
    "greater_than_equal": "it must be {ge} or more",
    "less_than_equal": "it must be {le} or less",
    "greater_than": "it must be more than {gt}",
    "less_than": "it must be less than {lt}",
    "enum": "it must be one of: {expected}",
    "date_parsing": "it must be a day like 2026-11-22",
    "datetime_parsing": "it must be a moment with its time zone, like 2026-11-22T10:00:00+07:00",
    "list_type": "it must be a list",
    "dict_type": "it must be an object with named fields",
    "too_short": "it holds too few: {min_length} or more are needed",
    "too_long": "it holds too many: at most {max_length} are taken",
    "json_invalid": "the body is no JSON",
}


def words(fault: Mapping[str, Any]) -> str:
    """`fault`: one of `ValidationError.errors()`."""
    known = fault.get("ctx") or {}
    if fault["type"] == "string_pattern_mismatch" and known.get("pattern") in PATTERNS:
        return PATTERNS[known["pattern"]]
    kind = _ALIKE.get(fault["type"], fault["type"])
    if kind in _WORDS:
        return _WORDS[kind].format_map(known)
    return str(fault["msg"]).removeprefix("Value error, ")
