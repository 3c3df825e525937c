"""tickets ◆ Whether a report is true: the check before forwarding, and what A1 needs. Pure."""

from collections.abc import Mapping
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

_A1_NEEDS = ("topic", "place", "narrative", "evidence")


def step(now: Verification, to: Verification) -> Verification:
    """The result after the step; raises IllegalStep where the table has none."""
    return steps.step("a report", STEPS, now, to)


def missing_fields(values: Mapping[str, str | None]) -> list[str]:
    """What A1 still needs, in the order of the form. Blanks are nothing, and "any" is no topic."""
    return [
        name
        for name in _A1_NEEDS
        if not (values.get(name) or "").strip() or (name, values[name]) == ("topic", "any")
    ]
