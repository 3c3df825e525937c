"""A service's form: what may be a schema, and what may stand in it."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickets import forms, seed
from tickets.refused import Refused

TEXT: dict[str, Any] = {"type": "string"}


def form(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "additionalProperties": False}


def refusal(of: Any, *arguments: Any) -> Refused:
    with pytest.raises(Refused) as told:
        of(*arguments)
    return told.value


def chain(count: int, times: int = 1) -> dict[str, Any]:
    """Definitions of which each refers so many times to the next."""
    led = {f"d{one}": {"allOf": [{"$ref": f"#/$defs/d{one + 1}"}] * times} for one in range(count - 1)}
    return led | {f"d{count - 1}": TEXT}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        form(name=TEXT | {"maxLength": 10, "pattern": "^[A-Z]"}),
        form(**{"$ref": TEXT, "pattern": TEXT, "format": TEXT}),
        form(kind={"enum": ["$ref", {"$ref": "http://elsewhere"}]}),
        form(uniqueItems=True, kinds={"items": TEXT, "uniqueItems": True, "maxItems": 100}),
        form(a={"$ref": "#/$defs/d0"}) | {"$defs": chain(5, 8)},
        form(home={"$ref": "#/$defs/place"}) | {"$defs": {"place": {"type": "object", "properties": {"rt": TEXT}}}},
        *(one["schema"] for one in seed.FORMS),
    ],
)
def test_a_schema_that_stands_by_itself_is_taken(schema: dict[str, Any]) -> None:
    assert forms.check_schema(schema) == schema


@pytest.mark.parametrize(
    ("schema", "field"),
    [
        (None, "schema"), ([], "schema"), ("{}", "schema"), ({"type": "string"}, "schema"), ({}, "schema"),
        ({"type": ["object"]}, "schema"),
        ({"type": "object", "$schema": "http://json-schema.org/draft-07/schema#"}, "schema.$schema"),
        ({"type": "object", "required": "name"}, "schema.required"),
        (form(name={"type": "words"}), "schema.properties.name.type"),
        (form(name={"$ref": "https://elsewhere/schema"}), "schema.properties.name.$ref"),
        (form(name={"$ref": "#"}), "schema.properties.name.$ref"),
        (form(name={"$ref": "#/$defs/nothing"}), "schema.properties.name.$ref"),
        (form(name={"$dynamicRef": "#x"}), "schema.properties.name.$dynamicRef"),
        (form(name=TEXT) | {"$id": "https://elsewhere/"}, "schema.$id"),
        (form(name={"$schema": "https://json-schema.org/draft/2020-12/schema"}), "schema.properties.name.$schema"),
        (form() | {"patternProperties": {"^x": TEXT}}, "schema.patternProperties"),
        (form(a={"$ref": "#/$defs/a"}) | {"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}}, "schema.$defs"),
        (form(name=TEXT | {"pattern": "("}), "schema.properties.name.pattern"),
        (form(name=TEXT | {"pattern": "(?=x)"}), "schema.properties.name.pattern"),
        (form(name=TEXT | {"pattern": r"(x)\1"}), "schema.properties.name.pattern"),
        (form(name=TEXT | {"format": "uri"}), "schema.properties.name.format"),
        (form(photo={"type": "integer", "x-attachment": True}), "schema.properties.photo.x-attachment"),
        (form() | {"x-foo": {"$ref": 5}}, "schema.x-foo.$ref"),
        (form() | {"x-foo": {"format": []}}, "schema.x-foo.format"),
        (form() | {"x-foo": {"pattern": 5}}, "schema.x-foo.pattern"),
        (form() | {"unevaluatedProperties": False}, "schema.unevaluatedProperties"),
        (form(a={"unevaluatedItems": False}), "schema.properties.a.unevaluatedItems"),
        (form(a={"uniqueItems": True}), "schema.properties.a.uniqueItems"),
        (form(a={"uniqueItems": True, "maxItems": 101}), "schema.properties.a.uniqueItems"),
        (form(name=TEXT | {"title": "x\0"}), "schema.properties.name.title"),
        (form(name=TEXT | {"maximum": float("nan")}), "schema.properties.name.maximum"),
        (form(name=TEXT | {"description": "x" * 64_000}), "schema"),
    ],
)  # fmt: skip
def test_a_schema_that_could_do_harm_is_refused_at_its_place(schema: Any, field: str) -> None:
    assert refusal(forms.check_schema, schema).field == field


def test_a_schema_that_is_too_deep_is_refused() -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(2000):
        deep = {"not": deep}
    assert refusal(forms.check_schema, form(deep=deep)).field == "schema"


@pytest.mark.parametrize(("definitions", "field", "why"), [
    (chain(5, 12), "schema.$defs.d0", "more than 10000 words"), (chain(17, 2), "schema.$defs.d11", "more than 5 def"),
    (chain(6), "schema.$defs.d0", "more than 5 definitions")])  # fmt: skip
def test_definitions_that_refer_to_others_are_counted_as_if_they_were_written_out(
    definitions: dict[str, Any], field: str, why: str
) -> None:
    for schema in (form(a={"$ref": "#/$defs/d0"}), form(a={}), {"type": "object", "$ref": "#/$defs/d0"}):
        told = refusal(forms.check_schema, schema | {"$defs": definitions})
        assert told.field == field
        assert why in told.reason


def test_a_form_that_uses_its_definitions_too_often_is_refused() -> None:
    fields = {f"field{count}": {"$ref": "#/$defs/d0"} for count in range(10)}
    assert refusal(forms.check_schema, form(**fields) | {"$defs": chain(5, 8)}).field == "schema"


def test_the_deepest_schema_that_is_taken_can_be_used() -> None:
    def deep(levels: int, end: dict[str, Any]) -> dict[str, Any]:
        return end if levels == 0 else {"not": deep(levels - 1, end)}
    ends = [*({"$ref": f"#/$defs/d{one}"} for one in range(1, 5)), TEXT]
    definitions = {f"d{one}": deep(17, end) for one, end in enumerate(ends)}
    schema = forms.check_schema(form(a=deep(17, {"$ref": "#/$defs/d0"})) | {"$defs": definitions})
    forms.check_entries(schema, {"a": "x"})


def test_of_entries_that_must_differ_a_longer_list_is_wrong_by_its_length_and_not_compared() -> None:
    schema = forms.check_schema(form(kinds={"type": "array", "uniqueItems": True, "maxItems": 100}))
    forms.check_entries(schema, {"kinds": [1, True, "1"]})
    assert "uniqueItems" in refusal(forms.check_entries, schema, {"kinds": [[1], 2, [1]]}).reason
    begun = time.monotonic()
    assert refusal(forms.check_entries, schema, {"kinds": [{}, *range(6000)]}).reason == "maxItems is 100"
    assert time.monotonic() - begun < 1


WHOLE_NUMBER: dict[str, Any] = {"type": "integer"}
MANY = {f"n{one}": 1 for one in range(900)}


@pytest.mark.parametrize(("field", "value"), [
    ({"items": {"allOf": [WHOLE_NUMBER] * 600}}, [1] * 1800),
    ({"allOf": [{"items": {}}] * 1000}, [1] * 1500),
    ({"allOf": [{"contains": WHOLE_NUMBER}] * 500}, [1] * 1500),
    ({"allOf": [{"propertyNames": {"maxLength": 5}}] * 300}, MANY),
    ({"allOf": [{"additionalProperties": {}}] * 300}, MANY),
    ({"items": {"enum": list(range(10_000, 19_000))}}, [1] * 400),
    ({"items": {"$ref": "#/$defs/number"}}, [1] * 6000),
    ({"allOf": [WHOLE_NUMBER] * 2000}, [1] * 15_000),
    ({"allOf": [{"uniqueItems": True, "maxItems": 100}] * 300}, [{"rt": one} for one in range(100)]),
    ({"allOf": [{"const": [1] * 3000}] * 9}, [1] * 3000),
])  # fmt: skip
def test_entries_that_would_take_long_to_check_are_refused_soon(field: dict[str, Any], value: Any) -> None:
    schema = forms.check_schema(form(it=field) | {"$defs": {"number": WHOLE_NUMBER}})
    begun = time.thread_time()
    told = refusal(forms.check_entries, schema, {"it": value})
    assert (told.field, "too long" in told.reason) == ("form", True)
    assert forms.missing(schema, {"it": value}) == ["form"]
    assert time.thread_time() - begun < 2


def test_a_form_that_lacks_two_thousand_fields_says_so_soon() -> None:
    names = [f"field{count}" for count in range(2000)]
    schema = forms.check_schema(form() | {"required": names})
    begun = time.thread_time()
    assert forms.missing(schema, {}) == [f"form.{name}" for name in names]
    assert time.thread_time() - begun < 0.5


def test_a_long_and_honest_form_is_taken_whole() -> None:
    person = form(**{f"field{count}": TEXT | {"maxLength": 30} for count in range(8)}) | {"required": ["field1"]}
    schema = forms.check_schema(form(people={"type": "array", "items": person}))
    entries = {"people": [{f"field{count}": "Contoh" for count in range(8)} for _ in range(150)]}
    forms.check_entries(schema, entries)
    assert forms.missing(schema, entries) == []


ELDER = next(one["schema"] for one in seed.FORMS if one["service"] == "elder")
WHOLE = {"name": "Mbah Contoh", "address": "Dusun Contoh", "job": "tani", "family_members": 1, "dwelling_photo": 7}


@pytest.mark.parametrize(
    ("entries", "missing"),
    [
        (WHOLE, []),
        ({}, ["form.name", "form.address", "form.family_members"]),
        ({"name": "Mbah"}, ["form.address", "form.family_members"]),
        ({"name": "Mbah", "address": "x", "family_members": 0}, []),
    ],
)
def test_a_form_may_be_half_written_and_says_what_it_lacks(entries: dict[str, Any], missing: list[str]) -> None:
    forms.check_entries(ELDER, entries)
    assert forms.missing(ELDER, entries) == missing


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"family_members": "two"}, "form.family_members"), ({"family_members": -1}, "form.family_members"),
        ({"family_members": 51}, "form.family_members"), ({"family_members": 1.5}, "form.family_members"),
        ({"family_members": True}, "form.family_members"), ({"name": ""}, "form.name"),
        ({"name": "x" * 101}, "form.name"), ({"name": None}, "form.name"), ({"name": ["x"]}, "form.name"),
        ({"name": "x\0"}, "form.name"), ({"name": "x\x1b[0m"}, "form.name"), ({"name": "\ud800"}, "form.name"),
        ({"colour": "red"}, "form"), ({"family_members": float("nan")}, "form.family_members"),
        ({"family_members": 10**400}, "form.family_members"), ({"job": {"a": "b"}}, "form.job"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_its_field_and_without_what_was_sent(
    change: dict[str, Any], field: str
) -> None:
    told = refusal(forms.check_entries, ELDER, WHOLE | change)
    assert told.field == field
    assert "Mbah" not in str(told)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date", "2026-11-22", "22-11-2026"), ("time", "14:30", "25:00"), ("email", "a@contoh.id", "a contoh"),
        ("date-time", "2026-11-22T14:30:00+07:00", "2026-11-22T14:30:00"),
    ],
)  # fmt: skip
def test_formats_are_checked(name: str, good: str, bad: str) -> None:
    schema = forms.check_schema(form(it=TEXT | {"format": name}))
    forms.check_entries(schema, {"it": good})
    assert refusal(forms.check_entries, schema, {"it": bad}).reason == f'format is "{name}"'


def test_a_pattern_made_to_take_for_ever_takes_no_time() -> None:
    schema = forms.check_schema(form(it=TEXT | {"pattern": "^(a+)+$"}))
    begun = time.monotonic()
    assert refusal(forms.check_entries, schema, {"it": "a" * 5000 + "b"}).field == "form.it"
    assert time.monotonic() - begun < 1


def test_right_to_left_and_any_script_are_texts_like_others() -> None:
    forms.check_entries(ELDER, {"name": "ꦩꦧꦃ", "address": "شارع\n3"})


def test_attachments_and_titles_are_told() -> None:
    assert forms.attachments(ELDER) == {"dwelling_photo": "image/"}
    assert next(iter(forms.titles(ELDER).items())) == ("name", "Nama")


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
words = st.sampled_from(
    ["type", "properties", "$ref", "$defs", "pattern", "items", "required", "format", "x-attachment", "x-foo",
     "uniqueItems"]
)


def refused_at(of: Any, *arguments: Any) -> str | None:
    """None: it was taken. Any other exception fails the test."""
    try:
        of(*arguments)
    except Refused as told:
        return told.field
    return None


@given(st.dictionaries(words, json | st.dictionaries(words, json, max_size=3), max_size=5))
def test_whatever_comes_as_a_schema_is_taken_or_refused(schema: dict[str, Any]) -> None:
    for tried in (schema, schema | {"type": "object"}):
        assert (refused_at(forms.check_schema, tried) or "schema").startswith("schema")


@given(st.dictionaries(st.sampled_from(list(WHOLE)) | st.text(max_size=8), json, max_size=5))
def test_whatever_comes_as_entries_is_taken_or_refused(entries: dict[str, Any]) -> None:
    assert (refused_at(forms.check_entries, ELDER, entries) or "form").startswith("form")
