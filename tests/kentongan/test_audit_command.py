"""`kentongan audit …`: what was done is told, and whoever has touched the book is found out."""

import asyncio
import json
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from db.audit import Entry, Trail
from kentongan import ground
from kentongan.settings import load
from tests.kentongan.conftest import NOW, Run


@pytest.fixture
def book(house: Path, database: Engine) -> Engine:
    """A house that is laid, and in its audit the seed's nine rows and three more, which told nothing of each other."""
    asyncio.run(ground.lay(load()))
    trail = Trail()
    for who, what, which, why in (("ani", "user", "sri", "promoted"), ("op01", "ticket", "7", None),
                                  ("op01", "ticket", "8", None)):
        trail.add(Entry(NOW, who, what, which, "place", None, {"to": "Rogojampi"}, why))
    with database.begin() as connection:
        trail.seal(connection)
    return database


@pytest.fixture
def audit(book: Engine, kentongan: Run) -> Run:
    return partial(kentongan, "audit")


def touch(book: Engine, *statements: str) -> None:
    """As somebody who owns the database would do it."""
    with book.begin() as connection:
        for verb in ("update", "delete"):
            connection.execute(text(f"DROP TRIGGER audit_no_{verb}"))
        for statement in statements:
            connection.execute(text(statement))


def test_the_newest_is_told_first_and_all_of_it_to_programs(audit: Run) -> None:
    status, out, _ = audit("list", "--limit", "1")
    assert status == 0
    assert out.splitlines()[1].split()[:8] == ["12", "2026-11-22", "10:00:00", "WIB", "op01", "ticket", "8", "place"]
    rows = json.loads(audit("list", "--json")[1])
    assert [row["seq"] for row in rows] == list(range(12, 0, -1))
    assert rows[0]["after"] == {"to": "Rogojampi"}
    assert len(rows[0]["chain"]) == 64


@pytest.mark.parametrize(("asked", "found"), [
    (("--what", "ticket"), [12, 11]), (("--what", "ticket", "--which", "7"), [11]), (("--who", "ani"), [10]),
    (("--who", "kentongan", "--limit", "2"), [9, 8]), (("--what", "roster"), [])])
def test_it_is_asked_for_a_kind_of_thing_for_one_or_for_who_did_it(
    audit: Run, asked: tuple[str, ...], found: list[int]
) -> None:
    assert [row["seq"] for row in json.loads(audit("list", "--json", *asked)[1])] == found


def test_who_finds_nothing_is_told_so(audit: Run) -> None:
    assert audit("list", "--what", "roster") == (0, "the audit tells of nothing like that\n", "")


def test_a_whole_book_verifies_and_tells_its_head_to_be_written_down(audit: Run) -> None:
    status, out, err = audit("verify")
    head = audit("head")[1]
    assert (status, err) == (0, "")
    assert out == f"all 12 rows fit; the head, to be written down elsewhere:\n{head}"
    assert audit("verify", "--written", head)[0] == 0


def test_rows_that_were_touched_are_named(book: Engine, audit: Run) -> None:
    touch(book, "UPDATE audit SET why = NULL WHERE seq = 10", "DELETE FROM audit WHERE seq = 5")
    status, out, err = audit("verify")
    assert (status, out) == (1, "")
    assert "2 rows do not fit what stands before them: 6, 10." in err


def test_a_head_that_was_written_down_finds_out_what_the_chain_alone_cannot(book: Engine, audit: Run) -> None:
    head = audit("head")[1].strip()
    touch(book, "DELETE FROM audit WHERE seq > 10")
    assert audit("verify")[0] == 0
    status, out, err = audit("verify", "--written", head)
    assert (status, out) == (1, "")
    assert "row 12, as it was written down, is not there any more" in err
    other = head.partition(":")[2]
    assert "is another one now" in audit("verify", "--written", f"10:{other}")[2]


@pytest.mark.parametrize("written", ["12", "x:y", "12:abc", "9999999999:" + "a" * 64, "-1:" + "a" * 64])
def test_what_is_no_head_is_refused(audit: Run, written: str) -> None:
    status, out, err = audit("verify", "--written", written)
    assert (status, out) == (2, "")
    assert "kentongan audit head" in " ".join(err.replace("│", " ").split())
