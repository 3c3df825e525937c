"""calls: the database's side of calls. The call record, its draft ticket and its recording's row are drawn from the
journal, note by note, in the transaction that stores the note: so they exist exactly once, whatever fails."""
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, select, update
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from calls import callbacks_store as callbacks
from calls.callbacks import wanted
from calls.journal import Note as JournalNote
from calls.stages import Outcome, Stage, outcome
from db.audit import Trail
from db.models import Call, Note
from recordings import store as recordings
from tickets import store as tickets

log = logging.getLogger(__name__)

#: Ids that are asked for in one query.
_AT_ONCE = 500


class JournalStore:
    """Takes the notes of one node. Synchronous: it lives in the journal's writer thread."""

    def __init__(self, engine: Engine, node: str, zone: tzinfo = UTC) -> None:
        """`zone`: the regency's, in which the months of ticket numbers begin."""
        self._engine, self._node, self._zone = engine, node, zone

    def last(self) -> int:
        """The highest number that the database has of this node's notes; 0 if none."""
        with self._engine.connect() as connection:
            return connection.scalar(select(func.max(Note.seq)).where(Note.node == self._node)) or 0

    def commit(self, notes: Sequence[JournalNote]) -> None:
        """Store the notes and draw the records from them, all or none.

        Raises what the database raises while it is away: the journal tries again. A note that cannot be drawn for
        another reason is stored as it is, with an error in the log: it must not hold up those behind it.
        """
        try:
            self._commit(notes)
        except Exception as fault:
            if not _is_the_notes_fault(fault):
                raise
            for note in notes:
                self._commit_alone(note)

    def _commit(self, notes: Sequence[JournalNote], *, draw: bool = True) -> None:
        with self._engine.begin() as connection:
            connection.execute(insert(Note), [
                {"node": self._node, "seq": note.seq, "call_id": note.call_id, "at": note.at, "kind": note.kind,
                 "facts": note.facts} for note in notes])
            trail = Trail()
            for note in notes if draw else ():
                if note.call_id is not None and (records := _DRAW.get(note.kind)) is not None:
                    records(Drawing(connection, trail, self._node, self._zone), note.call_id, note)
            trail.seal(connection)

    def _commit_alone(self, note: JournalNote) -> None:
        with self._engine.connect() as connection:
            if connection.scalar(select(Note.seq).where(Note.node == self._node, Note.seq == note.seq)) is not None:
                return                          # it was taken, and only the answer was lost
        for draw in (True, False):
            try:
                self._commit([note], draw=draw)
                return
            except Exception as fault:
                if not _is_the_notes_fault(fault):
                    raise
                log.exception("note %s (%s) of call %s %s", note.seq, note.kind, note.call_id,
                              "cannot be drawn; it is stored as it is" if draw else "cannot be stored at all")


def _is_the_notes_fault(fault: Exception) -> bool:
    """Whether trying again would not help. Of the database's errors only those about values."""
    return isinstance(fault, IntegrityError | DataError) or not isinstance(fault, DBAPIError)


@dataclass(frozen=True)
class Drawing:
    """Where records are drawn: one transaction of the journal's writer."""

    connection: Connection
    trail: Trail            #: sealed at the transaction's end
    node: str               #: whose journal it is
    zone: tzinfo            #: in which the months of ticket numbers begin


def _arrived(into: Drawing, call_id: str, note: JournalNote) -> None:
    arrived_at = datetime.fromisoformat(note.facts["arrived_at"])
    number = note.facts["number"]
    into.connection.execute(insert(Call).values(
        id=call_id, node=into.node, caller_number=number, stage=Stage.ARRIVED, topic="any", pressed="",
        arrived_at=arrived_at))
    local = arrived_at.astimezone(into.zone)
    tickets.open_draft(into.connection, into.trail, call_id, topic="any", reporter_number=number, at=local)
    answered_at = note.facts.get("answered_at")             # by the dialplan, which had waited for us: no sound before
    recordings.expect(into.connection, call_id, raw_name=f"{call_id}.raw",
                      starts_at=datetime.fromisoformat(answered_at) if answered_at else arrived_at)


