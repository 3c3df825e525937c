"""Telephony, the line to Asterisk: a typed client for ARI. Events on one WebSocket, commands over HTTP.

Why our own: a 112 service needs a client that comes back by itself, sees a half-open socket within seconds,
and puts a limit on every request. The words are ari-py's (`ari.channels.answer`, `ari.bridges.create`).

Why two roads: Asterisk executes `answer`, set-variable and `addChannel` after the prompt that the channel is
playing, and commands on the WebSocket one after another, so one caller's greeting would hold up everybody's
commands. Over HTTP each command waits for itself alone.

Three rules for whoever uses it:

- `Gone` is normal. The party has hung up while the command was under way; its StasisEnd or ChannelDestroyed
  is coming, or has come.
- Whoever was stopped and wakes up looks before it acts: another process may have our name, and our calls.
- Events that are lost while we are away are not replayed. Hence `on_up`: after every (re)connection it is
  awaited to take a snapshot and to reconcile. Events that arrive meanwhile are held and delivered after it,
  in order. So it has to be short (a call waits 800 ms to be claimed), must not wait for events, and handlers
  must bear an event that the snapshot already told.

What it asks stands in ari_operations.py, the words for it in ari_resources.py. Least version: 22.10.1.
"""
import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from math import inf
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote, urlencode

import aiohttp
import msgspec
from yarl import URL

from telephony.ari_operations import (
    EVENTS_WEBSOCKET,
    AriError,
    AriTimeout,
    AriUnreachable,
    BadCredentials,
    Gone,
    Operation,
    Replaced,
)
from telephony.ari_resources import Applications, Asterisk, Bridges, Channels, Events, Playbacks
from telephony.events import KNOWN, ApplicationReplaced, Event, Unknown, channel_id, decode
from telephony.tasks import beside

log = logging.getLogger(__name__)

REQUEST_LIMIT: Final = 2.0        #: s, for one command from the queue for a connection to the last byte
POOL: Final = 16                  #: commands under way at once; Asterisk needs `sessionlimit` well above it
KEEP_ALIVE: Final = 10.0          #: s; Asterisk closes after 15 s, and a command must not meet that moment
PING_EVERY: Final = 2.0           #: s; the pong may take half of it, so a half-open socket is seen within 3 s
FREEZE: Final = 1.0               #: s; who has not run for so long was stopped, and may have been replaced meanwhile
LOOK_FIRST: Final = 0.5           #: s; then the reader has seen what came while we were stopped
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0           #: s, between attempts to connect; each shortened at random

T = TypeVar("T")


