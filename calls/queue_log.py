"""calls ◆ Asterisk's `queue_log` drawn from our journal, so that tools made for app_queue can read our queue, too.

Pure: notes in, lines out; it remembers the calls that are under way. Callers' numbers are left out: the file is a log.
Source: Asterisk's documentation, "Queue Logs".
"""
from dataclasses import dataclass
from datetime import datetime

from calls.journal import Note
from calls.stages import Stage

QUEUE = "112"
NONE = "NONE"


@dataclass(frozen=True, slots=True)
class Line:
    """One line, but for its time, which Asterisk writes."""

    unique_id: str          #: the call's id, or NONE
    agent: str              #: operator, or NONE
    event: str
    data: str = ""          #: fields separated by |


@dataclass(slots=True)
class _UnderWay:
    queued_at: datetime
    place: int              #: in the queue when it came, from 1
    agent: str = NONE
    offered_at: datetime | None = None
    talking_at: datetime | None = None


class QueueLog:
    """Follows the journal of one node."""

    def __init__(self) -> None:
        self._calls: dict[str, _UnderWay] = {}

    def lines(self, note: Note) -> list[Line]:
        """What this note adds to the queue log; most notes add nothing."""
        if note.kind == "desk":
            return _of_desk(note)
        if note.call_id is None:
            return []
        if note.kind == Stage.QUEUED and note.call_id not in self._calls:
            place = 1 + sum(call.talking_at is None for call in self._calls.values())
            self._calls[note.call_id] = _UnderWay(note.at, place)
            return [Line(note.call_id, NONE, "ENTERQUEUE", "|")]
        if (call := self._calls.get(note.call_id)) is None:
            return []
        return self._of_call(note, note.call_id, call)

    def _of_call(self, note: Note, call_id: str, call: _UnderWay) -> list[Line]:
        match note.kind:
            case Stage.OFFERED:
                call.agent, call.offered_at = str(note.facts["operator"]), note.at
            case "unanswered":
                rang = _ms(call.offered_at, note.at)
                return [Line(call_id, str(note.facts["operator"]), "RINGNOANSWER", str(rang))]
            case Stage.TALKING:
                call.talking_at = note.at
                ring = _ms(call.offered_at, note.at) // 1000
                return [Line(call_id, call.agent, "CONNECT", f"{_s(call.queued_at, note.at)}|{call_id}|{ring}")]
            case Stage.HANDED_BACK:
                del self._calls[call_id]
                return [Line(call_id, NONE, "EXITWITHTIMEOUT", self._left_waiting(note, call))]
            case Stage.ENDED:
                del self._calls[call_id]
                if call.talking_at is None:
                    return [Line(call_id, NONE, "ABANDON", self._left_waiting(note, call))]
                event = "COMPLETEAGENT" if note.facts.get("by") == "operator" else "COMPLETECALLER"
                held, talked = _s(call.queued_at, call.talking_at), _s(call.talking_at, note.at)
                return [Line(call_id, call.agent, event, f"{held}|{talked}|{call.place}")]
        return []

    def _left_waiting(self, note: Note, call: _UnderWay) -> str:
        """Place now, place at first, seconds waited."""
        before = sum(other.talking_at is None and other.queued_at < call.queued_at for other in self._calls.values())
        return f"{before + 1}|{call.place}|{_s(call.queued_at, note.at)}"


def _of_desk(note: Note) -> list[Line]:
    """Log-in, log-out, pause and its end. `facts`: operator, state, before, why."""
    agent, state, before = str(note.facts["operator"]), note.facts["state"], note.facts["before"]
    if before == "out":
        return [Line(NONE, agent, "ADDMEMBER")]
    if state == "out":
        return [Line(NONE, agent, "REMOVEMEMBER")]
    if state == "paused":
        return [Line(NONE, agent, "PAUSE", str(note.facts.get("why") or ""))]
    if before == "paused":
        return [Line(NONE, agent, "UNPAUSE")]
    return []


def _ms(since: datetime | None, until: datetime) -> int:
    return round((until - since).total_seconds() * 1000) if since else 0


def _s(since: datetime, until: datetime) -> int:
    return _ms(since, until) // 1000
