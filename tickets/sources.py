"""tickets ◆ How reports reach us: the words that stand in a ticket's `source`. Pure."""

from enum import StrEnum, auto


class Source(StrEnum):
    """The words stand in the database as they are."""

    CALL = auto()
    WALK_IN = auto()
    WEBSITE = auto()
    SMS = auto()
    WHATSAPP = auto()
    EMAIL = auto()
    INSTAGRAM = auto()
    TWITTER = auto()
    LETTER = auto()
    VISIT = auto()  #: somebody of the service was there
    AGENCY = auto()  #: another desk handed it over: 119, the complaint desk, the province


CALL = Source.CALL
