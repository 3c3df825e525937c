"""tickets ◆ Sub-districts and villages as a table that people keep in a spreadsheet: CSV in, CSV out. Pure.

A file is taken whole or refused whole, with every row that is wrong and why. Read: UTF-8 with or without a byte order
mark, comma or semicolon, English or Indonesian words in any order of columns.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

SUBDISTRICT, VILLAGE = "subdistrict", "village"
COLUMNS = ("code", "kind", "name", "parent")

#: bytes of the longest file: a province's villages are half of it
LONGEST = 1_000_000
_TOLD = 10
_WORDS = {"kode": "code", "jenis": "kind", "tingkat": "kind", "nama": "name", "induk": "parent"} | {
    name: name for name in COLUMNS
}
_KINDS = {
    "kecamatan": SUBDISTRICT, "subdistrict": SUBDISTRICT, "sub-district": SUBDISTRICT,
    "desa": VILLAGE, "kelurahan": VILLAGE, "village": VILLAGE,
}  # fmt: skip
_CODE = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]{0,31}")
_LONGEST_NAME = 100
#: a spreadsheet takes what begins so for a formula
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Place:
    """One row."""

    #: the regency's code, e.g. "35.10.18"
    code: str
    #: "subdistrict" or "village"
    kind: str
    name: str
    #: of a village: its sub-district's code
    parent: str | None
    #: whether it is offered; all that stand in a file are
    active: bool = True


@dataclass(frozen=True)
class Difference:
    """What a file makes of the places that are stored."""

    #: sub-districts before villages
    added: Sequence[Place]
    #: as they stood, and as they stand from now on
    changed: Sequence[tuple[Place, Place]]
    #: not in the file, and not offered any more: likewise
    deactivated: Sequence[tuple[Place, Place]]
    #: how many are as they were
    unchanged: int


class Unreadable(ValueError):
    """The file cannot be used; the text names the rows (as a spreadsheet counts them) and what is wrong there."""

    def __init__(self, faults: Iterable[tuple[int, str]]) -> None:
        self.faults = sorted(faults)
        told = [f"row {row}: {why}" for row, why in self.faults[:_TOLD]]
        if len(self.faults) > _TOLD:
            told.append(f"and {len(self.faults) - _TOLD} more")
        super().__init__("nothing was imported\n" + "\n".join(told))


#: what a new house begins with, so that there is something to choose; an admin's import puts the real ones in place
INVENTED = (
    Place("00.00.01", SUBDISTRICT, "Kecamatan Contoh Satu", None),
    Place("00.00.01.0001", VILLAGE, "Desa Contoh Melati", "00.00.01"),
    Place("00.00.01.0002", VILLAGE, "Desa Contoh Kenanga", "00.00.01"),
    Place("00.00.02", SUBDISTRICT, "Kecamatan Contoh Dua", None),
    Place("00.00.02.0001", VILLAGE, "Desa Contoh Cempaka", "00.00.02"),
    Place("00.00.02.0002", VILLAGE, "Kelurahan Contoh Dahlia", "00.00.02"),
)


def read(data: bytes, known: Mapping[str, str]) -> list[Place]:
    """The file's places, sub-districts before villages, each by code. Raises Unreadable.

    `known`: kind by code of what is stored already: a village may lie in one of those, and none changes its kind.
    """
    rows = _rows(_text(data))
    faults: list[tuple[int, str]] = []
    places: dict[str, tuple[int, Place]] = {}
    for number, cells in rows:
        try:
            place = _place(cells)
        except ValueError as wrong:
            faults.append((number, str(wrong)))
            continue
        if place.code in places:
            faults.append((number, f"the code {place.code} stands in row {places[place.code][0]} already"))
        else:
            places[place.code] = number, place
    kinds = dict(known) | {code: place.kind for code, (_, place) in places.items()}
    for number, place in places.values():
        if known.get(place.code, place.kind) != place.kind:
            faults.append((number, f"{place.code} is a {known[place.code]} already and cannot become a {place.kind}"))
        if place.parent is not None and kinds.get(place.parent) != SUBDISTRICT:
            what = "a village itself" if place.parent in kinds else "neither in the file nor known"
            faults.append((number, f"its sub-district {place.parent} is {what}"))
    if faults:
        raise Unreadable(faults)
    return sorted((place for _, place in places.values()), key=lambda place: (place.kind, place.code))


def difference(stored: Mapping[str, Place], given: Sequence[Place], *, whole: bool) -> Difference:
    """`stored`: by code. `given`: as `read` gives them. `whole`: what is not given is not offered any more."""
    added = [place for place in given if place.code not in stored]
    pairs = [(stored[place.code], place) for place in given if place.code in stored]
    changed = [(old, new) for old, new in pairs if old != new]
    named = {place.code for place in given}
    gone = [(old, replace(old, active=False)) for code, old in sorted(stored.items())
            if whole and old.active and code not in named]
    return Difference(added, changed, gone, len(pairs) - len(changed))


def write(places: Iterable[Place]) -> str:
    """As CSV that `read` understands; cells that a spreadsheet would take for a formula begin with an apostrophe."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\r\n")
    table.writerow(COLUMNS)
    for place in places:
        table.writerow([_safe(cell) for cell in (place.code, place.kind, place.name, place.parent or "")])
    return out.getvalue()


