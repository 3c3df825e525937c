"""The roster is changed as a whole or not at all, and the audit tells; on both databases."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from db import audit, models
from routing import roster_csv, roster_edit, roster_ical, store
from routing.roster import DayDuty, Duty, Roster, Shift, who_is_on
from routing.roster_edit import Change, Conflict, House, Unknown
from routing.roster_rules import Refused
from routing.seed import DUTIES, SHIFTS

JAKARTA = ZoneInfo("Asia/Jakarta")
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
FRIDAY = date(2026, 12, 25)
DAY = (b"day,shift,operator\n2026-12-25,pagi,op02\n2026-12-25,siang,op03\n2026-12-25,malam,op06\n"
       b"2026-12-25,malam,op07\n")
SEED = frozenset(DUTIES)
Sessions = async_sessionmaker[AsyncSession]


@pytest.fixture
async def house(engine: AsyncEngine, sessions: Sessions) -> Sessions:
    """Seeded."""
    async with engine.begin() as connection:
        await connection.run_sync(store.seed)
    return sessions


def change(**more: Any) -> Change:
    return Change("adi", NOW, JAKARTA, **more)


async def take(sessions: Sessions, data: bytes, **more: Any) -> roster_edit.Outcome:
    return await roster_edit.take(sessions, partial(roster_csv.read, data), change(**more))


async def read(sessions: Sessions) -> House:
    async with sessions() as session:
        return await roster_edit.house(session)


async def audited(sessions: Sessions) -> list[tuple[str, str, str, str, Any, Any, str | None]]:
    async with sessions() as session:
        rows = (await session.scalars(select(models.Audit).order_by(models.Audit.seq))).all()
        assert not list(await (await session.connection()).run_sync(lambda it: list(audit.breaks(it))))
        return [(row.who, row.what, row.which, row.field, row.before, row.after, row.why) for row in rows]


def week(*, but: Duty | None = None) -> bytes:
    return roster_csv.write(Roster(SHIFTS, SEED - {but}))


async def test_a_day_that_differs_is_written_and_told(house: Sessions) -> None:
    outcome = await take(house, DAY, why="Natal")
    assert (outcome.week, outcome.days) == (False, [FRIDAY])
    assert outcome.warnings == ["2026-12-25 (Friday) 07:00–15:00 only op02 is on",
                                "2026-12-25 (Friday) 15:00–23:00 only op03 is on"]
    after = (await read(house)).roster
    assert after == outcome.roster
    assert (after.weekly, after.dates) == (SEED, {FRIDAY})
    assert await audited(house) == [("adi", "roster", "2026-12-25", "duties", None,
                                     ["malam: op06 op07", "pagi: op02", "siang: op03"], "Natal")]


async def test_the_week_is_replaced_whole_with_its_own_line(house: Sessions) -> None:
    gone = next(duty for duty in DUTIES if (duty.shift, duty.weekday) == ("pagi", 0))
    await take(house, DAY)
    outcome = await take(house, week(but=gone))
    assert (outcome.week, outcome.days) == (True, [])
    assert (await read(house)).roster.weekly == SEED - {gone}
    assert (await read(house)).roster.dates == {FRIDAY}
    who, what, which, field, before, after, _ = (await audited(house))[-1]
    assert (who, what, which, field) == ("adi", "roster", "week", "duties")
    assert set(before) - set(after) == {"Monday pagi: op04 op07"}
    assert set(after) - set(before) == {"Monday pagi: op07"}


async def test_the_same_again_changes_nothing_and_is_not_told(house: Sessions) -> None:
    outcome = await take(house, week())
    assert (outcome.week, outcome.days) == (False, [])
    assert await audited(house) == []


async def test_what_is_only_looked_at_is_not_written(house: Sessions) -> None:
    before = await read(house)
    outcome = await take(house, DAY, dry_run=True)
    assert outcome.days == [FRIDAY]
    assert await read(house) == before
    assert await audited(house) == []


async def test_the_weekly_pattern_holds_again_on_a_day_that_is_restored(house: Sessions) -> None:
    before = await read(house)
    await take(house, DAY)
    outcome = await roster_edit.restore(house, FRIDAY, change())
    assert outcome.days == [FRIDAY]
    assert await read(house) == before
    assert (await audited(house))[-1][3:6] == (
        "duties", ["malam: op06 op07", "pagi: op02", "siang: op03"], None)
    with pytest.raises(Unknown, match="2026-12-25 has no duties of its own"):
        await roster_edit.restore(house, FRIDAY, change())


async def test_shifts_are_changed_together(house: Sessions) -> None:
    early = (Shift("pagi", "06:00", "14:00"), Shift("siang", "14:00", "22:00"), Shift("malam", "22:00", "06:00"))
    await roster_edit.set_shifts(house, early, change())
    assert set((await read(house)).roster.shifts) == set(early)
    assert await audited(house) == [("adi", "roster", "week", "shifts", [
        "malam 23:00–07:00", "pagi 07:00–15:00", "siang 15:00–23:00"], [
        "malam 22:00–06:00", "pagi 06:00–14:00", "siang 14:00–22:00"], None)]
    more = (*early, Shift("sore", "16:00", "20:00"))
    await roster_edit.set_shifts(house, more, change())
    await roster_edit.set_shifts(house, early, change())
    assert set((await read(house)).roster.shifts) == set(early)


async def changed_shifts(sessions: Sessions, *shifts: Shift, **more: Any) -> roster_edit.Outcome:
    return await roster_edit.set_shifts(sessions, shifts, change(**more))


REFUSED: list[tuple[str, Callable[[Sessions], Awaitable[Any]], str]] = [
    ("an unknown person", lambda it: take(it, DAY + b"2026-12-25,pagi,op77\n"), "row 6: there is no operator 'op77'"),
    ("a gap", lambda it: take(it, DAY.replace(b"siang,op03", b"pagi,op03")), "15:00–23:00 nobody is on"),
    ("a week of one day", lambda it: take(it, DAY + b"2026-12-25,malam,op04\nFriday,pagi,op01\n"), "nobody is on"),
    ("a PDF", lambda it: take(it, b"%PDF-1.7"), "this is a PDF"),
    ("a calendar of one operator", lambda it: roster_edit.take(it, partial(roster_ical.read, roster_ical.write(
        Roster(SHIFTS, SEED), (), JAKARTA, NOW, "op01"), JAKARTA), change()), "nobody is on"),
    ("a shift that somebody has", lambda it: changed_shifts(it, *SHIFTS[1:]), "somebody has the shift pagi"),
    ("a shift too short", lambda it: changed_shifts(it, Shift("pagi", "07:00", "14:00"), *SHIFTS[1:]),
     "Monday 14:00–15:00 nobody is on"),
    ("no time", lambda it: changed_shifts(it, Shift("pagi", "7", "25:00"), *SHIFTS[1:]), "pagi: '7' is no time of day"),
    ("a code that is none", lambda it: changed_shifts(it, *SHIFTS, Shift("=x", "1:00", "2:00")), "'=x': a code is"),
    ("a shift twice", lambda it: changed_shifts(it, *SHIFTS, SHIFTS[0]), "the shift pagi stands there twice"),
]


@pytest.mark.parametrize(("what", "tried", "said"), REFUSED, ids=[row[0] for row in REFUSED])
async def test_what_is_refused_has_written_nothing(
    house: Sessions, what: str, tried: Callable[[Sessions], Awaitable[Any]], said: str
) -> None:
    before = await read(house)
    with pytest.raises(Refused) as refused:
        await tried(house)
    assert said in str(refused.value)
    assert await read(house) == before
    assert await audited(house) == []


async def test_a_shift_of_the_past_stays(house: Sessions) -> None:
    more = (*SHIFTS, Shift("sore", "16:00", "20:00"))
    await roster_edit.set_shifts(house, more, change())
    async with house.begin() as session:
        session.add(models.DayDuty(day="2026-01-01", operator="op09", shift="sore"))
        await session.execute(update(models.Operator).where(models.Operator.name == "op09").values(active=False))
    with pytest.raises(Refused, match="the shift sore is in the roster's past and must stay"):
        await roster_edit.set_shifts(house, SHIFTS, change())


async def test_who_saw_another_roster_is_told_and_nothing_is_lost(house: Sessions) -> None:
    seen = (await read(house)).roster.fingerprint()
    await take(house, DAY, seen=seen)
    before = await read(house)
    with pytest.raises(Conflict, match="changed meanwhile; load it again"):
        await take(house, DAY.replace(b"op02", b"op04"), seen=seen)
    assert await read(house) == before


async def test_of_two_at_the_same_moment_one_is_told(house: Sessions) -> None:
    done = await asyncio.gather(
        *(take(house, DAY.replace(b"op02", name)) for name in (b"op02", b"op04", b"op08")), return_exceptions=True)
    written = [outcome for outcome in done if isinstance(outcome, roster_edit.Outcome)]
    assert [type(other) for other in done if other not in written] == [Conflict] * (3 - len(written))
    assert len(await audited(house)) == len(written) >= 1
    assert (await read(house)).roster in [outcome.roster for outcome in written]


async def test_duties_of_who_has_left_go_with_the_week_that_is_replaced(house: Sessions) -> None:
    async with house.begin() as session:
        await session.execute(update(models.Operator).where(models.Operator.name == "op09").values(active=False))
    left = frozenset(duty for duty in DUTIES if duty.operator != "op09")
    beside = next(duty for duty in sorted(left) if any(
        (duty.shift, duty.weekday) == (other.shift, other.weekday) for other in left - {duty}))
    await take(house, roster_csv.write(Roster(SHIFTS, left - {beside})))
    async with house() as session:
        assert await session.scalar(select(func.count()).where(models.Duty.operator == "op09")) == 0


async def test_only_the_days_around_now_are_loaded_to_say_who_is_on(house: Sessions) -> None:
    await take(house, DAY)
    on_friday = datetime(2026, 12, 25, 8, 0, tzinfo=JAKARTA)
    async with house() as session:
        assert (await store.near(session, NOW, JAKARTA)).dates == frozenset()
        plan = await store.near(session, on_friday, JAKARTA)
    assert plan.days >= {DayDuty("op02", "pagi", FRIDAY)}
    assert who_is_on(plan, on_friday, JAKARTA) == {"op02"}
