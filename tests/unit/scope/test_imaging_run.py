"""What a page is told of a simulation is so: that it is recorded, that it ended, and why."""

from __future__ import annotations

import asyncio
import queue
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from spikedaq.analysis.imaging_settings import ImagingSettings
from spikedaq.formats.imaging import Simulation
from spikedaq.formats.imaging_live import LiveImaging
from spikedaq.model import CommandRejected, StoreError
from spikedaq.scope import imaging_process, imaging_runs
from spikedaq.scope.hub import Hub
from spikedaq.scope.imaging_child import _Child
from spikedaq.scope.imaging_process import FILES_FAILED, ImagingProcess
from spikedaq.scope.imaging_run import Run

RUNNING: dict[str, Any] = {"state": "running", "text": ""}


def names(run: Run) -> list[str]:
    return [path.name for path in run.files]


def test_files_that_were_dropped_from_the_list_do_not_return() -> None:
    """The newest pair, which grows, stays the last, however many pairs there were: it must not be downloaded."""
    run = Run("lab", "alpha", session="s")
    every: list[str] = []
    for k in range(15):
        every += [f"/x/{k}.nwb", f"/x/{k}.csv"]
        run.note_files(every[-2:])
        for _ in range(3):
            run.take({**RUNNING, "files": every, "session": "s"})
    assert names(run) == [f"{k}.{end}" for k in range(5, 15) for end in ("nwb", "csv")]
    run.note_files(["/x/15.nwb", "/x/15.csv"])
    run.take({**RUNNING, "files": every, "session": "s"})
    assert names(run)[-2:] == ["15.nwb", "15.csv"], "a pair that is announced comes after those that are there"


def test_a_recording_that_ended_with_the_bench_is_still_told_when_it_is_back() -> None:
    run = Run("lab", "alpha", state="running", session="s")
    run.take({"state": "waiting", "text": "no daemon answers"})
    assert (run.session, run.note) == (None, "no daemon answers; the recording of the imaging has ended")
    run.take({"state": "waiting", "text": "no daemon answers"})
    run.take({**RUNNING, "session": None})
    assert run.note == "the bench was away for a while: the recording of the imaging ended then; record again"
    other = Run("lab", "beta", state="running")
    other.take({"state": "waiting", "text": "no daemon answers"})
    other.take({**RUNNING, "session": None})
    assert other.note == ""


def test_what_the_process_does_counts_also_where_its_answer_came_too_late() -> None:
    """A page that is told of no recording could change settings, and download what grows."""
    run = Run("lab", "alpha", state="running")
    assert run.take({**RUNNING, "session": "", "files": ["/x/a.nwb", "/x/a.csv"]})
    assert run.session == ""
    assert run.take({**RUNNING, "session": None})
    assert run.session is None
    assert not run.take({**RUNNING, "session": None}), "nothing new is not told"


class Process:
    """Stands in for the simulation; ends as it is told to."""

    made: ClassVar[list[Process]] = []
    starts: asyncio.Event
    refusals: ClassVar[list[str]] = []

    def __init__(self, asked: dict[str, Any], tell: Any) -> None:
        self.failure, self.status, self.over, self.tell = "", 0, asyncio.Event(), tell
        self.made.append(self)

    async def start(self) -> None:
        await self.starts.wait()
        if self.refusals:
            raise CommandRejected(self.refusals.pop(), code="exists")
        self.tell(RUNNING)

    async def ended(self) -> int:
        await self.over.wait()
        return self.status

    async def end(self) -> None:
        self.over.set()

    def fail(self, text: str) -> None:
        self.failure, self.status = text, FILES_FAILED
        self.over.set()


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    monkeypatch.setattr(imaging_runs, "ImagingProcess", Process)
    monkeypatch.setattr(Process, "made", [])
    monkeypatch.setattr(Process, "refusals", [])
    return Process.made


def runs_of() -> imaging_runs.ImagingRuns:
    Process.starts = asyncio.Event()
    Process.starts.set()
    hub = Hub([])
    hub.urls["lab"] = "tcp://127.0.0.1:9"
    return imaging_runs.ImagingRuns(hub, lambda _: None)


