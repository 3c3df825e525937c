"""calls: the life of one call, from the first ring to the last line in the journal. Read this file first.

Every `await` below may last a second or an hour; each ends at once when the call is over. What must happen then
stands in a `with` or an `except`, never in an event handler. A call that is found alive after a restart enters the
same story at the stage where it stood.
"""
import asyncio
import logging

from calls.call import Call
from calls.centre import Centre
from calls.stages import ARRIVED, ENDED, MENU, OFFERED, QUEUED, TALKING
from ivr import ask

log = logging.getLogger(__name__)


async def live(call: Call, centre: Centre) -> None:
    """From arrival (or wherever it stood) to the end. Only being stopped raises."""
    try:
        async with call.until_over():                   # over: the caller and all but one of the others have gone
            if call.stage is ARRIVED:
                await call.caller.label(call=call.id)
                await call.caller.answer()
                call.enter(MENU)                        # the draft ticket stands since the call was opened
                choice = await ask.choice(call.caller, centre.menu())       # silence, wrong keys: any operator
                call.topic, call.priority = choice.topic, choice.priority
                await call.caller.label(topic=choice.topic, priority=choice.priority)
                call.notes.note("chosen", call.id, topic=choice.topic, priority=choice.priority, pressed=choice.pressed)
            while call.stage is not ENDED:
                await one_turn(call, centre)
        call.ends()
        await centre.dissolve(call)
    except (Exception, asyncio.CancelledError) as fault:        # a bug of ours, or we are being stopped
        await asyncio.shield(centre.let_go(call))       # a waiting caller keeps a line; a conversation is left alone
        if not isinstance(fault, Exception):
            raise
        log.exception("call %s left our hands while %s", call.id, call.stage)


async def one_turn(call: Call, centre: Centre) -> None:
    """From the queue to the end of a talk, or back into the queue."""
    async with centre.acd.desk_for(call) as loan:       # a loan: whatever happens, the desk comes back
        if call.stage is not TALKING:                   # (an adopted talk already has its desk)
            call.enter_once(QUEUED, topic=call.topic, priority=call.priority)
            async with centre.comforted(call):          # music, and their place in the queue
                async with centre.overflows(call):      # the longer they wait, the more phones ring
                    desk = await loan.desk()
                call.enter(OFFERED, operator=desk.name)
                if not await centre.answers(desk, call):            # no answer, refused, phone gone:
                    return                                          # that desk rests, the next one rings
            await centre.joins(desk, call)
            call.enter(TALKING, operator=desk.name)
        desk = await loan.desk()
        call.enter(await centre.talk(desk, call), by="operator")    # ENDED; or QUEUED, at the head: the desk was lost
