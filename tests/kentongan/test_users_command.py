"""`kentongan users …` as an admin types it: what is printed where, what is refused, what the audit tells."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tests.kentongan.conftest import Run, audited

GOOD = "kuda biru makan awan"
TOKEN = r"kt_[a-z2-7]{32}"


def in_a_shell(house: Path, *words: str, piped: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "kentongan.cli", *words], input=piped, capture_output=True, timeout=60, check=False)


def listed(kentongan: Run) -> dict[str, dict[str, object]]:
    status, out, _ = kentongan("users", "list", "--json")
    assert status == 0
    return {row["name"]: row for row in json.loads(out)}


def test_a_script_reads_the_token_alone_and_a_person_is_told_what_it_is(house: Path) -> None:
    done = in_a_shell(house, "users", "add", "ani", "--role", "admin")
    assert done.returncode == 0
    assert re.fullmatch(TOKEN + "\n", done.stdout.decode())
    assert "this once" in done.stderr.decode()
    again = in_a_shell(house, "users", "add", "ani", "--role", "admin")
    assert (again.returncode, again.stdout) == (1, b"")
    assert again.stderr.decode() == "there is a user ani already; a name is never given to somebody else\n"


def test_a_password_is_read_from_what_is_piped_in_and_never_shown(house: Path, database: Engine) -> None:
    done = in_a_shell(house, "users", "password", "op01", piped=f"{GOOD}\nmore\n".encode())
    assert (done.returncode, done.stdout) == (0, b"op01 has a new password; no door takes one yet\n")
    for piped in (b"", b"short\n", b"\xff\xfe not utf-8 at all\n"):
        refused = in_a_shell(house, "users", "password", "op01", piped=piped)
        assert (refused.returncode, refused.stdout) == (1, b"")
        assert b"a password" in refused.stderr
        assert b"Traceback" not in refused.stderr
    assert len([row for row in audited(database, "user") if (row.which, row.field) == ("op01", "password")]) == 1
    assert GOOD.encode() not in (house / "kentongan.db").read_bytes()


@pytest.mark.parametrize(("second", "status"), [(GOOD, 0), ("something else here", 1)])
def test_on_a_terminal_a_password_is_asked_twice_and_not_echoed(house: Path, second: str, status: int) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-m", "kentongan.cli", "users", "password", "op01"])
    shown = ""
    for asked, typed in (("New password: ", GOOD), ("Repeat for confirmation: ", second)):
        shown += until(terminal, asked)
        os.write(terminal, typed.encode() + b"\n")
    if status:
        shown += until(terminal, "New password: ")       # they do not match: from the start
        os.write(terminal, b"\x04")                       # an end of file: ^C may be ignored
    shown += until(terminal, None)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == status
    assert GOOD not in shown
    assert second not in shown


def until(terminal: int, words: str | None) -> str:
    """What the terminal shows up to `words`, or to the end."""
    shown = ""
    while words is None or words not in shown:
        try:
            more = os.read(terminal, 1000)
        except OSError:             # the other side has gone
            break
        if not more:
            break
        shown += more.decode()
    assert words is None or words in shown
    return shown


def test_people_are_listed_as_a_table_and_as_json(kentongan: Run) -> None:
    _, out, _ = kentongan("users", "add", "sri", "--role", "qa", "--display-name", "Sri Rahayu", "--json",
                          "--expires-days", "7")
    assert re.fullmatch(TOKEN, json.loads(out)["token"])
    _, table, _ = kentongan("users", "list")
    assert [line.split()[0] for line in table.splitlines()] == [
        "name", *(f"op{n:02}" for n in range(1, 10)), "sri"]
    assert "Sri Rahayu" in table
    assert listed(kentongan)["sri"] == {
        "name": "sri", "display_name": "Sri Rahayu", "role": "qa", "agency": None, "skills": None, "active": True,
        "tokens": 1, "password": False}


def test_a_new_operator_is_on_the_list_of_phones(kentongan: Run) -> None:
    status, _, _ = kentongan("users", "add", "op10", "--role", "operator", "--skills", "fire, medical")
    assert status == 0
    assert listed(kentongan)["op10"]["skills"] == ["fire", "medical"]
    _, phones, _ = kentongan("phones", "--json")
    assert [phone["skills"] for phone in json.loads(phones) if phone["user"] == "op10"] == [["fire", "medical"]]
    kentongan("users", "skills", "op10", "police")
    assert listed(kentongan)["op10"]["skills"] == ["police"]
    kentongan("users", "deactivate", "op10")
    _, phones, _ = kentongan("phones", "--json")
    assert "op10" not in [phone["user"] for phone in json.loads(phones)]


def test_a_life_with_the_service_from_first_day_to_last(kentongan: Run, database: Engine) -> None:
    _, first, _ = kentongan("users", "add", "sri", "--role", "qa")
    _, second, _ = kentongan("users", "token", "sri", "--expires-days", "30")
    assert first != second
    _, tokens, _ = kentongan("users", "tokens", "sri", "--json")
    assert [one["expires_at"] is None for one in json.loads(tokens)] == [False, True]
    assert kentongan("users", "revoke", "sri", "--id", "1", "--why", "lost")[:2] == (0, "1 tokens of sri are revoked\n")
    assert kentongan("users", "role", "sri", "supervisor", "--why", "promoted")[:2] == (0, "sri is supervisor now\n")
    assert kentongan("users", "rename", "sri", "Ibu Sri")[0] == 0
    assert kentongan("users", "deactivate", "sri", "--why", "left")[0] == 0
    assert listed(kentongan)["sri"] | {"skills": None} == {
        "name": "sri", "display_name": "Ibu Sri", "role": "supervisor", "agency": None, "skills": None,
        "active": False, "tokens": 0, "password": False}
    assert kentongan("users", "token", "sri")[0] == 1
    assert kentongan("users", "activate", "sri")[0] == 0
    told = [row for row in audited(database, "user") if row.which == "sri"]
    assert [(row.field, row.why) for row in told] == [
        ("added", None), ("token", None), ("token", None), ("token", "lost"), ("role", "promoted"),
        ("display_name", None), ("active", "left"), ("token", "left"), ("active", None)]
    assert all(re.fullmatch(r"[^@]+@[^@]+", row.who) for row in told)


@pytest.mark.parametrize(("words", "says"), [
    (("add", "Sri", "--role", "qa"), "small letters"),
    (("add", "sri", "--role", "agency"), "give its code"),
    (("add", "sri", "--role", "agency", "--agency", "nobody"), "no active agency"),
    (("add", "sri", "--role", "qa", "--agency", "damkar"), "only the role agency"),
    (("add", "sri", "--role", "operator", "--skills", "fire,cooking"), "cooking: skills are"),
    (("add", "sri", "--role", "operator", "--skills", "any"), "any: skills are"),
    (("add", "sri", "--role", "qa", "--skills", "fire"), "only the role operator"),
    (("add", "sri", "--role", "qa", "--expires-days", "0"), "1 to 3650 days"),
    (("add", "op01", "--role", "qa"), "already"),
    (("token", "sri"), "no user sri"), (("tokens", "sri"), "no user sri"), (("revoke", "sri"), "no user sri"),
    (("revoke", "op01", "--id", "7"), "no token 7"), (("role", "sri", "qa"), "no user sri"),
    (("rename", "op01", "a\nb"), "one line"), (("deactivate", "a b"), "no user of that name"),
    (("role", "ani", "qa"), "last active admin"), (("deactivate", "ani"), "last active admin"),
])
def test_a_refusal_says_why_in_words_and_writes_nothing(
    kentongan: Run, database: Engine, words: tuple[str, ...], says: str
) -> None:
    kentongan("users", "add", "ani", "--role", "admin")
    before = everything(database)
    status, out, err = kentongan("users", *words)
    assert (status, out) == (1, "")
    assert says in err
    assert everything(database) == before


def test_a_role_that_there_is_not_is_answered_with_those_there_are(kentongan: Run) -> None:
    status, _, err = kentongan("users", "add", "sri", "--role", "boss")
    assert status == 2
    assert "supervisor" in err


def everything(database: Engine) -> list[object]:
    with database.connect() as connection:
        return [connection.execute(text(f"SELECT * FROM {table}")).all() for table in ("users", "audit", "tokens")]


def test_who_sends_operators_away_is_told_of_hours_with_nobody_on(kentongan: Run) -> None:
    assert kentongan("users", "deactivate", "op08")[2] == ""
    assert kentongan("users", "role", "op04", "qa")[2] == ""
    assert kentongan("users", "role", "op02", "operator")[2] == ""
    assert kentongan("users", "deactivate", "op06")[2] == (
        "warning: Monday 15:00–23:00 nobody is on\nwarning: Tuesday 23:00–07:00 nobody is on\n")


def test_a_password_says_which_doors_take_it(kentongan: Run) -> None:
    assert "no door takes" in " ".join(kentongan("users", "password", "--help")[1].split())
