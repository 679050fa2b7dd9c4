"""A control endpoint on a thread of its own, for tests whose other side blocks."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from spikedaq.outlet import ControlServer

_PATIENCE_S = 20.0


class ControlThread:
    """Answers at ``url`` from `begin` until `close`; who inherits says what by `answer`.

    Attributes
    ----------
    url : str
        Where it answers.
    end : asyncio.Event
        Set by `close`; of the thread's loop.
    """

    def begin(self) -> None:
        """Return once it answers."""
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name=type(self).__name__)
        self._thread.start()
        assert self._ready.wait(_PATIENCE_S)

    async def answer(self, op: str, args: dict[str, Any], who: Any) -> Any:
        """Return the value of one request, or raise `CommandRejected`."""
        raise NotImplementedError

    async def beside(self) -> None:
        """Run beside the endpoint, in its loop, until ``end`` is set."""
        await self.end.wait()

    async def _serve(self) -> None:
        server = ControlServer("tcp://127.0.0.1:0", self.answer)
        self.url = server.endpoint
        self._loop, self.end = asyncio.get_running_loop(), asyncio.Event()
        task = asyncio.create_task(server.run())
        self._ready.set()
        await self.beside()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def close(self) -> None:
        """End the endpoint and its thread."""
        self._loop.call_soon_threadsafe(self.end.set)
        self._thread.join(_PATIENCE_S)
        assert not self._thread.is_alive()
