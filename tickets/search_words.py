"""tickets ◆ What a person types to find a ticket, as a question for either database's words (db/search.py). Pure.

All that was typed must be there, in any order. A word of three characters or more also finds longer ones that begin so.
Digits also find parts of numbers, however they are written: "0800 555-112" finds +62800555112, "0042" and "2611-0042"
find the ticket 2611-0042. Everything else (quotes, brackets, AND, stars) only stands between words.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from itertools import groupby

from db.search import LONGEST_WORD, PERSON, SHORTEST_PART

#: words that count; what is typed behind them is not looked for
MOST_WORDS = 16
_LONGEST_TYPED = 1_000
#: digits from which on it may be a telephone number with something before it that others leave out: 0062, 62, 0
_LONG = 7
_BEFORE = re.compile("^(?:0*62|0+)")
_TICKET_NUMBER = re.compile("[0-9]{4}-[0-9]{4,}")

#: all of them: any of these: all of these words
Sought = list[list[list[str]]]


def sought(typed: str) -> Sought:
    """What is to be found; empty if there is no letter and no digit in it. Never raises."""
    plain = unicodedata.normalize("NFD", typed[:_LONGEST_TYPED])
    plain = "".join(character for character in plain if not "\u0300" <= character <= "\u036f").lower()
    found: Sought = []
    for is_number, run in groupby(_parts(plain), key=lambda part: part[1].isascii() and part[1].isdigit()):
        parts = list(run)
        if is_number:
            found.append(_number([word for _, word in parts], "".join(before + word for before, word in parts)))
        else:
            found += [[[unicodedata.normalize("NFC", word)[:LONGEST_WORD]]] for _, word in parts]
    return found


def fts5(what: Sought, *, people: bool) -> str:
    """The question for SQLite. `people`: also by names and telephone numbers."""
    question = _question(what, " AND ", " OR ", lambda word: f'"{word}"{"*" * _may_go_on(word)}')
    return question if people else f"report : ({question})"


def tsquery(what: Sought, *, people: bool) -> str:
    """The question for PostgreSQL, for a cast to `tsquery`. `people`: also by names and telephone numbers."""

    def either(word: str) -> str:
        plain = unicodedata.normalize("NFD", word)[:LONGEST_WORD]
        end = "':*" if _may_go_on(word) else "'"
        return f"('{plain}{end} | '{PERSON}{plain}{end})" if people else f"'{plain}{end}"

    return _question(what, " & ", " | ", either)


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Runs of letters and digits, each with what stands before it."""
    before = ""
    count = 0
    for is_word, run in groupby(text, key=_is_of_a_word):
        if not is_word:
            before = "".join(run)
        elif count < MOST_WORDS:
            yield before, "".join(run)
            count += 1


def _is_of_a_word(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] == "L" or category == "Nd"


def _number(parts: list[str], written: str) -> list[list[str]]:
    """One number that may be written with gaps, or several."""
    whole = "".join(parts)[:LONGEST_WORD]
    ways = [[whole]]
    if (dialled := _dialled(whole)) != whole:
        ways += [[dialled], [f"0{dialled}"]]  # a part of a number; a word of the narrative
    if len(parts) > 1 and not _TICKET_NUMBER.fullmatch(written.strip()):
        ways.append([_dialled(part[:LONGEST_WORD]) for part in parts])
    return [way for place, way in enumerate(ways) if way not in ways[:place]]


def _dialled(digits: str) -> str:
    return (len(digits) >= _LONG and _BEFORE.sub("", digits)) or digits


def _may_go_on(word: str) -> bool:
    return len(word) >= SHORTEST_PART


def _question(what: Sought, both: str, either: str, atom: Callable[[str], str]) -> str:
    return both.join(f"({either.join(both.join(map(atom, way)) for way in ways)})" for ways in what)
