"""calls: what Asterisk is told by the way: whose phones the way out shall ring, which numbers then, and the queue log.

Told over AMI and never in a caller's way. What could not be told is told when AMI is back.
"""
import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from calls.journal import Note
from calls.queue_log import QUEUE, Line, QueueLog
from routing.acd import Acd
from routing.operators import OUT
from telephony.ami import Ami, AmiError

log = logging.getLogger(__name__)

FAMILY, ON_DUTY, OUTSIDE = "kentongan", "onduty", "outside"     # read by asterisk-conf/kentongan/extensions.conf
_LINES_KEPT = 10_000


class Bulletin:
    """Keeps Asterisk told. `hears` takes the journal's notes; `run` until cancelled.

    `outside`: the endpoints of numbers outside that the way out may ring, in Dial()'s words; "" for none.
    """

    def __init__(self, ami: Ami, acd: Acd, outside: Callable[[], str]) -> None:
        self._ami, self._acd, self._outside = ami, acd, outside
        self._queue_log = QueueLog()
        self._lines: deque[Line] = deque(maxlen=_LINES_KEPT)
        self._told: dict[str, str] = {}         # by key
        self._news = asyncio.Event()

    def hears(self, note: Note) -> None:
        """A note that may be news for Asterisk."""
        self._lines.extend(self._queue_log.lines(note))
        if self._lines:
            self._news.set()

    def look(self) -> None:
        """A desk is otherwise, or its shift, or the overflow table: perhaps other phones are to be rung now."""
        self._news.set()

    async def up(self) -> None:
        """AMI is there (again), perhaps with another Asterisk behind it: everything is news."""
        self._told.clear()
        self._news.set()

    async def run(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            with suppress(AmiError):            # `up` comes when it is back
                await self._tell()

    async def _tell(self) -> None:
        for key, phones in ((ON_DUTY, on_duty(self._acd)), (OUTSIDE, self._outside())):
            if phones != self._told.get(key):
                if phones:
                    await self._ami.db_put(FAMILY, key, phones)
                else:
                    await self._ami.db_del(FAMILY, key)
                self._told[key] = phones
        while self._lines:
            line = self._lines[0]
            await self._ami.queue_log(QUEUE, line.unique_id, line.agent, line.event, line.data)
            self._lines.popleft()


def on_duty(acd: Acd) -> str:
    """The phones for the way out's Dial(): of those on shift and logged in; of all logged in, if there are none."""
    there = [desk for desk in acd.desks.values() if desk.state is not OUT and not desk.is_reserve]
    return "&".join(desk.endpoint for desk in [d for d in there if d.on_shift] or there)
