"""What callers of 112 live through, told once and played on a fake and on a real Asterisk."""

import asyncio

import pytest

from calls.journal import Note
from routing.operators import OUT, PAUSED, READY, TALKING, WRAP_UP
from telephony.exchange import AriExchange
from telephony.leg import AriLeg
from tests.stories.house import FIRST_DIGIT, OFFER_FOR, RING_WITHIN, SPOKEN_FOR, House, menu_text

WHOLE = ["arrived", "menu", "queued", "offered", "talking", "ended"]


def between(first: Note, later: Note) -> float:
    """Seconds."""
    return (later.at - first.at).total_seconds()


# --- the way to a human


async def test_a_caller_reaches_the_desk_that_can_help(house: House) -> None:
    await house.phone("op03")  # has waited longest, but is not trained for medical calls
    operator = await house.phone("op01")
    caller = await house.dials(keys="2")
    talking = await house.until(caller, "talking")
    assert talking.facts["operator"] == "op01"
    assert await house.talks(caller)
    await operator.says_goodbye()
    await caller.ended()
    record = await house.over(caller)
    assert house.path(caller) == WHOLE
    assert (record.outcome, record.topic, record.pressed, record.operator) == ("answered", "medical", "2", "op01")
    assert (record.number, record.tickets) == ("+62800555001", ["draft"])
    assert [name for name, _ in record.recordings] == [f"{caller.call_id}.raw"]
    await house.until_desk("op01", READY)


KEYS = [("1", "fire"), ("2", "medical"), ("3", "police"), ("4", "disaster"), ("0", "any")]


@pytest.mark.parametrize(("key", "topic"), KEYS)
async def test_each_key_leads_to_its_topic(house: House, key: str, topic: str) -> None:
    caller = await house.dials(keys=key)
    chosen = await house.until(caller, "chosen")
    assert (chosen.facts["topic"], chosen.facts["pressed"]) == (topic, key)
    await house.until(caller, "queued")
    await caller.hangs_up()
    record = await house.over(caller)
    assert (record.topic, record.outcome) == (topic, "abandoned")


async def test_no_key_at_all_leads_to_any_operator(house: House) -> None:
    await house.phone("op03")
    caller = await house.dials()
    chosen = await house.until(caller, "chosen")
    assert (chosen.facts["topic"], chosen.facts["pressed"]) == ("any", "")
    waited = between(await house.until(caller, "menu"), chosen)
    assert SPOKEN_FOR + FIRST_DIGIT - 0.1 < waited < SPOKEN_FOR + FIRST_DIGIT + 1
    await house.until(caller, "talking")
    await caller.hangs_up()
    assert (await house.over(caller)).outcome == "answered"


async def test_wrong_keys_twice_lead_to_any_operator(house: House) -> None:
    await house.phone("op03")
    caller = await house.dials(keys="9")
    await asyncio.sleep(1)
    caller.presses("8")
    chosen = await house.until(caller, "chosen")
    assert (chosen.facts["topic"], chosen.facts["pressed"]) == ("any", "98")
    await house.until(caller, "talking")
    await caller.hangs_up()
    assert (await house.over(caller)).outcome == "answered"


async def test_a_wrong_key_can_be_mended(house: House) -> None:
    caller = await house.dials(keys="91")
    chosen = await house.until(caller, "chosen")
    assert (chosen.facts["topic"], chosen.facts["pressed"]) == ("fire", "91")
    await caller.hangs_up()
    await house.over(caller)


async def test_a_key_interrupts_the_greeting(house: House) -> None:
    caller = await house.dials(keys="1", at=0.3)
    spoken_for = between(await house.until(caller, "menu"), await house.until(caller, "chosen"))
    assert spoken_for < SPOKEN_FOR / 2
    await house.until(caller, "queued")
    await caller.hangs_up()
    await house.over(caller)


async def test_more_keys_than_asked_for_are_one_choice(house: House) -> None:
    await house.phone("op01")
    caller = await house.dials(keys="1234567890")
    await house.until(caller, "talking")
    await caller.hangs_up()
    record = await house.over(caller)
    assert (record.topic, record.pressed) == ("fire", "1")


# --- hanging up


