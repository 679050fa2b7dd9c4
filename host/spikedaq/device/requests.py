"""Requests and their answers: ids, patience, and one at a time."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable

from spikedaq.device.seams import Timing
from spikedaq.model import CommandRejected, CommandTimeout, LinkLostError
from spikedaq.wire import Description, Reply, ReplyCode, encode_message
from spikedaq.wire.messages import HostMessage

MAX_WAITING = 64
"""Callers that may wait their turn; more means that somebody floods a device that answers slowly."""

Send = Callable[[bytes, str], None]


class Requests:
    """Sends requests to one device and finds their answers.

    One request is under way at a time: a repeated `set` must not overtake a later one.

    Parameters
    ----------
    device : str
        For errors.
    first_id : int, optional
        Random where not given, so that a late answer to an earlier daemon's request is not taken for ours.
    """

    def __init__(self, device: str, timing: Timing, *, first_id: int | None = None) -> None:
        self._device = device
        self._timing = timing
        self._next_id = secrets.randbits(32) if first_id is None else first_id
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._send: Send | None = None
        self._pending: tuple[int, asyncio.Future[Reply | Description]] | None = None
        self.retries = 0

    def attach(self, send: Send) -> None:
        """Use a link: ``send(message, origin)`` frames, writes and journals a message."""
        self._send = send

    def detach(self, why: str) -> None:
        """Tell whoever waits, and later callers until the next `attach`, that the link is gone."""
        self._send = None
        if self._pending is not None and not self._pending[1].done():
            self._pending[1].set_exception(self._not_connected(why))

    def post(self, build: Callable[[int], HostMessage], *, origin: str) -> int | None:
        """Send a request for whose answer nobody waits here; return its id, or None where there is no link."""
        request_id = self._fresh_id()
        if self._send is None:
            return None
        try:
            self._send(encode_message(build(request_id)), origin)
        except LinkLostError:
            return None
        return request_id

    def answered(self, message: Reply | Description) -> bool:
        """Take an answer; False where nobody waits for it (any more)."""
        if self._pending is None or self._pending[0] != message.request_id or self._pending[1].done():
            return False
        self._pending[1].set_result(message)
        return True

    async def call(self, build: Callable[[int], HostMessage], *, what: str, origin: str) -> Reply | Description:
        """Send ``build(request_id)``, again each `Timing.reply_s`, and return the answer.

        Parameters
        ----------
        what : str
            The request in words, for errors: "set i_clamp".
        origin : str
            On whose behalf, for the journal.

        Raises
        ------
        CommandRejected
            The device refused (``code`` is the protocol's name of the reply code), is not connected
            (``not_connected``), or too many callers wait (``busy``).
        CommandTimeout
            No answer to any of `Timing.tries` requests.
        """
        if self._waiting >= MAX_WAITING:
            message = f"{self._device} has {self._waiting} commands waiting; wait for their answers before sending more"
            raise CommandRejected(message, code="busy")
        self._waiting += 1
        try:
            async with self._turn:
                answer = await self._exchange(build, what, origin)
        finally:
            self._waiting -= 1
        if isinstance(answer, Reply) and answer.code != ReplyCode.OK:
            raise self._refusal(answer, what)
        return answer

    async def _exchange(self, build: Callable[[int], HostMessage], what: str, origin: str) -> Reply | Description:
        request_id = self._fresh_id()
        message = encode_message(build(request_id))
        future: asyncio.Future[Reply | Description] = asyncio.get_running_loop().create_future()
        self._pending = (request_id, future)
        try:
            for attempt in range(self._timing.tries):
                if self._send is None:
                    raise self._not_connected("it is not connected")
                self.retries += attempt > 0
                try:
                    self._send(message, origin)
                except LinkLostError as error:
                    raise self._not_connected(str(error)) from error
                done, _ = await asyncio.wait([future], timeout=self._timing.reply_s)
                if done:
                    return future.result()
        finally:
            self._pending = None
            future.cancel()
        raise CommandTimeout(
            f"{self._device} did not answer {what!r} ({self._timing.tries} tries of {self._timing.reply_s:g} s); "
            "check its cable, or reset the board",
            code="timeout",
        )

    def _fresh_id(self) -> int:
        request_id = self._next_id
        self._next_id = (self._next_id + 1) & 0xFFFFFFFF
        return request_id

    def _not_connected(self, why: str) -> CommandRejected:
        return CommandRejected(f"{self._device} takes no commands now: {why}", code="not_connected")

    def _refusal(self, reply: Reply, what: str) -> CommandRejected:
        try:
            code = ReplyCode(reply.code).name.lower()
        except ValueError:
            code = f"code_{reply.code}"
        reason = reply.value if isinstance(reply.value, str) and reply.value else "it gives no reason"
        return CommandRejected(f"{self._device} refused {what!r}: {reason} ({code})", code=code)
