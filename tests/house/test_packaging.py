"""What is installed is what was meant: all pinned by hash, no host named, no room left behind."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def pinned(lock: str) -> dict[str, str]:
    """Of a lock file, each package's name and what stands behind it: version, marker, hashes."""
    text = (ROOT / "requirements" / lock).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("==", 1) for line in lines)


@pytest.mark.parametrize("lock", ["run.txt", "dev.txt"])
def test_every_package_is_pinned_by_hash_and_no_host_is_named(lock: str) -> None:
    assert all("--hash=sha256:" in rest for rest in pinned(lock).values())
    assert "://" not in (ROOT / "requirements" / lock).read_text()


def test_the_lock_holds_every_dependency_of_the_project() -> None:
    named = {re.split(r"[\[<>=; ]", text)[0] for text in PROJECT["project"]["dependencies"]}
    assert named <= pinned("run.txt").keys()


def test_tests_run_on_the_versions_that_the_service_runs_on() -> None:
    assert pinned("run.txt").items() <= pinned("dev.txt").items()


def test_the_wheel_takes_every_room() -> None:
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"bench"}     # which measures from outside
    assert rooms | {"asterisk-conf"} == set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    assert rooms == set(PROJECT["tool"]["importlinter"]["root_packages"])