class Ari:
    """The line to one Asterisk under one application name.

    Commands may be given as soon as it is made, and also after `run` has ended (to hand callers back while we
    stop), until `close`. All errors of commands are `AriError`s.
    """

    def __init__(
        self,
        base_url: str,
        user: str,
        password: str,
        app: str,
        on_event: Callable[[Event], None],
        on_up: Callable[[], Awaitable[None]],
        on_down: Callable[[], None],
    ) -> None:
        """`base_url`: "http://127.0.0.1:8088/ari".

        `on_event` is called by the reader, which does nothing else: it has to be quick and may not block.
        `on_down` is called once for every time that `on_up` was.
        """
        self.app = app
        self.channels = Channels(self)
        self.bridges = Bridges(self)
        self.playbacks = Playbacks(self)
        self.events = Events(self)
        self.applications = Applications(self)
        self.asterisk = Asterisk(self)
        self.connected = False      #: events are flowing; true already while `on_up` is running
        self.fenced = False         #: another process has our name: no command of ours is sent any more
        self.requests = 0           #: commands given
        self.failures = 0           #: of these, not carried out (`Gone` is none)
        self.connections = 0        #: made; all but the first are reconnections
        self.received = 0           #: events
        self.unreadable = 0         #: of these, not understood though we know their type
        self._base_url = base_url.rstrip("/")
        self._user, self._password = user, password
        self._on_event, self._on_up, self._on_down = on_event, on_up, on_down
        self._http: aiohttp.ClientSession | None = None
        self._held: list[Event] | None = None
        self._attempt = 0
        self._ran_at = inf          # while we run: a moment ago
        self._doubtful_until = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections. Channels and bridges in Asterisk stay as they are."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def run(self) -> None:
        """Stay connected until cancelled. Raises `BadCredentials`, `Replaced`, or a fault of `on_up`'s own.

        An `AriError` or `OSError` out of `on_up` counts as a lost connection: the next begins with a new
        snapshot.
        """
        async with beside(self._watch_itself()):
            await self._stay_connected()

    async def _watch_itself(self) -> None:
        try:
            while True:
                self._doubts()
                self._ran_at = monotonic()
                await asyncio.sleep(FREEZE / 4)
        finally:
            self._ran_at = inf

    def _doubts(self) -> None:
        if (now := monotonic()) - self._ran_at > FREEZE:
            self._doubtful_until = now + LOOK_FIRST

    async def _stay_connected(self) -> None:
        while True:
            try:
                # First a harmless question. Handshakes sent to a frozen Asterisk would all be carried out
                # when it thaws, and one of these dead connections could replace the living one.
                await self.asterisk.ping()
                async with self._websocket() as socket:
                    await self._attend(socket)
            except (AriError, aiohttp.ClientError, OSError) as fault:
                if isinstance(fault, AriError | aiohttp.WSServerHandshakeError) and fault.status == 401:
                    raise self._bad_credentials() from None
                if self._attempt == 0:
                    log.warning("ARI: no connection, trying on: %s", fault)
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._attempt, 10))
            self._attempt += 1
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))

    def _bad_credentials(self) -> BadCredentials:
        return BadCredentials(
            f"Asterisk at {self._base_url} refused ARI user {self._user!r}: the password in our secrets and "
            f"the one in Asterisk's ari.conf, section [{self._user}], must agree; after mending ari.conf run "
            "`module reload res_ari.so` in Asterisk's console, then start again."
        )

    def _websocket(self) -> Any:
        url = self._url(EVENTS_WEBSOCKET, {"app": self.app, "subscribeAll": "false"})
        return self._session().ws_connect(
            url, heartbeat=PING_EVERY, timeout=aiohttp.ClientWSTimeout(ws_close=0.5), compress=0
        )

    async def _attend(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Read events until the socket ends, having brought the rest of the house up first."""
        self._held = []
        reading = asyncio.create_task(self._read(socket), name="ARI reader")
        coming_up = asyncio.create_task(self._come_up(), name="ARI come up")
        try:
            await asyncio.wait({reading, coming_up}, return_when=asyncio.FIRST_COMPLETED)
            if coming_up.done():
                coming_up.result()
                self._attempt = 0
                held, self._held = self._held, None
                for event in held:
                    self._deliver(event)
            await reading
        finally:
            if self.connected:
                self.connected = False
                self._on_down()
            for task in (reading, coming_up):
                task.cancel()
            await asyncio.gather(reading, coming_up, return_exceptions=True)
            self._held = None

    async def _come_up(self) -> None:
        await self.applications.filter(self.app, allowed=sorted(KNOWN))       # 14 of the 54 of a call
        self.connected = True
        self.connections += 1
        log.info("ARI: connected")
        await self._on_up()

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is aiohttp.WSMsgType.ERROR:
                break
            event = decode(message.data)
            self.received += 1
            if isinstance(event, ApplicationReplaced):
                self.fenced = True
                raise Replaced(f"another process has connected to Asterisk as {self.app!r}")
            if self._held is not None:
                self._held.append(event)
            else:
                self._deliver(event)
        log.warning("ARI: the event socket has ended: %s", socket.exception() or socket.close_code)

    def _deliver(self, event: Event) -> None:
        if isinstance(event, Unknown) and event.reason:
            self.unreadable += 1
            log.warning("ARI: an event %s was not understood: %s", event.type, event.reason)
        try:
            self._on_event(event)
        except Exception:
            # A bug in the handling of one call's event must not cost all calls their events.
            log.exception("ARI: handling %s of channel %s failed", type(event).__name__, channel_id(event))

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=POOL + 1, keepalive_timeout=KEEP_ALIVE),   # + the socket
                headers={"Authorization": aiohttp.encode_basic_auth(self._user, self._password)},
                timeout=aiohttp.ClientTimeout(total=REQUEST_LIMIT),
            )
        return self._http

    def _url(self, operation: Operation, parameters: Mapping[str, str]) -> URL:
        query = {name: value for name, value in parameters.items() if name in operation.query}
        path = self._base_url + _filled(operation, parameters)
        return URL(f"{path}?{urlencode(query, quote_via=quote)}" if query else path, encoded=True)

    async def send(self, operation: Operation, body: object = None, **parameters: str | int | None) -> bytes:
        """Give one command of `USED`; returns the JSON of the answer. Rooms call the resources' methods."""
        self._doubts()
        if (doubtful_for := self._doubtful_until - monotonic()) > 0:
            await asyncio.sleep(doubtful_for)           # a stopped process that wakes up has old plans
        if self.fenced:
            raise AriUnreachable(0, operation.method, operation.path, "(another process acts under our name)")
        given = {name: str(value) for name, value in parameters.items() if value is not None}
        method, path = operation.method, _filled(operation, given)
        self.requests += 1
        try:
            async with self._session().request(
                method,
                self._url(operation, given),
                data=None if body is None else msgspec.json.encode(body),
                headers=None if body is None else {"Content-Type": "application/json"},
            ) as response:
                answer = await response.read()
        except TimeoutError:
            self.failures += 1
            raise AriTimeout(0, method, path, f"within {REQUEST_LIMIT} s") from None
        except (aiohttp.ClientError, OSError) as fault:
            self.failures += 1
            raise AriUnreachable(0, method, path, f"({type(fault).__name__}: {fault})") from None
        if response.status < 400:
            return answer
        message = _message(answer)
        if response.status in operation.gone:
            raise Gone(response.status, method, path, message)
        self.failures += 1
        raise AriError(response.status, method, path, message)

    async def ask(
        self, kind: type[T], operation: Operation, body: object = None, **parameters: str | int | None
    ) -> T:
        """Give a command whose answer is a `kind`."""
        answer = await self.send(operation, body, **parameters)
        try:
            return msgspec.json.decode(answer, type=kind)
        except msgspec.MsgspecError as fault:
            self.failures += 1
            raise AriError(200, operation.method, operation.path, f"with an odd answer: {fault}") from None


def _filled(operation: Operation, parameters: Mapping[str, str]) -> str:
    return operation.path.format_map({name: quote(value, safe="") for name, value in parameters.items()})


def _message(answer: bytes) -> str:
    """Asterisk's own words about a refusal."""
    try:
        said = msgspec.json.decode(answer, type=dict[str, Any])
    except msgspec.MsgspecError:
        return ""
    return str(said.get("message") or said.get("error") or "")[:200]
