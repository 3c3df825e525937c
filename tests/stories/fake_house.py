"""A house on a fake Asterisk, in virtual time: a story takes as long as Python needs to run it."""

import asyncio
from datetime import datetime
from functools import partial
from pathlib import Path

from sqlalchemy.exc import OperationalError

from calls import way_out
from calls.adopt import Snapshot
from calls.bulletin import on_duty
from calls.centre import Centre, Rules
from calls.journal import Note
from calls.life import live
from calls.overflow import Overflow
from calls.pranks_store import pranks_of
from calls.silence import Times
from calls.store import JournalStore
from calls.watch import watch
from db.engine import sync_engine
from ivr import menu_file
from kentongan.followed import Followed
from routing import overflow, overflow_file
from routing.acd import Acd
from routing.desk import Desk
from routing.operators import OUT
from routing.pranks import Past
from routing.seed import OPERATORS
from telephony.exchange import AriExchange
from tests.stories import fake
from tests.stories.house import (
    ANSWER_FOR,
    OFFER_FOR,
    OUTSIDE,
    RING_WITHIN,
    SILENT_FOR,
    SUPERVISOR,
    TELL_PLACE_EVERY,
    WRAP_UP_FOR,
    Caller,
    House,
    Phone,
    Voice,
    menu_text,
)


class MemoryJournal:
    """Notes in memory, at virtual time."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self.listeners = [self.notes.append]

    def note(self, kind: str, call_id: str | None = None, **facts: object) -> None:
        note = Note(len(self.notes) + 1, fake.now(), kind, call_id, facts)
        for listener in self.listeners:
            listener(note)


class Pen:
    """A service's own; the dead do not write."""

    def __init__(self, line: fake.Line, journal: MemoryJournal) -> None:
        self._line, self._journal = line, journal

    def note(self, kind: str, call_id: str | None = None, **facts: object) -> None:
        if not self._line.cut:
            self._journal.note(kind, call_id, **facts)


class FakeCaller(Caller):
    def __init__(self, asterisk: fake.FakeAsterisk, channel: fake.Channel, voice: Voice, keys: str, at: float) -> None:
        self._asterisk, self.channel = asterisk, channel
        asterisk._begin(self._plays(voice, keys, at))

    async def _plays(self, voice: Voice, keys: str, at: float) -> None:
        await self.channel.answered.wait()
        if voice is Voice.SPEAKS:
            self.speaks()
        await asyncio.sleep(at)
        for key in keys:
            self.presses(key)
            await asyncio.sleep(0.2)

    def presses(self, digits: str) -> None:
        for digit in digits:
            self._asterisk.presses(self.channel, digit)

    def speaks(self) -> None:
        self._asterisk.speaks(self.channel)

    def falls_silent(self) -> None:
        self._asterisk.falls_silent(self.channel)

    async def answered(self) -> None:
        await self.channel.answered.wait()

    async def hangs_up(self) -> None:
        self._asterisk.ends(self.channel)

    async def ended(self) -> None:
        await self.channel.gone.wait()


class FakePhone(Phone):
    def __init__(self, asterisk: fake.FakeAsterisk, phone: fake.Phone) -> None:
        self._asterisk, self._phone = asterisk, phone
        self._told: set[fake.Channel] = set()

    async def picked_up(self) -> None:
        async with asyncio.timeout(60):
            while not (up := {c for c in self._asterisk.of(self._phone) if c.state == "Up"} - self._told):
                await asyncio.sleep(0.01)
        self._told |= up

    async def hangs_up(self) -> None:
        for channel in self._asterisk.of(self._phone):
            self._asterisk.ends(channel, cause=0)

    async def vanishes(self) -> None:
        self._asterisk.unplugs(self._phone)


