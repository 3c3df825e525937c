"""tickets: an agency follows its link: a person there says that they have the report.

The link is shown by GET and used by POST only: mail and chat programs open links by themselves.
"""

from dataclasses import dataclass
from datetime import datetime

from tickets import forwarding, link, store
from tickets.edit import Sessions, editing


@dataclass(frozen=True)
class Acknowledged:
    """`first`: this use of the link did it; otherwise it had been accepted before, then and by them."""

    first: bool
    forwarding_id: int
    ticket_number: str
    agency_code: str
    accepted_at: datetime
    accepted_by: str | None


async def acknowledge(sessions: Sessions, token: str, secret: bytes, by: str, now: datetime) -> Acknowledged:
    """The first use accepts the forwarding, and the ticket follows; later uses change nothing.

    `by` is the name that the person gave, "" if none. Raises store.Unknown for a link we did not make.
    """
    forwarding_id = link.forwarding_of(secret, token)
    if forwarding_id is None:
        raise store.Unknown("this link is not one of ours; check that it was copied whole")
    async with sessions() as session:
        ticket_id = (await store.forwarding(session, forwarding_id))[0].ticket_id
    async with editing(sessions, ticket_id, "", now) as edit:
        row, agency = await store.forwarding(edit.session, forwarding_id)
        edit.who = agency.code
        first = row.state in (forwarding.QUEUED, forwarding.SENT, forwarding.REFUSED)
        if first:
            row.accepted_at, row.accepted_by = now, by.strip() or None
            await edit.advance(row, agency, forwarding.ACCEPTED, row.accepted_by)
        assert row.accepted_at is not None
        return Acknowledged(first, row.id, edit.ticket.number, agency.code, row.accepted_at, row.accepted_by)
