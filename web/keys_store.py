"""web: what was asked for under an Idempotency-Key, and what we answered; kept for a day."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from db.models import IdempotencyKey

KEPT = timedelta(hours=24)

Sessions = async_sessionmaker[AsyncSession]


async def reserve(sessions: Sessions, user: str, key: str, fingerprint: str, now: datetime) -> IdempotencyKey | None:
    """None: the key is ours from now on. Otherwise what stands under it."""
    async with sessions.begin() as session:
        await session.execute(delete(IdempotencyKey).where(IdempotencyKey.at < now - KEPT))
        insert = (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert(IdempotencyKey)
        new = insert.values(user=user, key=key, fingerprint=fingerprint, at=now).on_conflict_do_nothing()
        if (await session.execute(new.returning(IdempotencyKey.key))).first() is not None:
            return None
        return await session.get_one(IdempotencyKey, (user, key))


async def answered(
    sessions: Sessions, user: str, key: str, status: int, headers: dict[str, str], body: str | None
) -> None:
    """From now on this is the answer; without a body: it was given, once."""
    await _change(sessions, update(IdempotencyKey).values(status=status, headers=headers, body=body), user, key)


async def release(sessions: Sessions, user: str, key: str) -> None:
    """Nothing was done: the key is free again."""
    await _change(sessions, delete(IdempotencyKey), user, key)


async def _change(sessions: Sessions, what: Any, user: str, key: str) -> None:
    async with sessions.begin() as session:
        await session.execute(what.where(IdempotencyKey.user == user, IdempotencyKey.key == key))
