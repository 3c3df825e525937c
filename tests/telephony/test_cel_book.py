"""The file of Asterisk's own book of calls: read once, whoever moves or cuts it, and never longer than its bound."""
from collections.abc import Iterator
from pathlib import Path

import pytest

from telephony.cel_book import CelBook


def row(call: int, event: str = "CHAN_START") -> str:
    return (f"1795381257.00000{call},{event},1795381257.{call},1795381257.{call},PJSIP/trunk-0000000{call},"
            "kentongan-trunk,0800555001,\n")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.csv"


@pytest.fixture
def book(path: Path) -> Iterator[CelBook]:
    book = CelBook(path, limit=500)
    yield book
    book.close()


def writes(path: Path, text: str) -> None:
    """As Asterisk does: opened for each row."""
    with path.open("a") as file:
        file.write(text)


def calls(book: CelBook) -> list[str]:
    return [call.removeprefix("1795381257.") for call in book.accounts()]


def test_before_the_first_call_there_is_no_book(book: CelBook) -> None:
    assert calls(book) == []


def test_what_comes_later_is_read_on(path: Path, book: CelBook) -> None:
    writes(path, row(1))
    assert calls(book) == ["1"]
    writes(path, row(2) + row(1, "HANGUP"))
    assert calls(book) == ["1", "2"]
    assert book.accounts()["1795381257.1"].ended_at is not None


def test_a_line_that_is_not_whole_yet_waits_for_its_end(path: Path, book: CelBook) -> None:
    writes(path, row(1)[:40])
    assert calls(book) == []
    writes(path, row(1)[40:])
    assert calls(book) == ["1"]


def test_whom_we_know_all_of_is_forgotten_with_what_belongs_to_nobody(path: Path, book: CelBook) -> None:
    writes(path, row(1) + row(2) + row(3, "HANGUP"))
    book.accounts()
    book.forget({"1795381257.1"})
    assert calls(book) == ["2"]
    assert len(book._rows) == 1


def test_a_book_that_is_long_is_put_aside_and_nothing_is_lost_or_read_twice(path: Path, book: CelBook) -> None:
    aside = path.with_name("calls.csv.1")
    seen = []
    for call in range(1, 10):
        writes(path, row(call))
        seen += [call for call in calls(book) if call not in seen]
        if aside.exists() and not path.exists():
            writes(aside, row(call, "HANGUP"))          # it had been opened before
    assert seen == [str(call) for call in range(1, 10)]
    hung_up = [account for account in book.accounts().values() if account.ended_at is not None]
    assert hung_up
    assert path.stat().st_size + aside.stat().st_size < 2 * 800


def test_who_comes_after_us_reads_what_was_put_aside_first(path: Path, book: CelBook) -> None:
    writes(path, "".join(map(row, range(1, 7))))
    book.accounts()                                     # put aside
    writes(path, row(7))
    another = CelBook(path)
    assert calls(another) == ["1", "2", "3", "4", "5", "6", "7"]
    another.close()


def test_a_book_that_an_administrator_moved_or_cut_is_read_on(path: Path, book: CelBook) -> None:
    writes(path, row(1))
    assert calls(book) == ["1"]
    writes(path, row(2))
    path.rename(path.with_name("moved"))
    writes(path, row(3))
    assert calls(book) == ["1", "2", "3"]
    path.write_text("")
    assert calls(book) == ["1", "2", "3"]
    writes(path, row(4))
    assert calls(book) == ["1", "2", "3", "4"]
