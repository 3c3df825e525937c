"""The porch: who calls on the demo's day, what they want, and what the operators will find: a plan, drawn from a
seed: the same seed is the same day.

The proportions are those that regencies report: between a quarter and nearly all calls are false; false, ghost and
information calls are counted apart. Here: 40 of a hundred report something, 26 ask, 16 joke, 10 say nothing.
"""

from dataclasses import dataclass
from random import Random

from calls.disposition import Disposition

#: of a hundred callers
PROPORTIONS = {
    Disposition.REAL: 38, Disposition.ADVICE_ONLY: 6, Disposition.INFORMATION: 26, Disposition.PRANK: 16,
    Disposition.GHOST: 10, Disposition.NOT_OUR_MATTER: 3, Disposition.TEST: 1,
}  # fmt: skip


#: Seconds between two callers, in the mean: as many as six operators can take.
PACE = 1.6


@dataclass(frozen=True)
class Report:
    """What somebody who reports will say, and what the operator writes down."""

    key: str                        #: in the menu
    topic: str
    category: str                   #: a category's code
    narrative: str
    agencies: tuple[str, ...]


REPORTS = (
    Report("1", "fire", "house-fire", "Rumah terbakar, api sudah sampai atap.", ("damkar",)),
    Report("1", "fire", "house-fire", "Kios di pasar terbakar, banyak asap.", ("damkar", "psc119")),
    Report("2", "medical", "sick-person", "Bapak tua sesak napas, tidak bisa berdiri.", ("psc119",)),
    Report("2", "medical", "high-risk-pregnancy", "Ibu hamil sembilan bulan, perdarahan.", ("psc119",)),
    Report("2", "medical", "traffic-accident", "Dua motor bertabrakan, satu orang tidak sadar.", ("psc119", "polres")),
    Report("3", "police", "crime", "Toko dibongkar, pelaku lari ke arah pasar.", ("polres",)),
    Report("4", "disaster", "flood", "Air masuk rumah setinggi lutut, ada lansia.", ("bpbd",)),
)


@dataclass(frozen=True)
class Caller:
    """One caller of the day. Lengths in seconds of the demo's own, raised speed."""

    dials_at: float                 #: since the day began
    number: str | None
    disposition: Disposition        #: what an operator will find
    key: str | None                 #: pressed in the menu
    presses_after: float            #: since the answer
    patience: float                 #: hangs up so long after the answer, if no operator has answered by then
    talks_for: float                #: what the operator needs
    report: Report | None
    is_true: bool                   #: whether a report stands up to the check


def day(seed: int, callers: int = 100) -> list[Caller]:
    """The day's callers by the moment they dial."""
    luck = Random(seed)
    kinds = [kind for kind, share in PROPORTIONS.items() for _ in range(share)]
    wanted = [kinds[n * len(kinds) // callers] for n in range(callers)] if callers <= len(kinds) else [
        luck.choice(kinds) for _ in range(callers)]
    luck.shuffle(wanted)
    moments = sorted(luck.uniform(0, callers * PACE) for _ in range(callers))
    return [_caller(luck, n, at, kind) for n, (at, kind) in enumerate(zip(moments, wanted, strict=True))]


def _caller(luck: Random, n: int, at: float, kind: Disposition) -> Caller:
    report = luck.choice(REPORTS) if kind is Disposition.REAL else None
    key = report.key if report else luck.choice(("0", "1", "2", None, None))
    hurried = luck.random() < 0.1       # leaves in the menu or in the queue
    return Caller(
        dials_at=at,
        number=None if kind is Disposition.GHOST and luck.random() < 0.5 else f"0800555{n:03}",
        disposition=kind, key=key, presses_after=luck.uniform(0.5, 4.0),
        patience=luck.uniform(0.5, 6.0) if hurried else 60.0,
        talks_for=luck.uniform(1.0, 2.0) if kind in _SHORT else luck.uniform(2.0, 4.5),
        report=report, is_true=luck.random() < 0.9)


_SHORT = {Disposition.PRANK, Disposition.GHOST, Disposition.TEST}
