"""calls: call-back tasks in the database. The journal's writer opens and clears them, in the transaction that tells of
the call; people try and decide. Every change stands in the audit.

Several writers (one per node) and people may be at one number at once: there is one task that is not over per number
(a partial unique index says so), and whoever changes it holds its row.
"""
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from calls.callbacks import UNDONE, Standing, State, called_in_vain, cleared, decided, opened, tried
from db.audit import Entry, Trail
from db.models import Call, Callback, CallbackCall
from tickets.edit import Conflict
from tickets.store import Unknown

Sessions = async_sessionmaker[AsyncSession]

#: the kind of thing that a task is, in the audit
AUDITED = "callback"
_MACHINE = "kentongan"


# --- by the journal's writer, in its transaction

def nobody_answered(connection: Connection, trail: Trail, call_id: str, at: datetime) -> None:
    """The call's number is to be called back: a new task, or the one it has already. Again is harmless."""
    if connection.scalar(select(CallbackCall.call_id).where(CallbackCall.call_id == call_id)) is not None:
        return
    number = _number_of(connection, call_id)
    task = _join(connection, trail, number, call_id, at) if number is not None else None
    if task is None:
        new = opened(at, has_number=False)
        task = connection.execute(
            insert(Callback).values(number=None, opened_at=at, version=1, **vars(new)).returning(Callback.id)
        ).scalar_one()
        _tell(trail, task, at, "state", None, new.state, f"call {call_id}")
    connection.execute(insert(CallbackCall).values(callback_id=task, call_id=call_id))


def somebody_answered(connection: Connection, trail: Trail, call_id: str, at: datetime) -> None:
    """The call's number needs no call-back any more, if it needed one. Again is harmless."""
    number = _number_of(connection, call_id)
    task = _undone(connection, number) if number is not None else None
    if task is not None:
        after = cleared(_standing(task))
        _write(connection, task, after, closed_at=at, closed_by=_MACHINE, cleared_by_call=call_id)
        _tell(trail, task.id, at, "state", task.state, after.state, f"call {call_id}")


def _join(connection: Connection, trail: Trail, number: str, call_id: str, at: datetime) -> int:
    """The number's task. It is ours to change until the transaction ends."""
    new = opened(at, has_number=True)
    fresh = _insert(connection)(Callback).values(number=number, opened_at=at, version=1, **vars(new))
    while True:
        task_id = connection.scalar(fresh.on_conflict_do_nothing().returning(Callback.id))
        if task_id is not None:
            _tell(trail, task_id, at, "state", None, new.state, f"call {call_id}")
            return int(task_id)
        task = _undone(connection, number)
        if task is None:
            continue                    # the one in our way has just been closed by somebody else: a new one is needed
        before, after = _standing(task), called_in_vain(_standing(task), at)
        _write(connection, task, after)
        if before.state is not after.state:
            _tell(trail, task.id, at, "state", before.state, after.state, f"call {call_id}")
        _tell(trail, task.id, at, "call", None, call_id, None)
        return int(task.id)


def _number_of(connection: Connection, call_id: str) -> str | None:
    return connection.scalar(select(Call.caller_number).where(Call.id == call_id))


def _undone(connection: Connection, number: str) -> Row[Any] | None:
    """The number's task that is not over, held."""
    undone = select(Callback.__table__).where(Callback.number == number, Callback.state.in_(UNDONE))
    return connection.execute(undone.with_for_update()).one_or_none()


def _standing(task: Any) -> Standing:
    return Standing(State(task.state), task.attempts, task.due_at)


def _write(connection: Connection, task: Any, standing: Standing, **others: Any) -> None:
    connection.execute(update(Callback).where(Callback.id == task.id).values(
        **vars(standing), **others, version=task.version + 1))


def _tell(trail: Trail, task_id: int, at: datetime, field: str, before: Any, after: Any, why: str | None,
          who: str = _MACHINE) -> None:
    trail.add(Entry(at, who, AUDITED, str(task_id), field, before, after, why))


def _insert(connection: Connection) -> Any:
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert


# --- by people

@dataclass(frozen=True)
class Task:
    """A call-back task with the calls behind it, the oldest first."""

    row: Callback
    calls: Sequence[str]


