"""Measure what the oscilloscope costs in a browser: frames per second, CPU time of each frame, age of what is drawn.

``make bench PAGE="--seconds 20"``. One device at 10 kHz, eight panes, in Debian's Chromium without a graphics card. The
limits are 50 frames per second in a window of 10 s, and 95 % of the samples on the screen within 100 ms. On a computer
that is busy with other things only the CPU time of a frame counts: all processes of the browser together, and the one
that runs the page.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))

from bench import cpu_seconds

from harness import DaemonProcess, wait_for
from helpers.chromium import ARGUMENTS, MISSING, find_chromium
from helpers.page_server import PageProcess

FRAMES_PER_S = 50.0
AGE_P95_MS = 100.0
WINDOWS_MS = (10_000, 1000, 100)
CHANNELS = ["vm", "stimulus", "i_total", "syn1_vm", "syn1_i", "syn2_vm", "syn2_i", "trigger"]
WARM_UP_MS = 12_000
"""The window is full then, and nothing is loaded any more."""
COUNT_FRAMES = "() => { window.n = 0; const f = () => { window.n++; requestAnimationFrame(f); }; f(); }"


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one window: frames per second; CPU ms per frame of all processes and of the page's; age in ms."""

    frames_per_s: float
    all_ms: float
    page_ms: float
    age_p95_ms: float


def measure(browser: Browser, address: str, window_ms: int, seconds: float, size: tuple[int, int]) -> Cost:
    """Open the page anew, and count once it has warmed up."""
    page = browser.new_page(viewport={"width": size[0], "height": size[1]})
    kept = {"window_ms": window_ms, "channels": {"current": CHANNELS, "voltage": CHANNELS}}
    for name, value in kept.items():
        text = json.dumps(json.dumps(value))
        page.add_init_script(f"localStorage.setItem('spikedaq.scope.{name}', {text})")
    page.goto(address)
    page.get_by_test_id("latency").wait_for()
    page.wait_for_timeout(WARM_UP_MS)
    page.evaluate(COUNT_FRAMES)
    with processes(browser) as pids:
        before = {pid: cpu_seconds(pid) for pid in pids}
        n_before, begun_ms = page.evaluate("[window.n, performance.now()]")
        page.wait_for_timeout(1000 * seconds)
        n_after, ended_ms = page.evaluate("[window.n, performance.now()]")
        used_ms = {pid: 1000 * (cpu_seconds(pid) - s) for pid, s in before.items()}
        n = max(1, n_after - n_before)
        cost = Cost(
            frames_per_s=1000 * n / (ended_ms - begun_ms),
            all_ms=sum(used_ms.values()) / n,
            page_ms=max(used for pid, used in used_ms.items() if pids[pid] == "renderer") / n,
            age_p95_ms=age_p95_ms(page),
        )
    page.close()
    return cost


def age_p95_ms(page: Page) -> float:
    """What the page says itself."""
    return float(page.get_by_test_id("scope-status").get_attribute("data-age-p95-ms") or "nan")


@contextmanager
def processes(browser: Browser) -> Iterator[dict[int, str]]:
    """The browser's processes, with their types."""
    devtools = browser.new_browser_cdp_session()
    yield {entry["id"]: entry["type"] for entry in devtools.send("SystemInfo.getProcessInfo")["processInfo"]}
    devtools.detach()


def main() -> int:
    """Print the table; the exit status says whether the limits hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--size", default="1280x800", help="of the window, in pixels")
    args = parser.parse_args()
    width, height = (int(number) for number in args.size.split("x"))
    program = find_chromium()
    if program is None:
        print(MISSING, file=sys.stderr)
        return 1
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before; 10 kHz x 8 in eight panes, {width} x {height}"
    )
    print("CPU of all of the browser's processes and of the page's own, ms per frame; age of what is drawn, ms")
    print("".join(f"{head:>12}" for head in ("window, ms", "frames/s", "all", "page", "age p95")))
    within = True
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        devices = {"d0": "sim:d0?preset=0&param.i_clamp=15&seed=1&rate=10000"}
        with (
            DaemonProcess(folder / "data", devices) as daemon,
            PageProcess([daemon.url], folder / "page.log") as server,
        ):
            wait_for("the device to stream", lambda: daemon.call("list")[0]["state"] == "running")  # type: ignore[index]
            browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
            for window_ms in WINDOWS_MS:
                cost = measure(browser, server.address, window_ms, args.seconds, (width, height))
                shown = (cost.frames_per_s, cost.all_ms, cost.page_ms, cost.age_p95_ms)
                print(f"{window_ms:>12}" + "".join(f"{value:>12.1f}" for value in shown), flush=True)
                within = within and cost.age_p95_ms <= AGE_P95_MS
                within = within and (window_ms != WINDOWS_MS[0] or cost.frames_per_s >= FRAMES_PER_S)
            browser.close()
    print(f"limits ({FRAMES_PER_S:.0f} frames/s, {AGE_P95_MS:.0f} ms): {'kept' if within else 'EXCEEDED'}")
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
