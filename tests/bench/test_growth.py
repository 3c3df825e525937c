"""The bench of a hundred thousand tickets is right in the small: the same people each time, few statements.

That its questions find something, and so measure something, is asserted here, too.
"""

from itertools import chain

import pytest

from bench import growth, invented

#: as few as let each question find something
COUNT = 400


def test_the_same_years_are_invented_each_time_and_no_number_is_anybodys() -> None:
    once, again = (list(invented.years(COUNT, growth.NOW, at_once=150)) for _ in range(2))
    assert once == again
    tickets = list(chain.from_iterable(piece.rows.get("tickets", ()) for piece in once))
    assert [ticket["id"] for ticket in tickets] == list(range(1, COUNT + 1))
    assert all(ticket["created_at"] < growth.NOW for ticket in tickets)
    numbers = {ticket[name] for ticket in tickets for name in ("reporter_number", "subject_number")} - {None}
    assert all(number.startswith("+62555") for number in numbers)


@pytest.fixture
def filled(empty_database_url: str) -> str:
    growth.fill(empty_database_url, COUNT)
    return empty_database_url


async def test_every_question_is_answered_in_few_statements(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "RUNS", 2)
    answers = await growth.measure(filled, COUNT)
    assert [name for name, answer in answers.items() if answer.statements > growth.allowed(name)] == []
    assert answers["tickets: newest"].rows == 50
    assert answers["search: word of every sixth ticket"].rows > 10
    assert "tickets: newest" in growth.markdown(answers)
    assert set(answers) >= growth.WALKS


def test_the_drafts_that_are_measured_are_committed(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "DRAFTS", 5)
    assert all(per_second > 0 for per_second in growth.drafts(filled))
