"""What the menu is and what pressed keys mean (decides; reads no file, knows no time).

A menu is written by an admin, who is no programmer: so everything doubtful in it is refused with file, line
and reason, and nothing that is refused can leave a caller without an operator.

Keys may be longer than one digit and one may begin like another (1 and 12). Whoever asks for keys calls
`match` after every digit. As long as a longer choice is possible the answer is INCOMPLETE, even if the digits
already are a choice; when no further digit came within `between_digits`, they call it once more with
`finished=True` and get the choice itself or INVALID.
"""
import enum
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

TOPICS = frozenset({"fire", "medical", "police", "disaster", "social", "information", "any"})
#: seconds that greeting and menu may last together: the caller's clock runs
SPOKEN_AT_MOST = 8.0
#: seconds that a campaign's prompt may add to that
CAMPAIGN_AT_MOST = 3.0

_KEY = re.compile(r"[0-9*#]{1,4}")
_NAME = re.compile(r"[A-Za-z0-9_-]+")


class MenuError(ValueError):
    """The menu cannot be used: str() says file, line and reason."""

    def __init__(self, source: str, line: int, reason: str) -> None:
        super().__init__(f"{source}, line {line}: {reason}")


class Answer(enum.Enum):
    """What digits mean that are no choice."""
    INCOMPLETE = enum.auto()
    INVALID = enum.auto()


@dataclass(frozen=True)
class Choice:
    """Where a key leads."""
    topic: str
    #: 0 to 9, higher is answered first
    priority: int


@dataclass(frozen=True)
class Campaign:
    """One more choice that an admin switches on and off."""
    on: bool
    #: name of the prompt played after the menu
    prompt: str
    key: str
    choice: Choice


@dataclass(frozen=True)
class Menu:
    """What a caller hears and may press."""
    #: of the prompts: "id", "en"
    language: str
    #: names of prompts
    greeting: str
    menu: str
    wrong_key: str
    #: by key; the campaign's is among them only when it is on
    choices: Mapping[str, Choice]
    #: how often the menu is played
    tries: int
    #: seconds after the prompts' end
    first_digit: float
    #: seconds between two digits
    between_digits: float
    campaign: Campaign

    def prompts(self) -> list[str]:
        """Names of the prompts that greet a caller, in their order."""
        return [self.greeting, self.menu] + ([self.campaign.prompt] if self.campaign.on else [])


def match(menu: Menu, digits: str, *, finished: bool = False) -> Choice | Answer:
    """What the digits pressed so far mean; `finished`: no further digit came in time."""
    longer = any(key != digits and key.startswith(digits) for key in menu.choices)
    if longer and not finished:
        return Answer.INCOMPLETE
    return menu.choices.get(digits, Answer.INVALID)


def language_of(text: str, source: str) -> str:
    """The language a menu is written for. Raises MenuError."""
    return _top(text, source).string("language")


def parse(text: str, source: str, prompts: Mapping[str, float] | None) -> Menu:
    """The menu that a TOML text describes. Raises MenuError.

    `prompts`: seconds by name of those that exist in the menu's language; None leaves names and lengths
    unchecked.
    `source`: the name of the file, for the error.
    """
    top = _top(text, source)
    top.knows_only("language", "greeting", "menu", "wrong_key", "tries", "first_digit", "between_digits",
                   "choices", "campaign")
    campaign = _campaign(top.table("campaign"), prompts)
    menu = Menu(
        language=top.string("language"),
        greeting=top.prompt("greeting", prompts),
        menu=top.prompt("menu", prompts),
        wrong_key=top.prompt("wrong_key", prompts),
        choices=MappingProxyType(_choices(top.table("choices"), campaign)),
        tries=top.whole("tries", 1, 3),
        first_digit=top.seconds("first_digit"),
        between_digits=top.seconds("between_digits"),
        campaign=campaign,
    )
    if prompts is not None:
        _check_lengths(top, menu, prompts)
    return menu


def _choices(table: "_Table", campaign: Campaign) -> dict[str, Choice]:
    if not table.values:
        raise table.error("", 'there is no choice: give one, like 0 = { topic = "any", priority = 5 }')
    for key in table.values:
        if not _KEY.fullmatch(key):
            raise table.error(key, f"{key!r} cannot be pressed: a key is 1 to 4 of 0-9 * #")
    choices = {key: _choice(table.table(key)) for key in table.values}
    if campaign.key in choices:
        raise table.error(campaign.key, f"key {campaign.key} is the campaign's too: choose another for one")
    return choices | ({campaign.key: campaign.choice} if campaign.on else {})


def _choice(table: "_Table", *besides: str) -> Choice:
    table.knows_only("topic", "priority", *besides)
    if (topic := table.string("topic")) not in TOPICS:
        raise table.error("topic", f"topic {topic!r} is not known; known are: {', '.join(sorted(TOPICS))}")
    return Choice(topic, table.whole("priority", 0, 9))


