"""The line to Asterisk, on a real one: what it tells, what it carries out, and how it comes back."""
import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from time import monotonic, sleep
from typing import Any

import pytest

from telephony import events
from telephony.ari import FREEZE, Ari
from telephony.ari_operations import (
    USED,
    AriError,
    AriTimeout,
    AriUnreachable,
    BadCredentials,
    Gone,
    Replaced,
)
from tests.waiting import until

pytestmark = pytest.mark.asterisk


class Line:
    """An `Ari` that keeps what it hears, and lets a test wait for it."""

    def __init__(self, asterisk: Any, app: str = "kentongan-test", password: str = "secret") -> None:
        self.asterisk = asterisk
        self.heard: list[events.Event] = []
        self.ups = self.downs = 0
        self.at_up: Callable[[], Any] | None = None
        self.at_event: Callable[[], Any] | None = None
        self._news = asyncio.Event()
        self.ari = Ari(asterisk.ari_url, "kt", password, app, self._hears, self._up, self._down)

    def _hears(self, event: events.Event) -> None:
        self.heard.append(event)
        self._news.set()
        if self.at_event is not None:
            self.at_event()

    async def _up(self) -> None:
        self.ups += 1
        self._news.set()
        if self.at_up is not None:
            await self.at_up()

    def _down(self) -> None:
        self.downs += 1
        self._news.set()

    async def until(self, true: Callable[[], bool], within: float = 5) -> None:
        async with asyncio.timeout(within):
            while not true():
                self._news.clear()
                await self._news.wait()

    async def hears(self, kind: type, channel: str | None = None) -> Any:
        """The first event of this kind, of this channel."""
        def fitting() -> list[events.Event]:
            return [
                event for event in self.heard
                if isinstance(event, kind) and channel in (None, events.channel_id(event))
            ]
        await self.until(lambda: bool(fitting()))
        return fitting()[0]

    async def call(self, exten: str = "slow") -> str:
        """Somebody dials; the channel id of the call that is broadcast."""
        before = len(self.heard)
        await asyncio.to_thread(self.asterisk.cli, f"channel originate Local/{exten}@entry extension s@far")
        def broadcast() -> list[str]:
            return [e.channel.id for e in self.heard[before:] if isinstance(e, events.CallBroadcast)]
        await self.until(lambda: bool(broadcast()))
        return broadcast()[0]

    async def seen(self, channel: str) -> events.Channel:
        """As Asterisk lists it."""
        return next(each for each in await self.ari.channels.list() if each.id == channel)

    async def claimed(self) -> str:
        """A call that is ours."""
        call = await self.call()
        assert await self.ari.events.claim(call)
        await self.hears(events.StasisStart, call)
        return call


@asynccontextmanager
async def running(line: Line) -> AsyncIterator[asyncio.Task[None]]:
    """The line is connected; all channels are hung up afterwards."""
    async with line.ari:
        task = asyncio.create_task(line.ari.run())
        try:
            await line.until(lambda: line.ups > 0)
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def gone(command: Callable[[], Awaitable[None]]) -> None:
    """Asterisk carries the command out, or does nothing, until what it is about is gone: that is a moment after the
    event that tells of its end."""
    async with asyncio.timeout(5):
        with suppress(Gone):
            while True:
                await command()


@pytest.fixture
async def line(asterisk: Any) -> AsyncIterator[Line]:
    line = Line(asterisk)
    async with running(line):
        yield line
        for channel in await line.ari.channels.list():
            try:
                await line.ari.channels.hangup(channel.id)
            except Gone:
                continue


async def test_it_connects_and_knows_the_version(line: Line) -> None:
    assert line.ari.connected
    assert (await line.ari.asterisk.version()).startswith("22.")
    assert (await line.ari.applications.get("kentongan-test")).channel_ids == []


async def test_a_broadcast_call_is_ours_once(line: Line) -> None:
    call = await line.call()
    assert await line.ari.events.claim(call) is True
    assert await line.ari.events.claim(call) is False
    start = await line.hears(events.StasisStart, call)
    assert start.args == ["trunk"]
    assert events.timestamp(start) is not None
    assert call in (await line.ari.applications.get("kentongan-test")).channel_ids


async def test_a_call_that_does_not_exist_cannot_be_claimed(line: Line) -> None:
    assert await line.ari.events.claim("1763800000.99") is False


async def test_a_call_is_answered_hears_a_prompt_and_is_hung_up(line: Line) -> None:
    call = await line.claimed()
    await line.ari.channels.answer(call)
    await line.ari.channels.answer(call)
    assert (await line.hears(events.ChannelStateChange, call)).channel.state == "Up"
    await line.ari.channels.play(call, f"sound:{line.asterisk.silence}", f"{call}-p1")
    await line.ari.playbacks.stop(f"{call}-p1")
    assert (await line.hears(events.PlaybackFinished, call)).playback.id == f"{call}-p1"
    await gone(lambda: line.ari.playbacks.stop(f"{call}-p1"))
    await line.ari.channels.start_moh(call, "kentongan")
    await line.ari.channels.stop_moh(call)
    await line.ari.channels.hangup(call)
    await line.hears(events.ChannelHangupRequest, call)
    await line.hears(events.StasisEnd, call)
    await gone(lambda: line.ari.channels.hangup(call))
    with pytest.raises(Gone):
        await line.ari.channels.answer(call)


