"""tickets ◆ Two reports, one event? What speaks for it: how near the places are, how near the moments, whether both
tell of the same kind of thing. Pure. It proposes, with its reasons; people decide (tickets/merge.py).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import asin, cos, radians, sin, sqrt

#: mean radius, metres (IUGG)
_EARTH = 6_371_008.8
#: what a proposal must reach: a village and a moment in common, or a sub-district, a moment and a topic
_ENOUGH = 2.0


@dataclass(frozen=True)
class Near:
    """How far apart two reports of one event may be; the admin's settings."""

    #: metres, where both have coordinates
    within_m: float = 500.0
    #: between the moments at which the reports began
    within: timedelta = timedelta(minutes=60)


@dataclass(frozen=True)
class Report:
    """What is looked at of a ticket."""

    id: int
    at: datetime
    topic: str
    category: str | None
    subdistrict: str | None
    village: str | None
    #: where, in words
    place: str | None
    #: WGS 84, degrees: latitude and longitude
    point: tuple[float, float] | None


@dataclass(frozen=True)
class Likeness:
    """A proposal: `reasons` in words for the operator, the place first; the higher the score the likelier."""

    id: int
    score: float
    reasons: tuple[str, ...]


def proposals(report: Report, others: Iterable[Report], near: Near) -> list[Likeness]:
    """The likeliest first; of equals, the newest. The report itself is none."""
    found = [(alike, other.at) for other in others if (alike := likeness(report, other, near)) is not None]
    return [alike for alike, at in sorted(found, key=lambda one: (one[0].score, one[1], one[0].id), reverse=True)]


def likeness(report: Report, other: Report, near: Near) -> Likeness | None:
    """What speaks for one event; None if too little does. The same both ways but for the id."""
    apart = abs(report.at - other.at)
    place = _place(report, other, near)
    if report.id == other.id or apart > near.within or place is None:
        return None
    by_place, where = place
    by_kind, kind = _kind(report, other)
    sooner = 1 - apart / near.within if near.within else 1.0
    if by_place + by_kind + sooner < _ENOUGH:
        return None
    reasons = (where, f"{round(apart.total_seconds() / 60)} min apart", *kind)
    return Likeness(other.id, round(by_place + by_kind + sooner, 2), reasons)


def metres(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Great-circle distance of two points (latitude, longitude in degrees), by the haversine formula; within 0.5 %."""
    (lat1, lon1), (lat2, lon2) = ((radians(lat), radians(lon)) for lat, lon in (one, other))
    half = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return 2 * _EARTH * asin(sqrt(min(1.0, half)))


def _place(report: Report, other: Report, near: Near) -> tuple[float, str] | None:
    """The finest that both know decides; None: elsewhere, or nothing to compare."""
    if report.point and other.point:
        apart = metres(report.point, other.point)
        return (3.0, f"{round(apart)} m apart") if apart <= near.within_m else None
    if report.village and other.village:
        return (2.0, "same village") if report.village == other.village else None
    if report.subdistrict and other.subdistrict and report.subdistrict != other.subdistrict:
        return None
    if _words(report.place) and _words(report.place) == _words(other.place):
        return 2.0, "same words for the place"
    return (1.0, "same sub-district") if report.subdistrict and other.subdistrict else None


def _kind(report: Report, other: Report) -> tuple[float, tuple[str, ...]]:
    if report.category and report.category == other.category:
        return 2.0, ("same category",)
    if "any" in (report.topic, other.topic):
        return 0.0, ()
    return (1.0, ("same topic",)) if report.topic == other.topic else (-1.0, ())


def _words(place: str | None) -> str:
    return " ".join((place or "").casefold().split())
