"""Measure what the web page costs: N viewers of one device at 10 kHz with eight channels, as real websocket clients.

``make bench SCOPE="--viewers 30"``. Each round measures the server without viewers, with one and with N, one
after the other, so that what the daemon costs with and without them is compared in pairs. Printed are medians over the
rounds: CPU time of the page's server and of the daemon as shares of one core, bytes per second of the viewer that got
most, and how old frames are when they arrive. At last the server is told to end while N viewers read and some do not.
The clients run in this process, which is not counted. A computer that is busy with other things hands out fewer frames:
what 25 per second and viewer would take is printed, too, and is what has to be within the limit.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import struct
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import websockets

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))

from bench import cpu_seconds

from harness import DaemonProcess, wait_for
from helpers.page_server import PageProcess

LIMIT_PERCENT = 100 / 3
LIMIT_BYTES_PER_S = 150_000
LIMIT_DAEMON_PERCENT = 1.0
"""Of a core: what viewers may cost the daemon. Rounds differ by more than that."""
LIMIT_END_S = 5.0
N_STALLED = 5
WARM_UP_S = 2.0
ACK_S = 0.2
FRAMES_PER_S = 25.0


@dataclass
class Viewer:
    """What one client saw."""

    n_frames: int = 0
    n_bytes: int = 0
    ages_ms: list[float] = field(default_factory=list)


async def view(url: str, number: int, level: int, viewer: Viewer) -> None:
    """Watch one device as the page does, until cancelled."""
    async with websockets.connect(f"{url}ws?name=v{number}&page={number}", max_size=None, compression=None) as socket:
        watch = {"do": "watch", "id": 1, "bench": "bench", "device": "d0", "level": level, "packed": True}
        await socket.send(json.dumps(watch))
        n, acked_s = 0, 0.0
        async for message in socket:
            viewer.n_bytes += len(message)
            if isinstance(message, str):
                continue
            n += 1
            viewer.n_frames += 1
            if number % 10 == 0:
                viewer.ages_ms.append(age_ms(message))
            if time.monotonic() - acked_s > ACK_S:
                acked_s = time.monotonic()
                await socket.send(json.dumps({"do": "ack", "n": n}))


def age_ms(message: bytes) -> float:
    """How old the first sample of the newest bin is: at most a bin older than the newest sample."""
    (length,) = struct.unpack_from("<I", message)
    header: dict[str, Any] = json.loads(message[4 : 4 + length])
    if header["t_ms"] is None or not header["count"]:
        return float("nan")
    step = (header["first"] + header["count"] - 1) << header["level"]
    newest_ms = header["t_ms"] + (max(step, header["step"]) - header["step"]) * header["step_us"] / 1000
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) / 1e6 - newest_ms


async def measure(page: PageProcess, daemon_pid: int, n: int, level: int, seconds: float) -> dict[str, float]:
    """Let n viewers watch, and count after a while of warming up."""
    assert page.process is not None
    url = page.address.replace("http", "ws", 1)
    viewers = [Viewer() for _ in range(n)]
    tasks = [asyncio.create_task(view(url, k, level, viewer)) for k, viewer in enumerate(viewers)]
    await asyncio.sleep(WARM_UP_S)
    before = cpu_seconds(page.process.pid), cpu_seconds(daemon_pid)
    counted = [(viewer.n_bytes, viewer.n_frames, len(viewer.ages_ms)) for viewer in viewers]
    start = time.monotonic()
    await asyncio.sleep(seconds)
    elapsed = time.monotonic() - start
    after = cpu_seconds(page.process.pid), cpu_seconds(daemon_pid)
    for task in tasks:
        if task.done():
            task.result()
        task.cancel()
    frames = min(((v.n_frames - f) / elapsed for v, (_, f, _) in zip(viewers, counted, strict=True)), default=0.0)
    scope = 100 * (after[0] - before[0]) / elapsed
    pairs = list(zip(viewers, counted, strict=True))
    ages = np.array([age for viewer, (_, _, k) in pairs for age in viewer.ages_ms[k:]])
    return {
        "scope": scope,
        "full": scope * max(1.0, FRAMES_PER_S / frames) if frames else scope,
        "daemon": 100 * (after[1] - before[1]) / elapsed,
        "bytes": max(((viewer.n_bytes - b) / elapsed for viewer, (b, _, _) in pairs), default=0.0),
        "frames": frames,
        "p50": float(np.nanpercentile(ages, 50)) if len(ages) else float("nan"),
        "p95": float(np.nanpercentile(ages, 95)) if len(ages) else float("nan"),
    }


async def stall(url: str, number: int) -> None:
    """Watch every sample and read nothing, until cancelled."""
    async with websockets.connect(
        f"{url}ws?name=s{number}&page=s{number}", compression=None, max_queue=1, close_timeout=0.1
    ) as socket:
        for level in range(14):
            watch = {"do": "watch", "id": level, "bench": "bench", "device": "d0", "level": level}
            await socket.send(json.dumps(watch))
            past = {"do": "past", "id": 100 + level, "bench": "bench", "device": "d0", "level": level, "boot": None}
            await socket.send(json.dumps({**past, "first": 0, "stop": 16384}))
        await asyncio.Event().wait()


async def seconds_to_end(page: PageProcess, n: int) -> float:
    """Tell the server to end while n viewers read and some do not; how long it takes."""
    assert page.process is not None
    url = page.address.replace("http", "ws", 1)
    tasks = [asyncio.create_task(view(url, k, 0, Viewer())) for k in range(n)]
    tasks += [asyncio.create_task(stall(url, k)) for k in range(N_STALLED)]
    await asyncio.sleep(WARM_UP_S)
    start = time.monotonic()
    page.process.terminate()
    await asyncio.to_thread(page.process.wait, 60)
    elapsed = time.monotonic() - start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return elapsed


Case = tuple[int, int]
"""Viewers, and the level that they watch."""


def print_table(rounds: list[dict[Case, dict[str, float]]]) -> dict[Case, dict[str, float]]:
    """Print medians over rounds, and return them."""
    heads = ("viewers", "level", "server %", "at 25/s", "daemon %", "KB/s", "frames/s", "p50", "p95")
    print("".join(f"{head:>10}" for head in heads))
    medians = {}
    for case in rounds[0]:
        m = {key: float(np.median([r[case][key] for r in rounds])) for key in rounds[0][case]}
        shown = (m["scope"], m["full"], m["daemon"], m["bytes"] / 1000, m["frames"], m["p50"], m["p95"])
        print("".join(f"{n:>10}" for n in case) + "".join(f"{value:>10.1f}" for value in shown))
        medians[case] = m
    return medians


def daemon_cost(rounds: list[dict[Case, dict[str, float]]], alone: Case, crowd: Case) -> np.ndarray:
    """How much more of a core the daemon took with viewers than without, by round, in percent."""
    return np.array([r[crowd]["daemon"] - r[alone]["daemon"] for r in rounds])


def main() -> int:
    """Print the table; the exit status says whether the limits hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--repeat", type=int, default=5)
    args = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before; one device, 10 kHz x 8; medians of", end=" ")
    print(
        f"{args.repeat} rounds of {args.seconds:.0f} s for each line. Level 6 is a window of 10 s, level 0 of 100 ms."
    )
    print("Page's server and daemon: % of a core; KB/s of the viewer that got most; age of frames: ms.", flush=True)
    alone, crowd = (0, 6), (args.viewers, 6)
    cases = (alone, (1, 6), crowd, (args.viewers, 0))
    rounds: list[dict[Case, dict[str, float]]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        devices = {"d0": "sim:d0?preset=0&param.i_clamp=15&seed=1&rate=10000"}
        with DaemonProcess(folder / "data", devices) as daemon, PageProcess([daemon.url], folder / "page.log") as page:
            assert daemon.process is not None
            wait_for("the device to stream", lambda: daemon.call("list")[0]["state"] == "running")  # type: ignore[index]
            for k in range(args.repeat):
                pid = daemon.process.pid
                rounds.append({
                    (n, level): asyncio.run(measure(page, pid, n, level, args.seconds)) for n, level in cases
                })  # fmt: skip
                print(f"round {k + 1} of {args.repeat}, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
            end_s = asyncio.run(seconds_to_end(page, args.viewers))
    medians = print_table(rounds)
    more = daemon_cost(rounds, alone, crowd)
    print(f"the daemon, with {args.viewers} viewers less without, in pairs: median {np.median(more):+.2f} %,", end=" ")
    print(f"from {more.min():+.2f} to {more.max():+.2f} %")
    print(f"the server ended {end_s:.1f} s after SIGTERM with {args.viewers} viewers and {N_STALLED} that read nothing")
    m = medians[crowd]
    limits = {
        f"server {LIMIT_PERCENT:.0f} %": m["full"] <= LIMIT_PERCENT and m["frames"] > 1,
        f"daemon {LIMIT_DAEMON_PERCENT:.0f} %": bool(np.median(more) <= LIMIT_DAEMON_PERCENT),
        f"{LIMIT_BYTES_PER_S / 1000:.0f} KB/s": all(each["bytes"] <= LIMIT_BYTES_PER_S for each in medians.values()),
        f"end {LIMIT_END_S:.0f} s": end_s <= LIMIT_END_S,
    }
    print("limits: " + ", ".join(f"{what} {'kept' if is_kept else 'EXCEEDED'}" for what, is_kept in limits.items()))
    return 0 if all(limits.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
