"""Measure what spikedaq costs on this machine: CPU per device, latency, and the naive script beside it.

``make bench`` runs everything; ``make bench BENCH="--devices 1 4 --seconds 10"`` a part. All figures come from one run;
maxima on a shared machine are upper bounds, medians are what to compare.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))

from crowd import HEADER, crowd, row

from harness import DaemonProcess, recorder_pids, wait_for
from spikedaq.inlet import Subscriber

HERE = Path(__file__).parent


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its threads, from the kernel's accounting, in seconds."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def measure_cost(n_devices: int, seconds: float, folder: Path) -> dict[str, float]:
    """CPU of the daemon and its recorder with ``n_devices`` stamped boards at 10 kHz x 8, and block latency in ms."""
    boards, devices = [], {}
    for k in range(n_devices):
        stamps = folder / f"stamps{k}"
        board = subprocess.Popen(
            [sys.executable, HERE / "stamped_board.py", str(seconds + 12), stamps, f"board{k:03d}"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert board.stdout is not None
        devices[f"d{k}"] = f"pty:{board.stdout.readline().strip()}"
        boards.append(board)
    received: list[tuple[int, int]] = []
    with DaemonProcess(folder / "data", devices) as daemon:
        assert daemon.process is not None
        wait_for("every device to stream", lambda: all_streaming(daemon, n_devices))
        daemon.call("record_start", session="bench")
        (recorder,) = recorder_pids(folder / "data" / "recordings" / "bench")
        subscriber = Subscriber(f"tcp://127.0.0.1:{daemon.publish_port}", ["bench/d0/samples/"])
        before = cpu_seconds(daemon.process.pid), cpu_seconds(recorder)
        start = time.monotonic()
        for message in subscriber:
            received.append((int(message.header["seq"]), time.clock_gettime_ns(time.CLOCK_BOOTTIME)))
            if time.monotonic() - start > seconds:
                break
        elapsed = time.monotonic() - start
        after = cpu_seconds(daemon.process.pid), cpu_seconds(recorder)
        subscriber.close()
        daemon.call("record_stop")
    for board in boards:
        board.wait()
    stamps_ns = dict(tuple(map(int, line.split())) for line in (folder / "stamps0").read_text().splitlines())
    latency_ms = np.array([(t - stamps_ns[seq]) / 1e6 for seq, t in received if seq in stamps_ns])
    percent = 100 / elapsed / n_devices
    return {
        "daemon": (after[0] - before[0]) * percent,
        "recorder": (after[1] - before[1]) * percent,
        "p50": float(np.percentile(latency_ms, 50)),
        "p99": float(np.percentile(latency_ms, 99)),
        "p99.9": float(np.percentile(latency_ms, 99.9)),
        "blocks": len(latency_ms),
    }


def all_streaming(daemon: DaemonProcess, n_devices: int) -> bool:
    """Tell whether every device says that it is running."""
    listed = daemon.call("list")
    assert isinstance(listed, list)
    return len(listed) == n_devices and all(d["state"] == "running" for d in listed)


def measure_naive(seconds: float, folder: Path) -> tuple[float, float]:
    """CPU of the naive script in % of a core, and the share of 10 kHz that it managed."""
    board = subprocess.Popen(
        [sys.executable, HERE / "stock_board.py", "10000", str(seconds + 2)], stdout=subprocess.PIPE, text=True
    )
    assert board.stdout is not None
    port = board.stdout.readline().strip()
    script = subprocess.run(
        [sys.executable, HERE / "naive.py", port, folder / "naive.csv", str(seconds)],
        capture_output=True,
        text=True,
        check=True,
    )
    board.kill()  # nobody reads any more, so it would wait for ever
    board.wait()
    cpu_s, n = script.stdout.split()
    return 100 * float(cpu_s) / seconds, int(n) / (10_000 * seconds)


def print_crowd(args: argparse.Namespace) -> bool:
    """Print the table of many clients; return whether every file was whole and memory within its limit."""
    whole = True
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f} before; {args.clients} clients, {args.stalled} of them stalled,")
    print(f"each taking {'every device' if args.all else 'one device'} (the stalled ones every); {args.seconds:.0f} s.")
    print(HEADER)
    for n_devices in args.devices:
        for _ in range(args.repeat):
            with tempfile.TemporaryDirectory() as folder:
                run = crowd(
                    Path(folder),
                    n_devices=n_devices,
                    n_clients=args.clients,
                    n_stalled=args.stalled,
                    seconds=args.seconds,
                    mode="all" if args.all else "one",
                )
            print(row(run), flush=True)
            whole = whole and run.is_whole
    if not whole:
        print("samples are missing or wrong in the files, or a stalled client cost more than 2 MB", file=sys.stderr)
    return whole


def main() -> int:
    """Print the tables; 1 where something other than time was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--clients", type=int, help="so many clients, instead of one")
    parser.add_argument("--stalled", type=int, default=0, help="of them never take a message")
    parser.add_argument("--all", action="store_true", help="each client takes every device, instead of one")
    args = parser.parse_args()
    if args.clients:
        return 0 if print_crowd(args) else 1
    print(
        f"{os.cpu_count()} cores; medians of {args.repeat} rounds of {args.seconds:.0f} s; 10 kHz x 8, blocks of 100."
    )
    print("CPU: % of one core per device. Latency: from the device's write of a block's last byte to a subscriber.")
    print(f"{'devices':>8} {'daemon %':>9} {'recorder %':>11} {'all in %':>9} {'p50 ms':>8} {'p99 ms':>8} {'p99.9':>9}")
    naive: list[tuple[float, float]] = []
    all_in_one = 0.0
    for n_devices in args.devices:
        rounds = []
        for _ in range(args.repeat):
            with tempfile.TemporaryDirectory() as folder:
                rounds.append(measure_cost(n_devices, args.seconds, Path(folder)))
                if len(naive) < args.repeat:
                    naive.append(measure_naive(args.seconds, Path(folder)))
        m = {key: float(np.median([r[key] for r in rounds])) for key in rounds[0]}
        total = m["daemon"] + m["recorder"]
        all_in_one = all_in_one or total
        print(
            f"{n_devices:>8} {m['daemon']:>9.2f} {m['recorder']:>11.2f} {total:>9.2f}"
            f" {m['p50']:>8.2f} {m['p99']:>8.2f} {m['p99.9']:>9.2f}"
        )
    cpu, share = (float(np.median([x[i] for x in naive])) for i in (0, 1))
    print(f"naive script (pyserial, struct per sample, csv): {cpu:.1f} % of a core for one device,")
    print(f"which got {100 * share:.1f} % of the samples")
    print(f"ratio naive / spikedaq, all in, at {args.devices[0]} device(s): {cpu / all_in_one:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
