"""A house that a story plays: phones are plugged in, people dial 112, and the journal tells what became of it.

The same stories are played in a house on a fake Asterisk in virtual time (fake_house.py) and in one on a real
Asterisk with SIP phones (real_house.py). Nobody sleeps for luck: a story waits for what must come (`until`), for
so long at most.
"""

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any, TypeVar
from uuid import uuid4

from sqlalchemy import Connection, Engine, Executable, insert, select

from calls import invariants
from calls.adopt import BRIDGE
from calls.centre import Centre
from calls.invariants import CallSeen, Picture
from calls.journal import Note
from calls.lost import SHORTEST_TALK
from calls.stages import ENDED, HANDED_BACK, STEPS, Stage
from calls.watch import picture
from db.models import Call, CallTicket, Recording, Ticket
from ivr.menu import Menu
from ivr.menu_file import SEED
from kentongan.followed import Followed
from routing.acd import Acd
from routing.desk import Desk
from routing.operators import OFFERED, OUT, RINGABLE, TALKING, State

T = TypeVar("T")


def menu_text(**changes: str) -> str:
    """The menu we ship, with short times; `changes`: new values by name."""
    text = SEED.read_text("utf-8")
    for name, value in ({"first_digit": str(FIRST_DIGIT)} | changes).items():
        text, changed = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
        assert changed == 1, name
    return text


#: The house's times (s), short because a real house plays in real time.
OFFER_FOR, RING_WITHIN, WRAP_UP_FOR, TELL_PLACE_EVERY = 2.0, 1.0, 0.2, 5.0
SILENT_FOR, ANSWER_FOR = 3.0, 1.5
#: Greeting and menu last so long together (s); then the first key may take so long.
SPOKEN_FOR, FIRST_DIGIT = 3.0, 0.5
#: Whose phone rings when callers wait too long; and then a number outside.
SUPERVISOR, OUTSIDE = "sri", "0800555901"
#: What must come comes within this (s), unless a story knows better.
PATIENCE = 15.0


@dataclass(frozen=True)
class Record:
    """What the database says of a call that is over."""

    stage: str
    outcome: str | None
    topic: str
    pressed: str
    number: str | None
    operator: str | None
    tickets: list[str]  #: the lifecycle of each
    recordings: list[tuple[str, str]]  #: raw name and state


class Voice(Enum):
    """What comes from a caller from the answer on."""

    SPEAKS = auto()
    SILENT = auto()  #: sound that flows, and nothing to be heard in it
    NOTHING = auto()  #: no sound at all


class Caller(ABC):
    """Somebody who dialled 112."""

    call_id: str | None = None  #: once the call was claimed

    @abstractmethod
    def presses(self, digits: str) -> None: ...

    @abstractmethod
    def speaks(self) -> None:
        """From now on."""

    @abstractmethod
    def falls_silent(self) -> None:
        """From now on; sound flows, and nothing is to be heard in it."""

    @abstractmethod
    async def answered(self) -> None: ...

    @abstractmethod
    async def hangs_up(self) -> None: ...

    @abstractmethod
    async def ended(self) -> None: ...


class Phone(ABC):
    """An operator's phone."""

    @abstractmethod
    async def picked_up(self) -> None:
        """Until the next call is answered here."""

    async def says_goodbye(self) -> None:
        """Hang up after a talk that was one: a shorter one would count as a fault of the phone."""
        await asyncio.sleep(SHORTEST_TALK + 0.1)
        await self.hangs_up()

    @abstractmethod
    async def hangs_up(self) -> None: ...

    @abstractmethod
    async def vanishes(self) -> None:
        """As if its power had failed."""


