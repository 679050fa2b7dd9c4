"""The one address that the students of a class need: of what they may look at and not change."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from spikedaq.cli.qr import qr_lines


@dataclass(frozen=True, slots=True)
class StudentsAddress:
    """What students may be given.

    Attributes
    ----------
    page : str or None
        The page, with their token, which lets them watch and no more; None where none is served.
    with_key : tuple of str
        Control endpoints of the benches that demand keys: an observer's lets nobody change anything. To a bench without
        keys everybody who reaches it may do everything, so that its endpoint is nothing for students.
    """

    page: str | None
    with_key: tuple[str, ...] = ()

    def to_map(self) -> dict[str, Any]:
        """Return it for scripts."""
        return {"address": self.page, "page": self.page, "with_key": list(self.with_key)}


def is_local(address: str) -> bool:
    """Tell whether an address can be reached from its own computer only."""
    if not address.startswith(("tcp://", "http://", "https://")):
        return True
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        return False
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


def print_address(address: StudentsAddress, *, with_qr: bool) -> None:
    """Print it, and its QR code where that is wanted and can be made."""
    if address.page is not None:
        _print_page(address.page, with_qr=with_qr)
        return
    if not address.with_key:
        print("there is no address for students yet: a bench without keys obeys everybody who reaches it")
    for line in observers_lines(address.with_key):
        print(line)
    print("  (for a page that all may watch and nobody can change anything with: spikedaq class serve --read-only)")


def observers_lines(urls: Sequence[str]) -> list[str]:
    """Return what to tell those who have an observer's key."""
    if not urls:
        return []
    remark = "  (only from this computer)"
    lines = ["observers with a key watch with: spikedaq watch --url ADDRESS, which is"]
    return [*lines, *(f"  {url}{remark if is_local(url) else ''}" for url in urls)]


def _print_page(page: str, *, with_qr: bool) -> None:
    print(f"students watch at: {page}")
    if is_local(page):
        print("  (only from this computer: for others serve it with --listen 0.0.0.0:5580)")
    for line in qr_lines(page) if with_qr else ():
        print(line)
