"""web: recordings, for reviewers: found by what became of their calls, heard with a reason, commented at a second.

Who listens is in the audit before the first byte leaves.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.exceptions import RequestValidationError
from pydantic import Field
from starlette.responses import FileResponse, Response

from calls.disposition import Disposition
from calls.stages import Outcome
from db.engine import reading_session
from db.models import Recording, RecordingComment, RecordingGap
from people.person import Person
from people.rights import COMMENT, LISTEN, READ, Resource
from recordings import review, review_store
from recordings.review_store import Reviewed, Wanted
from web import files, paging, problems, shapes
from web.access import may
from web.house import House
from web.shapes import Moment, row

Reader = Annotated[Person, may(READ, Resource.RECORDINGS)]
Listener = Annotated[Person, may(LISTEN, Resource.RECORDINGS)]
RecordingId = Annotated[int, Path(ge=1, le=2**31 - 1)]
Why = Annotated[shapes.Reason, Query(description="Why you listen; it stands in the audit")]
Seconds = Annotated[float | None, Query(ge=0, le=1e6, allow_inf_nan=False)]
Day = Annotated[date | None, Query(ge=date(2000, 1, 1), le=date(2999, 1, 1))]
OperatorName = Annotated[str | None, Query(pattern=r"^[0-9A-Za-z._-]{1,64}$")]

#: what lies where is nobody's business outside
INSIDE = frozenset({"raw_name", "archive_name", "peaks_name"})
_NO_SOUND: dict[int | str, dict[str, Any]] = {
    409: {"description": "There is no sound: not yet, or not at all"} | problems.DOCUMENTED}
_RANGE = files.RANGES | {206: files.RANGES[206] | {"content": {"audio/ogg": {}}}}

Gap: Any = shapes.model_of(RecordingGap, "ReviewedGap", without={"id", "recording_id"})
Comment: Any = shapes.model_of(RecordingComment, "RecordingComment", without={"recording_id"})
One: Any = shapes.model_of(
    Recording, "ReviewedRecording", without=INSIDE, operator=str | None, disposition=str | None, outcome=str | None,
    topic=str | None, arrived_at=Moment | None, talking_at=Moment | None, ended_at=Moment | None,
    waited_for=float | None, gaps=list[Gap], comments=int)


class Comments(shapes.Answer):
    """What was said about one recording, in the order in which it is heard."""

    items: list[Comment]


class Peaks(shapes.Answer):
    """For drawing the waveform: lowest and highest value (-1 to 1) of each stretch in turn, for each channel."""

    points_per_second: int
    seconds: float
    channels: list[list[float]]


class CommentBody(shapes.Body):
    """What is to be said about a second."""

    at_s: float = Field(ge=0, le=1e6, allow_inf_nan=False, description="Seconds from the recording's start")
    text: shapes.Reason


def router(house: House) -> APIRouter:
    """Routes under /api/recordings."""
    routes = APIRouter(prefix="/recordings")
    root = house.data / "recordings"

    @routes.get("", response_model=paging.Page[One], summary="Recordings, the newest first")
    async def newest(
        who: Reader, limit: paging.Limit = 50, after: paging.After = None, operator: OperatorName = None,
        disposition: Disposition | None = None, outcome: Outcome | None = None,
        topic: Annotated[shapes.Topic | None, Query()] = None, length_min: Seconds = None, length_max: Seconds = None,
        wait_min: Seconds = None, wait_max: Seconds = None, since: Annotated[Day, Query(alias="from")] = None,
        until: Annotated[Day, Query(alias="to")] = None, comments: bool | None = None,
    ) -> Any:
        """Lengths and waits (from arrival to talk) in seconds; days are local ones, the last one included."""
        wanted = Wanted(
            operator, disposition, outcome, topic, longest=length_max, shortest=length_min, longest_wait=wait_max,
            shortest_wait=wait_min, since=_midnight(since, house.timezone),
            until=_midnight(until and until + timedelta(days=1), house.timezone), commented=comments)
        key: Any = paging.key(after, datetime, int)
        async with reading_session(house.sessions) as session:
            found = await review_store.page(session, wanted, limit + 1, key)
        return paging.page([_said(one) for one in found], limit, lambda one: (one["starts_at"], one["id"]))

    @routes.get("/{recording_id}", response_model=One, summary="One recording")
    async def one(who: Reader, recording_id: RecordingId) -> Any:
        async with reading_session(house.sessions) as session:
            return _said(await review_store.one(session, recording_id))

    @routes.get(
        "/{recording_id}/audio", response_class=Audio, status_code=200, responses=_NO_SOUND | _RANGE,
        summary="Hear a recording, with a reason")
    async def audio(who: Listener, recording_id: RecordingId, reason: Why) -> Response:
        """Ogg/Opus, left the caller, right everybody else. For one range of bytes send `Range`."""
        sound = await review.sound(house.sessions, root, recording_id)
        await review.listened(house.sessions, recording_id, who.name, reason, datetime.now(UTC))
        return Audio(sound)

    @routes.head(
        "/{recording_id}/audio", response_class=Audio, status_code=200, responses=_NO_SOUND,
        summary="How long a recording's file is")
    async def about_audio(who: Listener, recording_id: RecordingId, reason: Why) -> Response:
        """How long it is, in bytes; nobody has heard anything."""
        return Audio(await review.sound(house.sessions, root, recording_id))

    @routes.get("/{recording_id}/peaks", response_model=Peaks, responses=_NO_SOUND, summary="A recording's waveform")
    async def peaks(who: Listener, recording_id: RecordingId) -> Any:
        file = await review.peaks(house.sessions, root, recording_id)
        return FileResponse(file.path, stat_result=file.stat, media_type="application/json")

    @routes.get("/{recording_id}/comments", response_model=Comments, summary="The comments on a recording")
    async def comments(who: Reader, recording_id: RecordingId) -> Any:
        async with reading_session(house.sessions) as session:
            await review_store.row(session, recording_id)
            return {"items": [row(said) for said in await review_store.comments(session, recording_id)]}

    @routes.post(
        "/{recording_id}/comments", status_code=201, response_model=Comment,
        summary="Comment on a second of a recording")
    async def comment(
        who: Annotated[Person, may(COMMENT, Resource.RECORDINGS)], recording_id: RecordingId, body: CommentBody
    ) -> Any:
        try:
            return row(await review.comment(
                house.sessions, recording_id, body.at_s, body.text, who.name, datetime.now(UTC)))
        except review.BeyondTheEnd as fault:
            wrong = {"loc": ("body", "at_s"), "msg": str(fault), "type": "value_error"}
            raise RequestValidationError([wrong]) from fault

    return routes


class Audio(files.Stored):
    """A sound, whole or one range of it."""

    media_type = "audio/ogg"

    def __init__(self, sound: review.Sound) -> None:
        super().__init__(sound.path, sha256=sound.sha256, size=sound.stat.st_size, stat=sound.stat)


def _said(one: Reviewed) -> dict[str, Any]:
    call = one.call
    return row(one.recording, without=INSIDE) | {
        "operator": call and call.operator, "disposition": call and call.disposition,
        "outcome": call and call.outcome, "topic": call and call.topic, "arrived_at": call and call.arrived_at,
        "talking_at": call and call.talking_at, "ended_at": call and call.ended_at, "waited_for": one.waited_for,
        "gaps": [row(gap) for gap in one.gaps], "comments": one.comments,
    }


def _midnight(day: date | None, zone: tzinfo) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), zone)
