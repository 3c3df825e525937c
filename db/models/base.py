"""db: what every table rests on: the common base with its naming of constraints, and the types that must be the same on
SQLite and PostgreSQL.

It names no table, so that each module of tables can import it and none needs another: a foreign key names its table
as text.
"""

import json
from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, DateTime, Dialect, Float, Index, MetaData, Text, TypeDecorator, text
from sqlalchemy.orm import DeclarativeBase


class UtcDateTime(TypeDecorator[datetime]):
    """A moment. Takes any aware datetime, gives back UTC; a naive one (whose clock?) raises ValueError."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError(
                f"a moment without a time zone cannot be stored: {value!r}; say datetime.now(UTC)"
            )
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment  # SQLite drops zones

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class JsonText(TypeDecorator[Any]):
    """A JSON value as text, which comes back as it went in: SQLite makes the number 240 of a bare 240.0 in a column
    that is declared JSON. None is SQL's NULL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value, ensure_ascii=True, sort_keys=True)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


class Base(DeclarativeBase):
    """All tables; constraints get names, since a constraint without one cannot be migrated."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        float: Float(53),
        datetime: UtcDateTime(),
        dict[str, Any]: JSON(),
        list[str]: JSON(),
    }


def known(column: str, *then: str) -> Index:
    """An index of those rows that have a value there: what is not known yet costs no writing."""
    there = text(f"{column} IS NOT NULL")
    return Index(None, column, *then, sqlite_where=there, postgresql_where=there)
