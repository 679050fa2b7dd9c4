"""Measure how a long recording is opened and read: 24 h of 8 channels at 10 kHz in 24 files.

``make bench READING="--hours 2"`` for a shorter one. The limits are 0.3 s to open it and 20 ms for any window of 1 s,
each as a median. The files are made for it, 200 MB an hour, in a temporary folder that is removed. They are read from
the system's cache, as what was recorded last is; a window is taken anywhere, so that most of them open a file.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from long_recording import FS_HZ, make_long

import spikedaq
from spikedaq.recording import Recording

OPEN_LIMIT_S, WINDOW_LIMIT_S = 0.3, 0.02


def timed(do: Callable[[], Any]) -> tuple[float, float]:
    """Wall and CPU seconds of a call."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    do()
    return time.perf_counter() - wall_s, time.process_time() - cpu_s


def row(what: str, times: list[tuple[float, float]], limit_s: float | None) -> bool:
    """Print a line of the table; tell whether the median keeps to the limit."""
    wall_s, cpu_s = (statistics.median(column) for column in zip(*times, strict=True))
    worst_s = max(wall for wall, _ in times)
    limit = "-" if limit_s is None else f"{limit_s * 1000:g}"
    print(
        f"| {what} | {wall_s * 1000:.1f} | {worst_s * 1000:.1f} | {cpu_s * 1000:.1f} | {limit} | {len(times)} |",
        flush=True,
    )
    return limit_s is None or wall_s <= limit_s


def measure(folder: Path, n_windows: int) -> bool:
    """Print the table; tell whether all limits are kept."""
    print("\n| | median, ms | worst, ms | median of CPU, ms | limit, ms | times |")
    print("|---|---|---|---|---|---|")
    well = row("open, all files", [timed(lambda: spikedaq.open(folder)) for _ in range(9)], OPEN_LIMIT_S)
    recording = spikedaq.open(folder)
    assert isinstance(recording, Recording)
    assert recording.num_segments == 1
    n = recording.num_frames
    rng = np.random.default_rng(1)
    starts = rng.integers(0, n - FS_HZ, n_windows).tolist()

    def by_time(start: int) -> None:
        traces = recording.read(start / FS_HZ, start / FS_HZ + 1)
        assert abs(len(traces.steps) - FS_HZ) <= 1

    def by_frame(start: int) -> None:
        assert recording.get_traces(0, start, start + FS_HZ).shape == (FS_HZ, 8)

    well &= row("1 s by time, values, times and steps", [timed(lambda s=s: by_time(s)) for s in starts], WINDOW_LIMIT_S)
    well &= row("1 s by frames, raw values", [timed(lambda s=s: by_frame(s)) for s in starts], WINDOW_LIMIT_S)
    one = starts[0]
    in_file = [min(one + k * 1000, n - FS_HZ) for k in range(n_windows)]
    row("1 s by frames, of an open file", [timed(lambda s=s: by_frame(s)) for s in in_file], None)
    hour = recording.frame_slice(0, min(n, 3600 * FS_HZ))
    wall_s, _ = timed(lambda: [None for _ in hour.pieces()])
    print(f"\nIn one go, all channels: {hour.num_frames / wall_s / 1e6:.1f} million samples a second", flush=True)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"Peak of this process, Python and libraries with it: {peak_mb:.0f} MB")
    return well


def main() -> int:
    """Make the recording, measure in a process of its own, remove it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--windows", type=int, default=100)
    parser.add_argument("--folder", type=Path, help="a recording that is there already")
    arguments = parser.parse_args()
    if arguments.folder is not None:
        return 0 if measure(arguments.folder, arguments.windows) else 1
    print(f"\nReading {arguments.hours} h of 8 channels at 10 kHz, a file for each hour", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        make_long(Path(folder), arguments.hours, 3600)
        command = [sys.executable, __file__, "--folder", folder, "--windows", str(arguments.windows)]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