class House(ABC):
    """The centre with its queue, and the street outside."""

    centre: Centre
    acd: Acd
    menu: Followed[Menu]
    engine: Engine

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self._news = asyncio.Event()
        self._callers: set[str] = set()
        self.breaches: list[str] = []  #: what was seen that must never be
        self._seen: dict[str, CallSeen] = {}
        self._dial_string = "PJSIP/{number}@trunk"

    # --- what a story does

    async def phone(
        self, name: str, *, answers_after: float | None = 0.1, rings: bool = True, refuses: Any = None,
        registered: bool = True,
    ) -> Phone:  # fmt: skip
        """A phone that is plugged in: its operator is logged in. `registered=False`: we only think that it is there."""
        phone = await self._phone(name, answers_after, rings, refuses, registered)
        if not registered:
            self.acd.device(name, "NOT_INUSE")
        await self.comes(lambda: self.desk(name).state is not OUT or None, f"log-in of {name}")
        return phone

    async def supervisor(self, *, answers_after: float | None = 0.1) -> Phone:
        """The supervisor's phone is plugged in."""
        phone = await self._phone(SUPERVISOR, answers_after, True, None, True)
        await self.comes(lambda: self.acd.device_of(SUPERVISOR) in RINGABLE or None, "supervisor's phone")
        return phone

    async def outside(self, *, answers_after: float | None = 0.1) -> Phone:
        """Somebody behind the trunk whose number is among those that overflow may ring."""
        phone, self._dial_string = await self._outside(answers_after)
        return phone

    def limits(self, again_after: float = 30.0, **seconds: float) -> None:
        """The admin saves the overflow table: seconds for calls of any service."""
        limits = "".join(f"{step} = {after}\n" for step, after in seconds.items())
        self.writes_overflow(
            f'again_after = {again_after}\ndial = "{self._dial_string}"\n[outside]\npsc119 = "{OUTSIDE}"\n'
            f'[services.any]\nnumbers = ["psc119"]\n{limits}'
        )

    async def dials(
        self, number: str | None = "0800555001", *, name: str | None = None, keys: str = "", at: float = 0.2,
        claimed: bool = True, voice: Voice = Voice.SPEAKS,
    ) -> Caller:  # fmt: skip
        """Somebody dials 112 and presses `keys` from `at` seconds after the answer on; returns once it is claimed."""
        before = len(self.notes)
        caller = await self._dial(number, name, voice, keys, at)
        if claimed:
            arrived = await self.comes(
                lambda: next((n for n in self.notes[before:] if n.kind == "arrived"), None), "call"
            )
            caller.call_id = arrived.call_id
        return caller

    async def until(self, caller: Caller, kind: str, nth: int = 1, within: float = PATIENCE) -> Note:
        """The caller's nth note of this kind."""

        def found() -> Note | None:
            return next(iter([note for note in self.of(caller) if note.kind == kind][nth - 1 :]), None)

        return await self.comes(found, f"note {kind!r} number {nth} of {caller.call_id}", within)

    async def reported(self, why: str) -> Note:
        """The note of a call that the dialplan carried to its end, and why it did."""
        return await self.comes(
            lambda: next((n for n in self.notes if n.kind == "way out" and n.facts["why"] == why), None),
            f"report of a call {why}",
        )  # fmt: skip

    async def until_desk(self, name: str, *states: State, within: float = PATIENCE) -> Desk:
        """The desk, once it is in one of these states."""
        desk = self.desk(name)
        return await self.comes(lambda: desk if desk.state in states else None, f"{name} in {states}", within)

    async def comes(self, found: Callable[[], T | None], what: str, within: float = PATIENCE) -> T:
        """What `found` finds; looked for after every note, and every now and then."""
        give_up = asyncio.get_running_loop().time() + within
        while (it := found()) is None:
            if asyncio.get_running_loop().time() > give_up:
                raise AssertionError(f"no {what} within {within} s. The journal:\n{self.told()}")
            self._news.clear()
            try:
                async with asyncio.timeout(0.05):
                    await self._news.wait()
            except TimeoutError:
                continue
        return it

    def desk(self, name: str) -> Desk:
        return self.acd.desks[name]

    async def judged_before(self, number: str, disposition: str, times: int) -> None:
        """The number has called so often, a minute apart, and the operator's verdict was this."""
        await self.settled()
        await self.writes(insert(Call).values([
            {"id": f"{disposition}-{uuid4().hex[:6]}-{n}", "node": "kentongan", "caller_number": number,
             "stage": "ended", "outcome": "answered", "topic": "any", "pressed": "", "operator": "op01",
             "arrived_at": self.now() - timedelta(minutes=n), "disposition": disposition, "disposed_by": "op01"}
            for n in range(1, times + 1)
        ]))  # fmt: skip

    async def writes(self, statement: Executable) -> None:
        """Into the database, in one transaction."""
        with self.engine.begin() as connection:
            connection.execute(statement)

    def now(self) -> datetime:
        """By the clock of the house's calls."""
        return datetime.now(UTC)

    # --- what became of it

    def of(self, caller: Caller) -> list[Note]:
        """The caller's journal."""
        return [note for note in self.notes if note.call_id is not None and note.call_id == caller.call_id]

    def path(self, caller: Caller) -> list[str]:
        """The stages through which the call went."""
        return [note.kind for note in self.of(caller) if note.kind in set(Stage)]

    def outcome(self, caller: Caller) -> str | None:
        """What the database says became of the call; None: it is not over."""
        return self.outcome_of(caller.call_id)

    def outcome_of(self, call_id: str | None) -> str | None:
        with self._reads() as connection:
            return connection.scalar(select(Call.outcome).where(Call.id == call_id))

    async def over(self, caller: Caller, within: float = PATIENCE) -> Record:
        """The record of the call, once it is over."""
        await self.comes(
            lambda: next((n for n in self.of(caller) if n.kind in ("ended", "way out")), None),
            f"end of {caller.call_id}", within,
        )  # fmt: skip
        await self.settled()
        with self._reads() as connection:
            call = connection.execute(select(Call.__table__).where(Call.id == caller.call_id)).one()
            of_call = select(Ticket.lifecycle).join(CallTicket).where(CallTicket.call_id == caller.call_id)
            recordings = select(Recording.raw_name, Recording.state).where(Recording.call_id == caller.call_id)
            return Record(
                call.stage, call.outcome, call.topic, call.pressed, call.caller_number, call.operator,
                list(connection.scalars(of_call)), [tuple(row) for row in connection.execute(recordings)],
            )  # fmt: skip

    def recording_of(self, caller: Caller) -> str | None:
        """The state of the recording's row."""
        with self._reads() as connection:
            return connection.scalar(select(Recording.state).where(Recording.call_id == caller.call_id))

    def _reads(self) -> Connection:
        """Waits for no writer: writers may be waiting for this very loop."""
        return self.engine.connect().execution_options(reads=True)

    def told(self) -> str:
        """The journal in words for a person who looks for what went wrong."""
        return "\n".join(f"{n.at:%T.%f} {n.seq} {n.kind} {n.call_id or ''} {n.facts}" for n in self.notes)

    def hears(self, note: Note) -> None:
        """Listens to the journal; at every note it looks for what must never be (once a second the service does)."""
        self.notes.append(note)
        now = picture(self.centre, None)
        found = invariants.at_once(now, Picture(calls=tuple(self._seen.values())))
        self.breaches += [f"{breach} at {note.kind}" for breach in found]
        self.breaches += [str(note.facts)] if note.kind == "breach" else []
        self._seen |= {call.id: call for call in now.calls}
        self._news.set()

    async def is_in_order(self) -> None:
        """After every story: everybody has gone, and nothing of them is left anywhere."""
        await self.comes(lambda: (not self.centre.calls) or None, "end of every call")
        await self.comes(lambda: (not self.centre._tasks) or None, "end of every task")
        assert not self.breaches, f"{self.breaches}\n{self.told()}"
        numbers = [note.seq for note in self.notes]
        assert numbers == list(range(min(numbers, default=0), max(numbers, default=-1) + 1)), self.told()
        for call_id in {note.call_id for note in self.notes if note.kind in ("arrived", "adopted")}:
            self._is_legal([note for note in self.notes if note.call_id == call_id])
        assert not self.centre._legs
        assert not self.acd.queue()
        assert not {name for name, desk in self.acd.desks.items() if desk.state in (OFFERED, TALKING)}
        await self.is_empty()

    def _is_legal(self, notes: list[Note]) -> None:
        stage: Stage | None = None
        for note in notes:
            if note.kind == "adopted":
                stage = Stage(note.facts["stage"])
            elif note.kind in set(Stage) and not (stage is None and "ended_at" in note.facts):  # (an earlier story's)
                to = Stage(note.kind)
                assert to is Stage.ARRIVED if stage is None else to in STEPS[stage], self.told()
                stage = to
        assert stage in (None, ENDED, HANDED_BACK), self.told()

    # --- what differs

    @abstractmethod
    async def _phone(
        self, name: str, answers_after: float | None, rings: bool, refuses: Any, registered: bool
    ) -> Phone: ...

    @abstractmethod
    async def _outside(self, answers_after: float | None) -> tuple[Phone, str]:
        """The phone behind the trunk, and the dial string that reaches it."""

    @abstractmethod
    async def _dial(self, number: str | None, name: str | None, voice: Voice, keys: str, at: float) -> Caller: ...

    @abstractmethod
    async def settled(self) -> None:
        """Until the database has every note."""

    @abstractmethod
    async def is_empty(self) -> None:
        """Until Asterisk has no channel and no bridge; fails if that does not come."""

    @abstractmethod
    async def talks(self, caller: Caller) -> bool:
        """Whether the caller and one other share a bridge now."""

    @abstractmethod
    def writes_menu(self, text: str) -> None:
        """The admin saves the menu's file."""

    @abstractmethod
    def writes_overflow(self, text: str) -> None:
        """The admin saves the overflow table."""

    @abstractmethod
    async def stops(self) -> None:
        """The service stops, as after SIGTERM; Asterisk goes on."""

    @abstractmethod
    async def starts_again(self) -> None:
        """A new service for the same Asterisk and the same journal."""


__all__ = ["BRIDGE", "Caller", "House", "Phone", "Record"]
