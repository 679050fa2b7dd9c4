"""Runs the page server on an address."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
import websockets  # noqa: F401 - uvicorn loads it later; who asks for the page is told here that it is absent

from spikedaq.model import ConfigError
from spikedaq.scope.hub import Hub
from spikedaq.scope.last_resort import END_S, LastResort

MAX_WEBSOCKET_BYTES = 1 << 20
_READ_S = 1.0
"""A viewer that reads has read its goodbye by then."""
_GRACE_S = 2
"""Requests under way are cancelled after it."""


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises
    ------
    ConfigError
        The address cannot be used.
    """
    try:
        (family, *_, address), *_ = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        listening = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise ConfigError(f"the page cannot be served at {host}: {error.strerror or error}") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"the page cannot be served at {host}:{port}: {error.strerror}; choose another with --listen HOST:PORT"
        ) from error
    return listening


def address_of(listening: socket.socket) -> str:
    """Return the address of the page, as it is typed into a browser of this computer."""
    host, port = listening.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - what was bound, not what is bound
        host = socket.gethostname()
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def own_address_of(listening: socket.socket) -> str:
    """Return the address of the page for a browser of this computer, whose requests do not leave it where that can be.

    It can where every address of this computer was bound; else it is that of `address_of`.
    """
    host, port = listening.getsockname()[:2]
    if host == "::":
        return f"http://[::1]:{port}/"
    return f"http://127.0.0.1:{port}/" if host == "0.0.0.0" else address_of(listening)  # noqa: S104 - what was bound


class PageServer(uvicorn.Server):
    """A server that says when it serves, and that ends when it is told to, whatever its viewers do.

    Parameters
    ----------
    app : ASGI application
    hub : Hub, optional
        Ends with it, and it with a hub that fails.
    started : callable, optional
        Called once requests are answered.
    is_needed : callable, optional
        Whether something is under way that must not be cut off.
    end_s : float
        So long after a signal the process ends even where something does not let it.
    """

    def __init__(
        self,
        app: Any,
        hub: Hub | None = None,
        *,
        started: Callable[[], None] = lambda: None,
        is_needed: Callable[[], bool] = lambda: False,
        end_s: float = END_S,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="on",
                ws="websockets-sansio",
                ws_max_size=MAX_WEBSOCKET_BYTES,
                ws_per_message_deflate=False,  # costs more than the network it would save
                timeout_graceful_shutdown=_GRACE_S,
                server_header=False,
            )
        )
        self._hub = hub
        self._started_hook = started
        self._last_resort = LastResort(end_s, is_needed)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        if threading.current_thread() is threading.main_thread():  # elsewhere no signal is ours
            self._last_resort.start()
        await super().startup(sockets)
        if self.started:
            self._started_hook()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal that asks for the end; a second one ends without waiting for what is under way."""
        self._last_resort.begin(sig, at_once=self.should_exit)
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Look whether it is time to end."""
        has_failed = self._hub is not None and bool(self._hub.failure)
        return await super().on_tick(counter) or has_failed

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End: say goodbye to all who read it, and hang up on those who do not."""
        if self._hub is not None:
            self._hub.end()
        hanging_up = asyncio.get_running_loop().call_later(_READ_S, self._hang_up)
        try:
            await super().shutdown(sockets)
        finally:
            hanging_up.cancel()

    def _hang_up(self) -> None:
        """Give up connections whose other end does not take what is left: closing waits for it for ever."""
        for connection in list(self.server_state.connections):
            transport = connection.transport
            if transport is not None and transport.is_closing():
                transport.abort()
