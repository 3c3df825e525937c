"""The porch: `kentongan agencies …`: whom tickets are forwarded to, and where their reports are posted."""

import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from db.engine import reading_session
from db.models import Agency
from kentongan.commands.house import Json, Sessions, show, who, with_sessions
from kentongan.settings import Settings
from tickets.refused import Refused

app = typer.Typer(no_args_is_help=True, help="Whom tickets are forwarded to.")


@app.command("list")
def list_(json_: Json = False) -> None:
    """All, also those that are not active any more. One without an address is told nothing by itself."""
    from web import store  # only here: all commands would wait for FastAPI

    async def work(sessions: Sessions, settings: Settings) -> list[dict[str, Any]]:
        async with reading_session(sessions) as session:
            return [{
                "code": one.code, "name": one.name,
                "address": one.url if json_ or one.url else "no address: telephone", "phone": one.phone,
                "has_secret": one.secret is not None, "active": one.active} for one in await store.agencies(session)]

    show(with_sessions(work), json_)


@app.command("set")
def set_(
    code: str, name: Annotated[str | None, typer.Option(help="As people know it; a new agency needs one.")] = None,
    url: Annotated[str | None, typer.Option(help='Where reports are posted, https://…; "" for nowhere.')] = None,
    phone: Annotated[str | None, typer.Option(help='Whom an operator telephones there; "" for nobody.')] = None,
    secret: Annotated[str | None, typer.Option(help="whsec_…; one is made for an agency that has none.")] = None,
    active: Annotated[bool | None, typer.Option("--active/--inactive", help="Whether it is offered.")] = None,
) -> None:
    """What is given is changed; an agency that is not there is made, if it is given a name. A signing secret that we
    make is printed, this once."""
    from web import agencies_api, etags, store

    given = {"name": name, "url": url, "phone": phone, "secret": secret, "active": active}
    given = {field: None if value == "" and field != "name" else value
             for field, value in given.items() if value is not None}
    new_secret = agencies_api.signing_secret()

    async def work(sessions: Sessions, settings: Settings) -> tuple[Agency, bool, bool]:
        async with reading_session(sessions) as session:
            here = {one.code: one for one in await store.agencies(session)}
        found = here.get(code)
        if found is None and name is None:
            raise Refused("code", f"there is no such agency; give it a name to make it. There are: {', '.join(here)}")
        try:
            return await store.set_agency(
                sessions, code, _whole(code, found, given), new_secret, found.version if found else None, who(),
                datetime.now(UTC))
        except (etags.Stale, etags.Unseen):
            raise Refused("code", "somebody else has changed this agency meanwhile; nothing was written, try again"
                          ) from None

    agency, is_new, makes = with_sessions(work)
    done = f"agency {code} is {'made' if is_new else f'at version {agency.version}'}"
    if not makes:
        print(done)
        return
    print(f"{done}. Its signing secret is shown this once; give it to the agency:", file=sys.stderr)
    print(new_secret)           # alone, where a script reads


def _whole(code: str, found: Agency | None, given: dict[str, Any]) -> dict[str, Any]:
    """The agency as it shall be, by the rules of the door. Raises Refused."""
    from pydantic import TypeAdapter, ValidationError

    from web.complaints import words
    from web.shapes import AgencyBody, Code
    kept = {"url": None, "topics": []} if found is None else {
        field: getattr(found, field) for field in ("name", "url", "topics", "phone", "active")}
    try:
        TypeAdapter(dict[str, Code]).validate_python({"code": code})
        return AgencyBody(**kept | given).model_dump()
    except ValidationError as wrong:
        first = wrong.errors()[0]
        raise Refused(str(first["loc"][0]), words(first)) from None