def _campaign(table: "_Table", prompts: Mapping[str, float] | None) -> Campaign:
    """Its prompt need not exist before it is switched on."""
    choice = _choice(table, "on", "prompt", "key")
    if not _KEY.fullmatch(key := table.string("key")):
        raise table.error("key", f"{key!r} cannot be pressed: a key is 1 to 4 of 0-9 * #")
    on = table.switch("on")
    return Campaign(on, table.prompt("prompt", prompts if on else None), key, choice)


def _check_lengths(top: "_Table", menu: Menu, prompts: Mapping[str, float]) -> None:
    if (spoken := prompts[menu.greeting] + prompts[menu.menu]) > SPOKEN_AT_MOST:
        raise top.error("menu", f"greeting and menu last {spoken:.1f} seconds together, "
                                f"{SPOKEN_AT_MOST:.0f} are allowed: shorten their words")
    if menu.campaign.on and (spoken := prompts[menu.campaign.prompt]) > CAMPAIGN_AT_MOST:
        raise top.table("campaign").error("prompt", f"the campaign's prompt lasts {spoken:.1f} seconds, "
                                                    f"{CAMPAIGN_AT_MOST:.0f} are allowed: shorten its words")


def _top(text: str, source: str) -> "_Table":
    try:
        return _Table(tomllib.loads(text), (), text, source)
    except tomllib.TOMLDecodeError as fault:
        at = re.search(r"at line (\d+)", str(fault))
        line = int(at[1]) if at else max(1, len(text.splitlines()))
        raise MenuError(source, line, f"this cannot be read: {fault}") from fault


@dataclass(frozen=True)
class _Table:
    """One section of the file: hands out its values checked, and knows the line of each."""
    values: Mapping[str, Any]
    #: names of the sections around it and its own
    path: tuple[str, ...]
    text: str
    source: str

    def error(self, key: str, reason: str) -> MenuError:
        return MenuError(self.source, _line_of(self.text, (*self.path, key)), reason)

    def knows_only(self, *known: str) -> None:
        for key in self.values:
            if key not in known:
                raise self.error(key, f"{key} is not known here; known are: {', '.join(known)}")

    def table(self, key: str) -> "_Table":
        values = self._of(key, (dict,), f"[{key}] and lines below it, or {key} = {{ … }}")
        return _Table(values, (*self.path, key), self.text, self.source)

    def string(self, key: str) -> str:
        return str(self._of(key, (str,), "a text in quotes"))

    def switch(self, key: str) -> bool:
        return bool(self._of(key, (bool,), "true or false, without quotes"))

    def whole(self, key: str, least: int, most: int) -> int:
        wanted = f"a whole number from {least} to {most}"
        if not least <= (found := self._of(key, (int,), wanted)) <= most:
            raise self.error(key, f"{key} must be {wanted}")
        return int(found)

    def seconds(self, key: str) -> float:
        wanted = "a number of seconds from 0.5 to 10"
        if not 0.5 <= (found := self._of(key, (int, float), wanted)) <= 10:
            raise self.error(key, f"{key} must be {wanted}")
        return float(found)

    def prompt(self, key: str, prompts: Mapping[str, float] | None) -> str:
        name = self.string(key)
        if not _NAME.fullmatch(name):
            raise self.error(key, f"{name!r} cannot be the name of a prompt: only letters, digits, - and _")
        if prompts is not None and name not in prompts:
            raise self.error(key, f"there is no prompt {name!r}; there are: "
                                  + (", ".join(sorted(prompts)) or "none, they are not built yet"))
        return name

    def _of(self, key: str, kinds: tuple[type, ...], wanted: str) -> Any:
        if key not in self.values:
            raise self.error(key, f"{key} is missing: it must be {wanted}")
        if type(found := self.values[key]) not in kinds:        # not isinstance: True is no number here
            raise self.error(key, f"{key} must be {wanted}")
        return found


def _line_of(text: str, path: tuple[str, ...]) -> int:
    """The line that sets `path`, or else the innermost section that would hold it; 1 if there is none."""
    section: tuple[str, ...] = ()
    best, depth = 1, 0
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[([^\]]+)\]", line):
            here = section = _keys(header[1])
        elif setting := re.match(r"\s*([^=#\s][^=]*)=", line):
            here = section + _keys(setting[1])
        else:
            continue
        if len(here) > depth and path[:len(here)] == here:
            best, depth = number, len(here)
    return best


def _keys(dotted: str) -> tuple[str, ...]:
    names = re.findall(r"""["']([^"']*)["']|([A-Za-z0-9_-]+)""", dotted)
    return tuple(quoted or bare for quoted, bare in names)
