"""telephony: one party's side of a call, as the rest of the code sees it.

`AriLeg` is a channel of Asterisk's; the tests' legs implement the same protocol. Events reach a leg through its
call's inbox (`take`), in order; commands go out by themselves and never raise because the party has just hung up:
that marks the leg as gone, and whoever waits for the call's end is told.
"""
import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle
from math import ceil, inf
from typing import Protocol

from telephony import events
from telephony.ari import Ari
from telephony.ari_operations import AriError, Gone
from telephony.tasks import through

log = logging.getLogger(__name__)

#: No prompt is longer (s): a lost event must not hold a caller up.
LONGEST_PROMPT = 15.0
#: The cause of a hang-up comes so soon after it (s), or not at all.
CAUSE_WITHIN = 0.5
#: Dialplan place of the way out (asterisk-conf/kentongan/extensions.conf).
WAY_OUT = "kentongan-wayout"
MUSIC = "kentongan"
#: What our application is told when a phone that we rang is answered.
OFFER = "offer"


@dataclass(slots=True)
class Heard:
    """When a party was heard last, by the event loop's clock."""

    key_at: float = -inf        #: -inf: no key yet
    voice_at: float = -inf      #: -inf: no voice yet; inf: one is heard now


class Leg(Protocol):
    """One party of a call: caller, operator, agency or supervisor."""

    id: str
    gone: bool
    cause: int | None       #: why it went (Q.850), where the network told us
    heard: Heard

    def take(self, event: events.Event) -> None: ...
    def on_gone(self, look: Callable[[], None]) -> None: ...
    async def answer(self) -> None: ...
    async def label(self, **facts: object) -> None: ...
    async def play(self, prompts: Iterable[str]) -> None: ...
    async def silence(self) -> None: ...
    async def music(self, on: bool) -> None: ...
    async def digit(self) -> str: ...
    def unread(self) -> str: ...
    async def stirs(self) -> None: ...
    async def ring(self, endpoint: str, caller_number: str | None, give_up_after: float) -> None: ...
    async def rang(self, within: float) -> bool: ...
    async def picked_up(self, within: float) -> bool: ...
    async def left(self) -> None: ...
    async def hand_back(self) -> None: ...
    async def hang_up(self) -> None: ...


