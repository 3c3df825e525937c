"""`kentongan callbacks …`: whom to call back, what came of it, and the supervisor's word."""

import json
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from db.models import Callback, CallbackCall
from tests.kentongan.conftest import NOW, Run


@pytest.fixture(autouse=True)
def tasks(database: Engine) -> None:
    """One of a number, one of nobody knows whom."""
    with Session(database) as session, session.begin():
        session.add(Callback(id=1, number="0800555001", state="open", opened_at=NOW, due_at=NOW))
        session.add(Callback(id=2, number=None, state="open", opened_at=NOW, due_at=NOW))
        session.flush()
        session.add(CallbackCall(callback_id=1, call_id="c.1"))


def told(kentongan: Run, *words: str) -> Any:
    status, out, complaint = kentongan("callbacks", *words, "--json")
    assert (status, complaint) == (0, "")
    return json.loads(out)


def test_the_list_has_those_with_a_number_or_those_without(kentongan: Run) -> None:
    assert [(one["id"], one["calls"]) for one in told(kentongan, "list")] == [(1, ["c.1"])]
    assert [one["id"] for one in told(kentongan, "list", "--numberless")] == [2]
    assert kentongan("callbacks", "list", "--state", "done")[1] .startswith("nobody with a number is to be called back")


def test_reached_it_is_done(kentongan: Run) -> None:
    [one] = told(kentongan, "attempt", "1", "--reached")
    assert (one["state"], one["attempts"]) == ("done", 1)
    assert [one["id"] for one in told(kentongan, "list", "--state", "done")] == [1]


def test_in_vain_three_times_the_supervisor_decides(kentongan: Run) -> None:
    for _ in range(3):
        [one] = told(kentongan, "attempt", "1", "--not-reached")
    assert one["state"] == "asked"
    [one] = told(kentongan, "decide", "1", "open", "--reason", "They called 110")
    assert one["state"] == "open"


def test_what_is_not_possible_says_why(kentongan: Run) -> None:
    assert kentongan("callbacks", "decide", "1", "give-up", "--reason", "x") == (
        1, "", "a call-back that is open asks for no decision\n")
    assert kentongan("callbacks", "attempt", "9", "--reached") == (1, "", "there is no call-back 9\n")
    assert kentongan("callbacks", "attempt", "1")[0] == 2
    assert kentongan("callbacks", "decide", "1", "give-up", "--reason", " ")[0] == 2
