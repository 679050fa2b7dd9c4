"""Measure the closed loop: from a block's last byte to the arrival of the command that a trigger sends for it.

``python tests/perf/closed_loop.py --crossings 1000``; each crossing is one firing, one record in the journal and one
command. With ``--devices`` more than one the trigger looks at all of them, and each is commanded by its own crossings.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from harness import DaemonProcess, recorder_pids, wait_for

HERE = Path(__file__).parent


def measure(crossings: int, between: int, n_devices: int, folder: Path, *, record: bool) -> np.ndarray:
    """Return the latencies in milliseconds; infinite where no command came."""
    boards, devices = [], {}
    for k in range(n_devices):
        board = subprocess.Popen(
            [sys.executable, HERE / "closed_loop_board.py", str(crossings), str(between),
             folder / f"stamps{k}", f"board{k:03d}"],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert board.stdout is not None
        devices[f"d{k}"] = f"pty:{board.stdout.readline().strip()}"
        boards.append(board)
    with DaemonProcess(folder / "data", devices) as daemon:
        wait_for("every device to stream", lambda: all(d["state"] == "running" for d in daemon.call("list")))
        set_ = {"do": "set", "values": {"i_clamp": 1}}
        daemon.call(
            "trigger_arm", trigger={"name": "t", "when": "level", "channel": "vm", "level": -30, "command": [set_]}
        )
        if record:
            daemon.call("record_start", session="loop", timeout_s=60)
            assert recorder_pids(folder / "data" / "recordings" / "loop")
        for name in devices:
            daemon.call("set", device=name, values={"i_clamp": 2})  # the board begins with it
        seconds = (crossings + 1) * between / 100
        for board in boards:
            board.wait(2 * seconds + 30)
        (trigger,) = daemon.call("trigger_list")
        print("commands:", ", ".join(f"{n} {how}" for how, n in trigger["commands"].items()), flush=True)
        assert not trigger["problems"], trigger
    stamps = [np.loadtxt(folder / f"stamps{k}", dtype=np.int64, ndmin=2) for k in range(n_devices)]
    written, command = np.concatenate(stamps).T
    return np.where(command > 0, (command - written) / 1e6, np.inf)


def main() -> None:
    """Print the distribution."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crossings", type=int, default=1000)
    parser.add_argument("--between", type=int, default=5, help="blocks of 10 ms from crossing to crossing")
    parser.add_argument("--devices", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--record", action="store_true", help="while a recording runs")
    args = parser.parse_args()
    print(f"{os.cpu_count()} cores; {args.crossings} crossings per device, 10 kHz x 8, blocks of 100 on a pty.")
    print("From the board's write of a block's last byte to the board's reading of the command, milliseconds:")
    print(f"{'devices':>8} {'firings':>8} {'none':>5} {'p50':>7} {'p90':>7} {'p99':>7} {'p99.9':>7} {'max':>7}")
    for n_devices in args.devices:
        with tempfile.TemporaryDirectory() as folder:
            ms = measure(args.crossings, args.between, n_devices, Path(folder), record=args.record)
        figures = " ".join(f"{p:>7.2f}" for p in np.percentile(ms, [50, 90, 99, 99.9, 100], method="higher"))
        print(f"{n_devices:>8} {len(ms):>8} {np.isinf(ms).sum():>5} {figures}", flush=True)


if __name__ == "__main__":
    main()