class AriLeg:
    """A channel of Asterisk's, driven over ARI. `id` is the channel id: ours for phones that we ring."""

    def __init__(self, ari: Ari, channel_id: str, sound: Callable[[str], str]) -> None:
        """`sound` turns the name of a prompt into Asterisk's media URI."""
        self.id = channel_id
        self.gone = False
        self.cause: int | None = None
        self.heard = Heard()
        self._ari = ari
        self._sound = sound
        self._lookers: list[Callable[[], None]] = []
        self._digits: asyncio.Queue[str] = asyncio.Queue()
        self._stirred = asyncio.Event()
        self._rang, self._picked_up = asyncio.Event(), asyncio.Event()
        self._left, self._cause_known = asyncio.Event(), asyncio.Event()
        self._playing: dict[str, asyncio.Event] = {}
        self._playback_ids = cycle(_playback_ids(channel_id))

    def take(self, event: events.Event) -> None:
        """One event of this channel's, in the order of their arrival. Never raises; hang-ups may come twice."""
        match event:
            case events.ChannelDtmfReceived(digit=digit):
                self._digits.put_nowait(digit)
                self.heard.key_at = asyncio.get_running_loop().time()
                self._stirred.set()
            case events.ChannelTalkingStarted():
                self.heard.voice_at = inf
                self._stirred.set()
            case events.ChannelTalkingFinished():
                self.heard.voice_at = asyncio.get_running_loop().time()
                self._stirred.set()
            case events.PlaybackFinished(playback=playback):
                if (done := self._playing.get(playback.id)) is not None:
                    done.set()
            case events.ChannelStateChange(channel=channel) if channel.state in ("Ringing", "Up"):
                self._rang.set()
            case events.StasisStart():          # a phone is ours to command 1 to 3 ms after it is up, not before
                self._rang.set()
                self._picked_up.set()
            case events.ChannelDestroyed(cause=cause):
                self.cause = cause if self.cause is None or cause else self.cause
                self._cause_known.set()
                self._goes()
            case events.ChannelHangupRequest(cause=cause, soft=soft):
                self.cause = self.cause if soft else cause      # a soft one's cause means nothing
                self._goes()
            case events.StasisEnd():
                self._goes()
            case _:
                pass

    def _goes(self) -> None:
        if not self.gone:
            self.gone = True
            for waited_for in (self._rang, self._picked_up, self._left, *self._playing.values()):
                waited_for.set()
            for look in self._lookers:
                look()

    def on_gone(self, look: Callable[[], None]) -> None:
        """Call `look` when this leg goes; at once if it has gone."""
        self._lookers.append(look)
        if self.gone:
            look()

    async def answer(self) -> None:
        await self._tell(self._ari.channels.answer(self.id))

    async def label(self, **facts: object) -> None:
        """Write on the channel, as reported variables KENTONGAN_…, what a process that adopts the call must know."""
        variables = {f"KENTONGAN_{name.upper()}": str(value) for name, value in facts.items()}
        await self._tell(self._ari.channels.set_variables(self.id, variables, report_events=True))

    async def play(self, prompts: Iterable[str]) -> None:
        """Play prompts one after another; returns when the last one ends or could not be played.

        Cancelled, it stops the prompt first: a command to a channel that plays would wait for the prompt's end.
        """
        for prompt in prompts:
            if self.gone:
                return
            playback_id = next(self._playback_ids)
            done = self._playing[playback_id] = asyncio.Event()
            try:
                await through(self._tell(self._ari.channels.play(self.id, self._sound(prompt), playback_id)))
                async with asyncio.timeout(LONGEST_PROMPT):
                    await done.wait()
            except TimeoutError:
                log.warning("channel %s: no end of a prompt was reported within %s s", self.id, LONGEST_PROMPT)
            except asyncio.CancelledError:
                if not self.gone:
                    with suppress(AriError):            # it ended by itself; and no fault stands above being cancelled
                        await self._ari.playbacks.stop(playback_id)
                raise
            finally:
                del self._playing[playback_id]

    async def silence(self) -> None:
        """Stop a prompt that an earlier process began: until its end the channel would obey no command of ours."""
        stops = (self._ari.playbacks.stop(playback_id) for playback_id in _playback_ids(self.id))
        await asyncio.gather(*stops, return_exceptions=True)        # most of them are not being played

    async def music(self, on: bool) -> None:
        channels = self._ari.channels
        await self._tell(channels.start_moh(self.id, MUSIC) if on else channels.stop_moh(self.id))

    async def digit(self) -> str:
        """The next key that was pressed; they wait in order."""
        return await self._digits.get()

    def unread(self) -> str:
        """The keys that were pressed and that nobody has read; now they are read."""
        return "".join(self._digits.get_nowait() for _ in range(self._digits.qsize()))

    async def stirs(self) -> None:
        """Until a key is pressed, or a voice begins or ceases; or at once, if one has since the last time."""
        await self._stirred.wait()
        self._stirred.clear()

    async def ring(self, endpoint: str, caller_number: str | None, give_up_after: float) -> None:
        """Ring a phone; this leg's channel id is the one we chose. A phone that cannot be rung is gone at once."""
        try:
            await through(self._ari.channels.originate(
                endpoint, channel_id=self.id, app_args=OFFER, caller_id=caller_number or "",
                timeout=ceil(give_up_after)))
        except AriError as refused:             # 500 "Allocation failed": it is not registered
            if not refused.status:              # no answer: it may ring all the same, and must be hung up
                raise
            log.warning("%s cannot be rung: %s", endpoint, refused)
            self._goes()

    async def rang(self, within: float) -> bool:
        """Whether the phone says within so many seconds that it rings (or is answered); False also when it is gone."""
        return await self._is_set(self._rang, within)

    async def picked_up(self, within: float) -> bool:
        """Whether the phone is answered within so many seconds; False also when it is gone."""
        return await self._is_set(self._picked_up, within)

    async def _is_set(self, event: asyncio.Event, within: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await event.wait()
        return event.is_set() and not self.gone

    async def left(self) -> None:
        """Until this party has gone, and it is known why: Asterisk tells the cause last, a moment after the rest."""
        await self._left.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(CAUSE_WITHIN):
                await self._cause_known.wait()

    async def hand_back(self) -> None:
        """Give the channel back to the dialplan, which goes on with the way out."""
        await self._tell(self._ari.channels.continue_in_dialplan(self.id, WAY_OUT, "s", 1))

    async def hang_up(self) -> None:
        if not self.gone:
            await self._tell(self._ari.channels.hangup(self.id))

    async def _tell(self, request: Awaitable[object]) -> None:
        """Await a command; "no such channel" means that the party has just hung up."""
        try:
            await request
        except Gone:
            self._goes()


def _playback_ids(channel_id: str) -> list[str]:
    """What the channel's prompts are called, in turn: another process can stop one without having begun it.

    One prompt is played at a time, so that none of so many is in use when its turn comes again.
    """
    return [f"{channel_id}-p{number}" for number in range(8)]
