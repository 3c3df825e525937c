"""Two books of the same calls agree, or are told apart: call by call."""
import pytest

from calls.reckoning import Differences, Record, compare
from telephony.cel import Account, Talk


def theirs(call_id: str = "1.1", desk: str | None = "op01", talked: float = 9.0, ended: bool = True) -> Account:
    talks = (Talk(desk, 10.0, 10.0 + talked),) if talked else ()
    return Account(call_id, "0800555001", 1.0, False, talks, 30.0 if ended else None, 30.0)


def ours(call_id: str = "1.1", operator: str | None = "op01", talked: bool = True, ended: bool = True) -> Record:
    return Record(call_id, ended, operator, talked)


@pytest.mark.parametrize(("asterisks", "records", "difference"), [
    ([], [], {}),
    ([theirs()], [ours()], {}),
    ([theirs(talked=0)], [ours(operator=None, talked=False)], {}),
    ([theirs(talked=0.2)], [ours(operator=None, talked=False)], {}),            # a slip, not a talk
    ([theirs(desk=None)], [ours()], {}),                                        # somebody outside was there as well
    ([theirs(ended=False)], [ours(ended=False)], {}),
    ([theirs(), theirs("2.2")], [ours()], {"without_record": ["2.2"]}),
    ([theirs()], [ours(), ours("2.2")], {"never_at_the_trunk": ["2.2"]}),
    ([theirs()], [ours(ended=False)], {"without_end": ["1.1"]}),
    ([theirs(ended=False)], [ours()], {"going_on": ["1.1"]}),
    ([theirs()], [ours(talked=False)], {"answered_unseen": ["1.1"]}),
    ([theirs()], [ours(operator="op02")], {"answered_unseen": ["1.1"]}),
])
def test_the_books_differ_where_they_do(
    asterisks: list[Account], records: list[Record], difference: dict[str, list[str]]
) -> None:
    found = compare(asterisks, records)
    assert found == Differences(**difference)
    assert bool(found) == bool(difference)