def test_those_that_are_starting_count(processes: list[Process], monkeypatch: pytest.MonkeyPatch) -> None:
    """A class that opens all panels at once starts no more processes than one after the other would."""
    monkeypatch.setattr(imaging_runs, "MAX_RUNS", 2)

    async def test() -> None:
        runs = runs_of()
        Process.starts.clear()
        tasks = [asyncio.create_task(runs.start("lab", f"d{k}", "Mia")) for k in range(4)]
        while sum(task.done() for task in tasks) < 2:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
        Process.starts.set()
        told = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(each, CommandRejected) for each in told] == [False, False, True, True]
        await runs.close()

    asyncio.run(test())
    assert len(processes) == 2


def test_after_files_that_failed_it_goes_on_and_says_why(processes: list[Process]) -> None:
    async def test() -> None:
        runs = runs_of()
        run = await runs.start("lab", "alpha", "Mia")
        processes[0].fail("no space left")
        while len(processes) < 2 or run.lock.locked():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
        assert run.note == "the recording ended: no space left"
        assert run.process is processes[1]  # type: ignore[comparison-overlap]
        await runs.close()

    asyncio.run(asyncio.wait_for(test(), 30))


def test_where_it_cannot_go_on_both_reasons_are_told(processes: list[Process]) -> None:
    async def test() -> None:
        runs = runs_of()
        run = await runs.start("lab", "alpha", "Mia")
        Process.refusals.append("somebody publishes it already")
        processes[0].fail("no space left")
        while not run.note.endswith("already"):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
        assert run.state == "off"
        assert run.note == (
            "the recording ended: no space left; and it could not be begun again: somebody publishes it already"
        )
        await runs.close()

    asyncio.run(asyncio.wait_for(test(), 30))


def test_who_stops_it_is_told_that_its_files_failed(processes: list[Process]) -> None:
    """The disk was full as the last rows were written."""

    async def test() -> None:
        runs = runs_of()
        run = await runs.start("lab", "alpha", "Mia")
        processes[0].failure = "no space left"
        await runs.stop("lab", "alpha", "stopped by Mia")
        assert (run.state, run.note) == ("off", "no space left")
        await runs.close()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(test())
    assert len(processes) == 1


def test_nothing_is_begun_again_as_the_server_ends(processes: list[Process]) -> None:
    """Files that fail at the same moment leave no process behind, and no task."""

    async def test() -> None:
        runs = runs_of()
        await runs.start("lab", "alpha", "Mia")
        processes[0].fail("no space left")
        await runs.close()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(test())
    assert all(process.over.is_set() for process in processes)


def test_a_process_that_talks_nonsense_is_ended_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither who starts it nor who gives it orders waits for what will not come."""
    monkeypatch.setattr(imaging_process, "_MODULE", "calendar")

    async def test() -> None:
        process = ImagingProcess({}, lambda told: None)
        with pytest.raises(CommandRejected, match="said what cannot be understood"):
            await process.start()
        async with asyncio.timeout(5):
            with pytest.raises(CommandRejected, match="said what cannot be understood") as caught:
                await process.order("record")
        assert caught.value.code == "ended"
        assert await process.ended() != 0

    asyncio.run(asyncio.wait_for(test(), 30))


def test_files_that_cannot_be_completed_end_the_process(capsys: pytest.CaptureFixture[str]) -> None:
    """HDF5 may crash after a write that failed; a place that is refused before anything is written does no harm."""
    simulation = Simulation(ImagingSettings(), 0, "Generic").described()
    child = _Child({"simulation": simulation}, queue.Queue())

    def fail(*_: Any) -> None:
        raise StoreError("no space left")

    live: Any = SimpleNamespace(is_recording=False, stop_recording=fail, record=fail, device="alpha")
    with pytest.raises(StoreError, match="no space left"):
        child._obey(live, None, {"n": 1, "do": "stop_recording"})  # type: ignore[arg-type]
    bench: Any = SimpleNamespace(status=lambda: {"recording": None}, name="lab")
    child._obey(live, bench, {"n": 2, "do": "record", "folder": str(Path.cwd())})
    assert '"answer": 2, "ok": false' in capsys.readouterr().out


def test_the_first_reason_is_the_one_that_is_told() -> None:
    """After a write that failed the file cannot be completed either, which is no news."""
    live = LiveImaging.__new__(LiveImaging)
    reasons: list[str] = []

    def close(reason: str) -> None:
        reasons.append(reason)
        raise StoreError("it takes nothing more")

    live.close = close  # type: ignore[method-assign]
    with pytest.raises(StoreError, match="no space left"), live:
        raise StoreError("no space left")
    with pytest.raises(StoreError, match="nothing more"), live:
        pass
    assert reasons == ["interrupted", "stopped"]
