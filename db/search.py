"""The words by which tickets are found: an index that the database itself keeps, whoever writes a ticket and however.

Both databases keep the same words: of what was reported (number, place, narrative) and, apart from it, of people
(names, telephone numbers), so that who may not see people does not find by them either. A word is a run of letters and
digits, in small letters, without accents. Of a ticket's number and of telephone numbers each ending of three digits or
more is a word as well, so that a search for beginnings finds any part of them.

- SQLite: the full-text table `search_tickets` (FTS5) over the view `search_ticket_texts`, kept by triggers.
- PostgreSQL: a GIN index `search_tickets` over `kentongan_ticket_words(...)` of a ticket; nothing is stored beside it.

`tickets/search_words.py` makes questions for both out of what a person types. Nothing here is part of the models'
tables: names begin with `search_`. A migration that makes `tickets` anew takes the triggers and the view away before
and builds them again after.
"""

from collections.abc import Iterator

#: characters of a word that count
LONGEST_WORD = 60
#: digits of the shortest part of a number that is found
SHORTEST_PART = 3
#: before each word about people, on PostgreSQL; no word begins so
PERSON = "@"
#: the columns of a ticket whose words are kept
COLUMNS = ("number", "place", "narrative", "reporter_name", "reporter_number", "subject_name", "subject_number")
#: a ticket's words on PostgreSQL; the index serves who asks for exactly this
TICKET_WORDS = f"kentongan_ticket_words({', '.join(COLUMNS)})"

#: characters of a narrative that are looked through: a text of a megabyte must not fail in the index
_LONGEST_TEXT = 20_000
#: digits of the longest number that is looked through: E.164 has 15, with a foreign 00 before it 17
_LONGEST_NUMBER = 20


def statements(dialect: str, *, has_icu: bool = False) -> Iterator[str]:
    """What builds the index, also over the tickets that are there. `has_icu`: PostgreSQL knows the letters of all
    scripts; without, those of its own locale."""
    return _sqlite() if dialect == "sqlite" else _postgresql(' COLLATE pg_catalog."und-x-icu"' if has_icu else "")


def _sqlite() -> Iterator[str]:
    yield f"""
        CREATE VIEW search_ticket_texts AS SELECT id,
          number || ' ' || {_text("place")} || ' ' || {_text("narrative")} || {_endings("replace(number, '-', '')")}
          AS report,
          {_text("reporter_name")} || ' ' || {_text("subject_name")}
          || {_endings(_digits("reporter_number"))} || {_endings(_digits("subject_number"))}
          AS people
        FROM tickets"""
    yield """
        CREATE VIRTUAL TABLE search_tickets USING fts5(
          report, people, content='search_ticket_texts', content_rowid='id', columnsize=0,
          tokenize="unicode61 remove_diacritics 2 categories 'L* Nd'")"""
    words = "id, report, people FROM search_ticket_texts WHERE id ="
    add = f"INSERT INTO search_tickets (rowid, report, people) SELECT {words} new.id;"
    drop = f"INSERT INTO search_tickets (search_tickets, rowid, report, people) SELECT 'delete', {words} old.id;"
    changes = f"UPDATE OF {', '.join(COLUMNS)} ON tickets"
    yield f"CREATE TRIGGER search_tickets_added AFTER INSERT ON tickets BEGIN {add} END"
    yield f"CREATE TRIGGER search_tickets_removed BEFORE DELETE ON tickets BEGIN {drop} END"
    yield f"CREATE TRIGGER search_tickets_before BEFORE {changes} BEGIN {drop} END"
    yield f"CREATE TRIGGER search_tickets_after AFTER {changes} BEGIN {add} END"
    yield "INSERT INTO search_tickets (search_tickets) VALUES ('rebuild')"


def _text(column: str) -> str:
    return f"substr(coalesce({column}, ''), 1, {_LONGEST_TEXT})"


def _digits(column: str) -> str:
    bare = f"substr(coalesce({column}, ''), 1, {2 * _LONGEST_NUMBER})"
    for character in "+ -.()/":
        bare = f"replace({bare}, '{character}', '')"
    return bare


def _endings(digits: str) -> str:
    return " || ".join(
        f"CASE WHEN length({digits}) >= {first + SHORTEST_PART - 1} THEN ' ' || substr({digits}, {first}) ELSE '' END"
        for first in range(1, _LONGEST_NUMBER - SHORTEST_PART + 2)
    )


def _postgresql(collation: str) -> Iterator[str]:
    arguments = ", ".join(f"{column} text" for column in COLUMNS)
    # names nothing but PostgreSQL's own: it also runs where `search_path` is empty (restoring, analysing)
    yield rf"""
        CREATE FUNCTION kentongan_ticket_words({arguments}) RETURNS tsvector
        LANGUAGE sql IMMUTABLE COST 1000 AS $$
          SELECT array_to_tsvector(ARRAY(
            SELECT DISTINCT mark || left(word, {LONGEST_WORD})
            FROM (VALUES
              ('', concat_ws(' ', number, left(place, {_LONGEST_TEXT}), left(narrative, {_LONGEST_TEXT}))),
              ('{PERSON}', concat_ws(' ', left(reporter_name, {_LONGEST_TEXT}), left(subject_name, {_LONGEST_TEXT})))
            ) AS texts (mark, said),
            regexp_split_to_table(
              lower(regexp_replace(normalize(said, NFD), '[\u0300-\u036f]', '', 'g'){collation}), '[^[:alnum:]]+'
            ) AS word
            WHERE word <> ''
            UNION SELECT mark || substr(digits, first)
            FROM (VALUES
              ('', lower(replace(number, '-', ''))),
              ('{PERSON}', regexp_replace(left(reporter_number, {2 * _LONGEST_NUMBER}), '[^0-9]', '', 'g')),
              ('{PERSON}', regexp_replace(left(subject_number, {2 * _LONGEST_NUMBER}), '[^0-9]', '', 'g'))
            ) AS numbers (mark, digits), generate_series(1, length(digits) - {SHORTEST_PART - 1}) AS first
          ))
        $$"""
    yield f"CREATE INDEX search_tickets ON tickets USING gin ({TICKET_WORDS})"
    # its words are always asked for by the index: what they are is not worth looking for in a sample of the tickets
    yield "ALTER INDEX search_tickets ALTER COLUMN 1 SET STATISTICS 0"
