"""Silent calls: nobody is held up before the queue, the silent are asked while they wait, and no machine hangs up."""

import asyncio
from math import inf
from typing import Any

import pytest
from sqlalchemy import select

from calls.silence import RAISED
from db.models import Call, CallTicket, Ticket
from tests.stories.fake_house import FakeHouse
from tests.stories.house import ANSWER_FOR, SILENT_FOR, Caller, House, Voice
from tests.stories.real_house import RealHouse


async def rings(house: House, number: str, voice: Voice = Voice.SILENT) -> Caller:
    """Presses nothing: in the queue when the menu has waited for a key."""
    caller = await house.dials(number, voice=voice)
    await house.until(caller, "queued")
    return caller


def order(house: House) -> list[str | None]:
    return [waiting.call_id for waiting in house.acd.queue()]


def kinds(house: House, caller: Caller) -> list[str]:
    return [note.kind for note in house.of(caller) if note.kind in ("asked", "silent", "sign of life")]


async def drawn(house: House, caller: Caller) -> tuple[dict[str, Any] | None, str, str]:
    """What the record says of the silence, its topic, and the topic of the draft ticket."""
    await house.settled()
    with house._reads() as connection:
        of_call = select(Call.silence, Call.topic, Ticket.topic).join(CallTicket, CallTicket.call_id == Call.id)
        row = connection.execute(of_call.join(Ticket).where(Call.id == caller.call_id)).one()
        return row[0], row[1], row[2]


async def an_operator_answers(house: House, caller: Caller) -> None:
    operator = await house.phone("op01")
    await house.until(caller, "talking")
    assert await house.talks(caller)
    await operator.says_goodbye()
    assert (await house.over(caller)).outcome == "answered"


async def leaves(house: House, *callers: Caller) -> None:
    for caller in callers:
        await caller.hangs_up()
        await house.over(caller)


async def test_who_is_silent_is_asked_and_with_a_tap_comes_before_others(house: House) -> None:
    other = await rings(house, "0800555001", Voice.SPEAKS)
    silent = await rings(house, "0800555002")
    assert order(house) == [other.call_id, silent.call_id]
    asked = await house.until(silent, "asked")
    queued = await house.until(silent, "queued")
    assert SILENT_FOR - 0.1 < (asked.at - queued.at).total_seconds() < SILENT_FOR + 2
    silent.presses("2")
    sign = await house.until(silent, "sign of life")
    assert sign.facts == {"by": "key", "pressed": "2", "said": "fire", "topic": "fire", "priority": RAISED}
    assert order(house) == [silent.call_id, other.call_id]
    await an_operator_answers(house, silent)
    known, topic, ticket = await drawn(house, silent)
    assert (known, topic, ticket) == ({"asked": 1, "heard": "key", "pressed": "2", "said": "fire"}, "fire", "fire")
    await house.until(other, "talking")
    assert kinds(house, other) == []
    await leaves(house, other)
    assert await drawn(house, other) == (None, "any", "any")


async def test_who_speaks_is_not_asked_before_they_fall_silent(house: House) -> None:
    caller = await rings(house, "0800555001", Voice.SPEAKS)
    await asyncio.sleep(SILENT_FOR + 1.5)
    assert kinds(house, caller) == []
    fell_silent_at = house.now()
    caller.falls_silent()
    asked = await house.until(caller, "asked")
    assert SILENT_FOR < (asked.at - fell_silent_at).total_seconds() < SILENT_FOR + 3
    await leaves(house, caller)


@pytest.mark.looptime(idle_step=0.01, idle_timeout=0.5)
async def test_who_pressed_a_key_in_the_menu_is_never_asked(fake_house: FakeHouse) -> None:
    caller = await fake_house.dials(keys="1", voice=Voice.SILENT)
    await fake_house.until(caller, "queued")
    await asyncio.sleep(SILENT_FOR * 5)
    assert kinds(fake_house, caller) == []
    await leaves(fake_house, caller)


@pytest.mark.parametrize("voice", [Voice.SILENT, Voice.NOTHING])
async def test_who_stays_silent_is_asked_twice_keeps_their_place_and_an_operator_listens(
    house: House, voice: Voice
) -> None:
    silent = await rings(house, "0800555001", voice)
    other = await rings(house, "0800555002", Voice.SPEAKS)
    first, second = [await house.until(silent, "asked", nth) for nth in (1, 2)]
    told = await house.until(silent, "silent")
    for earlier, later in ((first, second), (second, told)):
        assert (later.at - earlier.at).total_seconds() > ANSWER_FOR
    assert order(house) == [silent.call_id, other.call_id]
    await asyncio.sleep(SILENT_FOR + 1)
    assert kinds(house, silent) == ["asked", "asked", "silent"]
    assert set(house.path(silent)) == {"arrived", "menu", "queued"}  # (nobody hung up)
    await an_operator_answers(house, silent)
    known, topic, _ = await drawn(house, silent)
    assert (known, topic) == ({"asked": 2, "heard": "nothing", "pressed": "", "said": None}, "any")
    await leaves(house, other)


