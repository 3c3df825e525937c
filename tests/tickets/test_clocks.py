"""When something is late, and when it is not any more."""

from datetime import UTC, datetime, timedelta

import pytest

from tickets import forwarding, lifecycle
from tickets.clocks import Asked, Late, after, late

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
SOON, GONE = NOW + timedelta(seconds=1), NOW - timedelta(seconds=1)


def test_a_clock_runs_out_so_many_seconds_later_and_none_never() -> None:
    assert after(NOW, 300.0) == NOW + timedelta(minutes=5)
    assert after(NOW, None) is None


@pytest.mark.parametrize("stands", lifecycle.Lifecycle)
@pytest.mark.parametrize(("due_at", "over"), [(None, False), (SOON, False), (NOW, True), (GONE, True)])
def test_a_ticket_is_late_until_it_is_done_or_closed(
    stands: lifecycle.Lifecycle, due_at: datetime | None, over: bool
) -> None:
    handled = stands in (lifecycle.DONE, lifecycle.CLOSED)
    assert late(stands, due_at, [], NOW) == ([Late.HANDLING] if over and not handled else [])


@pytest.mark.parametrize("state", forwarding.State)
@pytest.mark.parametrize(("accept_by", "over"), [(None, False), (SOON, False), (NOW, True), (GONE, True)])
def test_an_agency_is_late_until_it_has_accepted_or_refused(
    state: forwarding.State, accept_by: datetime | None, over: bool
) -> None:
    waits = state in (forwarding.QUEUED, forwarding.SENT)
    asked = [Asked(forwarding.DONE, GONE), Asked(state, accept_by)]
    assert late(lifecycle.FORWARDED, SOON, asked, NOW) == ([Late.ACCEPTANCE] if over and waits else [])


def test_both_can_be_late() -> None:
    asked = [Asked(forwarding.QUEUED, GONE)]
    assert late(lifecycle.FORWARDED, GONE, asked, NOW) == [Late.HANDLING, Late.ACCEPTANCE]
