"""What to do about a waiting caller of whom nothing is heard: a truth table."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls.silence import RAISED, SAYS, TOPICS, TWICE, Asked, Times, Todo, todo
from ivr.menu import TOPICS as OF_THE_MENU
from ivr.menu import Choice

TIMES = Times(silent_for=8.0, answer_for=4.0)
NEVER = -inf
ONCE, AGAIN = Asked(1, at=20.0), Asked(2, at=30.0)
VOICED = Asked(1, at=20.0, heard=True)
SECONDS = st.floats(0, 1000)


@pytest.mark.parametrize(
    ("asked", "key_at", "voice_at", "now", "found"),
    [
        (Asked(), NEVER, NEVER, 10.0, (Todo.WAIT, 8.0)),  # has just begun to wait
        (Asked(), NEVER, NEVER, 17.0, (Todo.WAIT, 1.0)),
        (Asked(), NEVER, NEVER, 18.0, (Todo.ASK, 0.0)),
        (Asked(), NEVER, 4.0, 18.0, (Todo.ASK, 0.0)),  # was heard in the menu, and not since
        (Asked(), NEVER, 15.0, 18.0, (Todo.WAIT, 5.0)),  # was heard while waiting
        (Asked(), NEVER, 15.0, 23.0, (Todo.ASK, 0.0)),
        (Asked(), NEVER, inf, 500.0, (Todo.WAIT, inf)),  # is heard
        (Asked(), 3.0, NEVER, 500.0, (Todo.WAIT, inf)),  # pressed a key in the menu
        (ONCE, NEVER, NEVER, 21.0, (Todo.WAIT, 3.0)),
        (ONCE, NEVER, NEVER, 24.0, (Todo.ASK, 0.0)),
        (ONCE, NEVER, 19.0, 21.0, (Todo.WAIT, 3.0)),  # heard before the question
        (ONCE, NEVER, inf, 21.0, (Todo.RAISE, 0.0)),
        (ONCE, NEVER, 20.5, 21.0, (Todo.RAISE, 0.0)),
        (ONCE, 20.5, NEVER, 21.0, (Todo.RAISE, 0.0)),
        (VOICED, NEVER, inf, 21.0, (Todo.WAIT, inf)),  # a voice raises once
        (VOICED, 22.0, inf, 22.0, (Todo.RAISE, 0.0)),  # a key after it says more
        (VOICED, NEVER, 21.0, 500.0, (Todo.WAIT, inf)),  # is not asked again
        (Asked(1, 20.0, heard=True, answered=True), 25.0, inf, 26.0, (Todo.WAIT, inf)),
        (AGAIN, NEVER, NEVER, 33.0, (Todo.WAIT, 1.0)),
        (AGAIN, NEVER, NEVER, 34.0, (Todo.LISTEN, 0.0)),
        (Asked(2, 30.0, silent=True), NEVER, NEVER, 500.0, (Todo.WAIT, inf)),
        (Asked(2, 30.0, silent=True), NEVER, inf, 500.0, (Todo.RAISE, 0.0)),  # late, and counts
    ],
)
def test_what_to_do(asked: Asked, key_at: float, voice_at: float, now: float, found: tuple[Todo, float]) -> None:
    assert todo(asked, key_at, voice_at, since=10.0, now=now, times=TIMES) == found


@given(times=st.integers(0, 3), at=SECONDS, heard=st.booleans(), silent=st.booleans(), now=SECONDS)
def test_nobody_is_asked_more_than_twice_nor_after_a_sign_nor_within_the_time_of_an_answer(
    times: int, at: float, heard: bool, silent: bool, now: float
) -> None:
    what, _ = todo(Asked(times, at if times else inf, heard, False, silent), NEVER, NEVER, 0.0, now, TIMES)
    if what is Todo.ASK:
        assert times < TWICE
        assert times == 0 or (not heard and now >= at + TIMES.answer_for)


def test_before_the_question_a_key_is_no_answer() -> None:
    assert [asked.is_open() for asked in (Asked(), ONCE, VOICED, Asked(1, 0.0, True, True))] == [
        False, True, True, False,
    ]  # fmt: skip


def test_the_answers_are_services_that_the_menu_knows_and_a_sign_comes_before_every_choice_of_it() -> None:
    assert list(SAYS.items()) == [("1", "police"), ("2", "fire"), ("3", "ambulance"), ("4", "yes"), ("5", "no")]
    assert set(TOPICS) < set(SAYS.values())
    assert set(TOPICS.values()) < OF_THE_MENU
    assert Choice("any", 9).priority < RAISED
