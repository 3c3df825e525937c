"""An operator's phone fails while it rings or in mid-talk: the caller is first again, is told, and the next one rings;
the first desk rests. (One that is not there, does not ring, or refuses: test_stories.py.)"""

import pytest

from kentongan.rtp import alaw
from routing.operators import OUT, PAUSED
from tests.stories.fake_house import FakeCaller
from tests.stories.house import OFFER_FOR, RING_WITHIN, Caller, House
from tests.stories.real_house import RealHouse


async def is_answered_next_by(house: House, name: str, first: Caller, second: Caller) -> None:
    """Whoever was there first is, and the other waits on; then both leave."""
    lost = [note for note in house.of(first) if note.kind == "desk lost"]
    again = await house.until(first, "talking", nth=len(lost) + 1)
    assert again.facts["operator"] == name
    assert await house.talks(first)
    assert house.path(second)[-1] == "queued"
    await second.hangs_up()
    await first.hangs_up()
    assert (await house.over(first)).operator == name
    await house.over(second)


async def test_a_phone_that_loses_power_while_it_rings_costs_the_caller_one_offer_and_no_place(house: House) -> None:
    """Sentence 8, while ringing."""
    lost = await house.phone("op01", answers_after=None)
    first = await house.dials("0800555001", keys="1")
    offered = await house.until(first, "offered")
    second = await house.dials("0800555002", keys="1")
    await house.until(second, "queued")
    await lost.vanishes()
    unanswered = await house.until(first, "unanswered")
    assert (unanswered.at - offered.at).total_seconds() < OFFER_FOR + RING_WITHIN
    desk = await house.until_desk("op01", PAUSED, OUT)
    assert desk.state is OUT or desk.paused_for
    await house.until(first, "queued", nth=2)
    assert [waiting.call_id for waiting in house.acd.queue()] == [first.call_id, second.call_id]
    await house.phone("op02")
    await is_answered_next_by(house, "op02", first, second)


async def test_a_phone_that_loses_power_in_mid_talk_gives_its_caller_back_to_the_head(house: House) -> None:
    """Sentence 8, in talk."""
    lost = await house.phone("op01")
    first = await house.dials("0800555001", keys="1")
    await house.until(first, "talking")
    second = await house.dials("0800555002", keys="1")
    await house.until(second, "queued")
    await lost.vanishes()
    await house.until(first, "desk lost")
    await house.until(first, "queued", nth=2)
    assert [waiting.call_id for waiting in house.acd.queue()] == [first.call_id, second.call_id]
    await house.until_desk("op01", PAUSED, OUT)
    await house.phone("op02", answers_after=0.5)
    await is_answered_next_by(house, "op02", first, second)
    if isinstance(first, FakeCaller):
        assert "reoffered" in first.channel.heard


@pytest.mark.asterisk
async def test_a_phone_that_is_unregistered_while_it_rings_is_passed_over(real_house: RealHouse) -> None:
    """Fault 14."""
    phone = await real_house.phone("op01", answers_after=None)
    caller = await real_house.dials(keys="1")
    await real_house.until(caller, "offered")
    await phone.sip.rang()
    await phone.sip.unregisters()
    await real_house.until(caller, "unanswered")
    await real_house.phone("op02")
    await real_house.until(caller, "talking")
    assert real_house.desk("op01").state in (PAUSED, OUT)
    await caller.hangs_up()
    assert (await real_house.over(caller)).operator == "op02"


@pytest.mark.asterisk
async def test_a_phone_that_answers_and_sends_no_sound_is_taken_for_lost(real_house: RealHouse) -> None:
    """Fault 14: after `rtp_timeout`."""
    mute = await real_house.phone("op01")
    mute.sip.voice = alaw(None)
    caller = await real_house.dials(keys="1")
    await real_house.until(caller, "talking")
    await real_house.until(caller, "desk lost")
    assert real_house.desk("op01").paused_for == "phone lost in mid-talk"
    await real_house.phone("op02")
    again = await real_house.until(caller, "talking", nth=2)
    assert again.facts["operator"] == "op02"
    await caller.hangs_up()
    await real_house.over(caller)