async def test_a_voice_in_answer_is_a_sign_of_life_and_a_key_after_it_says_more(house: House) -> None:
    other = await rings(house, "0800555001", Voice.SPEAKS)
    silent = await rings(house, "0800555002")
    await house.until(silent, "asked")
    silent.speaks()
    sign = await house.until(silent, "sign of life")
    assert (sign.facts["by"], sign.facts["topic"]) == ("voice", "any")
    assert order(house) == [silent.call_id, other.call_id]
    silent.presses("5")
    said = await house.until(silent, "sign of life", 2)
    assert (said.facts["by"], said.facts["said"]) == ("key", "no")
    assert kinds(house, silent) == ["asked", "sign of life", "sign of life"]
    await leaves(house, silent, other)


@pytest.mark.looptime(idle_step=0.01, idle_timeout=0.5)
async def test_a_sign_that_comes_late_counts_too(fake_house: FakeHouse) -> None:
    house = fake_house
    other = await rings(house, "0800555001", Voice.SPEAKS)
    silent = await rings(house, "0800555002")
    await house.until(silent, "silent")
    silent.presses("9")
    sign = await house.until(silent, "sign of life")
    assert (sign.facts["pressed"], sign.facts["said"], sign.facts["topic"]) == ("9", None, "any")
    assert order(house) == [silent.call_id, other.call_id]
    await leaves(house, silent, other)


@pytest.mark.asterisk
async def test_a_voice_is_heard_while_a_prompt_is_played(real_house: RealHouse) -> None:
    caller = await real_house.dials(voice=Voice.SILENT)
    await real_house.until(caller, "menu")
    heard = real_house.centre.calls[caller.call_id or ""].caller.heard
    await asyncio.sleep(0.5)
    assert heard.voice_at == -inf
    caller.speaks()
    await real_house.comes(lambda: heard.voice_at == inf or None, "voice")
    caller.falls_silent()
    await real_house.comes(lambda: heard.voice_at < inf or None, "silence")
    assert real_house.path(caller) == ["arrived", "menu"]
    assert "chosen" not in [note.kind for note in real_house.of(caller)]
    await leaves(real_house, caller)


@pytest.mark.looptime(idle_step=0.01, idle_timeout=0.5)
async def test_a_desk_that_does_not_answer_lets_nobody_be_asked_anew_and_a_sign_survives_a_kill(
    fake_house: FakeHouse,
) -> None:
    house = fake_house
    await house.phone("op01", answers_after=None)
    house.acd.pause("op01", "not yet")
    other = await rings(house, "0800555001", Voice.SPEAKS)
    silent = await rings(house, "0800555002")
    await house.until(silent, "asked")
    silent.presses("1")
    sign = await house.until(silent, "sign of life")
    assert sign.facts["topic"] == "police"
    house.acd.ready("op01")
    await house.until(silent, "unanswered")
    await asyncio.sleep(SILENT_FOR * 3)
    assert kinds(house, silent) == ["asked", "sign of life"]
    house.is_killed()
    await asyncio.sleep(1)
    await house.starts_again()
    await house.until(silent, "adopted")
    await house.until(other, "adopted")
    await house.comes(lambda: len(order(house)) == 2 or None, "queue as before")
    assert order(house) == [silent.call_id, other.call_id]
    await leaves(house, silent, other)


@pytest.mark.looptime(idle_step=0.01, idle_timeout=0.5)
async def test_in_answer_to_the_question_five_is_no_and_before_it_what_it_always_was(fake_house: FakeHouse) -> None:
    house = fake_house
    await house.judged_before("+62800555905", "prank", 3)
    wolf = await house.dials("+62800555905", voice=Voice.SILENT)
    await house.until(wolf, "prank")
    await house.until(wolf, "asked")
    wolf.presses("5")
    assert (await house.until(wolf, "sign of life")).facts["said"] == "no"
    assert "prank lifted" not in [note.kind for note in house.of(wolf)]
    wolf.presses("5")
    await house.until(wolf, "prank lifted")
    await leaves(house, wolf)
