"""calls ◆ The operator's verdict on a call. Pure: a table. (Whether a report is true: the ticket's verification.)"""
from enum import StrEnum


class Disposition(StrEnum):
    """One of these is chosen in the wrap-up of an answered call."""

    REAL = "real"
    ADVICE_ONLY = "advice only"
    INFORMATION = "information"
    PRANK = "prank"
    GHOST = "ghost"                 # nobody there
    NOT_OUR_MATTER = "not our matter"
    TEST = "test"
