"""The audit: who changed what, from what to what, and why. Append-only, each row sealed to the one before.

A row's `digest` covers what it says; its `chain` covers the chain of the row before and that digest (SHA-256, as in a
hash chain by Haber and Stornetta, 1991). Whoever changes, removes or slips in a row must make all later ones anew, and
the head (number and chain of the last row), written down elsewhere, tells. The database refuses changes besides.

Writers take turns at the chain until they commit. So sealing is the **last** statement of a transaction (`Trail.seal`):
whoever waited for a row of somebody else's while holding the chain would wait for ever.
"""

import hashlib
import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import Audit

#: the chain before the first row
GENESIS = "0" * 64
_LOCK = 112113


@dataclass(frozen=True)
class Entry:
    """One line, not sealed yet. `before` and `after` are JSON values."""

    at: datetime
    #: a user's name, an agency's code, or "kentongan"
    who: str
    #: the kind of thing: ticket, roster, user, agency, recording ...
    what: str
    #: which of its kind
    which: str
    #: what of it changed or was done
    field: str
    before: Any = None
    after: Any = None
    why: str | None = None


class Trail:
    """What one transaction has to tell; sealed at its end."""

    def __init__(self) -> None:
        """Nothing is told yet."""
        self.entries: list[Entry] = []

    def add(self, entry: Entry) -> None:
        """One more line."""
        self.entries.append(entry)

    def seal(self, connection: Connection) -> None:
        """Write all lines, in order. The last statement of the transaction; without lines it does nothing."""
        if not self.entries:
            return
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")  # SQLite has one writer anyway
        seq, chain = head(connection)
        rows = []
        for entry in self.entries:
            seq += 1
            salt = secrets.token_hex(16)
            digest = digest_of(seq, entry, salt)
            chain = chained(chain, digest)
            rows.append(vars(entry) | {"seq": seq, "salt": salt, "digest": digest, "chain": chain})
        connection.execute(insert(Audit), rows)
        self.entries.clear()

    async def seal_in(self, session: AsyncSession) -> None:
        """As `seal`, after what the session has not yet sent."""
        await session.flush()
        await (await session.connection()).run_sync(self.seal)


def head(connection: Connection) -> tuple[int, str]:
    """Number and chain of the last row; (0, GENESIS) if there is none."""
    last = connection.execute(select(Audit.seq, Audit.chain).order_by(Audit.seq.desc()).limit(1)).one_or_none()
    return (last.seq, last.chain) if last is not None else (0, GENESIS)


def breaks(connection: Connection) -> Iterator[int]:
    """Numbers of the rows that do not fit what stands before them; none: nobody has touched the audit."""
    expected, before = 1, GENESIS
    table = Audit.__table__
    for row in connection.execute(select(table).order_by(table.c.seq), execution_options={"yield_per": 1000}):
        digest = digest_of(
            row.seq, Entry(row.at, row.who, row.what, row.which, row.field, row.before, row.after, row.why), row.salt
        )
        if (row.seq, row.digest, row.chain) != (expected, digest, chained(before, digest)):
            yield row.seq
        expected, before = row.seq + 1, row.chain


def chain_at(connection: Connection, seq: int) -> str | None:
    """The chain of the row of this number, to be compared with a head that was written down; None: no such row."""
    return GENESIS if seq == 0 else connection.scalar(select(Audit.chain).where(Audit.seq == seq))


async def newest(
    session: AsyncSession, limit: int, *, what: str | None = None, which: str | None = None, who: str | None = None,
    before: int | None = None,
) -> Sequence[Audit]:
    """The last rows that tell of this kind of thing, of this one, or of what this person did; before row `before`."""
    wanted = select(Audit).order_by(Audit.seq.desc()).limit(limit)
    for column, value in ((Audit.what, what), (Audit.which, which), (Audit.who, who)):
        if value is not None:
            wanted = wanted.where(column == value)
    if before is not None:
        wanted = wanted.where(Audit.seq < before)
    return (await session.scalars(wanted)).all()


def digest_of(seq: int, entry: Entry, salt: str) -> str:
    """SHA-256, lower-case hex, over the row's JSON: salt, seq, UTC moment to the microsecond, and the rest in order."""
    said = [
        salt,
        seq,
        entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        entry.who,
        entry.what,
        entry.which,
        entry.field,
        entry.before,
        entry.after,
        entry.why,
    ]
    return _sha256(json.dumps(said, ensure_ascii=True, sort_keys=True, separators=(",", ":")))


def chained(before: str, digest: str) -> str:
    """The chain after a row with this digest."""
    return _sha256(before + digest)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
