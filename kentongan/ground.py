"""The porch: the ground that everything stands on: the database with its tables and seed, the roster's rows, the
secrets. Laid by the service (again is harmless), and by whoever comes first; all others only look whether it is there:
a database must not be changed under a service of another version that runs on it."""
import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

from db.engine import async_engine, in_words, is_current, migrate, reading_session
from db.models import Operator
from kentongan import last_known
from kentongan.settings import Secrets, Settings, secrets_of
from people import store as people
from routing import roster, store
from tickets import areas_store, setup_store

log = logging.getLogger(__name__)

#: Seconds that a database gets at the start; then the service starts without it.
DATABASE_WITHIN = 20.0


class OtherVersion(Exception):
    """The database's tables are not those of this version; the text says what to do."""


@dataclass(frozen=True)
class Ground:
    """What stands before anything runs."""

    operators: Sequence[Operator]
    on_shift: set[str]          #: operators, now
    secrets: Secrets
    supervisors: Sequence[str] = ()
    laid: bool = True           #: False: recalled, since the database is away


async def lay(settings: Settings) -> Ground:
    """Bring the database to this version's tables, seed it if it is new, make the secrets that are missing."""
    settings.data.mkdir(parents=True, exist_ok=True)
    await asyncio.to_thread(migrate, settings.database_url)
    async with _engine(settings.database_url) as engine, engine.begin() as connection:
        await connection.run_sync(store.seed)
        await connection.run_sync(setup_store.seed)     # after the roster's, which brings agencies
        await connection.run_sync(areas_store.seed)
        await connection.run_sync(people.seed, datetime.now(UTC))      # seals the audit: last
    return await _look(settings)


async def see(settings: Settings) -> None:
    """See that the ground is there; lay it, if there is no database yet. Raises OtherVersion."""
    settings.data.mkdir(parents=True, exist_ok=True)
    current = await asyncio.to_thread(is_current, settings.database_url)
    if current is None:
        await lay(settings)
    elif not current:
        raise OtherVersion("the database has the tables of another version of Kentongan. After an upgrade: stop the "
                           "service, then kentongan db migrate (kentongan run does it, too)")


async def find(settings: Settings) -> Ground:
    """What stands there; a new operator's password is made. Raises OtherVersion."""
    await see(settings)
    return await _look(settings)


async def _look(settings: Settings) -> Ground:
    async with (_engine(settings.database_url) as engine,
                reading_session(async_sessionmaker(engine, expire_on_commit=False)) as session):
        operators, supervisors = await store.operators(session), await people.supervisors(session)
        now, zone = datetime.now(UTC), ZoneInfo(settings.timezone)
        on_shift = roster.who_is_on(await store.near(session, now, zone), now, zone)
    names = [*(operator.name for operator in operators), *supervisors]
    return Ground(operators, on_shift, secrets_of(settings, names), supervisors)


async def stand(settings: Settings) -> Ground:
    """The ground laid; while the database is away, the ground as it was last known: calls are answered without it.

    SQLAlchemyError, OSError or TimeoutError if it is away and nothing is known.
    """
    try:
        async with asyncio.timeout(DATABASE_WITHIN):
            return await lay(settings)
    except (SQLAlchemyError, OSError, TimeoutError) as fault:
        if (known := last_known.recall(settings.data)) is None:
            raise
        log.error("the database is away (%s): the service starts without it, with the operators and the roster that "
                  "were known last", in_words(fault))
    operators = [Operator(name=name, display_name=name, skills=skills, active=True)
                 for name, skills in known.operators.items()]
    on_shift = roster.who_is_on(known.plan, datetime.now(UTC), ZoneInfo(settings.timezone))
    secrets = secrets_of(settings, [*known.operators, *known.supervisors])
    return Ground(operators, on_shift, secrets, known.supervisors, laid=False)


def phones(settings: Settings, ground: Ground) -> list[dict[str, Any]]:
    """What an administrator types into the phones of operators and supervisors: one row each."""
    return [*({"user": operator.name, "password": ground.secrets.phones[operator.name],
             "registrar": f"{settings.host}:{settings.sip_port}", "name": operator.display_name,
             "skills": list(operator.skills), "on_shift": operator.name in ground.on_shift}
            for operator in ground.operators),
            *({"user": name, "password": ground.secrets.phones[name],
               "registrar": f"{settings.host}:{settings.sip_port}", "name": "supervisor", "skills": [],
               "on_shift": False} for name in ground.supervisors)]


@asynccontextmanager
async def _engine(url: str) -> AsyncIterator[AsyncEngine]:
    engine = async_engine(url)
    try:
        yield engine
    finally:
        await engine.dispose()
