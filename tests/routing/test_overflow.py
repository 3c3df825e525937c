"""Who is asked when somebody waits too long: the table, its order, its rounds, and the file that it stands in."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kentongan.followed import Followed
from routing.overflow import Kind, Step, TableError, next_step, parse
from routing.overflow_file import SEED, shipped
from routing.policy import Free, Waiting, match

TEXT = """
again_after = 20
dial = "PJSIP/{number}@trunk"
[outside]
psc119 = "119"
damkar = "+62555113"
[services.any]
supervisors = 30
outside = 60
numbers = ["damkar"]
[services.medical]
widen = 10
supervisors = 40
outside = 20
numbers = ["psc119", "damkar"]
[services.information]
widen = 300
"""
TABLE = parse(TEXT, "overflow.toml")
SUPERVISORS, OUTSIDE = Step(Kind.SUPERVISORS, 30), Step(Kind.OUTSIDE, 60, ("damkar",))
WIDEN, FIRST, SECOND = (
    Step(Kind.WIDEN, 10), Step(Kind.OUTSIDE, 20, ("psc119", "damkar")), Step(Kind.SUPERVISORS, 40)
)  # fmt: skip


@pytest.mark.parametrize(("topic", "waited", "done", "step", "wait_for"), [
    ("fire", 0, 0, SUPERVISORS, 30),            # by the table of any
    ("fire", 12.5, 0, SUPERVISORS, 17.5),
    ("fire", 45, 0, SUPERVISORS, 0),            # late: at once
    ("fire", 45, 1, OUTSIDE, 15),
    ("fire", 90, 2, SUPERVISORS, 20),           # again, after the pause
    ("fire", 90, 3, OUTSIDE, 0),                # without another one in the same round
    ("fire", 500, 12, SUPERVISORS, 20),
    ("medical", 0, 0, WIDEN, 10),               # in the order of their times
    ("medical", 10, 1, FIRST, 10),
    ("medical", 20, 2, SECOND, 20),
    ("medical", 60, 3, FIRST, 20),              # widened for good
    ("information", 0, 0, Step(Kind.WIDEN, 300), 300),
])  # fmt: skip
def test_the_next_step(topic: str, waited: float, done: int, step: Step, wait_for: float) -> None:
    due = next_step(TABLE, topic, waited, done)
    assert due is not None
    assert (due.step, due.wait_for) == (step, wait_for)


def test_nobody_more_to_ask() -> None:
    assert next_step(TABLE, "information", 400, 1) is None
    assert next_step(parse("[services]", "t"), "fire", 400, 0) is None


@given(st.sampled_from(["any", "fire", "medical"]), st.floats(0, 10_000), st.integers(0, 100))
def test_no_round_is_without_a_pause(topic: str, waited: float, done: int) -> None:
    steps = TABLE.steps(topic)
    dues = [next_step(TABLE, topic, waited, n) for n in range(done, done + len(steps) + 1)]
    assert all(due is not None and due.wait_for >= 0 for due in dues)
    if done >= len(steps):
        assert max(due.wait_for for due in dues if due is not None) == TABLE.again_after


def test_a_service_has_its_own_limit_for_widening() -> None:
    assert [TABLE.widen_after(topic) for topic in ("fire", "medical", "information")] == [None, 10, 300]
    desk = [Free("op01", frozenset(), 0.0)]
    medical, information = (Waiting(f"c{topic}", topic, 0.0, widen_after=TABLE.widen_after(topic))
                            for topic in ("medical", "information"))
    assert match([information, medical], desk, 20.0, 15.0) == [("cmedical", "op01")]
    assert match([information], desk, 20.0, 15.0) == []


def test_a_number_is_reached_through_the_trunk() -> None:
    assert TABLE.outside == {"psc119": "PJSIP/119@trunk", "damkar": "PJSIP/+62555113@trunk"}


@pytest.mark.parametrize(("wrong", "says"), [
    ("[services", "overflow.toml: Expected"),
    ("again_after = 0\n[services]", "again_after"),
    ("[services.any]\nsupervisor = 3", "supervisor"),
    ("[services.any]\nwiden = -1", "widen"),
    ('[services.any]\noutside = 1\nnumbers = ["psc119"]', "services.any: psc119 is not among"),
    ('[services.any]\n[outside]\npsc119 = "119@elsewhere"', "outside"),
    ('[services.any]\n[outside]\n"op-1" = "119"', "outside"),
    ('dial = "Local/{number}"\n[services.any]', "dial"),
])  # fmt: skip
def test_what_is_wrong_is_said_and_nothing_changes(tmp_path: Path, wrong: str, says: str) -> None:
    path = tmp_path / "overflow.toml"
    path.write_text(TEXT)
    file = Followed(path, SEED, shipped(), parse)
    path.write_text(wrong)
    assert file.current() == TABLE
    assert says in (file.fault or "")
    with pytest.raises(TableError):
        parse(wrong, "overflow.toml")
    path.write_text(TEXT + "# mended")
    assert (file.current(), file.fault) == (TABLE, None)


def test_a_new_house_gets_the_table_that_we_ship(tmp_path: Path) -> None:
    file = Followed(tmp_path / "overflow.toml", SEED, shipped(), parse)
    assert (tmp_path / "overflow.toml").read_text() == SEED.read_text()
    assert file.fault is None
    assert file.current().steps("fire") == (Step(Kind.SUPERVISORS, 30),)        # (no numbers: nobody outside)
