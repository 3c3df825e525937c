"""calls: what a waiting caller hears: music, and in between their place in the queue."""
import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from telephony.ari_operations import AriError
from telephony.leg import Leg
from telephony.tasks import beside

log = logging.getLogger(__name__)

#: So many places have a prompt of their own (ivr/prompts); beyond them one sentence serves all.
SPOKEN_PLACES = 20


@asynccontextmanager
async def comforted(
    caller: Leg, welcome: str | None, told: Callable[[], list[str]], every: float
) -> AsyncIterator[None]:
    """While the body waits, the caller hears `welcome` (None: they heard it before), what is `told`, music, and every
    so many seconds that again.

    Silent again when the body ends, so that nothing holds up the commands that join caller and operator.
    """
    async with beside(_speak(caller, welcome, told, every)):
        yield


async def _speak(caller: Leg, welcome: str | None, told: Callable[[], list[str]], every: float) -> None:
    sentences = [welcome] if welcome else []
    while not caller.gone:
        try:
            await caller.play([*sentences, *told()])
            async with _music(caller):
                await asyncio.sleep(every)
        except AriError:
            log.exception("channel %s: could not comfort the caller; tried again later", caller.id)
            await asyncio.sleep(every)
        sentences = []


@asynccontextmanager
async def _music(caller: Leg) -> AsyncIterator[None]:
    await caller.music(True)
    try:
        yield
    finally:
        if not caller.gone:
            with suppress(AriError):            # a fault here would stand in place of being cancelled
                await caller.music(False)


def spoken_place(place: int) -> str:
    """The prompt that says a place in the queue."""
    return f"position-{place}" if place <= SPOKEN_PLACES else "position-many"
