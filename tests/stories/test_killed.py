"""The whole service as `kentongan run` starts it, in a process of its own: killed, stopped and absent, with callers on
the line. Everybody reaches a human all the same."""
import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select

from calls.reckoning import Record, compare
from db.engine import sync_engine
from db.models import Recording
from kentongan.ground import lay, phones
from kentongan.settings import CHECKOUT, Settings, load, own_asterisk, secrets_of
from kentongan.sipp import Key, Phone, Tone, dial, phone_registers
from kentongan.stage import Doors, doors_of, free_ports, service, until_healthy
from telephony.cel_book import CelBook

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(90)]


@dataclass
class Centre:
    """A running service, seen from outside."""

    settings: Settings
    guard: int
    doors: Doors

    @property
    def sip(self) -> tuple[str, int]:
        return self.settings.host, self.settings.sip_port

    def signal_service(self, what: signal.Signals) -> None:
        """To the service, not to its guard."""
        os.kill(self._service(), what)

    def is_killed(self) -> None:
        """The service and its guard, in this order of dying: nobody is left to start another."""
        service = self._service()
        os.kill(self.guard, signal.SIGKILL)
        os.kill(service, signal.SIGKILL)

    def _service(self) -> int:
        found = subprocess.run(["pgrep", "-P", str(self.guard)], capture_output=True, text=True, check=True)
        return int(found.stdout.split()[0])

    def asterisk_says(self, command: str) -> str:
        return own_asterisk(self.settings, secrets_of(self.settings, [])).ask(command)

    async def books_agree(self) -> None:
        """Asterisk's and ours, about every call that there was; at the service's next look at the latest."""
        with closing(CelBook(self.settings.data / "events/calls.csv")) as book:
            theirs = book.accounts().values()
        assert theirs
        await self.doors.until("books that agree", lambda ours: not compare(theirs, [
            Record(call["id"], call["stage"] == "ended", call["operator"], call["talking_at"] is not None)
            for call in ours["items"]]), "/api/calls?limit=100")

    def recordings_begin(self) -> list[datetime]:
        engine = sync_engine(self.settings.database_url)
        try:
            with engine.connect() as connection:
                return list(connection.scalars(select(Recording.starts_at)))
        finally:
            engine.dispose()

    async def somebody_is_free(self) -> None:
        await self.doors.until(
            "log-in", lambda answer: any(row["why_not_free"] is None for row in answer["items"]), "/api/operators")

    async def call(self, is_so: str) -> Any:
        """The newest call, once it stands at this stage."""
        answer = await self.doors.until(
            is_so, lambda answer: answer["items"] and answer["items"][0]["stage"] == is_so, "/api/calls?limit=1")
        return answer["items"][0]

    async def fault(self, check: str) -> str:
        """What the health page says of it, once it finds something wrong with it."""
        async with aiohttp.ClientSession() as http, asyncio.timeout(20):
            while True:
                async with http.get(f"{self.settings.public_url}/healthz") as answer:
                    found = (await answer.json())["checks"]
                if not found[check]["ok"]:
                    return str(found[check]["says"])
                await asyncio.sleep(0.1)

    async def on_shift(self) -> dict[str, Any]:
        """Somebody who is."""
        return next(row for row in phones(self.settings, await lay(self.settings)) if row["on_shift"])

    def phone(self, operator: dict[str, Any], **how: Any) -> AbstractAsyncContextManager[Phone]:
        """An operator's phone, registered."""
        return phone_registers(operator["user"], operator["password"], at=self.sip, voice=Tone(1000), **how)

    @asynccontextmanager
    async def operator(self, **how: Any) -> AsyncIterator[Phone]:
        """The phone of somebody who is on shift, registered."""
        async with self.phone(await self.on_shift(), **how) as phone:
            yield phone


@asynccontextmanager
async def centre() -> AsyncIterator[Centre]:
    """With prompts as the checkout has built them, on free ports; gone afterwards with everything it wrote."""
    data = Path(tempfile.mkdtemp(prefix="kt-"))
    try:
        if (built := CHECKOUT / "var/prompts").exists():
            shutil.copytree(built, data / "prompts")
        settings = load(data=data, **free_ports())
        async with service(settings, keep=False) as guard, doors_of(settings) as doors:
            yield Centre(settings, guard, doors)
    finally:
        shutil.rmtree(data)


def lasted(call: dict[str, Any], since: str) -> float:
    """Seconds from that moment of the call to its end."""
    return (datetime.fromisoformat(call["ended_at"]) - datetime.fromisoformat(call[since])).total_seconds()


async def test_a_service_killed_while_somebody_waits_takes_them_to_a_desk_when_it_is_back():
    async with centre() as house, dial("112", to=house.sip, number="0800555001", voice=Tone(440),
                                       keys=[Key(0.5, "3")]) as caller:
        call = await house.call("queued")
        house.signal_service(signal.SIGKILL)
        await until_healthy(house.settings)
        async with house.operator(answers_after=0.1) as phone:
            await phone.picked_up()
            adopted = await house.call("talking")
            assert (adopted["id"], adopted["topic"]) == (call["id"], "police")
            assert adopted["arrived_at"] == call["arrived_at"]
            await caller.hangs_up()
            assert (await house.call("ended"))["outcome"] == "answered"


