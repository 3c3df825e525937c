"""From samples to a table ◆ Pure: values in, values out."""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median


@dataclass(frozen=True)
class Spread:
    """Lengths in ms."""

    n: int
    p50: float
    p99: float
    max: float


#: One run: lengths by name, and single figures by name.
@dataclass(frozen=True)
class Figures:
    spreads: Mapping[str, Spread]
    singles: Mapping[str, float]


def spread(seconds: Sequence[float]) -> Spread:
    """Percentiles are samples that occurred (nearest rank), never something in between."""
    if not seconds:
        return Spread(0, 0.0, 0.0, 0.0)
    ordered = sorted(value * 1000 for value in seconds)
    return Spread(len(ordered), _rank(ordered, 0.5), _rank(ordered, 0.99), ordered[-1])


def _rank(ordered: Sequence[float], share: float) -> float:
    return ordered[ceil(share * len(ordered)) - 1]


def middle(runs: Sequence[Figures]) -> Figures:
    """Of every figure the median over the runs; of `n` the smallest."""
    first = runs[0]
    return Figures(
        {name: Spread(min(run.spreads[name].n for run in runs),
                      median(run.spreads[name].p50 for run in runs),
                      median(run.spreads[name].p99 for run in runs),
                      median(run.spreads[name].max for run in runs)) for name in first.spreads},
        {name: median(run.singles[name] for run in runs) for name in first.singles})


def markdown(figures: Figures) -> str:
    """Two tables, to be read by people in a terminal, too."""
    lengths = [["", "p50", "p99", "max", "n"]]
    lengths += [[name, *(f"{ms:.1f} ms" for ms in (of.p50, of.p99, of.max)), str(of.n)]
                for name, of in figures.spreads.items()]
    singles = [["", "figure"], *([name, f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"]
                                 for name, value in figures.singles.items())]
    return _table(lengths) + "\n" + _table(singles)


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["| " + " | ".join(
        cell.ljust(width) if column == 0 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))) + " |" for row in rows]
    rule = "|" + "|".join("-" * (width + 2) if column == 0 else "-" * (width + 1) + ":"
                          for column, width in enumerate(widths)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]]) + "\n"
