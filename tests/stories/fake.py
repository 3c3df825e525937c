"""An Asterisk that is played in virtual time: channels, bridges, prompts, phones and the dialplan's way out.

What is faked is Asterisk itself, below ARI: the legs, the exchange and everything above them are the real ones. It
answers each command after a moment, carries it out whether or not somebody still waits for the answer, and behaves
as the real one was measured to: `answer`, set-variable and addChannel wait for the end of a prompt; whoever has hung
up answers 404; ending events come twice.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from telephony import events
from telephony.agi import WayOut
from telephony.ari_operations import AriError, AriUnreachable, Gone

#: seconds between a command and its effect, and between that and its answer
WAY = 0.001
#: seconds that every prompt lasts
PROMPT = 1.5
#: seconds of silence after which nobody is heard any more
SILENT_AFTER = 1.0
#: seconds that the dialplan waits for a claim
CLAIM = 0.8
START = datetime(2026, 11, 22, 14, tzinfo=UTC).timestamp()

BUSY, NO_ANSWER, NO_PACKETS = 17, 19, 44


def now() -> datetime:
    """The wall clock of virtual time."""
    return datetime.fromtimestamp(START + asyncio.get_running_loop().time(), UTC)


@dataclass(eq=False)
class Phone:
    """An operator's phone, as it was told to behave."""

    name: str
    answers_after: float | None = 0.5
    rings: bool = True
    refuses: int | None = None
    registered: bool = True


@dataclass(eq=False)
class Channel:
    """One party in Asterisk."""

    id: str
    number: str = ""
    phone: Phone | None = None
    state: str = "Ring"
    ours: bool = False  #: in our Stasis application
    bridge: str | None = None
    creationtime: str = field(default_factory=lambda: now().strftime("%Y-%m-%dT%H:%M:%S.%f+0000"))
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    silent: asyncio.Event = field(default_factory=asyncio.Event)  #: no prompt is played
    heard: list[str] = field(default_factory=list)
    vars: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.silent.set()

    def seen(self) -> events.Channel:
        caller = events.Caller(number=self.number)
        return events.Channel(
            self.id, state=self.state, caller=caller, creationtime=self.creationtime, channelvars=self.vars
        )


