"""docker/: what can be known of the containers without a Docker engine; docker/try.py tries them for real."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kentongan.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
DOCKERFILES = sorted(ROOT.glob("docker/*/Dockerfile"))


def lines_of(dockerfile: Path) -> list[str]:
    return dockerfile.read_text().replace("\\\n", " ").splitlines()


@pytest.mark.parametrize("name", SERVICES)
def test_nobody_inside_is_root_or_can_become_it(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] in ("10112:10112", "postgres")
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert not {"privileged", "cap_add", "devices", "pid", "ipc"} & service.keys()


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_every_image_has_a_user_and_the_base_that_is_asked_for(dockerfile: Path) -> None:
    lines = lines_of(dockerfile)
    assert [line for line in lines if line.startswith("USER")][-1] in ("USER 10112:10112", "USER postgres")
    assert {line.split()[1] for line in lines if line.startswith("FROM")} == {"${BASE}"}


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - {"configure"}))
def test_everything_that_stays_is_watched_and_started_again(name: str) -> None:
    service = SERVICES[name]
    built = ROOT / service["build"]["dockerfile"] if "build" in service else None
    assert "healthcheck" in service or (built and "HEALTHCHECK" in built.read_text())
    assert service["restart"] == "unless-stopped"


def test_the_service_can_be_restarted_without_asterisk() -> None:
    assert not {"service", "postgres"} & SERVICES["asterisk"]["depends_on"].keys()
    assert SERVICES["asterisk"]["network_mode"] == SERVICES["service"]["network_mode"] == "host"


def test_the_database_is_reached_by_its_socket_alone() -> None:
    assert SERVICES["postgres"]["network_mode"] == "none"
    assert not any("ports" in service for service in SERVICES.values())


def test_every_setting_that_is_passed_on_exists() -> None:
    passed = {name.removeprefix("KENTONGAN_").lower() for name in SERVICES["service"]["environment"]}
    assert passed <= Settings.model_fields.keys()
    fixed = re.findall(r"KENTONGAN_([A-Z_]+)=", (ROOT / "docker/service/Dockerfile").read_text())
    assert {name.lower() for name in fixed} <= Settings.model_fields.keys()


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_what_is_copied_is_in_the_checkout_and_not_left_out(dockerfile: Path) -> None:
    left_out = set((ROOT / ".dockerignore").read_text().splitlines())
    for line in lines_of(dockerfile):
        if line.startswith("COPY") and "--from" not in line:
            *sources, _ = [word for word in line.split()[1:] if not word.startswith("--")]
            assert all((ROOT / source).exists() for source in sources)
            assert not {source.split("/")[0] for source in sources} & left_out


def test_files_that_are_run_are_executable() -> None:
    for name in ("base", "try.py", "service/healthy", "postgres/start"):
        assert (ROOT / "docker" / name).stat().st_mode & 0o111
