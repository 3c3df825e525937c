"""The roster as CSV: what was written comes back, what spreadsheets make of it is read, and rubbish is told by row."""

from contextlib import suppress
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing import roster_csv
from routing.roster import DayDuty, Duty, Roster, Shift
from routing.roster_rules import Given, Known, Refused, Who
from routing.seed import DUTIES, OPERATORS, SHIFTS

TODAY = date(2026, 11, 22)
WHO = [*(Who(name, f"Operator {name[2:]}") for name in OPERATORS), Who("op99", "Gone", active=False),
       Who("-op", "Ayu"), Who("=op", "Ayu"), Who("سلام", "Salam")]
KNOWN = Known(SHIFTS, WHO, TODAY)
PLAN = Roster(SHIFTS, frozenset(DUTIES), frozenset({DayDuty("op01", "pagi", date(2026, 12, 25))}))


def read(text: str | bytes) -> Given:
    return roster_csv.read(text.encode() if isinstance(text, str) else text, KNOWN)


def refusal(text: str | bytes) -> str:
    with pytest.raises(Refused) as refused:
        read(text)
    return str(refused.value)


def test_the_seed_with_a_day_that_differs_comes_back_as_it_was() -> None:
    written = roster_csv.write(PLAN)
    assert written.startswith(b"day,shift,operator\r\nMonday,pagi,op04\r\nMonday,pagi,op07\r\n")
    assert written.endswith(b"\r\n2026-12-25,pagi,op01\r\n")
    assert set(read(written)) == PLAN.weekly | PLAN.days


duties = st.builds(Duty, st.sampled_from([who.name for who in WHO if who.active]),
                   st.sampled_from([shift.code for shift in SHIFTS]), st.integers(0, 6))
days = st.builds(DayDuty, st.sampled_from([who.name for who in WHO if who.active]),
                 st.sampled_from([shift.code for shift in SHIFTS]),
                 st.integers(-300, 700).map(lambda days: TODAY + timedelta(days)))


@given(st.frozensets(duties, max_size=30), st.frozensets(days, max_size=30))
def test_whatever_is_written_comes_back_equal(weekly: frozenset[Duty], dated: frozenset[DayDuty]) -> None:
    written = roster_csv.write(Roster(SHIFTS, weekly, dated))
    if weekly or dated:
        assert set(read(written)) == weekly | dated
    else:
        assert "no duty in the file" in refusal(written)


@pytest.mark.parametrize("text", [
    "day,shift,operator\nMonday,pagi,op01\n2026-12-25,malam,op02\n",
    "hari,sif,operator\r\nSenin,pagi,op01\r\n2026-12-25,malam,op02\r\n",
    "\ufeffHARI;Shift;OPERATOR\r\n SENIN ; Pagi ; OP01 \r\n2026-12-25;MALAM;op02",
    "operator,day,shift\nop01,monday,PAGI\n\n,,\nop02,2026-12-25,malam\n",
    '"day","shift","operator"\n"Monday","pagi","Operator 01"\n"2026-12-25","malam","operator 02"\n',
    "day;shift;operator;;\nMonday;pagi;op01;;\n;;;;\n2026-12-25;malam;op02;;\n",
], ids=["plain", "Indonesian", "Excel", "other order", "quoted, shown names", "empty columns"])
def test_what_spreadsheets_write_is_read(text: str) -> None:
    assert set(read(text)) == {Duty("op01", "pagi", 0), DayDuty("op02", "malam", date(2026, 12, 25))}


def test_weekdays_in_both_languages() -> None:
    said = ["Senin", "Selasa", "Rabu", "Kamis", "Jumat", "Sabtu", "Minggu", "Tuesday", "Jum'at", "ahad"]
    for weekday, name in zip((0, 1, 2, 3, 4, 5, 6, 1, 4, 6), said, strict=True):
        assert set(read(f"day,shift,operator\n{name},pagi,op01")) == {Duty("op01", "pagi", weekday)}


