"""`kentongan agencies …` as an admin types it: what is printed, what is refused, what is written."""

import json
from typing import Any

import pytest
from sqlalchemy import Engine, select

from db.models import Agency
from tests.kentongan.conftest import Run, audited

URL = "http://127.0.0.1:9/reports"


def listed(kentongan: Run) -> dict[str, dict[str, Any]]:
    return {one.pop("code"): one for one in json.loads(kentongan("agencies", "list", "--json")[1])}


def secret_of(database: Engine, code: str) -> str | None:
    with database.connect() as connection:
        return connection.scalar(select(Agency.secret).where(Agency.code == code))


def test_an_agency_without_an_address_is_listed_as_one_to_telephone(kentongan: Run) -> None:
    status, told, _ = kentongan("agencies", "list")
    [line] = [line for line in told.splitlines() if line.startswith("dinsos ")]
    assert status == 0
    assert "no address: telephone" in line
    assert listed(kentongan)["dinsos"]["address"] is None


def test_an_address_brings_a_signing_secret_that_is_printed_once(kentongan: Run, database: Engine) -> None:
    before = listed(kentongan)["dinsos"]
    status, told, _ = kentongan("agencies", "set", "dinsos", "--url", URL)
    secret = secret_of(database, "dinsos")
    lines = [row for row in audited(database, "agency") if row.which == "dinsos"]
    assert (status, told) == (0, f"{secret}\n")
    assert listed(kentongan)["dinsos"] == before | {"address": URL, "has_secret": True}
    assert {(row.field, row.after) for row in lines} == {("url", URL), ("secret", "a secret")}
    assert all("@" in row.who for row in lines)
    assert kentongan("agencies", "set", "dinsos", "--phone", "+62 555 0199", "--inactive") == (
        0, "agency dinsos is at version 3\n", "")
    assert kentongan("agencies", "set", "dinsos", "--url", "")[0] == 0
    assert listed(kentongan)["dinsos"] == before | {"phone": "+62 555 0199", "has_secret": True, "active": False}
    assert secret_of(database, "dinsos") == secret


def test_an_agency_that_is_not_there_is_made_if_it_has_a_name(kentongan: Run, database: Engine) -> None:
    status, told, said = kentongan("agencies", "set", "water-works", "--name", "PDAM", "--phone", "+62 555 0198")
    assert (status, told) == (0, f"{secret_of(database, 'water-works')}\n")
    assert said.startswith("agency water-works is made.")
    assert listed(kentongan)["water-works"] == {
        "name": "PDAM", "address": None, "phone": "+62 555 0198", "has_secret": True, "active": True}


@pytest.mark.parametrize(("words", "said"), [
    (("fbi",), "code: there is no such agency; give it a name to make it. There are: ambulans118, bpbd, "),
    (("Not A Code", "--name", "x"), "code: a code is 1 to 32 small letters"),
    (("dinsos", "--name", " "), "name: it may not be empty"), (("dinsos", "--name", ""), "name: "),
    (("dinsos", "--url", "ftp://example.test"), "url: an agency's address begins with https://"),
    (("dinsos", "--secret", "short"), "secret: a signing secret is whsec_")])
def test_what_cannot_be_is_refused_in_words(kentongan: Run, words: tuple[str, ...], said: str) -> None:
    before = listed(kentongan)
    status, told, complaint = kentongan("agencies", "set", *words)
    assert (status, told) == (1, "")
    assert complaint.startswith(said)
    assert listed(kentongan) == before
