"""Modelled power cuts: writes since the last fsync dropped or half there. What the disk had is in the files, once."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from power_cut import PowerModel

from harness import DaemonProcess, journal_blocks, wait_for
from spikedaq.link import find_device_program
from spikedaq.model import CommandRejected, SpikedaqError
from spikedaq.recorder import read_manifest, verify
from spikedaq.store import find_files, open_recording

CUTS = int(os.environ.get("SPIKEDAQ_POWER_CUTS", "2"))
SEED = int(os.environ.get("SPIKEDAQ_SEED", "60"))
SLACK = float(os.environ.get("SPIKEDAQ_SLACK", "1"))
"""More on a computer that is busy with other things."""
BACK_S = 5.0 * SLACK
LOST_S = 1.0 + 0.5 * SLACK
"""A sync a second, and what the sync itself takes."""
RUNS = 10
"""Cuts of one session; then another begins."""
CONFIG = f"[journal]\nsegment_bytes = {2**19}\n[disk]\nlow_bytes = 0\nlow_s = 0\n"

Journalled = dict[int, dict[int, bytes]]
"""Samples by step, by boot of a device."""


def journalled(folder: Path) -> Journalled:
    """Read a journal without spikedaq."""
    found: Journalled = {}
    for boot_id, _, first_step, samples in journal_blocks(folder):
        own = found.setdefault(boot_id, {})
        for k, row in enumerate(np.ascontiguousarray(samples, dtype="<i2")):
            own[first_step + k] = row.tobytes()
    return found


def device(daemon: DaemonProcess, name: str) -> dict[str, Any]:
    status: Any = daemon.call("status")
    return next(d for d in status["devices"] if d["name"] == name)


def unreadable(session: Path) -> list[str]:
    """Files of the session that do not open."""
    bad = []
    for path in find_files(session):
        try:
            with open_recording(path) as recording:
                recording.samples()
        except (SpikedaqError, OSError) as error:
            bad.append(f"{path.name}: {error}")
    return bad


def check_image(session: Path) -> None:
    """Whatever the power cut left, each file that a manifest lists is on the disk as it says."""
    for name in ("alpha", "beta"):
        manifest = read_manifest(session / name)
        listed = [session / name / entry.name for entry in manifest.files] if manifest is not None else []
        assert [path.name for path in listed if not path.exists()] == []
        assert [f for f in verify(listed) if f.is_problem] == []


class Bench:
    """A daemon with a board that loses its power too, and one that does not."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.port = root / "beta"
        self.board = subprocess.Popen(
            [find_device_program(), "--pty", self.port, "--name", "beta", "--resend-depth", "4000",
             "--resend-bytes", "8000000", "--param", "i_clamp=15"],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        self.monkeypatch = monkeypatch
        urls = {"alpha": "sim:alpha?preset=0&param.i_clamp=15", "beta": f"serial:{self.port}"}
        self.data = root / "data"
        self.data.mkdir()
        self.daemon = DaemonProcess(self.data, urls, config=CONFIG)
        self.session = self.data / "recordings" / "cut"
        self.model = PowerModel(self.data, root / "power")
        self.boots = 0

    def start(self) -> float:
        """Start the computer again; return how long acquisition took to be back."""
        self.boots += 1
        for name, value in self.model.environment(self.boots).items():
            self.monkeypatch.setenv(name, value)
        begun_s = time.monotonic()
        self.daemon.start(wait=False)
        for name in ("alpha", "beta"):
            wait_for(f"{name} to stream", lambda n=name: device(self.daemon, n)["samples"] > 0, 2 * BACK_S)
        return time.monotonic() - begun_s

    def growing(self, name: str) -> bool:
        recording = device(self.daemon, name)["recording"]
        return recording is not None and recording["state"] == "recording" and recording["rows_on_disk"] > 0


def run(root: Path, rng: random.Random, cuts: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Cut the power so often in one session; return the worst figures."""
    worst = {"back": 0.0, "readable": 0.0, "lost": 0.0}
    bench = Bench(root, monkeypatch)
    made: dict[str, Journalled] = {"alpha": {}, "beta": {}}
    on_disk: dict[str, Journalled] = {"alpha": {}, "beta": {}}
    try:
        bench.start()
        bench.daemon.call("record_start", session="cut", roll_s=2)
        for _ in range(cuts):
            bench.model.watch(rng.uniform(0.3, 4.0))
            bench.model.cut(rng)
            assert bench.daemon.process is not None
            bench.daemon.process.wait()
            check_image(bench.session)
            for name, own in made.items():
                before = journalled(bench.model.stopped / "journal" / name)
                after = journalled(bench.data / "journal" / name)
                for boot, rows in before.items():
                    own.setdefault(boot, {}).update(rows)
                    kept = after.get(boot, {})
                    on_disk[name].setdefault(boot, {}).update(kept)
                    if boot == list(before)[-1]:
                        worst["lost"] = max(worst["lost"], len(rows.keys() - kept.keys()) * 1e-4)
            worst["back"] = max(worst["back"], bench.start())
            begun_s = time.monotonic()
            wait_for("files that open", lambda: unreadable(bench.session) == [], 2 * BACK_S)
            worst["readable"] = max(worst["readable"], time.monotonic() - begun_s)
            for name in made:
                wait_for(f"{name} to be recorded", lambda n=name: bench.growing(n), 30 * SLACK)
        with contextlib.suppress(CommandRejected):  # still closing: what was lost is made again from the journal
            bench.daemon.call("record_stop", timeout_s=90)
        wait_for("closed files", lambda: bench.daemon.call("record_status")["state"] == "complete", 60 * SLACK)
        assert bench.daemon.stop() == 0
    finally:
        for pid in bench.model.processes():
            os.kill(pid, 9)
        bench.board.kill()
        bench.board.wait()
    assert [f for f in verify([bench.session]) if f.is_problem] == []
    for name, own in made.items():
        for boot, rows in journalled(bench.data / "journal" / name).items():
            own.setdefault(boot, {}).update(rows)
        compare(bench.session, name, own, on_disk[name])
    return worst


def compare(session: Path, name: str, made: Journalled, on_disk: Journalled) -> None:
    """Every row in the files is one that the device made, once and in order, and none that was on the disk lacks."""
    in_files: dict[int, set[int]] = {}
    newest: dict[int, int] = {}
    first_of_session: tuple[int, int] | None = None
    for path in find_files(session, name):
        with open_recording(path) as recording:
            boot = recording.device_info.boot_id
            steps, samples = recording.steps().tolist(), recording.samples().astype("<i2")
        if not steps:
            continue
        first_of_session = first_of_session or (boot, steps[0])
        assert steps[0] > newest.get(boot, -1), f"{path.name} doubles steps from {steps[0]}"
        assert all(a < b for a, b in pairwise(steps))
        newest[boot] = steps[-1]
        in_files.setdefault(boot, set()).update(steps)
        wrong = [s for s, row in zip(steps, samples, strict=True) if made[boot].get(s) != row.tobytes()]
        assert wrong == [], f"{path.name}: {len(wrong)} rows are not what the device sent, the first is step {wrong[0]}"
    assert first_of_session is not None
    for boot, rows in on_disk.items():
        begin = first_of_session[1] if boot == first_of_session[0] else 0
        lacking = sorted(s for s in rows.keys() - in_files.get(boot, set()) if s >= begin)
        assert lacking == [], f"{name}, boot {boot:08x}: {len(lacking)} steps from {lacking[0]} on were on the disk"


@pytest.mark.slow
@pytest.mark.timeout(60 + 60 * CUTS)
def test_power_cuts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files open again in 5 s, no row is torn, zero, doubled or out of order, none that the disk had is missing."""
    worst = {"back": 0.0, "readable": 0.0, "lost": 0.0}
    for k, done in enumerate(range(0, CUTS, RUNS)):
        root = tmp_path / f"run{k}"
        root.mkdir()
        found = run(root, random.Random(SEED + k), min(RUNS, CUTS - done), monkeypatch)
        worst = {key: max(value, found[key]) for key, value in worst.items()}
    print(
        f"{CUTS} x a power cut, seeds from {SEED}: acquisition back after at most {worst['back']:.2f} s, files "
        f"readable {worst['readable']:.2f} s later, at most {worst['lost']:.2f} s lost"
    )
    assert worst["back"] <= BACK_S
    assert worst["readable"] <= BACK_S
    assert worst["lost"] <= LOST_S
