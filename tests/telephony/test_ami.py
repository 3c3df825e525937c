"""The second line to Asterisk, on a real one: states of phones, queue log, database, coming back."""
import asyncio
import contextlib
import logging
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from time import monotonic
from typing import Any

import pytest

from telephony.ami import Ami, AmiError
from telephony.ari_operations import BadCredentials

pytestmark = pytest.mark.asterisk


class Watch:
    """An `Ami` that keeps what it hears, and lets a test wait for it."""

    def __init__(self, asterisk: Any, secret: str = "secret") -> None:
        self.devices: list[tuple[str, str]] = []
        self.ups = 0
        self._news = asyncio.Event()
        self.ami = Ami("127.0.0.1", asterisk.ami, "kt", secret, self._device, self._up)

    def _device(self, device: str, state: str) -> None:
        self.devices.append((device, state))
        self._news.set()

    async def _up(self) -> None:
        self.ups += 1
        self._news.set()

    async def until(self, true: Callable[[], bool], within: float = 5) -> None:
        async with asyncio.timeout(within):
            while not true():
                self._news.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await self._news.wait()


@asynccontextmanager
async def running(watch: Watch) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(watch.ami.run())
    try:
        await watch.until(lambda: watch.ups > 0)
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def watch(asterisk: Any) -> AsyncIterator[Watch]:
    watch = Watch(asterisk)
    async with running(watch):
        yield watch


