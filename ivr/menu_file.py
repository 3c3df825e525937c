"""ivr: the menu as the admin's file says it, checked against the prompts that there are."""
from collections.abc import Callable, Mapping
from pathlib import Path

from ivr.menu import Menu, language_of, parse

#: the menu we ship, with comments for whoever edits it
SEED = Path(__file__).parent / "menus" / "main.toml"


def shipped() -> Menu:
    """In force whatever prompts there are: callers always have a menu."""
    return parse(SEED.read_text("utf-8"), str(SEED), None)


def reader(prompts_for: Callable[[str], Mapping[str, float]]) -> Callable[[str, str], Menu]:
    """What reads a file's text (and its name, for errors). `prompts_for(language)`: seconds by name of the prompts that
    are built. The reader raises MenuError."""
    return lambda text, where: parse(text, where, prompts_for(language_of(text, where)))
