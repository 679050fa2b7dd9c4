"""Debian's Chromium for tests: where it is, how it is started, what it complains about, pictures of its pages."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Container
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
Size = Literal["small", "medium", "large"]
SIZES: dict[Size, tuple[int, int]] = {"small": (1024, 768), "medium": (1280, 800), "large": (1920, 1080)}
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


SETTLED = """() => new Promise(settled => {
  let frames = 6;
  const next = () => frames-- > 0 ? requestAnimationFrame(next) : setTimeout(settled);
  next();
})"""
"""Colours, then components, then what they draw: each a frame or two later than the one before."""
REPLACE = """shown => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode())
    for (const [text, other] of Object.entries(shown)) {
      const { data } = texts.currentNode;
      if (data.includes(text)) texts.currentNode.data = data.replaceAll(text, other);
    }
}"""


def resize(page: Page, size: Size, theme: Theme = "light") -> None:
    """Show the page at one of the `SIZES`, light or dark; it is drawn so when this returns."""
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=theme)
    page.evaluate(SETTLED)


def picture(page: Page | Locator, name: str, shown: dict[str, str] | None = None) -> None:
    """Take a picture where SPIKEDAQ_SCREENSHOTS=1, and keep it as docs/images/NAME.png, which must be small.

    ``shown`` says what to show instead of texts that are the test's own, such as its folder.
    """
    if os.environ.get("SPIKEDAQ_SCREENSHOTS") != "1":
        return
    if shown:
        (page.page if isinstance(page, Locator) else page).evaluate(REPLACE, shown)
    data = page.screenshot(animations="disabled", caret="hide")
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert len(data) < MAX_PICTURE_BYTES, (
        f"the picture {name} has {len(data)} bytes, more than a repository should keep"
    )
    IMAGES.mkdir(parents=True, exist_ok=True)
    (IMAGES / f"{name}.png").write_bytes(data)


def fits_every_screen(page: Page, name: str, fits: Callable[[], object], kept: Container[Size] = tuple(SIZES)) -> None:
    """Show the page at each of the `SIZES`, light and dark, see that it fits, and take pictures NAME-WIDTH-THEME.

    ``kept`` are the sizes of which pictures are taken; larger ones of some views have too many bytes.
    """
    themes: tuple[Theme, ...] = ("light", "dark")
    for theme in themes:
        for size, (width, _) in SIZES.items():
            resize(page, size, theme)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is wider than {width}"
            fits()
            if size in kept:
                picture(page, f"{name}-{width}-{theme}")
    resize(page, "medium", "light")
