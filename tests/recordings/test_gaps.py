"""When a recording lacks a stretch of its call, and what is said about it."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.gaps import TOLERANCE, Gap, gaps


@pytest.mark.parametrize(("starts", "ends", "length", "missing"), [
    (0.0, 12.0, 12.0, None),
    (0.0, 12.0, 11.6, None),
    (0.0, 12.0, 11.5, None),                                    # half a second goes without a word
    (0.0, 12.0, 12.8, None),                                    # the file closes after the journal's last note
    (0.0, 12.0, 10.2, (10.2, 12.0)),
    (100.0, 112.0, 10.2, (10.2, 12.0)),                         # from the recording's start, not from the clock's
    (0.0, 12.0, 0.0, (0.0, 12.0)),
    (0.0, 0.3, 0.0, None),
])
def test_what_is_missing(starts: float, ends: float, length: float, missing: tuple[float, float] | None) -> None:
    found = gaps(starts, ends, length)
    assert [(gap.from_s, gap.to_s) for gap in found] == ([missing] if missing else [])


def test_the_words_say_how_much_there_is() -> None:
    assert gaps(0, 12, 10.2)[0].why.startswith("10.2 of 12.0 s were recorded")
    assert gaps(0, 12, 0) == [Gap(0, 12, "nothing was recorded: 0.0 of 12.0 s")]


@given(call=st.floats(0, 1e5), length=st.floats(0, 1e5), starts=st.floats(0, 1e9))
def test_sound_and_gaps_together_make_up_the_call(call: float, length: float, starts: float) -> None:
    found = gaps(0, call, length)
    covered = length + sum(gap.to_s - gap.from_s for gap in found)
    assert covered >= call - TOLERANCE - 1e-6
    assert all(0 <= gap.from_s < gap.to_s <= call and gap.why for gap in found)