class FakeAsterisk:
    """Plays Asterisk; a service is connected to it by a `Line`."""

    def __init__(self) -> None:
        self.hears: Callable[[events.Event], None] = lambda event: None
        self.device: Callable[[str, str], None] = lambda name, state: None
        self.on_duty: Callable[[], str] = str
        self.reports: Callable[[WayOut], None] = lambda report: None
        self.up: dict[str, Channel] = {}
        self.mixes: dict[str, list[str]] = {}
        self.playing: dict[str, asyncio.Event] = {}
        self.phones: dict[str, Phone] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.commands: list[tuple[float, str]] = []  #: when, and what
        self.since = now()  #: when it was started
        self.is_dead = False
        self._calls = 0

    def dies(self) -> None:
        """All at once, without a word; every command fails until it is started again."""
        self.is_dead = True
        for task in list(self.tasks):
            task.cancel()
        for channel in self.up.values():
            channel.gone.set()
            channel.silent.set()
        self.up.clear()
        self.mixes.clear()

    def is_started_again(self) -> None:
        self.is_dead, self.since = False, now()

    # --- the people

    def plugs_in(self, phone: Phone) -> None:
        self.phones[phone.name] = phone
        self.device(phone.name, "NOT_INUSE")

    def unplugs(self, phone: Phone) -> None:
        """Without a word: nothing is heard of it any more, until Asterisk misses its packets."""
        del self.phones[phone.name]
        for channel in self.of(phone):
            asyncio.get_running_loop().call_later(10, self.ends, channel, NO_PACKETS)
        if not self.of(phone):
            self.device(phone.name, "UNAVAILABLE")

    def of(self, phone: Phone) -> list[Channel]:
        return [channel for channel in self.up.values() if channel.phone is phone]

    def rings_112(self, number: str) -> Channel:
        """Somebody dials; the dialplan keeps digits and a plus sign of what the network says."""
        self._calls += 1
        digits = "".join(letter for letter in number if letter in "0123456789+")
        channel = self.up[f"{START:.0f}.{self._calls}"] = Channel(f"{START:.0f}.{self._calls}", digits)
        self._begin(self._dialplan(channel))
        return channel

    def presses(self, channel: Channel, digit: str) -> None:
        if channel.ours:
            self.tell(events.ChannelDtmfReceived(channel=channel.seen(), digit=digit))

    def speaks(self, channel: Channel) -> None:
        """From now on; whatever is played to them."""
        if channel.ours:
            self.tell(events.ChannelTalkingStarted(channel=channel.seen()))

    def falls_silent(self, channel: Channel) -> None:
        """From now on; sound goes on flowing."""
        if channel.ours:
            finished = events.ChannelTalkingFinished(channel=channel.seen())
            asyncio.get_running_loop().call_later(SILENT_AFTER, self.hears, finished)

    def ends(self, channel: Channel, cause: int = 16) -> None:
        """The channel is gone, whoever wanted it; the events come twice, as they do in life."""
        if channel.id not in self.up:
            return
        del self.up[channel.id]
        channel.gone.set()
        channel.silent.set()
        seen = channel.seen()
        if channel.bridge is not None:
            self._leaves(channel)
        if channel.ours:
            lost = cause == NO_PACKETS
            self.tell(events.ChannelHangupRequest(channel=seen, cause=1 if lost else cause, soft=lost))
            self.tell(events.StasisEnd(channel=seen))
            self.tell(events.ChannelDestroyed(channel=seen, cause=cause))
        if channel.phone is not None:
            reachable = channel.phone.name in self.phones
            self.device(channel.phone.name, "NOT_INUSE" if reachable else "UNAVAILABLE")

    def tell(self, event: events.Event) -> None:
        asyncio.get_running_loop().call_later(WAY, self.hears, event)

    # --- the dialplan

    async def _dialplan(self, channel: Channel) -> None:
        self.tell(events.CallBroadcast(channel=channel.seen()))
        try:
            async with asyncio.timeout(CLAIM):
                while not (channel.ours or channel.gone.is_set()):
                    await asyncio.sleep(WAY)
        except TimeoutError:
            self._begin(self._way_out(channel, "unclaimed"))
            return
        if channel.ours:
            self.tell(events.StasisStart(channel=channel.seen(), args=["trunk"]))

    def continues(self, channel: Channel) -> None:
        channel.ours = False
        self.tell(events.StasisEnd(channel=channel.seen()))
        self._begin(self._way_out(channel, "handed back"))

    async def _way_out(self, channel: Channel, why: str) -> None:
        channel.state = "Up"
        channel.answered.set()
        channel.heard.append("wayout")
        operator = None
        while operator is None and not channel.gone.is_set():
            names = [phone.removeprefix("PJSIP/") for phone in self.on_duty().split("&")]
            there = [self.phones[name] for name in names if name in self.phones]
            able = [p for p in there if p.registered and not p.refuses and p.answers_after is not None]
            operator = min(able, key=lambda phone: phone.answers_after or 0.0, default=None)
            await asyncio.sleep(2 if operator is None else operator.answers_after or 0.0)
        if operator is not None and not channel.gone.is_set():
            channel.heard.append(operator.name)
            phone = Channel(f"{channel.id}-dial", phone=operator, state="Up")
            self.up[phone.id] = phone
            await asyncio.wait(
                [asyncio.ensure_future(phone.gone.wait()), asyncio.ensure_future(channel.gone.wait())],
                return_when=asyncio.FIRST_COMPLETED,
            )
            self.ends(phone)
        self.ends(channel)
        await asyncio.sleep(WAY)
        self.reports(WayOut(
            channel.id, channel.number, float(channel.id.split(".")[0]), None,
            None if operator is None else operator.name, why,
        ))  # fmt: skip

    # --- an operator's phone

    async def ring(self, channel: Channel, timeout: float) -> None:
        phone = channel.phone
        assert phone is not None
        try:
            async with asyncio.timeout(timeout):
                await asyncio.sleep(0.01)
                if channel.id not in self.up:  # hung up before the phone heard of it
                    return
                if phone.refuses is not None:
                    self.ends(channel, {486: BUSY}.get(phone.refuses, 21))
                    return
                if phone.rings:
                    channel.state = "Ringing"
                    self.device(phone.name, "RINGING")
                    self.tell(events.ChannelStateChange(channel=channel.seen()))
                await asyncio.sleep(3600 if phone.answers_after is None else phone.answers_after)
        except TimeoutError:
            self.ends(channel, NO_ANSWER)
            return
        if channel.id in self.up:
            channel.state = "Up"
            channel.ours = True
            channel.answered.set()
            self.device(phone.name, "INUSE")
            self.tell(events.ChannelStateChange(channel=channel.seen()))
            self.tell(events.StasisStart(channel=channel.seen(), args=["offer"]))

    # --- commands

    async def command(self, word: str, effect: Callable[[], Any], after: Channel | None = None) -> Any:
        """One request: on its way, carried out (after a prompt, if it must wait for one), answered."""
        self.commands.append((asyncio.get_running_loop().time(), word))
        if self.is_dead:
            raise AriUnreachable(0, "-", "-", "it is dead")
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._begin(self._carry_out(effect, after, done))
        return await done

    async def _carry_out(
        self, effect: Callable[[], Any], after: Channel | None, done: asyncio.Future[Any]
    ) -> None:
        try:
            await asyncio.sleep(WAY)
            if after is not None:
                await after.silent.wait()
        except asyncio.CancelledError:
            if self.is_dead and not done.done():
                done.set_exception(AriUnreachable(0, "-", "-", "it has died"))
            raise
        answer, refusal = None, None
        try:
            answer = effect()
        except AriError as error:
            refusal = error
        await asyncio.sleep(WAY)
        if done.done():  # nobody waits any more
            return
        if refusal is None:
            done.set_result(answer)
        else:
            done.set_exception(refusal)

    def channel(self, channel_id: str) -> Channel:
        if (channel := self.up.get(channel_id)) is None:
            raise Gone(404, "-", f"/channels/{channel_id}", "Channel not found")
        return channel

    def mix(self, bridge_id: str) -> list[str]:
        if (mix := self.mixes.get(bridge_id)) is None:
            raise Gone(404, "-", f"/bridges/{bridge_id}", "Bridge not found")
        return mix

    def _leaves(self, channel: Channel) -> None:
        if channel.bridge in self.mixes:
            self.mixes[channel.bridge].remove(channel.id)
        channel.bridge = None

    def _begin(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def stop(self) -> None:
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


class Killed(Exception):
    """What the dead hear of their commands when the test is over."""


class Line:
    """One service's connection; `channels`, `bridges`, `playbacks` and `events` are ARI's resources."""

    app = "kentongan"

    def __init__(self, asterisk: FakeAsterisk) -> None:
        self.asterisk = asterisk
        self.cut = False
        self.buried: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.channels, self.bridges = _Channels(self), _Bridges(self)
        self.playbacks, self.events = _Playbacks(self), _Claims(self)

    async def command(self, word: str, effect: Callable[[], Any], after: Channel | None = None) -> Any:
        """The dead get no answer, and nothing that they still want is done."""
        if not self.cut:
            answer = await self.asterisk.command(word, effect, after)
            if not self.cut:
                return answer
        await asyncio.shield(self.buried)
        raise Killed


class _Resource:
    def __init__(self, line: Line) -> None:
        self.line, self.asterisk = line, line.asterisk


class _Channels(_Resource):
    async def list(self) -> list[events.Channel]:
        return [channel.seen() for channel in self.asterisk.up.values()]

    async def answer(self, channel_id: str) -> None:
        def effect() -> None:
            channel = self.asterisk.channel(channel_id)
            channel.state = "Up"
            channel.answered.set()

        await self._command("answer", channel_id, effect, waits=True)

    async def set_variables(self, channel_id: str, variables: Mapping[str, str], report_events: bool = True) -> None:
        def effect() -> None:
            self.asterisk.channel(channel_id).vars.update(variables)

        await self._command("label", channel_id, effect, waits=True)

    async def play(self, channel_id: str, media: str, playback_id: str) -> None:
        def effect() -> None:
            channel = self.asterisk.channel(channel_id)
            channel.heard.append(media.removeprefix("sound:"))
            self.asterisk._begin(self._play(channel, playback_id))

        await self._command("play", channel_id, effect)

    async def _play(self, channel: Channel, playback_id: str) -> None:
        stopped = self.asterisk.playing[playback_id] = asyncio.Event()
        channel.silent.clear()
        try:
            async with asyncio.timeout(PROMPT):
                either = [asyncio.ensure_future(event.wait()) for event in (stopped, channel.gone)]
                try:
                    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for one in either:
                        one.cancel()
        except TimeoutError:
            pass
        channel.silent.set()
        del self.asterisk.playing[playback_id]
        self.asterisk.tell(events.PlaybackFinished(
            playback=events.Playback(playback_id, target_uri=f"channel:{channel.id}")))

    async def start_moh(self, channel_id: str, moh_class: str) -> None:
        await self._command("music", channel_id, lambda: self._hears(channel_id, "music"))

    async def stop_moh(self, channel_id: str) -> None:
        await self._command("silence", channel_id, lambda: self._hears(channel_id, "silence"))

    def _hears(self, channel_id: str, what: str) -> None:
        self.asterisk.channel(channel_id).heard.append(what)

    async def originate(self, endpoint: str, *, channel_id: str, timeout: int, **rest: Any) -> None:
        def effect() -> None:
            asterisk = self.asterisk
            phone = asterisk.phones.get(endpoint.removeprefix("PJSIP/"))
            if phone is None or not phone.registered:
                raise AriError(500, "POST", "/channels", "Allocation failed")
            channel = asterisk.up[channel_id] = Channel(channel_id, phone=phone, state="Down", ours=True)
            asterisk._begin(asterisk.ring(channel, timeout))

        await self.line.command(f"ring {endpoint}", effect)

    async def continue_in_dialplan(self, channel_id: str, context: str, extension: str, priority: int = 1) -> None:
        def effect() -> None:
            self.asterisk.continues(self.asterisk.channel(channel_id))

        await self._command("hand back", channel_id, effect)

    async def hangup(self, channel_id: str, reason: str = "normal") -> None:
        await self._command("hang up", channel_id, lambda: self.asterisk.ends(self.asterisk.channel(channel_id)))

    async def _command(self, word: str, channel_id: str, effect: Callable[[], Any], waits: bool = False) -> Any:
        after = self.asterisk.up.get(channel_id) if waits else None
        return await self.line.command(f"{word} {channel_id}", effect, after)


class _Bridges(_Resource):
    async def list(self) -> list[events.Bridge]:
        return [events.Bridge(name, channels=list(mix)) for name, mix in self.asterisk.mixes.items()]

    async def create(self, bridge_id: str, type: str = "mixing", name: str = "") -> None:
        def effect() -> None:
            if bridge_id in self.asterisk.mixes:
                raise AriError(409, "POST", "/bridges", "id is taken")
            self.asterisk.mixes[bridge_id] = []

        await self.line.command(f"mix {bridge_id}", effect)

    async def add_channel(self, bridge_id: str, channel_id: str) -> None:
        def effect() -> None:
            mix, channel = self.asterisk.mix(bridge_id), self.asterisk.channel(channel_id)
            if channel.bridge is not None:
                self.asterisk._leaves(channel)
            channel.bridge = bridge_id
            mix.append(channel_id)
            for other in mix:
                channel.heard.append(other)
                self.asterisk.channel(other).heard.append(channel_id)

        await self.line.command(f"join {channel_id}", effect, self.asterisk.up.get(channel_id))

    async def remove_channel(self, bridge_id: str, channel_id: str) -> None:
        def effect() -> None:
            self.asterisk.mix(bridge_id)
            self.asterisk._leaves(self.asterisk.channel(channel_id))

        await self.line.command(f"leave {channel_id}", effect)

    async def destroy(self, bridge_id: str) -> None:
        def effect() -> None:
            for channel_id in self.asterisk.mix(bridge_id):
                self.asterisk.up[channel_id].bridge = None
            del self.asterisk.mixes[bridge_id]

        await self.line.command(f"remove {bridge_id}", effect)


class _Playbacks(_Resource):
    async def stop(self, playback_id: str) -> None:
        def effect() -> None:
            if (playing := self.asterisk.playing.get(playback_id)) is None:
                raise Gone(404, "DELETE", f"/playbacks/{playback_id}", "Playback not found")
            playing.set()

        await self.line.command(f"stop {playback_id}", effect)


class _Claims(_Resource):
    async def claim(self, channel_id: str) -> bool:
        def effect() -> bool:
            channel = self.asterisk.up.get(channel_id)
            if channel is None or channel.ours or channel.answered.is_set():
                return False
            channel.ours = True
            return True

        return bool(await self.line.command(f"claim {channel_id}", effect))

