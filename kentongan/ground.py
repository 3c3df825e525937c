"""The porch: the ground that everything stands on: the database with its tables and seed, the roster's rows, the
secrets. Laid by whoever comes first; again is harmless."""
import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

from db.engine import async_engine, migrate
from db.models import Operator
from kentongan.settings import Secrets, Settings, secrets_of
from people import store as people
from routing import roster, store
from tickets import areas_store, setup_store


@dataclass(frozen=True)
class Ground:
    """What stands before anything runs."""

    operators: Sequence[Operator]
    on_shift: set[str]          #: operators, now
    secrets: Secrets


async def lay(settings: Settings) -> Ground:
    """Bring the database to this version's tables, seed it if it is new, make the secrets that are missing."""
    settings.data.mkdir(parents=True, exist_ok=True)
    await asyncio.to_thread(migrate, settings.database_url)
    async with _engine(settings.database_url) as engine:
        async with engine.begin() as connection:
            await connection.run_sync(store.seed)
            await connection.run_sync(setup_store.seed)     # after the roster's, which brings agencies
            await connection.run_sync(areas_store.seed)
            await connection.run_sync(people.seed, datetime.now(UTC))      # seals the audit: last
        async with async_sessionmaker(engine, expire_on_commit=False)() as session:
            operators = await store.operators(session)
            now, zone = datetime.now(UTC), ZoneInfo(settings.timezone)
            on_shift = roster.who_is_on(await store.near(session, now, zone), now, zone)
    return Ground(operators, on_shift, secrets_of(settings, [operator.name for operator in operators]))


def phones(settings: Settings, ground: Ground) -> list[dict[str, Any]]:
    """What an administrator types into the operators' phones: one row each."""
    return [{"user": operator.name, "password": ground.secrets.phones[operator.name],
             "registrar": f"{settings.host}:{settings.sip_port}", "name": operator.display_name,
             "skills": list(operator.skills), "on_shift": operator.name in ground.on_shift}
            for operator in ground.operators]


@asynccontextmanager
async def _engine(url: str) -> AsyncIterator[AsyncEngine]:
    engine = async_engine(url)
    try:
        yield engine
    finally:
        await engine.dispose()
