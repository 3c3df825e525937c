"""Events: every message becomes a value, none an exception."""
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony import events

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
FIELDS = ("channel", "playback", "cause", "soft", "digit", "args", "timestamp")


def message(kind: str, **fields: object) -> bytes:
    at = {"type": kind, "timestamp": "2026-11-22T14:05:06.789+0000", "application": "kentongan"}
    return msgspec.json.encode(at | fields)


@given(st.text() | st.binary())
def test_whatever_arrives_becomes_an_event(data: str | bytes) -> None:
    assert isinstance(events.decode(data), events.Event)


@given(st.sampled_from(sorted(events.KNOWN)), st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_a_known_type_with_any_fields_becomes_an_event_with_helpers_that_do_not_raise(
    kind: str, fields: dict[str, object]
) -> None:
    event = events.decode(message(kind, **fields))
    assert repr(event)
    events.channel_id(event)
    events.timestamp(event)


@given(st.sampled_from(sorted(events.KNOWN)), st.integers(min_value=0, max_value=200))
def test_a_message_that_was_cut_becomes_unknown(kind: str, length: int) -> None:
    whole = message(kind, channel={"id": "1763800000.12"}, digit="1")
    event = events.decode(whole[: min(length, len(whole) - 1)])
    assert isinstance(event, events.Unknown)
    assert event.reason


def test_a_type_that_we_do_not_use_is_kept_without_a_complaint() -> None:
    event = events.decode(message("PeerStatusChange", peer={"peer_status": "x"}))
    assert isinstance(event, events.Unknown)
    assert (event.type, event.reason, event.raw["peer"]) == ("PeerStatusChange", "", {"peer_status": "x"})


@pytest.mark.parametrize(("data", "reason"), [
    ("", "not JSON"), (b"\xff\xfe", "not JSON"), ("\ud800", "not JSON"), ("[" * 100_000, "not JSON"),
    ("[]", "not a JSON object"), ("7", "not a JSON object"), ("{}", "no type"), ('{"type": 7}', "no type"),
    ('{"type": "StasisStart"}', "required field `channel`"),
    ('{"type": "StasisStart", "channel": {"id": 7}}', "$.channel.id"),
])
def test_the_reason_says_what_was_odd(data: str | bytes, reason: str) -> None:
    event = events.decode(data)
    assert isinstance(event, events.Unknown)
    assert reason in event.reason


def test_a_channel_says_who_since_when_and_what_was_set_on_it() -> None:
    event = events.decode(message("StasisStart", args=["trunk"], channel={
        "id": "1763800000.12", "name": "PJSIP/trunk-00000001", "state": "Ring", "protocol_id": "x",
        "caller": {"name": "Budi", "number": "0800555001"}, "connected": {"name": "", "number": ""},
        "accountcode": "", "dialplan": {"context": "entry", "exten": "112", "priority": 3, "app_name": "x"},
        "creationtime": "2026-11-22T14:05:05.000+0000", "language": "en",
        "channelvars": {"KENTONGAN_CALL": "1763800000.12"},
    }))
    assert isinstance(event, events.StasisStart)
    assert event.args == ["trunk"]
    assert event.channel.caller == events.Caller("0800555001")
    assert event.channel.channelvars == {"KENTONGAN_CALL": "1763800000.12"}
    assert events.moment(event.channel.creationtime) == datetime(2026, 11, 22, 14, 5, 5, tzinfo=UTC)
    assert events.timestamp(event) == datetime(2026, 11, 22, 14, 5, 6, 789000, tzinfo=UTC)


def test_what_an_event_prints_holds_no_number_and_no_name() -> None:
    caller = {"name": "Budi", "number": "0800555001"}
    for kind in sorted(events.KNOWN):
        event = events.decode(message(
            kind, channel={"id": "1.2", "caller": caller}, digit="1", playback={"id": "p"}, caller="0800555001",
        ))
        assert not isinstance(event, events.Unknown)
        assert "0800555001" not in repr(event)
        assert "Budi" not in repr(event)
    unknown = events.decode(message("Odd", number="0800555001"))
    assert "0800555001" not in repr(unknown)


@pytest.mark.parametrize(("kind", "fields", "channel"), [
    ("StasisEnd", {"channel": {"id": "1.2"}}, "1.2"),
    ("PlaybackFinished", {"playback": {"id": "p", "target_uri": "channel:1.2"}}, "1.2"),
    ("PlaybackFinished", {"playback": {"id": "p", "target_uri": "bridge:b"}}, None),
    ("ApplicationReplaced", {}, None),
    ("Odd", {"channel": {"id": "1.2"}}, None),
])
def test_an_event_knows_its_channel(kind: str, fields: dict[str, object], channel: str | None) -> None:
    assert events.channel_id(events.decode(message(kind, **fields))) == channel


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-11-22", "2026-11-22T14:05:06", "2026-13-40T99:99:99+0000"]
)
def test_an_unreadable_moment_is_none(text: str) -> None:
    assert events.moment(text) is None
