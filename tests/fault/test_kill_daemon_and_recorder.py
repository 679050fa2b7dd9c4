"""kill -9, for real and at seeded moments: what reached the journal is in the files, once."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from harness import DaemonProcess, journal_blocks, read_truth, recorder_pids, wait_for
from spikedaq.model import CommandError
from spikedaq.recorder import verify
from spikedaq.store import find_files, open_recording

KILLS = int(os.environ.get("SPIKEDAQ_RECORDER_KILLS", "20"))
DAEMON_KILLS = int(os.environ.get("SPIKEDAQ_DAEMON_KILLS", "10"))
SEED = int(os.environ.get("SPIKEDAQ_SEED", "20"))
BENCHES = int(os.environ.get("SPIKEDAQ_BENCHES", "2"))
"""Benches that run at the same time, each with its own daemon, seed and share of the kills."""
REPAIR_S = 5.0 * float(os.environ.get("SPIKEDAQ_SLACK", "1"))
"""More on a computer that is busy with other things."""


def recorded(session: Path, device: str) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Read all files: by boot, (steps (n,), raw samples (n, 8)) in file order."""
    parts: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
    for path in find_files(session, device):
        with open_recording(path) as recording:
            boot_id = recording.device_info.boot_id
            n = recording.n_samples
            parts.setdefault(boot_id, []).append((np.asarray(recording.steps(0, n)), recording.samples(0, n)))
    return {
        boot: (np.concatenate([p[0] for p in pieces]), np.concatenate([p[1] for p in pieces]))
        for boot, pieces in parts.items()
    }


