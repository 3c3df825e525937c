"""The plan of the demo's day, and its second count."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from kentongan.day_count import count
from kentongan.day_plan import PROPORTIONS, day


def test_the_same_seed_is_the_same_day_and_another_is_another() -> None:
    assert day(112) == day(112)
    assert day(112) != day(113)


def test_a_hundred_callers_want_what_a_hundred_callers_want() -> None:
    assert Counter(caller.disposition for caller in day(112)) == PROPORTIONS


def test_nobody_has_anybody_elses_number() -> None:
    numbers = [caller.number for caller in day(112, 300) if caller.number is not None]
    assert len(set(numbers)) == len(numbers)


@dataclass
class Note:
    call_id: str | None
    kind: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class Line:
    what: str
    which: str
    field: str
    after: Any


def test_the_second_count_reads_outcomes_off_the_journal() -> None:
    notes = [
        Note("1.1", "arrived"), Note("1.2", "arrived"), Note(None, "desk"), Note("1.1", "talking"),
        Note("1.1", "ended"), Note("1.2", "ended"),
        Note("1.3", "way out", {"why": "unclaimed"}), Note("1.4", "claim lost"),
        Note("1.5", "arrived"), Note("1.5", "handed_back"), Note("1.5", "way out", {"why": "handed back"}),
    ]  # fmt: skip
    found = count(notes, [])
    assert found.calls == 4
    assert found.outcomes == {"answered": 1, "abandoned": 1, "handed back": 2}
    assert found.dispositions == {"none yet": 1}


def test_the_second_count_takes_the_last_word_of_the_audit() -> None:
    notes = [Note("1.1", "arrived"), Note("1.1", "talking"), Note("1.1", "ended")]
    audit = [
        Line("ticket", "7", "lifecycle", "draft"), Line("ticket", "7", "lifecycle", "open"),
        Line("user", "sri", "role", 1),
        Line("ticket", "7", "verification", "a1"), Line("ticket", "7", "forwarding damkar", "queued"),
        Line("ticket", "7", "forwarding damkar", "sent"), Line("call", "1.1", "disposition", "prank"),
        Line("call", "1.1", "disposition", "real"), Line("ticket", "8", "lifecycle", "draft"),
    ]  # fmt: skip
    found = count(notes, audit)
    assert (found.tickets, found.lifecycles) == (2, {"open": 1, "draft": 1})
    assert found.verifications == {"a1": 1, "open": 1}
    assert (found.forwardings, found.dispositions) == ({"damkar sent": 1}, {"real": 1})
