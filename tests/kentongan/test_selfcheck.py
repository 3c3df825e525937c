"""Every trap of a host is named with its mend, before it costs a call."""
import socket
import threading
from pathlib import Path

import pytest

from kentongan import selfcheck
from kentongan.settings import Settings, load


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("KENTONGAN_DATA", str(tmp_path))
    return load()


def bad(settings: Settings) -> dict[str, str]:
    return {finding.what: f"{finding.says} {finding.mend}" for finding in selfcheck.findings(settings) if finding.bad}


def test_a_host_name_that_does_not_resolve_is_named_with_its_mend(settings, monkeypatch):
    def unknown(*_: object) -> None:
        raise socket.gaierror("unknown")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "/etc/hosts" in bad(settings)["host name"]


def test_a_host_name_that_resolves_slowly_is_named_too(settings, monkeypatch):
    monkeypatch.setattr(selfcheck, "NAME_WITHIN", 0.01)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: threading.Event().wait(0.1))
    assert "stall" in bad(settings)["host name"]


def test_an_asterisk_that_is_missing_is_named_with_the_command_that_fetches_it(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(selfcheck, "find", lambda root: None)
    assert "kentongan asterisk fetch" in bad(settings)["Asterisk"]


def test_prompts_that_are_missing_are_named(settings):
    assert "kentongan prompts build" in bad(settings)["prompts"]


def test_secrets_that_others_can_read_are_named(settings, tmp_path):
    (tmp_path / "secrets.toml").write_text("")
    (tmp_path / "secrets.toml").chmod(0o644)
    assert "chmod 600" in bad(settings)["secrets"]


def test_two_doors_on_one_port_are_named(settings):
    assert "same" in bad(settings.model_copy(update={"ami_port": settings.ari_port}))["ports"]


def test_doors_open_to_the_network_without_encryption_are_named(settings):
    assert "TLS" in bad(settings.model_copy(update={"host": "0.0.0.0"}))["listening"]


def test_a_database_that_cannot_be_asked_is_a_finding_and_no_crash(settings):
    assert "could not be looked at" in bad(settings.model_copy(
        update={"database_url": "postgresql://nobody@127.0.0.1:1/nothing"}))["database"]


def test_a_path_too_long_for_asterisks_socket_is_named(settings, tmp_path):
    assert "KENTONGAN_DATA" in bad(settings.model_copy(update={"data": tmp_path / ("x" * 100)}))["data folder"]


def test_a_port_that_another_program_has_is_named_with_its_setting(settings):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert "KENTONGAN_HTTP_PORT" in bad(settings.model_copy(update={"http_port": port}))["http_port"]
