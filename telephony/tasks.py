"""telephony: to be cancelled and leave nothing half done. A hang-up cancels whatever line of the story is waiting."""
import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, T]) -> AsyncIterator[asyncio.Task[T]]:
    """Do `work` beside the body, no longer than the body lasts; what it raises is raised at the end.

    Whoever cancels us while we wait for its end is heard: `suppress(CancelledError)` round that wait would swallow a
    hang-up, and an operator would talk to nobody.
    """
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        cancelled = None
        while not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError as heard:
                cancelled = heard
        if cancelled is not None:
            raise cancelled
        if not task.cancelled():
            task.result()


async def through(request: Awaitable[T]) -> T:
    """Await a request to its end even if we are cancelled: what it makes must be there before it can be cleared up."""
    task = asyncio.ensure_future(request)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()            # looked at: nobody else asks for it
        raise
