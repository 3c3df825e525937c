"""tickets ◆ What an admin may set up, in which shape: services, categories with scripts, rules of forwarding. Pure.

Whether what they name exists is looked up by tickets/setup.py.
"""

import re
from collections.abc import Mapping
from typing import Any

from tickets import fields
from tickets.refused import Refused

#: of a service, a category, a topic
CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_PREFIX = re.compile(r"([A-Z]{1,4}-)?")
_KEY = re.compile(r"[a-z][a-z0-9_]{0,31}")
_HOUR = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_MOST_TOPICS, _MOST_QUESTIONS = 30, 30
#: seconds: a year
_LONGEST_CLOCK = 366 * 24 * 3600.0

SERVICE = ("name", "prefix", "topics", "accept_for", "handle_for", "active")
CATEGORY = ("service", "topic", "name", "script", "active")
RULE = ("service", "topic", "area", "starts", "ends", "agency")


def service(values: Mapping[str, Any]) -> dict[str, Any]:
    """What was given of a service, ready to be written. Raises Refused."""
    return _checked(values, SERVICE)


def category(values: Mapping[str, Any]) -> dict[str, Any]:
    """What was given of a category, ready to be written. Raises Refused."""
    given = _checked(values, CATEGORY)
    whole(given, tuple(name for name in ("service", "topic") if name in given))
    return given


def rule(values: Mapping[str, Any]) -> dict[str, Any]:
    """A rule, all of it; what is None fits all. Raises Refused."""
    whole = dict.fromkeys(RULE) | _checked(values, RULE)
    if (whole["starts"] is None) != (whole["ends"] is None):
        raise Refused("ends" if whole["ends"] is None else "starts", "an hour of beginning and one of end go together")
    if whole["agency"] is None:
        raise Refused("agency", "which agency is to be proposed?")
    return whole


def code(name: str, value: Any) -> str:
    """A code of a service, category or topic. Raises Refused."""
    if not isinstance(value, str) or not CODE.fullmatch(value):
        raise Refused(name, "a code is 1 to 32 small letters, digits and dashes, a letter or digit first")
    return value


def whole(values: Mapping[str, Any], needed: tuple[str, ...]) -> None:
    """Raises Refused for the first that is missing of something new."""
    for name in needed:
        if values.get(name) is None:
            raise Refused(name, "it is needed")


def _checked(values: Mapping[str, Any], known: tuple[str, ...]) -> dict[str, Any]:
    if unknown := sorted(values.keys() - set(known)):
        raise Refused(unknown[0], f"there is: {', '.join(known)}")
    return {name: _CHECKS[name](name, value) for name, value in values.items()}


def _name(name: str, value: Any) -> str:
    found = fields.text(name, value, fields.LINE)
    if found is None or not found.isprintable():
        raise Refused(name, f"a name is one line of 1 to {fields.LINE} letters")
    return found


def _prefix(name: str, value: Any) -> str:
    if not isinstance(value, str) or not _PREFIX.fullmatch(value):
        raise Refused(name, 'it stands before the numbers and is said aloud: 1 to 4 capital letters and a dash ("L-")')
    return value


def _topics(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not 1 <= len(value) <= _MOST_TOPICS:
        raise Refused(name, f"a service has 1 to {_MOST_TOPICS} topics")
    topics = [_topic(f"{name}.{place}", topic) for place, topic in enumerate(value)]
    if len(set(topics)) < len(topics):
        raise Refused(name, "a topic stands there twice")
    return topics


def _topic(name: str, value: Any) -> str:
    if value == "any":
        raise Refused(name, '"any" says that the topic is not known yet; it is no topic of its own')
    return code(name, value)


def _seconds(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LONGEST_CLOCK:
        raise Refused(name, f"it must be a number of seconds up to {_LONGEST_CLOCK:.0f}, or null for no clock")
    return float(value)


def _active(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Refused(name, "it must be true or false")
    return value


def _script(name: str, value: Any) -> dict[str, Any]:
    """{"questions": [{"key", "text", "required"}, ...]}"""
    if not isinstance(value, dict) or set(value) != {"questions"} or not isinstance(value["questions"], list):
        raise Refused(name, 'a script is {"questions": [{"key", "text", "required"}, …]}')
    if len(value["questions"]) > _MOST_QUESTIONS:
        raise Refused(name, f"a script has at most {_MOST_QUESTIONS} questions: somebody waits at the telephone")
    questions = [_question(f"{name}.questions.{place}", one) for place, one in enumerate(value["questions"])]
    keys = [question["key"] for question in questions]
    if len(set(keys)) < len(keys):
        raise Refused(name, "two questions have the same key")
    return {"questions": questions}


def _question(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not {"key", "text"} <= set(value) <= {"key", "text", "required"}:
        raise Refused(name, "a question has key, text and required")
    if not isinstance(value["key"], str) or not _KEY.fullmatch(value["key"]):
        raise Refused(f"{name}.key", "a key is 1 to 32 small letters, digits and _, a letter first")
    required = _active(f"{name}.required", value.get("required", False))
    return {"key": value["key"], "text": _name(f"{name}.text", value["text"]), "required": required}


def _hour(name: str, value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or not _HOUR.fullmatch(value)):
        raise Refused(name, 'it must be local time as "HH:MM"')
    return value


def _optional(name: str, value: Any) -> str | None:
    return None if value is None else code(name, value)


def _area(name: str, value: Any) -> str | None:
    return fields.text(name, value, fields.LINE)


_CHECKS: dict[str, Any] = {
    "name": _name, "prefix": _prefix, "topics": _topics, "accept_for": _seconds, "handle_for": _seconds,
    "active": _active, "service": _optional, "topic": _optional, "script": _script, "area": _area, "starts": _hour,
    "ends": _hour, "agency": _optional,
}  # fmt: skip
