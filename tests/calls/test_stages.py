"""The stages of a call: a table, its legal steps, and what a path says of its end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.stages import (
    ARRIVED,
    ENDED,
    HANDED_BACK,
    MENU,
    OFFERED,
    QUEUED,
    STEPS,
    TALKING,
    IllegalStep,
    Outcome,
    Stage,
    outcome,
    step,
)

EVERY_STEP = [(now, to) for now in Stage for to in Stage]


@pytest.mark.parametrize("now", Stage)
def test_every_stage_but_the_last_can_end(now: Stage) -> None:
    assert (ENDED in STEPS[now]) == (now is not ENDED)


@pytest.mark.parametrize(("now", "to"), EVERY_STEP)
def test_a_step_is_taken_if_and_only_if_the_table_has_it(now: Stage, to: Stage) -> None:
    if to in STEPS[now]:
        assert step(now, to) is to
        return
    with pytest.raises(IllegalStep, match=f"cannot go from {now} to {to}"):
        step(now, to)


@pytest.mark.parametrize("now", Stage)
def test_nobody_arrives_twice(now: Stage) -> None:
    assert ARRIVED not in STEPS[now]


def test_a_conversation_is_never_handed_back() -> None:
    assert HANDED_BACK not in STEPS[TALKING]


def test_the_last_stage_says_that_nothing_follows() -> None:
    with pytest.raises(IllegalStep, match="it can go to nothing"):
        step(ENDED, QUEUED)


@given(st.data())
def test_every_walk_through_the_table_can_still_end(data: st.DataObject) -> None:
    now = ARRIVED
    for _ in range(data.draw(st.integers(0, 20))):
        if not STEPS[now]:
            break
        now = step(now, data.draw(st.sampled_from(sorted(STEPS[now]))))
    assert now is ENDED or step(now, ENDED) is ENDED


PATHS = [
    ("hung up before the answer", [ARRIVED, ENDED], Outcome.ABANDONED),
    ("hung up in the menu", [ARRIVED, MENU, ENDED], Outcome.ABANDONED),
    ("hung up while waiting", [ARRIVED, MENU, QUEUED, ENDED], Outcome.ABANDONED),
    ("hung up while the desk rang", [ARRIVED, MENU, QUEUED, OFFERED, ENDED], Outcome.ABANDONED),
    ("answered", [ARRIVED, MENU, QUEUED, OFFERED, TALKING, ENDED], Outcome.ANSWERED),
    ("answered, desk lost, left", [ARRIVED, QUEUED, OFFERED, TALKING, QUEUED, ENDED], Outcome.ANSWERED),
    ("handed back", [ARRIVED, MENU, QUEUED, HANDED_BACK], Outcome.HANDED_BACK),
    ("taken again and answered", [ARRIVED, HANDED_BACK, QUEUED, OFFERED, TALKING, ENDED], Outcome.ANSWERED),
    ("handed back, over", [ARRIVED, HANDED_BACK, ENDED], Outcome.HANDED_BACK),
    ("nothing is known", [], Outcome.ABANDONED),
]


@pytest.mark.parametrize(("path", "said"), [row[1:] for row in PATHS], ids=[row[0] for row in PATHS])
def test_the_outcome_is_read_off_the_path(path: list[Stage], said: Outcome) -> None:
    assert outcome(path) is said


@pytest.mark.parametrize("path", [row[1] for row in PATHS], ids=[row[0] for row in PATHS])
def test_what_the_exchange_cut_was_cut_wherever_it_stood(path: list[Stage]) -> None:
    assert outcome(path, "exchange") is Outcome.CUT


def test_the_words_of_the_stages_are_those_of_the_journal() -> None:
    assert list(Stage) == ["arrived", "menu", "queued", "offered", "talking", "handed_back", "ended"]
