"""Telephony, the line to Asterisk: a typed client for ARI. Events on one WebSocket, commands over HTTP.

Why our own: a 112 service needs a client that comes back by itself, sees a half-open socket within seconds,
and puts a limit on every request. The words are ari-py's (`ari.channels.answer`, `ari.bridges.create`).

Why two roads: Asterisk executes `answer`, set-variable and `addChannel` after the prompt that the channel is
playing, and commands on the WebSocket one after another, so one caller's greeting would hold up everybody's
commands. Over HTTP each command waits for itself alone.

Two rules for whoever uses it:

- `Gone` is normal. The party has hung up while the command was under way; its StasisEnd or ChannelDestroyed
  is coming, or has come.
- Events that are lost while we are away are not replayed. Hence `on_up`: after every (re)connection it is
  awaited to take a snapshot and to reconcile. Events that arrive meanwhile are held and delivered after it,
  in order. So it has to be short (a call waits 800 ms to be claimed), must not wait for events, and handlers
  must bear an event that the snapshot already told.

Operations, their paths and their parameters stand in `USED`; the methods are built on that table, and a test
compares it with what the running Asterisk says about itself. Least version: 22.10.1.
"""
import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote, urlencode

import aiohttp
import msgspec
from yarl import URL

from telephony.events import ApplicationReplaced, Bridge, Channel, Event, Unknown, channel_id, decode

log = logging.getLogger(__name__)

REQUEST_LIMIT: Final = 2.0        #: s, for one command from the queue for a connection to the last byte
POOL: Final = 16                  #: commands under way at once; Asterisk needs `sessionlimit` well above it
KEEP_ALIVE: Final = 10.0          #: s; Asterisk closes after 15 s, and a command must not meet that moment
PING_EVERY: Final = 2.0           #: s; the pong may take half of it, so a half-open socket is seen within 3 s
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0           #: s, between attempts to connect; each shortened at random

#: Events that nobody needs: 17 of the 39 of an operator's call.
DISALLOWED: Final = ("ChannelVarset", "ChannelDialplan", "ChannelCallerId", "ChannelConnectedLine")


class AriError(Exception):
    """Asterisk refused a command, or did not answer it as it should. `status` 0: no answer at all."""

    def __init__(self, status: int, method: str, path: str, message: str) -> None:
        """`path` with ids but without the query, which may hold a caller's number."""
        super().__init__(status, method, path, message)
        self.status, self.method, self.path, self.message = status, method, path, message

    def __str__(self) -> str:
        return f"ARI {self.method} {self.path}: {self.status or 'no answer'} {self.message}"


class Gone(AriError):
    """The channel, bridge or playback is not there (any more), or not ours: it has just hung up. Normal."""


class AriTimeout(AriError):
    """No answer within `REQUEST_LIMIT`. Asterisk may still carry the command out."""


class AriUnreachable(AriError):
    """No connection to Asterisk, or it broke under the command."""


class BadCredentials(Exception):
    """Asterisk does not accept our user and password. Trying again does not help: somebody has to mend it."""


class Replaced(Exception):
    """Another process has connected under our application's name and gets its events: stop acting at once."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of ARI's: `path` with {parameters}, `query` the names it may carry, `body` the JSON's
    name.

    `gone`: the statuses that mean "just hung up" here. (409 on a creation means "this id is taken" instead.)
    """

    method: str
    path: str
    query: tuple[str, ...] = ()
    body: str = ""
    gone: frozenset[int] = frozenset()


_GONE: Final = frozenset({404, 409})
#: add/removeChannel name the channel in the query: 400 "Channel not found", 422 "Channel not in Stasis
#: application"
_GONE_FROM_BRIDGE: Final = _GONE | {400, 422}

