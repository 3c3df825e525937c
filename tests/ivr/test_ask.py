"""The menu as a caller lives through it, in virtual time: any key interrupts, no key and wrong keys lead to a human."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType

import pytest

from ivr import ask
from ivr.menu import Campaign, Choice, Menu

pytestmark = pytest.mark.looptime

PROMPT = 4.0
MENU = Menu(
    language="id", greeting="greeting", menu="menu", wrong_key="wrong_key",
    choices=MappingProxyType({"1": Choice("fire", 5), "2": Choice("medical", 7), "0": Choice("any", 5)}),
    tries=2, first_digit=3.0, between_digits=1.5,
    campaign=Campaign(False, "campaign", "5", Choice("information", 1)),
)  # fmt: skip
LONGER = replace(
    MENU, choices=MappingProxyType({"1": Choice("fire", 5), "12": Choice("police", 5), "345": Choice("medical", 5)})
)


class Caller:
    """Presses keys at given moments; knows what was heard to its end, and what was cut off."""

    def __init__(self, *keys: tuple[float, str]) -> None:
        self.heard: list[str] = []
        self._digits: asyncio.Queue[str] = asyncio.Queue()
        for at, key in keys:
            asyncio.get_running_loop().call_later(at, self._digits.put_nowait, key)

    async def play(self, prompts: Iterable[str]) -> None:
        for prompt in prompts:
            self.heard.append(f"{prompt}...")
            await asyncio.sleep(PROMPT)
            self.heard[-1] = prompt

    async def digit(self) -> str:
        return await self._digits.get()


def elapsed() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize(("key", "topic", "priority"), [("1", "fire", 5), ("2", "medical", 7), ("0", "any", 5)])
async def test_each_key_leads_to_its_topic(key: str, topic: str, priority: int) -> None:
    caller = Caller((9.0, key))
    assert await ask.choice(caller, MENU) == ask.Chosen(topic, priority, key)
    assert caller.heard == ["greeting", "menu"]
    assert elapsed() == pytest.approx(9.0, abs=0.01)


@pytest.mark.parametrize(
    ("at", "heard"), [(0.0, ["greeting..."]), (3.0, ["greeting..."]), (5.0, ["greeting", "menu..."])]
)
async def test_a_key_interrupts_whatever_is_being_said(at: float, heard: list[str]) -> None:
    caller = Caller((at, "1"))
    assert (await ask.choice(caller, MENU)).topic == "fire"
    assert caller.heard == heard
    assert elapsed() == pytest.approx(at, abs=0.01)


async def test_no_key_leads_to_any_operator_as_the_most_urgent_and_without_a_second_menu() -> None:
    caller = Caller()
    assert await ask.choice(caller, MENU) == ask.Chosen("any", 7, "")
    assert caller.heard == ["greeting", "menu"]
    assert elapsed() == pytest.approx(2 * PROMPT + MENU.first_digit, abs=0.01)


async def test_a_key_that_comes_too_late_changes_nothing() -> None:
    caller = Caller((2 * PROMPT + MENU.first_digit + 0.1, "1"))
    assert (await ask.choice(caller, MENU)).topic == "any"


async def test_a_wrong_key_is_told_so_and_the_menu_said_once_more_without_the_greeting() -> None:
    caller = Caller((1.0, "9"), (10.0, "1"))
    assert await ask.choice(caller, MENU) == ask.Chosen("fire", 5, "91")
    assert caller.heard == ["greeting...", "wrong_key", "menu"]


async def test_wrong_keys_twice_lead_to_any_operator() -> None:
    caller = Caller((1.0, "9"), (2.0, "*"))
    assert await ask.choice(caller, MENU) == ask.Chosen("any", 7, "9*")
    assert caller.heard == ["greeting...", "wrong_key..."]


async def test_a_wrong_key_and_then_none_leads_to_any_operator() -> None:
    caller = Caller((1.0, "9"))
    assert await ask.choice(caller, MENU) == ask.Chosen("any", 7, "9")
    assert elapsed() == pytest.approx(1.0 + 2 * PROMPT + MENU.first_digit, abs=0.01)


async def test_only_as_many_tries_as_the_menu_says() -> None:
    caller = Caller((1.0, "9"), (2.0, "1"))
    assert await ask.choice(caller, replace(MENU, tries=1)) == ask.Chosen("any", 7, "9")


async def test_keys_pressed_ahead_wait_in_order() -> None:
    caller = Caller((0.0, "9"), (0.0, "2"), (0.0, "1"))
    assert await ask.choice(caller, MENU) == ask.Chosen("medical", 7, "92")


async def test_the_campaign_is_said_after_the_menu_and_its_key_counts() -> None:
    on = replace(MENU, campaign=replace(MENU.campaign, on=True),
                 choices=MappingProxyType({**MENU.choices, "5": MENU.campaign.choice}))  # fmt: skip
    caller = Caller((13.0, "5"))
    assert await ask.choice(caller, on) == ask.Chosen("information", 1, "5")
    assert caller.heard == ["greeting", "menu", "campaign"]


LONG_KEYS = [
    ("the longer choice", [(1.0, "1"), (2.0, "2")], "police", "12", 2.0),
    ("the shorter one when nothing follows", [(1.0, "1")], "fire", "1", 1.0 + 1.5),
    ("the shorter one when it follows too late", [(1.0, "1"), (2.6, "2")], "fire", "1", 1.0 + 1.5),
    ("each digit has its own time", [(1.0, "3"), (2.4, "4"), (3.8, "5")], "medical", "345", 3.8),
]


@pytest.mark.parametrize(
    ("keys", "topic", "pressed", "after"), [row[1:] for row in LONG_KEYS], ids=[row[0] for row in LONG_KEYS]
)
async def test_choices_of_several_digits(keys: list[tuple[float, str]], topic: str, pressed: str, after: float) -> None:
    chosen = await ask.choice(Caller(*keys), LONGER)
    assert (chosen.topic, chosen.pressed) == (topic, pressed)
    assert elapsed() == pytest.approx(after, abs=0.01)


async def test_an_unfinished_choice_is_a_wrong_key() -> None:
    caller = Caller((1.0, "3"), (1.5, "4"), (6.0, "1"))
    assert await ask.choice(caller, LONGER) == ask.Chosen("fire", 5, "341")
    assert "wrong_key" in caller.heard[1]


async def test_a_prompt_that_cannot_be_played_is_a_fault_that_is_not_hidden() -> None:
    class Broken(Caller):
        async def play(self, prompts: Iterable[str]) -> None:
            raise RuntimeError("500")

    with pytest.raises(RuntimeError, match="500"):
        await ask.choice(Broken(), MENU)


@pytest.mark.parametrize("at", [0.0, 3.0, 8.5])
async def test_whoever_hangs_up_is_not_asked_any_further(at: float) -> None:
    caller = Caller()
    asking = asyncio.create_task(ask.choice(caller, MENU))
    await asyncio.sleep(at)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    heard = list(caller.heard)
    await asyncio.sleep(60)
    assert caller.heard == heard