HEAD = "day,shift,operator\n"
RUBBISH = [
    ("nothing", b"", "there is nothing in the file"),
    ("blanks", b"\xef\xbb\xbf \r\n ", "there is nothing in the file"),
    ("empty cells", ',,\r\n"",\n,,,', "there is nothing in the file but empty cells"),
    ("only a header", HEAD, "there is no duty in the file"),
    ("Latin-1", HEAD.encode() + b"Monday,pagi,op01\nMonday,pagi,Jos\xe9\n", "row 3: this is not UTF-8"),
    ("UTF-16", HEAD.encode("utf-16"), "row 1: this is text in UTF-16, not CSV; save it as CSV in UTF-8"),
    ("a PDF", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "row 1: this is a PDF, not CSV"),
    ("a spreadsheet", b"PK\x03\x04\x14\x00", "row 1: this is a spreadsheet"),
    ("a calendar", "BEGIN:VCALENDAR\nEND:VCALENDAR\n", "row 1: there is no column 'BEGIN:VCALENDAR'"),
    ("a NUL", HEAD + "Monday,pagi,op01\nMonday,pagi,op\0\n", "row 3: there is a NUL"),
    ("too long", HEAD + "x" * 1_048_577, "the file has 1048596 bytes, and a roster has at most 1048576"),
    ("a line of nearly 1 MB", HEAD + "Monday,pagi," + "x" * 1_000_000, "row 2: this is no CSV: field larger"),
    ("a million commas", HEAD + "," * 1_000_000 + "x", "row 2: there are more than 3 cells"),
    ("an open quote", HEAD + 'Monday,pagi,"op01\n', "row 2: this is no CSV: unexpected end of data"),
    ("a column twice", "day,shift,operator,day\n", "row 1: the column day stands there twice"),
    ("a column too few", "day,operator\nMonday,op01\n", "row 1: the column shift is missing"),
    ("a column nobody knows", "day,shift,operator,note\n", "row 1: there is no column 'note'"),
    ("one cell", HEAD + "Monday\n", "row 2: no shift and no operator is given"),
    ("an empty cell", HEAD + "Monday,,op01\n", "row 2: no shift is given"),
    ("an unknown shift", HEAD + "Monday,sore,op01\n", "row 2: there is no shift 'sore'; there are: pagi, siang, malam"),
    ("an unknown person", HEAD + "Monday,pagi,op10\n", "row 2: there is no operator 'op10'"),
    ("who has left", HEAD + "Monday,pagi,op99\n", "row 2: op99 is not active any more"),
    ("a name that two have", HEAD + "Monday,pagi,Ayu\n", "row 2: there is no operator 'Ayu'"),
    ("both", HEAD + "Monday,sore,op10\n", "malam; there is no operator 'op10'"),
    ("a row twice", HEAD + "Monday,pagi,op01\nsenin,PAGI,Op01\n", "row 3: Monday, pagi, op01 stands in row 2 already"),
    ("a formula", HEAD + "Monday,pagi,=HYPERLINK(1)\n", "row 2: there is no operator '=HYPERLINK(1)'"),
    ("a name from the right", HEAD + "Monday,pagi,\u202eسل\n", "row 2: there is no operator '\\u202e"),
    ("no such day", HEAD + "2026-02-30,pagi,op01\n", "row 2: there is no day 2026-02-30 in any calendar"),
    ("another notation", HEAD + "25/12/2026,pagi,op01\n", "row 2: '25/12/2026' is no day; write a weekday"),
    ("other digits", HEAD + "٢٠٢٦-١٢-٢٥,pagi,op01\n", "is no day; write a weekday"),
    ("a slip of the pen", HEAD + "2062-12-25,pagi,op01\n", "2062-12-25 is too far away; days from 2025-11-21 to"),
    ("the end of time", HEAD + "9999-12-31,pagi,op01\n", "row 2: 9999-12-31 is too far away"),
]


@pytest.mark.parametrize(("what", "text", "said"), RUBBISH, ids=[row[0] for row in RUBBISH])
def test_refused_with_row_and_reason(what: str, text: str | bytes, said: str) -> None:
    told = refusal(text)
    assert said in told
    assert len(told) < 500
    assert told.replace("\n", "").isprintable()


def test_every_wrong_row_is_told_and_of_very_many_only_how_many() -> None:
    told = refusal(HEAD + "Monday,pagi,op10\nSonntag,pagi,op01\nMonday,pagi,op01\n").splitlines()
    assert [line.partition(":")[0] for line in told] == ["row 2", "row 3"]
    assert refusal(HEAD + "Monday,pagi,x\n" * 50).splitlines()[-1] == "… and 30 more"


def test_cells_that_would_be_formulas_are_prefixed() -> None:
    plan = Roster((Shift("@x", "07:00", "15:00"),), frozenset({Duty("=op", "@x", 0), Duty("-op", "@x", 0)}))
    assert roster_csv.write(plan) == b"day,shift,operator\r\nMonday,'@x,'-op\r\nMonday,'@x,'=op\r\n"


scraps = st.text(st.sampled_from('day,shift;operatorMonpgi01-\n\r"\' 2=\0\ufeff'), max_size=80)


@settings(max_examples=300)
@given(st.binary(max_size=200) | scraps.map(lambda text: HEAD.encode() + text.encode()))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    with suppress(Refused):
        assert read(data)
