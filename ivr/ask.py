"""ivr: plays the menu and listens. It never ends a call: silence and wrong keys lead to any operator."""
import asyncio
from dataclasses import dataclass

from ivr.menu import Answer, Choice, Menu, match
from telephony.leg import Leg
from telephony.tasks import beside


@dataclass(frozen=True)
class Chosen:
    """What a caller chose, and the keys that said it."""

    topic: str
    priority: int
    pressed: str


async def choice(caller: Leg, menu: Menu) -> Chosen:
    """Greeting and menu, at most `menu.tries` times; any key interrupts them."""
    prompts, pressed = menu.prompts(), ""
    for _ in range(menu.tries):
        digits, answer = await _one_try(caller, menu, prompts)
        pressed += digits
        if isinstance(answer, Choice):
            return Chosen(answer.topic, answer.priority, pressed)
        if not digits:                                      # no key: no second menu, a human
            break
        prompts = [menu.wrong_key, *menu.prompts()[1:]]
    return Chosen("any", max(choice.priority for choice in menu.choices.values()), pressed)    # as the most urgent


async def _one_try(caller: Leg, menu: Menu, prompts: list[str]) -> tuple[str, Choice | Answer]:
    """The digits of one try and what they mean."""
    digits = await _first_digit(caller, prompts, menu.first_digit)
    answer = match(menu, digits)
    while digits and answer is Answer.INCOMPLETE:
        try:
            async with asyncio.timeout(menu.between_digits):
                digits += await caller.digit()
        except TimeoutError:
            return digits, match(menu, digits, finished=True)
        answer = match(menu, digits)
    return digits, answer


async def _first_digit(caller: Leg, prompts: list[str], patience: float) -> str:
    """The first key, pressed during the prompts or within `patience` seconds after them; "" for none."""
    async with beside(caller.digit()) as key:
        async with beside(caller.play(prompts)) as speaking:
            await asyncio.wait({speaking, key}, return_when=asyncio.FIRST_COMPLETED)
        if not key.done():
            await asyncio.wait({key}, timeout=patience)
        return key.result() if key.done() else ""
