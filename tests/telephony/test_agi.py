"""The ear of the way out: what a real hang-up handler reports, and what anything else does to us."""
import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.agi import Agi, WayOut, kept, way_out


class Reports:
    """An `Agi` on its port, and what it has reported."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.heard: asyncio.Queue[WayOut] = asyncio.Queue()
        self.books = asyncio.Event()            # cleared: our books take their time
        self.books.set()
        self.agi = Agi("127.0.0.1", port, self._hang_up)

    async def _hang_up(self, report: WayOut) -> None:
        await self.books.wait()
        await self.heard.put(report)

    async def next(self) -> WayOut:
        async with asyncio.timeout(5):
            return await self.heard.get()

    async def says(self, request: bytes) -> bytes:
        """Say something to it and hang up; what it answers."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        writer.write_eof()
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()
        return answer


@pytest.fixture
async def reports(asterisk: Any) -> AsyncIterator[Reports]:
    reports = Reports(asterisk.agi)
    task = asyncio.create_task(reports.agi.run())
    async with asyncio.timeout(5):
        while True:
            try:
                await reports.says(b"")
                break
            except ConnectionError:
                await asyncio.sleep(0)
    yield reports
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.asterisk
async def test_a_call_that_went_the_way_out_is_reported_at_its_end(reports: Reports, asterisk: Any) -> None:
    await asyncio.to_thread(asterisk.cli, "channel originate Local/s@wayout extension s@far")
    report = await reports.next()
    assert report.call_id.replace(".", "").isdigit()
    assert report == WayOut(
        call_id=report.call_id, number="0800555001", arrived_at=1763800000.25, talked_for=1.0, desk=None,
        why="handed back",
    )


@pytest.mark.asterisk
async def test_a_call_that_knows_nothing_is_reported_all_the_same(reports: Reports, asterisk: Any) -> None:
    await asyncio.to_thread(asterisk.cli, "channel originate Local/nobody@wayout extension s@far")
    report = await reports.next()
    assert report.arrived_at == int(report.call_id.split(".")[0]) > 1_700_000_000
    assert (report.number, report.desk, report.why, report.talked_for) == ("", None, "", None)


@pytest.mark.asterisk
async def test_asterisk_does_not_wait_for_our_books(reports: Reports, asterisk: Any) -> None:
    reports.books.clear()
    await asyncio.to_thread(asterisk.cli, "database del kentongan ended")
    await asyncio.to_thread(asterisk.cli, "channel originate Local/nobody@wayout extension s@far")
    async with asyncio.timeout(5):
        while "Value:" not in await asyncio.to_thread(asterisk.cli, "database get kentongan ended"):
            pass
    assert reports.heard.empty()
    reports.books.set()
    await reports.next()


@pytest.mark.asterisk
@pytest.mark.parametrize("request_", [
    b"", b"\n", b"\n\n", b"agi_network_script: wayout\n\n",
    b"agi_network_script: nothing\nagi_uniqueid: 1.2\n\n",
    b"agi_network_script: wayout\nagi_uniqueid: ../../etc\n\n", b"\xff\xfe\x00\n\n", b"x" * 200_000,
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
])
async def test_what_is_no_report_is_turned_away(reports: Reports, request_: bytes) -> None:
    try:
        await reports.says(request_)
    except ConnectionError:         # it did not want to read more
        assert len(request_) > 65_536
    assert reports.heard.empty()
    await reports.says(b"agi_network_script: wayout\nagi_uniqueid: 1763800000.12\n\n")
    assert (await reports.next()).call_id == "1763800000.12"


@pytest.mark.asterisk
async def test_a_call_whose_variables_cannot_be_read_is_reported_with_what_is_known(reports: Reports) -> None:
    head = b"agi_network_script: wayout\nagi_uniqueid: 1763800000.12\nagi_callerid: 0800555001\n\n"
    answer = await reports.says(head + b"200 result=1 (1763800000)\n510 Invalid or unknown command\nHANGUP\nrubbish\n")
    assert answer.startswith(b"GET VARIABLE KT_ARRIVED\n")
    report = await reports.next()
    assert (report.call_id, report.number, report.arrived_at) == ("1763800000.12", "0800555001", 1763800000.0)


@pytest.mark.asterisk
async def test_who_says_nothing_is_sent_away_after_two_seconds(reports: Reports) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", reports.port)
    async with asyncio.timeout(3):
        assert await reader.read() == b""
    writer.close()


def test_the_operator_is_the_phone_that_answered() -> None:
    assert way_out("1.2", "", {"DIALEDPEERNAME": "PJSIP/op01-0000000a"}).desk == "op01"
    assert way_out("1.2", "", {"DIALEDPEERNAME": "Local/op01@far-00000001;1"}).desk is None
    assert way_out("1.2", "", {"DIALEDPEERNAME": "PJSIP/trunk-0000000a"}).desk is None      # a number outside


def test_a_report_prints_no_number() -> None:
    assert "0800555001" not in repr(way_out("1.2", "0800555001", {}))


@given(
    st.from_regex(r"[0-9A-Za-z.-]{1,64}", fullmatch=True), st.text(),
    st.dictionaries(st.sampled_from(["KT_ARRIVED", "ANSWEREDTIME", "DIALEDPEERNAME"]), st.text()),
)
def test_no_value_of_a_channel_is_too_odd_to_report(call_id: str, number: str, values: dict[str, str]) -> None:
    report = way_out(call_id, number, values)
    assert report.arrived_at >= 0


def test_what_the_hang_up_handler_kept_is_the_same_report() -> None:
    report = kept("1795370342.0", "1795370342.5/1795370343.25/1795370349/unclaimed/4/op02-00000001/0800555001")
    assert (report.desk, report.talked_for, report.why, report.number) == ("op02", 4.0, "unclaimed", "0800555001")
    assert (report.arrived_at, report.answered_at, report.ended_at) == (1795370342.5, 1795370343.25, 1795370349.0)
    nothing = kept("1795370342.0", "1795370342//////")
    assert (nothing.desk, nothing.talked_for, nothing.why, nothing.number) == (None, None, "", "")


@given(st.text())
def test_nothing_that_was_kept_is_too_odd_to_report(report: str) -> None:
    assert kept("1795370342.0", report).arrived_at >= 0
