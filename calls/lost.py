"""calls ◆ Did the operator hang up, or was the phone lost? Pure: a table of Q.850 causes, and one length."""

#: Causes with which Asterisk reports a phone that vanished: network out of order, temporary failure,
#: requested channel not available (what `rtp_timeout` sets), recovery on timer expiry.
VANISHED = frozenset({38, 41, 44, 102})
#: Nobody ends a talk sooner (s): a phone that does has a fault, and would drop one caller after the other.
SHORTEST_TALK = 0.5


def in_mid_talk(cause: int | None, talked_for: float) -> bool:
    """True if a talk of so many seconds, ended with this cause, was lost; False if somebody hung up."""
    return cause in VANISHED or talked_for < SHORTEST_TALK
