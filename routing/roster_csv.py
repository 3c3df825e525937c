"""routing ◆ The roster as CSV, for people with a spreadsheet: one row per duty, `day,shift,operator`. Pure.

`day` is a weekday (the weekly pattern) or a date like 2026-12-25 (that day alone). What spreadsheets make of such a
file is read as well: semicolons, a byte order mark, blank lines, spaces, other letters great or small. What is written
opens there without harm: cells that would be formulas begin with an apostrophe, which reading takes away again.
"""

import csv
import io
import re
from collections.abc import Iterator
from datetime import date

from routing.roster import WEEKDAYS, DayDuty, Duty, Roster
from routing.roster_rules import Fault, Given, Known, Refused, quoted, text_of

COLUMNS = ("day", "shift", "operator")
_ALSO = {"hari": "day", "sif": "shift", "petugas": "operator", **{column: column for column in COLUMNS}}
_INDONESIAN = ("senin", "selasa", "rabu", "kamis", "jumat", "sabtu", "minggu")
_WEEKDAYS = {name.casefold(): number for names in (WEEKDAYS, _INDONESIAN) for number, name in enumerate(names)}
_WEEKDAYS |= {"jum'at": 4, "jum’at": 4, "ahad": 6}
#: what makes a formula of a cell
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write(roster: Roster) -> bytes:
    """The weekly pattern, then the days that differ. UTF-8, commas, CRLF (RFC 4180)."""
    out = io.StringIO(newline="")
    rows = csv.writer(out)
    rows.writerow(COLUMNS)
    order = {shift.code: (shift.starts, shift.code) for shift in roster.shifts}
    for duty in sorted(roster.weekly, key=lambda duty: (duty.weekday, order[duty.shift], duty.operator)):
        rows.writerow(map(_safe, (WEEKDAYS[duty.weekday], duty.shift, duty.operator)))
    for dated in sorted(roster.days, key=lambda duty: (duty.day, order[duty.shift], duty.operator)):
        rows.writerow(map(_safe, (dated.day.isoformat(), dated.shift, dated.operator)))
    return out.getvalue().encode()


def read(data: bytes, known: Known) -> Given:
    """The file's duties with their rows. Raises Refused with every row that is wrong."""
    given: dict[Duty | DayDuty, str] = {}
    faults: list[Fault] = []
    rows = _rows(text_of(data, "CSV"))
    if (first := next(rows, None)) is None:
        raise Refused.because("", "there is nothing in the file but empty cells")
    columns = _columns(*first)
    for where, cells in rows:
        try:
            duty = _duty(_named(cells, columns), known)
            if duty in given:
                raise ValueError(f"{_said(duty)} stands in {given[duty]} already")
            given[duty] = where
        except ValueError as wrong:
            faults.append(Fault(where, str(wrong)))
    if faults:
        raise Refused(faults)
    if not given:
        raise Refused.because("", "there is no duty in the file")
    return given


def _rows(text: str) -> Iterator[tuple[str, list[str]]]:
    """Rows that are not empty, and which they are; spreadsheets count the header as row 1."""
    first = next(line for line in text.splitlines() if line.strip())
    separator = ";" if first.count(";") > first.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    row = 0
    try:
        for row, cells in enumerate(reader, 1):
            trimmed = [_bare(cell.strip()) for cell in cells]
            if any(trimmed):
                yield f"row {row}", trimmed
    except csv.Error as wrong:
        raise Refused.because(f"row {row + 1}", f"this is no CSV: {wrong}") from None


def _columns(where: str, header: list[str]) -> list[str]:
    while header and not header[-1]:
        header.pop()
    found = [_ALSO.get(cell.casefold(), "") for cell in header]
    wrong = [Fault(where, f"there is no column {quoted(cell)}") for cell, column in zip(header, found, strict=True)
             if not column]
    wrong += [Fault(where, f"the column {column} stands there twice") for column in COLUMNS if found.count(column) > 1]
    wrong += [Fault(where, f"the column {column} is missing") for column in COLUMNS if column not in found]
    if wrong:
        raise Refused([*wrong, Fault(where, "the first row names the columns: day,shift,operator (or "
                                            "hari,sif,operator)")])
    return found


def _named(cells: list[str], columns: list[str]) -> dict[str, str]:
    if any(cells[len(columns):]):
        raise ValueError(f"there are more than {len(columns)} cells")
    named = dict.fromkeys(columns, "") | dict(zip(columns, cells, strict=False))
    if empty := [column for column in COLUMNS if not named[column]]:
        raise ValueError(f"no {' and no '.join(empty)} is given")
    return named


def _duty(cells: dict[str, str], known: Known) -> Duty | DayDuty:
    day, wrong = _day(cells["day"], known), []
    for check, cell in ((known.shift, "shift"), (known.operator, "operator")):
        try:
            cells[cell] = check(cells[cell])
        except ValueError as fault:
            wrong.append(str(fault))
    if wrong:
        raise ValueError("; ".join(wrong))
    if isinstance(day, date):
        return DayDuty(cells["operator"], cells["shift"], day)
    return Duty(cells["operator"], cells["shift"], day)


def _day(cell: str, known: Known) -> int | date:
    if (weekday := _WEEKDAYS.get(cell.casefold())) is not None:
        return weekday
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", cell) is None:
        raise ValueError(f"{quoted(cell)} is no day; write a weekday (Monday or Senin) or a date like 2026-12-25 (in a "
                         "spreadsheet: give the column the format Text)")
    try:
        day = date.fromisoformat(cell)
    except ValueError:
        raise ValueError(f"there is no day {cell} in any calendar") from None
    return known.day(day)


def _said(duty: Duty | DayDuty) -> str:
    day = WEEKDAYS[duty.weekday] if isinstance(duty, Duty) else duty.day
    return f"{day}, {duty.shift}, {duty.operator}"


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _bare(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(_FORMULA) else cell
