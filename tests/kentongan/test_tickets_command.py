"""`kentongan tickets …`, `services …`, `categories …`, `rules …`: what is printed, refused, and then stands."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kentongan.conftest import Run

#: stdout of `kentongan …` that ends well, or stderr of one that is refused
Words = Callable[..., str]


@pytest.fixture
def done(kentongan: Run) -> Words:
    def run(*words: str) -> str:
        status, out, err = kentongan(*words)
        assert (status, err) == (0, "")
        return out

    return run


@pytest.fixture
def refused(kentongan: Run) -> Words:
    def run(*words: str) -> str:
        status, out, err = kentongan(*words)
        assert (status, out) == (1, "")
        return err

    return run


def test_a_report_is_opened_filled_verified_forwarded_and_closed(done: Words, refused: Words) -> None:
    opened = done("tickets", "open", "--source", "walk_in", "category=house-fire", "place=Pasar")
    number = opened.partition(":")[0]
    assert opened.endswith(": open, verification open\n")
    done("tickets", "fill", number, "narrative=Api di kios", "latitude=-8.2", "longitude=114.3",
         "answers.burning=kios")
    done("tickets", "check", number)
    assert "A1 needs: answers.trapped" in refused("tickets", "verify", number, "a1")
    done("tickets", "fill", number.replace("-", " "), "answers.trapped=tidak ada")
    assert "verification a1" in done("tickets", "verify", number, "a1")
    [shown] = json.loads(done("tickets", "show", number, "--json"))
    assert (shown["proposed"], shown["missing"], shown["latitude"]) == (["damkar"], [], -8.2)
    unknown = refused("tickets", "forward", number, "damkar", "nobody")
    assert "there is no agency nobody; there are: ambulans118, bpbd, damkar, " in unknown
    assert "forwarded" in done("tickets", "forward", number, "damkar")
    assert "cannot become closed" in refused("tickets", "close", number, "--reason", "over")
    done("tickets", "said", number, "damkar", "accepted", "--why", "by telephone")
    assert "was not forwarded to polres" in refused("tickets", "said", number, "polres", "accepted")
    assert "closed" in done("tickets", "close", number, "--reason", "over")
    assert "accepted" in done("tickets", "reopen", number, "--reason", "not over")
    page = done("tickets", "show", number)
    for said in ("Apa yang terbakar?", "kios", "forwarded to damkar", "accepted"):
        assert said in page
    [line] = json.loads(done("tickets", "list", "--json"))
    assert (line["number"], line["agencies"]) == (number, ["damkar:accepted"])
    assert done("tickets", "list", "--topic", "police") == "no such ticket\n"


def test_an_agency_without_an_address_is_to_be_telephoned(kentongan: Run, done: Words) -> None:
    number = done("tickets", "open", "--source", "whatsapp").partition(":")[0]
    done("tickets", "override", number, "--reason", "Anak di sumur")
    kentongan("agencies", "set", "dinsos", "--phone", "+62 555 0199")
    kentongan("agencies", "set", "damkar", "--url", "http://127.0.0.1:9/reports")
    said = done("tickets", "forward", number, "dinsos", "damkar").splitlines()
    assert set(said[1:]) == {"dinsos: queued (no address: telephone +62 555 0199)", "damkar: queued"}
    assert "queued (no address: telephone +62 555 0199)" in done("tickets", "show", number)
    done("tickets", "said", number, "dinsos", "accepted")
    assert "no address" not in done("tickets", "show", number)


def test_an_override_is_shown_as_unverified(done: Words) -> None:
    number = done("tickets", "open", "--source", "whatsapp").partition(":")[0]
    assert "UNVERIFIED" in done("tickets", "override", number, "--reason", "Anak di sumur")
    assert "Anak di sumur" in done("tickets", "show", number)


@pytest.mark.parametrize(("words", "said"), [
    (("show", "2611-9999"), "there is no ticket 2611-9999"), (("show", "api"), "there is no ticket api"),
    (("open", "--source", "call"), "calls: a report that came by a call names the call"),
    (("open", "--source", "sms", "--service", "none"), "service: there is no such service"),
    (("open", "--source", "sms", "place"), "place: write FIELD=VALUE"),
    (("open", "--source", "sms", "colour=red"), "colour: a ticket has no colour"),
    (("open", "--source", "sms", "narrative=" + "x" * 10_001), "narrative: it has 10001 letters"),
    (("open", "--source", "sms", "--service", "elder", "form.family_members=two"), "form.family_members: it must be")])
def test_what_cannot_be_is_refused_in_words(
    refused: Words, done: Words, words: tuple[str, ...], said: str
) -> None:
    assert said in refused("tickets", *words)
    assert done("tickets", "list") == "no such ticket\n"


def test_a_service_is_set_up_without_a_release(done: Words, refused: Words, tmp_path: Path) -> None:
    schema, script = tmp_path / "form.json", tmp_path / "script.json"
    schema.write_text(json.dumps({"type": "object", "properties": {"wells": {"type": "integer", "title": "Sumur"}}}))
    script.write_text(json.dumps({"questions": [{"key": "since", "text": "Sejak kapan?", "required": True}]}))
    done("services", "add", "water", "--name", "Air bersih", "--prefix", "A-", "--topics", "water,flood",
         "--handle-for", "86400")
    assert done("services", "form", "water", str(schema)) == "the form of water is at version 1\n"
    done("categories", "add", "dry-well", "--service", "water", "--topic", "water", "--name", "Sumur kering",
         "--script", str(script))
    assert "proposes bpbd" in done("rules", "add", "--topic", "water", "--agency", "bpbd")
    number = done("tickets", "open", "--source", "letter", "--service", "water", "category=dry-well",
                  "form.wells=2").partition(":")[0]
    assert number.startswith("A-")
    [shown] = json.loads(done("tickets", "show", number, "--json"))
    assert (shown["proposed"], shown["form"]) == (["bpbd"], [{"key": "wells", "name": "Sumur", "value": 2}])
    [rule] = [one for one in json.loads(done("rules", "list", "--json")) if one["topic"] == "water"]
    done("rules", "remove", str(rule["id"]))
    assert f"there is no rule {rule['id']}" in refused("rules", "remove", str(rule["id"]))
    assert done("services", "change", "water", "--inactive") == "service water is at version 3\n"
    assert "there is no such service" in refused("tickets", "open", "--source", "letter", "--service", "water")


def test_a_form_or_script_that_is_none_is_refused(done: Words, refused: Words, tmp_path: Path) -> None:
    file = tmp_path / "form.json"
    for text, said in (("{", "is no JSON in UTF-8"), ("[]", "schema: a form is a JSON Schema of an object"),
                       ('{"type": "object", "$ref": "http://x/"}', "schema.$ref")):
        file.write_text(text)
        assert said in refused("services", "form", "elder", str(file))
    file.write_bytes(b'{"type": "\xff"}')
    assert "is no JSON in UTF-8" in refused("services", "form", "elder", str(file))
    assert json.loads(done("services", "show-form", "elder"))["required"] == ["name", "address", "family_members"]
    assert "has no form of version 0" in refused("services", "show-form", "emergency")


def test_lists_show_what_there_is(done: Words) -> None:
    assert "Lansia Sebatang Kara" in done("services", "list")
    assert "burning!,trapped!,injured" in done("categories", "list", "--service", "emergency")
    assert "psc119" in done("rules", "list")
    assert done("categories", "change", "flood", "--inactive") == "category flood is at version 2\n"
    found = json.loads(done("categories", "list", "--json"))
    assert [one["active"] for one in found if one["code"] == "flood"] == [False]
