"""What is heard, and what the recording keeps: the caller speaks one tone all the time, the operator another."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from kentongan.rtp import RATE
from tests import ear
from tests.stories.house import FIRST_DIGIT, SPOKEN_FOR
from tests.stories.real_house import CALLER, MUSIC, OPERATOR, PROMPT, Exchange, RealHouse, running_exchange

pytestmark = pytest.mark.asterisk

#: No voice may be missing for longer (s).
LONGEST_GAP = 0.1


@pytest.fixture(scope="module")
def exchange() -> Iterator[Exchange]:
    """Of its own: the archivist works off what other stories have left, and that makes voices stutter."""
    with running_exchange() as exchange:
        yield exchange


async def written(house: RealHouse, known: set[Path]) -> tuple[Path, bytes]:
    """The raw recording of the call that has just ended, as soon as Asterisk has closed it."""
    await house.is_empty()
    async with asyncio.timeout(10):
        while not (fresh := raws(house) - known):
            await asyncio.sleep(0.05)
        [raw] = fresh
        before = -1
        while raw.stat().st_size != before:
            before = raw.stat().st_size
            await asyncio.sleep(0.3)
    return raw, raw.read_bytes()


def raws(house: RealHouse) -> set[Path]:
    return set((house.exchange.settings.data / "spool").glob("*.raw"))


def length(stretches: list[ear.Stretch]) -> float:
    return sum(until - since for since, until in stretches)


def longest(gaps: list[ear.Stretch]) -> float:
    return max((until - since for since, until in gaps), default=0.0)


async def test_both_voices_are_heard_and_recorded_each_in_its_own_channel(real_house: RealHouse) -> None:
    house, known = real_house, raws(real_house)
    operator = await house.phone("op01")
    house.acd.pause("op01", "not yet")
    caller = await house.dials()
    await house.until(caller, "queued")
    await asyncio.sleep(2.5)  # "you are number one", and music
    house.acd.ready("op01")
    talking = await house.until(caller, "talking")
    await asyncio.sleep(2)
    await operator.hangs_up()
    await caller.ended()
    ended = await house.until(caller, "ended")
    talked_for, arrived = (ended.at - talking.at).total_seconds(), (await house.until(caller, "menu")).at
    lasted = (ended.at - arrived).total_seconds()
    raw, pcm = await written(house, known)
    assert raw.name == f"{caller.call_id}.raw"
    left, right = ear.channels(pcm)

    said = ear.tones(left, RATE, CALLER.hz)
    assert longest(ear.gaps(left, RATE, CALLER.hz)) <= LONGEST_GAP, said
    assert lasted - 0.3 < said[-1][1] - said[0][0] < lasted + 0.3
    assert ear.tones(left, RATE, OPERATOR.hz) == []

    answered = ear.tones(right, RATE, OPERATOR.hz)
    assert longest(ear.gaps(right, RATE, OPERATOR.hz)) <= LONGEST_GAP, answered
    assert talked_for - 0.4 < length(answered) < talked_for + 0.3
    spoken = [stretch for stretch in ear.tones(right, RATE, PROMPT.hz) if stretch[1] < SPOKEN_FOR + FIRST_DIGIT]
    assert length(spoken) > SPOKEN_FOR - 0.2
    assert length(ear.tones(right, RATE, MUSIC.hz)) > 1
    assert ear.tones(right, RATE, CALLER.hz) == []

    heard = ear.samples(caller.sip.heard())
    assert length(ear.tones(heard, RATE, OPERATOR.hz)) > talked_for - 0.4
    assert longest(ear.gaps(heard, RATE, OPERATOR.hz)) <= LONGEST_GAP
    heard = ear.samples(operator.sip.calls[0].heard())
    assert length(ear.tones(heard, RATE, CALLER.hz)) > talked_for - 0.4
    assert longest(ear.gaps(heard, RATE, CALLER.hz)) <= LONGEST_GAP


async def test_the_archive_keeps_what_was_said(real_house: RealHouse) -> None:
    house = real_house
    operator = await house.phone("op01")
    caller = await house.dials(keys="1")
    talking = await house.until(caller, "talking")
    await asyncio.sleep(1.5)
    await operator.hangs_up()
    ended = await house.until(caller, "ended")
    archive = house.exchange.settings.data / "recordings"
    [ogg] = await house.comes(lambda: list(archive.rglob(f"{caller.call_id}.ogg")) or None, "archive", within=30)
    decoder = await asyncio.create_subprocess_exec(
        "ffmpeg", "-v", "error", "-i", str(ogg), "-f", "s16le", "-ar", str(RATE), "-", stdout=asyncio.subprocess.PIPE
    )
    pcm, _ = await decoder.communicate()
    left, right = ear.channels(pcm)
    talked_for = (ended.at - talking.at).total_seconds()
    assert length(ear.tones(left, RATE, CALLER.hz)) > talked_for
    assert talked_for - 0.5 < length(ear.tones(right, RATE, OPERATOR.hz)) < talked_for + 0.5
    assert (await house.over(caller)).recordings[0][1] in ("waiting", "archived")
    await house.comes(lambda: house.recording_of(caller) == "archived" or None, "row of the archive")


async def test_without_the_service_the_phones_on_duty_ring_and_both_voices_are_recorded(real_house: RealHouse) -> None:
    house, known = real_house, raws(real_house)
    operator = await house.phone("op01")
    await house.stops()
    caller = await house.dials(claimed=False)
    await operator.picked_up()
    await asyncio.sleep(1.5)
    await operator.hangs_up()
    await caller.ended()
    _, pcm = await written(house, known)
    left, right = ear.channels(pcm)
    assert length(ear.tones(left, RATE, CALLER.hz)) > 1.5
    assert longest(ear.gaps(left, RATE, CALLER.hz)) <= LONGEST_GAP
    assert length(ear.tones(right, RATE, OPERATOR.hz)) > 1.2
    assert length(ear.tones(ear.samples(caller.sip.heard()), RATE, OPERATOR.hz)) > 1.2


async def test_a_phone_that_vanished_leaves_no_hole_in_what_the_caller_said(real_house: RealHouse) -> None:
    house, known = real_house, raws(real_house)
    lost = await house.phone("op01")
    caller = await house.dials(keys="1")
    await house.until(caller, "talking")
    await house.phone("op02")
    await lost.vanishes()
    await house.until(caller, "talking", nth=2)
    await asyncio.sleep(2)
    await caller.hangs_up()
    _, pcm = await written(house, known)
    left, right = ear.channels(pcm)
    after_the_key = [gap for gap in ear.gaps(left, RATE, CALLER.hz) if gap[0] > 1]
    assert longest(after_the_key) <= LONGEST_GAP
    assert length(ear.tones(right, RATE, OPERATOR.hz)) > 1.5


async def test_hanging_up_in_the_very_moment_of_the_call_leaves_a_record(real_house: RealHouse) -> None:
    house, known = real_house, raws(real_house)
    for _ in range(10):
        caller = await house.dials(claimed=False)
        await caller.hangs_up()
    await house.is_empty()
    ids = {raw.stem for raw in raws(house) - known}  # who gave up before the dialplan's first lines has none
    over = {"ended", "way out"}
    await house.comes(lambda: ids <= {n.call_id for n in house.notes if n.kind in over} or None, "end of each call")
    await house.is_in_order()
    await house.settled()
    assert {house.outcome_of(call_id) for call_id in ids} <= {"abandoned", "handed back"}
