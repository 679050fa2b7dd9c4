"""What the daemon makes of a history process that does not do what it should."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from spikedaq.daemon import history_process
from spikedaq.daemon.alarms import AlarmKind, Alarms
from spikedaq.daemon.history_process import HistoryProcess

WAIT_S = 20.0
ANSWERS = """echo '{"endpoint": "tcp://127.0.0.1:1"}'
while read -r _line; do :; done
"""
HANGS = "while read -r _line; do :; done\n"


def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check: Callable[..., Awaitable[None]]) -> None:
    """Keep a shell script as the history; ``check`` gets it, a way to change the script, and one to wait."""
    script = tmp_path / "history"
    monkeypatch.setattr(history_process, "sys", SimpleNamespace(executable=str(script)))
    monkeypatch.setattr(history_process, "BACKOFF_FIRST_S", 0.01)

    def does(lines: str) -> None:
        made = tmp_path / "new"
        made.write_text(f"#!/bin/sh\n{lines}")
        made.chmod(0o755)
        made.replace(script)

    async def until(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not condition():  # noqa: ASYNC110  what is waited for has no event
                await asyncio.sleep(0.002)

    async def run() -> None:
        alarms = Alarms(lambda: 0)
        history = HistoryProcess(tmp_path, "bench", ["tcp://127.0.0.1:0"], alarms)
        does(ANSWERS)
        task = asyncio.create_task(history.run())
        try:
            await until(lambda: history.endpoint)
            await check(history, alarms, does, until)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


def kill(history: HistoryProcess) -> None:
    assert history.pid is not None
    os.kill(history.pid, signal.SIGKILL)


def test_one_that_starts_and_hangs_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_process, "START_S", 0.2)
    monkeypatch.setattr(history_process, "DOWN_S", WAIT_S)

    async def check(history: HistoryProcess, alarms: Alarms, does: Any, until: Any) -> None:
        does(HANGS)
        kill(history)
        await until(lambda: history.restarts >= 2)
        assert "did not answer within 0.2 s" in alarms.standing[AlarmKind.HISTORY_FAILED, ""].text
        monkeypatch.setattr(history_process, "START_S", WAIT_S)
        does(ANSWERS)
        await until(lambda: history.endpoint)
        assert not alarms.standing

    kept(tmp_path, monkeypatch, check)


def test_the_alarm_stands_within_two_seconds() -> None:
    """Of its end, as docs/reference/alarms.md has it of all."""
    assert history_process.DOWN_S < 2.0


def test_one_that_does_not_come_back_is_told_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while the next one has its time to start."""
    monkeypatch.setattr(history_process, "DOWN_S", 0.05)

    async def check(history: HistoryProcess, alarms: Alarms, does: Any, until: Any) -> None:
        does(HANGS)
        kill(history)
        await until(lambda: (AlarmKind.HISTORY_FAILED, "") in alarms.standing)
        assert history.restarts == 1
        does(ANSWERS)
        kill(history)
        await until(lambda: history.endpoint)
        assert not alarms.standing

    kept(tmp_path, monkeypatch, check)


BEATS = """echo '{"endpoint": "tcp://127.0.0.1:1"}'
while sleep 0.05; do echo || exit; done
"""


def test_one_that_stands_still_is_ended_and_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by SIGSTOP, a debugger, a disk that hangs: clients would wait for it for ever."""
    monkeypatch.setattr(history_process, "SILENT_S", 1.0)

    async def check(history: HistoryProcess, alarms: Alarms, does: Any, until: Any) -> None:
        monkeypatch.setattr(history_process, "DOWN_S", WAIT_S)
        does(BEATS)
        kill(history)
        await until(lambda: history.restarts == 1 and history.endpoint)
        assert not alarms.standing
        stopped = history.pid
        assert stopped is not None
        os.kill(stopped, signal.SIGSTOP)
        await until(lambda: (AlarmKind.HISTORY_FAILED, "") in alarms.standing)
        assert "did not answer for 1 s" in alarms.standing[AlarmKind.HISTORY_FAILED, ""].text
        await until(lambda: history.endpoint and history.pid != stopped)
        assert history.restarts == 2 and not alarms.standing

    kept(tmp_path, monkeypatch, check)
