"""The process that simulates for one device, from the page server's side: started, given orders, listened to, ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable
from typing import Any

from spikedaq.keys import ClientKey
from spikedaq.model import CommandRejected

_MODULE = "spikedaq.scope.imaging_child"
_MAX_LINE_BYTES = 1 << 20
START_S = 60.0
"""Python loads numpy and HDF5 before it can say anything; on a busy classroom computer that takes a while."""
ANSWER_S = 20.0
END_S = 20.0
FILES_FAILED = 3
"""Exit status where a file could not be written."""


class ImagingProcess:
    """One running simulation.

    Parameters
    ----------
    asked : map
        As `imaging_child` reads it.
    tell : callable
        Called with each state.

    Attributes
    ----------
    failure : str
        Why what was recorded is not complete: a file could not be written, or it had to be killed.
    """

    def __init__(self, asked: dict[str, Any], tell: Callable[[dict[str, Any]], None]) -> None:
        self.failure = ""
        self._asked = asked
        self._tell = tell
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[int] | None = None
        self._first: asyncio.Future[None] | None = None
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._next = 1
        self._status: int | None = None

    async def start(self) -> None:
        """Start it, and wait until it publishes.

        Raises
        ------
        CommandRejected
            What it was refused, or why it did not start; it has ended then.
        """
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            _MODULE,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_MAX_LINE_BYTES,
        )
        self._first = asyncio.get_running_loop().create_future()
        self._listening = asyncio.create_task(self._listen(self._process), name="imaging")
        self._send(self._asked)
        try:
            async with asyncio.timeout(START_S):
                await self._first
        except TimeoutError:
            await self.end()
            text = f"the simulation did not start within {START_S:.0f} s; is this computer too busy?"
            raise CommandRejected(text, code="timeout") from None
        except BaseException:
            await self.end()
            raise

    async def order(self, do: str, **args: Any) -> dict[str, Any]:
        """Give an order and return the answer.

        Raises
        ------
        CommandRejected
            It was refused, or it ended.
        """
        if self._listening is None or self._listening.done():
            raise self._gone()
        number, self._next = self._next, self._next + 1
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        self._send({"n": number, "do": do, **args})
        try:
            async with asyncio.timeout(ANSWER_S):
                said = await answer
        except TimeoutError:
            text = f"the simulation did not answer within {ANSWER_S:.0f} s; look whether it was done, or stop it"
            raise CommandRejected(text, code="timeout") from None
        finally:
            self._waiting.pop(number, None)
        if not said["ok"]:
            raise CommandRejected(said["text"], code=said["code"])
        value: dict[str, Any] = said["value"]
        return value

    async def ended(self) -> int:
        """Wait until it has ended; its exit status."""
        return await asyncio.shield(self._listening) if self._listening is not None else 0

    async def end(self) -> None:
        """Have it complete what it has, and end; kill it where it does not."""
        process = self._process
        if process is None or self._listening is None:
            return
        self._send({"do": "end"})
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(END_S):
                await asyncio.shield(self._listening)
        except TimeoutError:
            self.failure = self.failure or (
                f"the simulation did not end within {END_S:.0f} s, and was killed; files that it was writing open "
                "after: spikedaq imaging --repair FILE"
            )
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await self._listening

    def _send(self, what: dict[str, Any]) -> None:
        if self._process is not None and self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(json.dumps(what).encode() + b"\n")

    async def _listen(self, process: asyncio.subprocess.Process) -> int:
        """Take what it says until it ends; its exit status."""
        try:
            if process.stdout is not None:
                while line := await process.stdout.readline():
                    self._take(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            self.failure = self.failure or f"the simulation said what cannot be understood, and was ended ({error!r})"
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            if process.stdout is not None:
                await process.stdout.read()  # `wait` would wait for good for a pipe that is not read empty
        status = await process.wait()
        self._status = status
        for answer in (self._first, *self._waiting.values()):
            if answer is not None and not answer.done():
                answer.set_exception(self._gone())
        return status

    def _gone(self) -> CommandRejected:
        why = self.failure or f"the simulation ended by itself (exit status {self._status}); start it again"
        return CommandRejected(why, code="ended")

    def _take(self, said: dict[str, Any]) -> None:
        first = self._first
        if "state" in said:
            if first is not None and not first.done():
                first.set_result(None)
            self._tell(said["state"])
        elif "refused" in said and first is not None and not first.done():
            first.set_exception(CommandRejected(said["refused"], code=said["code"]))
        elif "failed" in said:
            self.failure = said["failed"]
        elif "answer" in said:
            answer = self._waiting.get(said["answer"])
            if answer is not None and not answer.done():
                answer.set_result(said)


def key_to_map(key: ClientKey | str | None) -> dict[str, Any] | str | None:
    """Return a key as JSON value, for a pipe to a process of one's own and nowhere else."""
    if not isinstance(key, ClientKey):
        return key
    daemon = key.daemon.hex() if key.daemon else None
    return {"name": key.name, "public": key.public.hex(), "secret": key.secret.hex(), "daemon": daemon,
            "source": key.source}  # fmt: skip
