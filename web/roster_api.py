"""web: the roster: who is on and when, as JSON, CSV and iCalendar; in again as a whole. Operators themselves (names,
skills, who has left) are people and are changed at /api/users.

What takes long with a long roster (files, gaps) is made in a thread: calls share the loop.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator, Field, StringConstraints

from db.engine import reading_session
from people.person import Person
from people.rights import CHANGE, READ, Resource
from routing import roster_csv, roster_edit, roster_ical, store
from routing.roster import DAY, WEEKDAYS, Shift, on_duty
from routing.roster_edit import Change, Outcome, Unknown
from routing.roster_rules import LONGEST_FILE, Given, Known, thin_places
from web import etags, shapes
from web.access import may
from web.house import House
from web.paging import Page

_CSV, _ICS = "text/csv; charset=utf-8", "text/calendar; charset=utf-8"
Wall = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class ShiftSaid(shapes.Body):
    """One stretch of the day, local wall time; an end at or before the start lies on the next day."""

    code: shapes.Code
    starts: Wall
    ends: Wall


class ShiftsBody(shapes.Body):
    """All shifts that there shall be."""

    shifts: list[ShiftSaid] = Field(min_length=1, max_length=48)


class DutySaid(shapes.Answer):
    """Who has which shift: `day` is a weekday of the weekly pattern ("Monday"), or a date."""

    day: str
    shift: str
    operator: str


class RosterSaid(shapes.Answer):
    """The plan. A date with duties of its own has these in place of its weekday's."""

    timezone: str
    shifts: list[ShiftSaid]
    weekly: list[DutySaid]
    days: list[DutySaid]        #: from yesterday on


class OutcomeSaid(shapes.Answer):
    """What a change has done; or would do, if it was a dry run."""

    week: bool                  #: the weekly pattern is another one
    days: list[date]            #: have other duties of their own
    warnings: list[str]         #: where only one is on


class OnDuty(shapes.Answer):
    """Somebody whose shift it is."""

    name: str
    display_name: str
    skills: list[str]
    shift: str
    since: datetime
    until: datetime


class OnSaid(shapes.Answer):
    """Who is on duty at a moment."""

    at: datetime
    operators: list[OnDuty]


class ThinSaid(shapes.Answer):
    """A stretch with one seat or none; with `skill`: with nobody who has it."""

    skill: str | None
    when: str
    operators: list[str]


class OperatorSaid(shapes.Answer):
    """Who can be on the roster, if active."""

    name: str
    display_name: str
    skills: list[str]
    active: bool


def _near_enough(moment: datetime) -> datetime:
    if not 2000 <= moment.year <= 2100:
        raise ValueError("a moment between 2000 and 2100")
    return moment


At = Annotated[datetime | None, AfterValidator(lambda at: at and _near_enough(at)), Query(
    description="A moment; without a time zone it is the regency's. Left out: now")]
Reader = Annotated[Person, may(READ, Resource.ROSTER)]
Changer = Annotated[Person, may(CHANGE, Resource.ROSTER)]
DryRun = Annotated[bool, Query(description="Only look what would become of it")]


def _file(media_type: str) -> dict[str, Any]:
    return {"max_body_size": LONGEST_FILE, "response_model": OutcomeSaid, "openapi_extra": {"requestBody": {
        "required": True, "content": {media_type.partition(";")[0]: {"schema": {"type": "string"}}}}}}


def _gives(media_type: str) -> dict[str, Any]:
    return {"response_class": Response, "responses": {200: {
        "description": "The file", "content": {media_type.partition(";")[0]: {"schema": {"type": "string"}}}}}}


