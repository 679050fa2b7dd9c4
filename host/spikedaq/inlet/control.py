"""The client of a daemon's control socket."""

from __future__ import annotations

import os
import time
import uuid
from typing import Any

import zmq
from zmq.utils.monitor import recv_monitor_message

from spikedaq.bus import MAX_CONTROL_BYTES, Reply, Request, decode_reply, encode_request
from spikedaq.inlet.closing import Closing
from spikedaq.inlet.security import choose_key, default_name, use_key
from spikedaq.keys import ClientKey
from spikedaq.model import CommandRejected, CommandTimeout, ConfigError, RemoteProtocolError

DEFAULT_CONTROL_URL = "tcp://127.0.0.1:5571"
RECORD_TIMEOUT_S = 75.0
"""For `record_start` and `record_stop`: longer than the daemon itself waits, so that it is the daemon that says why.

A start is answered once the first block of each device is on disk (10 s, and 1 s for each), a stop once all files are
closed (60 s, and 5 s to write it down).
"""
_EVENTS = (
    zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)
CHANGING = frozenset({
    "set", "start", "stop", "reset", "stimulus", "rescan", "name_device", "note", "record_start", "record_stop",
    "record_dismiss", "trigger_arm", "trigger_disarm", "trigger_fire", "lease_take", "lease_renew", "lease_release",
    "reload", "shutdown", "derive_open", "derive", "derive_close",
})  # fmt: skip
"""Operations that change something: not asked again of another daemon than the one that may have done them."""


