"""Requests that were answered, so that one that comes again has its effect once."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field

# A client that had no answer asks again within its timeout, a minute for a recording; after two it has given up.
WINDOW_S = 120.0
PER_CLIENT = 256
MAX_ENTRIES = 4096
# The answers kept, together. Those to changes are short; a session status of sixteen devices has 6 kB.
MAX_BYTES = 4 << 20


@dataclass(slots=True)
class Asked:
    """One request: whom to answer, and the answer once there is one."""

    digest: bytes
    routes: list[tuple[bytes, ...]]
    at_s: float
    reply: bytes | None = None


@dataclass(slots=True)
class _Client:
    requests: OrderedDict[str, Asked] = field(default_factory=OrderedDict)


class Answered:
    """Remembers, per client, the requests of the last `WINDOW_S` and their answers; bounded in number and bytes.

    What goes over a bound is forgotten, the oldest of the fullest client first, so that nobody's many requests push out
    another's few. A request that is being worked on is never forgotten; the server bounds how many those are.
    """

    def __init__(self) -> None:
        self._clients: dict[str, _Client] = {}
        self._order: OrderedDict[tuple[str, str], None] = OrderedDict()
        self.n_bytes = 0

    def __len__(self) -> int:
        return len(self._order)

    def find(self, client: str, request_id: str, now_s: float) -> Asked | None:
        """Return a request of this client with this id that is remembered."""
        self._forget_old(now_s)
        found = self._clients.get(client)
        return found.requests.get(request_id) if found else None

    def add(self, client: str, request_id: str, data: bytes, route: tuple[bytes, ...], now_s: float) -> Asked:
        """Remember a request that is being worked on from now on."""
        asked = Asked(digest(data), [route], now_s)
        owner = self._clients.setdefault(client, _Client())
        owner.requests[request_id] = asked
        self._order[client, request_id] = None
        if len(owner.requests) > PER_CLIENT:
            self._forget_of(client)
        if len(self._order) > MAX_ENTRIES:
            self._forget_of(max(self._clients, key=lambda name: len(self._clients[name].requests)))
        return asked

    def answer(self, asked: Asked, reply: bytes) -> None:
        """Keep the answer."""
        asked.reply = reply
        self.n_bytes += len(reply)
        while self.n_bytes > MAX_BYTES and self._forget_oldest():
            pass

    def forget(self, client: str, request_id: str) -> None:
        """Forget a request."""
        owner = self._clients.get(client)
        asked = owner.requests.pop(request_id, None) if owner else None
        if owner is None or asked is None:
            return
        self._order.pop((client, request_id), None)
        self.n_bytes -= len(asked.reply or b"")
        if not owner.requests:
            del self._clients[client]

    def _forget_old(self, now_s: float) -> None:
        while self._order:
            client, request_id = next(iter(self._order))
            asked = self._clients[client].requests[request_id]
            if now_s - asked.at_s <= WINDOW_S:
                return
            if asked.reply is None:  # takes this long: it counts from now
                asked.at_s = now_s
                self._order.move_to_end((client, request_id))
                continue
            self.forget(client, request_id)

    def _forget_of(self, client: str) -> None:
        for request_id, asked in self._clients[client].requests.items():
            if asked.reply is not None:
                self.forget(client, request_id)
                return

    def _forget_oldest(self) -> bool:
        for client, request_id in self._order:
            if self._clients[client].requests[request_id].reply is not None:
                self.forget(client, request_id)
                return True
        return False


def digest(data: bytes) -> bytes:
    """Return what tells one request from another."""
    return hashlib.blake2b(data, digest_size=16).digest()
