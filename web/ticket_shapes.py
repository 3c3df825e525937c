"""web ◆ The shapes of what is sent to us about tickets, and of what we answer about them. Pure."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from db.models import Audit, Forwarding, OutboxMessage, Ticket
from people.person import Person
from people.rights import Role
from tickets import clocks, told
from tickets.fields import ANSWER
from tickets.forwarding import State
from tickets.sources import Source
from tickets.verification import Verification
from web import shapes
from web.shapes import Body, Code, Line, Reason, Words, model_of

_Answer = Annotated[str, StringConstraints(max_length=ANSWER), AfterValidator(shapes.storable)]
_Key = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(shapes.storable)]


class FillBody(Body):
    """What is given is written; null or blanks empty a field. Of `answers` and `form`, what is given within."""

    topic: Code | None = None
    category: Code | None = None
    answers: dict[_Key, _Answer | None] = Field({}, description="by the keys of the category's questions")
    form: dict[_Key, Any] = Field({}, description="the service's own fields, by its form's schema")
    subdistrict: Line | None = Field(None, description="code of an area")
    village: Line | None = Field(None, description="code of an area; it brings its sub-district")
    place: Words | None = None
    latitude: float | None = Field(None, ge=-90, le=90)
    longitude: float | None = Field(None, ge=-180, le=180)
    narrative: Words | None = None
    reporter_name: Line | None = None
    reporter_number: Line | None = None
    subject_name: Line | None = None
    subject_number: Line | None = None

    def given(self) -> dict[str, Any]:
        """The ticket's fields that were sent."""
        return self.model_dump(exclude_unset=True)


class OpenBody(FillBody):
    """A report that came without a call, or one more out of a call; with whatever is known already."""

    service: Code = "emergency"
    source: Source
    calls: list[Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.-]{1,128}$")]] = Field([], max_length=20)

    def given(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True, exclude={"service", "source", "calls"})


class VerificationBody(Body):
    """How the check goes: it begins ("checking"), or ends with a result and how that was found."""

    result: Literal[Verification.CHECKING, Verification.A1, Verification.NOT_TRUE, Verification.CANNOT_BE_CHECKED]
    evidence: Words = ""


class ReasonBody(Body):
    """Why: the danger that cannot wait for A1, why nothing more is to be done, why there is after all."""

    reason: Reason


class ForwardBody(Body):
    """To whom."""

    agencies: list[Code] = Field(min_length=1, max_length=50)


class AgencySaidBody(Body):
    """What an agency said, by telephone or otherwise than by its link."""

    state: Literal[State.ACCEPTED, State.ON_THE_WAY, State.DONE, State.REFUSED]
    why: Words = ""


Message: Any = model_of(OutboxMessage, "MessageSaid", without=("id", "forwarding_id", "payload"))
#: `reachable`: the agency has an address and a signing secret; one that has not must be telephoned
ForwardingSaid: Any = model_of(
    Forwarding, "ForwardingSaid", without=("ticket_id", "agency_id"), agency=str, agency_name=str, reachable=bool,
    message=Message)
HistoryLine: Any = model_of(Audit, "HistoryLine", without=("what", "which", "salt", "digest", "chain"))


class Proposed(shapes.Answer):
    """An agency that the rules propose."""

    agency: str
    name: str
    phone: str | None


#: `missing`: what A1 still needs; `unverified`: it goes out, or went out, on an override alone
TicketSaid: Any = model_of(
    Ticket, "TicketSaid", unverified=bool, missing=list[str], late=list[clocks.Late], calls=list[str],
    proposed=list[Proposed], forwardings=list[ForwardingSaid], history=list[HistoryLine])


def read_by(who: Person, said: dict[str, Any]) -> dict[str, Any]:
    """What they may read of an answer about a ticket."""
    return told.for_agency(said, who.agency) if who.role is Role.AGENCY else said
