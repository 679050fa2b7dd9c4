"""The one address that the students of a class need."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from spikedaq.cli.lesson_page import served_page
from spikedaq.cli.qr import qr_lines


def students_address(urls: Sequence[str], *, any_page: bool = False) -> str:
    """Return the one address that students need.

    This is the page of `spikedaq class serve`, where one that shows these benches is served on this computer; else the
    control endpoint of the first bench, which observers may use with `spikedaq watch`.

    Parameters
    ----------
    urls : sequence of str
        Control endpoints of the benches.
    any_page : bool
        Nobody has named the benches: whatever page is served.
    """
    page = served_page(None if any_page else urls)
    return urls[0] if page is None else page.address


def is_page(address: str) -> bool:
    """Tell whether an address is one for browsers."""
    return address.startswith(("http://", "https://"))


def is_local(address: str) -> bool:
    """Tell whether an address can be reached from its own computer only."""
    if not address.startswith("tcp://") and not is_page(address):
        return True
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        return False
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


def print_address(address: str, *, with_qr: bool) -> None:
    """Print it, and its QR code where that is wanted and can be made."""
    print(f"students watch at: {address}")
    if is_local(address):
        remedy = "bind an address of the network, with keys: spikedaq keys"
        if is_page(address):
            remedy = "serve it with --listen 0.0.0.0:5580"
        print(f"  (only from this computer: for others {remedy})")
    for line in qr_lines(address) if with_qr else ():
        print(line)
