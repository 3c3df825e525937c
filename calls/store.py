"""calls: the database's side of calls. The call record, its draft ticket and its recording's row are drawn from the
journal, note by note, in the transaction that stores the note: so they exist exactly once, whatever fails."""
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, select, update
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from calls.journal import Note as JournalNote
from calls.stages import Outcome, Stage, outcome
from db.models import Call, Note
from recordings import store as recordings
from tickets import store as tickets

log = logging.getLogger(__name__)


class JournalStore:
    """Takes the notes of one node. Synchronous: it lives in the journal's writer thread."""

    def __init__(self, engine: Engine, node: str) -> None:
        self._engine, self._node = engine, node

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
            for note in notes if draw else ():
                if note.call_id is not None and (records := _DRAW.get(note.kind)) is not None:
                    records(connection, self._node, note.call_id, note)

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


def _arrived(connection: Connection, node: str, call_id: str, note: JournalNote) -> None:
    arrived_at = datetime.fromisoformat(note.facts["arrived_at"])
    number = note.facts["number"]
    connection.execute(insert(Call).values(
        id=call_id, node=node, caller_number=number, stage=Stage.ARRIVED, topic="any", pressed="",
        arrived_at=arrived_at))
    tickets.open_draft(connection, call_id, topic="any", reporter_number=number, at=arrived_at)
    recordings.expect(connection, call_id, raw_name=f"{call_id}.raw", starts_at=arrived_at)


def _chosen(connection: Connection, node: str, call_id: str, note: JournalNote) -> None:
    _set(connection, call_id, topic=note.facts["topic"], pressed=note.facts["pressed"])
    tickets.choose_topic(connection, call_id, note.facts["topic"], note.at)


def _stage(column: str | None = None, *, first: bool = False) -> Callable[[Connection, str, str, JournalNote], None]:
    """Draw a stage; `column` takes its moment (`first`: only the first time)."""
    def draw(connection: Connection, node: str, call_id: str, note: JournalNote) -> None:
        values: dict[str, Any] = {"stage": note.kind}
        if column is not None:
            values[column] = func.coalesce(getattr(Call, column), note.at) if first else note.at
        if "operator" in note.facts:
            values["operator"] = note.facts["operator"]
        _set(connection, call_id, **values)
    return draw


def _ended(connection: Connection, node: str, call_id: str, note: JournalNote) -> None:
    kinds = connection.scalars(
        select(Note.kind).where(Note.call_id == call_id, Note.kind.in_(list(Stage))).order_by(Note.seq))
    _set(connection, call_id, stage=Stage.ENDED, ended_at=note.at, outcome=outcome(Stage(kind) for kind in kinds))
    recordings.ended(connection, call_id, ends_at=note.at)


def _adopted(connection: Connection, node: str, call_id: str, note: JournalNote) -> None:
    """A call that another process left behind, perhaps before it could note that there is one."""
    if connection.scalar(select(Call.id).where(Call.id == call_id)) is None:
        _arrived(connection, node, call_id, note)


def _way_out(connection: Connection, node: str, call_id: str, note: JournalNote) -> None:
    """A call that the dialplan carried to its end: handed back by us, or never claimed (then this is all we know)."""
    if connection.scalar(select(Call.id).where(Call.id == call_id)) is None:
        _arrived(connection, node, call_id, note)
    _set(connection, call_id, stage=Stage.ENDED, ended_at=note.at, outcome=Outcome.HANDED_BACK,
         operator=note.facts["operator"])
    recordings.ended(connection, call_id, ends_at=note.at)


_DRAW: dict[str, Callable[[Connection, str, str, JournalNote], None]] = {
    Stage.ARRIVED: _arrived,
    Stage.MENU: _stage("answered_at"),
    "chosen": _chosen,
    "adopted": _adopted,
    Stage.QUEUED: _stage("queued_at", first=True),
    Stage.OFFERED: _stage("offered_at"),
    Stage.TALKING: _stage("talking_at", first=True),
    Stage.HANDED_BACK: _stage(),
    Stage.ENDED: _ended,
    "way out": _way_out,
}


def _set(connection: Connection, call_id: str, **values: Any) -> None:
    connection.execute(update(Call).where(Call.id == call_id).values(**values))
