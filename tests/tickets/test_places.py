"""Places come and go as a table, whole or not at all, whatever a spreadsheet makes of it."""

import asyncio
import csv
import hashlib
import io
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from db.models import Area, Audit
from tickets import areas_store, places
from tickets.places import Place, Unreadable

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
HEAD = "code,kind,name,parent\n"
GOOD = HEAD + "01,subdistrict,Contoh Satu,\n01.1,village,Contoh Melati,01\n"
READ = [Place("01", "subdistrict", "Contoh Satu", None), Place("01.1", "village", "Contoh Melati", "01")]


@pytest.mark.parametrize(
    "data",
    [
        GOOD.encode(),
        GOOD.encode("utf-8-sig"),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace(",", ";").encode(),
        b"KODE,Jenis,nama,induk\n01,Kecamatan,Contoh Satu,\n01.1,desa,Contoh Melati,01\n",
        b"name;parent;kind;code\nContoh Melati;01;KELURAHAN;01.1\n\n;;;\n Contoh Satu ;;kecamatan;01\n",
        b'code,kind,name,parent\n"01",subdistrict,"Contoh Satu",\n01.1,village,Contoh Melati,01',
    ],
)  # fmt: skip
def test_a_table_is_read_however_it_was_saved(data: bytes) -> None:
    assert places.read(data, {}) == READ


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("01,subdistrict,A,\n01,subdistrict,B,\n", "row 3: the code 01 stands in row 2 already"),
        ("01.1,village,A,01\n", "row 2: its sub-district 01 is neither in the file nor known"),
        ("01.1,village,A,\n", "row 2: a village names its sub-district's code as parent"),
        ("01,subdistrict,A,\n02,subdistrict,B,01\n", "row 3: a sub-district has no parent"),
        ("01,subdistrict,A,\n01.1,village,B,01\n01.2,village,C,01.1\n", "row 4: its sub-district 01.1 is a village"),
        ("01,province,A,\n", "row 2: the kind is subdistrict (kecamatan) or village"),
        ("0/1,subdistrict,A,\n", "row 2: a code is 1 to 32 letters"),
        ("../x,subdistrict,A,\n", "row 2: a code is 1 to 32 letters"),
        (f"{'1' * 33},subdistrict,A,\n", "row 2: a code is 1 to 32 letters"),
        (",subdistrict,A,\n", "row 2: a code is 1 to 32 letters"),
        ("01,subdistrict,,\n", "row 2: a name has 1 to 100 letters"),
        (f"01,subdistrict,{'A' * 101},\n", "row 2: a name has 1 to 100 letters"),
        ("01,subdistrict,A\0B,\n", "row 2: a name has 1 to 100 letters"),
        ("01,subdistrict,A\u202eB,\n", "row 2: a name has 1 to 100 letters"),
        ('01,subdistrict,"A\nB",\n', "row 2: a name has 1 to 100 letters"),
        ("01,subdistrict,A\n", "row 2: 3 cells instead of 4"),
        ('01,subdistrict,"A\nC",\n02,x,B,\n', "row 4: the kind"),
        ('01,subdistrict,"A,\n', "row 2: not a row of a table"),
        ('01,subdistrict,"A"B,\n', "row 2: not a row of a table"),
        ("", "row 2: no place stands in the file"),
        ("known,village,A,01\n01,subdistrict,B,\n", "row 2: known is a subdistrict already"),
    ],
)
def test_a_table_with_one_wrong_row_is_refused_with_its_number_and_why(rows: str, says: str) -> None:
    with pytest.raises(Unreadable) as told:
        places.read((HEAD + rows).encode(), {"known": "subdistrict"})
    assert str(told.value).startswith("nothing was imported\n")
    assert says in str(told.value)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "row 1: the file is empty"),
        (b"code,kind,name\n01,subdistrict,A\n", "row 1: the first row must name the columns code,kind,name,parent"),
        (b"code,kind,name,parent,more\n", "row 1: the first row must name the columns"),
        (b"code,kode,name,parent\n", "row 1: the first row must name the columns"),
        ((HEAD + "01,subdistrict,Caf\u00e9,\n").encode("latin-1"), "row 2: not UTF-8"),
        (GOOD.encode("utf-16"), "row 1: not UTF-8"),
        (b"PK\x03\x04\xff\xfe", "row 1: not UTF-8"),
        (b"a" * 1_000_001, "row 1: the file has 1000001 bytes; at most 1000000 are taken"),
    ],
)
def test_what_is_no_such_table_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(Unreadable) as told:
        places.read(data, {})
    assert says in str(told.value)


