"""A device that ends the recorder again and again: the others are recorded without it, until it is well."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from recorder_here import ProcessEndedError, run_recorder
from two_devices import N_BLOCKS, WAIT_S, TwoDevices, two_devices, until

from spikedaq.bus import FileStatus
from spikedaq.daemon import recorder_faults, recorder_process, recorder_run
from spikedaq.daemon.alarms import AlarmKind, Alarms
from spikedaq.daemon.recorder_faults import AGAIN_FIRST_S, AGAIN_LAST_S, JOIN_S, PATIENCE, RecorderFaults
from spikedaq.daemon.recorder_process import RecorderProcess
from spikedaq.recorder import EXIT_DISK, EXIT_DONE, EXIT_FAILED
from spikedaq.recorder import process as recorder
from spikedaq.recorder.lane import Lane

BETA = AlarmKind.WRITE_FAILED, "s/beta"
COUNTED = {"file": None, "bytes": 0, "samples": 0, "gaps": {}, "saturated": 0, "offset": 0}


@pytest.fixture
def bench(tmp_path: Path) -> TwoDevices:
    """Two devices, of which beta is the bad one."""
    return two_devices(tmp_path)


def harm_beta(monkeypatch: pytest.MonkeyPatch, method: str, error: Exception) -> None:
    """Have one thing that is done for beta fail."""
    real = getattr(Lane, method)

    def harmed(lane: Lane, *args: Any, **kwargs: Any) -> Any:
        if lane.device.name == "beta":
            raise error
        return real(lane, *args, **kwargs)

    def leave(status: int) -> None:
        raise ProcessEndedError(status)

    monkeypatch.setattr(Lane, method, harmed)
    monkeypatch.setattr(recorder.os, "_exit", leave)


@pytest.mark.parametrize("method", ["step", "flush", "status"])
@pytest.mark.parametrize(("error", "status"), [(OSError(5, "EIO"), EXIT_DISK), (KeyError("x"), EXIT_FAILED)])
def test_a_recorder_that_a_device_ends_says_which(
    bench: TwoDevices, monkeypatch: pytest.MonkeyPatch, method: str, error: Exception, status: int
) -> None:
    """Whatever was done for it, and whatever went wrong, a defect of ours as well."""
    harm_beta(monkeypatch, method, error)
    bench.stop()
    ended, lines = run_recorder(bench.folder)
    assert ended == status
    said = lines[-1]
    assert (said["device"], said["state"], said["cause"]) == ("beta", "failed", "write_failed")
    assert ("an error inside the recorder" if status == EXIT_FAILED else str(bench.folder / "beta")) in said["error"]
    assert isinstance(said["offset"], int)


def test_a_defect_in_taking_up_one_device_keeps_no_other_from_being_recorded(
    bench: TwoDevices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is left out as one whose files cannot be read is."""
    harm_beta(monkeypatch, "start", KeyError("selection"))
    bench.stop()
    status, lines = run_recorder(bench.folder)
    assert status == EXIT_DISK
    bench.check("alpha")
    (failed,) = (line for line in lines if line["device"] == "beta")
    assert failed["cause"] == "left_out" and "selection" in failed["error"]


def test_a_device_that_is_done_without_is_taken_up_in_its_time(bench: TwoDevices) -> None:
    """By the same recorder, so that nobody is disturbed for a device that is well."""
    now_s = 0.0

    def monotonic_s() -> float:
        nonlocal now_s
        now_s += 1.0
        if now_s > 60.0 and not stopped:
            stopped.append(now_s)
            bench.stop()
        return now_s

    stopped: list[float] = []
    status, lines = run_recorder(bench.folder, monotonic_s, without={"beta": 30.0})
    assert status == EXIT_DONE
    bench.check("alpha", "beta")
    first = next(i for i, line in enumerate(lines) if line["device"] == "beta")
    assert sum(line["device"] == "alpha" for line in lines[:first]) > 5
    assert all(line["state"] != "failed" for line in lines)


def test_a_device_that_is_done_without_is_tried_once_the_others_are_over(bench: TwoDevices) -> None:
    """There is nobody left whom it could disturb, and whoever ends the session waits for it."""
    bench.stop()
    status, _ = run_recorder(bench.folder, without={"beta": 1e9})
    assert status == EXIT_DONE
    bench.check("alpha", "beta")


# ---- the daemon's side ----


class Suspects(RecorderFaults):
    """With a clock that is set by hand."""

    def __init__(self, *devices: str) -> None:
        super().__init__(lambda: self.now_s)
        self.now_s = 1000.0
        self.files = {device: FileStatus(state="recording", rows_on_disk=100, offset=5000) for device in devices}

    def die(self, device: str, n: int = PATIENCE) -> None:
        for _ in range(n):
            self.ended(device, self.files[device], 5000)

    def hear(self, device: str, state: str, rows_on_disk: int, offset: int) -> None:
        self.heard(device, FileStatus(state=state, rows_on_disk=rows_on_disk, offset=offset))


def test_only_deaths_in_a_row_without_getting_further_count() -> None:
    """One that is started anew and grows is well, whatever was before; a report of the same rows says nothing."""
    faults = Suspects("alpha", "beta")
    for _ in range(3 * PATIENCE):
        faults.die("beta", PATIENCE - 1)
        assert not faults.is_held("beta") and faults.without(faults.files) == {}
        faults.hear("beta", "recording", 101, 5001)
    faults.die("beta", PATIENCE - 1)
    faults.hear("beta", "recording", 100, 9999)
    faults.hear("beta", "waiting", 0, 5000)
    faults.die("beta", 1)
    assert faults.is_held("beta") and not faults.is_held("alpha")
    assert faults.without(faults.files) == {"beta": AGAIN_FIRST_S}


