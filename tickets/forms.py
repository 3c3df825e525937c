"""tickets ◆ A service's own form: JSON Schema (draft 2020-12) that an admin adds without a release. Pure.

A schema is refused unless it is harmless: it stands by itself (references lead only into its own `$defs`, and not in
circles), its size is bounded, also with every reference written out, and its patterns are matched in linear time, by
the engine that pydantic brings, since one bad schema must not hold up calls. For the same reason entries are looked
at with so much effort at most, whatever the schema makes of them.

A field that holds a file says `"x-attachment": "image/"` (what its media type begins with); its entry is the id of one
of the ticket's attachments.
"""

import graphlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from datetime import date, datetime, time
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker, ValidationError, validators
from jsonschema.exceptions import SchemaError
from pydantic_core import SchemaError as BadPattern
from pydantic_core import SchemaValidator, core_schema

from tickets.refused import Refused

#: bytes of the longest schema
LONGEST_SCHEMA = 64_000
#: bytes of all entries of a form
LONGEST_ENTRIES = 32_000
_DEEPEST = 20
#: definitions of which each refers to the next: jsonschema goes down all of them, each as deep as that
_LONGEST_CHAIN = 5
#: words of a schema in which every reference is written out
_MOST_WORDS = 10_000
#: of a list whose entries must differ, which are compared each with each
_MOST_UNIQUE = 100
#: effort of one check, counted by `_effort_of`: at most a few tenths of a second
_MOST_EFFORT = 25_000
#: letters of a text that take as long as one word; and of something that is compared or told as a whole
_TEXT, _WHOLE = 100, 20
#: words that take as long as finding what is referred to
_REFERENCE = 5
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
#: what would lead out of the schema, in circles, or past the engine of patterns; or looks again at each level at all
#: that is below it
_UNUSABLE = frozenset({
    "$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$vocabulary", "patternProperties", "unevaluatedProperties",
    "unevaluatedItems",
})  # fmt: skip
_DEFINED = re.compile(r"#/\$defs/([A-Za-z0-9_.-]+)")
#: what those of its words that hold schemas by name call them: names, not words of JSON Schema
_NAMED = frozenset({"properties", "$defs", "dependentSchemas"})
_VALUES = frozenset({"const", "enum", "default", "examples"})

_FORMATS = FormatChecker(formats=())
_FORMATS.checks("date", raises=ValueError)(lambda value: not isinstance(value, str) or bool(date.fromisoformat(value)))
_FORMATS.checks("time", raises=ValueError)(
    lambda value: not isinstance(value, str) or time.fromisoformat(value) is not None)
_FORMATS.checks("date-time", raises=ValueError)(
    lambda value: not isinstance(value, str) or datetime.fromisoformat(value).utcoffset() is not None)
_FORMATS.checks("email")(
    lambda value: not isinstance(value, str) or re.fullmatch(r"[^@\s]{1,64}@[^@\s]{1,255}", value) is not None)


def check_schema(schema: Any) -> dict[str, Any]:
    """The schema, if it can be a form. Raises Refused with field "schema" or "schema.properties.…"."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise Refused("schema", 'a form is a JSON Schema of an object: {"type": "object", "properties": {…}}')
    check_json(schema, "schema", LONGEST_SCHEMA)
    if schema.get("$schema", _DRAFT) != _DRAFT:
        raise Refused("schema.$schema", f"forms are written in draft 2020-12: {_DRAFT}")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as wrong:
        raise Refused(_dotted("schema", wrong.absolute_path), f"no JSON Schema: {_reason(wrong)}") from None
    definitions = schema.get("$defs", {})
    for where, word, value, beside in _words(schema, "schema"):
        _check_word(where, word, value, beside, definitions)
    _check_expanded(schema, definitions)
    return schema


def check_entries(schema: Mapping[str, Any], entries: Mapping[str, Any]) -> None:
    """Whether what stands in the form fits; what is still missing does not matter yet. Raises Refused, for the first
    field that is wrong ("form.address")."""
    check_json(entries, "form", LONGEST_ENTRIES)
    try:
        wrong = next(_errors(_Unfinished, schema, entries), None)
    except _TooMuch:
        raise Refused("form", "so many entries take too long to check against this form; leave some out") from None
    if wrong is not None:
        raise Refused(_dotted("form", wrong.absolute_path), _reason(wrong))


def missing(schema: Mapping[str, Any], entries: Mapping[str, Any]) -> list[str]:
    """The fields that a whole form needs and this one has not: "form.address"; "form", if it takes too long to say."""
    found = []
    try:
        for wrong in _errors(_Whole, schema, entries):
            where = _dotted("form", wrong.absolute_path)
            found += [f"{where}.{name}" for name in _missing_of(wrong)] or [where]
    except _TooMuch:
        return ["form"]
    return list(dict.fromkeys(found))


def attachments(schema: Mapping[str, Any]) -> dict[str, str]:
    """The form's fields that hold an attachment, and what its media type begins with: {"photo": "image/"}."""
    fields = schema.get("properties", {})
    return {name: field["x-attachment"] for name, field in fields.items()
            if isinstance(field, dict) and "x-attachment" in field}


