"""What a waiting caller hears, in virtual time."""

import asyncio
from collections.abc import Iterable

import pytest

from calls.comfort import SPOKEN_PLACES, comforted, spoken_place
from telephony.ari_operations import AriTimeout

pytestmark = pytest.mark.looptime

PROMPT = 2.0


class Caller:
    """Knows what was heard, and what was cut off."""

    id = "c1"

    def __init__(self, stops_for: float = 0.0) -> None:
        self.gone = False
        self.heard: list[str] = []
        self.faults: list[Exception] = []
        self.stops_for = stops_for  #: seconds that Asterisk takes to stop a prompt or the music

    async def play(self, prompts: Iterable[str]) -> None:
        if self.faults:
            raise self.faults.pop()
        for prompt in prompts:
            self.heard.append(f"{prompt}...")
            try:
                await asyncio.sleep(PROMPT)
            except asyncio.CancelledError:
                await asyncio.sleep(self.stops_for)
                raise
            self.heard[-1] = prompt

    async def music(self, on: bool) -> None:
        await asyncio.sleep(0 if on else self.stops_for)
        self.heard.append("music" if on else "silence")


async def test_welcome_place_music_and_now_and_then_the_place_again() -> None:
    caller, places = Caller(), iter([3, 2, 1])
    async with comforted(caller, "queued", lambda: [spoken_place(next(places))], every=30):
        await asyncio.sleep(PROMPT * 2 + 30 + PROMPT + 30 + 1)
    assert caller.heard == [
        "queued", "position-3", "music", "silence", "position-2", "music", "silence", "position-1...",
    ]  # fmt: skip


async def test_it_is_silent_when_the_body_ends() -> None:
    caller = Caller()
    async with comforted(caller, "queued", lambda: ["position-1"], every=30):
        await asyncio.sleep(10)
    assert caller.heard == ["queued", "position-1", "music", "silence"]
    await asyncio.sleep(60)
    assert caller.heard[-1] == "silence"


async def test_who_has_gone_needs_no_silence() -> None:
    caller = Caller()
    async with comforted(caller, "queued", lambda: ["position-1"], every=30):
        await asyncio.sleep(10)
        caller.gone = True
    assert caller.heard == ["queued", "position-1", "music"]


async def test_a_prompt_that_fails_is_tried_again_later_and_costs_nobody_their_place() -> None:
    caller = Caller()
    caller.faults.append(AriTimeout(0, "POST", "/channels/c1/play", "within 2 s"))
    async with comforted(caller, "queued", lambda: ["position-1"], every=30):
        await asyncio.sleep(35)
    assert caller.heard == ["position-1", "music", "silence"]


async def test_a_fault_of_the_body_goes_on() -> None:
    with pytest.raises(RuntimeError, match="of the body"):
        async with comforted(Caller(), "queued", lambda: ["position-1"], every=30):
            raise RuntimeError("of the body")


@pytest.mark.parametrize("during", [1.0, 10.0], ids=["a prompt", "music"])
async def test_a_hang_up_is_heard_even_while_the_music_is_being_stopped(during: float) -> None:
    caller = Caller(stops_for=1.0)
    went_on = False

    async def waits() -> None:
        nonlocal went_on
        async with comforted(caller, "queued", lambda: ["position-1"], every=30):
            await asyncio.sleep(during)
        went_on = True

    waiting = asyncio.create_task(waits())
    await asyncio.sleep(during + 0.5)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not went_on


def test_places_have_prompts_up_to_a_number_and_beyond_it_one_sentence() -> None:
    assert spoken_place(1) == "position-1"
    assert spoken_place(SPOKEN_PLACES) == f"position-{SPOKEN_PLACES}"
    assert spoken_place(SPOKEN_PLACES + 1) == "position-many"
