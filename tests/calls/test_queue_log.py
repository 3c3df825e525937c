"""Asterisk's queue log, drawn from our journal: lines that tools made for app_queue understand."""

from datetime import UTC, datetime, timedelta
from typing import Any

from calls.journal import Note
from calls.queue_log import Line, QueueLog

START = datetime(2026, 11, 22, 14, tzinfo=UTC)


class Book:
    """Notes at given seconds; keeps the lines they make."""

    def __init__(self) -> None:
        self._log, self._seq = QueueLog(), 0
        self.lines: list[tuple[str, str, str, str]] = []

    def note(self, at: float, kind: str, call_id: str | None = None, **facts: Any) -> None:
        self._seq += 1
        for line in self._log.lines(Note(self._seq, START + timedelta(seconds=at), kind, call_id, facts)):
            self.lines.append((line.unique_id, line.agent, line.event, line.data))


def test_a_call_that_the_operator_ends() -> None:
    book = Book()
    book.note(0, "arrived", "c1", number="+62800555001")
    book.note(1, "menu", "c1")
    book.note(2, "chosen", "c1", topic="fire")
    book.note(3, "queued", "c1")
    book.note(10, "offered", "c1", operator="op01")
    book.note(14.5, "talking", "c1", operator="op01")
    book.note(74.5, "ended", "c1", by="operator")
    assert book.lines == [
        ("c1", "NONE", "ENTERQUEUE", "|"),
        ("c1", "op01", "CONNECT", "11|c1|4"),
        ("c1", "op01", "COMPLETEAGENT", "11|60|1"),
    ]


def test_a_call_that_the_caller_ends() -> None:
    book = Book()
    book.note(0, "queued", "c1")
    book.note(1, "offered", "c1", operator="op01")
    book.note(2, "talking", "c1", operator="op01")
    book.note(9, "ended", "c1", by="caller")
    assert book.lines[-1] == ("c1", "op01", "COMPLETECALLER", "2|7|1")


def test_a_caller_who_gives_up_leaves_their_place_and_their_wait() -> None:
    book = Book()
    for n, call in enumerate(("c1", "c2", "c3")):
        book.note(n, "queued", call)
    book.note(5, "offered", "c1", operator="op01")
    book.note(6, "talking", "c1", operator="op01")
    book.note(62, "ended", "c3", by="caller")
    assert book.lines[-1] == ("c3", "NONE", "ABANDON", "2|3|60")


def test_an_unanswered_offer_is_told_with_the_ring_in_milliseconds_and_the_caller_enters_only_once() -> None:
    book = Book()
    book.note(0, "queued", "c1")
    book.note(1, "offered", "c1", operator="op01")
    book.note(16.25, "unanswered", "c1", operator="op01")
    book.note(16.25, "queued", "c1")
    book.note(17, "offered", "c1", operator="op02")
    book.note(19, "talking", "c1", operator="op02")
    assert book.lines == [
        ("c1", "NONE", "ENTERQUEUE", "|"),
        ("c1", "op01", "RINGNOANSWER", "15250"),
        ("c1", "op02", "CONNECT", "19|c1|2"),
    ]


def test_a_caller_who_is_handed_back_leaves_the_queue() -> None:
    book = Book()
    book.note(0, "queued", "c1")
    book.note(30, "handed_back", "c1")
    book.note(40, "ended", "c1")
    assert book.lines[1:] == [("c1", "NONE", "EXITWITHTIMEOUT", "1|1|30")]


def test_who_never_reached_the_queue_is_not_in_its_log() -> None:
    book = Book()
    book.note(0, "arrived", "c1")
    book.note(1, "menu", "c1")
    book.note(2, "ended", "c1", by="caller")
    assert not book.lines


def test_a_caller_whose_desk_was_lost_is_answered_all_the_same() -> None:
    book = Book()
    book.note(0, "queued", "c1")
    book.note(1, "offered", "c1", operator="op01")
    book.note(2, "talking", "c1", operator="op01")
    book.note(12, "queued", "c1", by="operator")
    book.note(20, "ended", "c1", by="caller")
    assert [line[2] for line in book.lines] == ["ENTERQUEUE", "CONNECT", "COMPLETECALLER"]


def test_desks_come_pause_and_go() -> None:
    book = Book()
    changes = [
        ("out", "ready", None), ("ready", "offered", None), ("offered", "paused", "did not answer"),
        ("paused", "ready", None), ("ready", "paused", "lunch"), ("paused", "out", None),
    ]  # fmt: skip
    for before, state, why in changes:
        book.note(0, "desk", None, operator="op01", before=before, state=state, why=why)
    assert book.lines == [
        ("NONE", "op01", "ADDMEMBER", ""),
        ("NONE", "op01", "PAUSE", "did not answer"),
        ("NONE", "op01", "UNPAUSE", ""),
        ("NONE", "op01", "PAUSE", "lunch"),
        ("NONE", "op01", "REMOVEMEMBER", ""),
    ]


def test_nobodys_number_is_in_the_log() -> None:
    book = Book()
    book.note(0, "arrived", "c1", number="+62800555001")
    book.note(0, "queued", "c1", number="+62800555001")
    book.note(1, "ended", "c1")
    assert "555" not in str(book.lines)


def test_calls_that_are_over_are_forgotten() -> None:
    log = QueueLog()
    for n in range(1, 4):
        log.lines(Note(n, START + timedelta(seconds=n), "queued", f"c{n}", {}))
    end = START + timedelta(seconds=10)
    assert log.lines(Note(4, end, "ended", "c2", {})) == [Line("c2", "NONE", "ABANDON", "2|2|8")]
    assert log.lines(Note(5, end, "ended", "c2", {})) == []
    assert log.lines(Note(6, end, "ended", "c3", {})) == [Line("c3", "NONE", "ABANDON", "2|3|7")]