@pytest.mark.parametrize("after", [0.0, 0.5])
async def test_hanging_up_before_the_answer(house: House, after: float, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = AriLeg.answer

    async def slowly(leg: AriLeg) -> None:
        await asyncio.sleep(1)
        await answer(leg)

    monkeypatch.setattr(AriLeg, "answer", slowly)
    caller = await house.dials()
    await asyncio.sleep(after)
    await caller.hangs_up()
    record = await house.over(caller)
    assert house.path(caller) == ["arrived", "ended"]
    assert (record.outcome, record.tickets, len(record.recordings)) == ("abandoned", ["draft"], 1)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("menu", ["arrived", "menu", "ended"]),
        ("queued", ["arrived", "menu", "queued", "ended"]),
        ("offered", ["arrived", "menu", "queued", "offered", "ended"]),
        ("talking", WHOLE),
    ],
)
@pytest.mark.parametrize("after", [0.0, 0.3], ids=["at once", "a little later"])
async def test_hanging_up_at_each_stage(house: House, kind: str, path: list[str], after: float) -> None:
    if kind in ("offered", "talking"):
        await house.phone("op01", answers_after=None if kind == "offered" else 0.1)
    caller = await house.dials(keys="" if kind == "menu" else "1")
    await house.until(caller, kind)
    await asyncio.sleep(after)
    await caller.hangs_up()
    record = await house.over(caller)
    assert house.path(caller) == path
    assert record.outcome == ("answered" if kind == "talking" else "abandoned")
    assert (record.stage, record.tickets) == ("ended", ["draft"])
    assert [name for name, _ in record.recordings] == [f"{caller.call_id}.raw"]
    if kind == "offered":
        await house.until_desk("op01", READY)
    if kind == "talking":
        await house.until_desk("op01", WRAP_UP, READY)


@pytest.mark.parametrize("after", [SPOKEN_FOR * 0.75, SPOKEN_FOR + FIRST_DIGIT / 2], ids=["menu", "waiting for a key"])
async def test_hanging_up_later_in_the_menu(house: House, after: float) -> None:
    caller = await house.dials()
    await house.until(caller, "menu")
    await asyncio.sleep(after)
    await caller.hangs_up()
    assert (await house.over(caller)).outcome == "abandoned"
    assert house.path(caller) == ["arrived", "menu", "ended"]


# --- desks that do not answer


async def test_a_desk_that_does_not_answer_rests_and_the_caller_stays_at_the_head(house: House) -> None:
    await house.phone("op01", answers_after=None)
    first = await house.dials("0800555001", keys="1")
    offered = await house.until(first, "offered")
    second = await house.dials("0800555002", keys="1")
    await house.until(second, "queued")
    unanswered = await house.until(first, "unanswered")
    assert unanswered.facts == {"operator": "op01", "why": "did not answer"}
    assert OFFER_FOR <= between(offered, unanswered) < OFFER_FOR + RING_WITHIN
    desk = await house.until_desk("op01", PAUSED)
    assert desk.paused_for == "did not answer"
    alarm = [note.facts for note in house.notes if note.kind == "desk"][-1]
    assert alarm == {"operator": "op01", "before": "offered", "state": "paused", "why": "did not answer"}
    await house.until(first, "queued", nth=2)
    assert [waiting.call_id for waiting in house.acd.queue()] == [first.call_id, second.call_id]
    await house.phone("op02")
    await house.until(first, "talking")
    assert house.path(second)[-1] == "queued"
    await first.hangs_up()
    await house.until(second, "talking")
    await second.hangs_up()
    assert (await house.over(first)).outcome == "answered"
    assert house.path(first) == ["arrived", "menu", "queued", "offered", "queued", "offered", "talking", "ended"]
    assert (await house.over(second)).operator == "op02"
    assert house.desk("op01").state is PAUSED


async def test_a_phone_that_is_not_there_is_passed_over_at_once(house: House) -> None:
    await house.phone("op01", registered=False)
    await house.phone("op02")
    caller = await house.dials(keys="1")
    offered, again = await house.until(caller, "offered"), await house.until(caller, "offered", nth=2)
    assert (offered.facts["operator"], again.facts["operator"]) == ("op01", "op02")
    assert between(offered, again) < 0.5
    await house.until(caller, "talking")
    await caller.hangs_up()
    assert (await house.over(caller)).operator == "op02"


