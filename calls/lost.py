"""calls ◆ Did the operator hang up, or was the phone lost? Pure: a table of Q.850 causes, and one length."""

#: Causes with which Asterisk reports a phone that vanished: network out of order, temporary failure,
#: requested channel not available (what `rtp_timeout` sets), recovery on timer expiry.
VANISHED = frozenset({38, 41, 44, 102})
#: Nobody ends a talk sooner (s, from picking up): it was a slip or a fault, and the caller has told nobody anything.
SHORTEST_TALK = 0.5


def has_vanished(cause: int | None) -> bool:
    """True if the phone is gone; False if somebody hung up."""
    return cause in VANISHED


def was_no_talk(talked_for: float) -> bool:
    """True if a phone that was picked up was hung up too soon for a talk; seconds."""
    return talked_for < SHORTEST_TALK