class FakeHouse(House):
    """Everything above ARI is the real thing."""

    def __init__(self, database: Path, menu: Path) -> None:
        """`database`: with this version's tables; `menu`: where its file shall be."""
        super().__init__()
        self.asterisk = fake.FakeAsterisk()
        self.graves: list[fake.Line] = []
        self.books_take, self.books_fail = 0.01, False      #: seconds; whether the database is away
        self.journal = MemoryJournal()
        self.journal.listeners.append(self.hears)
        self.engine = sync_engine(f"sqlite:///{database}")
        self._store = JournalStore(self.engine, "kentongan")
        self._menu_path = menu
        self.writes_menu(menu_text())
        prompts = dict.fromkeys(("greeting", "menu", "wrong_key", "campaign"), fake.PROMPT)
        self._overflow_path = menu.with_name("overflow.toml")
        self.menu = Followed(menu, menu_file.SEED, menu_file.shipped(), menu_file.reader(lambda language: prompts))
        self._opens()

    def _opens(self) -> None:
        line = self.line = fake.Line(self.asterisk)
        notes = Pen(line, self.journal)
        states = dict.fromkeys(OPERATORS, OUT)

        def desk_changed(desk: Desk) -> None:
            before, states[desk.name] = states.get(desk.name, OUT), desk.state
            if before is not desk.state:
                notes.note("desk", operator=desk.name, state=desk.state, before=before, why=desk.paused_for)

        table = Followed(
            self._overflow_path, overflow_file.SEED, overflow_file.shipped(), overflow.parse)
        self.acd = Acd(
            [Desk(name, frozenset(skills)) for name, skills in OPERATORS.items()],
            wrap_up_for=WRAP_UP_FOR, widen_after=15.0, on_change=desk_changed,
            now=lambda: fake.now().timestamp(),
            widen_after_for=lambda topic: table.current().widen_after(topic),
        )  # fmt: skip
        self.acd.on_shift(set(self.acd.desks))
        self.centre = Centre(
            AriExchange(line, lambda prompt: f"sound:{prompt}"),
            self.acd, self.menu.current, notes,
            Rules(offer_for=OFFER_FOR, ring_within=RING_WITHIN, tell_place_every=TELL_PLACE_EVERY,
                  silence=Times(SILENT_FOR, ANSWER_FOR)), live, self._books,
            Overflow(table.current, lambda: [SUPERVISOR]).climb,
        )  # fmt: skip
        self.asterisk.hears = self.centre.hears
        self.asterisk.device = self.acd.device
        self.asterisk.on_duty = partial(on_duty, self.acd)
        self.asterisk.reports = lambda report: self.asterisk._begin(way_out.reported(notes, report))
        self.watching = asyncio.create_task(self._watches(self.centre))

    async def _watches(self, centre: Centre) -> None:
        await self._news.wait()  # a house is opened in real time, and played in virtual time
        await watch(centre, self._bridges)

    async def _bridges(self) -> frozenset[str]:
        return frozenset(self.asterisk.mixes)

    async def _books(self, number: str, now: datetime) -> list[Past]:
        await asyncio.sleep(self.books_take)
        if self.books_fail:
            raise OperationalError("", {}, Exception("the database is away"))
        with self._reads() as connection:
            return [Past(*row) for row in connection.execute(pranks_of(number, now))]

    def now(self) -> datetime:
        return fake.now()

    async def _phone(
        self, name: str, answers_after: float | None, rings: bool, refuses: int | None, registered: bool
    ) -> Phone:
        phone = fake.Phone(name, answers_after, rings, refuses, registered)
        if registered:
            self.asterisk.plugs_in(phone)
        return FakePhone(self.asterisk, phone)

    async def _outside(self, answers_after: float | None) -> tuple[Phone, str]:
        phone = fake.Phone(f"{OUTSIDE}@trunk", answers_after)
        self.asterisk.plugs_in(phone)
        return FakePhone(self.asterisk, phone), "PJSIP/{number}@trunk"

    async def _dial(self, number: str | None, name: str | None, voice: Voice, keys: str, at: float) -> Caller:
        return FakeCaller(self.asterisk, self.asterisk.rings_112(number or "anonymous"), voice, keys, at)

    async def settled(self) -> None:
        last = self._store.last()
        if fresh := [note for note in self.journal.notes if note.seq > last]:
            self._store.commit(fresh)

    async def is_empty(self) -> None:
        await self.comes(lambda: (not self.asterisk.up and not self.asterisk.mixes) or None, "end of every channel")

    async def talks(self, caller: Caller) -> bool:
        return any(caller.call_id in mix and len(mix) == 2 for mix in self.asterisk.mixes.values())

    def writes_menu(self, text: str) -> None:
        self._menu_path.write_text(text, "utf-8")

    def writes_overflow(self, text: str) -> None:
        self._overflow_path.write_text(text, "utf-8")

    async def stops(self) -> None:
        self.asterisk.reports = lambda report: None
        await self.centre.stops()
        self.watching.cancel()
        self.asterisk.hears = lambda event: None

    def is_killed(self) -> None:
        """As by kill -9: from now on it does nothing, and nothing of it is tidied up."""
        self.line.cut = True
        self.watching.cancel()
        self.graves.append(self.line)
        self.asterisk.hears = lambda event: None
        self.asterisk.device = lambda name, state: None

    async def starts_again(self) -> None:
        self._opens()
        for phone in self.asterisk.phones.values():
            self.acd.device(phone.name, "INUSE" if self.asterisk.of(phone) else "NOT_INUSE")
        await self.centre.reconcile(self._look, at_once=True)

    async def _look(self) -> Snapshot:
        channels, bridges = await self.line.channels.list(), await self.line.bridges.list()
        ours = {channel.id for channel in self.asterisk.up.values() if channel.ours}
        return Snapshot(channels, bridges, ours, self.asterisk.since)

    async def close(self) -> None:
        """Everybody goes."""
        for channel in list(self.asterisk.up.values()):
            self.asterisk.ends(channel)
        await self.is_in_order()
        self.watching.cancel()
        for line in self.graves:
            line.buried.set_result(None)
        await self.asterisk.stop()
        self.engine.dispose()