async def tasks(session: AsyncSession, states: Collection[State], *, numberless: bool, limit: int,
                after: tuple[bool, datetime, int] | None = None) -> list[Task]:
    """Those in these states, open ones first, then by age. `numberless`: those that have no number (and only those).
    `after`: `place` of the last one that was seen."""
    is_open = Callback.state == State.OPEN
    query = select(Callback).where(
        Callback.state.in_(states), Callback.number.is_(None) if numberless else Callback.number.is_not(None))
    if after is not None:
        was_open, opened_at, task_id = after
        behind = tuple_(Callback.opened_at, Callback.id) > tuple_(opened_at, task_id)
        query = query.where((is_open & behind) | ~is_open) if was_open else query.where(~is_open & behind)
    rows = (await session.scalars(query.order_by(is_open.desc(), Callback.opened_at, Callback.id).limit(limit))).all()
    return await _with_calls(session, rows)


def place(task: Task) -> tuple[bool, datetime, int]:
    """Where it stands in the list."""
    return task.row.state == State.OPEN, task.row.opened_at, task.row.id


async def task(session: AsyncSession, task_id: int) -> Task:
    """Raises Unknown."""
    [found] = await _with_calls(session, [_found(await session.get(Callback, task_id), task_id)])
    return found


async def attempt(sessions: Sessions, task_id: int, reached: bool, call_id: str | None, *, who: str, now: datetime,
                  version: int | None) -> None:
    """Somebody has called back. `call_id`: the call by which they were reached, where it is known.

    Raises Unknown (of the task or the call), Conflict, IllegalStep.
    """
    async with _changing(sessions, task_id, who, now, version) as (session, row, note):
        if call_id is not None and await session.get(Call, call_id) is None:
            raise Unknown(f"there is no call {call_id}")
        after = tried(_standing(row), reached, now)
        note("attempt", None, "reached" if reached else "not reached", f"call {call_id}" if call_id else None)
        row.cleared_by_call = call_id if reached else None
        _put(row, after, who, now, note)


async def decide(sessions: Sessions, task_id: int, go_on: bool, why: str, *, who: str, now: datetime,
                 version: int | None) -> None:
    """The supervisor's word on a task that was tried in vain: open again, or given up. Raises as `attempt`."""
    async with _changing(sessions, task_id, who, now, version) as (_, row, note):
        _put(row, decided(_standing(row), go_on, now), who, now, note, why)


def _put(row: Callback, after: Standing, who: str, now: datetime, note: Any, why: str | None = None) -> None:
    if row.state != after.state:
        note("state", row.state, after.state, why)
    row.state, row.attempts, row.due_at = after.state, after.attempts, after.due_at
    if after.state not in UNDONE:
        row.closed_at, row.closed_by = now, who


@asynccontextmanager
async def _changing(sessions: Sessions, task_id: int, who: str, now: datetime,
                    version: int | None) -> AsyncIterator[tuple[AsyncSession, Callback, Any]]:
    trail = Trail()
    async with sessions.begin() as session:
        row = _found(await session.get(Callback, task_id, with_for_update=True), task_id)
        if version is not None and version != row.version:
            raise Conflict(f"call-back {task_id} was changed meanwhile (you saw version {version}, it is at "
                           f"{row.version}); load it again and repeat what is still needed")

        def note(field: str, before: Any, after: Any, why: str | None) -> None:
            _tell(trail, task_id, now, field, before, after, why, who)

        yield session, row, note
        row.version += 1
        await trail.seal_in(session)


async def _with_calls(session: AsyncSession, rows: Sequence[Callback]) -> list[Task]:
    links = select(CallbackCall.callback_id, CallbackCall.call_id).where(
        CallbackCall.callback_id.in_([row.id for row in rows])).order_by(CallbackCall.call_id)
    calls: dict[int, list[str]] = {row.id: [] for row in rows}
    for task_id, call_id in await session.execute(links):
        calls[task_id].append(call_id)
    return [Task(row, calls[row.id]) for row in rows]


def _found(row: Callback | None, task_id: int) -> Callback:
    if row is None:
        raise Unknown(f"there is no call-back {task_id}")
    return row
