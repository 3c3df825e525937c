"""The porch: `kentongan tickets …`: reports: found, shown, opened, filled, verified, forwarded, closed."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from db.engine import reading_session
from db.models import Ticket
from kentongan.commands.house import Json, Sessions, show, who, with_sessions
from kentongan.settings import Settings
from tickets import clocks, filling, numbers, search_store, service, setup_store, store
from tickets.forwarding import State
from tickets.lifecycle import Lifecycle
from tickets.refused import Refused
from tickets.sources import Source
from tickets.told import is_unverified, told
from tickets.verification import Verification

app = typer.Typer(no_args_is_help=True, help="Reports.")

Number = Annotated[str, typer.Argument(help='As it is read aloud: 2611-0042, or "l 2611 7".')]
Fields = Annotated[list[str] | None, typer.Argument(
    help="FIELD=VALUE: place=Pasar, category=flood, answers.depth=1m, form.family_members=2; empty takes away.")]
Reason = Annotated[str, typer.Option(help="It stands in the ticket's history.")]
Steps = Callable[[Sessions, int], Awaitable[Ticket]]


@app.command("list")
def list_(
    words: Annotated[str, typer.Option("--search", help="Words, parts of numbers.")] = "",
    lifecycle: Annotated[list[Lifecycle] | None, typer.Option()] = None,
    verification: Annotated[Verification | None, typer.Option()] = None,
    service_: Annotated[str | None, typer.Option("--service")] = None,
    topic: Annotated[str | None, typer.Option()] = None, category: Annotated[str | None, typer.Option()] = None,
    agency: Annotated[str | None, typer.Option()] = None,
    late: Annotated[bool, typer.Option("--late", help="Only those whose clock has run out.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 50, json_: Json = False,
) -> None:
    """The newest first."""
    wanted = search_store.Wanted(
        words, lifecycle or (), verification, service_, topic, category, agency=agency, late=late)

    async def work(sessions: Sessions, settings: Settings) -> list[dict[str, Any]]:
        async with reading_session(sessions) as session:
            found = await search_store.page(session, wanted, now=_now(), limit=limit)
        return [{
            "number": line.ticket.number, "lifecycle": line.ticket.lifecycle, "verification": line.ticket.verification,
            "topic": line.ticket.topic, "category": line.ticket.category, "place": line.ticket.place,
            "agencies": [f"{one.agency}:{one.state}" for one in line.agencies], "created_at": line.ticket.created_at,
            "due_at": line.ticket.due_at} for line in found]

    show(with_sessions(work), json_, "no such ticket")


@app.command("show")
def show_(number: Number, json_: Json = False) -> None:
    """Everything that is known of one."""

    async def work(sessions: Sessions, settings: Settings) -> dict[str, Any]:
        async with reading_session(sessions) as session:
            ticket = await _named(session, number)
            return await _whole(session, ticket, datetime.now(ZoneInfo(settings.timezone)))

    found = with_sessions(work)
    show([found] if json_ else [{"what": name, "is": value} for name, value in _flat(found)], json_)


@app.command("open")
def open_(
    source: Annotated[Source, typer.Option(help="How the report came.")],
    service_: Annotated[str, typer.Option("--service")] = store.EMERGENCY,
    call: Annotated[list[str] | None, typer.Option(help="A call that it came by.")] = None, fields: Fields = None,
) -> None:
    """A report that came without a call, or one more out of a call."""
    values = _values(fields or [])
    _say(with_sessions(lambda sessions, settings: service.open_ticket(
        sessions, service=service_, source=source, calls=call or (), values=values, by=who(),
        now=datetime.now(ZoneInfo(settings.timezone)))))


@app.command()
def fill(number: Number, fields: Fields = None) -> None:
    """Write fields; what is not given stays."""
    values = _values(fields or [])
    _step(number, lambda sessions, ticket: service.fill(sessions, ticket, values, by=who(), now=_now()))


@app.command()
def check(number: Number) -> None:
    """Begin to find out whether it is true."""
    _step(number, lambda sessions, ticket: service.begin_check(sessions, ticket, by=who(), now=_now()))


@app.command()
def verify(
    number: Number, result: Literal["a1", "not_true", "cannot_be_checked"],
    evidence: Annotated[str, typer.Option(help="How it was found.")] = "",
) -> None:
    """The check's result. A1 needs the answers that the category's script requires."""
    found = Verification(result)
    _step(number, lambda sessions, ticket: service.verify(sessions, ticket, found, evidence, by=who(), now=_now()))


@app.command()
def override(number: Number, reason: Reason) -> None:
    """Danger to life: it may be forwarded before A1, marked unverified; your name stands there for ever."""
    _step(number, lambda sessions, ticket: service.override(sessions, ticket, reason, by=who(), now=_now()))


@app.command()
def forward(number: Number, agencies: Annotated[list[str], typer.Argument(help="Codes.")]) -> None:
    """Hand it to agencies: to all of these or to none. The running service sends it within seconds to those that have
    an address; `kentongan agencies list` shows all."""

    async def work(sessions: Sessions, settings: Settings) -> tuple[Ticket, list[dict[str, Any]]]:
        async with reading_session(sessions) as session:
            ticket_id = (await _named(session, number)).id
        ticket = await service.forward(sessions, ticket_id, agencies, by=who(), now=_now())
        async with reading_session(sessions) as session:
            return ticket, await _forwardings(session, ticket)

    ticket, told_to = with_sessions(work)
    _say(ticket)
    for one in told_to:
        print(f"{one['agency']}: {_standing(one)}")


@app.command()
def said(
    number: Number, agency: str, state: Literal["accepted", "on_the_way", "done", "refused"],
    why: Annotated[str, typer.Option()] = "",
) -> None:
    """What an agency said by telephone."""

    async def step(sessions: Sessions, ticket_id: int) -> Ticket:
        async with reading_session(sessions) as session:
            rows = await store.forwardings_of(session, ticket_id)
        found = next((row.id for row, one in rows if one.code == agency), None)
        if found is None:
            raise store.Unknown(f"ticket {number} was not forwarded to {agency}")
        return await service.agency_said(sessions, found, State(state), why, by=who(), now=_now())

    _step(number, step)


@app.command()
def close(number: Number, reason: Reason) -> None:
    """Nothing more is to be done."""
    _step(number, lambda sessions, ticket: service.close(sessions, ticket, reason, by=who(), now=_now()))


@app.command()
def reopen(number: Number, reason: Reason) -> None:
    """There is more to be done after all."""
    _step(number, lambda sessions, ticket: service.reopen(sessions, ticket, reason, by=who(), now=_now()))


def _step(number: str, step: Steps) -> None:
    async def work(sessions: Sessions, settings: Settings) -> Ticket:
        async with reading_session(sessions) as session:
            ticket_id = (await _named(session, number)).id
        return await step(sessions, ticket_id)

    _say(with_sessions(work))


def _say(ticket: Ticket) -> None:
    unverified = ", UNVERIFIED" if is_unverified(ticket) else ""
    print(f"{ticket.number}: {ticket.lifecycle}, verification {ticket.verification}{unverified}")


async def _named(session: AsyncSession, number: str) -> Ticket:
    """Raises store.Unknown."""
    return await store.ticket_with_number(session, numbers.as_typed(number) or number)


async def _whole(session: AsyncSession, ticket: Ticket, now: datetime) -> dict[str, Any]:
    about = await setup_store.about(session, ticket)
    rows = await store.forwardings_of(session, ticket.id)
    asked = [clocks.Asked(State(row.state), row.accept_by) for row, _ in rows]
    proposed = await service.proposed_agencies(session, ticket, now.time())
    return told(ticket, about) | {
        "lifecycle": ticket.lifecycle, "source": ticket.source, "reporter_name": ticket.reporter_name,
        "reporter_number": ticket.reporter_number, "evidence": ticket.evidence, "verified_by": ticket.verified_by,
        "created_at": ticket.created_at, "due_at": ticket.due_at, "version": ticket.version,
        "late": clocks.late(Lifecycle(ticket.lifecycle), ticket.due_at, asked, now),
        "missing": await filling.missing(session, ticket), "calls": list(await store.calls_of(session, ticket.id)),
        "proposed": [agency.code for agency in proposed],
        "forwardings": await _forwardings(session, ticket),
    }


async def _forwardings(session: AsyncSession, ticket: Ticket) -> list[dict[str, Any]]:
    return [{
        "agency": agency.code, "state": row.state, "accept_by": row.accept_by, "accepted_by": row.accepted_by,
        "reachable": store.is_reachable(agency), "phone": agency.phone,
    } for row, agency in await store.forwardings_of(session, ticket.id)]


def _standing(forwarding: dict[str, Any]) -> str:
    """How far an agency is; and whom to telephone, since it is told nothing without an address."""
    if forwarding["reachable"] or forwarding["state"] != State.QUEUED:
        return str(forwarding["state"])
    number = forwarding["phone"] or f"them, or kentongan agencies set {forwarding['agency']} --url URL"
    return f"{forwarding['state']} (no address: telephone {number})"


def _flat(found: dict[str, Any]) -> list[tuple[str, Any]]:
    """What there is, for a person to read down."""
    lines: list[tuple[str, Any]] = []
    for name, value in found.items():
        if name in ("answers", "form"):
            lines += [(one["name"], one["value"]) for one in value]
        elif name == "forwardings":
            lines += [(f"forwarded to {one['agency']}", _standing(one)) for one in value]
        elif value not in (None, [], False):
            lines.append((name, value))
    return lines


def _values(pairs: list[str]) -> dict[str, Any]:
    """FIELD=VALUE as `service.fill` takes them. Raises Refused."""
    values: dict[str, Any] = {}
    for pair in pairs:
        name, given, text = pair.partition("=")
        if not given:
            raise Refused(name, "write FIELD=VALUE")
        field, within, key = name.partition(".")
        if within:
            values.setdefault(field, {})[key] = _entry(text) if field == "form" else text
        elif field in ("latitude", "longitude") and text:
            values[field] = _entry(text)
        else:
            values[field] = text or None
    return values


def _entry(text: str) -> Any:
    """A number, true or false if it reads as one, else the text; None: nothing was written."""
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


def _now() -> datetime:
    return datetime.now(UTC)
