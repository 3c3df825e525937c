"""`kentongan tickets …`, `services …`, `categories …`, `rules …`: what is printed, refused, and then stands."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kentongan import cli

#: stdout of `kentongan …` that ends well
Run = Callable[..., str]
#: stderr of `kentongan …` that is refused
Refusal = Callable[..., str]


@pytest.fixture
def house(tmp_path: Path, migrated_sqlite: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder, and nothing else in the environment."""
    for name in [name for name in os.environ if name.startswith("KENTONGAN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KENTONGAN_DATA", str(tmp_path))
    shutil.copy(migrated_sqlite, tmp_path / "kentongan.db")
    return tmp_path


@pytest.fixture
def ended(house: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["kentongan", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    return run


@pytest.fixture
def kentongan(ended: Callable[..., Any]) -> Run:
    def run(*words: str) -> str:
        status, out, err = ended(*words)
        assert (status, err) == (0, "")
        return str(out)

    return run


@pytest.fixture
def refused(ended: Callable[..., Any]) -> Refusal:
    def run(*words: str) -> str:
        status, out, err = ended(*words)
        assert (status, out) == (1, "")
        return str(err)

    return run


def test_a_report_is_opened_filled_verified_forwarded_and_closed(kentongan: Run, refused: Refusal) -> None:
    opened = kentongan("tickets", "open", "--source", "walk_in", "category=house-fire", "place=Pasar")
    number = opened.partition(":")[0]
    assert opened.endswith(": open, verification open\n")
    kentongan("tickets", "fill", number, "narrative=Api di kios", "latitude=-8.2", "longitude=114.3",
              "answers.burning=kios")
    kentongan("tickets", "check", number)
    assert "A1 needs: answers.trapped" in refused("tickets", "verify", number, "a1")
    kentongan("tickets", "fill", number.replace("-", " "), "answers.trapped=tidak ada")
    assert "verification a1" in kentongan("tickets", "verify", number, "a1")
    [shown] = json.loads(kentongan("tickets", "show", number, "--json"))
    assert (shown["proposed"], shown["missing"], shown["latitude"]) == (["damkar"], [], -8.2)
    unknown = refused("tickets", "forward", number, "damkar", "nobody")
    assert "there is no agency nobody; there are: ambulans118, bpbd, damkar, " in unknown
    assert "forwarded" in kentongan("tickets", "forward", number, "damkar")
    assert "cannot become closed" in refused("tickets", "close", number, "--reason", "over")
    kentongan("tickets", "said", number, "damkar", "accepted", "--why", "by telephone")
    assert "was not forwarded to polres" in refused("tickets", "said", number, "polres", "accepted")
    assert "closed" in kentongan("tickets", "close", number, "--reason", "over")
    assert "accepted" in kentongan("tickets", "reopen", number, "--reason", "not over")
    page = kentongan("tickets", "show", number)
    for said in ("Apa yang terbakar?", "kios", "forwarded to damkar", "accepted"):
        assert said in page
    [line] = json.loads(kentongan("tickets", "list", "--json"))
    assert (line["number"], line["agencies"]) == (number, ["damkar:accepted"])
    assert kentongan("tickets", "list", "--topic", "police") == "no such ticket\n"


def test_an_agency_without_an_address_is_to_be_telephoned(ended: Callable[..., Any], kentongan: Run) -> None:
    number = kentongan("tickets", "open", "--source", "whatsapp").partition(":")[0]
    kentongan("tickets", "override", number, "--reason", "Anak di sumur")
    ended("agencies", "set", "dinsos", "--phone", "+62 555 0199")
    ended("agencies", "set", "damkar", "--url", "http://127.0.0.1:9/reports")
    said = kentongan("tickets", "forward", number, "dinsos", "damkar").splitlines()
    assert set(said[1:]) == {"dinsos: queued (no address: telephone +62 555 0199)", "damkar: queued"}
    assert "queued (no address: telephone +62 555 0199)" in kentongan("tickets", "show", number)
    kentongan("tickets", "said", number, "dinsos", "accepted")
    assert "no address" not in kentongan("tickets", "show", number)


def test_an_override_is_shown_as_unverified(kentongan: Run) -> None:
    number = kentongan("tickets", "open", "--source", "whatsapp").partition(":")[0]
    assert "UNVERIFIED" in kentongan("tickets", "override", number, "--reason", "Anak di sumur")
    assert "Anak di sumur" in kentongan("tickets", "show", number)


@pytest.mark.parametrize(("words", "said"), [
    (("show", "2611-9999"), "there is no ticket 2611-9999"), (("show", "api"), "there is no ticket api"),
    (("open", "--source", "call"), "calls: a report that came by a call names the call"),
    (("open", "--source", "sms", "--service", "none"), "service: there is no such service"),
    (("open", "--source", "sms", "place"), "place: write FIELD=VALUE"),
    (("open", "--source", "sms", "colour=red"), "colour: a ticket has no colour"),
    (("open", "--source", "sms", "narrative=" + "x" * 10_001), "narrative: it has 10001 letters"),
    (("open", "--source", "sms", "--service", "elder", "form.family_members=two"), "form.family_members: it must be")])
def test_what_cannot_be_is_refused_in_words(
    refused: Refusal, kentongan: Run, words: tuple[str, ...], said: str
) -> None:
    assert said in refused("tickets", *words)
    assert kentongan("tickets", "list") == "no such ticket\n"


def test_a_service_is_set_up_without_a_release(kentongan: Run, refused: Refusal, tmp_path: Path) -> None:
    schema, script = tmp_path / "form.json", tmp_path / "script.json"
    schema.write_text(json.dumps({"type": "object", "properties": {"wells": {"type": "integer", "title": "Sumur"}}}))
    script.write_text(json.dumps({"questions": [{"key": "since", "text": "Sejak kapan?", "required": True}]}))
    kentongan("services", "add", "water", "--name", "Air bersih", "--prefix", "A-", "--topics", "water,flood",
              "--handle-for", "86400")
    assert kentongan("services", "form", "water", str(schema)) == "the form of water is at version 1\n"
    kentongan("categories", "add", "dry-well", "--service", "water", "--topic", "water", "--name", "Sumur kering",
              "--script", str(script))
    assert "proposes bpbd" in kentongan("rules", "add", "--topic", "water", "--agency", "bpbd")
    number = kentongan("tickets", "open", "--source", "letter", "--service", "water", "category=dry-well",
                       "form.wells=2").partition(":")[0]
    assert number.startswith("A-")
    [shown] = json.loads(kentongan("tickets", "show", number, "--json"))
    assert (shown["proposed"], shown["form"]) == (["bpbd"], [{"key": "wells", "name": "Sumur", "value": 2}])
    [rule] = [one for one in json.loads(kentongan("rules", "list", "--json")) if one["topic"] == "water"]
    kentongan("rules", "remove", str(rule["id"]))
    assert f"there is no rule {rule['id']}" in refused("rules", "remove", str(rule["id"]))
    assert kentongan("services", "change", "water", "--inactive") == "service water is at version 3\n"
    assert "there is no such service" in refused("tickets", "open", "--source", "letter", "--service", "water")


def test_a_form_or_script_that_is_none_is_refused(kentongan: Run, refused: Refusal, tmp_path: Path) -> None:
    file = tmp_path / "form.json"
    for text, said in (("{", "is no JSON in UTF-8"), ("[]", "schema: a form is a JSON Schema of an object"),
                       ('{"type": "object", "$ref": "http://x/"}', "schema.$ref")):
        file.write_text(text)
        assert said in refused("services", "form", "elder", str(file))
    file.write_bytes(b'{"type": "\xff"}')
    assert "is no JSON in UTF-8" in refused("services", "form", "elder", str(file))
    assert json.loads(kentongan("services", "show-form", "elder"))["required"] == ["name", "address", "family_members"]
    assert "has no form of version 0" in refused("services", "show-form", "emergency")


def test_lists_show_what_there_is(kentongan: Run) -> None:
    assert "Lansia Sebatang Kara" in kentongan("services", "list")
    assert "burning!,trapped!,injured" in kentongan("categories", "list", "--service", "emergency")
    assert "psc119" in kentongan("rules", "list")
    assert kentongan("categories", "change", "flood", "--inactive") == "category flood is at version 2\n"
    found = json.loads(kentongan("categories", "list", "--json"))
    assert [one["active"] for one in found if one["code"] == "flood"] == [False]