def test_it_is_tried_again_ever_more_seldom() -> None:
    """Each try that fails restarts the recorder of all others."""
    faults = Suspects("alpha", "beta")
    faults.die("beta", PATIENCE - 1)
    waits = []
    for _ in range(12):
        faults.die("beta", 1)
        waits.append(faults.without(faults.files)["beta"])
        faults.now_s += waits[-1]
        assert faults.without(faults.files) == {}
    assert waits[:4] == [AGAIN_FIRST_S, 2 * AGAIN_FIRST_S, 4 * AGAIN_FIRST_S, 8 * AGAIN_FIRST_S]
    assert set(waits[4:]) == {AGAIN_LAST_S}


@pytest.mark.parametrize(
    ("state", "rows", "offset", "is_well"),
    [("armed", 100, 5000, False), ("armed", 100, 5001, True), ("recording", 100, 9999, False),
     ("recording", 101, 5001, True), ("closed", 100, 5000, True), ("closing", 100, 9999, False)],
)  # fmt: skip
def test_when_a_device_is_well_again(state: str, rows: int, offset: int, is_well: bool) -> None:
    """It has more rows; between windows, where none come, its journal was read beyond the place."""
    faults = Suspects("alpha", "beta")
    faults.die("beta")
    faults.hear("beta", state, rows, offset)
    assert faults.is_held("beta") is not is_well


def test_where_every_device_is_under_suspicion_one_goes_first() -> None:
    """In turn, so that one that is well is found; the others join it soon, as the cause may have been one for all."""
    faults = Suspects("alpha", "beta", "gamma")
    for device in faults.files:
        faults.now_s += 1.0
        faults.die(device)
    for first in ("alpha", "beta", "gamma", "alpha"):
        others = faults.files.keys() - {first}
        assert faults.without(faults.files) == dict.fromkeys(others, JOIN_S)
        faults.now_s += 1.0
        faults.die(first, 1)
    faults.hear("beta", "recording", 101, 5001)
    assert faults.without(faults.files).keys() == {"alpha", "gamma"}
    faults.files["beta"] = FileStatus(state="closed")
    assert faults.without(faults.files) == {"alpha": JOIN_S}
    del faults.files["beta"], faults.files["alpha"]
    assert faults.without(faults.files) == {}


def said(device: str, **fields: Any) -> str:
    return json.dumps({"device": device, "state": "recording", **COUNTED, **fields})


def test_the_third_death_by_one_device_is_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the other one grows each time: the next recorder is told to do without it, and an alarm names it."""
    runs = tmp_path / "runs"
    failed = json.dumps({"device": "beta", "state": "failed", "error": "EIO", "cause": "write_failed", "offset": 7})
    script = tmp_path / "recorder"
    script.write_text(f"""#!/bin/sh
shift 4
echo "x$*" >>{runs}
n=$(wc -l <{runs})
echo '{said("alpha")[:-1]}, "rows_on_disk": '$n'}}'
if [ -z "$*" ]; then echo '{failed}'; exit {EXIT_DISK}; fi
read -r _line
echo '{said("beta", rows_on_disk=1)}'
while read -r _line; do :; done
""")
    script.chmod(0o755)
    monkeypatch.setattr(recorder_run, "sys", SimpleNamespace(executable=str(script)))
    monkeypatch.setattr(recorder_process, "BACKOFF_FIRST_S", 0.001)
    (tmp_path / "s").mkdir()

    async def run() -> None:
        alarms = Alarms(lambda: 0)
        process = RecorderProcess(tmp_path / "s", ["alpha", "beta"], alarms)
        task = asyncio.create_task(process.run())
        try:
            await until(lambda: process.files["alpha"].rows_on_disk == PATIENCE + 1)
            assert list(alarms.standing) == [BETA]
            assert "beta is not recorded" in alarms.standing[BETA].text and "EIO" in alarms.standing[BETA].text
            assert process.files["beta"].state == "failed" and process.error is None
            process.poke()
            await until(lambda: not alarms.standing)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    told = runs.read_text().splitlines()
    assert told[:PATIENCE] == ["x"] * PATIENCE and len(told) == PATIENCE + 1
    assert told[-1].startswith("x--without=beta=") and 0 < float(told[-1].split("=")[2]) <= AGAIN_FIRST_S


@pytest.mark.slow
def test_a_journal_that_cannot_be_read_keeps_no_other_device_from_being_recorded(
    bench: TwoDevices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With real recorders: the other goes on to its end; the device is taken up again by itself, and lacks nothing."""
    monkeypatch.setattr(recorder_faults, "AGAIN_FIRST_S", 0.1)
    monkeypatch.setattr(recorder_process, "BACKOFF_FIRST_S", 0.01)
    unreadable = bench.second_segment("beta")
    aside = unreadable.with_suffix(".aside")
    unreadable.rename(aside)
    unreadable.symlink_to(unreadable.name)  # a loop

    async def run() -> None:
        alarms = Alarms(lambda: 0)
        process = RecorderProcess(bench.folder, ["beta", "alpha"], alarms)
        task = asyncio.create_task(process.run())
        try:
            await until(lambda: BETA in alarms.standing)
            assert str(bench.folder / "beta") in alarms.standing[BETA].text
            await until(lambda: process.files["alpha"].rows_on_disk >= 100 * N_BLOCKS // 2)
            assert BETA in alarms.standing
            unreadable.unlink()
            aside.rename(unreadable)
            await until(lambda: BETA not in alarms.standing)
            bench.stop()
            process.poke()
            await asyncio.wait_for(asyncio.shield(task), WAIT_S)
            assert process.complete and not alarms.standing
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    bench.check("alpha", "beta")
