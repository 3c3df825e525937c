"""The callers and phones of kentongan/sipp.py on a real Asterisk."""

import asyncio
import re
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kentongan.sipp import Caller, Ended, Key, Phone, SippFailed, Tone, dial, phone_registers
from tests.ear import channels, gaps, samples, tones
from tests.waiting import until

if TYPE_CHECKING:
    from tests.kentongan.conftest import Exchange

pytestmark = pytest.mark.asterisk

Dial = Callable[..., AbstractAsyncContextManager[Caller]]
Register = Callable[..., AbstractAsyncContextManager[Phone]]
SECOND = 16000  # bytes that were heard
_numbers = (f"0800555{number:03}" for number in count(1))


@pytest.fixture
def number() -> str:
    """A caller number that no other test has."""
    return next(_numbers)


@pytest.fixture
def calls(exchange: "Exchange", number: str) -> Dial:
    return partial(dial, to=exchange.sip, number=number)


@pytest.fixture
def registers(exchange: "Exchange") -> Register:
    return partial(phone_registers, password=exchange.password, at=exchange.sip, answers_after=0.1)


@pytest.fixture(autouse=True)
async def nothing_left_behind(
    exchange: "Exchange", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    """After every test: no process, no file, no thread, no registration, no channel of ours."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.chdir(tmp_path)
    yield
    assert _sipps() == []
    assert list(tmp_path.iterdir()) == []
    assert "No objects found" in await exchange.says("pjsip show contacts")
    await until(lambda: "rtp" not in {thread.name for thread in threading.enumerate()}, within=2)


def _sipps() -> list[str]:
    """The SIPp processes that this one has started."""
    children = Path("/proc/self/task").glob("*/children")
    pids = {pid for child in children for pid in child.read_text().split()}
    return [pid for pid in pids if Path(f"/proc/{pid}/comm").read_text() == "sipp\n"]


# -- sound and keys ---------------------------------------------------------------------------------------


async def test_both_hear_each_other_without_a_gap_and_the_recording_has_the_caller_on_the_left(
    exchange: "Exchange", calls: Dial, registers: Register, number: str
) -> None:
    async with registers("op01", voice=Tone(1000)) as phone, calls("op01", voice=Tone(440)) as caller:
        at_phone = await phone.picked_up()
        await until(lambda: min(len(caller.heard()), len(at_phone.heard())) > 2.1 * SECOND)
        await caller.hangs_up()
        await at_phone.ended()
    for heard, hz in ((caller.heard(), 1000), (at_phone.heard(), 440)):
        assert sum(until - since for since, until in tones(samples(heard), 8000, hz)) > 1.9
        assert gaps(samples(heard), 8000, hz) == []
    left, right = channels(exchange.recording_of(number))
    assert len(tones(left, 8000, 440)) == len(tones(right, 8000, 1000)) == 1
    assert tones(left, 8000, 1000) == tones(right, 8000, 440) == []


async def test_twenty_callers_at_once_each_press_exactly_their_five_keys(exchange: "Exchange") -> None:
    numbers = [next(_numbers) for _ in range(20)]
    keys = [Key(0.3 + 0.25 * place, digit) for place, digit in enumerate("1234#")]
    async with AsyncExitStack() as stack:
        callers = [dial("keys", to=exchange.sip, number=number, voice=Tone(440), keys=keys) for number in numbers]
        dialled = [await stack.enter_async_context(caller) for caller in callers]
        await until(lambda: not any(caller.sound._keys for caller in dialled))
        await until(lambda: all(len(exchange.keys_of(number)) >= 5 for number in numbers))
    assert [exchange.keys_of(number) for number in numbers] == ["1234#"] * 20


async def test_keys_are_pressed_at_their_time_and_leave_only_short_holes_in_the_voice(
    calls: Dial, registers: Register
) -> None:
    async with (
        registers("op01") as phone,
        calls("op01", voice=Tone(440), keys=[Key(0.5, "1"), Key(1.0, "#")]) as caller,
    ):
        at_phone = await phone.picked_up()
        await until(lambda: len(at_phone.heard()) > 1.5 * SECOND)
        await caller.hangs_up()
    holes = gaps(samples(at_phone.heard()), 8000, 440)
    assert [since for since, _ in holes] == pytest.approx([0.5, 1.0], abs=0.06)
    assert [until - since for since, until in holes] == pytest.approx([0.08, 0.08], abs=0.03)


async def test_keys_can_be_pressed_on_the_spur_of_the_moment_without_any_voice(
    exchange: "Exchange", calls: Dial, number: str
) -> None:
    async with calls("keys") as caller:
        await caller.answered()
        caller.presses("0*")
        caller.presses("9")
        await until(lambda: not caller.sound._keys)
        await until(lambda: len(exchange.keys_of(number)) >= 3)
    assert exchange.keys_of(number) == "0*9"


# -- the end of a call ------------------------------------------------------------------------------------


async def test_hanging_up_while_it_rings_sends_a_cancel(calls: Dial, registers: Register) -> None:
    async with registers("op01", answers_after=None) as phone, calls("op01") as caller:
        at_phone = await phone.rang()
        await caller.rings()
        assert await caller.hangs_up() == Ended("caller", 487, answered=False)
        assert await at_phone.ended() == Ended("caller", 487, answered=False)


async def test_hanging_up_in_a_conversation_sends_a_bye(calls: Dial, registers: Register) -> None:
    async with registers("op01") as phone, calls("op01") as caller:
        at_phone = await phone.picked_up()
        await caller.answered()
        assert await caller.hangs_up() == Ended("caller", 200, answered=True)
        assert await at_phone.ended() == Ended("caller", 200, answered=True)


async def test_hanging_up_twice_and_after_the_end_does_nothing(calls: Dial) -> None:
    async with calls("early") as caller:
        await caller.rings()
        first, second = await asyncio.gather(caller.hangs_up(), caller.hangs_up())
        assert first == second == await caller.hangs_up() == Ended("caller", 487, answered=False)


async def test_a_caller_who_hangs_up_before_the_exchange_has_said_a_word_is_cancelled(calls: Dial) -> None:
    async with calls("early") as caller:
        assert await caller.hangs_up() == Ended("caller", 487, answered=False)


async def test_leaving_the_block_hangs_up(calls: Dial) -> None:
    async with calls("keys") as caller:
        await caller.answered()
    assert await caller.ended() == Ended("caller", 200, answered=True)


async def test_a_caller_hangs_up_after_the_time_that_was_given(calls: Dial) -> None:
    async with calls("keys", hangs_up_after=0.3) as caller:
        assert await caller.ended() == Ended("caller", 200, answered=True)


async def test_a_caller_hangs_up_at_the_limit(calls: Dial) -> None:
    async with calls("early", limit=0.3) as caller:
        assert await caller.ended() == Ended("caller", 487, answered=False)


async def test_the_other_side_may_hang_up_first(calls: Dial) -> None:
    async with calls("short") as caller:
        assert await caller.ended() == Ended("callee", 200, answered=True)


@pytest.mark.parametrize(("called", "status"), [("busy", 486), ("nobody", 404)])
async def test_a_refused_call_ends_with_its_status(calls: Dial, called: str, status: int) -> None:
    async with calls(called) as caller:
        assert await caller.ended() == Ended("callee", status, answered=False)
        with pytest.raises(SippFailed, match=str(status)):
            await caller.answered()


async def test_an_answer_that_crosses_the_cancel_is_acknowledged_and_ended() -> None:
    """An exchange that says 200 to the INVITE when it hears the CANCEL."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as exchange:
        exchange.bind(("127.0.0.1", 0))
        exchange.setblocking(False)
        loop = asyncio.get_running_loop()

        async def hears(method: str) -> None:
            nonlocal told, caller_at
            async with asyncio.timeout(3):
                while not told.startswith(method):
                    data, caller_at = await loop.sock_recvfrom(exchange, 4096)
                    told = data.decode()

        async def says(status: str, about: str) -> None:
            lines = [line for line in about.split("\r\n") if re.match("(Via|From|To|Call-ID|CSeq):", line)]
            answer = "\r\n".join([f"SIP/2.0 {status}", *lines, "Content-Length: 0", "", ""])
            await loop.sock_sendto(exchange, answer.replace(":5060>", ":5060>;tag=x").encode(), caller_at)

        told, caller_at = "", None
        async with dial("112", to=exchange.getsockname()) as caller:
            await hears("INVITE")
            invite = told
            await says("180 Ringing", invite)
            hanging_up = asyncio.create_task(caller.hangs_up())
            await hears("CANCEL")
            await says("200 OK", told)
            await says("200 OK", invite)
            await hears("ACK")
            await hears("BYE")
            await says("200 OK", told)
            assert await hanging_up == Ended("caller", 200, answered=True)


async def test_no_exchange_at_all_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kentongan.sipp._PATIENCE", 0.5)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(SippFailed, match="op01: no answer to a REGISTER"):
            async with phone_registers("op01", "x", at=nobody.getsockname()):
                raise AssertionError


# -- who calls --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "Bu Siti",
        "<img src=x onerror=alert(1)>",
        '"; DROP TABLE calls; --',
        "back\\slash and [call_id] [last_From:] ]]> ${SHELL} $(id) %s %n",
        "Ünïcødé 火事 🔥",
        "x" * 500,
        "",
    ],
)
async def test_any_name_arrives_as_it_was_said(exchange: "Exchange", calls: Dial, number: str, name: str) -> None:
    async with calls("keys", name=name) as caller:
        await caller.answered()
    escaped = re.sub(r'(["\\])', r"\\\1", name)  # Asterisk leaves SIP's escapes in: so will the service see it
    assert exchange.call_of(number)[2] == escaped[:79]


