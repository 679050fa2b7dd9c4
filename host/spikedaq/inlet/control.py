"""The client of a daemon's control socket."""

from __future__ import annotations

import re
import socket
import time
import uuid
from types import TracebackType
from typing import Any, Self

import zmq

from spikedaq.bus import MAX_CONTROL_BYTES, Reply, Request, decode_reply, encode_request
from spikedaq.model import CommandRejected, CommandTimeout, ConfigError, RemoteProtocolError

DEFAULT_CONTROL_URL = "tcp://127.0.0.1:5571"
_TCP = re.compile(r"tcp://\[?([^\]/]+?)\]?:(\d+)")


class ControlClient:
    """Asks a daemon, one question at a time. Not for several threads at once.

    Parameters
    ----------
    url : str
        The daemon's control endpoint.
    timeout_s : float
        How long to wait for an answer unless a call says otherwise.
    """

    def __init__(self, url: str = DEFAULT_CONTROL_URL, *, timeout_s: float = 5.0) -> None:
        self.url = url
        self.timeout_s = timeout_s
        self._answered = False
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        try:
            self._socket.setsockopt(zmq.LINGER, 0)
            self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_CONTROL_BYTES)
            self._socket.connect(url)
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
            No answer, with code ``absent`` where nobody listens at the address at all.
        LocalProtocolError
            The arguments cannot be sent.
        RemoteProtocolError
            The answer is not one of ours.
        """
        wait_s = self.timeout_s if timeout_s is None else timeout_s
        request = Request(uuid.uuid4().hex, op, args)
        data = encode_request(request)
        if not self._answered:
            self._check_somebody_listens()
        self._socket.send(data)
        reply = self._wait_for(request.id, time.monotonic() + wait_s)
        if reply is None:
            raise CommandTimeout(
                f"spikedaqd at {self.url} did not answer {op!r} within {wait_s:g} s; see its log whether it is stuck, "
                "or whether something else is listening there",
                code="timeout",
            )
        if not reply.ok:
            raise CommandRejected(reply.text, code=reply.code)
        return reply.value

    def _wait_for(self, request_id: str, deadline: float) -> Reply | None:
        while self._socket.poll(max(0, round((deadline - time.monotonic()) * 1000))):
            reply = decode_reply(self._socket.recv_multipart()[-1])
            self._answered = True
            if reply.id == request_id:
                return reply
            if not reply.id and not reply.ok:
                raise RemoteProtocolError(f"spikedaqd at {self.url} could not read the request: {reply.text}")
            # Otherwise the late answer to a question that was given up.
        return None

    def _check_somebody_listens(self) -> None:
        """Fail at once where the port is closed, instead of after the whole timeout."""
        match = _TCP.fullmatch(self.url)
        if match is None:
            return
        try:
            socket.create_connection((match[1], int(match[2])), timeout=2.0).close()
        except OSError as error:
            raise CommandTimeout(
                f"no spikedaqd answers at {self.url} ({error.strerror or error}); start one with "
                "'spikedaqd --device NAME=URL --data DIR', or name another with --url or SPIKEDAQ_URL",
                code="absent",
            ) from error

    def close(self) -> None:
        """Disconnect; may be called twice."""
        self._context.destroy(linger=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
