"""web: long lists in pages: `?limit=`, and `?after=` with the cursor that the page before ended with.

A cursor is the sort key of the last row told, as base64url of JSON, so that rows that come meanwhile move nothing. For
those who use it, it is opaque.

    async def newest(who: ..., limit: Limit = 50, after: After = None) -> Any:
        key = paging.key(after, datetime, str)            # None: from the start
        rows = await store.newest(session, limit + 1, key)
        return paging.page(rows, limit, lambda row: (row.arrived_at, row.id))
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel

Row = TypeVar("Row")

#: rows on a page
Limit = Annotated[int, Query(ge=1, le=500, description="So many at most")]
#: where the page before ended
After = Annotated[str | None, Query(
    max_length=500, pattern="^[A-Za-z0-9_-]+$", description="`next` of the page before; leave it out for the first")]


class BadCursor(Exception):
    """Not a cursor of this list."""

    def __init__(self) -> None:
        super().__init__("after: this is not the `next` of a page of this list; leave it out to begin again")


class Page(BaseModel, Generic[Row]):
    """A stretch of a list, newest first."""

    items: list[Row]
    #: what `after` must be for the page that follows; null: this was the last
    next: str | None


def page(rows: Sequence[Row], limit: int, key_of: Callable[[Row], tuple[Any, ...]]) -> dict[str, Any]:
    """A page out of `limit + 1` rows (so that it is known whether more follow). The key: str, int, float, datetime."""
    shown = rows[:limit]
    return {"items": shown, "next": cursor(key_of(shown[-1])) if len(rows) > limit else None}


def cursor(key: tuple[Any, ...]) -> str:
    """A sort key as a word for addresses."""
    told = json.dumps(key, default=datetime.isoformat, separators=(",", ":"))
    return base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")


def key(after: str | None, *kinds: type) -> tuple[Any, ...] | None:
    """The sort key in a cursor, one value per kind (str, int, float, datetime); None without one. Raises BadCursor."""
    if after is None:
        return None
    try:
        told = json.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))
        return tuple(_value(value, kind) for value, kind in zip(told, kinds, strict=True))
    except (binascii.Error, ValueError, TypeError, OverflowError) as fault:
        raise BadCursor from fault


def _value(value: Any, kind: type) -> Any:
    if kind is datetime:
        value = datetime.fromisoformat(value)
        if value.utcoffset() is None:
            raise ValueError
        value = value.astimezone(UTC)
    elif type(value) is not kind or "\0" in str(value) or (isinstance(value, int) and not -(2**31) <= value < 2**31):
        raise ValueError
    str(value).encode()     # half a letter ("\ud800") is a ValueError, too: no database takes it
    return value
