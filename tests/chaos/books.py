"""The books of a chaos run held against each other: what the callers experienced, what Asterisk wrote, what we wrote.
Pure. Every complaint is a sentence; none means that nobody was lost."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from calls.reckoning import Differences

#: seconds that a recording may differ from its call without a row that says so
SOUND_OFF = 1.0


@dataclass(frozen=True)
class Experience:
    """The caller's own book. Moments in seconds since the run began."""

    number: str
    dialled_at: float
    #: a 200 came
    answered: bool
    #: seconds of an operator's voice
    talked_for: float
    ended_at: float


@dataclass(frozen=True)
class Record:
    """A call in our book."""

    id: str
    number: str | None
    stage: str
    outcome: str | None
    tickets: int
    #: of its recordings: state, seconds, seconds that gap rows account for
    recordings: list[tuple[str, float, float]] = field(default_factory=list)
    #: seconds from arrival to end
    lasted: float = 0.0
    arrived_at: float = 0.0


@dataclass(frozen=True)
class Task:
    """A call-back task in our book."""

    number: str | None
    state: str


@dataclass(frozen=True)
class Left:
    """What is there when all is over."""

    channels: int
    bridges: int
    #: operators who cannot be rung, with the reason
    stuck: Sequence[str]
    #: numbers of the journal's notes, in order
    notes: Sequence[int]
    breaches: float
    #: lines of logs and metrics in which a caller's number stands
    leaks: Collection[str]


def complaints(
    told: Sequence[Experience], records: Sequence[Record], tasks: Sequence[Task], left: Left, exchange: Differences,
    faults: Iterable[tuple[float, float]],
) -> list[str]:
    """`exchange`: where Asterisk's own book differs from ours. `faults`: from when to when sound may be missing,
    in seconds since the run began, each with its aftermath."""
    return [
        *_lost(told, records, tasks),
        *_unknown(told, records),
        *_disputed(exchange, {record.id for record in records if record.outcome == "cut by the exchange"}),
        *_doubled(told, records, tasks),
        *_mute(records, list(faults)),
        *(f"call {record.id} has {record.tickets} tickets" for record in records if record.tickets != 1),
        *(f"call {record.id} stands at {record.stage}" for record in records if record.stage != "ended"
          and record.outcome is None),
        *_remains(left),
    ]  # fmt: skip


def same(number: str | None) -> str:
    """What numbers are compared by: the last nine digits, however they are written."""
    return (number or "")[-9:]


def _lost(told: Sequence[Experience], records: Sequence[Record], tasks: Sequence[Task]) -> list[str]:
    asked = {same(task.number) for task in tasks}
    answered = {same(record.number) for record in records if record.outcome == "answered"}
    return [
        f"LOST: a caller who dialled at {one.dialled_at:.1f} s was answered, never heard a human, hung up at "
        f"{one.ended_at:.1f} s, and nobody is asked to call them back (…{one.number[-3:]})"
        for one in told
        if one.answered and not one.talked_for and same(one.number) not in asked | answered
    ]


def _unknown(told: Sequence[Experience], records: Sequence[Record]) -> list[str]:
    known = {same(record.number) for record in records}
    return [
        f"NO RECORD of the caller who dialled at {one.dialled_at:.1f} s (…{one.number[-3:]})"
        for one in told if one.answered and same(one.number) not in known
    ]  # fmt: skip


def _disputed(exchange: Differences, cut: Collection[str]) -> list[str]:
    """`cut`: calls whose end Asterisk could not write, since it had died."""
    return [
        f"{what}: {', '.join(calls)}" for what, calls in (
            ("NO RECORD of what Asterisk knows", exchange.without_record),
            ("in our book and not in Asterisk's", exchange.never_at_the_trunk),
            ("over for Asterisk, not for us", exchange.without_end),
            ("over for us, not for Asterisk", [call for call in exchange.going_on if call not in cut]),
            ("a talk, or its operator, that we know nothing of", exchange.answered_unseen),
        ) if calls
    ]  # fmt: skip


def _doubled(told: Sequence[Experience], records: Sequence[Record], tasks: Sequence[Task]) -> list[str]:
    dialled = Counter(same(one.number) for one in told)
    known = Counter(same(record.number) for record in records if record.number is not None)
    asked = Counter(same(task.number) for task in tasks if task.state in ("open", "asked") and task.number is not None)
    return [
        *(f"DOUBLED: {known[number]} records of a caller who dialled {times} times (…{number[-3:]})"
          for number, times in dialled.items() if known[number] > times),
        *(f"DOUBLED: {n} call-back tasks for one number (…{number[-3:]})" for number, n in asked.items() if n > 1),
    ]  # fmt: skip


def _mute(records: Sequence[Record], faults: Sequence[tuple[float, float]]) -> list[str]:
    found = []
    for record in records:
        began, ended = record.arrived_at, record.arrived_at + record.lasted
        struck = any(start <= ended and began <= end for start, end in faults)
        if not record.recordings:
            found.append(f"call {record.id} has no recording")
        for state, seconds, gaps in record.recordings:
            if state != "archived" and not struck:
                found.append(f"call {record.id}: its recording is {state}, and no fault struck it")
            elif state == "archived" and abs(record.lasted - seconds - gaps) > SOUND_OFF and not struck:
                found.append(f"call {record.id} lasted {record.lasted:.1f} s, {seconds:.1f} s are recorded, rows "
                             f"account for {gaps:.1f} s, and no fault struck it")
            elif state == "archived" and gaps > SOUND_OFF and not struck:
                found.append(f"call {record.id} lacks {gaps:.1f} s of sound, and no fault struck it")
    return found


def _remains(left: Left) -> list[str]:
    holes = sorted(set(range(1, max(left.notes, default=0) + 1)) - set(left.notes))
    return [
        *([f"{left.channels} channels are left in Asterisk"] if left.channels else []),
        *([f"{left.bridges} bridges are left in Asterisk"] if left.bridges else []),
        *(f"STUCK: {name}" for name in left.stuck),
        *([f"the journal lacks the notes {holes[:10]}"] if holes else []),
        *([f"{left.breaches:.0f} breaches of the invariants"] if left.breaches else []),
        *(f"a number stands in {where}" for where in left.leaks),
    ]
