"""Telephony, ARI's resources in ari-py's words: `ari.channels.answer(id)`, `ari.bridges.create(id)`. Thin on purpose:
each method is one operation of the table; everything hard is in the client.
"""
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol, TypeVar

import msgspec

from telephony.ari_operations import (
    APPLICATIONS_FILTER,
    APPLICATIONS_GET,
    ASTERISK_INFO,
    ASTERISK_PING,
    BRIDGES_ADD_CHANNEL,
    BRIDGES_CREATE,
    BRIDGES_DESTROY,
    BRIDGES_LIST,
    BRIDGES_REMOVE_CHANNEL,
    CHANNELS_ANSWER,
    CHANNELS_CONTINUE,
    CHANNELS_HANGUP,
    CHANNELS_LIST,
    CHANNELS_ORIGINATE,
    CHANNELS_PLAY,
    CHANNELS_SET_VARIABLES,
    CHANNELS_START_MOH,
    CHANNELS_STOP_MOH,
    EVENTS_CLAIM,
    PLAYBACKS_STOP,
    Gone,
    Operation,
)
from telephony.events import Bridge, Channel, moment

T = TypeVar("T")


class Line(Protocol):
    """What a resource needs of the client (ari.py)."""

    app: str

    async def send(self, operation: Operation, body: object = None, **parameters: str | int | None) -> bytes: ...

    async def ask(
        self, kind: type[T], operation: Operation, body: object = None, **parameters: str | int | None
    ) -> T: ...


class Application(msgspec.Struct, frozen=True):
    """What Asterisk holds in an application's name, also while nobody is connected under it."""

    name: str
    channel_ids: list[str] = []
    bridge_ids: list[str] = []


class _System(msgspec.Struct):
    version: str


class _Info(msgspec.Struct):
    system: _System


class _Status(msgspec.Struct):
    startup_time: str


class _Standing(msgspec.Struct):
    status: _Status


class Channels:
    """One party's side of a call each. Every method with a `channel_id` raises `Gone` when it has hung up."""

    def __init__(self, ari: Line) -> None:
        self._ari = ari

    async def list(self) -> "list[Channel]":
        """All channels of this Asterisk, ours or not, with their `channelvars`."""
        return await self._ari.ask(list[Channel], CHANNELS_LIST)

    async def originate(
        self,
        endpoint: str,
        *,
        channel_id: str,
        app_args: str = "",
        caller_id: str = "",
        timeout: int = 30,
    ) -> Channel:
        """Ring `endpoint` ("PJSIP/op01"); when it answers, its channel enters our application with
        `app_args`.

        `channel_id` is ours, so that its events can be awaited before it exists. `timeout` in seconds.
        Raises `AriError`: 500 the phone is not registered, 400 no such endpoint, 409 the id is taken.
        """
        return await self._ari.ask(
            Channel,
            CHANNELS_ORIGINATE,
            endpoint=endpoint, app=self._ari.app, appArgs=app_args or None, callerId=caller_id or None,
            timeout=timeout, channelId=channel_id,
        )

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

    async def set_variables(
        self, channel_id: str, variables: Mapping[str, str], report_events: bool = True
    ) -> None:
        """Set variables, by default so that they come back as `channelvars` in every event and in `list`.

        Waits for the end of a prompt that is being played.
        """
        reported = {name: {"value": value, "report_events": report_events} for name, value in variables.items()}
        await self._ari.send(CHANNELS_SET_VARIABLES, {"variables": reported}, channelId=channel_id)


class Bridges:
    """Mixes of channels."""

    def __init__(self, ari: Line) -> None:
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

    def __init__(self, ari: Line) -> None:
        self._ari = ari

    async def stop(self, playback_id: str) -> None:
        """Silence it. Raises `Gone` when it has ended by itself."""
        await self._ari.send(PLAYBACKS_STOP, playbackId=playback_id)


class Events:
    """Calls that wait to be claimed."""

    def __init__(self, ari: Line) -> None:
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

    def __init__(self, ari: Line) -> None:
        self._ari = ari

    async def get(self, name: str) -> Application:
        """Raises `Gone` if nobody is connected under this name and nothing is held in it."""
        return await self._ari.ask(Application, APPLICATIONS_GET, applicationName=name)

    async def filter(self, name: str, allowed: Iterable[str]) -> None:
        """Send no events but those of these types."""
        body = {"allowed": [{"type": kind} for kind in allowed]}
        await self._ari.send(APPLICATIONS_FILTER, body, applicationName=name)


class Asterisk:
    """Asterisk itself."""

    def __init__(self, ari: Line) -> None:
        self._ari = ari

    async def version(self) -> str:
        """For example "22.10.1"; a distribution may append to it."""
        return (await self._ari.ask(_Info, ASTERISK_INFO, only="system")).system.version

    async def started_at(self) -> datetime | None:
        """When this Asterisk was started: another moment, another Asterisk, and none of the calls from before."""
        return moment((await self._ari.ask(_Standing, ASTERISK_INFO, only="status")).status.startup_time)

    async def ping(self) -> None:
        """Returns if Asterisk answers."""
        await self._ari.send(ASTERISK_PING)
