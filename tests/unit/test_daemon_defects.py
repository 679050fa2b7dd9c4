"""What a defect beside the acquisition does: it is logged, told where somebody waits for it, and ends nothing."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from spikedaq.daemon import DaemonConfig
from spikedaq.daemon.alarms import AlarmKind, Alarms
from spikedaq.daemon.config import AlarmsConfig
from spikedaq.daemon.guard import kept_going
from spikedaq.daemon.health import Health, health
from spikedaq.daemon.health.metrics import _TOTALS
from spikedaq.daemon.service import _reload_when

WAIT_S = 20.0


async def cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def health_of(config: DaemonConfig, alarms: Alarms, sessions: Any) -> Health:
    bench: Any = SimpleNamespace(name="lab", members={})
    others: Any = SimpleNamespace(viewer_drops=0, publish=lambda *_: True)
    return Health(
        config, alarms, bench=bench, sessions=sessions, journals=others, disk=others, publisher=others,
        control=others, epoch="e",
    )  # fmt: skip


def test_what_fails_is_begun_again() -> None:
    begun = 0
    going = asyncio.Event()

    async def run() -> None:
        nonlocal begun
        begun += 1
        if begun < 3:
            raise ZeroDivisionError
        going.set()
        await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(kept_going("x", run, after_s=0.0))
        async with asyncio.timeout(WAIT_S):
            await going.wait()
        await cancelled(task)

    asyncio.run(main())
    assert begun == 3


def test_a_reload_that_fails_is_told_and_the_next_one_done() -> None:
    answers: list[str | Exception | None] = [NotImplementedError("no"), None]
    refused: list[str | None] = []
    told = asyncio.Event()

    async def reload_logged() -> str | None:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def config_refused(reason: str | None) -> None:
        refused.append(reason)
        told.set()

    nothing: Any = SimpleNamespace(reloading=lambda: None, ready=lambda: None)
    reloader: Any = SimpleNamespace(reload_logged=reload_logged)
    watched: Any = SimpleNamespace(manager=nothing, config_refused=config_refused)

    async def main() -> None:
        asked = asyncio.Event()
        task = asyncio.create_task(_reload_when(asked, reloader, watched))
        for _ in range(2):
            told.clear()
            asked.set()
            async with asyncio.timeout(WAIT_S):
                await told.wait()
        await cancelled(task)

    asyncio.run(main())
    assert refused == ["an internal error (NotImplementedError), see the log", None]


def test_a_look_that_fails_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "AFTER_DEFECT_S", 0.0)
    looks, enough = 0, asyncio.Event()

    class Sessions:
        def all(self) -> None:
            nonlocal looks
            looks += 1
            if looks == 3:
                enough.set()
            raise ZeroDivisionError

    async def main() -> None:
        watched = health_of(DaemonConfig(), Alarms(int), Sessions())
        task = asyncio.create_task(watched.run())
        async with asyncio.timeout(WAIT_S):
            await enough.wait()
        await cancelled(task)
        await watched.close()

    with capture_logs() as lines:
        asyncio.run(main())
    assert sum("internal error" in line["event"] for line in lines) >= 3


def test_the_command_is_run_for_what_stood_before_it_was_there(tmp_path: Path) -> None:
    """A file of triggers that cannot be read is found before there is anybody to tell."""
    told = tmp_path / "told"
    command = (sys.executable, "-c", "import pathlib, sys; pathlib.Path(sys.argv[1]).write_text('')", str(told))

    async def main() -> None:
        alarms = Alarms(int)
        alarms.put(AlarmKind.TRIGGER_UNUSABLE, "", "triggers.json cannot be used")
        watched = health_of(DaemonConfig(alarms=AlarmsConfig(command=command)), alarms, None)
        async with asyncio.timeout(WAIT_S):
            await watched.close()

    asyncio.run(main())
    assert told.exists()


def test_every_total_has_a_source() -> None:
    """What metrics.md lists is measured."""
    counted: Any = SimpleNamespace(
        viewer_drops=0, publish=None, published=0, published_bytes=0, requests=0, refused=0,
        status=SimpleNamespace(free_bytes=None, time_left_s=None, elsewhere={}),
    )  # fmt: skip
    bench: Any = SimpleNamespace(name="lab", members={})
    sessions: Any = SimpleNamespace(current=None)

    async def main() -> None:
        watched = Health(
            DaemonConfig(), Alarms(int), bench=bench, sessions=sessions, journals=counted, disk=counted,
            publisher=counted, control=counted, epoch="e", log_lines_lost=lambda: 7,
        )  # fmt: skip
        totals = watched.snapshot().totals
        assert totals.keys() == _TOTALS.keys() and totals["log_lines_lost"] == 7
        await watched.close()

    asyncio.run(main())
    text = (Path(__file__).parents[2] / "docs" / "reference" / "metrics.md").read_text()
    assert not [name for name in _TOTALS if f"`spikedaq_{name}_total`" not in text]
