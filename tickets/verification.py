"""tickets ◆ Whether a report is true: the check before forwarding, and what A1 needs. Pure."""

from collections.abc import Iterable, Mapping
from enum import StrEnum, auto

from tickets import steps


class Verification(StrEnum):
    """The words stand in the database as they are."""

    OPEN = auto()
    CHECKING = auto()
    A1 = auto()  #: confirmed true
    NOT_TRUE = auto()
    CANNOT_BE_CHECKED = auto()


OPEN, CHECKING, A1, NOT_TRUE, CANNOT_BE_CHECKED = Verification

STEPS: dict[Verification, frozenset[Verification]] = {
    OPEN: frozenset({CHECKING}),
    CHECKING: frozenset({A1, NOT_TRUE, CANNOT_BE_CHECKED}),
    A1: frozenset(),
    NOT_TRUE: frozenset({CHECKING}),
    CANNOT_BE_CHECKED: frozenset({CHECKING}),
}


def step(now: Verification, to: Verification) -> Verification:
    """The result after the step; raises IllegalStep where the table has none."""
    return steps.step("a report", STEPS, now, to)


def missing_fields(values: Mapping[str, str | None], answers: Mapping[str, str], required: Iterable[str]) -> list[str]:
    """What A1 still needs, in the order of the form. Blanks are nothing, and "any" is no topic.

    The place is told in words or by its village. The evidence are the answers to the questions that the category's
    script requires (`required`, their keys); where it requires none, the evidence is told in words.
    """
    missing = [name for name in ("topic", "place", "narrative") if not _told(values, name)]
    if "topic" not in missing and values["topic"] == "any":
        missing.insert(0, "topic")
    if "place" in missing and _told(values, "village"):
        missing.remove("place")
    keys = list(required)
    missing += [f"answers.{key}" for key in keys if not _told(answers, key)]
    if not keys and not _told(values, "evidence"):
        missing.append("evidence")
    return missing


def _told(values: Mapping[str, str | None], name: str) -> bool:
    return bool((values.get(name) or "").strip())
