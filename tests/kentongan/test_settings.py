"""Settings and secrets of a host: what counts, what is refused, and who may read it."""
import stat
import tomllib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from unittest.mock import ANY

import pytest

from kentongan import settings as porch
from kentongan.settings import SettingsError, load, plan, secrets_of
from telephony.asterisk import write_private


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in porch.Settings.model_fields:
        monkeypatch.delenv(f"KENTONGAN_{name.upper()}", raising=False)
    monkeypatch.setenv("KENTONGAN_DATA", str(tmp_path))


def test_nobody_has_to_set_anything(tmp_path):
    settings = load()
    assert (settings.sip_port, settings.http_port) == (5060, 8112)
    assert settings.database_url == f"sqlite:///{tmp_path}/kentongan.db"
    assert settings.public_url == "http://127.0.0.1:8112"


def test_the_file_in_the_data_folder_counts_and_the_environment_overrules_it(tmp_path, monkeypatch):
    (tmp_path / "kentongan.toml").write_text('sip_port = 5070\nhttp_port = 9000\ntrunks = ["192.0.2.7"]\n')
    monkeypatch.setenv("KENTONGAN_SIP_PORT", "5080")
    settings = load()
    assert (settings.sip_port, settings.http_port, settings.trunks) == (5080, 9000, ["192.0.2.7"])


@pytest.mark.parametrize(("line", "names"), [
    ("sip_prot = 5070", "sip_prot"), ("sip_port = 70000", "sip_port"), ('node = "Räuber"', "node"),
    ("= 3", "kentongan.toml")])
def test_a_setting_that_cannot_be_used_is_named(tmp_path, line, names):
    (tmp_path / "kentongan.toml").write_text(line + "\n")
    with pytest.raises(SettingsError, match=names):
        load()


def test_secrets_are_made_once_and_only_their_owner_can_read_them(tmp_path):
    first = secrets_of(load(), ["op01"])
    assert stat.S_IMODE((tmp_path / "secrets.toml").stat().st_mode) == 0o600
    assert secrets_of(load(), ["op01"]) == first
    assert len({first.ari, first.ami, first.links, first.api, first.phones["op01"]}) == 5


def test_a_new_operator_gets_a_password_and_the_others_keep_theirs():
    first = secrets_of(load(), ["op01"])
    second = secrets_of(load(), ["op01", "op02"])
    assert second.phones["op01"] == first.phones["op01"]
    assert len(second.phones["op02"]) > 30


def test_two_commands_at_once_give_a_new_operator_one_password(monkeypatch):
    made = porch._new
    both = Barrier(2)

    def slowly() -> str:
        """Until the other makes one, too, which it must not."""
        with suppress(BrokenBarrierError):
            both.wait(0.2)
        return made()

    monkeypatch.setattr(porch, "_new", slowly)
    with ThreadPoolExecutor() as commands:
        first, second = commands.map(lambda _: secrets_of(load(), ["op01"]), range(2))
    assert first == second == secrets_of(load(), ["op01"])


def test_of_two_that_write_a_private_file_at_once_one_stands_in_the_end(tmp_path):
    file = tmp_path / "pjsip.conf"
    texts = [letter * 100_000 for letter in "abcd"]
    with ThreadPoolExecutor(4) as writers:
        for _ in range(25):
            list(writers.map(write_private, [file] * 4, texts))
            assert file.read_text() in texts
    assert list(tmp_path.iterdir()) == [file]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_operators_whose_names_hold_dots_and_dashes_keep_their_passwords(tmp_path):
    names = ["budi", "budi.santoso", "budi.santoso.2", "op-10"]
    first = secrets_of(load(), names)
    assert secrets_of(load(), [*names, "op02"]).phones == first.phones | {"op02": ANY}
    assert tomllib.loads((tmp_path / "secrets.toml").read_text())["phones"].keys() == {*names, "op02"}


def test_a_name_with_a_dot_that_was_written_without_quotes_keeps_its_password(tmp_path):
    (tmp_path / "secrets.toml").write_text('[phones]\nop01 = "one"\nbudi.santoso = "two"\n')
    for _ in range(2):
        assert secrets_of(load(), ["op01", "budi.santoso"]).phones == {"op01": "one", "budi.santoso": "two"}


def test_secrets_that_cannot_be_read_are_told_with_what_to_do(tmp_path):
    (tmp_path / "secrets.toml").write_text('[phones]\nbudi = "one"\nbudi.santoso = "two"\n')
    with pytest.raises(SettingsError, match=r"secrets\.toml cannot be read.*remove the line"):
        secrets_of(load(), ["budi", "budi.santoso"])


def test_the_dialplan_waits_for_a_claim_as_long_as_the_settings_say():
    settings = load(claim_within=0.5, node="kentongan-b")
    made = plan(settings, secrets_of(settings, []))
    assert (made.claim_for_ms, made.claim_by) == (500, "^kentongan-b")
