"""Runs the page server on an address."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import uvicorn
import websockets  # noqa: F401 - uvicorn loads it later; who asks for the page is told here that it is absent

from spikedaq.model import ConfigError

MAX_WEBSOCKET_BYTES = 1 << 20
_GRACE_S = 2


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


class PageServer(uvicorn.Server):
    """A server that says when it serves.

    Parameters
    ----------
    app : ASGI application
    started : callable, optional
        Called once requests are answered.
    """

    def __init__(self, app: Any, *, started: Callable[[], None] = lambda: None) -> None:
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
        self._started_hook = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        if self.started:
            self._started_hook()
