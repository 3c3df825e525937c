"""The porch ◆ The day counted a second time: from the journal's notes and the audit, line by line, and not from the
tables of calls and tickets that are drawn from them. Pure.

What the two counts do not agree on is a fault: of the drawing, of a query, or of the counting.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol


class Note(Protocol):
    """A line of the journal."""

    call_id: str | None
    kind: str
    facts: dict[str, Any]


class Line(Protocol):
    """A line of the audit."""

    what: str
    which: str
    field: str
    after: Any


@dataclass
class Count:
    """Counts by word."""

    calls: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    dispositions: Counter[str] = field(default_factory=Counter)     #: of answered calls
    tickets: int = 0
    lifecycles: Counter[str] = field(default_factory=Counter)
    verifications: Counter[str] = field(default_factory=Counter)
    forwardings: Counter[str] = field(default_factory=Counter)      #: "agency state"


def count(notes: Iterable[Note], audit: Iterable[Line]) -> Count:
    """`notes` and `audit`: in the order in which they were written."""
    seen: dict[str, list[Note]] = {}
    for note in notes:
        if note.call_id is not None:
            seen.setdefault(note.call_id, []).append(note)
    calls = {call_id: told for call_id, told in seen.items() if {note.kind for note in told} & _BEGINS}
    found = Count(calls=len(calls), outcomes=Counter(_outcome(told) for told in calls.values()))
    answered = {call_id for call_id, told in calls.items() if any(note.kind == "talking" for note in told)}

    last: dict[tuple[str, str, str], Any] = {(line.what, line.which, line.field): line.after for line in audit}
    given = {which: after for (what, which, of), after in last.items() if (what, of) == ("call", "disposition")}
    found.dispositions.update(given.get(call_id, "none yet") for call_id in answered)
    tickets = {which for what, which, _ in last if what == "ticket"}
    found.tickets = len(tickets)
    for which in tickets:
        found.lifecycles[last["ticket", which, "lifecycle"]] += 1
        found.verifications[last.get(("ticket", which, "verification"), "open")] += 1
    for (what, _, changed), after in last.items():
        if what == "ticket" and changed.startswith("forwarding "):
            found.forwardings[f"{changed.removeprefix('forwarding ')} {after}"] += 1
    return found


#: a call that is on record has one of these
_BEGINS = {"arrived", "adopted", "way out"}


def _outcome(told: list[Note]) -> str:
    kinds = [note.kind for note in told]
    if any(note.facts.get("by") == "exchange" for note in told):
        return "cut by the exchange"
    if "talking" in kinds:
        return "answered"
    if "handed_back" in kinds or any(note.kind == "way out" and note.facts["why"] for note in told):
        return "handed back"
    return "abandoned" if {"ended", "way out"} & set(kinds) else "goes on"
