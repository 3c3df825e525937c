"""What happens in a chaos run: who calls when, and which fault strikes when, drawn from a seed. Pure: the same seed is
the same run."""

from dataclasses import dataclass
from enum import StrEnum
from random import Random


class Kind(StrEnum):
    """A fault; the numbers are those of the table in docs/operations.md."""

    KILL = "service killed (1, 2, 3)"
    STOP = "service stopped with SIGSTOP (5)"
    CUT = "connections to Asterisk reset (8)"
    LOCK = "database locked (9)"
    FULL = "recordings' disk full (13)"
    PHONE = "a phone loses its power (14)"
    ASTERISK = "Asterisk killed (7)"


@dataclass(frozen=True)
class Fault:
    kind: Kind
    #: seconds from the first caller's turn to dial
    at: float
    #: seconds until it is over
    lasts: float


@dataclass(frozen=True)
class Citizen:
    """A caller. Times in seconds."""

    number: str
    dials_at: float
    key: str  #: "" for none
    pressed_at: float  #: after the answer
    patience: float  #: without an operator's voice; then they hang up
    talks_for: float  #: of an operator's voice; then they hang up


@dataclass(frozen=True)
class Run:
    callers: list[Citizen]
    faults: list[Fault]


#: how long a fault lasts at least and at most, and seconds of calm after it
_LASTS = {
    Kind.KILL: (0.0, 0.0), Kind.STOP: (1.0, 30.0), Kind.CUT: (0.0, 0.0), Kind.LOCK: (2.0, 15.0),
    Kind.FULL: (3.0, 10.0), Kind.PHONE: (2.0, 10.0), Kind.ASTERISK: (0.0, 0.0),
}  # fmt: skip
_CALM = 6.0


def draw(seed: int, callers: int, every: float, kinds: list[Kind] | None = None) -> Run:
    """So many callers, one every `every` seconds on the average. Asterisk is killed once, halfway; the other faults
    come one after the other, each kind as often as chance wills (`kinds`: exactly these, in this order)."""
    random = Random(seed)
    people = [
        Citizen(
            f"0800555{n:03}", random.uniform(0, callers * every), random.choice(["", "", "0", "1", "2", "3", "9"]),
            random.uniform(0.5, 6.0), random.choice([3.0, 20.0, 45.0, 60.0]), random.uniform(1.0, 4.0))
        for n in range(callers)
    ]  # fmt: skip
    length, at, faults = callers * every, 3.0, list[Fault]()
    others = [kind for kind in Kind if kind is not Kind.ASTERISK]
    while at < length if kinds is None else len(faults) < len(kinds):
        if kinds is not None:
            kind = kinds[len(faults)]
        else:
            done = any(fault.kind is Kind.ASTERISK for fault in faults)
            kind = Kind.ASTERISK if at > length / 2 and not done else random.choice(others)
        lasts = random.uniform(*_LASTS[kind])
        faults.append(Fault(kind, at, lasts))
        at += lasts + _CALM + random.uniform(0, _CALM)
    return Run(sorted(people, key=lambda citizen: citizen.dials_at), faults)
