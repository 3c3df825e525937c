"""Telephony ◆ Asterisk's own book of calls: its channel events, row by row, and what they tell of a call. Pure.

Asterisk writes a row for whatever happens to a channel (asterisk-conf/kentongan/cel.conf), whether or not a process of
ours is there: who answered, when a talk began, when it ended. `telephony/cel_book.py` has the file.
"""
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

#: Contexts of asterisk-conf/kentongan/extensions.conf and pjsip.conf.
TRUNK: Final = "kentongan-trunk"
WAY_OUT: Final = "kentongan-wayout"
OPERATORS: Final = "kentongan-operators"

_ROW = re.compile(
    r"(?P<at>[0-9]{1,12}\.[0-9]{6}),(?P<event>[A-Z_]{1,32}),(?P<channel>[^,]{1,150}),(?P<linked>[^,]{1,150}),"
    r"(?P<name>[^,]{1,200}),(?P<context>[^,]{0,80}),(?P<number>[0-9+]{0,80}),(?P<extra>.*)", re.ASCII)
_PHONE = re.compile(r"PJSIP/(?!trunk-)([0-9A-Za-z_.-]+)-[0-9a-f]{8}", re.ASCII)
_CALL_ID = re.compile(r"(?!.+-.+-[0-9a-f]{8}$)[0-9A-Za-z.-]{1,64}", re.ASCII)      # (not a number that we rang outside)


@dataclass(frozen=True, slots=True)
class Row:
    """One event of one channel."""

    at: float               #: seconds since 1970, with microseconds
    event: str              #: CHAN_START, ANSWER, BRIDGE_ENTER, BRIDGE_EXIT, HANGUP, LINKEDID_END
    channel: str            #: its unique id
    linked: str             #: unique id of the oldest channel that it has to do with
    name: str               #: "PJSIP/op01-0000000a"
    context: str            #: of the dialplan, where it is
    number: str             #: the caller's, digits and plus only; "" if the network gave none
    bridge: str | None      #: that it entered or left
    cause: int | None       #: Q.850, of a hang-up


class _Extra(msgspec.Struct):
    bridge_id: str | None = None
    hangupcause: int | None = None


def parse(line: str) -> Row | None:
    """A line of the book; None if it is none (cut by a full disk, or not written by us)."""
    if (match := _ROW.fullmatch(line)) is None:
        return None
    at, event, channel, linked, name, context, number, text = match.groups()
    try:
        extra = msgspec.json.decode(text, type=_Extra) if text else _Extra()
    except msgspec.MsgspecError:
        return None
    return Row(float(at), event, channel, linked, name, context, number, extra.bridge_id, extra.hangupcause)


def desk_of(name: str) -> str | None:
    """"op01" of "PJSIP/op01-0000000a", an operator's phone."""
    match = _PHONE.fullmatch(name)
    return match[1] if match else None


@dataclass(frozen=True, slots=True)
class Talk:
    """A stretch in which the caller and somebody else were in one bridge."""

    desk: str | None            #: operator; None: somebody outside
    began_at: float             #: seconds since 1970
    ended_at: float | None      #: None: it goes on, or Asterisk died in it


@dataclass(frozen=True, slots=True)
class Account:
    """What Asterisk's book tells of one call of ours. Moments are seconds since 1970."""

    call_id: str
    number: str                 #: as the network says, digits and plus only: clean it with `telephony.numbers`
    arrived_at: float
    way_out: bool               #: it was in the dialplan's hands
    talks: tuple[Talk, ...]     #: in the order in which they began
    ended_at: float | None      #: the caller's hang-up; None: not yet, or Asterisk died before
    last_at: float              #: its last event so far
    answered_at: float | None = None    #: by whoever it was: the sound begins here

    @property
    def desk(self) -> str | None:
        """Operator who talked last."""
        return next((talk.desk for talk in reversed(self.talks) if talk.desk is not None), None)

    @property
    def began_at(self) -> float | None:
        """When somebody talked to the caller first."""
        return self.talks[0].began_at if self.talks else None

    @property
    def talked_for(self) -> float:
        """Seconds in which somebody talked to the caller; a talk without an end lasts to the call's last event."""
        until, total = 0.0, 0.0
        for talk in self.talks:             # (operator and agency at once count once)
            end = talk.ended_at or self.last_at
            total += max(0.0, end - max(talk.began_at, until))
            until = max(until, end)
        return total


def accounts(rows: Iterable[Row]) -> dict[str, Account]:
    """What the rows (in order) tell of every call whose arrival at the trunk is among them, by call id."""
    calls: dict[str, _Telling] = {}
    rooms: dict[str, dict[str, Row]] = defaultdict(dict)        # by bridge: who entered it, and has not left
    for row in rows:
        if (row.event == "CHAN_START" and row.context == TRUNK and _CALL_ID.fullmatch(row.channel)
                and row.linked == row.channel):         # (not a number outside that the way out dials for a call)
            calls.setdefault(row.channel, _Telling(row))
        if row.bridge is not None:
            room = rooms[row.bridge]
            for one in room.values():
                if row.channel != one.channel:
                    caller, other = (row, one) if row.channel in calls else (one, row)
                    if caller.channel in calls:
                        calls[caller.channel].hears(other, row.event == "BRIDGE_ENTER", row.at)
            if row.event == "BRIDGE_ENTER":
                room[row.channel] = row
            else:
                room.pop(row.channel, None)
        if (call := calls.get(row.channel)) is not None:
            call.goes_on(row)
    return {call_id: call.account() for call_id, call in calls.items()}


@dataclass(slots=True)
class _Telling:
    """A call while its rows are read."""

    start: Row
    last_at: float = 0.0
    way_out: bool = False
    ended_at: float | None = None
    answered_at: float | None = None
    talks: list[Talk] = field(default_factory=list)
    current: dict[str, tuple[str | None, float]] = field(default_factory=dict)      # by channel: desk, since when

    def goes_on(self, row: Row) -> None:
        self.last_at = max(self.last_at, row.at)
        self.way_out = self.way_out or row.context == WAY_OUT
        if row.event == "HANGUP":
            self.ended_at = row.at
        elif row.event == "ANSWER" and self.answered_at is None:
            self.answered_at = row.at

    def hears(self, other: Row, together: bool, at: float) -> None:
        if not other.name.startswith("PJSIP/"):
            return                                  # a machine: an announcement, a listener
        if together:
            self.current[other.channel] = (desk_of(other.name) if other.context == OPERATORS else None, at)
        elif (began := self.current.pop(other.channel, None)) is not None:
            self.talks.append(Talk(*began, at))
            self.last_at = max(self.last_at, at)

    def account(self) -> Account:
        talks = [*self.talks, *(Talk(*began, self.ended_at) for began in self.current.values())]
        return Account(self.start.channel, self.start.number, self.start.at, self.way_out,
                       tuple(sorted(talks, key=lambda talk: talk.began_at)), self.ended_at, self.last_at,
                       self.answered_at)
