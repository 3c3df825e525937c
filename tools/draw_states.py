"""Draws docs/states.md from the tables of legal steps: `.venv/bin/python tools/draw_states.py`. A test compares."""
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from calls import callbacks, stages
from routing import operators
from tickets import forwarding, lifecycle, verification

ROOT = Path(__file__).parents[1]
#: Title, table, where it stands, the state in which it begins.
TABLES: tuple[tuple[str, Mapping[Any, frozenset[Any]], str, StrEnum], ...] = (
    ("A call", stages.STEPS, "calls/stages.py", stages.ARRIVED),
    ("A call-back", callbacks.STEPS, "calls/callbacks.py", callbacks.OPEN),
    ("A desk", operators.STEPS, "routing/operators.py", operators.OUT),
    ("A ticket's lifecycle", lifecycle.STEPS, "tickets/lifecycle.py", lifecycle.DRAFT),
    ("Its verification", verification.STEPS, "tickets/verification.py", verification.OPEN),
    ("A forwarding to one agency", forwarding.STEPS, "tickets/forwarding.py", forwarding.QUEUED),
)


def page() -> str:
    """The whole page, Markdown with Mermaid diagrams."""
    parts = ["# States and their legal steps\n\nDrawn from the tables in the code by `tools/draw_states.py`; "
             "a step that is not drawn here raises and changes nothing.\n"]
    for title, steps, source, first in TABLES:
        lines = [f"    [*] --> {first}"]
        lines += [f"    {now} --> {to}" for now in steps for to in sorted(steps[now])]
        lines += [f"    {now} --> [*]" for now in steps if not steps[now]]
        drawing = "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])
        parts.append(f"## {title}\n\n[{source}](../{source})\n\n{drawing}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    (ROOT / "docs/states.md").write_text(page(), "utf-8")
