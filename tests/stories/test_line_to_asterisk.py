"""The line between us and Asterisk dies, quietly or with a bang, and Asterisk itself goes on: what happens meanwhile is
found afterwards in Asterisk's own lists, and whoever talks notices nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from time import monotonic

import pytest

from tests.stories.house import Caller
from tests.stories.real_house import Exchange, RealHouse

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(90)]


class Line:
    """A TCP connection passes through here, until it is cut; then the new ones do, unless it is broken for longer."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._sockets: set[asyncio.StreamWriter] = set()
        self._dead = asyncio.Event()        # of the connections that there are now
        self.is_silent = False

    async def open(self) -> int:
        """The port to connect to."""
        self._server = await asyncio.start_server(self._passes, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    def falls_silent(self) -> None:
        """Nothing passes any more, and nobody is told: as if a cable had been pulled somewhere."""
        self.is_silent = True
        self._dead.set()
        self._dead = asyncio.Event()

    def is_reset(self) -> None:
        """Every connection is torn; new ones pass."""
        for socket in self._sockets:
            socket.transport.abort()

    def is_mended(self) -> None:
        """New connections pass; the old ones stay as dead as they are."""
        self.is_silent = False

    async def close(self) -> None:
        self._server.close()
        self.is_reset()

    async def _passes(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._sockets.add(writer)
        dead = self._dead
        if self.is_silent:
            return
        there, other = await asyncio.open_connection("127.0.0.1", self._to)
        self._sockets.add(other)
        await asyncio.gather(self._pump(reader, other, dead), self._pump(there, writer, dead))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, dead: asyncio.Event) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                if dead.is_set():
                    return
                writer.write(data)
        if not dead.is_set():
            writer.close()


class DistantHouse(RealHouse):
    """Its service reaches Asterisk through lines that can break; its story asks Asterisk directly."""

    async def open(self) -> None:
        direct = self.exchange
        self.lines = [Line(direct.settings.ari_port), Line(direct.settings.ami_port)]
        ari_port, ami_port = [await line.open() for line in self.lines]
        settings = direct.settings.model_copy(update={"ari_port": ari_port, "ami_port": ami_port})
        self.exchange = replace(direct, settings=settings)
        try:
            await super().open()
        finally:
            self.exchange = direct

    def is_connected(self) -> bool:
        return self.service.ari.connected and self.service.ami.connected


@pytest.fixture
async def house(exchange: Exchange) -> AsyncIterator[DistantHouse]:
    house = DistantHouse(exchange)
    await house.open()
    yield house
    await house.close()
    for line in house.lines:
        await line.close()


async def test_a_line_that_dies_quietly_is_seen_in_five_seconds_and_what_it_hid_is_recovered(
    house: DistantHouse,
) -> None:
    """Sentence 5: half-open, no close frame; a talk, a caller who hangs up, and one who comes, all in the gap."""
    busy = await house.phone("op01")
    talking = await house.dials("0800555001", keys="1")
    await house.until(talking, "talking")
    busy.sip.answers_after = None                   # one conversation is enough
    free = await house.phone("op02")
    house.acd.pause("op02", "not yet")              # (the way out rings every phone of those on shift)
    waiting = await house.dials("0800555002", keys="1")
    await house.until(waiting, "queued")

    for line in house.lines:
        line.falls_silent()
    broken_at = monotonic()
    await waiting.hangs_up()
    unseen = await house.dials("0800555003", claimed=False)
    await free.picked_up()                          # by the way out
    await house.comes(lambda: not (house.service.ari.connected or house.service.ami.connected) or None, "notice", 6)
    assert monotonic() - broken_at < 5.5
    assert house.path(waiting)[-1] == "queued"      # nobody could tell us yet

    for line in house.lines:
        line.is_mended()
    await house.comes(lambda: house.service.ari.connected or None, "connection")
    assert (await house.over(waiting, within=3)).outcome == "abandoned"
    assert house.path(talking)[-1] == "talking"
    assert await house.talks(talking)
    await unseen.hangs_up()
    assert (await house.reported(why="unclaimed")).facts["operator"] == "op02"
    await house.comes(lambda: house.is_connected() or None, "connection for phones, too")
    await ends_well(house, talking)


async def ends_well(house: DistantHouse, talking: Caller) -> None:
    """Their talk, and afterwards another one: nothing is amiss."""
    await talking.hangs_up()
    record = await house.over(talking)
    assert (record.outcome, record.operator) == ("answered", "op01")
    assert "queued" not in house.path(talking)[4:]
    house.acd.ready("op02")
    another = await house.dials("0800555004", keys="1")
    await house.until(another, "talking")
    await another.hangs_up()
    assert (await house.over(another)).outcome == "answered"


async def test_a_line_that_is_torn_is_back_at_once_and_costs_nobody_their_call(house: DistantHouse) -> None:
    """Fault 8, reset: whoever waits keeps their place, whoever talks goes on."""
    await house.phone("op01")
    await house.phone("op02")
    house.acd.pause("op02", "not yet")
    talking = await house.dials("0800555001", keys="1")
    await house.until(talking, "talking")
    waiting = await house.dials("0800555002", keys="1")
    await house.until(waiting, "queued")
    connections = house.service.ari.connections
    for line in house.lines:
        line.is_reset()
    await house.comes(lambda: (house.service.ari.connections > connections and house.is_connected()) or None, "line")
    assert [queued.call_id for queued in house.acd.queue()] == [waiting.call_id]
    assert await house.talks(talking)
    await waiting.hangs_up()
    assert (await house.over(waiting)).outcome == "abandoned"
    await ends_well(house, talking)
