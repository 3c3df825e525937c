"""tickets ◆ What an agency's answer means for a message, and when the next attempt is due. Pure."""

from datetime import timedelta
from enum import StrEnum, auto


class Standing(StrEnum):
    """Where a message stands; the words stand in the database as they are."""

    WAITING = auto()  #: to be tried, or tried again
    SENT = auto()
    SET_ASIDE = auto()  #: trying again would not help: shown to a person


WAITING, SENT, SET_ASIDE = Standing

#: the agency asks for patience: not a word against the message
_LATER = {408, 425, 429}
_FIRST_WAIT = timedelta(seconds=1)
_LONGEST_WAIT = timedelta(seconds=60)  # an agency that comes back has five minutes to accept


def standing(status: int) -> Standing:
    """By the HTTP status. A redirect is set aside: the report goes where the admin said and nowhere else."""
    if 200 <= status < 300:
        return SENT
    if 300 <= status < 500 and status not in _LATER:
        return SET_ASIDE
    return WAITING


def wait_for(attempts: int, luck: float) -> timedelta:
    """How long to wait after so many failed attempts (from 1); `luck`, 0 to 1, spreads it: half to whole."""
    whole = min(_FIRST_WAIT * (1 << min(attempts - 1, 16)), _LONGEST_WAIT)
    return whole * (0.5 + luck / 2)
