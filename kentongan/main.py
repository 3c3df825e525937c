"""The porch: wires the rooms together and runs them: one process, one event loop.

`Service` is the whole house on one Asterisk; the command line, the demo and the story tests all start this one.
"""
import asyncio
import fcntl
import gc
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from zoneinfo import ZoneInfo

import aiohttp
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from calls import changes_store, pranks_store, way_out
from calls.adopt import Snapshot
from calls.aftermath import Aftermath
from calls.bulletin import Bulletin
from calls.centre import Centre, Rules
from calls.journal import Journal, Note
from calls.life import live
from calls.overflow import Overflow
from calls.silence import Times
from calls.stages import Stage
from calls.store import JournalStore
from calls.watch import watch
from db.engine import async_engine, reading_session, sync_engine
from ivr import build, menu_file
from ivr.sound import SoundError
from kentongan import last_known
from kentongan.followed import Followed
from kentongan.ground import Ground, lay, stand
from kentongan.guard import HEARTBEAT_FD, READY, STARTING
from kentongan.last_known import Known
from kentongan.settings import Settings, own_asterisk
from people import store as people_store
from recordings.archivist import Archivist
from routing import overflow, overflow_file, roster
from routing import store as routing_store
from routing.acd import Acd
from routing.desk import Desk
from routing.operators import OUT, UNREACHABLE
from telephony.agi import Agi
from telephony.ami import Ami, AmiError
from telephony.ari import Ari
from telephony.ari_operations import AriError
from telephony.asterisk import Asterisk, AsteriskError
from telephony.cel_book import CelBook
from telephony.exchange import AriExchange
from telephony.fetch import parse_version, unfit
from telephony.tasks import beside
from tickets import link
from tickets.outbox import Outbox
from tickets.similar import Near
from web import health, server
from web.app import make_app
from web.health import Health
from web.house import House
from web.metrics import Metrics

log = logging.getLogger(__name__)

#: Seconds between looks at the roster and at the list of phones that the way out rings.
ROSTER_EVERY = 5.0
#: Seconds between looks at what Asterisk holds.
LOOK_EVERY = 5.0
#: Seconds between looks at the house's own health.
HEALTH_EVERY = 4.0
#: Seconds before work beside the calls begins anew after a fault.
AGAIN_AFTER = 1.0
#: A loop that lags more than this many seconds is worth a warning.
LAG_ALARM = 0.05


class AlreadyRunningError(Exception):
    """Another service has this data folder."""


@asynccontextmanager
async def alone(settings: Settings) -> AsyncIterator[None]:
    """Hold the data folder for the body: two services on one journal would number their notes twice."""
    settings.data.mkdir(parents=True, exist_ok=True)
    with (settings.data / "service.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(
                f"A service is running on {settings.data} already. For a second one set KENTONGAN_DATA and the ports."
            ) from None
        yield


