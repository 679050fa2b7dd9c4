"""Who may connect: CURVE on a socket, its keys looked up in the daemon's key folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import sys
import termios
from collections.abc import Iterator
from typing import Any

import structlog
import zmq
from zmq.auth.asyncio import AsyncioAuthenticator
from zmq.utils import z85

from spikedaq.keys import AllowedKey, AllowedKeys, KeyRing

log = structlog.get_logger(__name__)
_DOMAIN = "spikedaq"
# A connection that does not get through the handshake holds a file descriptor for so long; libzmq's own bound is 30 s.
_HANDSHAKE_MS = 5000


class Gate:
    """Lets in who has an allowed key.

    Parameters
    ----------
    ring : KeyRing
        Looked at again at every handshake and request, so that a revoked key ends working at its next.

    Raises
    ------
    ConfigError
        The daemon's key or the list of allowed ones cannot be used.
    """

    def __init__(self, ring: KeyRing) -> None:
        self.public, self._secret = ring.daemon_key()
        ring.allowed()
        self._allowed = AllowedKeys(ring)
        self._told = ""
        self.refused = 0

    def protect(self, context: zmq.Context[Any], *sockets: zmq.Socket[Any]) -> AsyncioAuthenticator:
        """Demand keys on sockets that are not bound yet; stop what is returned before the context ends.

        A running event loop is needed: handshakes wait for it.
        """
        authenticator = AsyncioAuthenticator(context)
        authenticator.start()
        authenticator.configure_curve_callback(_DOMAIN, self)
        for each in sockets:
            each.setsockopt(zmq.CURVE_SERVER, 1)
            each.setsockopt(zmq.CURVE_SECRETKEY, self._secret)
            each.setsockopt_string(zmq.ZAP_DOMAIN, _DOMAIN)
            # Without somebody who answers for the domain, nobody gets in; libzmq would otherwise let everybody in.
            each.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
            each.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
        return authenticator

    def callback(self, domain: str, key: bytes) -> bool:
        """Answer ZeroMQ at a handshake whether a key (in Z85) may come in."""
        found = domain == _DOMAIN and self.holder(key.decode("ascii", "replace")) is not None
        self.refused += not found
        return found

    def holder(self, user_id: str) -> AllowedKey | None:
        """Return who is behind the ``User-Id`` of a message, None where the key is not allowed (any more)."""
        try:
            public = z85.decode(user_id.encode())
        except (ValueError, KeyError, UnicodeEncodeError):
            return None
        found = self._allowed.get(public)
        if self._allowed.error != self._told:
            self._told = self._allowed.error
            if self._told:
                log.error("nobody is let in: the list of allowed keys cannot be used", reason=self._told)
        return found


def user_id(frame: zmq.Frame) -> str:
    """Return the key in Z85 that a message came with, "" where the connection has none."""
    try:
        return str(frame.get("User-Id"))
    except zmq.ZMQError:
        return ""


def address(frame: zmq.Frame) -> str:
    """Return the IP address a message came from, ``local`` for ipc."""
    try:
        return str(frame.get("Peer-Address")) or "local"
    except zmq.ZMQError:
        return "local"


def connection_of(frame: zmq.Frame) -> int:
    """Return the descriptor of the connection a message came over, -1 where it ended or cannot be known."""
    try:
        return int(frame.get(zmq.SRCFD))
    except zmq.ZMQError:
        return -1


def cut(descriptor: int, endpoint: str) -> bool:
    """End a connection of ours to a bound TCP endpoint, whoever it is with; ZeroMQ itself offers no way.

    Returns
    -------
    bool
        False where the descriptor is not, or no longer, a connection to this endpoint.
    """
    with _connection(descriptor, endpoint) as connection:
        if connection is None:
            return False
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return False
    return True


def unsent_bytes(descriptor: int, endpoint: str) -> int:
    """Return how much waits in the system to be sent over a connection of ours to a bound TCP endpoint; else 0."""
    # /proc/net/tcp says it as well, and takes 30 ms where there are a few thousand sockets.
    with _connection(descriptor, endpoint) as connection:
        if connection is None:
            return 0
        try:
            return int.from_bytes(fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
        except OSError:
            return 0


@contextlib.contextmanager
def _connection(descriptor: int, endpoint: str) -> Iterator[socket.socket | None]:
    """Yield a connection by its descriptor; None where that is not, or no longer, one to this endpoint."""
    port = endpoint.rpartition(":")[2]
    with contextlib.ExitStack() as stack:
        try:
            # Of our own before it is looked at: the number may stand for another file by now.
            own = os.dup(descriptor)
        except OSError:
            yield None
            return
        try:
            connection = stack.enter_context(socket.socket(fileno=own))
        except OSError:
            os.close(own)
            yield None
            return
        try:
            is_tcp = connection.family in (socket.AF_INET, socket.AF_INET6)
            is_ours = is_tcp and str(connection.getsockname()[1]) == port
        except OSError:
            is_ours = False
        yield connection if is_ours else None
