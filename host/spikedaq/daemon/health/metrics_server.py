"""Serves `/metrics` on a loopback port. It costs the loop a snapshot per scrape, twice a second at most."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable

import structlog

from spikedaq.daemon.health.metrics import CONTENT_TYPE, Exposition, Snapshot
from spikedaq.model import ConfigError

HOST = "127.0.0.1"
MAX_CONNECTIONS = 8
_MAX_REQUEST_BYTES = 8192
_PATIENCE_S = 5.0
_FRESH_S = 0.5

log = structlog.get_logger(__name__)


class MetricsServer:
    """A server of one page.

    Parameters
    ----------
    port : int
        On loopback; 0 takes any free one.
    snapshot : callable
        Called in the loop.

    Attributes
    ----------
    url : str
        Once started.
    """

    def __init__(
        self, port: int, snapshot: Callable[[], Snapshot], now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.url = ""
        self._port = port
        self._snapshot = snapshot
        self._now_s = now_s
        self._exposition = Exposition()
        self._server: asyncio.Server | None = None
        self._connections = 0
        self._page = b""
        self._page_s = float("-inf")
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Bind.

        Raises
        ------
        ConfigError
            The port is in use, or not ours to bind.
        """
        try:
            self._server = await asyncio.start_server(self._serve, HOST, self._port, limit=_MAX_REQUEST_BYTES)
        except OSError as error:
            raise _refused(self._port, error) from error
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://{HOST}:{port}/metrics"

    async def close(self) -> None:
        """Let go of the port."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            if self._connections <= MAX_CONNECTIONS:
                async with asyncio.timeout(_PATIENCE_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(await self._answer(head))
                    await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a scraper that hangs up, or is none
        finally:
            self._connections -= 1
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, head: bytes) -> bytes:
        words = head.split(b"\r\n", 1)[0].split(b" ")
        if len(words) != 3:
            return _response("400 Bad Request", b"not HTTP\n")
        method, path = words[0], words[1].split(b"?", 1)[0]
        if method not in (b"GET", b"HEAD"):
            return _response("405 Method Not Allowed", b"only GET\n")
        if path != b"/metrics":
            return _response("404 Not Found", b"the metrics are at /metrics\n")
        response = _response("200 OK", await self._fresh_page())
        return response if method == b"GET" else response[: response.index(b"\r\n\r\n") + 4]

    async def _fresh_page(self) -> bytes:
        async with self._turn:
            if self._now_s() - self._page_s >= _FRESH_S:
                # The text takes milliseconds for a full bench; only the snapshot is taken in the loop.
                self._page = await asyncio.to_thread(self._exposition.text, self._snapshot())
                self._page_s = self._now_s()
            return self._page


def check_port(port: int) -> None:
    """Bind and let go again; raises as `MetricsServer.start` does."""
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        raise _refused(port, error) from error


def _refused(port: int, error: OSError) -> ConfigError:
    return ConfigError(f"the metrics port {port} cannot be bound ({error.strerror}); choose another with 'metrics'")


def _response(status: str, body: bytes) -> bytes:
    kind = CONTENT_TYPE if status.startswith("200") else "text/plain; charset=utf-8"
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body