CHANNELS_LIST = Operation("GET", "/channels")
CHANNELS_GET = Operation("GET", "/channels/{channelId}", gone=_GONE)
CHANNELS_ORIGINATE = Operation(
    "POST", "/channels",
    query=("endpoint", "app", "appArgs", "callerId", "timeout", "channelId", "originator", "formats"),
    body="variables",
)
CHANNELS_HANGUP = Operation("DELETE", "/channels/{channelId}", query=("reason",), gone=_GONE)
CHANNELS_CONTINUE = Operation(
    "POST", "/channels/{channelId}/continue", query=("context", "extension", "priority"), gone=_GONE
)
CHANNELS_ANSWER = Operation("POST", "/channels/{channelId}/answer", gone=_GONE)
CHANNELS_START_MOH = Operation("POST", "/channels/{channelId}/moh", query=("mohClass",), gone=_GONE)
CHANNELS_STOP_MOH = Operation("DELETE", "/channels/{channelId}/moh", gone=_GONE)
CHANNELS_PLAY = Operation("POST", "/channels/{channelId}/play/{playbackId}", query=("media",), gone=_GONE)
CHANNELS_GET_VARIABLE = Operation("GET", "/channels/{channelId}/variable", query=("variable",), gone=_GONE)
CHANNELS_SET_VARIABLES = Operation("POST", "/channels/{channelId}/variables", body="variables", gone=_GONE)
BRIDGES_LIST = Operation("GET", "/bridges")
BRIDGES_CREATE = Operation("POST", "/bridges", query=("type", "bridgeId", "name"))
BRIDGES_DESTROY = Operation("DELETE", "/bridges/{bridgeId}", gone=_GONE)
BRIDGES_ADD_CHANNEL = Operation(
    "POST", "/bridges/{bridgeId}/addChannel", query=("channel",), gone=_GONE_FROM_BRIDGE
)
BRIDGES_REMOVE_CHANNEL = Operation(
    "POST", "/bridges/{bridgeId}/removeChannel", query=("channel",), gone=_GONE_FROM_BRIDGE
)
PLAYBACKS_STOP = Operation("DELETE", "/playbacks/{playbackId}", gone=_GONE)
EVENTS_WEBSOCKET = Operation("GET", "/events", query=("app", "subscribeAll"))
EVENTS_CLAIM = Operation("POST", "/events/claim", query=("channelId", "application"), gone=_GONE)
APPLICATIONS_GET = Operation("GET", "/applications/{applicationName}", gone=frozenset({404}))
APPLICATIONS_FILTER = Operation("PUT", "/applications/{applicationName}/eventFilter", body="filter")
ENDPOINTS_LIST = Operation("GET", "/endpoints")
ENDPOINTS_GET = Operation("GET", "/endpoints/{tech}/{resource}", gone=frozenset({404}))
ASTERISK_INFO = Operation("GET", "/asterisk/info", query=("only",))
ASTERISK_PING = Operation("GET", "/asterisk/ping")

#: All that we ask of Asterisk, for the contract test and for whoever writes an ARI proxy or a firewall.
USED: Final[tuple[Operation, ...]] = tuple(
    value for value in list(globals().values()) if isinstance(value, Operation)
)


class Application(msgspec.Struct, frozen=True):
    """What Asterisk holds in an application's name, also while nobody is connected under it."""

    name: str
    channel_ids: list[str] = []
    bridge_ids: list[str] = []


class Endpoint(msgspec.Struct, frozen=True):
    """A phone or a trunk. `state`: online, offline, unknown."""

    technology: str
    resource: str
    state: str = "unknown"
    channel_ids: list[str] = []


class _System(msgspec.Struct):
    version: str


class _Info(msgspec.Struct):
    system: _System


class _Value(msgspec.Struct):
    value: str


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
        self.endpoints = Endpoints(self)
        self.asterisk = Asterisk(self)
        self.connected = False      #: events are flowing; true already while `on_up` is running
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
        await self.applications.filter(self.app, disallowed=DISALLOWED)
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

    async def ask(self, kind: type[T], operation: Operation, **parameters: str | int | None) -> T:
        """Give a command whose answer is a `kind`."""
        return self._as(kind, operation, await self.send(operation, None, **parameters))

    def _as(self, kind: type[T], operation: Operation, answer: bytes) -> T:
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


