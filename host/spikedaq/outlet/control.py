"""The control server: requests in, each answered exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
import zmq
import zmq.asyncio

from spikedaq.bus import MAX_CONTROL_BYTES, BadRequest, Request, decode_request, encode_error, encode_reply
from spikedaq.model import (
    CommandError,
    ConfigError,
    LinkError,
    LocalProtocolError,
    ProtocolError,
    RemoteProtocolError,
    SpikedaqError,
    StoreError,
)
from spikedaq.outlet.endpoint import bind

Handler = Callable[[str, dict[str, Any], str], Awaitable[Any]]

_log = structlog.get_logger(__name__)
_CODES: tuple[tuple[type[SpikedaqError], str], ...] = (
    (ConfigError, "config"),
    (LinkError, "link"),
    (StoreError, "store"),
    (ProtocolError, "protocol"),
)
# How long close() lets the last replies get out, so that `shutdown` is answered.
_LINGER_MS = 200


class ControlServer:
    """Answers control requests on a ROUTER socket under asyncio.

    Each request is a task of this server; at most ``max_requests`` run at a time, more are refused with code ``busy``.

    Parameters
    ----------
    endpoint : str
        ``tcp://127.0.0.1:PORT`` (0 for any free port) or ``ipc://PATH``.
    handler : async callable (op, args, who) -> value
        ``value`` must be something msgpack can express. A `SpikedaqError` becomes an error reply; any other exception
        is logged and becomes code ``internal``. ``who`` is the asking side's address.

    Raises
    ------
    ConfigError
        The endpoint is malformed, off this computer, or in use.
    """

    def __init__(self, endpoint: str, handler: Handler, *, max_requests: int = 64) -> None:
        self._handler = handler
        self._max_requests = max_requests
        self._tasks: set[asyncio.Task[None]] = set()
        self.requests = 0
        self.refused = 0
        self._context = zmq.asyncio.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        try:
            self._socket.setsockopt(zmq.LINGER, _LINGER_MS)
            self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_CONTROL_BYTES)
            self._socket.setsockopt(zmq.SNDHWM, 100)
            self._socket.setsockopt(zmq.RCVHWM, 100)
            # A client that vanished takes its unread replies with it; one that cannot take them loses them.
            self._socket.setsockopt(zmq.ROUTER_MANDATORY, 0)
            self.endpoint = bind(self._socket, endpoint, option="--control")
        except BaseException:
            self._context.destroy(linger=0)
            raise

    async def run(self) -> None:
        """Serve until cancelled; what is still running then is cancelled and answered with code ``stopping``."""
        try:
            while True:
                await self._take(await self._socket.recv_multipart(copy=False))
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self.close()

    def close(self) -> None:
        """Release the endpoint; may be called twice."""
        self._context.destroy(linger=_LINGER_MS)

    async def _take(self, frames: list[zmq.Frame]) -> None:
        self.requests += 1
        peer = [frame.bytes for frame in frames[:-1]]
        try:
            request = decode_request(frames[-1].bytes)
        except RemoteProtocolError as error:
            request_id = error.request_id if isinstance(error, BadRequest) else ""
            await self._send(peer, encode_error(request_id, "bad_request", str(error)))
            return
        if len(self._tasks) >= self._max_requests:
            self.refused += 1
            text = f"{self._max_requests} requests are already being worked on; ask again in a moment"
            await self._send(peer, encode_error(request.id, "busy", text))
            return
        task = asyncio.create_task(self._answer(peer, request, _address(frames[-1])), name=f"request {request.op}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, peer: list[bytes], request: Request, who: str) -> None:
        try:
            value = await self._handler(request.op, request.args, who)
            reply = _encode_value(request, value)
        except SpikedaqError as error:
            reply = encode_error(request.id, error_code(error), str(error))
        except asyncio.CancelledError:
            await self._send(peer, encode_error(request.id, "stopping", "the daemon is being stopped"))
            raise
        except Exception as error:  # noqa: BLE001 - a defect in one request must not end the others
            _log.exception("a request failed unexpectedly", op=request.op, who=who)
            text = f"the daemon failed on {request.op!r}: {type(error).__name__}: {error}; its log has the details"
            reply = encode_error(request.id, "internal", text)
        await self._send(peer, reply)

    async def _send(self, peer: list[bytes], reply: bytes) -> None:
        # Without ROUTER_MANDATORY this never waits: a reply nobody can take is discarded.
        await self._socket.send_multipart([*peer, reply])


def _encode_value(request: Request, value: Any) -> bytes:
    try:
        return encode_reply(request.id, value)
    except LocalProtocolError as error:
        _log.error("a reply cannot be encoded", op=request.op, error=str(error))
        return encode_error(request.id, "internal", str(error))


def error_code(error: SpikedaqError) -> str:
    """Stable short word for an error, as clients see it."""
    if isinstance(error, CommandError):
        return error.code
    return next((code for kind, code in _CODES if isinstance(error, kind)), "error")


def _address(frame: zmq.Frame) -> str:
    try:
        return str(frame.get("Peer-Address")) or "unknown"
    except zmq.ZMQError:
        return "local"
