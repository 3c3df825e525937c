"""Telephony, what we ask of ARI: one table of operations, and the ways in which one can fail.

The client (ari.py) and the resources (ari_resources.py) are built on the table; a test compares it with what the
running Asterisk says about itself. Source: Asterisk 22.10.1, `/ari/api-docs/`.
"""
from dataclasses import dataclass
from typing import Final


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
CHANNELS_ORIGINATE = Operation(
    "POST", "/channels", query=("endpoint", "app", "appArgs", "callerId", "timeout", "channelId")
)
CHANNELS_HANGUP = Operation("DELETE", "/channels/{channelId}", query=("reason",), gone=_GONE)
CHANNELS_CONTINUE = Operation(
    "POST", "/channels/{channelId}/continue", query=("context", "extension", "priority"), gone=_GONE
)
CHANNELS_ANSWER = Operation("POST", "/channels/{channelId}/answer", gone=_GONE)
CHANNELS_START_MOH = Operation("POST", "/channels/{channelId}/moh", query=("mohClass",), gone=_GONE)
CHANNELS_STOP_MOH = Operation("DELETE", "/channels/{channelId}/moh", gone=_GONE)
CHANNELS_PLAY = Operation("POST", "/channels/{channelId}/play/{playbackId}", query=("media",), gone=_GONE)
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
ASTERISK_INFO = Operation("GET", "/asterisk/info", query=("only",))
ASTERISK_PING = Operation("GET", "/asterisk/ping")

#: All that we ask of Asterisk, for the contract test and for whoever writes an ARI proxy or a firewall.
USED: Final[tuple[Operation, ...]] = tuple(
    value for value in list(globals().values()) if isinstance(value, Operation)
)
