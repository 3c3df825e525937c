"""tickets ◆ Legal steps as data: how the three tables of this room are read. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

State = TypeVar("State", bound=StrEnum)


class IllegalStep(Exception):
    """A step that the table does not have; nothing has changed. Its text is for the person who tried."""


def step(what: str, table: Mapping[State, frozenset[State]], now: State, to: State) -> State:
    """`to`, if the table leads there from `now`; else raises IllegalStep. `what`: people's word for it."""
    if to in table[now]:
        return to
    ways = ", ".join(spoken(state) for state in sorted(table[now]))
    raise IllegalStep(
        f"{what} that is {spoken(now)} cannot become {spoken(to)}; "
        + (f"it can become: {ways}" if ways else "nothing follows after that")
    )


def spoken(state: StrEnum) -> str:
    """The word as people read it: "on the way", "A1"."""
    return "A1" if state == "a1" else state.replace("_", " ")
