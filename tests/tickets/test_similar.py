"""Two reports, one event? What is proposed, why, and in which order."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.models import Ticket
from tests.tickets.conftest import NOW
from tickets import extras_store
from tickets.similar import Near, Report, likeness, metres, proposals

NEAR = Near()
MARKET = (-8.3035, 114.2890)
#: 0.001 degrees of latitude are 111.2 m
REPORT = Report(1, NOW, "fire", None, "00.01", "00.01.1", "Pasar Contoh", MARKET)
BARE = Report(2, NOW, "any", None, None, None, None, None)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


@pytest.mark.parametrize(
    ("other", "reasons"),
    [
        ({"point": (-8.3035, 114.2890)}, ("0 m apart", "12 min apart", "same topic")),
        ({"point": (-8.3025, 114.2890), "village": "00.09.9"}, ("111 m apart", "12 min apart", "same topic")),
        ({"point": (-8.2985, 114.2890)}, None),  # 556 m, though it is the same village
        ({"point": None}, ("same village", "12 min apart", "same topic")),
        ({"point": None, "village": "00.01.2"}, None),
        ({"point": None, "village": None, "place": " pasar  CONTOH "},
         ("same words for the place", "12 min apart", "same topic")),
        ({"point": None, "village": None, "place": None}, ("same sub-district", "12 min apart", "same topic")),
        ({"point": None, "village": None, "place": None, "topic": "any"}, None),
        ({"point": None, "village": None, "place": None, "subdistrict": None}, None),
        ({"point": None, "village": None, "subdistrict": "00.02"}, None),
        ({"topic": "police"}, ("0 m apart", "12 min apart")),  # one event may want two agencies
        ({"point": None, "topic": "police"}, None),
        ({"point": None, "topic": "any"}, ("same village", "12 min apart")),
    ],
)  # fmt: skip
def test_what_speaks_for_one_event(other: dict[str, object], reasons: tuple[str, ...] | None) -> None:
    found = likeness(REPORT, replace(REPORT, id=2, at=NOW - minutes(12), **other), NEAR)
    assert (found and found.reasons) == reasons


def test_the_same_category_says_more_than_the_same_topic() -> None:
    fire = replace(REPORT, category="house-fire")
    by_category = likeness(fire, replace(fire, id=2), NEAR)
    by_topic = likeness(fire, replace(fire, id=2, category=None), NEAR)
    assert by_category is not None
    assert by_topic is not None
    assert by_category.score > by_topic.score
    assert by_category.reasons[-1] == "same category"


@pytest.mark.parametrize(("apart", "is_near"), [(0, True), (60, True), (60.1, False), (-60, True), (-60.1, False)])
def test_what_began_too_long_before_or_after_is_another_event(apart: float, is_near: bool) -> None:
    assert (likeness(REPORT, replace(REPORT, id=2, at=NOW + minutes(apart)), NEAR) is not None) is is_near


def test_distance_and_minutes_are_settings() -> None:
    other = replace(REPORT, id=2, at=NOW + minutes(5), point=(-8.3025, 114.2890))
    assert likeness(REPORT, other, Near(within_m=100)) is None
    assert likeness(REPORT, other, Near(within_m=112)) is not None
    assert likeness(REPORT, other, Near(within=minutes(4))) is None
    assert likeness(REPORT, replace(REPORT, id=2), Near(within=minutes(0))) is not None


def test_the_likeliest_stands_first_and_of_equals_the_newest() -> None:
    others = [
        replace(REPORT, id=2, point=None, at=NOW - minutes(1)),
        replace(REPORT, id=3, at=NOW - minutes(30)),
        replace(REPORT, id=4, at=NOW - minutes(1)),
        replace(REPORT, id=5, at=NOW + minutes(1)),
        replace(REPORT, id=6, at=NOW - minutes(90)),
        REPORT,
    ]
    assert [found.id for found in proposals(REPORT, others, NEAR)] == [5, 4, 3, 2]


def test_a_report_of_which_nothing_is_known_is_like_no_other() -> None:
    assert proposals(BARE, [replace(BARE, id=3), REPORT], NEAR) == []


degrees = st.tuples(st.floats(-90, 90), st.floats(-180, 180))
reports = st.builds(
    Report,
    id=st.integers(1, 5),
    at=st.integers(-90, 90).map(lambda number: NOW + minutes(number)),
    topic=st.sampled_from(["any", "fire", "medical"]),
    category=st.none() | st.sampled_from(["house-fire", "birth"]),
    subdistrict=st.none() | st.sampled_from(["00.01", "00.02"]),
    village=st.none() | st.sampled_from(["00.01.1", "00.01.2"]),
    place=st.none() | st.text(max_size=3),
    point=st.none() | st.just(MARKET) | degrees,
)


@given(reports, reports)
def test_likeness_is_the_same_both_ways_and_never_that_of_a_report_to_itself(one: Report, other: Report) -> None:
    there, back = likeness(one, other, NEAR), likeness(other, one, NEAR)
    assert (there is None) is (back is None)
    if there is not None and back is not None:
        assert (there.score, there.reasons) == (back.score, back.reasons)
        assert (one.id, abs(one.at - other.at) <= NEAR.within) == (back.id, True)
        assert one.id != other.id


@given(degrees, degrees)
def test_no_two_points_are_farther_apart_than_half_round_the_earth(
    one: tuple[float, float], other: tuple[float, float]
) -> None:
    assert 0 <= metres(one, other) <= 20_015_200
    assert metres(one, other) == pytest.approx(metres(other, one))


def test_distances_known_from_elsewhere() -> None:
    assert metres((-6.1754, 106.8272), (-7.2459, 112.7378)) == pytest.approx(663_400, rel=0.005)  # Jakarta, Surabaya
    assert metres((0, 179.9995), (0, -179.9995)) == pytest.approx(111.2, rel=0.005)


async def test_candidates_are_what_began_near_in_time_and_was_not_merged(desk) -> None:
    first, second, third = await desk.filled(), await desk.filled(), await desk.draft("fire")
    async with desk.sessions.begin() as session:
        (await session.get_one(Ticket, third)).created_at = NOW - minutes(61)
    async with desk.sessions() as session:
        found = await extras_store.reports(session, NOW - minutes(60), NOW + minutes(60))
        report = extras_store.report_of(await session.get_one(Ticket, first))
    assert [(one.id, number, lifecycle) for one, number, lifecycle in found] == [
        (second, "2611-0002", "open"), (first, "2611-0001", "open"),
    ]  # fmt: skip
    [alike] = proposals(report, [one for one, _, _ in found], NEAR)
    assert alike.reasons == ("same words for the place", "0 min apart", "same topic")
