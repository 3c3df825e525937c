"""Hung up or lost: what the network's cause says about the end of a talk."""

import pytest

from calls import lost

CAUSES = [
    ("network out of order", 38, True),
    ("temporary failure", 41, True),
    ("no packets any more", 44, True),
    ("no answer to our requests", 102, True),
    ("normal clearing", 16, False),
    ("a BYE without a cause", 0, False),
    ("busy", 17, False),
    ("declined", 21, False),
    ("never told", None, False),
]


@pytest.mark.parametrize(("cause", "was_lost"), [row[1:] for row in CAUSES], ids=[row[0] for row in CAUSES])
def test_only_a_phone_that_vanished_is_lost(cause: int | None, was_lost: bool) -> None:
    assert lost.has_vanished(cause) is was_lost


def test_a_phone_that_is_hung_up_at_once_was_no_talk():
    assert lost.was_no_talk(0.1)
    assert not lost.was_no_talk(0.7)
