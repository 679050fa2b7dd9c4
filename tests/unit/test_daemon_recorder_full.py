"""When a recorder that a full disk or a kill ended is taken to be at work again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from spikedaq.daemon import recorder_run
from spikedaq.daemon.alarms import AlarmKind, Alarms
from spikedaq.daemon.config import DaemonConfig
from spikedaq.daemon.disk import DiskWatch
from spikedaq.daemon.live_config import LiveConfig
from spikedaq.daemon.recorder_process import EXIT_DISK, RecorderProcess

WAIT_S = 20.0
HEARD = 7
"""Offset in the last report of a script."""
FULL = {"state": "failed", "error": "less than 67 MB are free; make room", "cause": "disk_full"}


def said(device: str, state: str, rows: int = 9) -> dict[str, Any]:
    return {"device": device, "state": state, "file": "s_0000.nwb", "samples": rows, "rows_on_disk": rows, "bytes": 9}


def left_out(device: str) -> dict[str, Any]:
    return {"device": device, "state": "failed", "error": "manifest.json cannot be read", "cause": "left_out"}


class Rig:
    """A session whose recorder is a shell script: the first says that the disk is full, the next what a test says."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch, devices: Sequence[str]) -> None:
        self.alarms = Alarms(lambda: 0)
        self.process = RecorderProcess(path, devices, self.alarms)
        self._script, self._mark = path / "recorder", path / "was-full"
        self._devices = devices
        monkeypatch.setattr(recorder_run, "sys", SimpleNamespace(executable=str(self._script)))
        session: Any = SimpleNamespace(name="s", folder=path, recorder=self.process)
        of_all: Any = SimpleNamespace(all=lambda: [session])
        data: Any = SimpleNamespace(path=path, recordings=path)
        journals: Any = SimpleNamespace(all=dict)
        self.watch = DiskWatch(LiveConfig(DaemonConfig()), data, journals, of_all, self.alarms)

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self.process.changed.clear()
                await self.process.changed.wait()

    async def after_full(self, reports: Sequence[dict[str, Any]]) -> None:
        """Have the disk full once, and the next recorder say this; return once that was heard."""

        async def full() -> None:
            await self.until(lambda: self.process.is_full)
            self.look()
            assert self.told()

        lines = [{"device": device, **FULL} for device in self._devices]
        await self._after(lines, f"exit {EXIT_DISK}", full, reports)

    async def after_kill(self, reports: Sequence[dict[str, Any]]) -> None:
        """The same of one that is killed."""

        async def ended() -> None:
            await self.until(lambda: self.process.error)

        await self._after([], "kill -9 $$", ended, reports)

    async def _after(
        self,
        lines: Sequence[dict[str, Any]],
        end: str,
        told: Callable[[], Awaitable[None]],
        reports: Sequence[dict[str, Any]],
    ) -> None:
        first = [said(device, "waiting") for device in self._devices]
        *reports, last = reports
        self._script.write_text(
            f"#!/bin/sh\nif mkdir {self._mark} 2>/dev/null; then\n{_echo([*first, *lines])}{end}\nfi\n"
            f"{_echo([*reports, {**last, 'offset': HEARD}])}while read -r _line; do :; done\n"
        )
        self._script.chmod(0o755)
        running = asyncio.create_task(self.process.run())
        try:
            await told()
            await self.until(lambda: self.process.files[last["device"]].offset == HEARD)
            self.look()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def look(self) -> None:
        self.watch._look(0.0, 10**12, {})

    def told(self) -> bool:
        return (AlarmKind.DISK_FULL, "") in self.alarms.standing


def _echo(lines: Sequence[dict[str, Any]]) -> str:
    return "".join(f"echo '{json.dumps(line)}'\n" for line in lines)


@pytest.mark.parametrize(
    ("reports", "is_over"),
    [
        ([said("alpha", "armed")], True),
        ([said("alpha", "waiting")], True),
        ([said("alpha", "recording", 10)], True),
        ([said("alpha", "recording")], False),  # the file is open, and nothing got into it yet
        ([said("alpha", "closing")], False),
    ],
)
def test_room_is_told_once_the_next_recorder_has_found_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reports: list[dict[str, Any]], is_over: bool
) -> None:
    """By rows, or by a recorder that has nothing to write: an armed one may have nothing for days."""
    rig = Rig(tmp_path, monkeypatch, ["alpha"])
    asyncio.run(rig.after_full(reports))
    assert (rig.process.is_full, rig.process.error is not None, rig.told()) == (not is_over,) * 3


@pytest.mark.parametrize(
    ("reports", "is_over"),
    [
        ([said("beta", "waiting")], False),  # of alpha nothing is known yet
        ([said("beta", "waiting"), said("alpha", "recording")], False),
        ([said("beta", "waiting"), said("alpha", "waiting"), said("alpha", "recording")], True),
        ([said("beta", "closed"), said("alpha", "armed")], True),
        ([said("beta", "waiting"), said("alpha", "recording", 10)], True),
        ([left_out("beta"), said("alpha", "armed")], True),
    ],
)
def test_one_idle_device_does_not_speak_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reports: list[dict[str, Any]], is_over: bool
) -> None:
    """Beside a device that sends nothing another's samples may still find no room."""
    rig = Rig(tmp_path, monkeypatch, ["alpha", "beta"])
    asyncio.run(rig.after_full(reports))
    assert (rig.process.is_full, rig.told()) == (not is_over,) * 2


@pytest.mark.parametrize(("state", "is_over"), [("armed", True), ("waiting", True), ("recording", False)])
def test_a_kill_between_windows_is_over_once_the_next_recorder_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, is_over: bool
) -> None:
    """It was told as the recorder's error until the next window, which may be days away."""
    rig = Rig(tmp_path, monkeypatch, ["alpha"])
    asyncio.run(rig.after_kill([said("alpha", state)]))
    assert rig.process.restarts == 1
    assert (rig.process.error is None) == is_over
