"""What a page receives on its websocket, read by the test beside the page."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, WebSocket

from harness import START_S
from spikedaq.scope.frames import decode_bins

LIVE_MS = 500.0
"""A page that gets nothing newer than this shows the past."""


class PageFrames:
    """Listens to all websockets of a page; make it before the page is opened.

    Attributes
    ----------
    headers : list of (float, dict)
        CLOCK_BOOTTIME in milliseconds when the test saw it, and header, of each frame with bins.
    texts : list of dict
        Everything else.
    """

    def __init__(self, page: Page) -> None:
        self.headers: list[tuple[float, dict[str, Any]]] = []
        self.texts: list[dict[str, Any]] = []
        page.on("websocket", self._listen)

    def newest_age_ms(self, device: str) -> float:
        """How old the newest sample of a device is that the page has; infinite where it has none with a time."""
        for _, header in reversed(self.headers):
            if header["device"] == device and "past" not in header and header["t_ms"] is not None:
                return boottime_ms() - end_ms(header)
        return float("inf")

    def wait_for_live(self, page: Page, device: str, age_ms: float = LIVE_MS) -> None:
        """Wait until the page has samples of a device that are younger than this."""
        ages: list[float] = []

        def is_live() -> bool:
            ages.append(self.newest_age_ms(device))
            return ages[-1] < age_ms

        try:
            wait_in(page, f"live data of {device}", is_live)
        except AssertionError as error:
            last = self.headers[-1] if self.headers else None
            raise AssertionError(
                f"{error}; ages in ms: {[f'{age:.0f}' for age in ages[::50]]}, last frame {last}"
            ) from None

    def clear(self) -> None:
        """Forget what came so far."""
        self.headers.clear()
        self.texts.clear()

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._take)

    def _take(self, payload: str | bytes) -> None:
        if isinstance(payload, str):
            self.texts.append(json.loads(payload))
        else:
            self.headers.append((boottime_ms(), decode_bins(payload)[0]))


def end_ms(header: dict[str, Any]) -> float:
    """Time of the end of a frame's newest bin that is whole, on the daemon's CLOCK_BOOTTIME."""
    newest = ((header["first"] + header["count"] - 1) << header["level"]) if header["count"] else header["step"]
    return header["t_ms"] + (newest - header["step"]) * header["step_us"] / 1000


def boottime_ms() -> float:
    """Now."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) / 1e6


def wait_in(page: Page, what: str, condition: Callable[[], object], timeout_s: float = START_S) -> None:
    """Wait until ``condition`` is true, while the page's events are taken."""
    end = time.monotonic() + timeout_s
    while not (last := condition()):
        assert time.monotonic() < end, f"waited {timeout_s} s in vain for {what}; last: {last!r}"
        page.wait_for_timeout(40)


SCOPE = ".panes canvas.moving"
"""Canvas of the scope's topmost pane on which traces are drawn; axes have one of their own."""


def canvas_image(page: Page, canvas: str = SCOPE) -> str:
    """Return what the first such canvas shows, as a data URL."""
    image: str = page.locator(canvas).first.evaluate("canvas => canvas.toDataURL()")
    return image


def wait_until_it_moves(page: Page, canvas: str = SCOPE, n_images: int = 4) -> None:
    """Wait until the first such canvas has shown so many different images, one after the other."""
    seen: list[str] = []

    def has_moved() -> bool:
        image = canvas_image(page, canvas)
        if image not in seen:
            seen.append(image)
        return len(seen) >= n_images

    page.locator(canvas).first.wait_for()
    wait_in(page, f"{n_images} different images on {canvas}", has_moved)
