"""tickets ◆ What may be written into a ticket, and in which shape. Pure.

The doors check the same, to say so sooner; here it holds for whoever writes. Whether codes exist, and whether the form
fits the service, is looked up by tickets/filling.py.
"""

import math
from collections.abc import Mapping
from typing import Any

from tickets.forms import check_text
from tickets.refused import Refused

#: letters
LINE, WORDS, ANSWER = 200, 10_000, 2_000
_CODE = 64

_TEXTS = {
    "topic": _CODE, "category": _CODE, "subdistrict": _CODE, "village": _CODE,
    "place": WORDS, "narrative": WORDS,
    "reporter_name": LINE, "reporter_number": LINE, "subject_name": LINE, "subject_number": LINE,
}  # fmt: skip
#: degrees, up to which both ways
_DEGREES = {"latitude": 90.0, "longitude": 180.0}
_KEYED = ("answers", "form")

FIELDS = (*_TEXTS, *_DEGREES, *_KEYED)


def checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, ready to be written: texts stripped, blanks None, topic "any" for none. Raises Refused.

    `answers` and `form` hold only the keys that are to change; None there takes a key away.
    """
    if unknown := sorted(values.keys() - set(FIELDS)):
        raise Refused(unknown[0], f"a ticket has no {', '.join(unknown)}; what can be written is {', '.join(FIELDS)}")
    done = {name: _CHECKS[name](name, value) for name, value in values.items()}
    if "topic" in done:
        done["topic"] = done["topic"] or "any"
    if ("latitude" in done) != ("longitude" in done) or (done.get("latitude") is None) != (
        done.get("longitude") is None
    ):
        lacking = "longitude" if done.get("longitude") is None else "latitude"
        raise Refused(lacking, "latitude and longitude go together")
    return done


def text(name: str, value: Any, longest: int = WORDS) -> str | None:
    """Stripped, with plain line breaks; None if nothing is left. Raises Refused."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise Refused(name, "it must be a text")
    if len(value) > longest:
        raise Refused(name, f"it has {len(value)} letters; at most {longest} are taken")
    plain = value.replace("\r\n", "\n")
    check_text(plain, name)
    return plain.strip() or None


def _text(name: str, value: Any) -> str | None:
    return text(name, value, _TEXTS[name])


def _degrees(name: str, value: Any) -> float | None:
    if value is None:
        return None
    most = _DEGREES[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > most:
        raise Refused(name, f"it must be a number of degrees from {-most:.0f} to {most:.0f}")
    return float(value)


def _answers(name: str, value: Any) -> dict[str, Any]:
    return {key: text(f"{name}.{key}", answer, ANSWER) for key, answer in _keyed(name, value).items()}


def _form(name: str, value: Any) -> dict[str, Any]:
    """What stands in it is checked by the form's schema."""
    return {key: (entry.strip() or None) if isinstance(entry, str) else entry
            for key, entry in _keyed(name, value).items()}


def _keyed(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise Refused(name, "it must be an object of names and values")
    return value


_CHECKS = (
    dict.fromkeys(_TEXTS, _text) | dict.fromkeys(_DEGREES, _degrees) | {"answers": _answers, "form": _form}
)
