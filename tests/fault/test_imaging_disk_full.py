"""The disk of the page's imaging files runs full: it is said, the simulation goes on, and records again with room."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from harness import START_S, DaemonProcess, wait_for
from helpers.small_disk import small_disk
from spikedaq.formats.imaging_csv import read_imaging_csv
from spikedaq.scope import imaging_run
from spikedaq.scope.hub import Hub
from spikedaq.scope.imaging_run import Run
from spikedaq.scope.imaging_runs import ImagingRuns
from spikedaq.store import open_imaging, repair_imaging

BOARD = "sim:alpha?preset=0&param.i_clamp=15&seed=1"
WAIT_S = 3 * START_S
DISK_BYTES = 6 * 2**20


@pytest.fixture(name="small_disk")
def _small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB; needs the right to mount."""
    with small_disk(tmp_path / "small", DISK_BYTES) as folder:
        yield folder


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[DaemonProcess]:
    with DaemonProcess(tmp_path / "data", {"alpha": BOARD}) as running:

        def streams() -> bool:
            (device,) = running.call("status")["devices"]
            return bool(device["samples"] and device["clock_u_ns"])

        wait_for("samples", streams, WAIT_S)
        yield running


async def until(condition: Callable[[], bool], run: Run) -> None:
    """Wait until something holds, or fail with what is told of the run."""
    try:
        async with asyncio.timeout(WAIT_S):
            while not condition():  # noqa: ASYNC110 - a process of its own does it
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"waited in vain; {run.told()}") from None


@pytest.mark.parametrize("room", [60_000, 1_000_000])
def test_a_full_disk(daemon: DaemonProcess, small_disk: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    """At once or after a while: frames go on for who looks, files are what was written, and the next are whole."""
    monkeypatch.setattr(imaging_run, "LEAST_FREE_BYTES", 0)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(DISK_BYTES - room))

    async def campaign() -> tuple[list[Path], list[Path]]:
        hub = Hub([])
        hub.urls["bench"] = daemon.url
        runs = ImagingRuns(hub, lambda _: small_disk / "imaging")
        try:
            run = await runs.start("bench", "alpha", "Mia")
            first = run.process
            await runs.record("bench", "alpha")
            await until(lambda: run.process is not first and run.state == "running", run)
            assert run.note.startswith("the recording ended: cannot ")
            assert "no space left" in run.note.lower()
            assert run.session is None
            cut = list(run.files)
            before = run.counts["frames"]
            await until(lambda: run.counts["frames"] > before + 50, run)
            assert run.counts["unpublished"] == 0
            ballast.unlink()
            await runs.record("bench", "alpha")
            assert run.note == ""
            await until(lambda: len(run.files) == 4 and run.files[-1].is_file(), run)
            begun = run.counts["frames"]
            await until(lambda: run.counts["frames"] > begun + 100, run)
            await runs.stop_recording("bench", "alpha")
            assert (run.session, run.note) == (None, "")
            return cut, [path for path in run.files if path not in cut]
        finally:
            await runs.close()

    cut, whole = asyncio.run(campaign())
    nwb, csv = whole
    with open_imaging(nwb) as file:
        frames = file.frames()
        assert file.ending == "stopped"
    assert len(frames) > 50
    assert (np.diff(frames.steps) == 100).all()
    rows = read_imaging_csv(csv)
    values = rows.fluorescence[frames.steps - frames.steps[0] + rows_before(rows.fluorescence)]
    np.testing.assert_array_equal(values.astype(np.float32), frames.values[:, :3])
    for path in cut:
        if path.suffix == ".nwb" and path.is_file():
            n = repair_imaging(path)
            with open_imaging(path) as file:
                assert file.ending == "interrupted"
                assert (np.diff(file.frames().steps) == 100).all()
                assert len(file.frames()) == n


def rows_before(fluorescence: np.ndarray) -> int:
    """Return the rows before the first frame, which have no fluorescence."""
    return int(np.flatnonzero(~np.isnan(fluorescence[:, 0]))[0])
