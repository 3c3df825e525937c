"""`kentongan calls …`: the calls there were, and the journal of one."""

import json

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from db.models import Call, Note
from tests.kentongan.conftest import NOW, Run


@pytest.fixture(autouse=True)
def call(database: Engine) -> None:
    """One that was abandoned in the menu."""
    with Session(database) as session, session.begin():
        session.add(Call(id="c.1", node="kentongan", caller_number="0800555001", stage="ended", outcome="abandoned",
                         topic="any", pressed="", arrived_at=NOW, ended_at=NOW))
        session.add(Note(node="kentongan", seq=1, call_id="c.1", at=NOW, kind="menu", facts={}))
        session.add(Note(node="kentongan", seq=2, call_id="c.1", at=NOW, kind="ended", facts={"by": "caller"}))


def test_the_list_is_for_people_and_for_programs(kentongan: Run) -> None:
    status, out, _ = kentongan("calls", "list")
    assert (status, out.splitlines()[1].split()[0]) == (0, "c.1")
    words = ("--outcome", "abandoned", "--from", "2026-11-22", "--to", "2026-11-22", "--number", "555001")
    [one] = json.loads(kentongan("calls", "list", *words, "--json")[1])
    assert (one["id"], one["number"], one["operator"]) == ("c.1", "0800555001", None)
    assert kentongan("calls", "list", "--to", "2026-11-21")[1] == "no call is like that\n"


def test_show_prints_the_journal_line_by_line(kentongan: Run) -> None:
    status, out, _ = kentongan("calls", "show", "c.1")
    assert status == 0
    assert [line.split()[1:] for line in out.splitlines()[-2:]] == [["menu"], ["ended", "by=caller"]]
    whole = json.loads(kentongan("calls", "show", "c.1", "--json")[1])
    assert (whole["outcome"], whole["tickets"]) == ("abandoned", [])
    assert [(note["seq"], note["kind"]) for note in whole["notes"]] == [(1, "menu"), (2, "ended")]


def test_a_call_that_is_not_there_is_told_in_words(kentongan: Run) -> None:
    assert kentongan("calls", "show", "c.9") == (1, "", "there is no call c.9\n")
