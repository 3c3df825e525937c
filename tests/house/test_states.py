"""The drawn diagrams are those of the tables."""
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_diagrams_are_drawn_from_the_tables_as_they_stand():
    drawn = runpy.run_path(str(ROOT / "tools/draw_states.py"))["page"]()
    assert (ROOT / "docs/states.md").read_text("utf-8") == drawn, "draw anew: .venv/bin/python tools/draw_states.py"
