"""Waiting for what other threads, processes or tasks do, where nothing tells that it has happened."""

import asyncio
from collections.abc import Callable


async def until(true: Callable[[], object], within: float = 20) -> None:
    """Look every 10 ms. TimeoutError: it was not so in time."""
    async with asyncio.timeout(within):
        while not true():
            await asyncio.sleep(0.01)
