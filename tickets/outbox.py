"""tickets: gets every message out of the outbox to its agency, at least once, under one key.

A message is claimed in one short transaction, sent with none open, and noted in another. Whoever is killed in
between leaves a claim that ends by itself; the message then goes out again under the same key, by which the
agency tells a repetition. Each agency has at most one message under way, so a slow one delays no other.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from sqlalchemy.exc import SQLAlchemyError

from db.engine import reading_session
from tickets import delivery, forwarding, store
from tickets.agencies import webhook
from tickets.delivery import SENT, SET_ASIDE, WAITING, Standing
from tickets.edit import Sessions, editing

log = logging.getLogger(__name__)

#: longer than any attempt; after it a message belongs to nobody again
CLAIM_FOR = timedelta(seconds=30)
#: messages that another process wrote are found by looking
LOOK_EVERY_S = 5.0


@dataclass(frozen=True)
class _Claim:
    message_id: int
    forwarding_id: int
    ticket_id: int
    key: str
    attempts: int
    url: str
    secret: str
    payload: dict[str, Any]


class Outbox:
    """`link` makes the URL by which an agency acknowledges; `wake` is set by whoever has just forwarded."""

    def __init__(
        self,
        sessions: Sessions,
        http: aiohttp.ClientSession,
        link: Callable[[int], str],
        wake: asyncio.Event,
        luck: Callable[[], float] = random.random,
    ) -> None:
        self._sessions, self._http, self._link, self._wake, self._luck = sessions, http, link, wake, luck
        self._busy: set[int] = set()

    async def run(self) -> None:
        """Until cancelled. A database that is away is waited for."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                pause = await self._start_what_is_due(group)
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()

    async def deliver_due(self, now: datetime) -> int:
        """One attempt for each agency that has a message due; how many were made."""
        async with reading_session(self._sessions) as session:
            due = await store.agencies_due(session, now)
        return sum(await asyncio.gather(*(self._deliver_one(agency_id, now) for agency_id in due)))

    async def _start_what_is_due(self, group: asyncio.TaskGroup) -> float:
        """Seconds until there is something to do again."""
        now = datetime.now(UTC)
        try:
            async with reading_session(self._sessions) as session:
                due = await store.agencies_due(session, now)
                then = await store.next_due(session, now)
        except (SQLAlchemyError, OSError) as error:
            log.warning("the outbox cannot read the database: %s", type(error).__name__)
            return LOOK_EVERY_S
        for agency_id in set(due) - self._busy:
            self._busy.add(agency_id)
            group.create_task(self._deliver_all(agency_id), name=f"outbox of agency {agency_id}")
        return LOOK_EVERY_S if then is None else min(LOOK_EVERY_S, (then - now).total_seconds())

    async def _deliver_all(self, agency_id: int) -> None:
        try:
            while await self._deliver_one(agency_id, datetime.now(UTC)):
                pass
            self._wake.set()  # a retry may be due before the next look
        except (SQLAlchemyError, OSError) as error:
            log.warning(
                "the outbox of agency %s cannot use the database: %s", agency_id, type(error).__name__
            )
        finally:
            self._busy.discard(agency_id)

    async def _deliver_one(self, agency_id: int, now: datetime) -> bool:
        """One attempt; False if nothing is due."""
        claim = await self._claim(agency_id, now)
        if claim is None:
            return False
        started = asyncio.get_running_loop().time()
        standing, error = await self._send(claim, now)
        took = timedelta(seconds=asyncio.get_running_loop().time() - started)
        await self._note(claim, standing, error, now + took)
        return True

    async def _claim(self, agency_id: int, now: datetime) -> _Claim | None:
        async with self._sessions.begin() as session:
            row = await store.claim(session, agency_id, now, now + CLAIM_FOR)
            if row is None:
                return None
            message, forwarded, agency = row
            return _Claim(
                message_id=message.id,
                forwarding_id=forwarded.id,
                ticket_id=forwarded.ticket_id,
                key=message.key,
                attempts=message.attempts,
                url=agency.url or "",
                secret=agency.secret or "",
                payload=message.payload,
            )

    async def _send(self, claim: _Claim, now: datetime) -> tuple[Standing, str | None]:
        body = claim.payload | {
            "acknowledge_url": self._link(claim.forwarding_id),
            "sent_at": now.astimezone(UTC).isoformat(timespec="seconds"),
        }
        try:
            status = await webhook.post(self._http, claim.url, claim.secret, claim.key, body, now)
        except webhook.Misconfigured as error:
            return SET_ASIDE, str(error)
        except TimeoutError:
            return WAITING, f"no answer within {webhook.TIME_LIMIT_S} s"
        except aiohttp.ClientError as error:
            return WAITING, f"{type(error).__name__}: {error}"
        standing = delivery.standing(status)
        return standing, None if standing is SENT else f"HTTP {status}"

    async def _note(self, claim: _Claim, standing: Standing, error: str | None, now: datetime) -> None:
        log.info("message %s, attempt %s: %s", claim.message_id, claim.attempts, standing)
        async with editing(self._sessions, claim.ticket_id, "kentongan", now) as edit:
            message = await store.message(edit.session, claim.message_id)
            row, agency = await store.forwarding(edit.session, claim.forwarding_id)
            if standing is SENT:
                message.state, message.sent_at, message.last_error = SENT, now, None
                row.sent_at = row.sent_at or now
                if row.state == forwarding.QUEUED:  # else a quick agency has accepted it already
                    await edit.advance(row, agency, forwarding.SENT)
            elif message.attempts == claim.attempts:  # else our claim ended and somebody else is at it
                message.last_error = error
                message.due_at = now + delivery.wait_for(claim.attempts, self._luck())
                if standing is SET_ASIDE:
                    message.state = SET_ASIDE
                    edit.note(f"message to {agency.code}", WAITING, SET_ASIDE, error)
