"""Measure what the web page costs: N viewers of one device at 10 kHz with eight channels, as real websocket clients.

``make bench SCOPE="--viewers 30 --seconds 15"``. Printed are the CPU time of the page's server and of the daemon as
shares of one core, with and without viewers, bytes per second of each viewer, and how old frames are when they arrive.
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
        watch = {"do": "watch", "id": 1, "bench": "bench", "device": "d0", "level": level}
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


def main() -> int:
    """Print the table; the exit status says whether the limits hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f} before; one device, 10 kHz x 8; medians of {args.repeat} rounds")
    print("of the page's server and the daemon, % of a core; KB/s of the viewer that got most; age of frames, ms")
    heads = ("viewers", "level", "server %", "at 25/s", "daemon %", "KB/s", "frames/s", "p50", "p95")
    print("".join(f"{head:>10}" for head in heads))
    within = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        devices = {"d0": "sim:d0?preset=0&param.i_clamp=15&seed=1&rate=10000"}
        with DaemonProcess(folder / "data", devices) as daemon, PageProcess([daemon.url], folder / "page.log") as page:
            assert daemon.process is not None
            wait_for("the device to stream", lambda: daemon.call("list")[0]["state"] == "running")  # type: ignore[index]
            for n, level in ((0, 6), (1, 6), (args.viewers, 6), (args.viewers, 0)):
                rounds = [
                    asyncio.run(measure(page, daemon.process.pid, n, level, args.seconds)) for _ in range(args.repeat)
                ]
                m = {key: float(np.median([r[key] for r in rounds])) for key in rounds[0]}
                shown = (m["scope"], m["full"], m["daemon"], m["bytes"] / 1000, m["frames"], m["p50"], m["p95"])
                print(f"{n:>10}{level:>10}" + "".join(f"{value:>10.1f}" for value in shown), flush=True)
                if level == 6:
                    within = within and (m["frames"] > 1 or n == 0)  # else the computer was too busy to tell
                    within = within and m["full"] <= LIMIT_PERCENT and m["bytes"] <= LIMIT_BYTES_PER_S
    print(f"limits at level 6, a window of 10 s ({LIMIT_PERCENT:.0f} %, {LIMIT_BYTES_PER_S / 1000:.0f} KB/s):", end=" ")
    print("kept" if within else "EXCEEDED")
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
