"""A bench of a class that fails as it is told to."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import Any

from spikedaq.model import CommandRejected
from spikedaq.outlet import ControlServer


class ClassBench:
    """A daemon with one board, as docs/reference/control.md says, that fails as it is told to.

    Attributes
    ----------
    refuses : set of str
        Operations that are rejected.
    keeps_silent : set of str
        Operations that have their effect and are not answered, until `let_go`.
    interrupts : bool
        Presses Ctrl-C as it is asked to begin, and answers once that was noticed.
    noticed : threading.Event
        To be set by who handles the signal.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.refuses: set[str] = set()
        self.keeps_silent: set[str] = set()
        self.interrupts = False
        self.noticed = threading.Event()
        self.uptime_s = 1000.0
        self.session: dict[str, Any] | None = None
        self.notes: list[str] = []
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        self._ready.wait()

    async def _serve(self) -> None:
        server = ControlServer("tcp://127.0.0.1:0", self._answer)
        self.url = server.endpoint
        self._loop = asyncio.get_running_loop()
        self._let_go = asyncio.Event()
        self._task = asyncio.create_task(server.run())
        self._ready.set()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _answer(self, op: str, args: dict[str, Any], who: str, *_: Any) -> Any:
        if op in self.refuses:
            raise CommandRejected(f"no {op} today", code="store")
        value = getattr(self, f"_{op}")(**args)
        if op in self.keeps_silent:
            await self._let_go.wait()
        return value

    def _hello(self) -> dict[str, Any]:
        return {"bench": self.name, "publish": "tcp://127.0.0.1:1", "epoch": self.name}

    def _list(self) -> list[dict[str, Any]]:
        return [{"name": "alpha", "state": "running", "detail": ""}]

    def _clock(self) -> dict[str, int]:
        return {"host_ns": 0, "utc_ns": 0}

    def _status(self) -> dict[str, Any]:
        return {"uptime_s": self.uptime_s}

    def _note(self, text: str) -> None:
        self.notes.append(text)

    def _record_status(self) -> dict[str, Any] | None:
        return self.session

    def _record_start(self, session: str, **_: Any) -> dict[str, Any]:
        if self.interrupts:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            self.noticed.wait(30)
        self.session = {"session": session, "state": "recording", "folder": f"/d/{session}", "devices": {"alpha": {}}}
        return self.session

    def _record_stop(self, session: str) -> dict[str, Any]:
        if self.session is None or self.session["session"] != session or self.session["state"] != "recording":
            raise CommandRejected("nothing is being recorded", code="not_recording")
        self.session["state"] = "complete"
        return self.session

    @property
    def records(self) -> bool:
        return self.session is not None and self.session["state"] == "recording"

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()