def router(house: House) -> APIRouter:
    """Routes under /api/roster, /api/roster.csv and /api/roster.ics."""
    routes, zone = APIRouter(tags=["roster"]), house.timezone

    def yesterday(now: datetime) -> date:
        return now.astimezone(zone).date() - DAY

    def change(who: Person, seen: int, dry_run: bool = False) -> Change:
        return Change(who.name, datetime.now(UTC), zone, seen, dry_run=dry_run)

    async def here() -> roster_edit.House:
        async with reading_session(house.sessions) as session:
            return await roster_edit.house(session)

    async def take(who: Person, seen: int, request: Request, response: Response, dry_run: bool,
                   read: Callable[[bytes, Known], Given]) -> dict[str, Any]:
        data = await request.body()
        return said(response, await roster_edit.take(
            house.sessions, partial(read, data), change(who, seen, dry_run)), seen, dry_run)

    def said(response: Response, outcome: Outcome, seen: int, dry_run: bool = False) -> dict[str, Any]:
        etags.tag(response, seen if dry_run else outcome.roster.fingerprint())
        return {"week": outcome.week, "days": outcome.days, "warnings": outcome.warnings}

    @routes.get("/roster", response_model=RosterSaid, summary="The whole roster")
    async def whole(who: Reader, response: Response) -> Any:
        """All shifts and duties. Its ETag is that of the files, too."""
        plan = (await here()).roster
        etags.tag(response, plan.fingerprint())
        to_come = plan.since(yesterday(datetime.now(UTC)))
        return {
            "timezone": str(zone), "shifts": [vars(shift) for shift in sorted(plan.shifts, key=lambda it: it.starts)],
            "weekly": [{"day": WEEKDAYS[duty.weekday], "shift": duty.shift, "operator": duty.operator}
                       for duty in sorted(plan.weekly, key=lambda it: (it.weekday, it.shift, it.operator))],
            "days": [{"day": duty.day.isoformat(), "shift": duty.shift, "operator": duty.operator}
                     for duty in sorted(to_come.days, key=lambda it: (it.day, it.shift, it.operator))]}

    @routes.get("/roster/on", response_model=OnSaid, summary="Who is on duty now, or at a moment")
    async def on(who: Reader, at: At = None) -> Any:
        """Who is on duty then. For what is long past: as the roster stands today."""
        moment = at or datetime.now(UTC)
        moment = moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)
        async with reading_session(house.sessions) as session:
            plan = await store.near(session, moment, zone)
            people = {row.name: row for row in await store.operators(session)}
        return {"at": moment, "operators": [
            {"name": stint.operator, "display_name": people[stint.operator].display_name,
             "skills": people[stint.operator].skills, "shift": stint.duty.shift,
             "since": stint.starts.replace(tzinfo=zone), "until": stint.ends.replace(tzinfo=zone)}
            for stint in sorted(on_duty(plan, moment, zone), key=lambda it: (it.starts, it.operator))]}

    @routes.get("/roster/gaps", response_model=Page[ThinSaid], summary="Where the roster is thin")
    async def gaps(who: Reader) -> Any:
        """Where the week, or a day to come that differs, has one seat or none; and where a skill is missing."""
        async with reading_session(house.sessions) as session:
            plan = await store.plan(session)
            skills = {row.name: row.skills for row in await store.operators(session)}
        places = await asyncio.to_thread(thin_places, plan, skills, datetime.now(UTC).astimezone(zone).date())
        return {"items": [vars(place) | {"operators": sorted(place.operators)} for place in places], "next": None}

    @routes.get("/roster/operators", response_model=Page[OperatorSaid], summary="Who can be on the roster")
    async def operators(who: Reader) -> Any:
        """Who can be on the roster, and who has left. They are changed at /api/users."""
        async with reading_session(house.sessions) as session:
            return {"items": await store.everybody(session), "next": None}

    @routes.put("/roster/shifts", response_model=OutcomeSaid, summary="Set all shifts")
    async def shifts(who: Changer, seen: etags.Seen, body: ShiftsBody, response: Response) -> Any:
        """All shifts at once, so that no change of one leaves a gap beside another for a while."""
        wanted = [Shift(shift.code, shift.starts, shift.ends) for shift in body.shifts]
        return said(response, await roster_edit.set_shifts(house.sessions, wanted, change(who, seen)), seen)

    @routes.delete(
        "/roster/days/{day}", response_model=OutcomeSaid, summary="Let the weekly pattern hold on a day again")
    async def restore(who: Changer, seen: etags.Seen, day: date, response: Response) -> Any:
        """The day does not differ any more: its weekday's duties hold again."""
        return said(response, await roster_edit.restore(house.sessions, day, change(who, seen)), seen)

    @routes.get("/roster.csv", **_gives(_CSV), summary="The roster as CSV")
    async def csv(who: Reader) -> Response:
        """`day,shift,operator`: the weekly pattern, and days that differ from yesterday on."""
        plan = (await here()).roster
        data = await asyncio.to_thread(roster_csv.write, plan.since(yesterday(datetime.now(UTC))))
        return _download(data, _CSV, "roster.csv", plan.fingerprint())

    @routes.put("/roster.csv", **_file(_CSV), summary="Bring in a roster as CSV")
    async def put_csv(
        who: Changer, seen: etags.Seen, request: Request, response: Response, dry_run: DryRun = False
    ) -> Any:
        """Weekly rows replace the whole weekly pattern (if there are any), dated rows replace those days."""
        return await take(who, seen, request, response, dry_run, roster_csv.read)

    @routes.get("/roster.ics", **_gives(_ICS), summary="The roster as a calendar")
    async def ics(who: Reader, operator: Annotated[str | None, Query(max_length=64)] = None) -> Response:
        """For calendars; with `operator` one person's duties."""
        there, now = await here(), datetime.now(UTC)
        if operator is not None and operator not in {one.name for one in there.operators}:
            raise Unknown("there is no such operator")
        data = await asyncio.to_thread(
            roster_ical.write, there.roster.since(yesterday(now)), there.operators, zone, now, operator)
        return _download(data, _ICS, "roster.ics", there.roster.fingerprint())

    @routes.put("/roster.ics", **_file(_ICS), summary="Bring in a roster as a calendar")
    async def put_ics(
        who: Changer, seen: etags.Seen, request: Request, response: Response, dry_run: DryRun = False
    ) -> Any:
        """As the CSV: what repeats every week is the weekly pattern, single events are days that differ."""
        return await take(who, seen, request, response, dry_run,
                          lambda data, known: roster_ical.read(data, zone, known))

    return routes


def _download(data: bytes, media_type: str, name: str, version: int) -> Response:
    answer = Response(data, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})
    etags.tag(answer, version)
    return answer