def titles(schema: Mapping[str, Any]) -> dict[str, str]:
    """What people call the form's fields, in its order."""
    return {name: str(field.get("title", name)) if isinstance(field, dict) else name
            for name, field in schema.get("properties", {}).items()}


def check_json(value: Any, field: str, longest: int) -> None:
    """Whether it can be stored and read everywhere: no control characters, no endless numbers, not too deep, and at
    most `longest` bytes of JSON. Raises Refused."""
    _check_parts(value, field, 0)
    size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    if size > longest:
        raise Refused(field, f"it has {size} bytes as JSON; at most {longest} are taken")


def check_text(text: str, field: str) -> None:
    """Raises Refused for control characters but \\n and \\t, and for halves of characters."""
    if any((ord(letter) < 32 and letter not in "\n\t") or 127 <= ord(letter) < 160 for letter in text):
        raise Refused(field, "a text holds no control characters but line breaks (\\n) and tabs")
    if any(0xD800 <= ord(letter) < 0xE000 for letter in text):
        raise Refused(field, "half a character (a lone surrogate) stands in it")


def _check_parts(value: Any, field: str, depth: int) -> None:
    if depth > _DEEPEST:
        raise Refused(field.partition(".")[0], f"nested more than {_DEEPEST} deep")
    match value:
        case str():
            check_text(value, field)
        case dict():
            for name, part in value.items():
                if not isinstance(name, str):
                    raise Refused(field, "names are texts")
                check_text(name, field)
                _check_parts(part, f"{field}.{name}", depth + 1)
        case list():
            for place, part in enumerate(value):
                _check_parts(part, f"{field}.{place}", depth + 1)
        case float() if not math.isfinite(value):
            raise Refused(field, "not a number that can be written down")
        case int() if not isinstance(value, bool) and abs(value) >= 10**15:
            raise Refused(field, "a number of more than 15 digits")
        case None | bool() | int() | float():
            pass
        case _:
            raise Refused(field, "no JSON value")


def _words(schema: Any, where: str) -> Iterator[tuple[str, str, Any, Mapping[str, Any]]]:
    """Each word of the schema and of those within it, with its place, what it says, and the schema in which it stands;
    names of fields and values are no words."""
    if isinstance(schema, list):
        for place, part in enumerate(schema):
            yield from _words(part, f"{where}.{place}")
    if not isinstance(schema, dict):
        return
    for word, value in schema.items():
        here = f"{where}.{word}"
        yield here, word, value, schema
        if word in _NAMED and isinstance(value, dict):
            for name, part in value.items():
                yield from _words(part, f"{here}.{name}")
        elif word not in _VALUES:
            yield from _words(value, here)


def _check_expanded(schema: dict[str, Any], definitions: Mapping[str, Any]) -> None:
    """Raises Refused for definitions in a circle, and for a schema that is too long or too deep written out."""
    targets = {name: list(_targets(body)) for name, body in definitions.items()}
    try:
        order = list(graphlib.TopologicalSorter(targets).static_order())
    except graphlib.CycleError:
        raise Refused("schema.$defs", "definitions refer to each other in a circle") from None
    itself = {word: value for word, value in schema.items() if word != "$defs"}
    words, depths = dict[str, int](), dict[str, int]()
    for name, body, led in [*((name, definitions[name], targets[name]) for name in order),
                            ("", itself, list(_targets(itself)))]:
        where = f"schema.$defs.{name}" if name else "schema"
        words[name] = sum(1 for _ in _words(body, "")) + sum(words[one] for one in led)
        depths[name] = 1 + max((depths[one] for one in led), default=0)
        if words[name] > _MOST_WORDS:
            raise Refused(where, f"with every $ref written out it has more than {_MOST_WORDS} words")
        if name and depths[name] > _LONGEST_CHAIN:
            raise Refused(where, f"more than {_LONGEST_CHAIN} definitions, each of which refers to the next")


def _targets(schema: Any) -> Iterator[str]:
    """The definitions that it refers to."""
    for _, word, value, _ in _words(schema, ""):
        if word == "$ref":
            yield value.removeprefix("#/$defs/")


def _check_word(
    where: str, word: str, value: Any, beside: Mapping[str, Any], definitions: Mapping[str, Any]
) -> None:
    if word in _UNUSABLE:
        raise Refused(where, f"a form does without {word}")
    if word == "$schema" and where != "schema.$schema":
        raise Refused(where, "all of a form is of one draft: it stands at the top")
    if word == "$ref":
        found = _DEFINED.fullmatch(value) if isinstance(value, str) else None
        if found is None or found[1] not in definitions:
            raise Refused(where, "a form refers to nothing but its own definitions: #/$defs/NAME")
    if word == "pattern":
        try:
            _pattern(value)
        except (BadPattern, TypeError):
            raise Refused(where, "no regular expression, or one that cannot be matched in linear time (look-around, "
                                 "back-references)") from None
    if word == "format" and not (isinstance(value, str) and value in _FORMATS.checkers):
        raise Refused(where, f"formats are: {', '.join(_FORMATS.checkers)}")
    if word == "uniqueItems" and value is True:
        most = beside.get("maxItems")
        if not isinstance(most, int | float) or most > _MOST_UNIQUE:
            raise Refused(where, f"it takes maxItems beside it, of at most {_MOST_UNIQUE}")
    if word == "x-attachment" and not (isinstance(value, str) and value):
        raise Refused(where, 'it says what the media type begins with: "image/"')