async def test_reported_variables_come_back_as_channelvars(line: Line) -> None:
    call = await line.claimed()
    hostile = "1763800000.12;'\"${EXTEN}../<é>"
    await line.ari.channels.set_variables(call, {"KENTONGAN_CALL": hostile, "KT_TOPIC": "fire"})
    await line.ari.channels.set_variables(call, {"KT_QUIET": "x"}, report_events=False)
    assert (await line.seen(call)).channelvars == {"KENTONGAN_CALL": hostile, "KT_TOPIC": "fire"}


async def test_a_phone_is_rung_under_our_id_and_put_into_a_bridge(line: Line) -> None:
    ari, call = line.ari, await line.claimed()
    channel = await ari.channels.originate(
        "Local/s@far", channel_id="desk-1", app_args="operator,1", caller_id='"a,;${X}" <0800555001>',
        timeout=5,
    )
    assert channel.id == "desk-1"
    start = await line.hears(events.StasisStart, "desk-1")
    assert start.args == ["operator", "1"]
    assert start.channel.caller.number == "0800555001"
    with pytest.raises(AriError, match="already exists") as taken:
        await ari.channels.originate("Local/s@far", channel_id=call)
    assert not isinstance(taken.value, Gone)
    assert (await ari.bridges.create("talk-1", name=call)).id == "talk-1"
    with pytest.raises(AriError, match="409"):
        await ari.bridges.create("talk-1")
    await ari.bridges.add_channel("talk-1", call)
    await ari.bridges.add_channel("talk-1", "desk-1")
    assert sorted((await ari.bridges.list())[0].channels) == sorted([call, "desk-1"])
    await ari.bridges.remove_channel("talk-1", "desk-1")
    assert (await ari.bridges.list())[0].channels == [call]
    for late in (
        ari.bridges.remove_channel("talk-1", "desk-1"), ari.bridges.add_channel("talk-1", "nobody"),
        ari.bridges.add_channel("nowhere", call),
    ):
        with pytest.raises(Gone):
            await late
    await ari.bridges.destroy("talk-1")
    with pytest.raises(Gone):
        await ari.bridges.destroy("talk-1")


async def test_a_phone_that_is_not_registered_is_refused_at_once(line: Line) -> None:
    with pytest.raises(AriError, match="Allocation failed") as refused:
        await line.ari.channels.originate("PJSIP/op01", channel_id="desk-2")
    assert refused.value.status == 500


async def test_a_call_that_was_handed_back_is_no_longer_ours(line: Line) -> None:
    call = await line.claimed()
    await line.ari.channels.continue_in_dialplan(call, "far", "s")
    await line.hears(events.StasisEnd, call)
    with pytest.raises(Gone):
        await line.ari.channels.answer(call)
    assert "!far!s!" in await asyncio.to_thread(line.asterisk.cli, "core show channels concise")


async def test_events_that_nobody_needs_are_not_sent(line: Line) -> None:
    call = await line.claimed()
    await line.ari.channels.set_variables(call, {"KT_X": "1"})
    await line.ari.channels.play(call, f"sound:{line.asterisk.silence}", f"{call}-p1")
    await line.hears(events.PlaybackFinished, call)
    await line.ari.channels.hangup(call)
    await line.hears(events.StasisEnd, call)
    assert [event for event in line.heard if isinstance(event, events.Unknown)] == []
    assert line.ari.unreadable == 0


async def test_a_fault_in_handling_one_event_costs_no_other_event(line: Line, caplog: Any) -> None:
    line.at_event = lambda: 1 / 0
    await line.call()
    line.at_event = None
    await line.claimed()
    assert "ZeroDivisionError" in caplog.text


async def test_events_that_come_while_we_reconcile_are_delivered_after_it_in_order(asterisk: Any) -> None:
    line, go_on = Line(asterisk), asyncio.Event()
    line.at_up = go_on.wait
    async with running(line):
        await asyncio.to_thread(asterisk.cli, "channel originate Local/slow@entry extension s@far")
        while line.ari.received == 0:
            await line.ari.asterisk.ping()
        assert line.heard == []
        go_on.set()
        broadcast = await line.hears(events.CallBroadcast)
        assert await line.ari.events.claim(broadcast.channel.id)
        await line.hears(events.StasisStart, broadcast.channel.id)
        assert isinstance(line.heard[0], events.CallBroadcast)
        await line.ari.channels.hangup(broadcast.channel.id)


