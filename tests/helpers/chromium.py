"""Debian's Chromium for tests: where it is, how it is started, what it complains about, pictures of its pages."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Literal

from playwright.sync_api import ConsoleMessage, Error, Locator, Page

ARGUMENTS = [
    "--headless",
    "--no-sandbox",  # tests run as root in containers, and load nothing but our own page
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",  # containers have 64 MB there
]
SIZES = {"small": (1024, 768), "medium": (1280, 800), "large": (1920, 1080)}
Size = Literal["small", "medium", "large"]
Theme = Literal["light", "dark"]
MAX_PICTURE_BYTES = 150_000
IMAGES = Path(__file__).parents[2] / "docs" / "images"
MISSING = "Chromium is missing. Install it:  sudo apt-get install chromium  (or name one with SPIKEDAQ_CHROMIUM)"

RECONNECTING = r"WebSocket connection to .* failed|net::ERR_CONNECTION_REFUSED|WebSocket is closed before"
"""What Chromium says while a server is away."""


def find_chromium() -> str | None:
    """Find it: $SPIKEDAQ_CHROMIUM, else Debian's, else any on the PATH."""
    named = os.environ.get("SPIKEDAQ_CHROMIUM")
    if named:
        return named
    return "/usr/bin/chromium" if os.access("/usr/bin/chromium", os.X_OK) else shutil.which("chromium")


class Complaints:
    """Errors that pages of one test wrote to their consoles or did not catch."""

    def __init__(self) -> None:
        self._expected: list[str] = []
        self._all: list[str] = []

    def of(self, page: Page) -> None:
        """Listen to a page."""
        page.on("console", self._take)
        page.on("pageerror", lambda error: self._all.append(f"not caught: {_text(error)}"))

    def expect(self, pattern: str) -> None:
        """Complaints that match are what the test provokes."""
        self._expected.append(pattern)

    @property
    def unexpected(self) -> list[str]:
        """All others."""
        return [text for text in self._all if not any(re.search(pattern, text) for pattern in self._expected)]

    def _take(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "assert"):
            self._all.append(f"{message.text} ({message.location.get('url', '')})")


def _text(error: Error) -> str:
    return f"{error.message}\n{error.stack or ''}"


def resize(page: Page, size: Size, theme: Theme = "light") -> None:
    """Show the page at one of the `SIZES`, light or dark."""
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=theme)


def picture(page: Page | Locator, name: str) -> None:
    """Take a picture; it is kept as docs/images/NAME.png where SPIKEDAQ_SCREENSHOTS=1, and must be small always."""
    data = page.screenshot(animations="disabled", caret="hide")
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert len(data) < MAX_PICTURE_BYTES, (
        f"the picture {name} has {len(data)} bytes, more than a repository should keep"
    )
    if os.environ.get("SPIKEDAQ_SCREENSHOTS") == "1":
        IMAGES.mkdir(parents=True, exist_ok=True)
        (IMAGES / f"{name}.png").write_bytes(data)
