"""Measure writing recordings in other forms: CSV against pandas, and the memory that each form takes.

``make bench EXPORT="--minutes 1 10"``. The limits: CSV at least 5 times the rows per second of pandas' ``to_csv`` on
the same data, and at most 100 MB more than before while anything is written, however long the recording is. CPU seconds
are compared, which a busy machine changes less than time. Each form runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))

from long_recording import make_long

import spikedaq
from spikedaq.formats import export_csv
from spikedaq.formats.stock_csv import STOCK_COLUMNS, stock_header

LEAST_TIMES = 5.0
MOST_MB = 100.0
COMPARED_S = 120
FORMS = ("csv", "binary", "zarr", "nwb")


def status_mb(name: str) -> float:
    """Return a line of this process's status: VmRSS, memory now, or VmHWM, the most there was."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def write(form: str, folder: Path, out: Path) -> dict[str, float]:
    """Write the recording in ``folder`` in one form; return what it took."""
    with spikedaq.open(folder) as recording:
        recording.get_traces(0, 0, 1000)
        recording.get_times(0, 0, 1000)
        n = recording.num_frames
        Path("/proc/self/clear_refs").write_text("5", "ascii")  # the most begins anew
        before_mb, start_s, cpu_s = status_mb("VmRSS"), time.perf_counter(), time.process_time()
        if form == "csv":
            export_csv(folder, out / "a.csv")
        else:
            recording.save(out / f"a.{form}", format=form)
    return {
        "rows": n,
        "seconds": time.perf_counter() - start_s,
        "cpu_s": time.process_time() - cpu_s,
        "before_mb": before_mb,
        "peak_mb": status_mb("VmHWM"),
    }


def write_by_pandas(folder: Path, out: Path) -> dict[str, float]:
    """Write the same nine columns by pandas, from a table in memory, which is not counted."""
    import pandas as pd  # noqa: PLC0415 - the others are measured without it

    with spikedaq.open(folder) as recording:
        values = np.round(recording.read(channels=[c.channel for c in STOCK_COLUMNS]).values, 2)
    names = stock_header("model").decode().strip().split(",")
    times_ms = np.arange(len(values)) / 10
    table = pd.DataFrame(np.column_stack([times_ms, values]), columns=names)
    start_s, cpu_s = time.perf_counter(), time.process_time()
    table.to_csv(out / "pandas.csv", index=False)
    return {"rows": len(table), "seconds": time.perf_counter() - start_s, "cpu_s": time.process_time() - cpu_s}


def child(form: str, folder: Path) -> dict[str, float]:
    """Run `write` in a process of its own."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as out:
        command = [sys.executable, __file__, "--form", form, "--folder", str(folder), "--out", out]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    """Measure, print, and return 1 where a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--forms", nargs="+", default=list(FORMS))
    parser.add_argument("--form", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.form:
        given = (arguments.folder, arguments.out)
        print(json.dumps(write_by_pandas(*given) if arguments.form == "pandas" else write(arguments.form, *given)))
        return 0
    failed = False
    print("minutes  form     rows/s   CPU s per million rows   memory before   most   more")
    for minutes in arguments.minutes:
        with tempfile.TemporaryDirectory() as scratch:
            files = make_long(Path(scratch), -(-minutes // 60), min(minutes, 60) * 60)
            folder = files[0].parent
            for form in arguments.forms:
                found = child(form, folder)
                more_mb = found["peak_mb"] - found["before_mb"]
                failed |= more_mb > MOST_MB
                rate, cpu_s = found["rows"] / found["seconds"], found["cpu_s"] / found["rows"] * 1e6
                memory = f"{found['before_mb']:13.0f} MB{found['peak_mb']:4.0f} MB{more_mb:4.0f} MB"
                print(f"{minutes:7d}  {form:7s}{rate:8.0f}{cpu_s:25.2f}{memory}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = make_long(Path(scratch), 1, COMPARED_S)[0].parent
        ours, theirs = child("csv", folder), child("pandas", folder)
    times = (theirs["cpu_s"] / theirs["rows"]) / (ours["cpu_s"] / ours["rows"])
    failed |= times < LEAST_TIMES
    print(f"CSV: {times:.1f} times the rows of pandas' to_csv per second of CPU; the limit is {LEAST_TIMES:.0f}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
