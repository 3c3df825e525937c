"""Cancelled, and nothing is half done."""

import asyncio

import pytest

from telephony.tasks import beside, through

pytestmark = pytest.mark.looptime


async def slow_to_stop(seconds: float) -> None:
    try:
        await asyncio.sleep(3600)
    finally:
        await asyncio.sleep(seconds)


async def test_work_beside_a_body_has_ended_when_the_block_is_left() -> None:
    async with beside(slow_to_stop(1)) as task:
        await asyncio.sleep(5)
    assert task.cancelled()
    assert asyncio.get_running_loop().time() == pytest.approx(6, abs=0.01)


async def test_what_the_work_gives_is_kept() -> None:
    async with beside(asyncio.sleep(1, "key")) as task:
        await asyncio.sleep(2)
    assert task.result() == "key"


async def test_a_fault_of_the_work_is_raised_at_the_end() -> None:
    async def fails() -> None:
        raise RuntimeError("of the work")

    with pytest.raises(RuntimeError, match="of the work"):
        async with beside(fails()):
            await asyncio.sleep(1)


@pytest.mark.parametrize("at", [0.5, 1.5, 2.5])
async def test_being_cancelled_is_never_swallowed(at: float) -> None:
    went_on = False

    async def story() -> None:
        nonlocal went_on
        async with beside(slow_to_stop(2)) as task:
            await asyncio.sleep(1)
        assert task.done()
        went_on = True

    telling = asyncio.create_task(story())
    await asyncio.sleep(at)
    telling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await telling
    assert not went_on


async def test_a_timeout_is_a_timeout_even_while_the_work_is_being_stopped() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.5), beside(slow_to_stop(1)):
            await asyncio.sleep(1)


async def test_a_request_is_carried_through_and_only_then_are_we_cancelled() -> None:
    made: list[str] = []

    async def request() -> str:
        await asyncio.sleep(1)
        made.append("bridge")
        return "bridge"

    asking = asyncio.create_task(through(request()))
    await asyncio.sleep(0.5)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert made == ["bridge"]
    assert await through(request()) == "bridge"


async def test_a_request_that_fails_after_we_were_cancelled_does_not_stand_above_that() -> None:
    async def request() -> None:
        await asyncio.sleep(1)
        raise RuntimeError("500")

    asking = asyncio.create_task(through(request()))
    await asyncio.sleep(0.5)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    with pytest.raises(RuntimeError, match="500"):
        await through(request())
