"""telephony: Asterisk as the centre of calls sees it: claim, legs, bridges. Thin on purpose."""
from collections.abc import Callable
from contextlib import suppress

from telephony.ari import Ari
from telephony.ari_operations import AriError, Gone
from telephony.leg import AriLeg, Leg
from telephony.tasks import through


class AriExchange:
    """One Asterisk behind one ARI connection. `sound` turns the name of a prompt into Asterisk's media URI."""

    def __init__(self, ari: Ari, sound: Callable[[str], str]) -> None:
        self._ari, self._sound = ari, sound

    async def claim(self, channel_id: str) -> bool:
        """Whether the broadcast call is ours now."""
        return await self._ari.events.claim(channel_id)

    def leg(self, channel_id: str) -> Leg:
        """A handle on a channel, existing or to be rung; nothing is sent."""
        return AriLeg(self._ari, channel_id, self._sound)

    async def make_bridge(self, bridge_id: str) -> None:
        """Afterwards it is there, even if it was before."""
        try:
            await through(self._ari.bridges.create(bridge_id, name=bridge_id))
        except AriError as refused:
            if refused.status != 409:
                raise

    async def join(self, bridge_id: str, *legs: Leg) -> None:
        """Whoever has just hung up is left out; their going is on its way as an event."""
        for leg in legs:
            with suppress(Gone):
                await self._ari.bridges.add_channel(bridge_id, leg.id)

    async def leave(self, bridge_id: str, leg: Leg) -> None:
        with suppress(Gone):
            await self._ari.bridges.remove_channel(bridge_id, leg.id)

    async def remove_bridge(self, bridge_id: str) -> None:
        """The legs in it stay alive."""
        with suppress(Gone):
            await self._ari.bridges.destroy(bridge_id)
