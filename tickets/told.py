"""tickets ◆ What an agency is told about a ticket: the same in its message and behind its link; and what its people
read of it at the doors. Pure.

The report as it stands, whom it is about, and whether it is verified; nothing about the reporter, nor about our work
with it: calls, notes, evidence, other agencies.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from db.models import Category, Ticket
from tickets import forms
from tickets.forwarding import Override, unverified
from tickets.verification import Verification

#: by the names in the answers of the doors: what an agency's person reads of a ticket, of its parts, of a file
_READ = frozenset({
    "id", "number", "service", "source", "lifecycle", "verification", "topic", "category", "answers", "form_version",
    "form", "subdistrict", "village", "place", "latitude", "longitude", "narrative", "subject_name", "subject_number",
    "merged_into", "due_at", "created_at", "updated_at", "verified_at", "override_by", "override_reason", "version",
    "unverified", "late", "forwardings", "agencies", "ticket", "title", "media_type", "size", "sha256", "at",
})  # fmt: skip
#: of these, each has an agency, and its own people read it
_EACH_ITS_OWN = ("forwardings", "agencies")


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


def for_agency(said: Mapping[str, Any], agency: str | None) -> dict[str, Any]:
    """What a person of this agency reads of an answer of the doors. Whatever is not known to be for them is emptied:
    a list or object has nothing in it, a number is 0, anything else is None."""
    read = {name: value if name in _READ else _emptied(value) for name, value in said.items()}
    for name in read.keys() & _EACH_ITS_OWN:
        read[name] = [one for one in read[name] if one["agency"] == agency]
    return read


def _emptied(value: Any) -> Any:
    return type(value)() if isinstance(value, (list, dict, int)) else None


def _questions(category: Category | None) -> dict[str, str]:
    return {one["key"]: one["text"] for one in category.script["questions"]} if category is not None else {}


def _named(values: Mapping[str, Any], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """In the order of `names`; what has no name any more keeps its key for one."""
    keys = [key for key in names if key in values] + sorted(values.keys() - names.keys())
    return [{"key": key, "name": names.get(key, key), "value": values[key]} for key in keys]