def test_all_that_is_wrong_is_told_but_no_more_than_a_person_reads() -> None:
    with pytest.raises(Unreadable) as told:
        places.read((HEAD + "x,y,z,\n" * 15).encode(), {})
    assert len(told.value.faults) == 15
    assert str(told.value).splitlines()[-1] == "and 5 more"


def test_a_village_may_lie_in_a_subdistrict_that_is_stored_already() -> None:
    assert places.read((HEAD + "01.1,village,Contoh Melati,01\n").encode(), {"01": "subdistrict"}) == READ[1:]


def test_the_invented_places_are_a_table_that_could_be_imported() -> None:
    written = places.write(places.INVENTED).encode()
    assert places.read(written, {}) == sorted(places.INVENTED, key=lambda place: (place.kind, place.code))


@pytest.mark.parametrize("name", ["=cmd()", "+1", "-1", "@SUM(A1)", "'=x", "''-x"])
def test_no_cell_is_a_formula_to_a_spreadsheet_and_what_was_meant_comes_back(name: str) -> None:
    place = Place("01", "subdistrict", name, None)
    written = places.write([place])
    assert list(csv.reader(io.StringIO(written)))[1][2] == f"'{name}"
    assert places.read(written.encode(), {}) == [place]


names = st.text(min_size=1, max_size=20).map(lambda text: " ".join(text.split())).filter(
    lambda text: text and text.isprintable()
) | st.sampled_from(['"', ";", ",", "=1,2", "'a", "دیسا"])  # fmt: skip


@given(st.lists(names, min_size=1, max_size=5))
def test_what_is_written_is_read_again(given_names: list[str]) -> None:
    written = [Place(f"0{number}", "subdistrict", name, None) for number, name in enumerate(given_names)]
    assert places.read(places.write(written).encode("utf-8-sig"), {}) == written


@given(st.binary(max_size=200) | st.text(alphabet='code,kind;name"parent\n\r01 =\0\udc80', max_size=200).map(
    lambda text: text.encode(errors="surrogateescape")))  # fmt: skip
def test_rubbish_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(Unreadable):
        places.read(data, {})


async def stored(sessions) -> list[tuple[str, str, str, str | None, bool]]:
    async with sessions() as session:
        found = await areas_store.areas(session, active=None)
        return [(area.code, area.kind, area.name, area.parent, area.active) for area in found]


async def bring(sessions, text: str, replace: bool = False) -> areas_store.Imported:
    return await areas_store.bring_in(sessions, text.encode(), by="sri", now=NOW, replace=replace)


async def audit(sessions) -> list[tuple[str, object, object]]:
    async with sessions() as session:
        rows = await session.scalars(select(Audit).where(Audit.what == "area").order_by(Audit.seq))
        return [(row.which, row.before, row.after) for row in rows]


