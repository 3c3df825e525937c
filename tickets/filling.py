"""tickets: what is written into a ticket, looked up against what the admin has set up: does this category, this
village, this field of the form exist, and do they go together? And what A1 still needs.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from db.models import Category, Ticket
from tickets import fields, forms, setup_store, verification
from tickets.edit import Edit
from tickets.refused import Refused
from tickets.store import Unknown
from tickets.verification import A1


class Incomplete(Exception):
    """A1 needs more than the form says; `fields` names what."""

    def __init__(self, fields: list[str]) -> None:
        super().__init__(f"A1 needs: {', '.join(fields)}")
        self.fields = fields


async def write(edit: Edit, values: Mapping[str, Any]) -> None:
    """Write what is given, as tickets.fields describes it. Raises Refused; Incomplete if an A1 would lose what it
    rests on. Nothing has changed then, since the transaction ends with it."""
    given = fields.checked(values)
    lacked = await missing(edit.session, edit.ticket)
    await _check_place(edit, given)
    await _check_matter(edit, given)
    await _check_form(edit, given)
    for name, value in given.items():
        if isinstance(value, dict):
            edit.put_within(name, value)
        else:
            edit.put(name, value)
    if edit.ticket.verification == A1:
        lost = [name for name in await missing(edit.session, edit.ticket) if name not in lacked]
        if lost:
            raise Incomplete(lost)


async def missing(session: AsyncSession, ticket: Ticket) -> list[str]:
    """The fields that A1 still needs, in the order of the form: "place", "answers.trapped", "form.address"."""
    about = await setup_store.about(session, ticket)
    required = [one["key"] for one in _questions(about.category) if one["required"]]
    told = {name: getattr(ticket, name) for name in ("topic", "place", "village", "narrative", "evidence")}
    found = verification.missing_fields(told, ticket.answers, required)
    return found + (forms.missing(about.schema, ticket.form) if about.schema is not None else [])


async def _check_place(edit: Edit, given: dict[str, Any]) -> None:
    """A village lies in its sub-district, and brings it if that is not told. What stands there already may stay."""
    now = edit.ticket
    if not given.keys() & {"subdistrict", "village"}:
        return
    subdistrict, village = given.get("subdistrict", now.subdistrict), given.get("village", now.village)
    known = await setup_store.areas(edit.session, [subdistrict, village])
    for kind, code, before in (("subdistrict", subdistrict, now.subdistrict), ("village", village, now.village)):
        area = known.get(code) if code is not None else None
        if code is not None and code != before and (area is None or area.kind != kind or not area.active):
            raise Refused(kind, f"there is no {kind} of that code on the list")
    parent = known[village].parent if village is not None and village in known else None
    if parent is not None and "subdistrict" not in given:
        given["subdistrict"] = parent
    elif village is not None and subdistrict != parent:
        raise Refused("village", "this village lies in another sub-district; send both, or the village alone")


async def _check_matter(edit: Edit, given: dict[str, Any]) -> None:
    """Topic, category and answers go together; a category brings its topic if that is not told."""
    if not given.keys() & {"topic", "category", "answers"}:
        return
    now = edit.ticket
    code, topic = given.get("category", now.category), given.get("topic", now.topic)
    if topic not in ("any", now.topic):
        await _check_topic(edit.session, now.service, topic)
    category = await _category(edit, code)
    if category is not None and category.topic != topic and {"category", "topic"} & given.keys():
        if "topic" in given:
            field = "category" if "category" in given else "topic"
            fitting = f"category {category.code} is about {category.topic}; send both, or the category alone"
            raise Refused(field, fitting)
        given["topic"] = category.topic
    known = {one["key"] for one in _questions(category)} | now.answers.keys()
    for key in given.get("answers", {}):
        if key not in known:
            asked = ", ".join(one["key"] for one in _questions(category))
            raise Refused(f"answers.{key}", f"the category asks: {asked or 'nothing; choose a category first'}")


async def _check_topic(session: AsyncSession, service: str, topic: str) -> None:
    known = (await setup_store.service(session, service)).topics
    if topic not in known:
        raise Refused("topic", f"topics of {service} are: {', '.join(known)}")


async def _category(edit: Edit, code: str | None) -> Category | None:
    """What stands there already may stay, also if it is offered no more."""
    if code is None:
        return None
    stays = code == edit.ticket.category
    try:
        found = await setup_store.category(edit.session, code)
    except Unknown:
        if stays:
            return None  # from the time when categories were free words
        raise Refused("category", "there is no such category") from None
    if not stays and (found.service != edit.ticket.service or not found.active):
        raise Refused("category", f"service {edit.ticket.service} has no such category")
    return found


async def _check_form(edit: Edit, given: dict[str, Any]) -> None:
    """What is written is written against the form that is in force now."""
    if "form" not in given:
        return
    service = await setup_store.service(edit.session, edit.ticket.service)
    if service.form_version is None:
        raise Refused("form", f"service {service.code} has no form of its own")
    schema = (await setup_store.form(edit.session, service.code, service.form_version)).schema
    entries = {**edit.ticket.form, **given["form"]}
    forms.check_entries(schema, {name: value for name, value in entries.items() if value is not None})
    wanted = forms.attachments(schema)
    if wanted.keys() & given["form"].keys():
        kept = await setup_store.media_types(edit.session, edit.ticket.id)
        for name, begins in wanted.items():
            value = given["form"].get(name)
            if value is not None and not (type(value) is int and kept.get(value, "").startswith(begins)):
                raise Refused(f"form.{name}", f"it is the id of an attachment of this ticket, of a kind {begins}…")
    given["form_version"] = service.form_version


def _questions(category: Category | None) -> list[dict[str, Any]]:
    return category.script["questions"] if category is not None else []
