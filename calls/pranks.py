"""calls: past pranks of a caller's number: looked up while the greeting is played, lifted by a key while they wait.

Nobody waits for the database: what it does not say before the queue is reached is not held against the caller.
"""
import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from calls.call import Call
from calls.stages import ARRIVED, MENU
from routing import pranks
from routing.pranks import Past

log = logging.getLogger(__name__)

#: Pranks of a number that count at a moment, from the books.
Books = Callable[[str, datetime], Awaitable[list[Past]]]
#: "This is an emergency", while waiting.
EMERGENCY = "5"
#: The prompt that tells of that key.
TOLD = "if-emergency"
#: An answer of the database that takes longer (s) is not waited for.
_IN_TIME = 5.0


async def look_up(call: Call, number: str, books: Books) -> None:
    """Put the call as far behind equal ones as the number's past says. A fault, or no answer in time: not at all."""
    try:
        async with asyncio.timeout(_IN_TIME):
            weight = pranks.weigh(await books(number, call.arrived_at), call.arrived_at)
    except (TimeoutError, OSError, SQLAlchemyError):
        log.warning("call %s: the number's past could not be looked up; nothing is held against it", call.id)
        return
    if weight.score and call.stage in (ARRIVED, MENU):
        call.behind = weight.behind
        call.notes.note("prank", call.id, **asdict(weight))


def lift(call: Call) -> None:
    """The caller has said that it is an emergency: the call stands where any other would."""
    call.behind = 0.0
    call.notes.note("prank lifted", call.id, pressed=EMERGENCY)