async def test_a_phone_that_does_not_even_ring_is_passed_over_soon(house: House) -> None:
    await house.phone("op01", rings=False, answers_after=None)
    await house.phone("op02")
    caller = await house.dials(keys="1")
    offered, again = await house.until(caller, "offered"), await house.until(caller, "offered", nth=2)
    assert RING_WITHIN - 0.1 < between(offered, again) < RING_WITHIN + 0.5
    unanswered = await house.until(caller, "unanswered")
    assert unanswered.facts == {"operator": "op01", "why": "phone did not ring"}
    await house.until(caller, "talking")
    await caller.hangs_up()
    await house.over(caller)
    assert house.desk("op01").state is PAUSED


async def test_a_phone_that_refuses_is_passed_over_at_once(house: House) -> None:
    await house.phone("op01", refuses=486)
    await house.phone("op02")
    caller = await house.dials(keys="1")
    offered, again = await house.until(caller, "offered"), await house.until(caller, "offered", nth=2)
    assert between(offered, again) < 0.5
    assert (await house.until(caller, "unanswered")).facts == {"operator": "op01", "why": "refused (17)"}
    await house.until(caller, "talking")
    await caller.hangs_up()
    await house.over(caller)
    assert house.desk("op01").state is PAUSED


async def test_a_phone_that_vanishes_in_mid_talk_returns_the_caller_to_the_next_desk(house: House) -> None:
    lost = await house.phone("op01")
    caller = await house.dials(keys="1")
    await house.until(caller, "talking")
    await house.phone("op02")
    await asyncio.sleep(1)
    await lost.vanishes()
    assert (await house.until(caller, "desk lost")).facts["operator"] == "op01"
    again = await house.until(caller, "talking", nth=2)
    assert again.facts["operator"] == "op02"
    assert await house.talks(caller)
    await caller.hangs_up()
    record = await house.over(caller)
    assert house.path(caller) == [*WHOLE[:-1], *WHOLE[2:]]
    assert (record.outcome, record.operator) == ("answered", "op02")
    assert house.desk("op01").state in (PAUSED, OUT)


# --- more than one caller


async def test_two_callers_and_one_desk_are_answered_in_order(house: House) -> None:
    operator = await house.phone("op01")
    house.acd.pause("op01", "not yet")
    first = await house.dials("0800555001", keys="1")
    second = await house.dials("0800555002", keys="1")
    await house.until(first, "queued")
    await house.until(second, "queued")
    house.acd.ready("op01")
    await house.until(first, "talking")
    assert house.path(second)[-1] == "queued"
    await operator.says_goodbye()
    await house.until(second, "talking")
    await operator.says_goodbye()
    for caller in (first, second):
        assert (await house.over(caller)).outcome == "answered"
        assert house.path(caller) == WHOLE


async def test_the_more_urgent_caller_comes_first(house: House) -> None:
    house.writes_menu(menu_text(on="true"))
    question = await house.dials("0800555001", keys="5")
    assert (await house.until(question, "queued")).facts["topic"] == "information"
    emergency = await house.dials("0800555002", keys="1")
    await house.until(emergency, "queued")
    await house.phone("op01")
    await house.until(emergency, "talking")
    assert house.path(question)[-1] == "queued"
    await emergency.hangs_up()
    await house.until(question, "talking")
    await question.hangs_up()
    for caller in (question, emergency):
        await house.over(caller)


# --- who calls


HOSTILE = [
    ("nobody", None, None, None),
    ("a shell", "${SHELL(id)}", '${SHELL(id)} "; System(id); \'', None),
    ("a second parameter", "0800555001;transport=tcp", "a;b|c&d", "+62800555001"),
    ("a path", "../../../0800555001", "../../etc/passwd", "+62800555001"),
    ("500 digits", "5" * 500, "x" * 500, None),
    ("letters of all kinds", "Jalan Mélati ☎ 0800555001", "Pak Sugeng ☎ é 火", "+62800555001"),
    ("markup", "<script>", "<img src=x onerror=alert(1)>", None),
]


