"""Messages leave for a real receiver that checks each signature: at least once, under one key, whatever fails."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from db.models import Agency, OutboxMessage
from tests.waiting import until
from tickets import outbox as outbox_module
from tickets import service, store
from tickets.acknowledge import acknowledge
from tickets.agencies import webhook
from tickets.link import token as make_token
from tickets.outbox import CLAIM_FOR, Outbox

SECOND = timedelta(seconds=1)


def link(forwarding_id: int) -> str:
    return f"http://127.0.0.1:8112/acknowledge/{forwarding_id}"


@pytest.fixture
def wake() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
def outbox(sessions, http, wake) -> Outbox:
    return Outbox(sessions, http, link, wake, luck=lambda: 0.0)


@pytest.fixture
def now() -> datetime:
    """The receiver's library refuses what is signed for another time than its own."""
    return datetime.now(UTC)


async def message(sessions, number: int = 0) -> OutboxMessage:
    async with sessions() as session:
        return (await session.scalars(select(OutboxMessage).order_by(OutboxMessage.id))).all()[number]


@asynccontextmanager
async def running(outbox: Outbox) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(outbox.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_message_arrives_signed_and_whole_and_the_ticket_knows_it(desk, listens, outbox, now) -> None:
    damkar = await listens("damkar")
    ticket_id = await desk.forwarded("damkar", now=now)
    assert await outbox.deliver_due(now) == 1
    assert await outbox.deliver_due(now + 3600 * SECOND) == 0
    sent = await message(desk.sessions)
    assert damkar.keys == [sent.key]
    assert sent.key.startswith("msg_")
    [body] = damkar.bodies
    assert body == sent.payload | {
        "acknowledge_url": link(await desk.forwarding_id(ticket_id)),
        "sent_at": now.isoformat(timespec="seconds"),
    }
    assert (body["ticket"], body["place"], body["verification"]) == ("2611-0001", "Pasar Rogojampi", "a1")
    assert (sent.state, sent.attempts, sent.last_error) == ("sent", 1, None)
    assert sent.sent_at is not None
    assert sent.sent_at >= now
    assert await desk.states(ticket_id) == {"damkar": "sent"}
    assert (await desk.history(ticket_id))[-1] == ("kentongan", "forwarding damkar", "queued", "sent", None)


async def test_that_it_was_sent_is_no_conflict_for_an_operator_who_is_writing(
    desk, listens, outbox, now
) -> None:
    await listens("damkar")
    ticket_id = await desk.forwarded("damkar", now=now)
    seen = (await desk.ticket(ticket_id)).version
    await outbox.deliver_due(now)
    await service.fill(desk.sessions, ticket_id, {"place": "Pasar Rogojampi, kios 3"}, by="op01", now=now, version=seen)


@pytest.mark.parametrize("status", [500, 503, 408, 425, 429])
async def test_it_is_tried_again_under_the_same_key_after_a_growing_wait(
    desk, listens, outbox, now, status
) -> None:
    damkar = await listens("damkar")
    damkar.answers = [status, status]
    ticket_id = await desk.forwarded("damkar", now=now)
    assert await outbox.deliver_due(now) == 1
    waiting = await message(desk.sessions)
    assert (waiting.state, waiting.last_error) == ("waiting", f"HTTP {status}")
    assert 0.5 * SECOND <= waiting.due_at - now < 2 * SECOND  # and as long as the answer took
    assert await outbox.deliver_due(now) == 0
    assert await outbox.deliver_due(waiting.due_at) == 1
    again = (await message(desk.sessions)).due_at
    assert again - waiting.due_at >= SECOND
    assert await desk.states(ticket_id) == {"damkar": "queued"}
    assert await outbox.deliver_due(again) == 1
    assert len(damkar.keys) == 3
    assert len(set(damkar.keys)) == 1
    assert await desk.states(ticket_id) == {"damkar": "sent"}


class Killed(BaseException):
    """The process ended here."""


async def test_killed_between_their_answer_and_our_note_it_is_sent_again_under_the_same_key(
    desk, listens, outbox, now, monkeypatch
) -> None:
    damkar = await listens("damkar")
    ticket_id = await desk.forwarded("damkar", now=now)

    async def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(outbox, "_note", killed)
        with pytest.raises(Killed):
            await outbox.deliver_due(now)
    assert len(damkar.keys) == 1
    assert await outbox.deliver_due(now + CLAIM_FOR - SECOND) == 0
    assert await outbox.deliver_due(now + CLAIM_FOR) == 1
    assert damkar.keys[0] == damkar.keys[1]
    assert await desk.states(ticket_id) == {"damkar": "sent"}


async def test_an_answer_against_the_message_sets_it_aside_where_people_see_it(
    desk, listens, outbox, now
) -> None:
    damkar = await listens("damkar")
    damkar.answers = [400]
    ticket_id = await desk.forwarded("damkar", now=now)
    await outbox.deliver_due(now)
    assert await outbox.deliver_due(now + 3600 * SECOND) == 0
    async with desk.sessions() as session:
        ((aside, forwarded, agency),) = await store.undelivered(session)
    assert (aside.state, aside.last_error, forwarded.ticket_id, agency.code) == (
        "set_aside", "HTTP 400", ticket_id, "damkar",
    )  # fmt: skip
    assert (await desk.history(ticket_id))[-1] == (
        "kentongan", "message to damkar", "waiting", "set_aside", "HTTP 400",
    )  # fmt: skip
    await service.forward(desk.sessions, ticket_id, ["damkar"], by="op01", now=now)  # mended: once more
    assert await outbox.deliver_due(now) == 1
    assert damkar.keys[0] == damkar.keys[1]
    assert await desk.states(ticket_id) == {"damkar": "sent"}


async def test_a_redirect_is_not_followed(desk, listens, outbox, now) -> None:
    damkar = await listens("damkar")
    damkar.answers = [302]
    await desk.forwarded("damkar", now=now)
    await outbox.deliver_due(now)
    assert len(damkar.keys) == 1
    assert (await message(desk.sessions)).state == "set_aside"


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("secret", "whsec_a", "signing secret"),
        ("secret", "whsec_", "signing secret"),
        ("url", "no address", "not an address to post to: no address"),
        ("url", "http://", "not an address to post to"),
        ("url", "http://a..b/", "not an address to post to"),
        ("url", "http://.example/", "not an address to post to"),
        ("url", f"http://{'a' * 64}.example/", "not an address to post to"),
        ("url", "http://127.0.0.1:99999/", "not an address to post to"),
    ],
)
async def test_what_an_admin_must_mend_is_set_aside_with_words(
    desk, listens, outbox, now, field, value, says
) -> None:
    await listens("damkar")
    async with desk.sessions.begin() as session:
        await session.execute(update(Agency).values({field: value}))
    await desk.forwarded("damkar", now=now)
    assert await outbox.deliver_due(now) == 1
    aside = await message(desk.sessions)
    assert aside.state == "set_aside"
    assert says in (aside.last_error or "")


