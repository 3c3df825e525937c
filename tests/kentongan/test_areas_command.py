"""`kentongan areas …` as an admin types it: what is printed, what is refused, what is written."""

import io
import json
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import Engine

from tests.kentongan.conftest import Run, audited

TABLE = "kode;jenis;nama;induk\n01;kecamatan;Contoh Satu;\n01.1;desa;=Melati;01\n"


@pytest.fixture
def areas(kentongan: Run) -> Run:
    return partial(kentongan, "areas")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "areas.csv"
    path.write_text(TABLE)
    return path


def listed(areas: Run, *words: str) -> list[tuple[str, bool]]:
    return [(row["code"], row["active"]) for row in json.loads(areas("list", "--json", *words)[1])]


def test_a_new_house_has_invented_places_until_the_real_ones_replace_them(areas: Run, file: Path) -> None:
    invented = listed(areas)
    assert invented
    assert all(code.startswith("00.") for code, _ in invented)
    status, told, _ = areas("import", str(file), "--replace")
    assert (status, told) == (0, f"2 added, 0 changed, {len(invented)} not offered any more, 0 as they were\n")
    assert listed(areas) == [("01", True), ("01.1", True)]
    assert len(listed(areas, "--all")) == 2 + len(invented)
    table = areas("list")[1].splitlines()
    assert [line.split() for line in table[:2]] == [
        ["code", "kind", "name", "parent", "active"], ["01", "subdistrict", "Contoh", "Satu", "-", "yes"]]


def test_what_is_exported_is_safe_for_spreadsheets_and_comes_in_again(areas: Run, file: Path, tmp_path: Path) -> None:
    areas("import", str(file), "--replace")
    out = tmp_path / "out.csv"
    assert areas("export", str(out))[:2] == (0, f"written: {out}\n")
    assert out.read_bytes().splitlines()[2] == b"01.1,village,'=Melati,01"
    assert areas("import", str(out), "--replace")[1].endswith("0 not offered any more, 2 as they were\n")
    assert areas("export", "-")[1].splitlines()[0] == "code,kind,name,parent"


def test_a_table_can_be_piped_in(areas: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(TABLE.encode())))
    assert areas("import", "-")[1].startswith("2 added")


@pytest.mark.parametrize(("data", "says"), [
    (b"\xff\xfe", "row 1: not UTF-8"), (b"a,b\n", "row 1: the first row must name the columns"),
    (TABLE.encode() + b"02;desa;Lost;09\n", "row 4: its sub-district 09 is neither"),
    (b"", "row 1: the file is empty")])
def test_a_wrong_table_is_refused_in_words_and_nothing_is_written(
    areas: Run, tmp_path: Path, data: bytes, says: str
) -> None:
    before = listed(areas, "--all")
    (tmp_path / "areas.csv").write_bytes(data)
    status, told, complaint = areas("import", str(tmp_path / "areas.csv"))
    assert (status, told) == (1, "")
    assert complaint.startswith("nothing was imported\n")
    assert says in complaint
    assert listed(areas, "--all") == before


def test_files_that_cannot_be_read_or_written_are_named(areas: Run, tmp_path: Path) -> None:
    for words in (("import", str(tmp_path / "none.csv")), ("export", str(tmp_path / "no" / "folder.csv"))):
        status, _, complaint = areas(*words)
        assert status == 1
        assert complaint == f"{words[1]}: No such file or directory; nothing was done\n"


def test_the_audit_says_who_typed_it(areas: Run, file: Path, database: Engine) -> None:
    areas("import", str(file))
    [told] = audited(database, "area")
    assert told.which == "*"
    assert "@" in told.who