def _text(data: bytes) -> str:
    if len(data) > LONGEST:
        raise Unreadable([(1, f"the file has {len(data)} bytes; at most {LONGEST} are taken")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        row = data[: wrong.start].count(b"\n") + 1
        raise Unreadable([(row, "not UTF-8; save the table as “CSV UTF-8”")]) from None
    return text


def _rows(text: str) -> list[tuple[int, dict[str, str]]]:
    """Each row that is not empty by the names of its columns, with its number."""
    head = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if head.count(";") > head.count(",") else ",",
                        strict=True)
    found: list[tuple[int, list[str]]] = []
    number = 1
    try:
        for cells in reader:
            found.append((number, [cell.strip(" ") for cell in cells]))
            number = reader.line_num + 1
    except csv.Error as wrong:
        raise Unreadable([(number, f"not a row of a table: {wrong}")]) from None
    if not found:
        raise Unreadable([(1, f"the file is empty; its first row names the columns: {','.join(COLUMNS)}")])
    columns = [_WORDS.get(cell.casefold(), cell) for cell in found[0][1]]
    if sorted(columns) != sorted(COLUMNS):
        raise Unreadable([(1, f"the first row must name the columns {','.join(COLUMNS)}, each once "
                              "(or kode,jenis,nama,induk)")])
    rows, faults = [], []
    for number, cells in found[1:]:
        if not any(cells):
            continue
        if len(cells) != len(columns):
            faults.append((number, f"{len(cells)} cells instead of {len(columns)}"))
        else:
            rows.append((number, dict(zip(columns, cells, strict=True))))
    if faults:
        raise Unreadable(faults)
    if not rows:
        raise Unreadable([(2, "no place stands in the file")])
    return rows


def _place(cells: Mapping[str, str]) -> Place:
    """Raises ValueError, which says what is wrong with the row."""
    code, kind, name, parent = (_bare(cells[column]) for column in COLUMNS)
    if not _CODE.fullmatch(code):
        raise ValueError("a code is 1 to 32 letters, digits, dots and dashes, a letter or digit first")
    if (known := _KINDS.get(kind.casefold())) is None:
        raise ValueError("the kind is subdistrict (kecamatan) or village (desa, kelurahan)")
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise ValueError(f"a name has 1 to {_LONGEST_NAME} letters and no control characters")
    if known == VILLAGE and not parent:
        raise ValueError("a village names its sub-district's code as parent")
    if known == SUBDISTRICT and parent:
        raise ValueError("a sub-district has no parent")
    return Place(code, known, name, parent or None)


def _safe(cell: str) -> str:
    """A name that begins with an apostrophe before such a letter gets one more, so that `_bare` gives it back."""
    return f"'{cell}" if cell.lstrip("'").startswith(_FORMULA) else cell


def _bare(cell: str) -> str:
    """Without the apostrophe that keeps a spreadsheet from calculating."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA) else cell
