"""web: the doors opened to the network: uvicorn in the loop that is running, signals left to the porch."""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

#: Seconds that answers under way get when we are stopped.
LAST_WORDS = 0.7


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell_started = started

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None: what SIGTERM means is the porch's business."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._tell_started()


async def serve(app: ASGIApp, host: str, port: int, started: Callable[[], None] = lambda: None) -> None:
    """Serve until cancelled; then answers under way get a moment, and it is over within a second.

    `started` is called when requests are answered. Raises OSError, in words for a person, if the port cannot be had.
    """
    logging.getLogger("uvicorn.access").disabled = True     # its lines hold the tokens of links, whoever listens to it
    with _listening(host, port) as listener:
        server = _Server(
            uvicorn.Config(app, lifespan="off", ws="none", log_config=None, access_log=False, server_header=False,
                           proxy_headers=False, timeout_keep_alive=30), started)
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="doors")
        try:
            await asyncio.shield(serving)
        finally:
            await _close(server, serving)


async def _close(server: _Server, serving: asyncio.Task[None]) -> None:
    server.should_exit = True
    try:
        await asyncio.wait({serving}, timeout=LAST_WORDS)
    finally:
        for task in list(server.server_state.tasks):
            task.cancel()
        serving.cancel()
        await asyncio.gather(serving, *server.server_state.tasks, return_exceptions=True)
        for connection in list(server.server_state.connections):
            if (transport := getattr(connection, "transport", None)) is not None:
                transport.close()


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as fault:
        raise OSError(
            fault.errno,
            f"the doors cannot be opened on port {port} of {host} ({fault.strerror}): end the program that has it, or "
            "choose another port with KENTONGAN_HTTP_PORT or http_port in kentongan.toml") from fault
    with listener:
        yield listener