def _pattern(pattern: str) -> SchemaValidator:
    return SchemaValidator(core_schema.str_schema(pattern=pattern))


def _fits_pattern(_: Any, pattern: str, text: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(text, str) and not _pattern(pattern).isinstance_python(text):
        yield ValidationError("does not match")


def _differ(validator: Any, wanted: Any, entries: Any, schema: Any) -> Iterator[ValidationError]:
    """A longer list is wrong by its length already."""
    if not isinstance(entries, list) or len(entries) <= _MOST_UNIQUE:
        yield from Draft202012Validator.VALIDATORS["uniqueItems"](validator, wanted, entries, schema) or ()


def _lacks(_: Any, needed: Any, entries: Any, schema: Any) -> Iterator[ValidationError]:
    """One error for all that is missing: `_missing_of` says what it is."""
    if isinstance(entries, dict) and not entries.keys() >= set(needed):
        yield ValidationError("lacks something")


def _nothing(*_: Any) -> Iterator[ValidationError]:
    return iter(())


class _TooMuch(Exception):
    """The check has taken all the effort that it may."""


#: what this check may still take
_left: ContextVar[int] = ContextVar("_left")


def _take(effort: int) -> None:
    """Raises _TooMuch."""
    left = _left.get() - effort
    if left < 0:
        raise _TooMuch
    _left.set(left)


def _effort_of(word: str, value: Any, entry: Any) -> int:
    """Roughly how long the word takes, a plain one being 1: it may go through what it says and what was entered, and
    some compare all that is below, too."""
    effort = 1 + sum(len(part) for part in (value, entry) if isinstance(part, list | dict))
    if isinstance(entry, str):
        effort += len(entry) // _TEXT
    if word == "$ref":
        effort += _REFERENCE
    if word in ("const", "enum", "dependentRequired"):
        effort += len(repr(value)) // _WHOLE
    if word == "uniqueItems" and isinstance(entry, list) and len(entry) <= _MOST_UNIQUE:
        effort += len(entry) * len(repr(entry)) // _WHOLE
    return effort


def _counted(word: str, check: Callable[..., Any]) -> Callable[..., Iterator[ValidationError]]:
    """The same check, paid for: before it looks, and for each error, which repeats what was entered."""

    def paid(validator: Any, value: Any, entry: Any, schema: Any) -> Iterator[ValidationError]:
        _take(_effort_of(word, value, entry))
        for wrong in check(validator, value, entry, schema) or ():
            _take(1 + len(wrong.message) // _WHOLE)
            yield wrong

    return paid


_RULES = Draft202012Validator.VALIDATORS | {"pattern": _fits_pattern, "uniqueItems": _differ, "required": _lacks}
_extend: Any = validators.extend  # its types are not told
_Whole = _extend(Draft202012Validator, {word: _counted(word, check) for word, check in _RULES.items()})
#: for a form that somebody is still writing
_Unfinished = _extend(
    _Whole, {word: _counted(word, _nothing) for word in ("required", "dependentRequired", "minProperties")})


def _errors(
    kind: type[Any], schema: Mapping[str, Any], entries: Mapping[str, Any]
) -> Iterator[ValidationError]:
    """By field. Raises _TooMuch."""
    before = _left.set(_MOST_EFFORT)
    try:
        found = list(kind(schema, format_checker=_FORMATS).iter_errors(entries))
    finally:
        _left.reset(before)
    yield from sorted(found, key=lambda wrong: [str(part) for part in wrong.absolute_path])


def _dotted(field: str, path: Any) -> str:
    return ".".join([field, *map(str, path)])


def _missing_of(wrong: ValidationError) -> list[str]:
    if wrong.validator != "required" or not isinstance(wrong.instance, dict):
        return []
    needed: Any = wrong.validator_value
    return [name for name in needed if name not in wrong.instance]


def _reason(wrong: ValidationError | SchemaError) -> str:
    """In words for a person; never repeats what was sent."""
    rule = str(wrong.validator)
    value: Any = wrong.validator_value
    match rule:
        case "type":
            return f"it must be: {value if isinstance(value, str) else ', '.join(value)}"
        case "additionalProperties" if isinstance(wrong.schema, dict):
            return f"there is no such field; there are: {', '.join(wrong.schema.get('properties', {})) or 'none'}"
        case "format" | "minimum" | "maximum" | "minLength" | "maxLength" | "minItems" | "maxItems" | "enum" | "const":
            return f"{rule} is {json.dumps(value, ensure_ascii=False)}"
    return f"it does not fit the rule {rule!r} that stands there"
