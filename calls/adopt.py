"""calls ◆ After a start of ours: which calls are alive in Asterisk, and where do they stand? Pure.

Everything needed stands in Asterisk itself (channels with their reported variables, bridges), so that it can be
answered while the database is away.
"""
import re
from dataclasses import dataclass
from datetime import datetime

from calls.stages import Stage
from telephony.events import Bridge, Channel


@dataclass(frozen=True)
class Alive:
    """A call that another process of ours has left behind."""

    caller: Channel
    stage: Stage                #: ARRIVED: nobody has answered it yet; MENU: to be queued, perhaps again; or TALKING
    topic: str
    priority: int
    bridge: str | None
    phone: str | None = None    #: channel id of the operator in the talk
    operator: str | None = None


@dataclass(frozen=True)
class Snapshot:
    """What is there in Asterisk now. `ours`: ids of the channels that our application holds; `since`: when this
    Asterisk was started."""

    channels: list[Channel]
    bridges: list[Bridge]
    ours: set[str]
    since: datetime | None = None


@dataclass(frozen=True)
class Estate:
    """What is there: calls to go on with, phones that nobody waits for any more, bridges without anybody else."""

    calls: list[Alive]
    orphans: list[str]
    empty_bridges: list[str]


def look(there: Snapshot, known: set[str]) -> Estate:
    """`known`: ids of the channels that this process looks after already."""
    left = {channel.id: channel for channel in there.channels if channel.id in there.ours - known}
    rooms = {bridge.id: set(bridge.channels) for bridge in there.bridges if bridge.id.endswith(BRIDGE)}
    callers = [channel for channel in left.values() if not _PHONE.fullmatch(channel.id)]    # labelled or not yet
    calls = [_call(caller, left, rooms) for caller in callers]
    kept = {call.caller.id for call in calls} | {call.phone for call in calls}
    used = {call.bridge for call in calls}
    orphans = left.keys() - kept
    return Estate(
        calls=sorted(calls, key=lambda call: call.caller.creationtime),
        orphans=sorted(orphans),
        empty_bridges=[bridge for bridge, members in rooms.items() if members <= orphans and bridge not in used
                       and bridge.removesuffix(BRIDGE) not in known])


#: A call's bridge is named after it; its phones are CALL-OPERATOR-TOKEN.
BRIDGE = "-bridge"
_PHONE = re.compile(r".+-.+-[0-9a-f]{8}")


def phone_id(call_id: str, operator: str, token: str) -> str:
    """The channel id of an operator's phone that is rung for a call. `token`: eight hexadecimal digits."""
    return f"{call_id}-{operator}-{token}"


def operator_of(call_id: str, phone: str) -> str:
    """Whose phone has this channel id; names hold dashes, too."""
    return phone.removeprefix(f"{call_id}-").rpartition("-")[0]


def _call(caller: Channel, left: dict[str, Channel], rooms: dict[str, set[str]]) -> Alive:
    bridge = f"{caller.id}{BRIDGE}" if f"{caller.id}{BRIDGE}" in rooms else None
    variables = caller.channelvars
    topic, priority = variables.get("KENTONGAN_TOPIC") or "any", int(variables.get("KENTONGAN_PRIORITY") or 5)
    members = rooms.get(bridge or "", set())
    phone = next((member for member in members if member.startswith(f"{caller.id}-") and member in left), None)
    if phone is None or caller.id not in members:
        return Alive(caller, Stage.MENU if caller.state == "Up" else Stage.ARRIVED, topic, priority, bridge)
    return Alive(caller, Stage.TALKING, topic, priority, bridge, phone, operator_of(caller.id, phone))
