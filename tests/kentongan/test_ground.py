"""The ground: laid by the service and by whoever comes first; all other commands leave the tables as they are."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command

from db.engine import alembic_config, is_current, sync_engine
from kentongan.ground import OtherVersion, find, lay, see
from kentongan.settings import load
from tests.kentongan.conftest import Run


def older(url: str) -> None:
    """The tables of the version before."""
    engine = sync_engine(url)
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), "head-1")
    engine.dispose()


async def test_whoever_comes_first_lays_the_ground(tmp_path: Path, empty_database_url: str) -> None:
    found = await find(load(data=tmp_path, database_url=empty_database_url))
    assert found.secrets.phones.keys() == {operator.name for operator in found.operators} != set()
    assert len(found.on_shift) >= 2


async def test_a_database_of_another_version_is_left_alone_until_the_service_comes(
    tmp_path: Path, empty_database_url: str
) -> None:
    settings = load(data=tmp_path, database_url=empty_database_url)
    older(empty_database_url)
    for looks in (see, find):
        with pytest.raises(OtherVersion, match="kentongan db migrate"):
            await looks(settings)
    assert is_current(empty_database_url) is False
    await lay(settings)
    assert (await find(settings)).operators


def test_a_command_does_not_migrate_under_a_service_that_runs(house: Path, kentongan: Run) -> None:
    (house / "kentongan.db").unlink()
    older(f"sqlite:///{house}/kentongan.db")
    for words in (("users", "list"), ("figures",), ("phones",), ("agencies", "set", "dinsos", "--phone", "0")):
        status, _, told = kentongan(*words)
        assert (status, "kentongan db migrate" in told) == (1, True)
    assert kentongan("db", "migrate")[0] == 0
    assert "dinsos" in kentongan("agencies", "list")[1]


def test_a_supervisor_has_a_phone_that_overflow_can_ring(house: Path, kentongan: Run) -> None:
    assert kentongan("users", "add", "sri", "--role", "supervisor")[0] == 0
    [phone] = [phone for phone in json.loads(kentongan("phones", "--json")[1]) if phone["user"] == "sri"]
    assert (bool(phone["password"]), phone["skills"], phone["on_shift"]) == (True, [], False)


def test_a_list_waits_for_no_writer(house: Path, kentongan: Run) -> None:
    with closing(sqlite3.connect(house / "kentongan.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert kentongan("users", "list")[0] == 0


def test_in_an_empty_folder_the_first_command_makes_the_house(house: Path, kentongan: Run) -> None:
    (house / "kentongan.db").unlink()
    assert kentongan("users", "add", "sri", "--role", "supervisor")[0] == 0
    assert "op01" in kentongan("users", "list")[1]
