"""The recorder killed at random moments while a journal grows: every sample is in the files, once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from fake_stream import FakeDevice, check_files, record_plan, recorder_process

from spikedaq.journal import JournalWriter, NoteRecord, SessionStart, SessionStop

KILLS = int(os.environ.get("SPIKEDAQ_KILLS", "6"))
MAX_REPAIR_S = 5.0
FEED_PAUSE = threading.Event()  # never set: paces the feeder at some ten times real time


class Feeder:
    """Two devices whose journals grow while a recorder runs."""

    def __init__(self, root: Path, *, roll_s: float, reboots: bool = True) -> None:
        self.reboots = reboots
        self.root, self.folder = root, root / "recordings" / "s"
        self.devices = {"alpha": FakeDevice(boot_id=1), "beta": FakeDevice(boot_id=2, block_samples=37)}
        self.writers = {
            name: JournalWriter(root / "journal" / name, device=name, unique_id="01", segment_bytes=300_000)
            for name in self.devices
        }
        self.n_notes = 0
        for name, device in self.devices.items():
            device.introduce(self.writers[name])
            self.writers[name].append(SessionStart(0, "s", 0, "{}"))
        record_plan(self.folder, "s", {name: w.folder for name, w in self.writers.items()}, roll_s=roll_s)

    def feed(self, rng: random.Random) -> None:
        """Journal a few blocks of each device, now and then with loss, overrun, an event, a note or a reboot."""
        for name, device in self.devices.items():
            writer = self.writers[name]
            for _ in range(rng.randrange(1, 8)):
                frames = [device.event(0, value=1.0)] if rng.random() < 0.2 else []
                what = rng.random()
                if what < 0.02:
                    device.block()
                    device.produced.pop()
                elif what < 0.04:
                    frames.append(device.overrun(rng.randrange(1, 200)))
                elif what < 0.05:
                    writer.append(device.clock_map(rng.randrange(10**5)))
                elif what < 0.055 and self.reboots and not frames:
                    device.reboot(device.boot_id + 10)
                    device.introduce(writer)
                writer.append_frames(device.t_host_ns, [*frames, device.block()])
                if rng.random() < 0.1:
                    writer.append(NoteRecord(device.t_host_ns, f"{name} {self.n_notes}", "test"))
                    self.n_notes += 1

    def stop(self) -> None:
        for writer in self.writers.values():
            writer.append(SessionStop(0, "s", "asked"))


def run_until(process: subprocess.Popen[bytes], feeder: Feeder, rng: random.Random, seconds: float) -> None:
    """Feed while the recorder runs, for a time that may end before it has written anything."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        feeder.feed(rng)
        assert process.poll() is None, "the recorder ended by itself"
        FEED_PAUSE.wait(0.02)


@pytest.mark.parametrize("seed", [1])
def test_killed_at_random_moments(tmp_path: Path, seed: int) -> None:
    """SIGKILL at seeded moments, also during repair, creation and rolling; then the session is finished."""
    rng = random.Random(seed)
    feeder = Feeder(tmp_path, roll_s=0.7)
    for _ in range(KILLS):
        with recorder_process(feeder.folder) as process:
            run_until(process, feeder, rng, rng.choice([0.5, 1.0, 1.6]) * rng.uniform(0.5, 1.2))
            process.send_signal(signal.SIGKILL)
            process.stdout.close()
            assert process.wait(30) == -signal.SIGKILL
    feeder.stop()
    before_s = time.monotonic()
    with recorder_process(feeder.folder) as process:
        first = json.loads(process.stdout.readline())
        assert time.monotonic() - before_s < MAX_REPAIR_S, first
        _, error = process.communicate(timeout=120)
        assert process.returncode == 0, error.decode()
    texts = []
    for name, device in feeder.devices.items():
        files = check_files(feeder.folder, device.produced, name)
        assert len(files) > 1
        texts += [n.text for f in files for n in f.notes]
        starts = [(int(f.blocks["boot_id"][0]), f.blocks["first_step"][0] * 100) for f in files]
        assert starts == sorted(set(starts))
    assert sorted(int(t.split()[1]) for t in texts) == list(range(feeder.n_notes)), "each note once"


def test_the_same_journal_gives_the_same_files(tmp_path: Path) -> None:
    """A recorder that was killed and one that never was agree on file names, samples, times, gaps and events."""
    rng = random.Random(7)
    feeder = Feeder(tmp_path, roll_s=0.5)
    with recorder_process(feeder.folder) as process:
        run_until(process, feeder, rng, 1.5)
        process.kill()
    for _ in range(20):
        feeder.feed(rng)
    feeder.stop()
    second = tmp_path / "recordings" / "again"
    record_plan(second, "s", {name: w.folder for name, w in feeder.writers.items()}, roll_s=0.5)
    for folder in (feeder.folder, second):
        with recorder_process(folder) as process:
            process.communicate(timeout=60)
            assert process.returncode == 0
    for name, device in feeder.devices.items():
        pairs = zip(
            check_files(feeder.folder, device.produced, name), check_files(second, device.produced, name), strict=True
        )
        for a, b in pairs:
            assert a.path.name == b.path.name
            assert (a.timestamps() == b.timestamps()).all()
            assert a.gaps == b.gaps
            assert a.events == b.events
            assert a.notes == b.notes
            assert a.clock_maps == b.clock_maps


@pytest.mark.parametrize("damage", ["garbage", "empty", "lost manifest"])
def test_a_file_beyond_repair_is_made_again_from_the_journal(tmp_path: Path, damage: str) -> None:
    """It is set aside under another name; a manifest that was moved away is made anew from the files."""
    rng = random.Random(3)
    folder = tmp_path / "recordings" / "s" / "alpha"
    # A file that no manifest names yet is the one to be damaged.
    n_files, roll_s = (3, 0.3) if damage == "lost manifest" else (1, 3600)
    feeder = Feeder(tmp_path, roll_s=roll_s, reboots=False)
    with recorder_process(feeder.folder) as process:
        while len(list(folder.glob("*.nwb"))) < n_files:
            run_until(process, feeder, rng, 0.1)
        process.kill()
    last = sorted(folder.glob("*.nwb"))[-1]
    if damage == "garbage":
        last.write_bytes(b"\x55" * 5000)
    elif damage == "empty":
        last.write_bytes(b"")
    else:
        (folder / "manifest.json").unlink()
    feeder.stop()
    with recorder_process(feeder.folder) as process:
        out, error = process.communicate(timeout=60)
        assert process.returncode == 0, error.decode()
    check_files(feeder.folder, feeder.devices["alpha"].produced, "alpha")
    if damage != "lost manifest":
        assert last.with_suffix(".nwb.damaged").exists()
        assert b"set aside" in out
