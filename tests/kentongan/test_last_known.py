"""A start without the database: with what was known last, or refused; and a database that is cut or half migrated."""
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError

from db.engine import is_current
from kentongan import last_known
from kentongan.ground import lay, stand
from kentongan.last_known import Known
from kentongan.settings import Settings, load
from routing.roster import DayDuty, Duty, Roster, Shift

ROOT = Path(__file__).parents[2]

KNOWN = Known({"op01": ["fire", "medical"], "op02": []}, Roster(
    tuple(Shift(name, starts, ends) for name, starts, ends in (("day", "06:00", "18:00"), ("night", "18:00", "06:00"))),
    frozenset(Duty("op01", shift, weekday) for shift in ("day", "night") for weekday in range(7)),
    frozenset({DayDuty("op02", "day", date(2020, 1, 1))})))


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    """Of a house that has run."""
    settings = load(data=tmp_path)
    await lay(settings)
    last_known.keep(tmp_path, KNOWN)
    return settings


def database(settings: Settings) -> Path:
    return settings.data / "kentongan.db"


def is_gone(file: Path) -> None:
    file.unlink()
    file.mkdir()


def is_cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2 + 100)


def is_something_else(file: Path) -> None:
    file.write_bytes(b"no database" * 1000)


def test_what_is_known_comes_back_as_it_went_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    last_known.keep(tmp_path, KNOWN)
    assert last_known.recall(tmp_path) == KNOWN
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"operators": {"op01": 3}}'])
def test_what_cannot_be_read_is_not_known(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "last-known.json").write_text(text)
    assert last_known.recall(tmp_path) is None


def test_a_disk_that_takes_nothing_costs_nothing_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    last_known.keep(tmp_path / "gone", KNOWN)
    assert "cannot be kept" in caplog.text


@pytest.mark.parametrize("spoil", [is_gone, is_cut, is_something_else])
async def test_without_a_usable_database_there_is_what_was_known_last_and_else_a_refusal(
    settings: Settings, spoil: Callable[[Path], None]
) -> None:
    there = (await lay(settings)).secrets
    spoil(database(settings))
    ground = await stand(settings)
    assert not ground.laid
    assert [operator.name for operator in ground.operators] == ["op01", "op02"]
    assert ground.on_shift == {"op01"}
    assert ground.secrets.phones["op01"] == there.phones["op01"]
    (settings.data / "last-known.json").unlink()
    with pytest.raises(SQLAlchemyError):
        await stand(settings)


KILLED_IN_THE_MIDDLE = """
import os, signal, sys
from sqlalchemy import Engine, event
from db.engine import migrate
left = int(sys.argv[2])
@event.listens_for(Engine, "after_cursor_execute")
def count(*_):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
migrate(sys.argv[1])
"""


@pytest.mark.parametrize("statement", [5, 30, 60])
def test_a_migration_killed_in_the_middle_is_begun_again(tmp_path: Path, statement: int) -> None:
    url = f"sqlite:///{tmp_path}/kentongan.db"
    killed = subprocess.run([sys.executable, "-c", KILLED_IN_THE_MIDDLE, url, str(statement)], cwd=ROOT, check=False)
    assert killed.returncode == -9
    assert not is_current(url)
    subprocess.run([sys.executable, "-c", KILLED_IN_THE_MIDDLE, url, "0"], cwd=ROOT, check=True)
    assert is_current(url)
    shutil.rmtree(tmp_path)
