"""The publisher: never waits for anybody."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import zmq

from spikedaq.outlet.endpoint import bind, unsent_bytes

# Subscription messages wait in the socket's memory until somebody reads them; reading at every publish would double
# the price of publishing.
_PUBLISHES_PER_DRAIN = 64
# Waiting in the system for a subscriber to read: one that keeps up has some blocks there, one that does not has
# megabytes.
_STALLED_BYTES = 65536


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

    Raises
    ------
    ConfigError
        The endpoint is malformed, off this computer, or in use.
    """

    def __init__(self, endpoint: str, *, hwm: int = 1000) -> None:
        if hwm < 1:
            raise ValueError("hwm must be at least 1")
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.XPUB)
        self._subscriptions: set[bytes] = set()
        self.published = 0
        self.published_bytes = 0
        self.dropped = 0
        self.viewer_drops = 0
        try:
            self._socket.setsockopt(zmq.SNDHWM, hwm)
            self._socket.setsockopt(zmq.LINGER, 0)
            # Refuses what a subscriber has no room for, which is how we come to know; it is then sent to the others.
            self._socket.setsockopt(zmq.XPUB_NODROP, 1)
            # Subscribers send nothing but subscriptions; longer ones than any topic are an attack on memory.
            self._socket.setsockopt(zmq.MAXMSGSIZE, 4096)
            self.endpoint = bind(self._socket, endpoint, option="--publish")
        except BaseException:
            self._context.destroy(linger=0)
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
        return sum(n_bytes > _STALLED_BYTES for n_bytes in unsent_bytes(self.endpoint))

    @property
    def subscriptions(self) -> frozenset[str]:
        """Topic prefixes that at least one subscriber has asked for."""
        self._drain()
        return frozenset(prefix.decode(errors="replace") for prefix in self._subscriptions)

    def _drain(self) -> None:
        while int(self._socket.get(zmq.EVENTS)) & zmq.POLLIN:
            message = self._socket.recv(zmq.NOBLOCK)
            if message[:1] == b"\x01":
                self._subscriptions.add(message[1:])
            elif message[:1] == b"\x00":
                self._subscriptions.discard(message[1:])

    def close(self) -> None:
        """Release the endpoint; may be called twice."""
        self._context.destroy(linger=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
