"""tickets ◆ Whom a ticket is proposed to: service × topic × area × hour → agencies. Pure.

Every rule that fits proposes its agency; none hides another's: a village's own fire watch does not send the regency's
brigade home. What fits most closely stands first, and the operator decides.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import time


@dataclass(frozen=True)
class Rule:
    """One row of `forward_rules`; what is None fits all."""

    #: code
    agency: str
    #: code
    service: str | None = None
    topic: str | None = None
    #: code of a sub-district (with all its villages) or of a village
    area: str | None = None
    #: local wall time "HH:MM", the first minute
    starts: str | None = None
    #: local wall time "HH:MM", the first minute that is no longer in it; before (or at) the start: on the next day
    ends: str | None = None


@dataclass(frozen=True)
class Matter:
    """What of a ticket matters here."""

    service: str
    topic: str
    subdistrict: str | None
    village: str | None


def agencies_for(rules: Iterable[Rule], matter: Matter, at: time) -> list[str]:
    """Codes of the agencies to propose, each once: the most specific first, then by code. `at`: local wall time."""
    closest: dict[str, tuple[int, ...]] = {}
    for rule in rules:
        if fits(rule, matter, at):
            closest[rule.agency] = max(closest.get(rule.agency, ()), _closeness(rule, matter))
    return sorted(closest, key=lambda agency: ([-part for part in closest[agency]], agency))


def fits(rule: Rule, matter: Matter, at: time) -> bool:
    """Whether the rule is about this."""
    return (
        rule.service in (None, matter.service)
        and rule.topic in (None, matter.topic)
        and rule.area in (None, matter.subdistrict, matter.village)
        and _is_on(rule, f"{at:%H:%M}")
    )


def _is_on(rule: Rule, at: str) -> bool:
    if rule.starts is None or rule.ends is None:
        return True
    if rule.starts < rule.ends:
        return rule.starts <= at < rule.ends
    return at >= rule.starts or at < rule.ends


def _closeness(rule: Rule, matter: Matter) -> tuple[int, ...]:
    """The place counts most, then the hour, the topic, the service."""
    where = 0 if rule.area is None else 2 if rule.area == matter.village else 1
    return (where, rule.starts is not None, rule.topic is not None, rule.service is not None)
