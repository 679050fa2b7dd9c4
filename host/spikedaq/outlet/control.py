"""The control server: requests in, each answered exactly once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
import zmq
import zmq.asyncio
from zmq.auth.asyncio import AsyncioAuthenticator

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
from spikedaq.outlet.answered import Answered, Asked, digest
from spikedaq.outlet.endpoint import bind
from spikedaq.outlet.gate import Gate, address, user_id
from spikedaq.outlet.peer import Peer

Handler = Callable[[str, dict[str, Any], Peer], Awaitable[Any]]
Route = tuple[bytes, ...]

_log = structlog.get_logger(__name__)
_CODES: tuple[tuple[type[SpikedaqError], str], ...] = (
    (ConfigError, "config"),
    (LinkError, "link"),
    (StoreError, "store"),
    (ProtocolError, "protocol"),
)
# How long close() lets the last replies get out, so that `shutdown` is answered.
_LINGER_MS = 200
# Requests read ahead of one connection: they wait in memory, up to a mebibyte each.
_RCVHWM = 8
# A defect that every request meets is logged this often, not a million times.
_MAX_DEFECTS_LOGGED = 100


class ControlServer:
    """Answers control requests on a ROUTER socket under asyncio.

    Each request is a task of this server; at most ``max_requests`` run at a time, and ``max_per_client`` of one client;
    more are refused with code ``busy``. ZeroMQ reads from its connections in turns, so that nobody is starved.

    Parameters
    ----------
    endpoint : str
        ``tcp://127.0.0.1:PORT`` (0 for any free port) or ``ipc://PATH``.
    handler : async callable (op, args, peer) -> value
        ``value`` must be something msgpack can express. A `SpikedaqError` becomes an error reply; any other exception
        is logged and becomes code ``internal``.
    gate : Gate, optional
        Demands keys. Without one only loopback can be bound.
    once : callable (op) -> bool, optional
        Which operations have their effect once, however often the same request of the same client comes.

    Raises
    ------
    ConfigError
        The endpoint is malformed, in use, or off this computer without a gate.
    """

    def __init__(
        self,
        endpoint: str,
        handler: Handler,
        *,
        gate: Gate | None = None,
        once: Callable[[str], bool] = lambda _: False,
        max_requests: int = 64,
        max_per_client: int = 16,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._handler = handler
        self._gate = gate
        self._once = once
        self._max_requests = max_requests
        self._max_per_client = max_per_client
        self._now_s = now_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._running: Counter[str] = Counter()
        self._answered = Answered()
        self._defects = 0
        self.requests = 0
        self.refused = 0
        self.repeated = 0
        self._context = zmq.asyncio.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._authenticator: AsyncioAuthenticator | None = None
        try:
            self._socket.setsockopt(zmq.LINGER, _LINGER_MS)
            self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_CONTROL_BYTES)
            self._socket.setsockopt(zmq.SNDHWM, 100)
            self._socket.setsockopt(zmq.RCVHWM, _RCVHWM)
            # A client that vanished takes its unread replies with it; one that cannot take them loses them.
            self._socket.setsockopt(zmq.ROUTER_MANDATORY, 0)
            if gate is not None:
                self._authenticator = gate.protect(self._context, self._socket)
            self.endpoint = bind(self._socket, endpoint, option="--control", keys=gate is not None)
        except BaseException:
            self.close()
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
        if self._authenticator is not None:
            self._authenticator.stop()
            self._authenticator = None
        self._context.destroy(linger=_LINGER_MS)

    async def _take(self, frames: list[zmq.Frame]) -> None:
        self.requests += 1
        # The connection, and the empty part of a REQ socket; anything more is nobody's envelope and is not sent back.
        is_enveloped = len(frames) == 3 and not len(frames[1])
        route = tuple(frame.bytes for frame in frames[: 2 if is_enveloped else 1])
        data = frames[-1].bytes
        if len(frames) != len(route) + 1:
            text = f"a request is one part, not {len(frames) - 1}"
            await self._send(route, encode_error("", "bad_request", text))
            return
        try:
            request = decode_request(data)
        except RemoteProtocolError as error:
            request_id = error.request_id if isinstance(error, BadRequest) else ""
            await self._send(route, encode_error(request_id, "bad_request", str(error)))
            return
        key = None
        if self._gate is not None:
            key = self._gate.holder(user_id(frames[-1]))
            if key is None:
                self.refused += 1
                text = "this key is not allowed any more; ask who runs the daemon (spikedaq keys allow)"
                await self._send(route, encode_error(request.id, "not_allowed", text))
                return
        peer = Peer(address(frames[-1]), request.client, key, route[0])
        asked: Asked | None = None
        if self._once(request.op):
            asked = self._answered.find(peer.client, request.id, self._now_s())
            if asked is not None:
                await self._again(asked, request, data, route)
                return
        if text := self._too_many(peer):
            self.refused += 1
            await self._send(route, encode_error(request.id, "busy", text))
            return
        if self._once(request.op):
            asked = self._answered.add(peer.client, request.id, data, route, self._now_s())
        self._running[peer.client] += 1
        task = asyncio.create_task(self._answer(route, request, peer, asked), name=f"request {request.op[:40]}")
        self._tasks.add(task)
        task.add_done_callback(lambda done, client=peer.client: self._ended(done, client))  # type: ignore[misc]

    def _too_many(self, peer: Peer) -> str:
        if len(self._tasks) >= self._max_requests:
            return f"{self._max_requests} requests are already being worked on; ask again in a moment"
        if self._running[peer.client] >= self._max_per_client:
            return f"{self._max_per_client} requests of {peer.who} are already being worked on; wait for their answers"
        return ""

    def _ended(self, task: asyncio.Task[None], client: str) -> None:
        self._tasks.discard(task)
        self._running[client] -= 1
        if not self._running[client]:
            del self._running[client]

    async def _again(self, asked: Asked, request: Request, data: bytes, route: Route) -> None:
        """Answer a request that came before: with the same answer, now or once there is one."""
        self.repeated += 1
        if asked.digest != digest(data):
            text = f"the request id {request.id!r} was used for another request; ids are for one request each"
            await self._send(route, encode_error(request.id, "id_reused", text))
        elif asked.reply is not None:
            await self._send(route, asked.reply)
        elif route not in asked.routes:
            # The client has connected anew; of its earlier connections only the last can still be there.
            asked.routes = [*asked.routes[-1:], route]

    async def _answer(self, route: Route, request: Request, peer: Peer, asked: Asked | None) -> None:
        try:
            value = await self._handler(request.op, request.args, peer)
            reply = _encode_value(request, value)
        except SpikedaqError as error:
            reply = encode_error(request.id, error_code(error), str(error))
        except asyncio.CancelledError:
            await self._send(route, encode_error(request.id, "stopping", "the daemon is being stopped"))
            raise
        except Exception as error:  # noqa: BLE001 - a defect in one request must not end the others
            self._defects += 1
            if self._defects <= _MAX_DEFECTS_LOGGED:
                _log.exception("a request failed unexpectedly", op=request.op[:40], who=peer.who)
            text = f"the daemon failed on {request.op[:40]!r}: {type(error).__name__}: {error}; its log has the details"
            reply = encode_error(request.id, "internal", text)
        routes = [route]
        if asked is not None:
            self._answered.answer(asked, reply)
            routes = asked.routes
        for each in routes:
            await self._send(each, reply)

    async def _send(self, route: Route, reply: bytes) -> None:
        # Without ROUTER_MANDATORY this never waits: a reply nobody can take is discarded.
        await self._socket.send_multipart([*route, reply])


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