def test_a_name_with_a_line_break_is_refused() -> None:
    with pytest.raises(ValueError, match="line break"):
        asyncio.run(dial("112", name="a\r\nVia: b").__aenter__())


async def test_a_caller_may_be_anonymous(exchange: "Exchange") -> None:
    async with dial("keys", to=exchange.sip, number=None) as caller:
        await caller.answered()
    assert exchange.call_of("anonymous")[2] == "Anonymous"


# -- the operator's phone ---------------------------------------------------------------------------------


async def test_a_phone_that_never_answers_rings_until_the_exchange_gives_up(
    exchange: "Exchange", calls: Dial, registers: Register, number: str
) -> None:
    async with registers("op01", answers_after=None) as phone, calls("op01") as caller:
        at_phone = await phone.rang()
        await caller.rings()
        assert await at_phone.ended() == Ended("caller", 487, answered=False)
        await caller.ended()
    assert exchange.result_of(number) == "NOANSWER"


async def test_a_phone_that_never_rings_says_nothing_but_can_still_be_cancelled(
    calls: Dial, registers: Register
) -> None:
    async with registers("op01", rings=False, answers_after=None) as phone, calls("op01") as caller:
        at_phone = await phone.rang()
        assert await at_phone.ended() == Ended("caller", 487, answered=False)
        with pytest.raises(SippFailed):
            await caller.rings()


