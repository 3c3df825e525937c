"""tickets ◆ What an agency is told about a ticket: the same in its message and behind its link. Pure.

The report as it stands, whom it is about, and whether it is verified; nothing about the reporter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from db.models import Category, Ticket
from tickets import forms
from tickets.forwarding import Override, unverified
from tickets.verification import Verification


@dataclass(frozen=True)
class About:
    """What a ticket's codes stand for."""

    category: Category | None = None
    subdistrict: str | None = None  #: name
    village: str | None = None  #: name
    schema: Mapping[str, Any] | None = None  #: of the form, in the version that was filled


def override_of(ticket: Ticket) -> Override | None:
    """None: nobody has let it out before A1."""
    if ticket.override_by is None:
        return None
    return Override(ticket.override_by, ticket.override_reason or "")


def is_unverified(ticket: Ticket) -> bool:
    """Whether it goes out, or went out, on an override alone."""
    return unverified(Verification(ticket.verification), override_of(ticket))


def told(ticket: Ticket, about: About) -> dict[str, Any]:
    """JSON values. `answers` and `form` are lists of {"key", "name", "value"} in the script's and the form's order."""
    said = override_of(ticket)
    return {
        "ticket": ticket.number,
        "service": ticket.service,
        "topic": ticket.topic,
        "category": ticket.category,
        "category_name": about.category and about.category.name,
        "place": ticket.place,
        "subdistrict": about.subdistrict,
        "village": about.village,
        "latitude": ticket.latitude,
        "longitude": ticket.longitude,
        "narrative": ticket.narrative,
        "subject_name": ticket.subject_name,
        "subject_number": ticket.subject_number,
        "answers": _named(ticket.answers, _questions(about.category)),
        "form": _named(ticket.form, forms.titles(about.schema or {})),
        "verification": str(ticket.verification),
        "unverified": is_unverified(ticket),
        "override": said and {"by": said.by, "why": said.why},
    }


def _questions(category: Category | None) -> dict[str, str]:
    return {one["key"]: one["text"] for one in category.script["questions"]} if category is not None else {}


def _named(values: Mapping[str, Any], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """In the order of `names`; what has no name any more keeps its key for one."""
    keys = [key for key in names if key in values] + sorted(values.keys() - names.keys())
    return [{"key": key, "name": names.get(key, key), "value": values[key]} for key in keys]
