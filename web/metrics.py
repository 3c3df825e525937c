"""web: the figures of the house, for Prometheus. Counted from the journal as it is spoken, or read when asked.

No label holds a number, a name or the id of a call.
"""

import time
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from calls.centre import Centre
from calls.invariants import Rule
from calls.journal import Journal, Note
from calls.stages import ARRIVED, ENDED, EXCHANGE, TALKING, Outcome, Stage, outcome
from routing.operators import State
from web.health import Check

#: Kinds of notes that somebody should look into.
ALARMS = ("unanswered", "desk lost")
#: Outcome of a call that had begun before we did.
UNKNOWN = "unknown"
#: Calls that are remembered; one whose end nobody tells is forgotten behind so many others.
_REMEMBERED = 10_000
_STAGES = frozenset(Stage)


class AriCounts(Protocol):
    """What the ARI client counts."""

    requests: int
    failures: int
    connections: int


class Metrics:
    """`worst_lag`: seconds that the event loop was late at worst since somebody last asked; asking begins anew."""

    def __init__(self, centre: Centre, journal: Journal, ari: AriCounts, worst_lag: Callable[[], float],
                 now: Callable[[], float] = time.time) -> None:
        self._registry = CollectorRegistry()
        self._calls = Counter("kentongan_calls", "Calls that are over", ["outcome"], registry=self._registry)
        self._alarms = Counter("kentongan_alarms", "What somebody should look into", ["kind"], registry=self._registry)
        self._breaches = Counter("kentongan_breaches", "What must never be, and was", ["rule"], registry=self._registry)
        self._answered = Histogram("kentongan_answer_seconds", "From the arrival at the trunk to the operator's voice",
                                   buckets=(5, 10, 15, 20, 30, 60, 120), registry=self._registry)
        self._failing = Gauge("kentongan_failing", "1 where /healthz says what is wrong", ["check"],
                              registry=self._registry)
        for word in (*Outcome, UNKNOWN):
            self._calls.labels(str(word))
        for kind in ALARMS:
            self._alarms.labels(kind)
        for rule in Rule:
            self._breaches.labels(str(rule))
        self._paths: dict[str, set[Stage]] = {}
        self._arrivals: dict[str, datetime | None] = {}
        self._registry.register(_AtScrape(centre, journal, ari, worst_lag, now))
        journal.listen(self.hears)

    def text(self, checks: Iterable[Check] = ()) -> bytes:
        """All figures in Prometheus' text format, and what has just been found of the house's health."""
        for check in checks:
            self._failing.labels(check.name).set(not check.ok)
        return generate_latest(self._registry)

    def hears(self, note: Note) -> None:
        """One note of the journal; never raises: the call that notes it is being served."""
        if note.kind in ALARMS:
            self._alarms.labels(note.kind).inc()
        elif note.kind == "breach":
            self._breaches.labels(str(note.facts.get("rule"))).inc()
        if note.call_id is None:
            return
        if note.kind in _STAGES:
            self._enters(note.call_id, Stage(note.kind), note)
        elif note.kind == "adopted" and note.call_id not in self._paths:    # when it arrived, its finder cannot tell
            self._remember(note.call_id, {stage for stage in _STAGES if stage == note.facts.get("stage")}, None)
        elif note.kind == "way out":            # the dialplan alone has seen it to its end
            self._forget(note.call_id)
            self._calls.labels(str(outcome([Stage.HANDED_BACK], note.facts.get("by")))).inc()

    def _enters(self, call_id: str, stage: Stage, note: Note) -> None:
        if stage is ENDED:
            path = self._paths.get(call_id)
            by = note.facts.get("by")
            self._calls.labels(UNKNOWN if path is None and by != EXCHANGE else str(outcome(path or (), by))).inc()
            self._forget(call_id)
        elif stage is ARRIVED:
            self._remember(call_id, {ARRIVED}, _moment(note.facts.get("arrived_at")) or note.at)
        elif (path := self._paths.get(call_id)) is not None:
            if stage is TALKING and TALKING not in path and (arrived_at := self._arrivals[call_id]) is not None:
                self._answered.observe(max(0.0, (note.at - arrived_at).total_seconds()))
            path.add(stage)

    def _remember(self, call_id: str, path: set[Stage], arrived_at: datetime | None) -> None:
        if len(self._paths) >= _REMEMBERED:
            self._forget(next(iter(self._paths)))
        self._paths[call_id], self._arrivals[call_id] = path, arrived_at

    def _forget(self, call_id: str) -> None:
        self._paths.pop(call_id, None)
        self._arrivals.pop(call_id, None)


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


class _AtScrape(Collector):
    """What is read when somebody asks."""

    def __init__(self, centre: Centre, journal: Journal, ari: AriCounts, worst_lag: Callable[[], float],
                 now: Callable[[], float]) -> None:
        self._centre, self._journal, self._ari = centre, journal, ari
        self._worst_lag, self._now = worst_lag, now

    def describe(self) -> Iterator[Metric]:
        return iter(())     # else registering would read, and reset, the lag

    def collect(self) -> Iterator[Metric]:
        queue = self._centre.acd.queue()
        longest = max([0.0, *(self._now() - waiting.since for waiting in queue)])
        yield GaugeMetricFamily("kentongan_calls_live", "Calls in our hands", len(self._centre.calls))
        yield GaugeMetricFamily("kentongan_waiting", "Callers in the queue", len(queue))
        yield GaugeMetricFamily("kentongan_longest_wait_seconds", "Of those in the queue, since arrival", longest)
        states = Tally(desk.state for desk in self._centre.acd.desks.values())
        desks = GaugeMetricFamily("kentongan_desks", "Desks by their state", labels=["state"])
        for state in State:
            desks.add_metric([str(state)], states[state])
        yield desks
        yield GaugeMetricFamily("kentongan_desks_free", "Desks that would be rung now",
                                sum(desk.why_not_free() is None for desk in self._centre.acd.desks.values()))
        yield GaugeMetricFamily("kentongan_journal_depth", "Notes the database does not have yet", self._journal.depth)
        yield GaugeMetricFamily("kentongan_journal_behind_seconds", "Since the database last had every note",
                                self._journal.behind_for)
        yield GaugeMetricFamily("kentongan_loop_lag_seconds", "Worst since the last look", self._worst_lag())
        yield CounterMetricFamily("kentongan_ari_requests", "Commands given to Asterisk", self._ari.requests)
        yield CounterMetricFamily("kentongan_ari_failures", "Commands that were not carried out", self._ari.failures)
        yield CounterMetricFamily("kentongan_ari_reconnects", "Connections after the first",
                                  max(0, self._ari.connections - 1))
