"""No name leads out of the spool or the archive."""
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from os.path import normpath
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.names import archive_names, raw_name

AT = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)


def test_an_archive_lies_in_the_folder_of_its_day() -> None:
    assert archive_names("1763800000.12", AT) == (
        "2026/11/22/1763800000.12.ogg", "2026/11/22/1763800000.12.peaks.json")


def test_the_day_is_that_of_utc_wherever_the_clock_hangs() -> None:
    jakarta = AT.astimezone(timezone(timedelta(hours=7)))
    assert archive_names("1763800000.12", jakarta) == archive_names("1763800000.12", AT)


@pytest.mark.parametrize("bad", ["", "../etc/passwd", "a/b", "a b", "a\0", "a\n", "x;rm", "é", "1763800000.12\n"])
def test_other_characters_are_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="not a call id"):
        archive_names(bad, AT)
    with pytest.raises(ValueError, match="not the name of a raw recording"):
        raw_name(f"{bad}/.raw")


def test_a_raw_file_is_called_raw() -> None:
    assert raw_name("1763800000.12.raw") == "1763800000.12.raw"
    with pytest.raises(ValueError, match="not the name of a raw recording"):
        raw_name("kentongan.db")


@given(name=st.text("0123456789abcXYZ.-/\\", min_size=1, max_size=12))
def test_whatever_is_accepted_stays_below_its_root(name: str) -> None:
    root = Path("/srv/archive")
    accepted: list[str] = []
    with suppress(ValueError):
        accepted.append(raw_name(f"{name}.raw"))
    with suppress(ValueError):
        accepted += archive_names(name, AT)
    for path in accepted:
        assert Path(normpath(root / path)) == root / path