async def test_looking_for_what_is_due_waits_for_nobody_who_writes(desk, outbox, now) -> None:
    async with desk.engine.begin() as writer, asyncio.timeout(1):
        await writer.execute(update(Agency).values(active=True))
        assert await outbox.deliver_due(now) == 0


async def test_an_agency_without_an_address_is_shown_and_told_once_it_has_one(
    desk, listens, outbox, now
) -> None:
    ticket_id = await desk.forwarded("damkar", now=now)
    assert await outbox.deliver_due(now) == 0
    async with desk.sessions() as session:
        assert [agency.url for _, _, agency in await store.undelivered(session)] == [None]
    await listens("damkar")
    assert await outbox.deliver_due(now) == 1
    assert await desk.states(ticket_id) == {"damkar": "sent"}


async def test_nobody_listening_a_line_cut_and_silence_are_all_tried_again(
    desk, listens, outbox, now, monkeypatch
) -> None:
    monkeypatch.setattr(webhook, "TIME_LIMIT_S", 0.2)
    damkar = await listens("damkar")
    never, errors = asyncio.Event(), []

    async def note() -> None:
        at = (await message(desk.sessions)).due_at
        assert await outbox.deliver_due(at if errors else now) == 1
        errors.append((await message(desk.sessions)).last_error)

    await desk.forwarded("damkar", now=now)
    async with desk.sessions.begin() as session:
        await session.execute(update(Agency).values(url="http://127.0.0.1:9/"))
    await note()
    async with desk.sessions.begin() as session:
        await session.execute(update(Agency).values(url=damkar.url))
    damkar.before_answer = never.wait
    await note()
    damkar.before_answer, damkar.cuts = None, True
    await note()
    damkar.cuts = False
    await note()
    assert "ClientConnectorError" in errors[0]
    assert errors[1] == "no answer within 0.2 s"
    assert errors[2].startswith(("ServerDisconnectedError", "ClientOSError"))
    assert errors[3] is None
    assert len(damkar.keys) == 3
    assert len(set(damkar.keys)) == 1


async def test_a_slow_agency_delays_no_other_and_has_one_message_under_way(
    desk, listens, outbox, wake, now
) -> None:
    damkar, polres = await listens("damkar"), await listens("polres")
    answers = asyncio.Event()
    damkar.before_answer = answers.wait
    async with running(outbox):
        for _ in range(3):
            await desk.forwarded("damkar", "polres", now=now)
            wake.set()
        await until(lambda: len(polres.keys) == 3 and damkar.keys)
        assert len(damkar.keys) == 1
        answers.set()
        await until(lambda: len(damkar.keys) == 3)
        await until(lambda: not outbox._busy)
    assert await desk.states(3) == {"damkar": "sent", "polres": "sent"}


