"""The one address that the students of a class need."""

from __future__ import annotations

import ipaddress

from spikedaq.cli.qr import qr_lines


def students_address(urls: list[str]) -> str:
    """Return the one address that students need.

    This is the control endpoint of the first bench, which observers may use with `spikedaq watch`; for browsers there
    is `spikedaq class serve`, which prints its own.
    """
    return urls[0]


def is_local(address: str) -> bool:
    """Tell whether an endpoint can be reached from its own computer only."""
    if not address.startswith("tcp://"):
        return True
    host = address.removeprefix("tcp://").rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


def print_address(address: str, *, with_qr: bool) -> None:
    """Print it, and its QR code where that is wanted and can be made."""
    print(f"students watch at: {address}")
    if is_local(address):
        print("  (only from this computer: for others bind an address of the network, with keys: spikedaq keys)")
    for line in qr_lines(address) if with_qr else ():
        print(line)
