"""The admin's file is followed without a restart, and a broken one never reaches a caller."""
import logging
from pathlib import Path

import pytest

from ivr.menu import Answer, Choice, Menu, match
from ivr.menu_file import SEED, reader, shipped
from kentongan.followed import Followed

PROMPTS = {"greeting": 2.3, "menu": 5.6, "wrong_key": 7.0, "campaign": 2.4}


class House:
    """A data directory with an admin in it."""

    def __init__(self, root: Path) -> None:
        self.path = root / "data" / "menu.toml"
        self.prompts = {"id": dict(PROMPTS), "en": dict(PROMPTS)}
        self.reads = 0

    def prompts_for(self, language: str) -> dict[str, float]:
        self.reads += 1
        return self.prompts.get(language, {})

    def opens(self) -> Followed[Menu]:
        return Followed(self.path, SEED, shipped(), reader(self.prompts_for))

    def edits(self, old: str, new: str) -> None:
        text = self.path.read_text()
        assert text.count(old) == 1
        self.path.write_text(text.replace(old, new))


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_the_first_start_lays_down_the_shipped_menu(house: House) -> None:
    file = house.opens()
    assert house.path.read_text() == SEED.read_text()
    assert file.fault is None
    assert match(file.current(), "1") == Choice("fire", 5)


def test_a_campaign_is_switched_on_for_the_next_call_without_a_restart(house: House) -> None:
    file = house.opens()
    assert match(file.current(), "5") is Answer.INVALID
    house.edits("on = false", "on = true")
    assert match(file.current(), "5") == Choice("information", 1)
    assert file.current().prompts() == ["greeting", "menu", "campaign"]


def test_an_unchanged_file_is_not_read_again(house: House) -> None:
    file = house.opens()
    first, reads = file.current(), house.reads
    assert all(file.current() is first for _ in range(100))
    assert house.reads == reads


def test_a_broken_file_is_told_once_and_the_last_good_menu_stays(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    file = house.opens()
    good = file.current()
    house.edits('"police"', '"polisi"')
    with caplog.at_level(logging.ERROR):
        assert [file.current() for _ in range(3)] == [good, good, good]
    assert len(caplog.records) == 1
    assert file.fault is not None
    assert file.fault.startswith(f"{house.path}, line ")
    assert "topic 'polisi' is not known" in file.fault
    house.edits('"polisi"', '"police"')
    assert file.current() == good
    assert file.fault is None


def test_a_file_that_is_broken_at_the_start_leaves_the_shipped_menu_in_force(house: House) -> None:
    house.path.parent.mkdir()
    house.path.write_text("this is no menu")
    file = house.opens()
    assert match(file.current(), "1") == Choice("fire", 5)
    assert file.fault is not None
    assert house.path.read_text() == "this is no menu"          # what an admin wrote is never overwritten


@pytest.mark.parametrize("harm", [
    lambda path: path.unlink(),
    lambda path: path.write_bytes(b"\xff\xfe\x00"),
    lambda path: (path.unlink(), path.mkdir()),
    lambda path: path.write_text(""),
])
def test_a_lost_or_unreadable_file_changes_nothing_for_callers(house: House, harm: object) -> None:
    file = house.opens()
    good = file.current()
    assert callable(harm)
    harm(house.path)
    assert file.current() == good
    assert file.fault is not None
    assert str(house.path) in file.fault


def test_a_fault_that_was_a_missing_prompt_ends_when_the_prompt_is_built(house: House) -> None:
    file = house.opens()
    house.edits('greeting = "greeting"', 'greeting = "halo"')
    assert file.current().greeting == "greeting"
    house.prompts["id"]["halo"] = 2.0
    assert file.current().greeting == "halo"
    assert file.fault is None


def test_without_any_prompt_callers_still_have_a_menu(house: House) -> None:
    house.prompts = {}
    file = house.opens()
    assert match(file.current(), "0") == Choice("any", 5)
    assert file.fault is not None


def test_a_folder_that_cannot_be_written_leaves_the_shipped_menu_in_force(house: House) -> None:
    house.path.parent.write_text("a file where the folder should be")
    file = house.opens()
    assert match(file.current(), "0") == Choice("any", 5)
    assert file.fault is not None
