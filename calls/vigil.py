"""calls: watches over a caller who waits: music and their place for whoever is heard, a question for whoever is not.

One coroutine beside the queue's wait. It alone reads the keys of a waiting caller, so that each means one thing: before
we asked, what it always means while waiting (calls/pranks.py); once we have asked, the answer. What to do is decided by
calls/silence.py.
"""
import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from math import inf

from calls import pranks
from calls.call import Call
from calls.silence import RAISED, SAYS, TOPICS, Times, Todo, todo
from telephony.ari_operations import AriError
from telephony.tasks import beside

log = logging.getLogger(__name__)

#: The prompt that asks.
QUESTION = "silent"


async def keep(
    call: Call, welcome: str, comforted: Callable[[str | None], AbstractAsyncContextManager[None]],
    moved: Callable[[], None], times: Times,
) -> None:
    """As long as the caller waits; never ends by itself.

    `comforted`: music and the place in the queue for the length of a block, after `welcome` at first; `moved` is told
    when the call's place in the queue may have changed.
    """
    first: str | None = welcome
    vigil = _Vigil(call, moved, times)
    while True:
        async with comforted(first):                    # silent again when there is something to do
            await vigil.something_to_do()
        first = None
        while vigil.look()[0] is Todo.ASK:
            await vigil.asks()
        await vigil.labels()


class _Vigil:
    """Over one wait of a call's. What was asked stands in the call: it may wait again."""

    def __init__(self, call: Call, moved: Callable[[], None], times: Times) -> None:
        self._call, self._moved, self._times = call, moved, times
        self._now = asyncio.get_running_loop().time
        self._since = self._now()
        self._labelled = not call.asked.heard

    def look(self) -> tuple[Todo, float]:
        """Take what was heard for what it means; then: ASK or WAIT, and in how many seconds to look again."""
        call, heard, answer = self._call, self._call.caller.heard, ""
        for key in call.caller.unread():
            if call.asked.is_open():
                answer = answer or key
            elif key == pranks.EMERGENCY and call.behind:
                pranks.lift(call)
                self._moved()
        found, again = todo(call.asked, heard.key_at, heard.voice_at, self._since, self._now(), self._times)
        if found is Todo.RAISE:
            self._raises(answer)
            return Todo.WAIT, inf
        if found is Todo.LISTEN:
            call.asked = replace(call.asked, silent=True)
            call.notes.note("silent", call.id, asked=call.asked.times)
            return Todo.WAIT, inf
        return found, again

    def _raises(self, answer: str) -> None:
        """They gave a sign: before those who gave none, and to the service that they named."""
        call, said = self._call, SAYS.get(answer)
        by_key = call.caller.heard.key_at >= call.asked.at
        call.asked = replace(call.asked, heard=True, answered=by_key)
        call.priority = max(call.priority, RAISED)
        if call.topic == "any" and said in TOPICS:
            call.topic = TOPICS[said]
        call.notes.note("sign of life", call.id, by="key" if by_key else "voice", pressed=answer, said=said,
                        topic=call.topic, priority=call.priority)
        self._labelled = False
        self._moved()

    async def something_to_do(self) -> None:
        """Wait until the caller is to be asked, or has given a sign."""
        while (found := self.look())[0] is Todo.WAIT and self._labelled:
            await self._stirs(found[1])

    async def asks(self) -> None:
        """Play the question, up to a key, and wait for the answer. A voice does not cut it: they may yet press one."""
        call = self._call
        call.asked = replace(call.asked, times=call.asked.times + 1, at=self._now())
        call.notes.note("asked", call.id, times=call.asked.times)
        async with beside(self._answered()) as answer:
            async with beside(self._speaks()) as speaking:
                await asyncio.wait({speaking, answer}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({answer}, timeout=self._times.answer_for)

    async def _answered(self) -> None:
        self.look()
        while self._call.asked.is_open():
            await self._stirs(inf)
            self.look()

    async def _speaks(self) -> None:
        try:
            await self._call.caller.play([QUESTION])
        except AriError as fault:
            log.warning("call %s could not be asked whether anybody is there: %s", self._call.id, fault)

    async def labels(self) -> None:
        """For whoever adopts the call. When nothing is played: a channel that plays is labelled at its end only."""
        if not self._labelled:
            self._labelled = True
            try:
                await self._call.caller.label(topic=self._call.topic, priority=self._call.priority)
            except AriError as fault:
                log.warning("call %s: its new place is not written on its channel: %s", self._call.id, fault)

    async def _stirs(self, within: float) -> None:
        """Until the caller stirs, for so many seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(None if within == inf else within):
                await self._call.caller.stirs()