async def test_a_running_outbox_tries_again_by_itself(desk, listens, outbox, wake, now, monkeypatch) -> None:
    monkeypatch.setattr(outbox_module, "LOOK_EVERY_S", 60)
    damkar = await listens("damkar")
    damkar.answers = [500]
    async with running(outbox):
        await desk.forwarded("damkar", now=now)
        wake.set()
        await until(lambda: len(damkar.keys) == 2)
    assert damkar.keys[0] == damkar.keys[1]


async def test_an_outbox_that_nobody_woke_finds_what_another_process_wrote(
    desk, listens, outbox, now, monkeypatch
) -> None:
    monkeypatch.setattr(outbox_module, "LOOK_EVERY_S", 0.05)
    damkar = await listens("damkar")
    async with running(outbox):
        await until(lambda: not outbox._wake.is_set())
        await desk.forwarded("damkar", now=now)
        await until(lambda: damkar.keys)


async def test_two_outboxes_over_one_database_send_each_message_once(
    desk, listens, http, outbox, now
) -> None:
    damkar, polres = await listens("damkar"), await listens("polres")
    for _ in range(4):
        await desk.forwarded("damkar", "polres", now=now)
    other = Outbox(desk.sessions, http, link, asyncio.Event())
    sent = 0
    for _ in range(8):
        sent += sum(await asyncio.gather(outbox.deliver_due(now), other.deliver_due(now)))
    assert sent == 8
    assert len(damkar.keys) == len(set(damkar.keys)) == 4
    assert len(polres.keys) == len(set(polres.keys)) == 4


async def test_who_was_slow_to_fail_does_not_undo_what_another_has_sent(
    desk, listens, http, outbox, now
) -> None:
    damkar = await listens("damkar")
    arrived, answers = asyncio.Event(), asyncio.Event()

    async def first_waits_and_is_refused() -> None:
        if len(damkar.keys) == 1:
            arrived.set()
            await answers.wait()
            damkar.answers = [400]

    damkar.before_answer = first_waits_and_is_refused
    ticket_id = await desk.forwarded("damkar", now=now)
    slow = asyncio.create_task(outbox.deliver_due(now))
    await arrived.wait()
    other = Outbox(desk.sessions, http, link, asyncio.Event())
    assert await other.deliver_due(now + CLAIM_FOR) == 1
    answers.set()
    assert await slow == 1
    sent = await message(desk.sessions)
    assert (sent.state, sent.last_error) == ("sent", None)
    assert await desk.states(ticket_id) == {"damkar": "sent"}


async def test_an_agency_that_accepts_before_it_answers_stays_accepted(desk, listens, outbox, now) -> None:
    damkar = await listens("damkar")
    ticket_id = await desk.forwarded("damkar", now=now)
    token = make_token(b"secret", await desk.forwarding_id(ticket_id))

    async def accept() -> None:
        await acknowledge(desk.sessions, token, b"secret", "Pak Joko", now)

    damkar.before_answer = accept
    assert await outbox.deliver_due(now) == 1
    assert await desk.states(ticket_id) == {"damkar": "accepted"}
    assert (await message(desk.sessions)).state == "sent"


async def test_the_signature_holds_whatever_the_zone_of_our_clock(desk, listens, outbox, now) -> None:
    damkar = await listens("damkar")
    await desk.forwarded("damkar", now=now)
    await outbox.deliver_due(now.astimezone(ZoneInfo("Asia/Jakarta")))
    assert len(damkar.keys) == 1
    assert (await message(desk.sessions)).state == "sent"


async def test_the_outbox_outlives_a_database_that_is_away(
    desk, listens, http, wake, now, monkeypatch
) -> None:
    monkeypatch.setattr(outbox_module, "LOOK_EVERY_S", 0.05)
    damkar = await listens("damkar")
    refusals = [OSError("away"), OSError("away")]

    class Flaky:
        def __call__(self) -> Any:
            if refusals:
                raise refusals.pop()
            return desk.sessions()

        def begin(self) -> Any:
            if len(begun) < 2:
                begun.append(1)
                raise OSError("away")
            return desk.sessions.begin()

    begun: list[int] = []
    flaky: Any = Flaky()
    await desk.forwarded("damkar", now=now)
    async with running(Outbox(flaky, http, link, wake)):
        await until(lambda: damkar.keys)
    assert (refusals, len(begun)) == ([], 2)


async def test_logs_name_messages_by_number_and_tell_nothing_of_the_report(
    desk, listens, outbox, now, caplog
) -> None:
    caplog.set_level(logging.DEBUG)
    damkar = await listens("damkar")
    damkar.answers = [500]
    await desk.forwarded("damkar", now=now)
    await outbox.deliver_due(now)
    told = [record.getMessage() for record in caplog.records]
    assert "message 1, attempt 1: waiting" in told
    for secret in ("Rogojampi", "kios", "0100", "/acknowledge/", "whsec"):
        assert not [line for line in told if secret in line]
