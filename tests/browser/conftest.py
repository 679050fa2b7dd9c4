"""The page in a real browser: Debian's Chromium, driven by Playwright, on real daemons with virtual boards.

Playwright's synchronous interface keeps an event loop running in this thread: what a test does with asyncio itself
belongs into another thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from harness import START_S, DaemonProcess, wait_for
from helpers.chromium import ARGUMENTS, MISSING, SIZES, Complaints, find_chromium
from helpers.page_server import BenchMaker, PageProcess, ServerMaker
from spikedaq.link import find_device_program
from spikedaq.model import LinkOpenError
from spikedaq.scope.app import PAGE

VIEWER_TOKEN = "viewer-" + "v" * 16
CONTROLLER_TOKEN = "controller-" + "c" * 16
RATE_HZ = 10_000
expect.set_options(timeout=1000 * START_S)


def demo_devices(prefix: str = "") -> dict[str, str]:
    """Links of the boards of `spikedaq demo`, which spike."""
    return {
        f"{prefix}alpha": f"sim:{prefix}alpha?preset=0&param.i_clamp=15&seed=1&rate={RATE_HZ}",
        f"{prefix}beta": f"sim:{prefix}beta?preset=2&param.i_clamp=15&param.noise_sd=1&seed=2&rate={RATE_HZ}",
    }


def wait_until_running(bench: DaemonProcess) -> None:
    """Wait for all its boards."""
    wait_for(
        f"the boards of {bench.bench}",
        lambda: [entry["state"] for entry in bench.call("list")] == ["running"] * len(bench.devices),
        START_S,
    )


@pytest.fixture(scope="session", autouse=True)
def _needed() -> None:
    """Say at once what is not installed."""
    try:
        find_device_program()
    except LinkOpenError as error:
        pytest.exit(str(error), 1)
    if not (PAGE / "index.html").exists():
        pytest.exit(
            f"the page is not in {PAGE.parent}: install Node.js 20 or newer with npm (Debian: "
            "sudo apt-get install nodejs npm), then: make page .venv/.installed",
            1,
        )


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Playwright's driver."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """The browser, one for all tests."""
    program = find_chromium()
    if program is None:
        pytest.exit(MISSING, 1)
    browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def shared_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """The demo's bench, called demo, with alpha and beta; one for all tests, so leave it as it was."""
    data = tmp_path_factory.mktemp("demo-bench") / "data"
    with DaemonProcess(data, demo_devices(), bench="demo") as bench:
        wait_until_running(bench)
        yield bench


@pytest.fixture(scope="session")
def shared_server(shared_bench: DaemonProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageProcess]:
    """A page server of the shared bench, without tokens, as on one's own computer."""
    with PageProcess([shared_bench.url], tmp_path_factory.mktemp("scope") / "scope.log") as server:
        yield server


@pytest.fixture(scope="session")
def guarded_server(shared_bench: DaemonProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageProcess]:
    """A page server of the shared bench that asks for tokens, as off loopback."""
    tokens = {"viewer_token": VIEWER_TOKEN, "controller_token": CONTROLLER_TOKEN}
    with PageProcess([shared_bench.url], tmp_path_factory.mktemp("guarded") / "scope.log", **tokens) as server:
        yield server


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[BenchMaker]:
    """Return a function that starts a bench of the test's own; ``devices`` are those of the demo, ``running`` waits."""
    with ExitStack() as stack:

        def make(
            name: str = "demo", devices: dict[str, str] | None = None, *, running: bool = True, config: str = ""
        ) -> DaemonProcess:
            links = demo_devices() if devices is None else devices
            bench = stack.enter_context(DaemonProcess(tmp_path / f"bench-{name}", links, bench=name, config=config))
            if running:
                wait_until_running(bench)
            return bench

        yield make


@pytest.fixture
def make_server(tmp_path: Path, make_bench: BenchMaker) -> Iterator[ServerMaker]:
    """Return a function that starts a page server of the test's own, for benches or URLs; options as `PageProcess`."""
    _ = make_bench  # benches end after their servers
    with ExitStack() as stack:
        made = 0

        def make(*benches: DaemonProcess | str, tokens: bool = False, **options: object) -> PageProcess:
            nonlocal made
            made += 1
            if tokens:
                options |= {"viewer_token": VIEWER_TOKEN, "controller_token": CONTROLLER_TOKEN}
            urls = [bench if isinstance(bench, str) else bench.url for bench in benches]
            return stack.enter_context(PageProcess(urls, tmp_path / f"scope-{made}.log", **options))

        yield make


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    """What pages of this test complain about; at its end there must be nothing that it did not `expect`."""
    found = Complaints()
    yield found
    assert found.unexpected == [], "the page complained in its console"


@pytest.fixture
def context(chromium: Browser, complaints: Complaints, make_server: ServerMaker) -> Iterator[BrowserContext]:
    """A browser profile of the test's own; all its pages are listened to."""
    _ = make_server  # servers end after their pages, which would complain
    width, height = SIZES["medium"]
    fresh = chromium.new_context(
        viewport={"width": width, "height": height}, color_scheme="light", accept_downloads=True
    )
    fresh.on("page", complaints.of)
    yield fresh
    fresh.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """An empty page at 1280x800, light; errors in its console fail the test."""
    return context.new_page()


@pytest.fixture
def scope_page(page: Page, shared_server: PageProcess) -> Page:
    """The page of the shared bench, connected, on its scope."""
    page.goto(shared_server.address)
    expect(page.get_by_text("no alarms")).to_be_visible()
    return page
