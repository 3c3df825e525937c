"""Telephony, the vocabulary: what Asterisk tells us, as values. Decides, never awaits.

Asterisk's events arrive as JSON on one WebSocket. Each event that we act on has its struct here, with the fields
that somebody reads, and is decoded by its `type` in about a microsecond; Asterisk is told to send no other
(`KNOWN`). What comes all the same (a field that has changed its shape, a message cut in two) becomes `Unknown`,
because one odd message must never cost us the connection that all calls hang on. Only ids are certain: every
other field has a default.

Nothing here prints a caller's number or name: the `repr` of an event shows its type and its channel id only.

Source: Asterisk 22.10.1, `/ari/api-docs/events.json`.
"""
from datetime import datetime
from typing import Any, TypeAlias

import msgspec


class Caller(msgspec.Struct, frozen=True):
    """A party as the network names it: may be empty, false or hostile. Clean it with `telephony.numbers`."""

    number: str = ""

    def __repr__(self) -> str:
        return "Caller()"


class Channel(msgspec.Struct, frozen=True):
    """One party's side of a call in Asterisk, as it was when the event was made.

    `state`: Down, Rsrvd, OffHook, Dialing, Ring, Ringing, Up, Busy, …; `creationtime`: see `moment`;
    `channelvars`: the variables that were set with `report_events`.
    """

    id: str
    state: str = ""
    caller: Caller = Caller()
    creationtime: str = ""
    channelvars: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Channel({self.id!r}, {self.state!r})"


class Bridge(msgspec.Struct, frozen=True):
    """A mix of channels; `channels` are their ids."""

    id: str
    channels: list[str] = []


class Playback(msgspec.Struct, frozen=True):
    """A sound played. `target_uri`: "channel:ID", "bridge:ID"."""

    id: str
    target_uri: str = ""


class _Event(msgspec.Struct, frozen=True, tag_field="type", kw_only=True):
    timestamp: str = ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(channel={channel_id(self)!r})"


class _OfChannel(_Event, frozen=True, kw_only=True):
    channel: Channel


class CallBroadcast(_OfChannel, frozen=True, tag=True):
    """A call waits to be claimed. Older than the broadcast's own timeout: drop it, it went the way out."""


class StasisStart(_OfChannel, frozen=True, tag=True):
    """The channel is ours to command."""

    args: list[str] = []


class StasisEnd(_OfChannel, frozen=True, tag=True):
    """The channel has left us: hung up, moved, or gone on in the dialplan."""


class ChannelDestroyed(_OfChannel, frozen=True, tag=True):
    """The channel is no more. `cause`: Q.850 (16 normal, 17 busy, 19 no answer; 0 for a BYE from a phone)."""

    cause: int = 0


class ChannelHangupRequest(_OfChannel, frozen=True, tag=True):
    """The party has hung up, or was asked to. May come twice."""

    cause: int = 0
    soft: bool = False


class ChannelStateChange(_OfChannel, frozen=True, tag=True):
    """`channel.state` has changed (Ringing: the phone rings)."""


class ChannelDtmfReceived(_OfChannel, frozen=True, tag=True):
    """A key was pressed and released."""

    digit: str


class ChannelTalkingStarted(_OfChannel, frozen=True, tag=True):
    """Something is heard of the party (TALK_DETECT in the dialplan), also while they are played to."""


class ChannelTalkingFinished(_OfChannel, frozen=True, tag=True):
    """Nothing has been heard of the party for the dialplan's length of silence."""


class PlaybackFinished(_Event, frozen=True, tag=True):
    """The sound has ended, was stopped, or could not be played."""

    playback: Playback


class ApplicationReplaced(_Event, frozen=True, tag=True):
    """Another connection has taken our name: stop acting at once."""


class Unknown(msgspec.Struct, frozen=True):
    """An event that we do not know or could not read: kept, never fatal.

    `type`: what the message calls itself, or ""; `raw`: the message if it is a JSON object, else {};
    `reason`: why it was not understood (it names a field, never a value), or "" if the type is merely one
    that we do not use.
    """

    type: str
    raw: dict[str, Any]
    reason: str = ""

    def __repr__(self) -> str:
        return f"Unknown({self.type!r}, reason={self.reason!r})"


KnownEvent: TypeAlias = (
    ApplicationReplaced | CallBroadcast | ChannelDestroyed | ChannelDtmfReceived | ChannelHangupRequest
    | ChannelStateChange | ChannelTalkingFinished | ChannelTalkingStarted | PlaybackFinished | StasisEnd | StasisStart
)
Event: TypeAlias = KnownEvent | Unknown

KNOWN: frozenset[str] = frozenset(kind.__name__ for kind in KnownEvent.__args__)

_decoder: msgspec.json.Decoder[KnownEvent] = msgspec.json.Decoder(KnownEvent)
_FAULTS = (msgspec.MsgspecError, ValueError, RecursionError)      # ValueError: not UTF-8


def decode(data: str | bytes) -> Event:
    """The event in one WebSocket message. Never raises: what cannot be read is `Unknown`, with the reason."""
    try:
        return _decoder.decode(data)
    except _FAULTS as fault:
        return _unknown(data, f"{type(fault).__name__}: {fault}")


def _unknown(data: str | bytes, fault: str) -> Unknown:
    try:
        raw = msgspec.json.decode(data)
    except _FAULTS as worse:
        return Unknown("", {}, f"not JSON: {type(worse).__name__}")
    if not isinstance(raw, dict):
        return Unknown("", {}, "not a JSON object")
    kind = raw.get("type")
    if not isinstance(kind, str):
        return Unknown("", raw, "no type")
    return Unknown(kind[:100], raw, fault if kind in KNOWN else "")


def channel_id(event: Event | _Event) -> str | None:
    """Which channel the event is about: of a sound the one that it was played to."""
    match event:
        case _OfChannel(channel=channel):
            return channel.id
        case PlaybackFinished(playback=Playback(target_uri=target)) if target.startswith("channel:"):
            return target.removeprefix("channel:")
        case _:
            return None


def timestamp(event: Event) -> datetime | None:
    """When Asterisk made the event (aware, by Asterisk's clock), or None if it does not say so readably."""
    return None if isinstance(event, Unknown) else moment(event.timestamp)


def moment(text: str) -> datetime | None:
    """Asterisk's "2026-11-22T14:05:06.789+0000" as an aware datetime, or None. Source: any `Date` of ARI."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None
