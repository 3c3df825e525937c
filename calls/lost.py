"""calls ◆ Did the operator hang up, or was the phone lost? Pure: a table of Q.850 causes."""

#: Causes with which Asterisk reports a phone that vanished: network out of order, temporary failure,
#: requested channel not available (what `rtp_timeout` sets), recovery on timer expiry.
VANISHED = frozenset({38, 41, 44, 102})


def in_mid_talk(cause: int | None) -> bool:
    """True if a talk that ended with this cause ended because the phone was lost, not because somebody hung up."""
    return cause in VANISHED