def _chosen(into: Drawing, call_id: str, note: JournalNote) -> None:
    _set(into.connection, call_id, topic=note.facts["topic"], pressed=note.facts["pressed"])
    tickets.choose_topic(into.connection, into.trail, call_id, note.facts["topic"], note.at)


def _prank(into: Drawing, call_id: str, note: JournalNote) -> None:
    _set(into.connection, call_id, prank=note.facts)


def _prank_lifted(into: Drawing, call_id: str, note: JournalNote) -> None:
    held = into.connection.scalar(select(Call.prank).where(Call.id == call_id)) or {}
    _set(into.connection, call_id, prank=held | {"behind": 0.0})


def _asked(into: Drawing, call_id: str, note: JournalNote) -> None:
    _set(into.connection, call_id, silence={"asked": note.facts["times"], "heard": None, "pressed": "", "said": None})


def _silent(into: Drawing, call_id: str, note: JournalNote) -> None:
    _silence(into, call_id, heard="nothing")


def _sign_of_life(into: Drawing, call_id: str, note: JournalNote) -> None:
    facts = note.facts
    _silence(into, call_id, heard=facts["by"], pressed=facts["pressed"], said=facts["said"])
    _set(into.connection, call_id, topic=facts["topic"])
    tickets.choose_topic(into.connection, into.trail, call_id, facts["topic"], note.at)


def _silence(into: Drawing, call_id: str, **known: Any) -> None:
    asked = into.connection.scalar(select(Call.silence).where(Call.id == call_id)) or {}
    _set(into.connection, call_id, silence=asked | known)


def _stage(column: str | None = None, *, first: bool = False) -> Callable[[Drawing, str, JournalNote], None]:
    """Draw a stage; `column` takes its moment (`first`: only the first time)."""
    def draw(into: Drawing, call_id: str, note: JournalNote) -> None:
        values: dict[str, Any] = {"stage": note.kind}
        if column is not None:
            values[column] = func.coalesce(getattr(Call, column), note.at) if first else note.at
        if "operator" in note.facts:
            values["operator"] = note.facts["operator"]
        _set(into.connection, call_id, **values)
    return draw


def _talking(into: Drawing, call_id: str, note: JournalNote) -> None:
    _stage("talking_at", first=True)(into, call_id, note)
    _call_back(into, callbacks.somebody_answered, call_id, note.at)


def _ended(into: Drawing, call_id: str, note: JournalNote) -> None:
    _talked(into, call_id, note)
    kinds = list(into.connection.scalars(
        select(Note.kind).where(Note.call_id == call_id, Note.kind.in_(list(Stage))).order_by(Note.seq)))
    talked = into.connection.scalar(select(Call.talking_at).where(Call.id == call_id)) is not None
    path = [Stage(kind) for kind in kinds] + [Stage.TALKING] * talked       # (an adopted talk may lack the note)
    _ends(into, call_id, note, outcome(path, note.facts.get("by")))


def _adopted(into: Drawing, call_id: str, note: JournalNote) -> None:
    """A call that another process left behind, perhaps before it could note that there is one, or that they talk."""
    if _stage_of(into.connection, call_id) is None:
        _arrived(into, call_id, note)
    if note.facts["stage"] == Stage.TALKING:
        _set(into.connection, call_id, stage=Stage.TALKING, operator=note.facts["operator"],
             talking_at=func.coalesce(Call.talking_at, note.at))
        _call_back(into, callbacks.somebody_answered, call_id, note.at)


def _way_out(into: Drawing, call_id: str, note: JournalNote) -> None:
    """A call that the dialplan carried to its end: handed back by us, or never claimed (then this is all we know).

    One that ended before the dialplan did anything with it (no `why`) is an abandoned one.
    """
    stage = _stage_of(into.connection, call_id)
    if stage is None:
        _arrived(into, call_id, note)
    elif stage == Stage.ENDED or not note.facts["why"]:
        return                                  # told before; or it was in our hands, and its end is noted by them
    _set(into.connection, call_id, operator=note.facts["operator"])
    _talked(into, call_id, note)
    talked_for = note.facts.get("talked_for")
    path = [Stage.HANDED_BACK] if note.facts["why"] else []
    _ends(into, call_id, note, outcome(path, note.facts.get("by")), talked_for)
    if talked_for:
        _call_back(into, callbacks.somebody_answered, call_id, note.at)


