"""A subscriber that knows what it missed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Sequence

import zmq
import zmq.asyncio

from spikedaq.bus import MAX_HEADER_BYTES, Message, MissCounter, decode
from spikedaq.inlet.closing import Closing
from spikedaq.inlet.security import use_key
from spikedaq.keys import ClientKey
from spikedaq.model import ConfigError, RemoteProtocolError

# Ten seconds of one 10 kHz device in blocks of 100 samples; what comes on top is missed, and counted.
_RCVHWM = 1000
_MAX_MESSAGE_BYTES = 1 << 24
# A bound on the memory that a publisher with ever new topics can make us use.
_MAX_TOPICS = 4096


class Subscriber(Closing):
    """Receives bus messages, as an iterator or an asynchronous iterator (one of the two, in one thread).

    Parameters
    ----------
    url : str
        The daemon's publish endpoint, such as ``tcp://127.0.0.1:5570``.
    topics : sequence of str
        Topic prefixes; end them with ``/``. None given: everything.
    rcvhwm : int
        Messages that may wait here; when full, newer ones are missed.
    key : ClientKey, optional
        Where the daemon demands one: `ControlClient.key`.

    Attributes
    ----------
    counters : dict of str to MissCounter
        By topic.
    malformed : int
        Messages that were not ours; they are skipped.
    """

    def __init__(
        self, url: str, topics: Sequence[str] = ("",), *, rcvhwm: int = _RCVHWM, key: ClientKey | None = None
    ) -> None:
        self.url = url
        self.counters: dict[str, MissCounter] = {}
        self.malformed = 0
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._async: zmq.asyncio.Socket | None = None
        try:
            self._socket.setsockopt(zmq.RCVHWM, rcvhwm)
            self._socket.setsockopt(zmq.LINGER, 0)
            self._socket.setsockopt(zmq.MAXMSGSIZE, _MAX_MESSAGE_BYTES + MAX_HEADER_BYTES)
            self._socket.setsockopt(zmq.IPV6, 1)
            if key is not None:
                use_key(self._socket, key)
            for topic in topics:
                self._socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
            self._socket.connect(url)
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise ConfigError(f"{url!r} cannot be subscribed to: {error.strerror}; write tcp://HOST:PORT") from error

    @property
    def missed(self) -> dict[str, int]:
        """Messages missed so far, by topic."""
        return {topic: counter.missed for topic, counter in self.counters.items()}

    def add(self, topic: str) -> None:
        """Subscribe to one more topic prefix."""
        self._socket.setsockopt(zmq.SUBSCRIBE, topic.encode())

    def recv(self, timeout_s: float | None = None) -> Message | None:
        """Return the next message, or None when ``timeout_s`` seconds have passed without one."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left_ms = None if deadline is None else max(0, round((deadline - time.monotonic()) * 1000))
            if not self._socket.poll(left_ms):
                return None
            message = self._accept(self._socket.recv())
            if message is not None:
                return message

    def __iter__(self) -> Iterator[Message]:
        while (message := self.recv()) is not None:
            yield message

    async def __aiter__(self) -> AsyncIterator[Message]:
        if self._async is None:
            self._async = zmq.asyncio.Socket(self._socket)
        while True:
            message = self._accept(await self._async.recv())
            if message is not None:
                yield message

    def _accept(self, data: bytes) -> Message | None:
        try:
            message = decode(data)
            counter = self.counters.get(message.topic) or MissCounter()
            counter.update(message.header)
        except RemoteProtocolError:
            self.malformed += 1
            return None
        if message.topic not in self.counters:
            if len(self.counters) >= _MAX_TOPICS:
                self.malformed += 1
                return None
            self.counters[message.topic] = counter
        return message

    def close(self) -> None:
        """Disconnect; may be called twice."""
        self._context.destroy(linger=0)