@pytest.mark.parametrize(("status", "result"), [(486, "BUSY"), (480, "NOANSWER"), (603, "CHANUNAVAIL")])
async def test_a_phone_may_refuse(
    exchange: "Exchange", calls: Dial, registers: Register, number: str, status: int, result: str
) -> None:
    async with registers("op01", refuses=status) as phone, calls("op01") as caller:
        assert await (await phone.rang()).ended() == Ended("callee", status, answered=False)
        await caller.ended()
    assert exchange.result_of(number) == result


async def test_a_phone_hangs_up_in_a_conversation_and_while_it_rings(calls: Dial, registers: Register) -> None:
    async with registers("op01") as phone:
        async with calls("op01") as caller:
            await caller.answered()
            await phone.hangs_up()
            assert await caller.ended() == Ended("callee", 200, answered=True)
        phone.answers_after = None
        async with calls("op01") as caller:
            await caller.rings()
            await phone.hangs_up()
            assert await caller.ended() == Ended("callee", 486, answered=False)


async def test_a_phone_hangs_up_when_it_has_talked_long_enough(calls: Dial, registers: Register) -> None:
    async with registers("op01", talks_for=0.3) as phone, calls("op01") as caller:
        assert await caller.ended() == Ended("callee", 200, answered=True)
        assert await phone.calls[0].ended() == Ended("callee", 200, answered=True)


async def test_a_phone_changes_its_mind_between_calls_and_takes_two_at_once(
    calls: Dial, registers: Register, exchange: "Exchange"
) -> None:
    async with registers("op01", refuses=486) as phone:
        async with calls("op01") as caller:
            assert (await caller.ended()).status == 486
        phone.refuses = None
        async with calls("op01") as first, dial("op01", to=exchange.sip, number=next(_numbers)) as second:
            await asyncio.gather(first.answered(), second.answered())
            assert await first.hangs_up() == Ended("caller", 200, answered=True)
            assert await second.hangs_up() == Ended("caller", 200, answered=True)
        assert [(await call.ended()).status for call in phone.calls] == [486, 200, 200]


async def test_a_phone_answers_qualify_and_can_unregister_and_register_again(
    exchange: "Exchange", registers: Register
) -> None:
    async with registers("op01") as phone:
        async with asyncio.timeout(5):
            while not re.search(r"op01/.*Avail", await exchange.says("pjsip show contacts")):
                await asyncio.sleep(0.1)
        await phone.unregisters()
        assert "op01" not in await exchange.says("pjsip show contacts")
        await phone.registers()
        assert "op01" in await exchange.says("pjsip show contacts")


async def test_a_wrong_password_is_said_so(exchange: "Exchange") -> None:
    with pytest.raises(SippFailed, match="op01: REGISTER was refused with 401"):
        async with phone_registers("op01", "wrong", at=exchange.sip):
            raise AssertionError
