"""web: the house as the doors see it: what they are given, and nothing more."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from calls.centre import Centre
from calls.journal import Journal
from tickets.similar import Near
from web.health import Check
from web.metrics import Metrics

#: Characters of the shortest secret that nobody can guess.
_SHORTEST_SECRET = 16


@dataclass(frozen=True)
class House:
    """Everything the doors need. Raises ValueError for a secret that is none."""

    centre: Centre
    sessions: async_sessionmaker[AsyncSession]      #: made with expire_on_commit=False
    journal: Journal
    health: Callable[[], Awaitable[list[Check]]]    #: a `web.health.Health`
    metrics: Metrics
    api_token: str                                  #: bearer token of the API
    link_secret: str                                #: signs the links by which agencies acknowledge
    wake_outbox: asyncio.Event                      #: set after something was written into the outbox
    timezone: tzinfo                                #: in which pages tell the time
    data: Path                                      #: the data folder; recordings/ lies in it
    node: str                                       #: whose notes the journal's are
    near: Near = field(default_factory=Near)        #: how near two reports of one event are

    def __post_init__(self) -> None:
        if min(len(self.api_token), len(self.link_secret)) < _SHORTEST_SECRET:
            raise ValueError(f"the API's token and the links' secret need {_SHORTEST_SECRET} characters or more each; "
                             "secrets.toml in the data folder holds them (delete the short one: it is made anew)")