async def test_a_service_killed_in_mid_talk_disturbs_nobody_and_sees_the_end():
    async with centre() as house, house.operator(answers_after=0.1) as phone, dial(
            "112", to=house.sip, number="0800555001", voice=Tone(440), keys=[Key(0.5, "1")]) as caller:
        await phone.picked_up()
        await house.call("talking")
        house.signal_service(signal.SIGKILL)
        await until_healthy(house.settings)
        assert (await house.call("talking"))["operator"]
        await phone.hangs_up()
        assert (await caller.ended()).by == "callee"
        call = await house.call("ended")
        assert call["outcome"] == "answered"
        kinds = [note["kind"] for note in (await house.doors.get(f"/api/calls/{call['id']}"))["notes"]]
        assert kinds[-2:] == ["adopted", "ended"]


async def test_a_service_that_cannot_come_back_leaves_nobody_waiting_for_it():
    async with centre() as house, dial("112", to=house.sip, number="0800555004", voice=Tone(440)) as caller:
        call = await house.call("queued")
        operator = await house.on_shift()
        lock = house.settings.data / "service.lock"
        lock.unlink()
        lock.mkdir()                                    # every start fails from here on
        house.signal_service(signal.SIGKILL)
        async with house.phone(operator, answers_after=0.1, talks_for=1.0) as phone:
            await phone.picked_up()                     # 20 s later, by the guard
            assert (await caller.ended()).answered
        lock.rmdir()
        await until_healthy(house.settings)
        ended = await house.call("ended")               # and the service that is back at last knows who it was
        assert (ended["id"], ended["outcome"], ended["operator"]) == (call["id"], "handed back", operator["user"])
        assert 0.5 < lasted(ended, "talking_at") < 3
        await house.books_agree()


async def test_without_the_service_the_way_out_rings_the_phones_on_duty_and_is_recorded():
    async with centre() as house, house.operator(answers_after=0.1, talks_for=1.0) as phone:
        await house.somebody_is_free()
        os.kill(house.guard, signal.SIGTERM)
        async with dial("112", to=house.sip, number="0800555002", voice=Tone(440)) as caller:
            await phone.picked_up()
            assert (await caller.ended()).answered
        [raw] = (house.settings.data / "spool").glob("*.raw")
        recorded = raw.stat().st_size / (8000 * 2 * 2)  # seconds; two channels of 16 bit
        assert recorded > 1
        async with service(house.settings, keep=False):
            call = await house.call("ended")            # the next service is told what it did not see
            assert (call["id"], call["outcome"]) == (raw.stem, "handed back")
            assert call["caller_number"].endswith("800555002")
            assert lasted(call, "arrived_at") < 20      # not until somebody heard of it
            assert call["operator"]
            [begins] = house.recordings_begin()         # … when it was answered: we were waited for in silence
            assert abs((datetime.fromisoformat(call["ended_at"]) - begins).total_seconds() - recorded) < 0.5
            assert len((await house.doors.get(f"/api/calls/{call['id']}"))["tickets"]) == 1
            await house.books_agree()


async def test_a_talk_that_ends_while_nobody_of_us_is_there_has_its_operator_its_length_and_its_end():
    async with centre() as house:
        operator = await house.on_shift()
        async with house.phone(operator, answers_after=0.1) as phone, dial(
                "112", to=house.sip, number="0800555005", voice=Tone(440), keys=[Key(0.5, "1")]) as caller:
            await phone.picked_up()
            await house.call("talking")
            house.is_killed()
            await phone.hangs_up()
            await caller.hangs_up()
            over_at = datetime.now(UTC)
        async with service(house.settings, keep=False):
            call = await house.call("ended")
            assert (call["outcome"], call["operator"]) == ("answered", operator["user"])
            assert abs((datetime.fromisoformat(call["ended_at"]) - over_at).total_seconds()) < 2
            assert 0 < lasted(call, "talking_at") < lasted(call, "arrived_at")
            await house.books_agree()


async def test_who_was_handed_back_and_answered_while_nobody_listened_is_told_once_with_who_it_was():
    async with centre() as house, dial("112", to=house.sip, number="0800555006", voice=Tone(440)) as caller:
        call = await house.call("queued")
        operator = await house.on_shift()
        os.kill(house.guard, signal.SIGTERM)            # no FastAGI any more; and of a channel that ARI has touched
        async with house.phone(operator, answers_after=0.1, talks_for=1.0) as phone:
            await phone.picked_up()
            assert (await caller.ended()).answered
        assert "0 results found" in house.asterisk_says("database show kentongan-untold")   # its database has none
        async with service(house.settings, keep=False):
            ended = await house.call("ended")
            assert (ended["id"], ended["outcome"], ended["operator"]) == (call["id"], "handed back", operator["user"])
            assert 0.5 < lasted(ended, "talking_at") < 3
            told = await house.doors.get(f"/api/calls/{call['id']}")
            assert [note["kind"] for note in told["notes"]].count("way out") == len(told["tickets"]) == 1
            await house.books_agree()


async def test_a_frozen_service_costs_a_caller_less_than_a_second():
    async with centre() as house, house.operator(answers_after=0.1, talks_for=1.0) as phone:
        await house.somebody_is_free()
        house.signal_service(signal.SIGSTOP)
        async with dial("112", to=house.sip, number="0800555003", voice=Tone(440)) as caller:
            await phone.picked_up()
            assert (await caller.ended()).answered
        await until_healthy(house.settings)             # the guard has ended the frozen one and started another
