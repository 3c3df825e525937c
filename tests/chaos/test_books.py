"""The checker finds what it looks for: a book in which all is well, spoilt in one place after the other."""

from dataclasses import replace

import pytest

from calls.reckoning import Differences
from kentongan.rtp import RATE, Tone, alaw
from tests.chaos.books import Experience, Left, Record, Task, complaints
from tests.chaos.plan import Kind, draw
from tests.chaos.street import is_operator

HEARD = Experience("0800555001", 1.0, answered=True, talked_for=3.0, ended_at=9.0)
GAVE_UP = Experience("0800555002", 2.0, answered=True, talked_for=0.0, ended_at=10.0)
ANSWERED = Record("1.1", "+62800555001", "ended", "answered", 1, [("archived", 8.0, 0.0)], 8.0, 1.0)
ABANDONED = Record("1.2", "+62800555002", "ended", "abandoned", 1, [("archived", 8.0, 0.0)], 8.0, 2.0)
TASK = Task("+62800555002", "open")
AGREED = Differences()
NOTHING = Left(0, 0, [], [1, 2, 3], 0.0, [])


def found(told=(HEARD, GAVE_UP), records=(ANSWERED, ABANDONED), tasks=(TASK,), left=NOTHING, exchange=AGREED,
          faults=()):
    return complaints(list(told), list(records), list(tasks), left, exchange, faults)


def test_of_books_in_which_all_is_well_nothing_is_said() -> None:
    assert found() == []


@pytest.mark.parametrize(("spoilt", "says"), [
    ({"tasks": ()}, "LOST"),
    ({"records": (ABANDONED,)}, "NO RECORD of the caller"),
    ({"exchange": Differences(without_record=["1.3"])}, "NO RECORD of what Asterisk knows: 1.3"),
    ({"exchange": Differences(never_at_the_trunk=["1.3"])}, "not in Asterisk's"),
    ({"exchange": Differences(without_end=["1.1"])}, "not for us"),
    ({"exchange": Differences(going_on=["1.1"])}, "not for Asterisk"),
    ({"exchange": Differences(answered_unseen=["1.1"])}, "its operator"),
    ({"records": (ANSWERED, ABANDONED, replace(ANSWERED, id="1.3"))}, "DOUBLED"),
    ({"tasks": (TASK, TASK)}, "DOUBLED"),
    ({"records": (replace(ANSWERED, recordings=[]), ABANDONED)}, "has no recording"),
    ({"records": (replace(ANSWERED, recordings=[("faulty", 0.0, 0.0)]), ABANDONED)}, "is faulty"),
    ({"records": (replace(ANSWERED, recordings=[("archived", 5.0, 0.0)]), ABANDONED)}, "rows account for 0.0 s"),
    ({"records": (replace(ANSWERED, recordings=[("archived", 5.0, 3.0)]), ABANDONED)}, "lacks 3.0 s"),
    ({"records": (replace(ANSWERED, tickets=0), ABANDONED)}, "has 0 tickets"),
    ({"records": (replace(ANSWERED, stage="talking", outcome=None), ABANDONED)}, "stands at talking"),
    ({"left": replace(NOTHING, channels=1)}, "1 channels"),
    ({"left": replace(NOTHING, bridges=1)}, "1 bridges"),
    ({"left": replace(NOTHING, stuck=["op01: talking"])}, "STUCK"),
    ({"left": replace(NOTHING, notes=[1, 3])}, "lacks the notes [2]"),
    ({"left": replace(NOTHING, breaches=2)}, "2 breaches"),
    ({"left": replace(NOTHING, leaks=["the log"])}, "stands in the log"),
])  # fmt: skip
def test_what_is_spoilt_is_said(spoilt, says) -> None:
    [complaint] = found(**spoilt)
    assert says in complaint


def test_asterisk_cannot_write_the_end_of_a_call_that_died_with_it() -> None:
    assert found(records=(ANSWERED, replace(ABANDONED, outcome="cut by the exchange")),
                 exchange=Differences(going_on=["1.2"])) == []


def test_missing_sound_is_forgiven_where_a_fault_struck_and_nowhere_else() -> None:
    short = (replace(ANSWERED, recordings=[("archived", 5.0, 3.0)]), ABANDONED)
    assert found(records=short, faults=[(3.0, 5.0)]) == []
    assert found(records=short, faults=[(20.0, 25.0)]) != []


def test_one_seed_is_one_run_and_asterisk_is_killed_once_in_it() -> None:
    assert draw(4711, 300, 2.0) == draw(4711, 300, 2.0) != draw(4712, 300, 2.0)
    for seed in range(50):
        plan = draw(seed, 300, 2.0)
        assert [fault.kind for fault in plan.faults].count(Kind.ASTERISK) == 1
        assert len({citizen.number for citizen in plan.callers}) == 300


def test_an_operator_is_told_from_a_prompt_from_silence_and_from_a_caller() -> None:
    import audioop
    def heard(hz: int) -> bytes:
        return audioop.alaw2lin(alaw(Tone(hz))[: RATE // 5], 2)
    assert is_operator(heard(1000))
    assert not is_operator(heard(440))
    assert not is_operator(heard(0))
    assert not is_operator(b"")
