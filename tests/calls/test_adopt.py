"""What a new process finds in Asterisk, and what it makes of it."""
import pytest

from calls import adopt
from calls.stages import Stage
from people.rules import check_name
from telephony.events import Bridge, Channel

CALL = "1763800000.12"
PHONE = adopt.phone_id(CALL, "op01", "a1b2c3d4")


def caller(call_id: str = CALL, created: str = "2026-11-22T14:00:00.000+0000", **variables: str) -> Channel:
    return Channel(call_id, state="Up", creationtime=created, channelvars={"KENTONGAN_CALL": call_id, **variables})


def look(*channels: Channel, bridges: tuple[Bridge, ...] = (), known: frozenset[str] = frozenset()) -> adopt.Estate:
    return adopt.look(adopt.Snapshot(list(channels), list(bridges), {channel.id for channel in channels}), set(known))


def test_a_waiting_caller_goes_on_in_the_queue_with_topic_and_priority():
    [alive] = look(caller(KENTONGAN_TOPIC="fire", KENTONGAN_PRIORITY="7")).calls
    assert (alive.stage, alive.topic, alive.priority, alive.operator) == (Stage.MENU, "fire", 7, None)


def test_a_caller_who_had_not_chosen_yet_goes_to_any_operator():
    [alive] = look(caller()).calls
    assert (alive.stage, alive.topic) == (Stage.MENU, "any")


def test_a_caller_whom_nobody_had_answered_or_even_labelled_yet_begins_anew():
    estate = look(Channel(CALL, state="Ring"))
    assert [(alive.caller.id, alive.stage) for alive in estate.calls] == [(CALL, Stage.ARRIVED)]
    assert estate.orphans == []


def test_a_talk_goes_on_as_a_talk_with_its_operator():
    estate = look(caller(), Channel(PHONE, state="Up"), bridges=(Bridge(f"{CALL}-bridge", channels=[CALL, PHONE]),))
    [alive] = estate.calls
    assert (alive.stage, alive.operator, alive.phone, alive.bridge) == (Stage.TALKING, "op01", PHONE, f"{CALL}-bridge")
    assert estate.orphans == []


@pytest.mark.parametrize("name", ["op-10", "budi.santoso", "a-b-0a1b2c3d", "a-", "x" * 32])
def test_a_talk_goes_on_with_its_operator_whatever_they_are_called(name):
    check_name(name)
    phone = adopt.phone_id(CALL, name, "a1b2c3d4")
    bridge = Bridge(f"{CALL}-bridge", channels=[CALL, phone])
    [alive] = look(caller(), Channel(phone, state="Up"), bridges=(bridge,)).calls
    assert (alive.stage, alive.operator) == (Stage.TALKING, name)


def test_a_phone_that_was_ringing_is_hung_up_and_its_caller_waits_again():
    estate = look(caller(), Channel(PHONE, state="Ringing"), bridges=(Bridge(f"{CALL}-bridge"),))
    assert estate.orphans == [PHONE]
    assert estate.calls[0].stage is Stage.MENU
    assert estate.calls[0].bridge == f"{CALL}-bridge"
    assert estate.empty_bridges == []


def test_a_phone_whose_caller_has_gone_is_hung_up_and_its_bridge_goes_with_it():
    estate = look(Channel(PHONE, state="Up"), bridges=(Bridge(f"{CALL}-bridge", channels=[PHONE]),))
    assert (estate.orphans, estate.empty_bridges) == ([PHONE], [f"{CALL}-bridge"])


def test_a_bridge_with_somebody_in_it_whom_we_do_not_hold_stays():
    [stranger] = (Bridge(f"{CALL}-bridge", channels=[PHONE, "1763800000.99"]),)
    assert look(Channel(PHONE, state="Up"), bridges=(stranger,)).empty_bridges == []


def test_calls_come_in_the_order_of_their_arrival():
    late, early = caller("9.2", "2026-11-22T14:00:09.000+0000"), caller("9.1", "2026-11-22T14:00:01.000+0000")
    assert [alive.caller.id for alive in look(late, early).calls] == ["9.1", "9.2"]


def test_what_this_process_knows_or_another_application_holds_is_left_alone():
    assert look(caller(), known=frozenset({CALL})) == adopt.Estate([], [], [])
    assert adopt.look(adopt.Snapshot([caller()], [], ours=set()), known=set()) == adopt.Estate([], [], [])


def test_bridges_that_nobody_is_in_are_removed_but_never_one_of_a_living_call():
    empty = Bridge(f"{CALL}-bridge")
    assert look(bridges=(empty, Bridge("somebody-elses"))).empty_bridges == [empty.id]
    assert look(bridges=(empty,), known=frozenset({CALL})).empty_bridges == []
