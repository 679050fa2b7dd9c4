"""Many devices, many clients, some of them stalled: what it costs, how late blocks come, whether anything is lost."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from crowd_truth import compare

from harness import DaemonProcess, recorder_pids, wait_for

HERE = Path(__file__).parent
P99_MS = 10.0
STALLED_BYTES = 2e6
"""Of the daemon's memory, for each client that takes nothing."""


@dataclass(frozen=True)
class Crowd:
    """What one run showed. CPU in % of one core per device, latency in ms, memory in bytes per stalled client.

    ``board_late_ms`` is by how much a board was late itself at worst: the computer was busy with something else, and
    latencies of this size say nothing.
    """

    n_devices: int
    daemon: float
    recorder: float
    p50: float
    p99: float
    p999: float
    worst: float
    n_blocks: int
    missed: int
    missing_samples: int
    wrong_samples: int
    stalled_bytes: float
    board_late_ms: float

    @property
    def is_whole(self) -> bool:
        """Whether what no busy computer excuses holds: every sample in the files, at most 2 MB per stalled client."""
        return not self.missing_samples and not self.wrong_samples and self.stalled_bytes <= STALLED_BYTES

    @property
    def in_time(self) -> bool:
        """Whether the p99 is at most 10 ms."""
        return self.p99 <= P99_MS


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its threads."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def resident_bytes(pid: int) -> int:
    """Memory of a process that is its own: what a client that stalls makes it keep."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def clients(stack: ExitStack, mode: str, url: str, n: int, topics: list[str]) -> subprocess.Popen[str]:
    """Start a process with n clients, and wait until they are connected."""
    process = stack.enter_context(
        subprocess.Popen(
            [sys.executable, HERE / "many_clients.py", mode, url, str(n), *topics],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    )
    stack.callback(process.kill)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    return process


def crowd(folder: Path, *, n_devices: int, n_clients: int, n_stalled: int, seconds: float, mode: str = "one") -> Crowd:
    """Run boards, a daemon that records all of them, and clients; measure, and compare the files with the boards."""
    stamps_path = folder / "stamps"
    with ExitStack() as stack:
        boards = stack.enter_context(
            subprocess.Popen(
                [sys.executable, HERE / "many_boards.py", stamps_path, str(n_devices)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        stack.callback(boards.kill)
        assert boards.stdout is not None
        names = [boards.stdout.readline().strip() for _ in range(n_devices)]
        devices = {f"d{k}": f"pty:{name}" for k, name in enumerate(names)}
        daemon = stack.enter_context(DaemonProcess(folder / "data", devices))
        assert daemon.process is not None
        pid = daemon.process.pid
        wait_for("every device to stream", lambda: all(d["state"] == "running" for d in daemon.call("list")), 60.0)  # type: ignore[union-attr]
        daemon.call("record_start", session="crowd", timeout_s=60.0)
        begun_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        (recorder,) = recorder_pids(folder / "data" / "recordings" / "crowd")
        url = f"tcp://127.0.0.1:{daemon.publish_port}"
        topics = [f"bench/{device}/samples/" for device in devices]
        reading = clients(stack, mode, url, n_clients - n_stalled, topics)
        time.sleep(2.0)  # a measured time, not waited for anything: memory and caches settle
        memory = resident_bytes(pid)
        stalled = clients(stack, "stall", url, n_stalled, topics) if n_stalled else None
        before, start = (cpu_seconds(pid), cpu_seconds(recorder)), time.monotonic()
        time.sleep(seconds)  # what is measured
        elapsed = time.monotonic() - start
        after = cpu_seconds(pid), cpu_seconds(recorder)
        grown = resident_bytes(pid) - memory
        said, _ = reading.communicate("")
        if stalled is not None:
            stalled.communicate("")
        end_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        daemon.call("record_stop", timeout_s=60.0)
        words = boards.communicate("")[0].split()
        assert words, "a board ended early: the daemon had not read for seconds"
        late_ns = int(words[-1])
    stamps: dict[tuple[str, int], int] = {}
    sent: list[list[tuple[int, int]]] = [[] for _ in devices]
    for line in stamps_path.read_text().splitlines():
        board, seq, step, t_ns = map(int, line.split())
        stamps[f"d{board}", seq] = t_ns
        sent[board].append((step, t_ns))
    folder /= "data/recordings/crowd"
    missing, wrong = compare(folder, list(devices), sent, (begun_ns, end_ns))
    lines = [line.split() for line in said.splitlines()]
    missed = sum(int(n) for device, n, _ in lines if device == "missed")
    late = np.array([(int(t) - stamps[d, int(seq)]) / 1e6 for d, seq, t in lines if (d, int(seq)) in stamps])
    percent = 100 / elapsed / n_devices
    return Crowd(
        n_devices=n_devices,
        daemon=(after[0] - before[0]) * percent,
        recorder=(after[1] - before[1]) * percent,
        p50=float(np.percentile(late, 50)),
        p99=float(np.percentile(late, 99)),
        p999=float(np.percentile(late, 99.9)),
        worst=float(late.max()),
        n_blocks=len(late),
        missed=missed,
        missing_samples=missing,
        wrong_samples=wrong,
        stalled_bytes=grown / n_stalled if n_stalled else 0.0,
        board_late_ms=late_ns / 1e6,
    )


HEADER = (
    f"{'devices':>8} {'daemon %':>9} {'recorder %':>11} {'p50 ms':>8} {'p99 ms':>8} {'p99.9':>8} {'worst':>8}"
    f" {'blocks':>8} {'missed':>7} {'lost':>6} {'wrong':>6} {'MB/stalled':>11} {'board late':>11} {'limits':>7}"
)


def row(run: Crowd) -> str:
    """Return one line of the table."""
    limits = "hold" if run.is_whole and run.in_time else "missed"
    return (
        f"{run.n_devices:>8} {run.daemon:>9.2f} {run.recorder:>11.2f} {run.p50:>8.2f} {run.p99:>8.2f} {run.p999:>8.2f}"
        f" {run.worst:>8.1f} {run.n_blocks:>8} {run.missed:>7} {run.missing_samples:>6} {run.wrong_samples:>6}"
        f" {run.stalled_bytes / 1e6:>11.2f} {run.board_late_ms:>11.1f} {limits:>7}"
    )


def told(run: Crowd, n_clients: int, n_stalled: int) -> str:
    """Return the run in one sentence, with whether its limits held."""
    verdict = "held" if run.in_time else "missed"
    return (
        f"{run.n_devices} x a board at 10 kHz, {n_clients} clients, {n_stalled} of them stalled: {run.missing_samples} "
        f"samples missing in files, {run.wrong_samples} wrong; readers missed {run.missed} blocks of {run.n_blocks}; "
        f"{run.stalled_bytes / 1e6:.2f} MB for each stalled; p50 {run.p50:.1f} ms, p99 {run.p99:.1f} ms, limit "
        f"{P99_MS:.0f} ms: {verdict} (the boards themselves were late by up to {run.board_late_ms:.0f} ms)"
    )