class Service:
    """The house, wired. `running()` opens and closes it; the attributes are its rooms."""

    def __init__(self, settings: Settings, ground: Ground) -> None:
        """Nothing runs yet."""
        self.settings, self.secrets = settings, ground.secrets
        self._engine, self._async_engine = sync_engine(settings.database_url), async_engine(settings.database_url)
        self.sessions: async_sessionmaker[AsyncSession] = async_sessionmaker(self._async_engine, expire_on_commit=False)
        self.prompts = settings.data / "prompts"
        self.journal = Journal(settings.data / "journal" / f"{settings.node}.jsonl",
                               JournalStore(self._engine, settings.node, ZoneInfo(settings.timezone)))
        self._laid = ground.laid
        self._known = replace(last_known.recall(settings.data) or Known(), supervisors=list(ground.supervisors))
        self.overflow = Followed(
            settings.data / "overflow.toml", overflow_file.SEED, overflow_file.shipped(), overflow.parse)
        self.acd = Acd(
            [Desk(operator.name, frozenset(operator.skills)) for operator in ground.operators],
            wrap_up_for=settings.wrap_up_for, widen_after=settings.widen_after, on_change=self._desk_changed,
            widen_after_for=lambda topic: self.overflow.current().widen_after(topic))
        self._desk_states = dict.fromkeys(self.acd.desks, OUT)
        self.menu = Followed(settings.data / "menu.toml", menu_file.SEED, menu_file.shipped(),
                             menu_file.reader(partial(build.durations, self.prompts)))
        self.ari = Ari(f"http://127.0.0.1:{settings.ari_port}/ari", "kentongan", self.secrets.ari, settings.node,
                       lambda event: self.centre.hears(event), self._asterisk_up, self._asterisk_down)
        self.centre = Centre(
            AriExchange(self.ari, self._sound), self.acd, self.menu.current, self.journal,
            Rules(settings.claim_within, settings.offer_for, settings.ring_within, settings.tell_place_every,
                  settings.deserted_for, Times(settings.silent_for, settings.answer_for)), live,
            partial(pranks_store.past, self.sessions),
            Overflow(self.overflow.current, lambda: self._known.supervisors).climb)
        self.ami = Ami("127.0.0.1", settings.ami_port, "kentongan", self.secrets.ami,
                       on_device=self._device_changed, on_up=self._ami_up)
        self.bulletin = Bulletin(self.ami, self.acd, lambda: "&".join(self.overflow.current().outside_of_any()))
        self._were_there: set[str] = set()          # whose phones were, before Asterisk was away; see _missed_phones
        self._last_call_at: datetime | None = None
        self.agi = Agi("127.0.0.1", settings.agi_port, partial(way_out.reported, self.journal))
        self._lag = 0.0             #: seconds, worst since somebody asked
        self._wake_archivist, self._wake_outbox = asyncio.Event(), asyncio.Event()
        self._recording_folders = settings.data / "spool", settings.data / "recordings"
        self._archivist = Archivist(self.sessions, *self._recording_folders, self._wake_archivist)
        self.health = Health({
            "asterisk": health.asterisk(lambda: self.ari.connected, self.ari.asterisk.version),
            "phones": health.phones(lambda: self.ami.connected, self._missed_phones),
            "trunk": health.trunk(lambda: self._last_call_at, lambda: self.centre.exchange_since),
            "database": health.database(self.sessions),
            "journal": health.journal(self.journal),
            "prompts": health.prompts(partial(build.missing, self.prompts)),
            "menu": health.menu(self._menu_fault),
            "overflow": health.menu(self._overflow_fault),
            "disk": health.disk(self.settings.data, *self._recording_folders),
            "recordings": health.recordings(lambda: self._archivist.trouble),
        })
        self._up, self._ready = asyncio.Event(), asyncio.Event()     # events flow; doors are open
        self._phones_up = asyncio.Event()                            # AMI has been there

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Service"]:
        """Run everything for the body. Whatever cannot go on by itself ends the body with its reason."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._async_engine.dispose)
            stack.callback(self._engine.dispose)
            for folder in self._recording_folders:
                with suppress(OSError):             # the health page tells
                    folder.mkdir(parents=True, exist_ok=True)
            self.journal.listen(self.bulletin.hears)
            self.journal.listen(self._hears)
            self.journal.on_commit(self._wake_archivist.set)
            await asyncio.to_thread(self.journal.open)
            stack.push_async_callback(self.journal.close)
            await stack.enter_async_context(self.ari)
            http = await stack.enter_async_context(aiohttp.ClientSession())
            async with asyncio.TaskGroup() as tasks:
                outbox = Outbox(self.sessions, http, self._link, self._wake_outbox)
                running = [tasks.create_task(work) for work in (
                    self.ari.run(), self.ami.run(),
                    server.serve(make_app(self._house()), self.settings.host, self.settings.http_port, self._ready.set),
                    *(_again_and_again(work) for work in (
                        self.agi.run, self.bulletin.run, self._follow_roster, self._look_after, self._settle_up,
                        self._watch_lag, self._watch_health, self.centre.mind_the_waiting, self._watch_centre,
                        self._archivist.run, outbox.run,
                        partial(changes_store.tell, self.journal, self.sessions, self.settings.node))),
                )]
                try:
                    await self._ready.wait()
                    yield self
                finally:
                    if not self.ari.fenced:         # else another process has our calls
                        await self.centre.stops()
                    self.acd.stops()
                    for task in running:
                        task.cancel()

    def _hears(self, note: Note) -> None:
        if note.kind in (Stage.ARRIVED, "way out"):
            self._last_call_at = note.at

    def _house(self) -> House:
        """As the doors see it."""
        return House(
            centre=self.centre, sessions=self.sessions, journal=self.journal,
            health=self.health,
            metrics=Metrics(self.centre, self.journal, self.ari, self._worst_lag),
            api_token=self.secrets.api, link_secret=self.secrets.links, wake_outbox=self._wake_outbox,
            timezone=ZoneInfo(self.settings.timezone), data=self.settings.data, node=self.settings.node,
            near=Near(self.settings.similar_within_m, timedelta(minutes=self.settings.similar_within_min)))

    def _menu_fault(self) -> str | None:
        self.menu.current()
        return self.menu.fault

    def _overflow_fault(self) -> str | None:
        self.overflow.current()
        return self.overflow.fault

    def _sound(self, prompt: str) -> str:
        """In the menu's language."""
        return f"sound:{self.prompts / self.menu.current().language / prompt}"

    def _link(self, forwarding_id: int) -> str:
        return f"{self.settings.public_url}/a/{link.token(self.secrets.links.encode(), forwarding_id)}"

    # --- Asterisk

    async def _asterisk_up(self) -> None:
        if reason := unfit(parse_version(await self.ari.asterisk.version())):
            raise AsteriskError(f"The Asterisk on port {self.settings.ari_port} must not be used: {reason}")
        await self.centre.reconcile(self._snapshot, at_once=True)
        self._up.set()

    async def _snapshot(self) -> Snapshot:
        application = await self.ari.applications.get(self.ari.app)
        return Snapshot(await self.ari.channels.list(), await self.ari.bridges.list(), set(application.channel_ids),
                        await self.ari.asterisk.started_at())

    async def _alive(self) -> set[str]:
        alive = {channel.id for channel in await self.ari.channels.list()} | self.centre.calls.keys()
        await self.journal.settled()
        return alive

    async def _look_after(self) -> None:
        """Look every now and then for what events did not tell."""
        await self._up.wait()
        while True:
            await asyncio.sleep(LOOK_EVERY)
            if self.ari.connected:
                await self.centre.reconcile(self._snapshot, at_once=False)

    async def _settle_up(self) -> None:
        """Note what ended while nobody of us was there; then, every now and then, what no report told us either."""
        await self._up.wait()
        with suppress(TimeoutError):                # without AMI, what it could tell is told later
            async with asyncio.timeout(LOOK_EVERY):
                await self._phones_up.wait()
        data = self.settings.data
        with closing(CelBook(data / "events/calls.csv")) as book:
            aftermath = Aftermath(self.journal, self.sessions, self.settings.node, data / "spool", data / "rescued",
                                  book, self._alive)
            await self._catch_up()
            await self.journal.settled()
            await aftermath.tell(at_start=True)
            while True:
                await asyncio.sleep(LOOK_EVERY)
                await self._catch_up()
                with suppress(AriError, SQLAlchemyError):           # at the next look
                    if self.ari.connected:
                        await aftermath.tell(at_start=False)

    async def _catch_up(self) -> None:
        with suppress(AmiError):                    # at the next look
            await way_out.catch_up(self.journal, self.ami, self.journal.settled)

    async def _ami_up(self) -> None:
        self._phones_up.set()
        await self.bulletin.up()

    def _asterisk_down(self) -> None:
        self.centre.hears_nothing()
        self._were_there |= {desk.name for desk in self.acd.desks.values() if _has_phone(desk)}
        if self.centre.claiming:            # (else we are stopping)
            log.warning("no events from Asterisk: new calls go the way out until they are back")

    def _device_changed(self, device: str, state: str) -> None:
        if device.startswith("PJSIP/"):
            self.acd.device(device.removeprefix("PJSIP/"), state)

    def _missed_phones(self) -> list[str]:
        """Of those on shift, whose phone was there before Asterisk was away and has not come back."""
        self._were_there &= {desk.name for desk in self.acd.desks.values() if desk.on_shift and not _has_phone(desk)}
        return sorted(self._were_there)

    # --- desks

    def _desk_changed(self, desk: Desk) -> None:
        self.bulletin.look()
        before = self._desk_states.get(desk.name, OUT)
        self._desk_states[desk.name] = desk.state
        if before is not desk.state:
            self.journal.note("desk", None, operator=desk.name, state=desk.state, before=before, why=desk.paused_for)

    async def _follow_roster(self) -> None:
        while True:
            now, zone = datetime.now(UTC), ZoneInfo(self.settings.timezone)
            with suppress(SQLAlchemyError, OSError, TimeoutError):      # the database is away: what is known goes on
                await self._ask_the_roster(now, zone)
            if self._known.operators:
                self.acd.trained(self._known.operators)
                self.acd.on_shift(roster.who_is_on(self._known.plan, now, zone))
            self.bulletin.look()
            await asyncio.sleep(ROSTER_EVERY)

    async def _ask_the_roster(self, now: datetime, zone: tzinfo) -> None:
        if not self._laid:
            await lay(self.settings)
            self._laid = True
            log.warning("the database is back; its tables are this version's")
        async with asyncio.timeout(ROSTER_EVERY), reading_session(self.sessions) as session:
            plan = await routing_store.near(session, now, zone)
            operators = await routing_store.operators(session)
            supervisors = await people_store.supervisors(session)
        known = Known({operator.name: sorted(operator.skills) for operator in operators}, plan, supervisors)
        if known != self._known:
            self._known = known
            await asyncio.to_thread(last_known.keep, self.settings.data, known)

    # --- watching ourselves

    async def _watch_centre(self) -> None:
        await self._up.wait()
        await watch(self.centre, self._bridges)

    async def _bridges(self) -> frozenset[str] | None:
        try:
            return frozenset(bridge.id for bridge in await self.ari.bridges.list()) if self.ari.connected else None
        except AriError:
            return None

    async def _watch_health(self) -> None:
        """What begins or ceases to be wrong stands in the log, whoever asks for it."""
        failing: set[str] = set()
        while True:
            await asyncio.sleep(HEALTH_EVERY)
            checks = await self.health()
            for check in checks:
                if not check.ok and check.name not in failing:
                    log.error("alarm: %s: %s", check.name, check.says)
                elif check.ok and check.name in failing:
                    log.warning("well again: %s: %s", check.name, check.says)
            failing = {check.name for check in checks if not check.ok}

    async def _watch_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + 0.25
            await asyncio.sleep(0.25)
            lag = loop.time() - due
            self._lag = max(self._lag, lag)
            if lag > LAG_ALARM:
                log.warning("the event loop lagged %.0f ms", lag * 1000)

    def _worst_lag(self) -> float:
        worst, self._lag = self._lag, 0.0
        return worst


