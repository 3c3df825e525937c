"""The porch: `kentongan users …`: people, their roles, tokens and passwords."""

import json
import sys
from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from db.engine import reading_session
from ivr.menu import TOPICS
from kentongan.commands.house import Json, Sessions, show, who, with_sessions
from kentongan.settings import Settings
from people import service, store
from people.rights import Role
from people.rules import Invalid
from people.service import Changes
from routing import roster_edit

app = typer.Typer(no_args_is_help=True, help="People: roles, tokens, passwords.")

_SKILLS = TOPICS - {"any"}

Agency = Annotated[str | None, typer.Option(help="Of the role agency: code of theirs.")]
Skills = Annotated[str | None, typer.Option(help=f"Of an operator, with commas: {', '.join(sorted(_SKILLS))}.")]
Days = Annotated[int | None, typer.Option("--expires-days", help="The token ends after so many days.")]
Why = Annotated[str | None, typer.Option(help="For the audit.")]


@app.command()
def add(
    name: str, role: Annotated[Role, typer.Option()], display_name: Annotated[str | None, typer.Option()] = None,
    agency: Agency = None, skills: Skills = None, expires_days: Days = None, json_: Json = False,
) -> None:
    """Add somebody, and print the token by which a program acts as them: this once."""
    trained = _skills(skills)
    token = with_sessions(lambda sessions, settings: service.add(
        sessions, name, role, who(), _now(), display_name=display_name, agency=agency, skills=trained,
        expires_days=expires_days))
    desk = (" They have a desk at once; how Asterisk learns of their phone, without ending a call, stands in "
            "docs/roster.md (\"A new operator\").") if role is Role.OPERATOR else ""
    if role is Role.OPERATOR and not trained:
        desk += " They are trained for nothing yet: kentongan users skills NAME --skills fire,medical"
    _show_token(f"{name} is added as {role}.{desk}", name, token, json_)


@app.command("list")
def list_(json_: Json = False) -> None:
    """Everybody, by name; `tokens`: how many open a door now."""

    async def work(sessions: Sessions, settings: Settings) -> list[dict[str, Any]]:
        async with reading_session(sessions) as session:
            found = await store.users(session, _now())
        return [{
            "name": one.user.name, "display_name": one.user.display_name, "role": one.user.role,
            "agency": one.user.agency, "skills": one.skills, "active": one.user.active, "tokens": one.tokens,
            "password": one.user.password is not None} for one in found]

    show(with_sessions(work), json_, "nobody yet: kentongan users add NAME --role admin")


@app.command()
def token(name: str, expires_days: Days = None, json_: Json = False) -> None:
    """Print a new token of theirs: this once. The others stay."""
    new = with_sessions(lambda sessions, settings: service.new_token(
        sessions, name, who(), _now(), expires_days=expires_days))
    _show_token(f"{name} has a new token.", name, new, json_)


@app.command()
def tokens(name: str, json_: Json = False) -> None:
    """All tokens they ever had, by number; the tokens themselves are nowhere kept."""

    async def work(sessions: Sessions, settings: Settings) -> list[dict[str, Any]]:
        async with reading_session(sessions) as session:
            found = await store.tokens_of(session, name)
        return [{"id": one.id, "created_at": one.created_at, "expires_at": one.expires_at,
                 "revoked_at": one.revoked_at} for one in found]

    show(with_sessions(work), json_, f"{name} never had a token")


@app.command()
def revoke(
    name: str, id_: Annotated[int | None, typer.Option("--id", help="Only this one, see `users tokens`.")] = None,
    why: Why = None,
) -> None:
    """Let their tokens open nothing any more."""
    count = with_sessions(lambda sessions, settings: service.revoke(
        sessions, name, who(), _now(), token_id=id_, why=why))
    print(f"{count} tokens of {name} are revoked")


@app.command()
def role(name: str, role: Role, agency: Agency = None, skills: Skills = None, why: Why = None) -> None:
    """Give them another role, at once."""
    _change(name, Changes(role=role, agency=agency, skills=_skills(skills)), why)
    print(f"{name} is {role} now")
    if role is not Role.OPERATOR:
        _warn_if_nobody_is_on()


@app.command()
def rename(name: str, display_name: str, why: Why = None) -> None:
    """How they are called on pages; the name itself stays for ever."""
    _change(name, Changes(display_name=display_name), why)
    print(f"{name} is shown as {display_name.strip()}")


@app.command()
def skills(name: str, skills: str, why: Why = None) -> None:
    """What an operator is trained for, with commas, e.g. fire,medical; "" for nothing."""
    _change(name, Changes(skills=_skills(skills)), why)
    print(f"{name} is trained for: {skills or 'nothing'}")


@app.command()
def deactivate(name: str, why: Why = None) -> None:
    """Let nothing of theirs open a door any more, at once; their history stays."""
    _change(name, Changes(active=False), why)
    print(f"{name} is deactivated; all their tokens are revoked. An operator's desk is gone within seconds; how their "
          "phone is taken out of Asterisk, without ending a call, stands in docs/roster.md (\"An operator who "
          "leaves\")")
    _warn_if_nobody_is_on()


@app.command()
def activate(name: str, why: Why = None) -> None:
    """Let them in again; they need a new token."""
    _change(name, Changes(active=True), why)
    print(f"{name} is active; a new token: kentongan users token {name}")


@app.command()
def password(name: str) -> None:
    """Set their password: asked twice, or one line of what is piped in. It is kept for pages where people will log in;
    no door takes it yet: programs and the API go by tokens."""
    given = _password()
    with_sessions(lambda sessions, settings: service.set_password(sessions, name, given, who(), _now()))
    print(f"{name} has a new password; no door takes one yet")


def _change(name: str, changes: Changes, why: str | None) -> None:
    with_sessions(lambda sessions, settings: service.change(sessions, name, changes, who(), _now(), why=why))


def _warn_if_nobody_is_on() -> None:
    """What the admin has to mend at once: the roster has nobody of that name any more."""

    async def work(sessions: Sessions, settings: Settings) -> list[str]:
        return await roster_edit.nobody_on(sessions, _now().astimezone(ZoneInfo(settings.timezone)).date())

    for line in with_sessions(work):
        print(f"warning: {line}", file=sys.stderr)


def _skills(given: str | None) -> list[str] | None:
    """Raises Invalid."""
    if given is None:
        return None
    found = [skill for part in given.split(",") if (skill := part.strip())]
    if unknown := [skill for skill in found if skill not in _SKILLS]:
        raise Invalid("skills", f"{', '.join(unknown)}: skills are {', '.join(sorted(_SKILLS))}")
    return found


def _password() -> str:
    if sys.stdin.isatty():
        asked: str = typer.prompt("New password", hide_input=True, confirmation_prompt=True)
        return asked
    return sys.stdin.buffer.readline().decode(errors="surrogateescape").rstrip("\r\n")


def _show_token(what: str, name: str, token: str, json_: bool) -> None:
    """The token alone goes where a script reads."""
    if json_:
        print(json.dumps({"name": name, "token": token}))
        return
    print(f"{what} The token is shown this once; keep it where nobody else reads:", file=sys.stderr)
    print(token)


def _now() -> datetime:
    return datetime.now(UTC)