def register(asterisk: Any, name: str, expires: int) -> None:
    """A phone without a password registers, or leaves with `expires` 0."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.settimeout(5)
        phone.connect(("127.0.0.1", asterisk.sip))
        at = f"127.0.0.1:{phone.getsockname()[1]}"
        phone.send("\r\n".join([
            f"REGISTER sip:127.0.0.1:{asterisk.sip} SIP/2.0",
            f"Via: SIP/2.0/UDP {at};branch=z9hG4bK{expires};rport",
            f"From: <sip:{name}@127.0.0.1>;tag=1", f"To: <sip:{name}@127.0.0.1>", f"Call-ID: {at}",
            f"CSeq: {expires + 1} REGISTER", f"Contact: <sip:{name}@127.0.0.1:5999>", f"Expires: {expires}",
            "Max-Forwards: 70", "Content-Length: 0", "", "",
        ]).encode())
        assert b" 200 " in phone.recv(4096)


async def test_the_present_states_are_told_before_we_are_up(watch: Watch) -> None:
    assert watch.ami.connected
    assert sorted(watch.devices) == [("PJSIP/op01", "UNAVAILABLE"), ("PJSIP/op02", "UNAVAILABLE")]


async def test_a_phone_that_registers_and_leaves_is_seen(watch: Watch, asterisk: Any) -> None:
    await asyncio.to_thread(register, asterisk, "op02", 300)
    await watch.until(lambda: ("PJSIP/op02", "NOT_INUSE") in watch.devices)
    late = Watch(asterisk)
    async with running(late):
        assert ("PJSIP/op02", "NOT_INUSE") in late.devices
        await asyncio.to_thread(register, asterisk, "op02", 0)
        await late.until(lambda: late.devices[-1] == ("PJSIP/op02", "UNAVAILABLE"))
    await watch.until(lambda: watch.devices[-1] == ("PJSIP/op02", "UNAVAILABLE"))


async def test_no_call_of_anybody_else_is_told(watch: Watch, asterisk: Any) -> None:
    before = list(watch.devices)
    await asyncio.to_thread(asterisk.cli, "channel originate Local/s@far extension s@far")
    await asyncio.to_thread(asterisk.cli, "channel request hangup all")
    await watch.ami.db_put("kentongan", "x", "1")        # an answer comes after what came before
    assert watch.devices == before


async def test_queue_log_lines_have_the_usual_format(watch: Watch, asterisk: Any) -> None:
    await watch.ami.queue_log("112", "1763800000.12", "op01", "CONNECT", "3|1763800000.12|1")
    await watch.ami.queue_log("112", "NONE", "op01", "PAUSE")
    lines = (asterisk.home / "log/queue_log").read_text().splitlines()
    assert [line.split("|", 1)[1] for line in lines[-2:]] == [
        "1763800000.12|112|op01|CONNECT|3|1763800000.12|1", "NONE|112|op01|PAUSE|",
    ]


async def test_asterisks_own_database_keeps_what_it_is_told(watch: Watch, asterisk: Any) -> None:
    await watch.ami.db_put("kentongan", "onduty", "PJSIP/op01&PJSIP/op02")
    assert "PJSIP/op01&PJSIP/op02" in await asyncio.to_thread(asterisk.cli, "database get kentongan onduty")
    await watch.ami.db_del("kentongan", "onduty")
    await watch.ami.db_del("kentongan", "onduty")
    assert "not found" in await asyncio.to_thread(asterisk.cli, "database get kentongan onduty")


async def test_a_family_of_its_database_is_read_whole(watch: Watch) -> None:
    assert await watch.ami.db_tree("untold") == {}
    for key in ("1795370342.0", "1795370343.1"):
        await watch.ami.db_put("untold", key, "a/b//c")
    assert await watch.ami.db_tree("untold") == {"1795370342.0": "a/b//c", "1795370343.1": "a/b//c"}
    await watch.ami.db_del("untold", "1795370342.0")
    assert await watch.ami.db_tree("untold") == {"1795370343.1": "a/b//c"}


async def test_a_value_cannot_smuggle_in_another_action(watch: Watch, asterisk: Any) -> None:
    await watch.ami.db_put(
        "kentongan", "odd", "a\r\nVal: b\r\n\r\nAction: DBPut\r\nFamily: x\r\nKey: y\r\nVal: z"
    )
    assert "Value: a  Val: b" in await asyncio.to_thread(asterisk.cli, "database get kentongan odd")
    assert "not found" in await asyncio.to_thread(asterisk.cli, "database get x y")
    await watch.ami.db_del("kentongan", "odd")


async def test_a_refusal_says_which_action_and_why(watch: Watch) -> None:
    with pytest.raises(AmiError, match="DBPut: Asterisk says: No family specified"):
        await watch.ami.db_put("", "onduty", "")
    assert watch.ami.connected


async def test_a_fault_in_handling_one_phones_news_does_not_end_the_line(asterisk: Any, caplog: Any) -> None:
    watch = Watch(asterisk)
    watch.devices = None
    async with running(watch):
        assert watch.ami.connected
    assert "AMI: handling a new state of PJSIP/op01 failed" in caplog.text


async def test_a_wrong_secret_says_what_to_mend_and_is_never_logged(asterisk: Any, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    async with asyncio.timeout(5):
        with pytest.raises(BadCredentials, match=r"user 'kt'.*manager\.conf.*manager reload"):
            await Watch(asterisk, "not-the-secret").ami.run()
    assert "not-the-secret" not in caplog.text


async def test_without_a_connection_actions_fail_at_once(asterisk: Any) -> None:
    with pytest.raises(AmiError, match="DBPut: not connected"):
        await Watch(asterisk).ami.db_put("kentongan", "onduty", "")


async def test_after_asterisk_was_killed_and_restarted_the_states_are_told_anew(own_asterisk: Any) -> None:
    watch = Watch(own_asterisk)
    async with running(watch):
        await asyncio.to_thread(register, own_asterisk, "op02", 300)
        await watch.until(lambda: ("PJSIP/op02", "NOT_INUSE") in watch.devices)
        own_asterisk.kill()
        await watch.until(lambda: not watch.ami.connected)
        with pytest.raises(AmiError):
            await watch.ami.db_put("kentongan", "x", "1")
        watch.devices.clear()
        with closing(sqlite3.connect(own_asterisk.home / "lib/astdb.sqlite3")) as remembered, remembered:
            remembered.execute("DELETE FROM astdb WHERE key LIKE '/registrar/contact/%'")  # while nobody looks
        await asyncio.to_thread(own_asterisk.start)
        await watch.until(lambda: watch.ups == 2)
        assert sorted(watch.devices) == [("PJSIP/op01", "UNAVAILABLE"), ("PJSIP/op02", "UNAVAILABLE")]
        await watch.ami.db_put("kentongan", "x", "1")


async def test_a_frozen_asterisk_is_seen_within_five_seconds(own_asterisk: Any) -> None:
    watch = Watch(own_asterisk)
    async with running(watch):
        own_asterisk.freeze()
        frozen = monotonic()
        with pytest.raises(AmiError, match=r"within 2|lost"):
            await watch.ami.db_put("kentongan", "x", "1")
        await watch.until(lambda: not watch.ami.connected)
        assert monotonic() - frozen < 5
        own_asterisk.thaw()
        await watch.until(lambda: watch.ups == 2)
