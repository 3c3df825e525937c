"""Telephony, the second line to Asterisk: AMI, for what ARI does not tell or do.

Heard: whether a phone is free or away (device state); it overrules our memory, since the way out may be ringing
the same phone. Told: queue-log lines, the list of phones on duty (AstDB). Nothing here stands in a caller's way.

panoramisk speaks the protocol; the connection is kept here, because panoramisk's own manager does not see a
half-open one and sends the commands of the lost connection again.

What the user in manager.conf needs, and no more:

    read = call,system           ; DeviceStateChange; FullyBooted
    write = call,system,agent    ; DeviceStateList; DBPut, DBDel; QueueLog
    eventfilter(action(include),name(FullyBooted)) =
    eventfilter(action(include),name(DeviceStateChange),header(Device),method(starts_with)) = PJSIP/

The filters keep every call's numbers and some hundred events a second away from us. Modules:
res_manager_devicestate, and app_queue (with an empty queues.conf) for the `QueueLog` action.
"""
import asyncio
import logging
import random
import re
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol

from telephony.ari_operations import BadCredentials

log = logging.getLogger(__name__)
# panoramisk prints whole messages, our password included.
logging.getLogger("panoramisk").setLevel(logging.CRITICAL + 1)

ACTION_LIMIT: Final = 2.0         #: s
PING_EVERY: Final = 2.0           #: s; with the limit, a half-open connection is seen within 4 s
BOOT_LIMIT: Final = 20.0          #: s, from the log-in to "fully booted"
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0       #: s, between attempts to connect; each shortened at random

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class AmiError(Exception):
    """Asterisk refused an action, or is not there. It names the action, never its values."""


class Ami:
    """The line to Asterisk's manager. Actions raise `AmiError`, at once while it is not connected."""

    def __init__(
        self,
        host: str,
        port: int,
        user: str,
        secret: str,
        on_device: Callable[[str, str], None],
        on_up: Callable[[], Awaitable[None]],
    ) -> None:
        """After each (re)connection the present states are told through the same callback, then `on_up`.

        `on_device("PJSIP/op01", state)`: NOT_INUSE, INUSE, BUSY, RINGING, RINGINUSE, ONHOLD, UNAVAILABLE,
        INVALID, UNKNOWN. It must be quick and may not block.
        """
        self.connected = False
        self.connections = 0        #: made; all but the first are reconnections
        self._address = host, port
        self._user, self._secret = user, secret
        self._on_device, self._on_up = on_device, on_up
        self._line: _Line | None = None

    async def run(self) -> None:
        """Stay connected until cancelled. Raises `BadCredentials`, or a fault of `on_up`'s own."""
        attempt = 0
        while True:
            before = self.connections
            try:
                await self._attend()
            except (AmiError, OSError) as fault:        # TimeoutError is an OSError
                if self.connections > before:
                    attempt = 0
                if attempt == 0:
                    log.warning("AMI: no connection, trying on: %s: %s", type(fault).__name__, fault)
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempt, 10))
            attempt += 1
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))

    async def queue_log(self, queue: str, uniqueid: str, agent: str, event: str, message: str = "") -> None:
        """Write a line into queue_log: TIME|uniqueid|queue|agent|event|message; "|" splits the message, too."""
        fields = {"Queue": queue, "Uniqueid": uniqueid, "Interface": agent, "Event": event}
        await self._ask("QueueLog", **fields, Message=message)

    async def db_put(self, family: str, key: str, value: str) -> None:
        """Keep a value in Asterisk's own database; `DB(family/key)` in the dialplan. It survives restarts."""
        await self._ask("DBPut", Family=family, Key=key, Val=value)

    async def db_del(self, family: str, key: str) -> None:
        """Afterwards there is no such key."""
        try:
            await self._ask("DBDel", Family=family, Key=key)
        except _RefusedError as refusal:
            if "could not be deleted" not in str(refusal):      # it was not there
                raise

    async def db_tree(self, family: str) -> dict[str, str]:
        """What Asterisk's own database keeps under a family, by key."""
        answer = await self._ask("DBGetTree", Family=family)
        found = answer if isinstance(answer, list) else []
        return {message.key.removeprefix(f"/{family}/"): message.val for message in found
                if message.event == "DBGetTreeResponse"}

    async def _ask(self, action: str, **fields: str) -> Any:
        if self._line is None:
            raise AmiError(f"{action}: not connected to Asterisk")
        return await self._line.ask(action, **fields)

    async def _attend(self) -> None:
        held: list[Any] = []
        line = _Line(held.append)
        try:
            await line.open(*self._address)
            await self._log_in(line)
            for message in await line.ask("DeviceStateList"):
                self._hears(message)
            # Older events than the snapshot may be among these, but the newest comes last.
            for event in held:
                self._hears(event)
            line.hears = self._hears
            self._line, self.connected = line, True
            self.connections += 1
            log.info("AMI: connected")
            await self._on_up()
            while True:
                await line.ask("Ping")
                await line.rest(PING_EVERY)
        finally:
            self._line, self.connected = None, False
            line.close()

    async def _log_in(self, line: "_Line") -> None:
        try:
            await line.ask("Login", Username=self._user, Secret=self._secret, Events="on")
        except _RefusedError:
            host, port = self._address
            raise BadCredentials(
                f"Asterisk at {host}:{port} refused AMI user {self._user!r}: the secret in our secrets "
                f"and the one in Asterisk's manager.conf, section [{self._user}], must agree, and its permit "
                "line must let us in; after mending it run `manager reload` in Asterisk's console, then start again."
            ) from None
        async with asyncio.timeout(BOOT_LIMIT):
            await line.booted.wait()

    def _hears(self, message: Any) -> None:
        if message.event != "DeviceStateChange":
            return
        try:
            self._on_device(message.device, message.state)
        except Exception:
            # A bug in the handling of one phone's news must not cost all phones theirs.
            log.exception("AMI: handling a new state of %s failed", message.device)


