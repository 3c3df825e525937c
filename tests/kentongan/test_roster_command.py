"""`kentongan roster …` as an admin types it: what is printed, what is refused, what is written."""

import io
import json
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import Engine, func, select

from db.models import Audit, DayDuty
from tests.kentongan.conftest import Run, audited

DAY = "hari,sif,operator\n2026-12-25,pagi,op02\n2026-12-25,siang,op03\n2026-12-25,malam,op06\n"


@pytest.fixture
def roster(kentongan: Run) -> Run:
    return partial(kentongan, "roster")


def written(database: Engine) -> tuple[int, list[Audit]]:
    """Rows of days that differ, and the audit about the roster."""
    with database.connect() as connection:
        days = connection.scalar(select(func.count()).select_from(DayDuty)) or 0
    return days, audited(database, "roster")


def test_who_is_on_at_a_moment_and_now(roster: Run) -> None:
    status, told, _ = roster("on", "--at", "2026-11-23 02:00")
    assert status == 0
    assert told.splitlines()[0].split() == ["operator", "name", "shift", "since", "until", "skills"]
    assert [line.split()[0] for line in told.splitlines()[1:]] == ["op02", "op05"]
    assert "malam  2026-11-22 23:00:00 WIB  2026-11-23 07:00:00 WIB" in told
    assert len(json.loads(roster("on", "--json")[1])) >= 2
    assert roster("on", "--at", "tonight")[0] == 2


def test_the_roster_is_shown_a_line_per_day_and_shift(roster: Run) -> None:
    rows = json.loads(roster("show", "--json")[1])
    assert len(rows) == 21
    assert rows[0] == {"day": "Monday", "shift": "pagi", "starts": "07:00", "ends": "15:00",
                       "operators": ["op04", "op07"]}
    assert roster("gaps")[1] == "no gaps; the fewest seats of the week: 2 on Monday at 00:00\n"
    assert "malam  23:00   07:00" in roster("shifts")[1]


@pytest.mark.parametrize("name", ["jaga.csv", "jaga.ics"])
def test_what_is_taken_out_goes_in_again(roster: Run, house: Path, database: Engine, name: str) -> None:
    file = str(house / name)
    assert roster("export", file)[:2] == (0, f"written: {file}\n")
    assert roster("import", file) == (0, "nothing is changed: it stood there so\n", "")
    assert written(database) == (0, [])


def test_a_day_is_tried_brought_in_shown_and_restored(roster: Run, house: Path, database: Engine) -> None:
    file = house / "natal.txt"
    file.write_text(DAY)
    thin = "warning: 2026-12-25 (Friday) 07:00–15:00 only op02 is on"
    status, told, warned = roster("import", str(file), "--dry-run")
    assert (status, told) == (0, "would be changed: 2026-12-25\n")
    assert warned.splitlines()[0] == thin
    assert written(database) == (0, [])
    assert roster("import", str(file), "--why", "Natal")[1] == "changed: 2026-12-25\n"
    days, audit = written(database)
    assert (days, [row.which for row in audit], audit[0].why) == (3, ["2026-12-25"], "Natal")
    assert "@" in audit[0].who
    assert "2026-12-25  pagi   07:00   15:00  op02" in roster("show")[1]
    assert "2026-12-25 (Friday) 07:00–15:00  -" in roster("gaps")[1]
    assert roster("restore", "2026-12-25")[1] == "changed: 2026-12-25\n"
    assert written(database)[0] == 0
    assert roster("restore", "2026-12-25")[0::2] == (
        1, "2026-12-25 has no duties of its own: its weekly pattern holds\n")


def test_a_file_may_come_and_go_through_a_pipe(roster: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    status, csv, _ = roster("export", "-")
    assert (status, csv.splitlines()[0]) == (0, "day,shift,operator")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(csv.encode())))
    assert roster("import", "-")[:2] == (0, "nothing is changed: it stood there so\n")
    calendar = roster("export", "-", "--format", "ics", "--operator", "op01")[1]
    assert "X-KENTONGAN-OPERATOR:op01" in calendar
    assert "op02" not in calendar


@pytest.mark.parametrize(("content", "said"), [
    (DAY.encode() + b"2026-12-25,pagi,op77\n", "row 5: there is no operator 'op77'\n"),
    (b"%PDF-1.7\n", "row 1: this is a PDF, not CSV; save it as CSV in UTF-8\n"),
    (b"x" * 1_100_000, "the file has 1048577 bytes, and a roster has at most 1048576\n"),
    (DAY.replace("siang", "malam").encode(), "2026-12-25 (Friday) 15:00–23:00 nobody is on\n"),
])
def test_what_is_refused_is_told_in_words_and_nothing_is_written(
    roster: Run, house: Path, database: Engine, content: bytes, said: str
) -> None:
    file = house / "roster.csv"
    file.write_bytes(content)
    assert roster("import", str(file)) == (1, "", said)
    assert written(database) == (0, [])


def test_files_and_people_that_are_not_there_are_told_in_words(roster: Run, house: Path) -> None:
    assert roster("import", str(house / "none.csv"))[2] == f"{house}/none.csv: No such file or directory\n"
    assert roster("export", str(house / "none" / "x.csv"))[2] == f"{house}/none/x.csv: No such file or directory\n"
    assert roster("export", "x.ics", "--operator", "op77")[2] == "there is no operator op77: kentongan users list\n"
    assert roster("export", "x.csv", "--operator", "op01")[0] == 1
    assert roster("shifts", "pagi=7")[2] == "'pagi=7': a shift is given like pagi=07:00-15:00\n"


def test_shifts_are_changed_together(roster: Run, database: Engine) -> None:
    assert "Monday 14:00–15:00 nobody is on" in roster(
        "shifts", "pagi=07:00-14:00", "siang=15:00-23:00", "malam=23:00-07:00")[2]
    assert roster("shifts", "pagi=06:00-14:00", "siang=14:00-22:00", "malam=22:00-06:00", "--why", "musim")[1] == (
        "the shifts are changed\n")
    assert [(row.field, row.why) for row in written(database)[1]] == [("shifts", "musim")]
    assert json.loads(roster("shifts", "--json")[1])[0] == {"code": "pagi", "starts": "06:00", "ends": "14:00"}
