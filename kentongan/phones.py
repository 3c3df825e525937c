"""The porch: what an administrator types into the operators' phones."""
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from db.engine import migrate, sync_engine
from kentongan.settings import Settings, secrets_of
from routing import roster, store
from routing.seed import seed


def phones(settings: Settings) -> list[dict[str, Any]]:
    """One row per operator: SIP user, password, registrar, and who is on shift now."""
    def read(connection: Connection) -> list[dict[str, Any]]:
        on_shift = roster.who_is_on(store.duties(connection), store.shifts(connection), datetime.now(UTC),
                                    ZoneInfo(settings.timezone))
        return [{"user": operator.name, "name": operator.display_name, "skills": list(operator.skills),
                 "on_shift": operator.name in on_shift} for operator in store.operators(connection)]
    rows = _with_database(settings, read)
    passwords = secrets_of(settings, [row["user"] for row in rows]).phones
    registrar = f"{settings.host}:{settings.sip_port}"
    return [{"user": row["user"], "password": passwords[row["user"]], "registrar": registrar, **row} for row in rows]


def operator_names(settings: Settings) -> list[str]:
    """The SIP users."""
    return _with_database(settings, lambda connection: [operator.name for operator in store.operators(connection)])


def _with_database(settings: Settings, read: Any) -> Any:
    settings.data.mkdir(parents=True, exist_ok=True)
    migrate(settings.database_url)
    engine = sync_engine(settings.database_url)
    try:
        with engine.begin() as connection:
            seed(connection)
            return read(connection)
    finally:
        engine.dispose()
