"""Who has subscribed to what, connection by connection, and who goes too far."""

from __future__ import annotations

from collections.abc import Callable, Iterator

# Three streams of a hundred devices and as much again; each costs the publisher memory for as long as it is connected.
MAX_PER_CONNECTION = 1024
# Descriptors of connections that ended are used again, so this many are never there at once.
MAX_CONNECTIONS = 8192


class Subscriptions:
    """Subscriptions as their messages tell them.

    Attributes
    ----------
    wanted : set of bytes
        Topic prefixes that somebody has subscribed to.
    malformed : int
        Messages of subscribers that were none.
    """

    def __init__(self) -> None:
        self.wanted: set[bytes] = set()
        self.malformed = 0
        self._of: dict[int, tuple[str, set[bytes]]] = {}

    def take(self, message: bytes, descriptor: int, user_id: str) -> bool:
        """Take a message of a subscriber; False where its connection has subscribed to too much."""
        head, topic = message[:1], message[1:]
        if head == b"\x00":
            self.wanted.discard(topic)
            if descriptor in self._of:
                self._of[descriptor][1].discard(topic)
            return True
        if head != b"\x01":
            self.malformed += 1
            return True
        topics = self._topics(descriptor, user_id)
        topics.add(topic)
        if len(topics) > MAX_PER_CONNECTION:
            self.forget(descriptor)
            return False
        self.wanted.add(topic)
        return True

    def _topics(self, descriptor: int, user_id: str) -> set[bytes]:
        known = self._of.get(descriptor)
        if known is None or known[0] != user_id:
            if known is None and len(self._of) >= MAX_CONNECTIONS:
                del self._of[next(iter(self._of))]
            known = self._of[descriptor] = (user_id, set())
        return known[1]

    def forget(self, descriptor: int) -> None:
        """Forget a connection that was ended."""
        self._of.pop(descriptor, None)

    def connections(self) -> list[int]:
        """Return the descriptors of the connections that subscribed, some of which may have ended."""
        return list(self._of)

    def unwelcome(self, is_allowed: Callable[[str], bool]) -> Iterator[int]:
        """Return the descriptors of connections whose key is not allowed any more."""
        verdicts = {name: is_allowed(name) for name in {name for name, _ in self._of.values()}}
        return iter([descriptor for descriptor, (name, _) in self._of.items() if not verdicts[name]])