def _has_phone(desk: Desk) -> bool:
    return desk.device not in UNREACHABLE


async def _again_and_again(work: Callable[[], Awaitable[None]]) -> None:
    """Work beside the calls: a fault of it is logged and it begins anew; it must not take the calls with it."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("%s failed and begins anew", getattr(work, "__qualname__", work))
        await asyncio.sleep(AGAIN_AFTER)


async def serve(settings: Settings, say: Callable[[str], None] = print) -> None:
    """Run the service until SIGTERM or SIGINT, with Asterisk started if it does not run."""
    os.umask(0o027)             # records and voices are nobody else's
    async with alone(settings), AsyncExitStack() as stack:
        stopping = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, stopping.set)
        pulse = [STARTING]
        heart = await stack.enter_async_context(beside(_beat(pulse)))
        service = Service(settings, await stand(settings))
        try:
            await asyncio.to_thread(build.build, service.prompts)
        except SoundError as wrong:             # what stood there before still stands; the health page tells
            log.error("not every prompt could be built: %s", wrong)
        if settings.start_asterisk:
            asterisk = own_asterisk(settings, service.secrets)
            await _start(asterisk, say)
            await stack.enter_async_context(beside(_again_and_again(partial(_keep, asterisk, say))))
        gc.collect()
        gc.freeze()         # what is loaded stays: to look through it again would stop every call for 0.1 to 0.5 s
        try:
            async with service.running():
                pulse[0] = READY
                say(f"112 answers on {settings.host}:{settings.sip_port}/udp, doors on {settings.public_url}, "
                    f"data in {settings.data}")
                await stopping.wait()
                say("stopping: waiting callers go the way out, conversations stay")
                heart.cancel()                  # from here on the guard's patience is limited
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None


async def _start(asterisk: Asterisk, say: Callable[[str], None]) -> None:
    if await asyncio.to_thread(asterisk.start):
        say(f"Asterisk started (pid {asterisk.pid}); it stays when the service stops: kentongan asterisk stop")


async def _keep(asterisk: Asterisk, say: Callable[[str], None]) -> None:
    """An Asterisk that has died is started again: nobody else would, and 112 would be dead."""
    while True:
        await asyncio.sleep(AGAIN_AFTER)
        if asterisk.pid is None:
            await _start(asterisk, say)


async def _beat(pulse: list[bytes]) -> None:
    """Tell the guard once a second that the loop turns, and (`pulse[0]`) whether the service is ready."""
    if (fd := os.environ.get(HEARTBEAT_FD)) is None:
        return
    while True:
        with suppress(OSError):
            os.write(int(fd), pulse[0])
        await asyncio.sleep(1)
