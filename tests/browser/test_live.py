"""The page shows what the boards do now: also after servers were restarted, and after the page itself slept."""

from __future__ import annotations

import os
import signal

from playwright.sync_api import Browser, Page, expect

from harness import DaemonProcess, wait_for
from helpers.chromium import RECONNECTING, Complaints
from helpers.page_frames import LIVE_MS, PageFrames, boottime_ms, end_ms, wait_until_it_moves
from helpers.page_server import BenchMaker, PageProcess, ServerMaker


def mark(page: Page) -> None:
    """Leave something in the page that a reload would take away."""
    page.evaluate("window.spikedaqTestMark = 'still here'")


def is_marked(page: Page) -> bool:
    return page.evaluate("window.spikedaqTestMark") == "still here"


def test_the_trace_moves_and_is_of_now(page: Page, shared_server: PageProcess) -> None:
    """A newcomer sees a live trace without a click; what the page gets is younger than half a second."""
    frames = PageFrames(page)
    page.goto(shared_server.address)
    expect(page.get_by_text("no alarms")).to_be_visible()
    wait_until_it_moves(page)
    frames.wait_for_live(page, "alpha")


def test_another_device_is_shown_when_it_is_picked(page: Page, shared_server: PageProcess) -> None:
    frames = PageFrames(page)
    page.goto(shared_server.address)
    page.get_by_label("Device").select_option("demo/beta")
    frames.wait_for_live(page, "beta")

    def only_beta() -> bool:
        frames.clear()
        wait_until_it_moves(page)
        return {header["device"] for _, header in frames.headers} == {"beta"}

    wait_for("what nobody looks at to be sent no more", only_beta, 20.0)  # some of it may have been on its way


def test_a_page_survives_the_restart_of_its_server(
    page: Page, make_server: ServerMaker, shared_bench: DaemonProcess, complaints: Complaints
) -> None:
    """Without a reload: the page says that it is cut off, and goes on by itself."""
    complaints.expect(RECONNECTING)
    server = make_server(shared_bench)
    frames = PageFrames(page)
    page.goto(server.address)
    wait_until_it_moves(page)
    mark(page)
    server.kill()
    expect(page.get_by_text("not connected, trying again")).to_be_visible()
    frames.clear()
    server.start()
    expect(page.get_by_text("no alarms")).to_be_visible()
    frames.wait_for_live(page, "alpha")
    wait_until_it_moves(page)
    assert is_marked(page)


def test_a_page_survives_a_killed_daemon(page: Page, make_bench: BenchMaker, make_server: ServerMaker) -> None:
    """Without a reload: the page says which bench is away, and shows its boards' new lives by itself."""
    bench = make_bench("lab")
    server = make_server(bench)
    frames = PageFrames(page)
    page.goto(server.address)
    wait_until_it_moves(page)
    mark(page)
    boots = {header["boot"] for _, header in frames.headers}
    bench.kill()
    expect(page.get_by_text("lab: away")).to_be_visible()
    bench.start()
    expect(page.get_by_text("no alarms")).to_be_visible()
    frames.wait_for_live(page, "alpha")
    assert frames.headers[-1][1]["boot"] not in boots
    wait_until_it_moves(page)
    assert is_marked(page)


def test_a_page_that_wakes_shows_now_within_a_second_and_no_backlog(
    chromium: Browser, page: Page, make_server: ServerMaker, shared_bench: DaemonProcess, complaints: Complaints
) -> None:
    """A laptop that slept: all of the browser stands still until the server has held back seven seconds of frames."""
    complaints.expect(RECONNECTING)
    server = make_server(shared_bench)
    frames = PageFrames(page)
    page.goto(server.address)
    wait_until_it_moves(page)
    frames.wait_for_live(page, "alpha")
    devtools = chromium.new_browser_cdp_session()
    pids = [entry["id"] for entry in devtools.send("SystemInfo.getProcessInfo")["processInfo"]]
    frames.clear()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        slept_ms = -boottime_ms()
        wait_skipped(server, n_frames=175)
        slept_ms += boottime_ms()
    finally:
        woke_ms = boottime_ms()
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)
    frames.wait_for_live(page, "alpha")
    live_ms = next(t_ms for t_ms, header in frames.headers if t_ms - end_ms(header) < LIVE_MS)
    assert live_ms - woke_ms < 1000 * float(os.environ.get("SPIKEDAQ_SLACK", "1"))
    old = [header for t_ms, header in frames.headers if end_ms(header) < woke_ms - 1000]
    # What was on the way when it fell asleep: 0.75 s of frames (viewer.py), and what the sockets hold.
    assert len(old) < 40, f"{len(old)} frames were kept for a page that slept {slept_ms:.0f} ms"
    wait_until_it_moves(page)


def wait_skipped(server: PageProcess, n_frames: int) -> None:
    """Wait until the server has kept so many frames from pages that do not read."""
    wait_for(f"{n_frames} skipped frames", lambda: server.health()["skipped"] >= n_frames, 60)
