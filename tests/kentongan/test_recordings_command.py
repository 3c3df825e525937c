"""`kentongan recordings …`: what a reviewer at the host finds and hears, and what the audit tells of it."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from db.models import Call, Recording
from tests.kentongan.conftest import NOW, Run, audited


@pytest.fixture
def sound(house: Path, database: Engine) -> Path:
    """One recording in the archive, another that is missing."""
    path = house / "recordings/2026/11/22/c.1.ogg"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"OggS")
    with Session(database) as session, session.begin():
        for n, operator in ((1, "op01"), (2, "op02")):
            session.add(Call(id=f"c.{n}", node="kentongan", stage="ended", outcome="answered", topic="fire",
                             pressed="", arrived_at=NOW, talking_at=NOW, operator=operator))
            session.add(Recording(
                call_id=f"c.{n}", leg="caller", raw_name=f"c.{n}.raw", starts_at=NOW,
                state="archived" if n == 1 else "missing", duration_for=12.5 if n == 1 else None, sha256="ab" * 32,
                archive_name="2026/11/22/c.1.ogg", fault=None if n == 1 else "there is no raw file"))
    return path


def told_of(database: Engine) -> list[tuple[str, str, str | None]]:
    return [(row.which, row.field, row.why) for row in audited(database, "recording")]


def test_the_list_is_for_people_and_for_programs(kentongan: Run, sound: Path) -> None:
    status, out, _ = kentongan("recordings", "list")
    assert (status, len(out.splitlines())) == (0, 3)
    status, out, _ = kentongan(
        "recordings", "list", "--operator", "op01", "--from", "2026-11-22", "--to", "2026-11-22", "--length-min", "12",
        "--wait-max", "0", "--no-comments", "--json")
    [one] = json.loads(out)
    assert (one["call_id"], one["length"], one["wait"], one["comments"]) == ("c.1", 12.5, 0.0, 0)
    assert kentongan("recordings", "list", "--from", "2026-11-23")[1] == "no recording is like that\n"


def test_who_listens_gets_the_path_and_stands_in_the_audit(kentongan: Run, sound: Path, database: Engine) -> None:
    assert kentongan("recordings", "listen", "1", "--reason", "complaint") == (0, f"{sound}\n", "")
    told = json.loads(kentongan("recordings", "listen", "1", "--reason", "complaint", "--json")[1])
    assert told == {"path": str(sound), "bytes": 4, "sha256": "ab" * 32}
    assert told_of(database) == [("1", "listened", "complaint")]


def test_what_cannot_be_heard_says_why_and_is_not_in_the_audit(kentongan: Run, sound: Path, database: Engine) -> None:
    assert kentongan("recordings", "listen", "2", "--reason", "x") == (
        1, "", "recording 2 has no sound: there is no raw file\n")
    assert kentongan("recordings", "listen", "9", "--reason", "x") == (1, "", "there is no recording 9\n")
    for words in ((), ("--reason", " ")):
        assert kentongan("recordings", "listen", "1", *words)[0] == 2
    assert told_of(database) == []


def test_a_comment_stands_at_its_second(kentongan: Run, sound: Path, database: Engine) -> None:
    assert kentongan("recordings", "comment", "1", "Calm", "--at", "12.5") == (
        0, "recording 1 has your comment at 12.5 s\n", "")
    status, _, complaint = kentongan("recordings", "comment", "1", "Calm", "--at", "12.6")
    assert (status, complaint) == (1, "recording 1 goes from 0 to 12.5 s; there is no 12.6 s\n")
    assert kentongan("recordings", "comment", "1", " ", "--at", "1")[0] == 2
    assert told_of(database) == [("1", "comment", None)]
