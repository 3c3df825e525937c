"""`kentongan demo`, as a newcomer starts it: the whole story with its proof, on both databases; nothing is left."""
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kentongan.settings import CHECKOUT
from kentongan.stage import free_ports

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(180)]


@pytest.fixture
def data() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="kt-"))
    if (built := CHECKOUT / "var/prompts").exists():
        shutil.copytree(built, folder / "prompts")
    yield folder
    shutil.rmtree(folder)


def test_the_demo_tells_the_whole_story_and_leaves_nothing_running(data: Path, empty_database_url: str) -> None:
    settings = {"data": data, "database_url": empty_database_url, **free_ports()}
    demo = subprocess.run(
        [sys.executable, "-m", "kentongan.cli", "demo"], cwd=CHECKOUT, capture_output=True, text=True,
        env=os.environ | {f"KENTONGAN_{name.upper()}": str(value) for name, value in settings.items()})
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert demo.stdout.count("✓") == 8
    assert [path.name for path in data.iterdir()] == ["prompts"]
    running = subprocess.run(["pgrep", "-f", str(data)], capture_output=True, text=True)
    assert running.stdout == ""


def test_a_day_in_minutes_leaves_figures_that_add_up_counted_twice(data: Path) -> None:
    settings = {"data": data, **free_ports()}
    demo = subprocess.run(
        [sys.executable, "-m", "kentongan.cli", "demo", "--day", "--callers", "24"], cwd=CHECKOUT,
        capture_output=True, text=True,
        env=os.environ | {f"KENTONGAN_{name.upper()}": str(value) for name, value in settings.items()})
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert demo.stdout.count("✓") == 14
    assert "calls         24:" in demo.stdout
    assert (data / "day/kentongan.db").exists()         # what desks and reports are built against
    running = subprocess.run(["pgrep", "-f", str(data)], capture_output=True, text=True)
    assert running.stdout == ""
