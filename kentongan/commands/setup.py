"""The porch: `kentongan services …`, `categories …`, `rules …`: what an admin sets up, without a release."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from db.engine import reading_session
from db.models import Agency, ForwardRule
from kentongan.commands.house import Json, Sessions, show, who, with_sessions
from kentongan.settings import Settings
from tickets import setup, setup_store
from tickets.refused import Refused

services = typer.Typer(no_args_is_help=True, help="What people can ask for: each with form, numbers and clocks.")
categories = typer.Typer(no_args_is_help=True, help="What happened, with the questions that are asked about it.")
rules = typer.Typer(no_args_is_help=True, help="Whom tickets are proposed to.")

Topics = Annotated[str | None, typer.Option(help="With commas.")]
Accept = Annotated[float | None, typer.Option(help="Seconds in which an agency accepts.")]
Handle = Annotated[float | None, typer.Option(help="Seconds in which a report is handled.")]
Active = Annotated[bool | None, typer.Option("--active/--inactive", help="Whether it is offered.")]
Name = Annotated[str | None, typer.Option(help="As people know it.")]
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False)]
Script = Annotated[Path | None, typer.Option(
    exists=True, dir_okay=False, help='JSON: {"questions": [{"key", "text", "required"}, …]}')]


@services.command("list")
def list_services(json_: Json = False) -> None:
    """All, also those that are not offered any more."""

    async def work(sessions: Sessions, settings: Settings) -> list[dict[str, Any]]:
        async with reading_session(sessions) as session:
            return [{
                "code": one.code, "name": one.name, "prefix": one.prefix, "topics": one.topics,
                "form": one.form_version, "accept_for": one.accept_for, "handle_for": one.handle_for,
                "active": one.active} for one in await setup_store.services(session)]

    show(with_sessions(work), json_)


@services.command("add")
def add_service(
    code: str, name: Annotated[str, typer.Option()],
    prefix: Annotated[str, typer.Option(help='Before its tickets\' numbers, e.g. "A-".')],
    topics: Annotated[str, typer.Option(help="With commas.")], accept_for: Accept = None, handle_for: Handle = None,
) -> None:
    """A new service; its form comes with `services form`."""
    values = {"name": name, "prefix": prefix, "topics": _words(topics), "accept_for": accept_for,
              "handle_for": handle_for}
    with_sessions(lambda sessions, settings: setup.add_service(sessions, code, values, by=who(), now=_now()))
    print(f"service {code} is there; its form: kentongan services form {code} FILE")


@services.command("change")
def change_service(
    code: str, name: Name = None, prefix: Annotated[str | None, typer.Option()] = None, topics: Topics = None,
    accept_for: Accept = None, handle_for: Handle = None, active: Active = None,
) -> None:
    """What is given is changed. What is deactivated is offered no more; old tickets keep it."""
    values = _given(name=name, prefix=prefix, topics=None if topics is None else _words(topics), accept_for=accept_for,
                    handle_for=handle_for, active=active)
    done = with_sessions(lambda sessions, settings: setup.change_service(
        sessions, code, values, by=who(), now=_now()))
    print(f"service {code} is at version {done.version}")


@services.command("form")
def form(code: str, file: File) -> None:
    """A new version of its form, from a file with a JSON Schema; in force at once, old entries stay readable."""
    schema = _json(file, "schema")
    made = with_sessions(lambda sessions, settings: setup.add_form(sessions, code, schema, by=who(), now=_now()))
    print(f"the form of {code} is at version {made.version}")


@services.command("show-form")
def show_form(
    code: str, version: Annotated[int | None, typer.Option(help="Otherwise the one in force.")] = None
) -> None:
    """The JSON Schema of its form."""

    async def work(sessions: Sessions, settings: Settings) -> Any:
        async with reading_session(sessions) as session:
            wanted = version if version is not None else (await setup_store.service(session, code)).form_version
            return (await setup_store.form(session, code, wanted or 0)).schema

    print(json.dumps(with_sessions(work), indent=2, ensure_ascii=False))


@categories.command("list")
def list_categories(
    service: Annotated[str | None, typer.Option(help="Only of this one.")] = None, json_: Json = False
) -> None:
    """With their questions; those with ! must be answered for A1."""

    async def work(sessions: Sessions, settings: Settings) -> list[dict[str, Any]]:
        async with reading_session(sessions) as session:
            found = await setup_store.categories(session, service)
        return [{
            "code": one.code, "service": one.service, "topic": one.topic, "name": one.name, "active": one.active,
            "questions": one.script["questions"] if json_ else [
                question["key"] + "!" * question["required"] for question in one.script["questions"]],
        } for one in found]

    show(with_sessions(work), json_)


@categories.command("add")
def add_category(
    code: str, service: Annotated[str, typer.Option()], topic: Annotated[str, typer.Option()],
    name: Annotated[str, typer.Option()], script: Script = None,
) -> None:
    """A new category; without a script, its evidence is told in words."""
    values = _given(service=service, topic=topic, name=name, script=script and _json(script, "script"))
    with_sessions(lambda sessions, settings: setup.add_category(sessions, code, values, by=who(), now=_now()))
    print(f"category {code} is there")


@categories.command("change")
def change_category(
    code: str, name: Name = None, topic: Annotated[str | None, typer.Option()] = None, script: Script = None,
    active: Active = None,
) -> None:
    """What is given is changed, the script as a whole."""
    values = _given(name=name, topic=topic, script=script and _json(script, "script"), active=active)
    done = with_sessions(lambda sessions, settings: setup.change_category(
        sessions, code, values, by=who(), now=_now()))
    print(f"category {code} is at version {done.version}")


@rules.command("list")
def list_rules(json_: Json = False) -> None:
    """In the order in which they were made; what is empty fits all."""

    async def work(sessions: Sessions, settings: Settings) -> list[dict[str, Any]]:
        async with reading_session(sessions) as session:
            return [_rule(rule, agency) for rule, agency in await setup_store.rules(session)]

    show(with_sessions(work), json_, "nobody is proposed: kentongan rules add --topic TOPIC --agency CODE")


@rules.command("add")
def add_rule(
    agency: Annotated[str, typer.Option(help="Code of whom to propose.")],
    service: Annotated[str | None, typer.Option()] = None, topic: Annotated[str | None, typer.Option()] = None,
    area: Annotated[str | None, typer.Option(help="Code of a sub-district or a village.")] = None,
    starts: Annotated[str | None, typer.Option(help="Local time HH:MM.")] = None,
    ends: Annotated[str | None, typer.Option(help="Local time HH:MM; may lie on the next day.")] = None,
) -> None:
    """Propose an agency for tickets; what is not given fits all."""
    values = {"service": service, "topic": topic, "area": area, "starts": starts, "ends": ends, "agency": agency}
    made = with_sessions(lambda sessions, settings: setup.add_rule(sessions, values, by=who(), now=_now()))
    print(f"rule {made.id} proposes {agency}")


@rules.command("remove")
def remove_rule(rule: Annotated[int, typer.Argument(help="See `rules list`.")]) -> None:
    """The agency is not proposed by it any more."""
    with_sessions(lambda sessions, settings: setup.remove_rule(sessions, rule, by=who(), now=_now()))
    print(f"rule {rule} is gone")


def _rule(rule: ForwardRule, agency: Agency) -> dict[str, Any]:
    return {"id": rule.id, "agency": agency.code, "service": rule.service, "topic": rule.topic, "area": rule.area,
            "starts": rule.starts, "ends": rule.ends}


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


def _json(file: Path, field: str) -> Any:
    """Raises Refused."""
    try:
        return json.loads(file.read_text("utf-8"))
    except (ValueError, RecursionError) as wrong:
        raise Refused(field, f"{file} is no JSON in UTF-8: {wrong}") from None


def _now() -> datetime:
    return datetime.now(UTC)
