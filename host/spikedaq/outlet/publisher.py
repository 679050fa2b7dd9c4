"""The publisher: never waits for anybody."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import structlog
import zmq
from zmq.auth.asyncio import AsyncioAuthenticator

from spikedaq.bus import MAX_TOPIC_BYTES
from spikedaq.outlet.endpoint import bind
from spikedaq.outlet.gate import Gate, connection_of, cut, unsent_bytes, user_id
from spikedaq.outlet.subscriptions import MAX_PER_CONNECTION, Subscriptions

log = structlog.get_logger(__name__)

# Subscription messages wait in the socket's memory until somebody reads them; reading at every publish would double
# the price of publishing.
_PUBLISHES_PER_DRAIN = 64
# Waiting in the system for a subscriber to read: one that keeps up has some blocks there, one that does not has
# megabytes.
_STALLED_BYTES = 65536
# Subscriptions of one connection that wait to be read; the next ones wait in its own computer.
_RCVHWM = 200
_MAX_CUTS_LOGGED = 1000


class Publisher:
    """Publishes bus messages on an XPUB socket.

    A subscriber that does not keep up loses messages and sees it from their sequence numbers; it can never hold up
    the publisher or its other subscribers.

    Parameters
    ----------
    endpoint : str
        ``tcp://127.0.0.1:PORT`` (0 for any free port) or ``ipc://PATH``.
    hwm : int
        Messages that may wait for one subscriber. 0 would mean no bound: one stalled viewer then eats all memory.
    gate : Gate, optional
        Demands keys; an event loop must run then. Without one only loopback can be bound.

    Attributes
    ----------
    endpoint : str
        As bound.
    published, published_bytes : int
        Messages taken, and their bytes.
    dropped : int
        Messages that the socket refused as a whole. What single slow subscribers lose only they can know.
    viewer_drops : int
        How often a subscriber's queue was found full. One that takes nothing after that is not counted again until it
        has caught up.
    cut : int
        Connections that were ended: their key was revoked, or they subscribed to too much.

    Raises
    ------
    ConfigError
        The endpoint is malformed, in use, or off this computer without a gate.
    """

    def __init__(self, endpoint: str, *, hwm: int = 1000, gate: Gate | None = None) -> None:
        if hwm < 1:
            raise ValueError("hwm must be at least 1")
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.XPUB)
        self._subscriptions = Subscriptions()
        self._gate = gate
        self._authenticator: AsyncioAuthenticator | None = None
        self.published = 0
        self.published_bytes = 0
        self.dropped = 0
        self.viewer_drops = 0
        self.cut = 0
        try:
            self._socket.setsockopt(zmq.SNDHWM, hwm)
            self._socket.setsockopt(zmq.LINGER, 0)
            # Refuses what a subscriber has no room for, which is how we come to know; it is then sent to the others.
            self._socket.setsockopt(zmq.XPUB_NODROP, 1)
            # Subscribers send nothing but subscriptions; longer ones than any topic are an attack on memory.
            self._socket.setsockopt(zmq.MAXMSGSIZE, 1 + MAX_TOPIC_BYTES)
            self._socket.setsockopt(zmq.RCVHWM, _RCVHWM)
            # Every subscription is told, also to what others have: otherwise nobody knows whose are whose.
            self._socket.setsockopt(zmq.XPUB_VERBOSE, 1)
            if gate is not None:
                self._authenticator = gate.protect(self._context, self._socket)
            self.endpoint = bind(self._socket, endpoint, option="--publish", keys=gate is not None)
        except BaseException:
            self.close()
            raise

    def publish(self, topic: str, message: bytes) -> bool:
        """Send one message that `spikedaq.bus.encode` made for ``topic``; returns at once.

        Returns
        -------
        bool
            False where the socket took it for nobody; it is then counted in ``dropped``.
        """
        if not message.startswith(topic.encode() + b"\0"):
            raise ValueError(f"the message was not encoded for topic {topic!r}")
        try:
            self._socket.send(message, zmq.NOBLOCK)
        except zmq.Again:
            self.viewer_drops += 1
            if not self._send_to_the_others(message):
                self.dropped += 1
                return False
        self.published += 1
        self.published_bytes += len(message)
        if self.published % _PUBLISHES_PER_DRAIN == 0:
            self._drain()
        return True

    def _send_to_the_others(self, message: bytes) -> bool:
        self._socket.setsockopt(zmq.XPUB_NODROP, 0)
        try:
            self._socket.send(message, zmq.NOBLOCK)
        except zmq.Again:
            return False
        finally:
            self._socket.setsockopt(zmq.XPUB_NODROP, 1)
        return True

    def stalled_viewers(self) -> int:
        """Return how many subscribers take nothing now, as the system's send queues show (TCP on Linux; else 0)."""
        self._drain()
        connections = self._subscriptions.connections()
        return sum(unsent_bytes(descriptor, self.endpoint) > _STALLED_BYTES for descriptor in connections)

    @property
    def subscriptions(self) -> frozenset[str]:
        """Topic prefixes that at least one subscriber has asked for."""
        self._drain()
        return frozenset(prefix.decode(errors="replace") for prefix in self._subscriptions.wanted)

    def tend(self) -> None:
        """Read what subscribers sent, and end the connections of those who may not subscribe any more.

        To be called once a second or so. What they miss meanwhile their counters tell; who is allowed connects again by
        itself.
        """
        self._drain()
        if self._gate is not None:
            gate = self._gate
            for descriptor in self._subscriptions.unwelcome(lambda name: gate.holder(name) is not None):
                self._cut(descriptor, "its key is not allowed any more")

    def _drain(self) -> None:
        while int(self._socket.get(zmq.EVENTS)) & zmq.POLLIN:
            frame = self._socket.recv(zmq.NOBLOCK, copy=False)
            descriptor = connection_of(frame)
            if not self._subscriptions.take(frame.bytes, descriptor, user_id(frame)):
                self._cut(descriptor, f"it has more than {MAX_PER_CONNECTION} subscriptions")

    def _cut(self, descriptor: int, why: str) -> None:
        self._subscriptions.forget(descriptor)
        if cut(descriptor, self.endpoint):
            self.cut += 1
            if self.cut <= _MAX_CUTS_LOGGED:
                log.warning("a subscriber's connection was ended", reason=why)

    def close(self) -> None:
        """Release the endpoint; may be called twice."""
        if self._authenticator is not None:
            self._authenticator.stop()
            self._authenticator = None
        self._context.destroy(linger=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
