"""calls: the figures of a stretch of time: what a centre's day is told by, counted in the database.

Every figure is about the calls that *arrived* in the stretch, and about the tickets that were opened in it; so the
figures of two days add up to those of both.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.models import Agency, Audit, Call, Callback, Forwarding, Note, Recording, Ticket

#: the words under which calls without an outcome (they go on) and without a disposition are counted
GOES_ON, NONE_YET = "goes on", "none yet"


@dataclass(frozen=True)
class Figures:
    """Counts by word; lengths in seconds."""

    calls: int
    outcomes: dict[str, int]
    topics: dict[str, int]
    without_number: int
    #: from arrival at the trunk to the operator's voice, of the answered calls, ascending
    waits: Sequence[float]
    #: of the answered calls
    dispositions: dict[str, int]
    tickets: int
    lifecycles: dict[str, int]
    verifications: dict[str, int]
    #: by agency's code, then by state
    forwardings: dict[str, dict[str, int]]
    #: from a call's arrival to the agency's acceptance, ascending
    accepted_after: Sequence[float]
    recordings: dict[str, int]
    callbacks: dict[str, int]

    def lines(self) -> list[str]:
        """As a person reads them."""
        def told(counts: dict[str, int]) -> str:
            return ", ".join(f"{word} {n}" for word, n in counts.items()) or "none"

        waits = [f"{share(self.waits, part):.1f}" for part in (0.5, 0.9, 1.0)] if self.waits else ["-"] * 3
        late = [f"{self.answered_within(limit) or 0:.0%} within {limit} s" for limit in (10, 15, 20) if self.waits]
        accepted = share(self.accepted_after, 0.5)
        return [
            f"calls         {self.calls}: {told(self.outcomes)}; {self.without_number} without a number",
            f"topics        {told(self.topics)}",
            f"waits         half {waits[0]} s, nine of ten {waits[1]} s, longest {waits[2]} s"
            + "".join(f"; {one}" for one in late),
            f"dispositions  {told(self.dispositions)}",
            f"tickets       {self.tickets}: {told(self.lifecycles)}",
            f"verification  {told(self.verifications)}",
            *(f"forwarded     to {code}: {told(states)}" for code, states in self.forwardings.items()),
            f"accepted      {'-' if accepted is None else f'{accepted:.1f} s'} after the call's arrival (half of them)",
            f"recordings    {told(self.recordings)}",
            f"call-backs    {told(self.callbacks)}",
        ]

    def answered_within(self, seconds: float) -> float | None:
        """The share of the answered calls that waited no longer; None if there are none."""
        return sum(wait <= seconds for wait in self.waits) / len(self.waits) if self.waits else None


def share(ascending: Sequence[float], part: float) -> float | None:
    """The value that `part` (0 to 1) of them do not exceed (nearest rank); None if there are none."""
    if not ascending:
        return None
    return ascending[min(len(ascending) - 1, max(0, round(part * len(ascending) + 0.5) - 1))]


async def figures(session: AsyncSession, since: datetime, until: datetime) -> Figures:
    """Of what arrived from `since` on, before `until`."""
    arrived = (Call.arrived_at >= since, Call.arrived_at < until)
    opened = (Ticket.created_at >= since, Ticket.created_at < until)

    async def by(word: Any, *where: Any, otherwise: str = NONE_YET) -> dict[str, int]:
        found = await session.execute(select(word, func.count()).where(*where).group_by(word))
        return {key or otherwise: count for key, count in sorted(found.all(), key=lambda row: row[0] or "~")}

    waits = await session.execute(
        select(Call.arrived_at, Call.talking_at).where(*arrived, Call.talking_at.is_not(None)))
    told = await session.execute(
        select(Agency.code, Forwarding.state, func.count())
        .join(Forwarding, Forwarding.agency_id == Agency.id).join(Ticket, Ticket.id == Forwarding.ticket_id)
        .where(*opened).group_by(Agency.code, Forwarding.state).order_by(Agency.code, Forwarding.state))
    forwardings: dict[str, dict[str, int]] = {}
    for code, state, count in told:
        forwardings.setdefault(code, {})[state] = count
    accepted = await session.execute(
        select(Ticket.created_at, Forwarding.accepted_at).join(Forwarding, Forwarding.ticket_id == Ticket.id)
        .where(*opened, Forwarding.accepted_at.is_not(None)))
    recorded = (Recording.starts_at >= since, Recording.starts_at < until)
    asked = (Callback.opened_at >= since, Callback.opened_at < until)
    outcomes = await by(Call.outcome, *arrived, otherwise=GOES_ON)
    lifecycles = await by(Ticket.lifecycle, *opened)
    return Figures(
        calls=sum(outcomes.values()), outcomes=outcomes, topics=await by(Call.topic, *arrived),
        without_number=await session.scalar(
            select(func.count()).select_from(Call).where(*arrived, Call.caller_number.is_(None))) or 0,
        waits=_lengths(waits),
        dispositions=await by(Call.disposition, *arrived, Call.talking_at.is_not(None)),
        tickets=sum(lifecycles.values()), lifecycles=lifecycles,
        verifications=await by(Ticket.verification, *opened), forwardings=forwardings,
        accepted_after=_lengths(accepted),
        recordings=await by(Recording.state, *recorded), callbacks=await by(Callback.state, *asked))


def _lengths(rows: Iterable[Any]) -> list[float]:
    return sorted((after - before).total_seconds() for before, after in rows)


async def books(session: AsyncSession, since: datetime) -> tuple[Sequence[Note], Sequence[Audit]]:
    """What was noted and what was changed from `since` on, line by line: what the records are drawn from."""
    notes = await session.scalars(select(Note).where(Note.at >= since).order_by(Note.node, Note.seq))
    return notes.all(), (await session.scalars(select(Audit).where(Audit.at >= since).order_by(Audit.seq))).all()
