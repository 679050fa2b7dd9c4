"""Where the port of a device is now: ports are renamed when a board is replugged, and some are named by a pattern."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Protocol
from urllib.parse import urlencode

from serial.tools import list_ports

from spikedaq.link.url import LinkUrl, parse_url
from spikedaq.model import LinkOpenError

UsbIdentity = tuple[int, int, str | None]
"""Vendor, product, and the serial number where the adapter has one (a CH340 has none)."""


class Finder(Protocol):
    """Says where a device may be.

    Attributes
    ----------
    unique_id : str or None
        The board that must answer, as lower-case hex.
    is_pattern : bool
        Whether it stands for more than one port.
    """

    @property
    def unique_id(self) -> str | None:
        """The board that must answer."""

    @property
    def is_pattern(self) -> bool:
        """Whether it stands for more than one port."""

    def candidates(self) -> list[str]:
        """Return URLs to try, in this order, or raise `LinkOpenError`; for a thread."""

    def found(self, url: str) -> None:
        """Take note of where the device is."""


class AssignedPort:
    """Says where a board is that somebody else looks for, and tells this here.

    Attributes
    ----------
    url : str or None
        Where it is now.
    """

    is_pattern = False

    def __init__(self, unique_id: str) -> None:
        self.unique_id: str | None = unique_id
        self.url: str | None = None

    def candidates(self) -> list[str]:
        """Return the port it was found on."""
        if self.url is None:
            raise LinkOpenError(
                f"board {self.unique_id} has not been found; plug it in (`spikedaq devices` shows what is)",
                url=f"id:{self.unique_id}",
            )
        return [self.url]

    def found(self, url: str) -> None:
        """Nothing to do: who assigned the port knows."""


class PortFinder:
    """Says which links may lead to a device, the likeliest first.

    Parameters
    ----------
    url : str
        As configured. A pattern (``pty:/run/bench/*``, ``serial:/dev/ttyUSB*``) stands for every port that matches;
        ``serial:/dev/ttyUSB0`` for that port and, while it is absent, for one with the USB identity of the board that
        was last found there. Which of several ports is the device's the board itself must say (its unique id).
    unique_id : str, optional
        As ``id=`` in the URL.
    """

    def __init__(self, url: str, unique_id: str | None = None) -> None:
        self.url = url
        self._unique_id = unique_id
        try:
            self._parsed: LinkUrl | None = parse_url(url)
        except LinkOpenError:
            self._parsed = None  # whoever opens it says what is wrong with it
        self._last: str | None = None
        self._usb: UsbIdentity | None = None

    @property
    def unique_id(self) -> str | None:
        """The board that the URL asks for (``id=``), as lower-case hex."""
        if self._unique_id is not None:
            return self._unique_id
        value = self._parsed.option("id", "") if self._parsed and self._parsed.scheme != "sim" else ""
        return value.lower() or None

    @property
    def is_pattern(self) -> bool:
        """Whether the URL names more than one port."""
        return self._parsed is not None and self._parsed.is_pattern

    def candidates(self) -> list[str]:
        """Return URLs to try, in this order.

        Raises
        ------
        LinkOpenError
            A pattern that nothing matches.
        """
        parsed = self._parsed
        if parsed is None or parsed.scheme not in ("serial", "pty"):
            return [self.url]
        if parsed.is_pattern:
            paths = sorted(glob.glob(parsed.target))  # noqa: PTH207  an absolute pattern, which Path.glob refuses
            if not paths:
                raise LinkOpenError(f"no port matches {parsed.target}; plug the board in", url=self.url)
            return [_at(parsed, path) for path in sorted(paths, key=self._rank)]
        if parsed.scheme == "serial" and self._usb is not None and not Path(parsed.target).exists():
            moved = [path for path, usb in _usb_ports().items() if usb == self._usb and path != parsed.target]
            return [_at(parsed, path) for path in sorted(moved)] or [self.url]
        return [self.url]

    def found(self, url: str) -> None:
        """Remember where the device is."""
        try:
            parsed = parse_url(url)
        except LinkOpenError:
            return
        if parsed.scheme not in ("serial", "pty"):
            return
        self._last = parsed.target
        if parsed.scheme == "serial":
            self._usb = _usb_ports().get(str(Path(parsed.target).resolve()))

    def _rank(self, path: str) -> tuple[bool, bool]:
        return (path != self._last, self._usb is not None and _usb_ports().get(path) != self._usb)


def _at(parsed: LinkUrl, path: str) -> str:
    options = urlencode(parsed.options)
    return f"{parsed.scheme}:{path}" + (f"?{options}" if options else "")


def _usb_ports() -> dict[str, UsbIdentity]:
    return {p.device: (p.vid, p.pid, p.serial_number) for p in list_ports.comports() if p.vid is not None}
