"""Figures: from the journal, and from what stands at the moment of asking."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from calls.invariants import Rule
from calls.journal import Note
from tests.web.conftest import NUMBER, Doors, Waiting, ready_desk
from web import metrics

ARRIVED = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


def figures(doors: Doors) -> dict[tuple[str, str], float]:
    """By name and value of the only label."""
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(doors.house.metrics.text().decode())
        for sample in family.samples
    }


def told(doors: Doors, kind: str, seconds: float = 0.0, call_id: str | None = "1763800000.1", **facts: Any) -> None:
    """A note of the journal, so many seconds after the arrival."""
    doors.house.metrics.hears(Note(1, ARRIVED + timedelta(seconds=seconds), kind, call_id, facts))


def arrives(doors: Doors, call_id: str = "1763800000.1") -> None:
    told(doors, "arrived", 0.5, call_id, number=NUMBER, arrived_at=ARRIVED.isoformat())


async def test_calls_are_counted_by_what_became_of_them(porch: Doors) -> None:
    for call_id, way in {"a": ["menu", "queued", "offered", "talking", "ended"], "b": ["menu", "ended"],
                         "c": ["queued", "handed_back", "ended"], "d": ["queued", "handed_back", "way out"]}.items():
        arrives(porch, call_id)
        for kind in way:
            told(porch, kind, 9, call_id)
    told(porch, "ended", 9, "from before our start")
    told(porch, "way out", 9, "never ours")
    now = figures(porch)
    outcomes = ("answered", "abandoned", "handed back", "unknown")
    assert [now["kentongan_calls_total", word] for word in outcomes] == [1, 1, 3, 1]


async def test_a_call_that_only_stands_in_the_journal_is_heard(porch: Doors) -> None:
    porch.house.journal.note("unanswered", "1763800000.1", operator="op01", why="did not answer")
    assert figures(porch)["kentongan_alarms_total", "unanswered"] == 1


async def test_answering_is_timed_from_the_trunk_to_the_first_voice(porch: Doors) -> None:
    arrives(porch)
    for seconds, kind in ((1, "menu"), (7, "queued"), (8, "offered"), (12, "talking"), (60, "queued"), (70, "offered"),
                          (75, "talking"), (99, "ended")):
        told(porch, kind, seconds)
    now = figures(porch)
    assert (now["kentongan_answer_seconds_count", ""], now["kentongan_answer_seconds_sum", ""]) == (1, 12)
    assert (now["kentongan_answer_seconds_bucket", "10.0"], now["kentongan_answer_seconds_bucket", "15.0"]) == (0, 1)


async def test_a_call_that_was_adopted_counts_but_its_answer_is_not_timed(porch: Doors) -> None:
    told(porch, "adopted", call_id="a", stage="talking", operator="op01")
    told(porch, "adopted", call_id="b", stage="queued", operator=None)
    told(porch, "adopted", call_id="c", stage="rubbish", operator=None)
    for call_id, kind in (("b", "offered"), ("b", "talking"), ("a", "ended"), ("b", "ended"), ("c", "ended")):
        told(porch, kind, 9, call_id)
    now = figures(porch)
    assert (now["kentongan_calls_total", "answered"], now["kentongan_calls_total", "abandoned"]) == (2, 1)
    assert now["kentongan_answer_seconds_count", ""] == 0


async def test_alarms_are_counted_by_kind(porch: Doors) -> None:
    for kind in ("unanswered", "unanswered", "desk lost"):
        told(porch, kind)
    now = figures(porch)
    assert (now["kentongan_alarms_total", "unanswered"], now["kentongan_alarms_total", "desk lost"]) == (2, 1)


async def test_breaches_are_counted_by_rule_and_each_rule_is_there_before_it_is_broken(porch: Doors) -> None:
    assert {word for name, word in figures(porch) if name == "kentongan_breaches_total"} == set(Rule)
    told(porch, "breach", rule="one state", what="is queued and not in the queue")
    told(porch, "breach", call_id=None, rule="no bridge without a call", what="bridge 1763800000.1-bridge is no call's")
    now = figures(porch)
    assert [now["kentongan_breaches_total", rule] for rule in Rule] == [0, 1, 0, 1, 0]


@pytest.mark.parametrize("facts", [
    {}, {"arrived_at": None}, {"arrived_at": "rubbish"}, {"arrived_at": "2026-11-22T03:00:00"}])
async def test_a_strange_note_never_raises(porch: Doors, facts: dict[str, Any]) -> None:
    told(porch, "arrived", 1, **facts)
    told(porch, "talking", 5)
    told(porch, "something new", 5, None)
    told(porch, "ended", 5, None)
    assert figures(porch)["kentongan_answer_seconds_sum", ""] == 4


async def test_calls_whose_end_nobody_tells_do_not_fill_the_memory(
    porch: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "_REMEMBERED", 3)
    for n in range(10):
        arrives(porch, f"1763800000.{n}")
    figures_of = porch.house.metrics
    assert list(figures_of._paths) == list(figures_of._arrivals) == [f"1763800000.{n}" for n in (7, 8, 9)]


async def test_the_queue_and_the_desks_are_read_when_asked(porch: Doors) -> None:
    now = datetime.now(UTC)
    calls = [Waiting(f"1763800000.{n}", now - timedelta(seconds=20 * n), "medical") for n in (1, 2)]
    waiting = [asyncio.create_task(porch.acd.wait(call)) for call in calls]
    await asyncio.sleep(0)
    assert (figures(porch)["kentongan_waiting", ""], figures(porch)["kentongan_desks", "out"]) == (2, 3)
    assert figures(porch)["kentongan_longest_wait_seconds", ""] == pytest.approx(40, abs=2)
    ready_desk(porch.acd, "op01")
    assert (figures(porch)["kentongan_desks", "ready"], figures(porch)["kentongan_desks_free", ""]) == (1, 1)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert figures(porch)["kentongan_waiting", ""] == 0


async def test_the_lag_is_the_worst_since_the_last_look(porch: Doors) -> None:
    assert figures(porch)["kentongan_loop_lag_seconds", ""] == 0.25
    assert figures(porch)["kentongan_loop_lag_seconds", ""] == 0.0


async def test_what_ari_and_the_journal_count_is_passed_on(porch: Doors) -> None:
    porch.ari.requests, porch.ari.failures, porch.ari.connections = 120, 2, 3
    now = figures(porch)
    assert now["kentongan_ari_requests_total", ""] == 120
    assert now["kentongan_ari_failures_total", ""] == 2
    assert now["kentongan_ari_reconnects_total", ""] == 2
    assert now["kentongan_journal_depth", ""] == porch.house.journal.depth