class _RefusedError(AmiError):
    """Asterisk answered with an error."""


class _Line:
    """One connection, from its beginning to its end: what panoramisk's protocol calls its factory."""

    forgetable_actions: tuple[str, ...] = ()

    def __init__(self, hears: Callable[[Any], None]) -> None:
        self.booted = asyncio.Event()
        self.awaiting_actions: deque[Action] = deque(maxlen=0)      # what got lost is not sent again
        self.hears = hears
        self._lost = asyncio.Event()
        self._pending: set[asyncio.Future[Any]] = set()
        self._protocol: AMIProtocol | None = None

    async def open(self, host: str, port: int) -> None:
        async with asyncio.timeout(ACTION_LIMIT):
            _, protocol = await asyncio.get_running_loop().create_connection(AMIProtocol, host, port)
        protocol.factory, protocol.encoding = self, "utf-8"
        self._protocol = protocol

    def close(self) -> None:
        if self._protocol is not None:
            self._protocol.close()
        self.connection_lost(None)

    async def ask(self, action: str, **fields: str) -> Any:
        """The answer: a message, or a list of messages. An action without an answer ends the connection."""
        if self._protocol is None or self._lost.is_set():
            raise AmiError(f"{action}: the connection to Asterisk is lost")
        values = {name: _CONTROL.sub(" ", value) for name, value in fields.items()}     # no second header
        future = self._protocol.send(Action({"Action": action, **values}), as_list=None)
        self._pending.add(future)
        try:
            async with asyncio.timeout(ACTION_LIMIT):
                answer = await future
        except TimeoutError:
            self.close()
            raise AmiError(f"{action}: no answer from Asterisk within {ACTION_LIMIT} s") from None
        finally:
            self._pending.discard(future)
        if isinstance(answer, list):
            return [message for message in answer if message.event]
        if answer.success:
            return answer
        raise _RefusedError(f"{action}: Asterisk says: {answer.message}")

    async def rest(self, length: float) -> None:
        """For `length` seconds, or until the connection is lost."""
        try:
            async with asyncio.timeout(length):
                await self._lost.wait()
        except TimeoutError:
            return
        raise AmiError("the connection to Asterisk is lost")

    def dispatch(self, event: Any) -> None:
        """panoramisk has read an event."""
        if event.event == "FullyBooted":
            self.booted.set()
        else:
            self.hears(event)

    def connection_lost(self, fault: object) -> None:
        """panoramisk has lost the connection."""
        self._lost.set()
        for future in self._pending:
            if not future.done():
                future.set_exception(AmiError("the connection to Asterisk is lost"))
