"""Telephony, the ear of the way out: FastAGI, for calls that the dialplan carried to their end without us.

The dialplan's hang-up handler runs `AGI(agi://HOST:PORT/wayout)` when such a call is over; we read what its
channel knows and let it go. If nobody listens, the handler keeps the same report in Asterisk's own database (`kept`).

panoramisk speaks the protocol. Its handler never ends on a connection that is closed too soon, hence
`_Reader`.
"""
import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from panoramisk.fast_agi import Application

from telephony.cel import desk_of

log = logging.getLogger(__name__)
logging.getLogger("panoramisk").setLevel(logging.CRITICAL + 1)      # it prints numbers

SCRIPT: Final = "wayout"
LIMIT: Final = 2.0                #: s, for a request, and again for the variables
LONGEST_REQUEST: Final = 65_536   #: bytes

_CALL_ID = re.compile(r"[0-9A-Za-z.-]{1,64}", re.ASCII)
_VARIABLES = ("KT_ARRIVED", "KT_ANSWERED", "KT_WAYOUT", "ANSWEREDTIME", "DIALEDPEERNAME")


@dataclass(frozen=True, slots=True)
class WayOut:
    """A call that the dialplan carried to its end. Unknown values are None or ""."""

    call_id: str
    number: str                   #: as the network says: clean it with `telephony.numbers`
    arrived_at: float             #: seconds since 1970 (KT_ARRIVED; else the second in the call's id)
    talked_for: float | None      #: s (ANSWEREDTIME)
    desk: str | None              #: operator who answered (the phone that Dial() reached)
    why: str                      #: it went that way (KT_WAYOUT)
    answered_at: float | None = None  #: seconds since 1970, by the dialplan (KT_ANSWERED); None: by us, or by nobody
    ended_at: float | None = None #: seconds since 1970, of a report that was kept; None: it ends now

    def __repr__(self) -> str:
        return f"WayOut({self.call_id!r}, {self.why!r})"


class Agi:
    """Listens for calls that went the way out; `on_hangup` is awaited for each, outside the caller's way."""

    def __init__(self, host: str, port: int, on_hangup: Callable[[WayOut], Awaitable[None]]) -> None:
        self._host, self._port, self._on_hangup = host, port, on_hangup

    async def run(self) -> None:
        """Listen until cancelled. Raises OSError if the port is taken."""
        application = Application(default_encoding="latin-1", loop=asyncio.get_running_loop())   # never fails
        application.add_route(SCRIPT, self._hang_up)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                async with asyncio.timeout(LIMIT) as limit:
                    await application.handler(_Reader(reader, limit), writer)
            except (OSError, EOFError, ValueError) as fault:
                log.warning("AGI: a request could not be read: %s", type(fault).__name__)
            finally:
                writer.close()

        async with await asyncio.start_server(serve, self._host, self._port) as server:
            await server.serve_forever()

    async def _hang_up(self, request: Any) -> None:
        call_id = request.headers.get("agi_uniqueid", "")
        if not _CALL_ID.fullmatch(call_id):
            log.warning("AGI: a request without a call's id")
            return
        request.reader.limit.reschedule(None)           # the request has been read: that was its limit
        values: dict[str, str] = {}
        try:
            async with asyncio.timeout(LIMIT):
                for name in _VARIABLES:
                    values[name] = await _variable(request, name)
        except (OSError, EOFError, ValueError):         # TimeoutError is an OSError
            log.warning("AGI: call %s: its end is noted with what could be read", call_id)
        request.writer.close()                          # Asterisk need not wait for our books
        try:
            await self._on_hangup(way_out(call_id, request.headers.get("agi_callerid", ""), values))
        except Exception:
            log.exception("AGI: noting the end of call %s failed", call_id)


async def _variable(request: Any, name: str) -> str:
    """"" if it is not set. (panoramisk takes the value "hangup" for a hang-up: it reads as not set.)"""
    answer = await request.send_command(f"GET VARIABLE {name}")
    return str(answer.get("result", ("", ""))[1])


def way_out(call_id: str, number: str, values: dict[str, str]) -> WayOut:
    """What the channel's variables say. Pure; never raises for a `call_id` that was checked."""
    return WayOut(
        call_id=call_id,
        number="" if number == "unknown" else number,
        arrived_at=_seconds(values.get("KT_ARRIVED")) or _seconds(call_id.split(".")[0]) or 0.0,
        talked_for=_seconds(values.get("ANSWEREDTIME")),
        desk=desk_of(values.get("DIALEDPEERNAME", "")),
        why=values.get("KT_WAYOUT", ""),
        answered_at=_seconds(values.get("KT_ANSWERED")),
    )


def kept(call_id: str, report: str) -> WayOut:
    """What the hang-up handler kept while nobody listened: "ARRIVED/ANSWERED/ENDED/WHY/SECONDS/PEER/NUMBER".
    Pure; never raises."""
    arrived, answered, ended, why, talked_for, peer, number = (report.split("/", 6) + [""] * 7)[:7]
    values = {"KT_ARRIVED": arrived, "KT_ANSWERED": answered, "KT_WAYOUT": why, "ANSWEREDTIME": talked_for,
              "DIALEDPEERNAME": f"PJSIP/{peer}"}
    return replace(way_out(call_id, number, values), ended_at=_seconds(ended))


def _seconds(text: str | None) -> float | None:
    return float(text) if text and re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", text, re.ASCII) else None


class _Reader:
    """A stream that ends: panoramisk reads a closed one for ever."""

    def __init__(self, stream: asyncio.StreamReader, limit: asyncio.Timeout) -> None:
        self.limit = limit
        self._stream = stream
        self._left = LONGEST_REQUEST

    async def read(self, size: int) -> bytes:
        return self._counted(await self._stream.read(size))

    async def readline(self) -> bytes:
        return self._counted(await self._stream.readline())

    def _counted(self, data: bytes) -> bytes:
        self._left -= len(data)
        if not data:
            raise EOFError("closed too soon")
        if self._left < 0:
            raise ValueError("too long")
        return data
