"""The tables of this room: what is legal, what is not, and that nothing else is."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickets import delivery, forwarding, lifecycle, link, verification
from tickets.forwarding import Override
from tickets.steps import IllegalStep, spoken
from tickets.verification import A1

Step = Callable[[Any, Any], StrEnum]
TABLES: list[tuple[Step, Mapping[Any, frozenset[Any]]]] = [
    (lifecycle.step, lifecycle.STEPS),
    (verification.step, verification.STEPS),
    (forwarding.step, forwarding.STEPS),
]
names = ["lifecycle", "verification", "forwarding"]
blank = st.sampled_from(["", " ", "\t\n"])


@pytest.mark.parametrize(("step", "table"), TABLES, ids=names)
def test_a_step_is_taken_exactly_where_the_table_has_it(
    step: Step, table: Mapping[Any, frozenset[Any]]
) -> None:
    for now in table:
        for to in table:
            if to in table[now]:
                assert step(now, to) is to
            else:
                with pytest.raises(IllegalStep, match="cannot become"):
                    step(now, to)


@pytest.mark.parametrize(("step", "table"), TABLES, ids=names)
def test_every_state_of_the_table_can_be_reached_from_its_first(
    step: Step, table: Mapping[Any, frozenset[Any]]
) -> None:
    first = next(iter(table))
    reached, ahead = {first}, [first]
    while ahead:
        new = table[ahead.pop()] - reached
        reached |= new
        ahead += new
    assert reached == set(table) == set(type(first))


def test_an_illegal_step_says_what_is_possible_instead() -> None:
    with pytest.raises(IllegalStep) as told:
        verification.step(verification.OPEN, A1)
    assert str(told.value) == "a report that is open cannot become A1; it can become: checking"
    with pytest.raises(IllegalStep) as told:
        forwarding.step(forwarding.DONE, forwarding.ON_THE_WAY)
    assert str(told.value) == "a forwarding that is done cannot become on the way; nothing follows after that"


def test_a_ticket_that_no_agency_has_accepted_cannot_be_closed() -> None:
    with pytest.raises(IllegalStep, match="forwarded cannot become closed"):
        lifecycle.step(lifecycle.FORWARDED, lifecycle.CLOSED)


@pytest.mark.parametrize(
    ("states", "ticket"),
    [
        ("queued", "forwarded"),
        ("sent", "forwarded"),
        ("accepted", "accepted"),
        ("on_the_way", "on_the_way"),
        ("done", "done"),
        ("refused", "refused"),
        ("refused refused", "refused"),
        ("refused done", "done"),
        ("accepted queued", "forwarded"),
        ("done on_the_way accepted", "accepted"),
        ("done on_the_way refused", "on_the_way"),
    ],
)
def test_a_ticket_is_as_far_as_the_least_advanced_agency_that_did_not_refuse(
    states: str, ticket: str
) -> None:
    assert lifecycle.derived(map(forwarding.State, states.split())) == ticket


def test_nothing_is_derived_from_nothing() -> None:
    with pytest.raises(ValueError, match="nothing was forwarded"):
        lifecycle.derived([])


many = st.lists(st.sampled_from(forwarding.State), min_size=1, max_size=6)


@given(many, st.randoms())
def test_the_order_of_agencies_does_not_matter_and_a_refusal_beside_others_neither(
    states: list[forwarding.State], luck: Any
) -> None:
    found = lifecycle.derived(states)
    shuffled = list(states)
    luck.shuffle(shuffled)
    assert lifecycle.derived(shuffled) is found
    assert lifecycle.derived([*states, forwarding.REFUSED]) is found


@given(many, many)
def test_whatever_agencies_do_is_a_legal_step_of_the_ticket(
    before: list[forwarding.State], after: list[forwarding.State]
) -> None:
    now, to = lifecycle.derived(before), lifecycle.derived(after)
    assert now is to or lifecycle.step(now, to) is to


@given(st.lists(st.sampled_from(forwarding.State), max_size=6))
def test_a_closed_ticket_that_is_reopened_stands_where_its_agencies_are(states: list[forwarding.State]) -> None:
    to = lifecycle.reopened(states)
    assert to is (lifecycle.derived(states) if states else lifecycle.OPEN)
    assert lifecycle.step(lifecycle.CLOSED, to) is to


@pytest.mark.parametrize("now", lifecycle.Lifecycle)
def test_from_everywhere_a_ticket_can_come_to_its_end(now: lifecycle.Lifecycle) -> None:
    reached, ahead = {now}, [now]
    while ahead:
        new = lifecycle.STEPS[ahead.pop()] - reached
        reached |= new
        ahead += new
    assert lifecycle.CLOSED in reached


def words(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {}, optional={name: st.none() | blank | st.just("any") | st.text() for name in names}
    )


def empty(values: Mapping[str, Any], name: str) -> bool:
    return (values.get(name) or "").strip() == ""


@given(
    words("topic", "place", "village", "narrative", "evidence", "category"),
    words("burning", "trapped", "injured"),
    st.lists(st.sampled_from(["burning", "trapped"]), unique=True),
)
def test_a1_misses_exactly_what_has_no_word_in_it(
    values: dict[str, Any], answers: dict[str, Any], required: list[str]
) -> None:
    missing = verification.missing_fields(values, answers, required)
    assert ("topic" in missing) is (empty(values, "topic") or values["topic"] == "any")
    assert ("place" in missing) is (empty(values, "place") and empty(values, "village"))
    assert ("narrative" in missing) is empty(values, "narrative")
    assert [name for name in missing if name.startswith("answers.")] == [
        f"answers.{key}" for key in required if empty(answers, key)
    ]
    assert ("evidence" in missing) is (not required and empty(values, "evidence"))
    assert set(missing) <= {"topic", "place", "narrative", "evidence", *(f"answers.{key}" for key in required)}
    assert len(set(missing)) == len(missing)


@pytest.mark.parametrize("now", verification.Verification)
def test_a_report_is_marked_unverified_while_it_stands_on_an_override_alone(now: verification.Verification) -> None:
    assert forwarding.unverified(now, Override("op01", "trapped")) is (now is not A1)
    assert forwarding.unverified(now, None) is False


@pytest.mark.parametrize("now", verification.Verification)
@pytest.mark.parametrize(
    ("said", "complete"),
    [
        (None, False),
        (Override("op01", "trapped, water rising"), True),
        (Override("op01", ""), False),
        (Override("op01", " \n"), False),
        (Override("", "trapped"), False),
        (Override(" ", "trapped"), False),
    ],
)
def test_only_a1_or_a_complete_override_lets_a_ticket_out(
    now: verification.Verification, said: Override | None, complete: bool
) -> None:
    reason = forwarding.why_not(now, said)
    assert (reason is None) is (now is A1 or complete)


def test_the_reason_names_what_is_needed() -> None:
    assert (
        forwarding.why_not(verification.CANNOT_BE_CHECKED, None)
        == 'the report stands at "cannot be checked", not A1; danger to life needs an override'
    )
    assert spoken(A1) == "A1"


@pytest.mark.parametrize(
    ("status", "standing"),
    [
        (200, "sent"), (202, "sent"), (204, "sent"), (299, "sent"),
        (301, "set_aside"), (308, "set_aside"), (400, "set_aside"), (401, "set_aside"), (404, "set_aside"),
        (410, "set_aside"), (422, "set_aside"),
        (408, "waiting"), (425, "waiting"), (429, "waiting"),
        (500, "waiting"), (502, "waiting"), (503, "waiting"), (599, "waiting"),
    ],
)  # fmt: skip
def test_what_an_answer_means_for_the_message(status: int, standing: str) -> None:
    assert delivery.standing(status) == standing


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_waits_grow_to_a_minute_and_are_spread_over_half_to_whole(attempts: int, luck: float) -> None:
    wait, longer = delivery.wait_for(attempts, luck), delivery.wait_for(attempts + 1, luck)
    assert timedelta(seconds=0.5) <= wait <= longer <= timedelta(minutes=1)
    assert delivery.wait_for(attempts, 0.0) * 2 == delivery.wait_for(attempts, 1.0)


def test_the_first_waits_double() -> None:
    assert [delivery.wait_for(n, 1.0).total_seconds() for n in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]


@given(st.binary(min_size=16), st.integers(1, 2**31))
def test_a_link_leads_back_to_its_forwarding_and_fits_in_an_url(secret: bytes, forwarding_id: int) -> None:
    token = link.token(secret, forwarding_id)
    assert link.forwarding_of(secret, token) == forwarding_id
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


@given(st.binary(min_size=16, max_size=16), st.text() | st.from_regex(r"\d+\.[\w-]{43}", fullmatch=True))
def test_a_link_of_another_making_leads_nowhere(secret: bytes, token: str) -> None:
    assert link.forwarding_of(secret, token) is None


def test_a_link_with_another_forwarding_or_one_letter_changed_or_another_secret_leads_nowhere() -> None:
    token = link.token(b"secret", 17)
    assert link.forwarding_of(b"secret", "18" + token[2:]) is None
    assert link.forwarding_of(b"secret", token[:-1] + ("A" if token[-1] != "A" else "B")) is None
    assert link.forwarding_of(b"secret", "0" + token) is None
    assert link.forwarding_of(b"another", token) is None
    assert link.forwarding_of(b"secret", "\udcff.\udcff") is None
