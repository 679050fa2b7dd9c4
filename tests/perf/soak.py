"""Stream faster than any board does, and watch what the processes keep: memory, descriptors, threads, tasks.

``python tests/perf/soak.py --minutes 60`` by hand, ``make soak SOAK="--minutes 60"``; a few seconds in the tests. While
it streams, files roll, journals and files are deleted, clients come, follow, read the history, and go. Growth is that
of private memory after the first quarter, fitted by a line, per day's worth of samples: 864 million at 10 kHz.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from harness import DaemonProcess, history_pids, recorder_pids, wait_for
from spikedaq.bus import SAMPLES
from spikedaq.inlet import connect
from spikedaq.model import SpikedaqError

DAY_SAMPLES = 864_000_000
LIMIT_MB_PER_DAY = 1.0
CONFIG = """
[recording]
roll_s = 20.0

[journal]
ring_bytes = 100000000

[retention]
keep_files = 3
running = true
"""


@dataclass
class Watched:
    """What one process kept, look by look."""

    name: str
    samples: list[int] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)

    def look(self, pid: int, samples: int) -> None:
        """Look at the process now."""
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
        fields = {line.split(":")[0]: line.split() for line in status}
        self.samples.append(samples)
        self.bytes.append(int(fields["RssAnon"][1]) * 1024)
        self.descriptors.append(len(list(Path(f"/proc/{pid}/fd").iterdir())))
        self.threads.append(int(fields["Threads"][1]))

    def later(self, values: list[int]) -> list[int]:
        """Return what was seen after the first quarter."""
        return values[len(values) // 4 :]

    @property
    def mb_per_day(self) -> float:
        """Growth per day's worth of samples, in MB."""
        slope, _ = np.polyfit(self.later(self.samples), self.later(self.bytes), 1)
        return float(slope) * DAY_SAMPLES / 1e6

    @property
    def grown_bytes(self) -> int:
        """Growth from the first to the last tenth of what was seen after the first quarter."""
        later = self.later(self.bytes)
        tenth = max(1, len(later) // 10)
        return int(np.median(later[-tenth:]) - np.median(later[:tenth]))

    def row(self) -> str:
        """Return one line of the table."""
        first, last = self.later(self.descriptors), self.later(self.threads)
        return (
            f"{self.name:<9} {self.bytes[len(self.bytes) // 4] / 1e6:>8.1f} {self.bytes[-1] / 1e6:>8.1f}"
            f" {self.grown_bytes / 1e6:>8.2f} {self.mb_per_day:>12.2f}"
            f" {min(first):>6}-{max(first):<4} {min(last):>4}-{max(last):<4}"
        )


@dataclass
class Soak:
    """What a soak showed."""

    seconds: float
    samples: int
    processes: list[Watched]
    tasks: list[int]
    behind_bytes: list[int]
    """How far the recorder was behind the journals."""
    not_stopped: str = ""
    """Why the recording could not be stopped."""

    @property
    def days(self) -> float:
        """Day's worth of samples that were streamed."""
        return self.samples / DAY_SAMPLES


@contextlib.contextmanager
def guests(url: str, device: str) -> Iterator[None]:
    """Have clients come and go for as long as this lasts."""
    ended = threading.Event()

    def come_and_go() -> None:
        while not ended.is_set():
            with contextlib.suppress(SpikedaqError), connect(url) as bench:
                bench.status()
                with bench.follow(device, timeout_s=1.0) as follower:
                    for n, _ in enumerate(follower):
                        if n > 200 or ended.is_set():
                            break
                with bench.history() as history:
                    newest = history.extent(device)["newest"]
                    first = max(0, newest["step"] - 200_000)
                    for n, _ in enumerate(history.read(device, step=(newest["boot"], first), streams=[SAMPLES])):
                        if n > 200 or ended.is_set():
                            break
            ended.wait(0.2)

    thread = threading.Thread(target=come_and_go, name="guests")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def behind_bytes(status: dict[str, Any]) -> int:
    """Return how many bytes of the journals the recorder has not read yet."""
    offsets = {device["name"]: device["journal_offset"] for device in status["devices"]}
    files = status["recording"]["devices"]
    return sum(max(0, offsets[name] - file["offset"]) for name, file in files.items())


def tell(seconds: float, watched: dict[str, Watched], behind: int) -> None:
    """Say how it goes, once a minute."""
    megabytes = ", ".join(f"{name} {process.bytes[-1] / 1e6:.1f} MB" for name, process in watched.items())
    samples = watched["daemon"].samples[-1]
    print(
        f"{seconds / 60:.0f} min: {samples:,} samples, {megabytes}, recorder {behind / 1e6:.1f} MB behind", flush=True
    )


def soak(folder: Path, *, n_devices: int, rate_hz: int, seconds: float, period_s: float = 1.0) -> Soak:
    """Stream and watch."""
    devices = {f"d{k}": f"sim:d{k}?preset=1&rate={rate_hz}&seed={k}" for k in range(n_devices)}
    with DaemonProcess(folder / "data", devices, config=CONFIG) as daemon:
        assert daemon.process is not None
        wait_for("every device to stream", lambda: all(d["state"] == "running" for d in daemon.call("list")), 60.0)  # type: ignore[union-attr]
        wait_for("the history", lambda: daemon.call("hello")["history"])  # type: ignore[index]
        daemon.call("record_start", session="soak", timeout_s=60.0)
        (recorder,) = recorder_pids(folder / "data" / "recordings" / "soak")
        pids = {"daemon": daemon.process.pid, "recorder": recorder, "history": history_pids(daemon)[0]}
        watched = {name: Watched(name) for name in pids}
        tasks: list[int] = []
        behind: list[int] = []
        told_s, not_stopped = 0.0, ""
        with guests(daemon.url, "d0"):
            start = time.monotonic()
            while time.monotonic() - start < seconds:
                status = daemon.call("status")
                assert isinstance(status, dict)
                assert status["recording"]["restarts"] == 0, status["recording"]
                samples = sum(device["samples"] for device in status["devices"])
                tasks.append(int(status["tasks"]))
                for name, pid in pids.items():
                    watched[name].look(pid, samples)
                behind.append(behind_bytes(status))
                elapsed = time.monotonic() - start
                if elapsed - told_s >= 60:
                    told_s = elapsed
                    tell(elapsed, watched, behind[-1])
                time.sleep(period_s)  # between two looks
            elapsed = time.monotonic() - start
        try:
            daemon.call("record_stop", timeout_s=60.0)
        except SpikedaqError as error:
            not_stopped = f"{error}; {json.dumps(daemon.call('record_status'))}"
    return Soak(elapsed, samples, list(watched.values()), tasks, behind, not_stopped)


def main() -> int:
    """Print the table; 1 where a limit does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--devices", type=int, default=2)
    parser.add_argument("--rate", type=int, default=100_000, help="steps a second of each device; boards make 10000")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = soak(Path(folder), n_devices=args.devices, rate_hz=args.rate, seconds=60 * args.minutes)
    print(
        f"{os.cpu_count()} cores; {args.devices} devices at {args.rate} Hz for {run.seconds:.0f} s: {run.samples:,}"
        f" samples, {run.days:.2f} days' worth, {run.samples / run.seconds / 10_000:.0f} times as fast as one board"
    )
    print(f"{'':<9} {'MB then':>8} {'MB now':>8} {'grown MB':>8} {'MB a day':>12} {'files':>11} {'threads':>9}")
    for process in run.processes:
        print(process.row())
    later = run.tasks[len(run.tasks) // 4 :]
    print(f"tasks of the daemon: {min(later)}-{max(later)}")
    print(f"recorder behind the journals: at most {max(run.behind_bytes) / 1e6:.1f} MB")
    if run.not_stopped:
        print(f"the recording could not be stopped: {run.not_stopped}")
    return int(bool(run.not_stopped) or any(process.mb_per_day > LIMIT_MB_PER_DAY for process in run.processes))


if __name__ == "__main__":
    sys.exit(main())