class Channels:
    """One party's side of a call each. Every method with a `channel_id` raises `Gone` when it has hung up."""

    def __init__(self, ari: Ari) -> None:
        self._ari = ari

    async def list(self) -> "list[Channel]":
        """All channels of this Asterisk, ours or not, with their `channelvars`."""
        return await self._ari.ask(list[Channel], CHANNELS_LIST)

    async def get(self, channel_id: str) -> Channel:
        return await self._ari.ask(Channel, CHANNELS_GET, channelId=channel_id)

    async def originate(
        self,
        endpoint: str,
        *,
        channel_id: str,
        app_args: str = "",
        caller_id: str = "",
        timeout: int = 30,
        originator: str | None = None,
        formats: str | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> Channel:
        """Ring `endpoint` ("PJSIP/op01"); when it answers, its channel enters our application with
        `app_args`.

        `channel_id` is ours, so that its events can be awaited before it exists. `timeout` in seconds.
        `variables` are reported in `channelvars`. `originator` (codecs are taken from it) must be alive.
        Raises `AriError`: 500 the phone is not registered, 400 no such endpoint, 409 the id is taken.
        """
        answer = await self._ari.send(
            CHANNELS_ORIGINATE,
            {"variables": _reported(variables, True)} if variables else None,
            endpoint=endpoint, app=self._ari.app, appArgs=app_args or None, callerId=caller_id or None,
            timeout=timeout, channelId=channel_id, originator=originator, formats=formats,
        )
        return self._ari._as(Channel, CHANNELS_ORIGINATE, answer)

    async def answer(self, channel_id: str) -> None:
        """Answer; harmless if it is answered. Waits for the end of a prompt that is being played."""
        await self._ari.send(CHANNELS_ANSWER, channelId=channel_id)

    async def hangup(self, channel_id: str, reason: str = "normal") -> None:
        """End the channel. `reason`: normal, busy, congestion, no_answer, timeout, rejected, …"""
        await self._ari.send(CHANNELS_HANGUP, channelId=channel_id, reason=reason)

    async def continue_in_dialplan(
        self, channel_id: str, context: str, extension: str, priority: int = 1
    ) -> None:
        """Give the channel back to the dialplan at this place."""
        await self._ari.send(
            CHANNELS_CONTINUE, channelId=channel_id, context=context, extension=extension, priority=priority
        )

    async def play(self, channel_id: str, media: str, playback_id: str) -> None:
        """Play `media` ("sound:/path/without/ending"). PlaybackFinished tells the end. Never reuse an id."""
        await self._ari.send(CHANNELS_PLAY, channelId=channel_id, playbackId=playback_id, media=media)

    async def start_moh(self, channel_id: str, moh_class: str) -> None:
        await self._ari.send(CHANNELS_START_MOH, channelId=channel_id, mohClass=moh_class)

    async def stop_moh(self, channel_id: str) -> None:
        await self._ari.send(CHANNELS_STOP_MOH, channelId=channel_id)

    async def get_variable(self, channel_id: str, variable: str) -> str:
        """The value, or "" if there is none."""
        try:
            answer = await self._ari.ask(
                _Value, CHANNELS_GET_VARIABLE, channelId=channel_id, variable=variable
            )
        except Gone as gone:
            if gone.message == "Provided variable was not found":
                return ""
            raise
        return answer.value

    async def set_variables(
        self, channel_id: str, variables: Mapping[str, str], report_events: bool = True
    ) -> None:
        """Set variables, by default so that they come back as `channelvars` in every event and in `list`.

        Waits for the end of a prompt that is being played.
        """
        body = {"variables": _reported(variables, report_events)}
        await self._ari.send(CHANNELS_SET_VARIABLES, body, channelId=channel_id)


def _reported(variables: Mapping[str, str], report_events: bool) -> dict[str, object]:
    return {name: {"value": value, "report_events": report_events} for name, value in variables.items()}


class Bridges:
    """Mixes of channels."""

    def __init__(self, ari: Ari) -> None:
        self._ari = ari

    async def list(self) -> "list[Bridge]":
        return await self._ari.ask(list[Bridge], BRIDGES_LIST)

    async def create(self, bridge_id: str, type: str = "mixing", name: str = "") -> Bridge:
        """A new bridge under our id. Raises `AriError` 409 if the id is taken."""
        return await self._ari.ask(Bridge, BRIDGES_CREATE, bridgeId=bridge_id, type=type, name=name or None)

    async def add_channel(self, bridge_id: str, channel_id: str) -> None:
        """Raises `Gone` when either is. Waits for the end of a prompt that the channel is playing."""
        await self._ari.send(BRIDGES_ADD_CHANNEL, bridgeId=bridge_id, channel=channel_id)

    async def remove_channel(self, bridge_id: str, channel_id: str) -> None:
        """Raises `Gone` when either is, or when the channel is not in this bridge."""
        await self._ari.send(BRIDGES_REMOVE_CHANNEL, bridgeId=bridge_id, channel=channel_id)

    async def destroy(self, bridge_id: str) -> None:
        """Its channels stay alive."""
        await self._ari.send(BRIDGES_DESTROY, bridgeId=bridge_id)


class Playbacks:
    """Sounds that are being played."""

    def __init__(self, ari: Ari) -> None:
        self._ari = ari

    async def stop(self, playback_id: str) -> None:
        """Silence it. Raises `Gone` when it has ended by itself."""
        await self._ari.send(PLAYBACKS_STOP, playbackId=playback_id)


class Events:
    """Calls that wait to be claimed."""

    def __init__(self, ari: Ari) -> None:
        self._ari = ari

    async def claim(self, channel_id: str) -> bool:
        """Whether the call is ours. False: somebody was quicker, it went the way out, or it has hung up."""
        try:
            await self._ari.send(EVENTS_CLAIM, channelId=channel_id, application=self._ari.app)
        except Gone:
            return False
        return True


class Applications:
    """What is held in whose name."""

    def __init__(self, ari: Ari) -> None:
        self._ari = ari

    async def get(self, name: str) -> Application:
        """Raises `Gone` if nobody is connected under this name and nothing is held in it."""
        return await self._ari.ask(Application, APPLICATIONS_GET, applicationName=name)

    async def filter(self, name: str, disallowed: tuple[str, ...]) -> None:
        """Never send these types of events."""
        body = {"disallowed": [{"type": kind} for kind in disallowed]}
        await self._ari.send(APPLICATIONS_FILTER, body, applicationName=name)


class Endpoints:
    """Phones and trunks."""

    def __init__(self, ari: Ari) -> None:
        self._ari = ari

    async def list(self) -> "list[Endpoint]":
        return await self._ari.ask(list[Endpoint], ENDPOINTS_LIST)

    async def get(self, technology: str, resource: str) -> Endpoint:
        """For example ("PJSIP", "op01"). Raises `Gone` if Asterisk knows none: its log then has an ERROR."""
        return await self._ari.ask(Endpoint, ENDPOINTS_GET, tech=technology, resource=resource)


class Asterisk:
    """Asterisk itself."""

    def __init__(self, ari: Ari) -> None:
        self._ari = ari

    async def version(self) -> str:
        """For example "22.10.1"; a distribution may append to it."""
        return (await self._ari.ask(_Info, ASTERISK_INFO, only="system")).system.version

    async def ping(self) -> None:
        """Returns if Asterisk answers."""
        await self._ari.send(ASTERISK_PING)
