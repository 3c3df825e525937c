"""House rules that linters cannot see: deciding files are pure, SQL has its room, rooms say what they are.

Who may import whom is import-linter's business (pyproject.toml). This file reads the source as a tree:
nothing runs, and it takes a moment.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("kentongan", "web", "calls", "ivr", "routing", "tickets", "recordings", "people", "telephony", "db")

#: Files that decide: values in, values out. A file that marks its docstring with ◆ is held to the same rules.
DECIDING = (
    "calls/callbacks.py",
    "calls/invariants.py",
    "calls/reckoning.py",
    "calls/silence.py",
    "calls/stages.py",
    "ivr/menu.py",
    "routing/operators.py",
    "routing/overflow.py",
    "routing/policy.py",
    "routing/pranks.py",
    "telephony/cel.py",
    "telephony/events.py",
    "telephony/numbers.py",
    "tickets/forwarding.py",
    "tickets/lifecycle.py",
    "tickets/verification.py",
)
#: Modules a deciding file has no business with: clocks, chance, the event loop, databases, networks.
IMPURE = {
    "aiohttp", "aiosqlite", "asyncio", "panoramisk", "psycopg", "random", "secrets", "socket", "sqlalchemy",
    "sqlite3", "subprocess", "threading", "time", "uuid",
}  # fmt: skip
#: Attributes that read a clock whatever the object is called.
CLOCKS = {"now", "utcnow", "today"}
#: Of SQLAlchemy, what files outside the database's rooms may name: handles they pass on, errors they survive.
HANDLES = {
    "AsyncConnection", "AsyncEngine", "AsyncSession", "Connection", "Engine", "SQLAlchemyError", "Session",
    "async_sessionmaker", "sessionmaker",
}  # fmt: skip


def sources() -> list[Path]:
    return sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Every import as (module, name); the name is empty where the whole module is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def impurities(tree: ast.Module) -> list[str]:
    """What a deciding file must not hold, each with its line."""
    found = [f"imports {module}" for module, _ in imports(tree) if module.split(".")[0] in IMPURE]
    for node in ast.walk(tree):
        match node:
            case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
                found.append(f"line {node.lineno}: awaits")
            case ast.Call(func=ast.Attribute(attr=attr)) if attr in CLOCKS:
                found.append(f"line {node.lineno}: reads a clock with {attr}()")
            case ast.Call(func=ast.Name(id="open")):
                found.append(f"line {node.lineno}: opens a file")
    return found


def deciding() -> list[Path]:
    marked = {path for path in sources() if "◆" in (ast.get_docstring(tree_of(path)) or "")}
    return sorted(marked | {ROOT / name for name in DECIDING})


@pytest.mark.parametrize("path", deciding(), ids=name_of)
def test_a_deciding_file_exists_and_is_pure(path: Path) -> None:
    assert path.exists(), f"{name_of(path)} is listed as deciding; move the entry if the file moved"
    assert impurities(tree_of(path)) == []


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("import time", "imports time"),
        ("from asyncio import sleep", "imports asyncio"),
        ("from sqlalchemy.orm import Session", "imports sqlalchemy.orm"),
        ("import random", "imports random"),
        ("async def f(): ...", "line 1: awaits"),
        ("import datetime\nx = datetime.datetime.now(datetime.UTC)", "line 2: reads a clock with now()"),
        ("from datetime import date\nx = date.today()", "line 2: reads a clock with today()"),
        ("x = open('menu.toml')", "line 1: opens a file"),
    ],
)
def test_each_impurity_is_seen(source: str, complaint: str) -> None:
    assert impurities(ast.parse(source)) == [complaint]


def test_an_argument_called_now_is_no_clock() -> None:
    assert impurities(ast.parse("def due(now: datetime, at: datetime) -> bool: return now > at")) == []


def test_only_the_database_room_and_stores_hold_sql() -> None:
    offenders = [
        f"{name_of(path)} imports {module}.{name}"
        for path in sources()
        if not path.name.endswith("store.py") and path.relative_to(ROOT).parts[0] != "db"
        for module, name in imports(tree_of(path))
        if module.split(".")[0] in {"sqlalchemy", "psycopg", "aiosqlite"} and name not in HANDLES
    ]
    assert offenders == []


def test_only_telephony_speaks_to_asterisk() -> None:
    offenders = [
        f"{name_of(path)} imports {module}"
        for path in sources()
        if path.relative_to(ROOT).parts[0] != "telephony"
        for module, _ in imports(tree_of(path))
        if module.split(".")[0] == "panoramisk"
    ]
    assert offenders == []


@pytest.mark.parametrize("room", ROOMS)
def test_every_package_says_what_room_it_is(room: str) -> None:
    folders = [ROOT / room, *(path.parent for path in (ROOT / room).glob("*/**/*.py"))]
    for opening in sorted({folder / "__init__.py" for folder in folders}):
        assert opening.exists(), f"{name_of(opening)} is missing"
        assert ast.get_docstring(tree_of(opening)), f"{name_of(opening)} does not say what it is for"


def test_no_test_sleeps() -> None:
    """Who sleeps is slow when all is well and wrong on a busy machine; asyncio.sleep may be virtual."""
    offenders = [
        f"{name_of(path)}:{node.lineno}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep"
    ]
    assert offenders == []


def test_tests_have_no_packages() -> None:
    """pytest would import tests/ivr as `ivr` and hide the room of that name."""
    assert list((ROOT / "tests").rglob("__init__.py")) == []