async def test_reconciling_that_met_a_dead_line_is_done_again(asterisk: Any) -> None:
    line = Line(asterisk)

    async def fails_once() -> None:
        if line.ups == 1:
            raise AriUnreachable(0, "GET", "/channels", "")
    line.at_up = fails_once
    async with running(line):
        await line.until(lambda: line.ups == 2)
        assert line.downs == 1


async def test_a_fault_of_our_own_in_reconciling_is_not_hidden(asterisk: Any) -> None:
    line = Line(asterisk)

    async def fails() -> None:
        raise ZeroDivisionError
    line.at_up = fails
    async with running(line) as task:
        with pytest.raises(ZeroDivisionError):
            await task
    assert (line.ups, line.downs) == (1, 1)


async def test_who_is_replaced_stops_and_commands_nobody_any_more(asterisk: Any) -> None:
    first, second = Line(asterisk), Line(asterisk)
    async with running(first) as task, running(second):
        with pytest.raises(Replaced, match="kentongan-test"):
            async with asyncio.timeout(5):
                await task
        assert first.downs == 1
        assert not first.ari.connected
        with pytest.raises(AriUnreachable, match="another process"):
            await first.ari.channels.list()
        assert second.ari.connected


def stopped_until(it_is_so: threading.Event) -> None:
    """As by SIGSTOP: nothing of ours runs, and the world goes on."""
    sleep(FREEZE)
    assert it_is_so.wait(10)


async def test_who_was_stopped_and_replaced_meanwhile_does_nothing_when_it_wakes_up(asterisk: Any) -> None:
    """Fault 5: its plans are old, and the calls are somebody else's."""
    old = Line(asterisk)
    replaced, over = threading.Event(), threading.Event()

    async def replaces() -> None:
        new = Line(asterisk)
        async with running(new):
            replaced.set()
            await asyncio.to_thread(over.wait)
            assert [channel.id for channel in await new.ari.channels.list() if channel.id == call] == [call]
            await new.ari.channels.hangup(call)

    async with running(old) as task:
        call = await old.claimed()
        other = threading.Thread(target=asyncio.run, args=[replaces()])
        other.start()
        stopped_until(replaced)
        with pytest.raises(AriUnreachable, match="acts under our name"):
            await old.ari.channels.hangup(call)
        with pytest.raises(Replaced):
            await task
        over.set()
        await asyncio.to_thread(other.join)


async def test_a_wrong_password_says_what_to_mend(asterisk: Any, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    line = Line(asterisk, password="not-the-secret")
    async with line.ari, asyncio.timeout(5):
        with pytest.raises(BadCredentials, match=r"user 'kt'.*ari\.conf.*reload res_ari"):
            await line.ari.run()
        with pytest.raises(AriError, match="401"):
            await line.ari.asterisk.ping()
    assert "not-the-secret" not in caplog.text


async def test_after_asterisk_was_killed_and_started_again_we_are_back(own_asterisk: Any) -> None:
    line = Line(own_asterisk)
    async with running(line):
        call = await line.claimed()
        own_asterisk.kill()
        await line.until(lambda: line.downs == 1)
        assert not line.ari.connected
        with pytest.raises(AriUnreachable):
            await line.ari.channels.answer(call)
        await asyncio.to_thread(own_asterisk.start)
        booted = monotonic()
        await line.until(lambda: line.ups == 2)
        assert monotonic() - booted < 2.5
        assert await line.ari.channels.list() == []
        assert line.ari.connections == 2
        await line.claimed()


async def test_a_frozen_asterisk_is_seen_within_five_seconds_and_commands_to_it_end_after_two(
    own_asterisk: Any,
) -> None:
    line = Line(own_asterisk)
    async with running(line) as task:
        own_asterisk.freeze()
        frozen = monotonic()
        with pytest.raises(AriTimeout, match="within 2"):
            await line.ari.channels.list()
        assert 1.9 < monotonic() - frozen < 2.5
        await line.until(lambda: line.downs == 1)
        assert monotonic() - frozen < 5
        asked = line.ari.requests                       # attempts to connect pile up in front of it
        await until(lambda: line.ari.requests > asked + 1)
        own_asterisk.thaw()
        await line.until(lambda: line.ups == 2)
        await line.claimed()
        assert not task.done()                          # none of these attempts has replaced us
        assert line.downs == 1


async def test_an_error_names_the_command_without_what_the_caller_sent(asterisk: Any) -> None:
    async with Ari("http://127.0.0.1:1/ari", "kt", "x", "a", print, asyncio.Event().wait, print) as ari:
        with pytest.raises(AriUnreachable) as error:
            await ari.channels.originate("PJSIP/op01", channel_id="d", caller_id="0800555001")
    assert "0800555001" not in str(error.value)
    assert "POST /channels" in str(error.value)
    assert (ari.requests, ari.failures) == (1, 1)


def test_every_operation_stands_in_the_table_once() -> None:
    assert len(USED) == len({(used.method, used.path) for used in USED}) > 0