def journalled(folder: Path) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Read a journal without spikedaq: by boot, (steps (n,), raw samples (n, 8))."""
    parts: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
    for boot_id, _, first_step, samples in journal_blocks(folder):
        steps = np.arange(first_step, first_step + len(samples))
        parts.setdefault(boot_id, []).append((steps, samples))
    return {
        boot: (np.concatenate([p[0] for p in pieces]), np.concatenate([p[1] for p in pieces]))
        for boot, pieces in parts.items()
    }


def growing(daemon: DaemonProcess, session: Path, device: str, *, new: bool = False) -> bool:
    """Tell whether the newest file of the device holds a readable sample; ``new``: of the boot that runs now."""
    files = find_files(session, device)
    with open_recording(files[-1]) as recording:
        boot = daemon.call("status")["devices"][0]["boot"] if new else None  # type: ignore[index]
        return recording.n_samples > 0 and (not new or recording.device_info.boot_id == boot)


def on_all_benches(root: Path, kills: int, work: Callable[[Path, random.Random, int], list[float]]) -> list[float]:
    """Do the work on every bench, each with its share of the kills; return how long each repair took, in seconds."""
    folders = [root / f"bench{k}" for k in range(min(BENCHES, kills))]
    shares = [kills // len(folders) + (k < kills % len(folders)) for k in range(len(folders))]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor(len(folders)) as pool:
        seeded = [random.Random(SEED + k) for k in range(len(folders))]
        return [seconds for repairs in pool.map(work, folders, seeded, shares) for seconds in repairs]


def told(repairs_s: list[float]) -> str:
    """Say how long repairs took, and whether they take longer the more went before."""
    first, last = repairs_s[: len(repairs_s) // 4], repairs_s[-max(1, len(repairs_s) // 4) :]
    medians = f"median of the first quarter {np.median(first or last):.2f} s, of the last {np.median(last):.2f} s"
    return f"{medians}, 95 % within {np.percentile(repairs_s, 95):.2f} s, slowest {max(repairs_s):.2f} s"


def stop(daemon: DaemonProcess, kills: int) -> None:
    """End the recording. Recorders that live for a moment each leave most of their work to the last one."""
    try:
        daemon.call("record_stop", timeout_s=90)
    except CommandError as error:
        if error.code != "still_closing":
            raise

    def closed() -> bool:
        status = daemon.call("record_status")
        assert isinstance(status, dict)
        return bool(status["state"] == "complete")

    wait_for("the last file to be closed", closed, 30.0 + kills)


def kill_recorders(root: Path, rng: random.Random, kills: int) -> list[float]:
    """Record, killing the recorder again and again, and compare the files with what the device made."""
    truth = root / "alpha.truth"
    repairs_s: list[float] = []
    with DaemonProcess(root / "data", {"alpha": f"sim:alpha?preset=0&param.i_clamp=15&truth={truth}"}) as daemon:
        wait_for("the device to run", lambda: daemon.call("list")[0]["state"] == "running")
        daemon.call("record_start", session="killed", roll_s=3)
        session = root / "data" / "recordings" / "killed"
        for _ in range(kills):
            time.sleep(rng.uniform(0.05, 0.9))  # the moment of the kill is the seeded input of this test
            (pid,) = wait_for("one recorder", lambda: recorder_pids(session))
            os.kill(pid, signal.SIGKILL)
            killed_at = time.monotonic()
            wait_for("another recorder", lambda pid=pid: [p for p in recorder_pids(session) if p != pid], REPAIR_S)
            wait_for("readable files", lambda: growing(daemon, session, "alpha"), REPAIR_S)
            repairs_s.append(time.monotonic() - killed_at)
        stop(daemon, kills)
        assert daemon.stop() == 0
    produced = read_truth(truth)
    (found,) = recorded(session, "alpha").values()
    steps, samples = found
    np.testing.assert_array_equal(steps, np.arange(steps[0], steps[0] + len(steps)))
    first = int(steps[0] - produced["step"][0])
    np.testing.assert_array_equal(samples, produced["values"][first : first + len(steps)])
    manifest = json.loads((session / "alpha" / "manifest.json").read_text())
    assert sum(f["n_samples"] for f in manifest["files"]) == len(steps)
    assert [f for f in verify([session]) if f.is_problem] == []
    return repairs_s


def kill_daemons(root: Path, rng: random.Random, kills: int) -> list[float]:
    """Record, killing the daemon again and again, and compare the files with the journal."""
    daemon = DaemonProcess(root / "data", {"alpha": "sim:alpha?preset=0&param.i_clamp=15"})
    session = root / "data" / "recordings" / "killed"
    repairs_s: list[float] = []
    with daemon:
        wait_for("the device to run", lambda: daemon.call("list")[0]["state"] == "running")
        daemon.call("record_start", session="killed", roll_s=2)
        for _ in range(kills):
            time.sleep(rng.uniform(0.05, 0.9))  # the moment of the kill is the seeded input of this test
            n_files = len(find_files(session, "alpha"))
            daemon.kill()
            started_at = time.monotonic()
            daemon.start()
            wait_for("a recorder", lambda: recorder_pids(session), REPAIR_S)
            # Of the new boot: the recorder may first make files of what the journal held when the daemon was killed.
            wait_for(
                "a new readable file",
                lambda n=n_files: len(find_files(session, "alpha")) > n and growing(daemon, session, "alpha", new=True),
                2 * REPAIR_S,
            )
            repairs_s.append(time.monotonic() - started_at)
        stop(daemon, kills)
        assert daemon.stop() == 0
    found = recorded(session, "alpha")
    kept = journalled(root / "data" / "journal" / "alpha")
    assert len(found) >= kills
    for boot, (steps, samples) in found.items():
        journal_steps, journal_samples = kept[boot]
        # What the journal held before the session began is not part of the recording.
        inside = journal_steps >= steps[0]
        np.testing.assert_array_equal(steps, journal_steps[inside][: len(steps)])
        np.testing.assert_array_equal(samples, journal_samples[inside][: len(steps)])
    boots = list(found)
    for boot in boots[:-1]:
        # Killed runs go up to the last journalled sample; the last run ends where recording was stopped.
        assert found[boot][0][-1] == kept[boot][0][-1], f"boot {boot:08x} is short"
    assert [f for f in verify([session]) if f.is_problem] == []
    return repairs_s


@pytest.mark.slow
@pytest.mark.timeout(120 + 10 * KILLS)
def test_recorder_killed_at_random_moments_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """After each kill -9 of the recorder the daemon starts another, and the files hold every journalled sample once."""
    repairs_s = on_all_benches(tmp_path, KILLS, kill_recorders)
    print(f"{KILLS} kills of the recorder, seeds from {SEED}; {told(repairs_s)}")
    assert max(repairs_s) <= REPAIR_S


@pytest.mark.slow
@pytest.mark.timeout(120 + 20 * DAEMON_KILLS)
def test_daemon_killed_at_random_moments_keeps_every_journalled_sample(tmp_path: Path) -> None:
    """After each kill -9 of the daemon the next start resumes; the files hold what the journal holds, once."""
    repairs_s = on_all_benches(tmp_path, DAEMON_KILLS, kill_daemons)
    print(f"{DAEMON_KILLS} kills of the daemon, seeds from {SEED}; to a new file {told(repairs_s)}")
    assert max(repairs_s) <= REPAIR_S
