"""Which ports there are that may lead to a board: serial ports by their USB ids, and links that somebody named.

Looking costs a tenth of a millisecond where nothing has changed since the last look, so that looking once a second
needs no udev: the names and inodes of /dev/tty* tell, and only when they differ are the USB ids read anew (a
millisecond, and some more per port).
"""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from serial.tools import list_ports

from spikedaq.link.url import LinkUrl, parse_url


@dataclass(frozen=True, slots=True)
class FoundPort:
    """One port that may lead to a board.

    Attributes
    ----------
    url : str
        What opens it.
    key : str
        Another one once something else is plugged in under the same name.
    usb : str
        ``vendor:product``, or "" where it is no USB port.
    description : str
        What the port says of itself, for people.
    """

    url: str
    key: str
    usb: str = ""
    description: str = ""


class ListedPort(Protocol):
    """What `serial.tools.list_ports` says of a port."""

    device: str
    vid: int | None
    pid: int | None
    serial_number: str | None
    description: str


class PortScanner:
    """Lists ports.

    Parameters
    ----------
    list_serial : callable, optional
        Lists all serial ports; another one in tests.
    """

    def __init__(self, list_serial: Callable[[], Iterable[ListedPort]] | None = None) -> None:
        self._list_serial = list_serial
        self._signature: frozenset[tuple[str, int]] | None = None
        self._listed: list[ListedPort] = []

    def scan(self, usb: Sequence[str], links: Sequence[str]) -> list[FoundPort]:
        """Return the ports there are now; for a thread.

        Parameters
        ----------
        usb : sequence of str
            ``vendor:product`` of USB ports to list, ``*`` for any product.
        links : sequence of str
            URLs of further links; a pattern stands for every port that matches.
        """
        found: dict[str, FoundPort] = {}
        for port in self._serial_ports():
            if port.vid is None:
                continue
            usb_id = f"{port.vid:04x}:{port.pid or 0:04x}"
            if any(fnmatch.fnmatchcase(usb_id, pattern.lower()) for pattern in usb):
                key = f"{port.device} {_inode(port.device)} {usb_id} {port.serial_number or ''}"
                description = "" if port.description in ("n/a", None) else port.description
                found[port.device] = FoundPort(f"serial:{port.device}", key, usb_id, description)
        for link in links:
            for url in _expanded(parse_url(link)):
                target = parse_url(url).target
                found.setdefault(os.path.realpath(target), FoundPort(url, f"{target} {_inode(target)}"))
        return list(found.values())

    def _serial_ports(self) -> list[ListedPort]:
        if self._list_serial is not None:
            return list(self._list_serial())
        with os.scandir("/dev") as entries:
            signature = frozenset((e.name, e.inode()) for e in entries if e.name.startswith(("tty", "cu.", "rfcomm")))
        if signature != self._signature:
            self._listed, self._signature = list(list_ports.comports()), signature
        return self._listed


def covers(url: str, port_url: str) -> bool:
    """Whether a configured link URL stands for a port that was found, maybe under another name."""
    mine, other = parse_url(url), parse_url(port_url)
    mine = mine.inner or mine
    if mine.scheme == "tcp" or other.scheme == "tcp":
        return mine.scheme == other.scheme and mine.target == other.target
    if mine.scheme not in ("serial", "pty"):
        return False
    if mine.is_pattern:
        return fnmatch.fnmatchcase(other.target, mine.target)
    return os.path.realpath(mine.target) == os.path.realpath(other.target)


def _expanded(url: LinkUrl) -> list[str]:
    if not url.is_pattern:
        there = url.scheme not in ("serial", "pty") or Path(url.target).exists()
        return [url.text] if there else []
    options = url.text.partition("?")[2]
    paths = sorted(glob.glob(url.target))  # noqa: PTH207  an absolute pattern, which Path.glob refuses
    # What a symbolic link to a pseudo-terminal that is gone leads to cannot be opened, and is not there.
    return [f"{url.scheme}:{path}" + (f"?{options}" if options else "") for path in paths if Path(path).exists()]


def _inode(path: str) -> str:
    try:
        found = Path(path).stat()
    except OSError:
        return ""
    return f"{found.st_ino}.{found.st_rdev}"