def _talked(into: Drawing, call_id: str, note: JournalNote) -> None:
    """Asterisk's own book knows of a talk that nobody of us saw, or that we saw only in part."""
    if (began := note.facts.get("talking_at")) is not None:
        _set(into.connection, call_id, operator=func.coalesce(note.facts["operator"], Call.operator),
             talking_at=func.coalesce(Call.talking_at, datetime.fromisoformat(began)))


def _recounted(into: Drawing, call_id: str, note: JournalNote) -> None:
    """The same, of a call that has an end already."""
    _talked(into, call_id, note)
    told = Outcome.HANDED_BACK if note.facts["way_out"] else Outcome.ANSWERED
    into.connection.execute(
        update(Call).where(Call.id == call_id, Call.outcome == Outcome.ABANDONED).values(outcome=told))
    _call_back(into, callbacks.somebody_answered, call_id, note.at)


def _ends(
    into: Drawing, call_id: str, note: JournalNote, outcome: Outcome, talked_for: float | None = None
) -> None:
    """`ended_at` among the facts: the end was seen by nobody, and this is the nearest we know. `talked_for`: seconds
    that somebody did while the dialplan had the caller."""
    known = note.facts.get("ended_at")
    ended_at = datetime.fromisoformat(known) if known else note.at
    _set(into.connection, call_id, stage=Stage.ENDED, ended_at=ended_at, outcome=outcome)
    recordings.ended(into.connection, call_id, ends_at=ended_at)
    if wanted(outcome, talked_for):
        _call_back(into, callbacks.nobody_answered, call_id, ended_at)


def _call_back(
    into: Drawing, draw: Callable[[Connection, Trail, str, datetime], None], call_id: str, at: datetime
) -> None:
    """Open or clear the number's call-back task. Whatever is wrong with that, the call's own record is drawn."""
    trail = Trail()
    try:
        with into.connection.begin_nested():
            draw(into.connection, trail, call_id, at)
    except Exception as fault:
        if not _is_the_notes_fault(fault):
            raise
        log.exception("the call-back task of call %s cannot be drawn", call_id)
        return
    into.trail.entries += trail.entries


def _stage_of(connection: Connection, call_id: str) -> str | None:
    return connection.scalar(select(Call.stage).where(Call.id == call_id))


_DRAW: dict[str, Callable[[Drawing, str, JournalNote], None]] = {
    Stage.ARRIVED: _arrived,
    Stage.MENU: _stage("answered_at"),
    "chosen": _chosen,
    "prank": _prank,
    "prank lifted": _prank_lifted,
    "asked": _asked,
    "silent": _silent,
    "sign of life": _sign_of_life,
    "adopted": _adopted,
    Stage.QUEUED: _stage("queued_at", first=True),
    Stage.OFFERED: _stage("offered_at"),
    Stage.TALKING: _talking,
    Stage.HANDED_BACK: _stage(),
    Stage.ENDED: _ended,
    "way out": _way_out,
    "recounted": _recounted,
}


def _set(connection: Connection, call_id: str, **values: Any) -> None:
    connection.execute(update(Call).where(Call.id == call_id).values(**values))


async def unfinished(sessions: async_sessionmaker[AsyncSession], node: str) -> set[str]:
    """Ids of this node's calls that have no end yet."""
    async with sessions() as session:
        return set(await session.scalars(select(Call.id).where(Call.node == node, Call.stage != Stage.ENDED)))


async def progress(
    sessions: async_sessionmaker[AsyncSession], call_ids: Iterable[str]
) -> dict[str, tuple[str, datetime | None]]:
    """Of those of the ids that have a record: the stage, and since when somebody talks to them."""
    asked = list(call_ids)
    found: dict[str, tuple[str, datetime | None]] = {}
    async with sessions() as session:
        for begin in range(0, len(asked), _AT_ONCE):
            some = Call.id.in_(asked[begin:begin + _AT_ONCE])
            rows = await session.execute(select(Call.id, Call.stage, Call.talking_at).where(some))
            found |= {row.id: (row.stage, row.talking_at) for row in rows}
    return found