class ControlClient(Closing):
    """Asks a daemon, one question at a time. Not for several threads at once.

    A question whose connection broke is asked again over the next one, with the same id: the daemon that knows it does
    nothing twice. A daemon that was started meanwhile does not know it, and is not asked again for what changes
    something.

    Parameters
    ----------
    url : str
        The daemon's control endpoint.
    timeout_s : float
        How long to wait for an answer unless a call says otherwise.
    key : ClientKey or path, optional
        Used where the daemon demands one; by default that of ``$SPIKEDAQ_KEY`` or of the user's folder.
    name : str, optional
        What to call oneself; by default ``$SPIKEDAQ_NAME`` or the user. A lease is held under it.

    Attributes
    ----------
    key : ClientKey or None
        What the connection was made with; known after the first call.
    """

    def __init__(
        self,
        url: str = DEFAULT_CONTROL_URL,
        *,
        timeout_s: float = 5.0,
        key: ClientKey | str | os.PathLike[str] | None = None,
        name: str | None = None,
    ) -> None:
        self.url = url
        self.timeout_s = timeout_s
        self.name = default_name() if name is None else name
        self.key: ClientKey | None = None
        self._given = key
        self._context = zmq.Context()
        self._socket: zmq.Socket[bytes] | None = None
        self._monitor: zmq.Socket[bytes] | None = None
        self._failed_handshakes = 0
        self._epoch: str | None = None
        try:
            # Only whether it is an address: how to connect is known once somebody answers there.
            with self._context.socket(zmq.DEALER) as trial:
                trial.setsockopt(zmq.LINGER, 0)
                trial.setsockopt(zmq.IPV6, 1)
                trial.connect(url)
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise ConfigError(
                f"{url!r} is not the address of a daemon: {error.strerror}; write tcp://127.0.0.1:5571 or the like"
            ) from error

    def call(self, op: str, *, timeout_s: float | None = None, **args: Any) -> Any:
        """Ask for ``op`` and return the value of the answer.

        Raises
        ------
        CommandRejected
            The daemon refused; ``code`` says why in a word.
        CommandTimeout
            No answer, with code ``absent`` where nobody listens at the address at all, and ``restarted`` where the
            daemon was started anew while it had the question. What had reached it may have had its effect; what had not
            is not done later.
        ConfigError
            The daemon demands a key and there is none, or it cannot be used.
        LocalProtocolError
            The arguments cannot be sent.
        RemoteProtocolError
            The answer is not one of ours.
        """
        wait_s = self.timeout_s if timeout_s is None else timeout_s
        deadline = time.monotonic() + wait_s
        request = Request(uuid.uuid4().hex, op, args, self.name)
        data = encode_request(request)
        self._connected()
        if op in CHANGING and self._epoch is None:
            self.call("hello", timeout_s=wait_s)
        self._connected().send(data)
        reply = self._wait_for(request, data, deadline)
        if reply is None:
            self._hang_up()  # what still waits for a connection here must not be done behind the caller's back
            raise CommandTimeout(
                f"spikedaqd at {self.url} did not answer {op!r} within {wait_s:g} s; see its log whether it is stuck, "
                "or whether something else is listening there",
                code="timeout",
            )
        if not reply.ok:
            raise CommandRejected(reply.text, code=reply.code)
        if op == "hello" and isinstance(reply.value, dict):
            self._epoch = reply.value.get("epoch")
        return reply.value

    def _connected(self) -> zmq.Socket[bytes]:
        if self._socket is not None and self._look_at_connection()[0]:
            self._epoch = None
        if self._socket is None:
            self._epoch = None
            self.key = choose_key(self.url, self._given)
            self._failed_handshakes = 0
            socket_ = self._context.socket(zmq.DEALER)
            socket_.setsockopt(zmq.LINGER, 0)
            socket_.setsockopt(zmq.IPV6, 1)
            socket_.setsockopt(zmq.MAXMSGSIZE, MAX_CONTROL_BYTES)
            if self.key is not None:
                use_key(socket_, self.key)
            self._monitor = socket_.get_monitor_socket(_EVENTS)
            socket_.connect(self.url)
            self._socket = socket_
        return self._socket

    def _wait_for(self, request: Request, data: bytes, deadline: float) -> Reply | None:
        if self._socket is None or self._monitor is None:
            return None
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)
        was_lost = False
        while ready := dict(poller.poll(max(0, round((deadline - time.monotonic()) * 1000)))):
            if self._socket in ready:
                reply = decode_reply(self._socket.recv_multipart()[-1])
                if reply.id == request.id:
                    return reply
                if not reply.id and not reply.ok:
                    raise RemoteProtocolError(f"spikedaqd at {self.url} could not read the request: {reply.text}")
                # Otherwise the late answer to a question that was given up, or the second to one that was asked twice.
                continue
            lost, found = self._look_at_connection()
            if self._socket is None:
                self._raise_not_allowed()
            was_lost |= lost
            if was_lost and found:
                was_lost = False
                if request.op in CHANGING:
                    self._check_same(request.op, deadline)
                self._socket.send(data)
        return None

    def _check_same(self, op: str, deadline: float) -> None:
        """Raise where the daemon at hand is not the one that was asked."""
        epoch, self._epoch = self._epoch, None
        self.call("hello", timeout_s=max(0.1, deadline - time.monotonic()))
        if self._epoch != epoch:
            text = f"spikedaqd at {self.url} was started anew while it was asked to {op!r}; look whether it was done"
            raise CommandTimeout(text, code="restarted")

    def _look_at_connection(self) -> tuple[bool, bool]:
        """Read what became of the connection: whether it was lost, and whether it stands again."""
        lost = found = False
        while self._monitor is not None and self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)["event"]
            if event == zmq.EVENT_DISCONNECTED:
                lost, found = True, False
            elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                found = True
                self._failed_handshakes = 0
            elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                # ZeroMQ does not try again after this; the next call does.
                self._hang_up()
            else:
                self._failed_handshakes += 1
                # Once may be a daemon that ended just then.
                if self.key is not None and self._failed_handshakes >= 2:
                    self._hang_up()
                    raise ConfigError(
                        f"the daemon at {self.url} has another key than {self.key.source or 'ours'} says, or is "
                        "another daemon; ask who runs it for its public key (spikedaq keys list)"
                    )
        return lost, found

    def _raise_not_allowed(self) -> None:
        key = self.key
        known = f"{key.name or 'NAME'} {key.public.hex()}" if key else "NAME KEY"
        raise CommandRejected(
            f"the daemon at {self.url} does not allow this key; have it allowed on its computer: "
            f"spikedaq keys allow {known}",
            code="not_allowed",
        )

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.disable_monitor()
            self._socket.close(linger=0)
        self._socket = self._monitor = None

    def close(self) -> None:
        """Disconnect; may be called twice."""
        self._hang_up()
        self._context.destroy(linger=0)
