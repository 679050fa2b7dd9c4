"""A bench of a class that fails as it is told to."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import Any

from helpers.control_thread import ControlThread
from spikedaq.model import CommandRejected


class ClassBench(ControlThread):
    """A daemon with one board, as docs/reference/control.md says, that fails as it is told to.

    Attributes
    ----------
    refuses : set of str
        Operations that are rejected.
    keeps_silent : set of str
        Operations that have their effect and are never answered.
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
        self.clock_ns = 0
        self.session: dict[str, Any] | None = None
        self.notes: list[str] = []
        self.begin()

    async def answer(self, op: str, args: dict[str, Any], who: Any) -> Any:
        if op in self.refuses:
            raise CommandRejected(f"no {op} today", code="store")
        value = getattr(self, f"_{op}")(**args)
        if op in self.keeps_silent:
            await asyncio.Event().wait()
        return value

    def _hello(self) -> dict[str, Any]:
        return {"bench": self.name, "publish": "tcp://127.0.0.1:1", "epoch": self.name}

    def _list(self) -> list[dict[str, Any]]:
        return [{"name": "alpha", "state": "running", "detail": ""}]

    def _clock(self) -> dict[str, int]:
        return {"host_ns": self.clock_ns, "utc_ns": 0}

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