@pytest.mark.parametrize(("number", "name", "known"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
async def test_whatever_a_caller_is_called_they_reach_an_operator(
    house: House, number: str | None, name: str | None, known: str | None
) -> None:
    await house.phone("op01")
    caller = await house.dials(number, name=name, keys="1")
    await house.until(caller, "talking")
    await caller.hangs_up()
    record = await house.over(caller)
    assert (record.outcome, record.number, record.tickets) == ("answered", known, ["draft"])
    assert [raw for raw, _ in record.recordings] == [f"{caller.call_id}.raw"]


# --- the menu's file


async def test_a_campaign_is_switched_on_between_two_calls(house: House) -> None:
    before = await house.dials(keys="5")
    await house.until(before, "menu")
    house.writes_menu(menu_text(on="true"))
    after = await house.dials(keys="5")
    assert (await house.until(after, "chosen")).facts["topic"] == "information"
    assert (await house.until(before, "chosen")).facts["topic"] == "any"
    for caller in (before, after):
        await caller.hangs_up()
        await house.over(caller)


async def test_a_broken_menu_leaves_the_last_good_one_in_force(house: House) -> None:
    house.writes_menu(menu_text().replace("[choices]", "[choices"))
    caller = await house.dials(keys="3")
    assert (await house.until(caller, "chosen")).facts["topic"] == "police"
    assert "menu.toml, line" in (house.menu.fault or "")
    await caller.hangs_up()
    await house.over(caller)


# --- without us


async def test_an_unclaimed_call_goes_the_way_out_and_is_on_record(house: House) -> None:
    operator = await house.phone("op01")
    house.centre.claiming = False
    caller = await house.dials(claimed=False)
    await operator.picked_up()
    await caller.hangs_up()
    report = await house.reported(why="unclaimed")
    caller.call_id = report.call_id
    record = await house.over(caller)
    assert (record.outcome, record.stage, record.operator) == ("handed back", "ended", "op01")
    assert (record.number, record.tickets, len(record.recordings)) == ("+62800555001", ["draft"], 1)


@pytest.mark.parametrize("method", ["make_bridge", "join"])
async def test_a_fault_of_ours_sends_the_caller_the_way_out(
    house: House, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = await house.phone("op01", answers_after=0.3)

    async def fails(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(AriExchange, method, fails)
    caller = await house.dials(keys="1")
    await house.until(caller, "handed_back")
    if method == "join":
        await operator.picked_up()  # by us
    await operator.picked_up()  # by the way out
    await caller.hangs_up()
    record = await house.over(caller)
    assert house.path(caller) == ["arrived", "menu", "queued", "offered", "handed_back"]
    assert (record.outcome, record.operator, record.topic) == ("handed back", "op01", "fire")
    await house.until_desk("op01", READY)


async def test_a_fault_in_the_menu_sends_the_caller_the_way_out(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = await house.phone("op01")

    async def fails(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(AriLeg, "play", fails)
    caller = await house.dials()
    await operator.picked_up()
    await caller.hangs_up()
    assert (await house.over(caller)).outcome == "handed back"
    assert house.path(caller) == ["arrived", "menu", "handed_back"]


async def test_stopping_hands_a_waiting_caller_back_and_phones_ring(house: House) -> None:
    operator = await house.phone("op01")
    house.acd.pause("op01", "not yet")
    caller = await house.dials(keys="1")
    await house.until(caller, "queued")
    await house.stops()
    assert house.path(caller) == ["arrived", "menu", "queued", "handed_back"]
    await operator.picked_up()
    await caller.hangs_up()


async def test_stopping_while_a_phone_rings_hands_the_caller_back(house: House) -> None:
    operator = await house.phone("op01", answers_after=1.0)
    caller = await house.dials(keys="1")
    await house.until(caller, "offered")
    await house.stops()
    assert house.path(caller) == ["arrived", "menu", "queued", "offered", "handed_back"]
    await operator.picked_up()
    await caller.hangs_up()


async def test_a_conversation_survives_a_stop_and_a_start_and_ends_as_any_other(house: House) -> None:
    operator = await house.phone("op01")
    caller = await house.dials(keys="1")
    await house.until(caller, "talking")
    before = len(house.notes)
    await house.stops()
    assert house.path(caller)[-1] == "talking"
    assert [note for note in house.notes[before:] if note.kind == "desk"] == []     # its operator goes on talking
    assert await house.talks(caller)
    await house.starts_again()
    await house.until(caller, "adopted")
    await house.until_desk("op01", TALKING)
    assert await house.talks(caller)
    await operator.says_goodbye()
    await caller.ended()
    record = await house.over(caller)
    assert house.path(caller) == WHOLE
    assert (record.outcome, record.operator) == ("answered", "op01")
    await house.until_desk("op01", READY)