def imported(text: str, added: int, changed: int, deactivated: int, unchanged: int) -> tuple[str, None, object]:
    """The line of a whole import."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    return ("*", None, {"added": added, "changed": changed, "deactivated": deactivated, "unchanged": unchanged,
                        "sha256": digest})


def long_table(name: str = "Desa") -> str:
    villages = (f"01.{number},village,{name} {number},01\n" for number in range(1500))
    return HEAD + "01,subdistrict,Contoh Satu,\n" + "".join(villages)


async def test_an_import_adds_and_changes_and_says_in_the_audit_what_it_did(sessions) -> None:
    assert await bring(sessions, GOOD) == areas_store.Imported(2, 0, 0, 0)
    again = GOOD.replace("Melati", "Mawar") + "01.2,village,Contoh Kenanga,01\n"
    assert await bring(sessions, again) == areas_store.Imported(1, 1, 0, 1)
    assert await stored(sessions) == [
        ("01", "subdistrict", "Contoh Satu", None, True),
        ("01.1", "village", "Contoh Mawar", "01", True),
        ("01.2", "village", "Contoh Kenanga", "01", True),
    ]
    assert await audit(sessions) == [
        imported(GOOD, 2, 0, 0, 0),
        imported(again, 1, 1, 0, 1),
        ("01.1", {"name": "Contoh Melati"}, {"name": "Contoh Mawar"}),
    ]


async def test_only_a_replacing_import_takes_away_what_is_not_in_the_file(sessions) -> None:
    await bring(sessions, GOOD)
    other = HEAD + "02,subdistrict,Contoh Dua,\n"
    assert (await bring(sessions, other)).deactivated == 0
    assert await bring(sessions, other, replace=True) == areas_store.Imported(0, 0, 2, 1)
    assert [(code, active) for code, *_, active in await stored(sessions)] == [
        ("01", False), ("01.1", False), ("02", True),
    ]  # fmt: skip
    assert (await audit(sessions))[-3:] == [
        imported(other, 0, 0, 2, 1),
        ("01", {"active": True}, {"active": False}), ("01.1", {"active": True}, {"active": False}),
    ]  # fmt: skip
    assert await bring(sessions, GOOD) == areas_store.Imported(0, 2, 0, 0)  # named again, offered again


async def test_a_refused_import_has_changed_nothing(sessions) -> None:
    await bring(sessions, GOOD)
    before = await stored(sessions), await audit(sessions)
    with pytest.raises(Unreadable, match=r"row 4: its sub-district 09 is neither"):
        await bring(sessions, GOOD.replace("Melati", "Mawar") + "01.2,village,Other,09\n", replace=True)
    with pytest.raises(Unreadable, match=r"row 2: 01 is a subdistrict already"):
        await bring(sessions, HEAD + "01,village,Other,02\n02,subdistrict,B,\n")
    assert (await stored(sessions), await audit(sessions)) == before


async def test_what_is_exported_can_be_imported_and_changes_nothing(sessions) -> None:
    await bring(sessions, HEAD + "01,subdistrict,=Satu,\n01.1,village,Melati,01\n02,subdistrict,Dua,\n")
    async with sessions() as session:
        text = await areas_store.as_csv(session)
    assert "'=Satu" in text
    before = await audit(sessions)
    assert await bring(sessions, text, replace=True) == areas_store.Imported(0, 0, 0, 3)
    assert await audit(sessions) == before


async def test_a_long_file_is_taken_whole_and_the_audit_keeps_its_digest_instead_of_a_line_for_each(sessions) -> None:
    assert await bring(sessions, long_table()) == areas_store.Imported(1501, 0, 0, 0)
    assert await bring(sessions, long_table("Kelurahan")) == areas_store.Imported(0, 1500, 0, 1)
    assert await bring(sessions, GOOD, replace=True) == areas_store.Imported(0, 1, 1499, 1)
    assert await audit(sessions) == [
        imported(long_table(), 1501, 0, 0, 0),
        imported(long_table("Kelurahan"), 0, 1500, 0, 1),
        imported(GOOD, 0, 1, 1499, 1),
    ]
    offered = [place for place in await stored(sessions) if place[-1]]
    assert offered == [("01", "subdistrict", "Contoh Satu", None, True),
                       ("01.1", "village", "Contoh Melati", "01", True)]


@pytest.mark.parametrize("count", [areas_store.TOLD, areas_store.TOLD + 1])
async def test_each_changed_place_has_its_line_up_to_a_bound(sessions, count: int) -> None:
    await bring(sessions, long_table())
    rows = long_table("Kelurahan").splitlines(keepends=True)
    await bring(sessions, "".join([HEAD, *rows[2 : 2 + count]]))
    assert len(await audit(sessions)) - 2 == (count if count <= areas_store.TOLD else 0)


async def test_a_village_moves_to_a_subdistrict_that_is_new_in_the_same_file(sessions) -> None:
    await bring(sessions, GOOD)
    await bring(sessions, HEAD + "01.1,village,Contoh Melati,02\n02,subdistrict,Contoh Dua,\n")
    assert (await audit(sessions))[-1] == ("01.1", {"parent": "01"}, {"parent": "02"})



async def test_two_imports_at_once_take_turns(sessions) -> None:
    texts = [HEAD + "".join(f"0{n},subdistrict,{who} {n},\n" for n in range(9)) for who in ("A", "B")]
    done = await asyncio.gather(*(bring(sessions, text) for text in texts))
    assert {(one.added, one.changed) for one in done} == {(9, 0), (0, 9)}
    assert len({name.split()[0] for _, _, name, _, _ in await stored(sessions)}) == 1
    assert [after["added"] for which, _, after in await audit(sessions) if which == "*"] == [9, 0]


async def test_many_imports_of_one_file_at_once_are_one(sessions) -> None:
    done = await asyncio.gather(*(bring(sessions, GOOD) for _ in range(4)))
    assert sorted(one.added for one in done) == [0, 0, 0, 2]
    assert await audit(sessions) == [imported(GOOD, 2, 0, 0, 0)]


async def test_a_new_house_has_invented_places_and_keeps_its_own(engine, sessions) -> None:
    for _ in range(2):
        async with engine.begin() as connection:
            await connection.run_sync(areas_store.seed)
    assert len(await stored(sessions)) == len(places.INVENTED)
    await bring(sessions, GOOD, replace=True)
    async with engine.begin() as connection:
        await connection.run_sync(areas_store.seed)
    async with sessions() as session:
        assert list(await session.scalars(select(Area.code).where(Area.active).order_by(Area.code))) == ["01", "01.1"]
