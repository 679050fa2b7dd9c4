"""Byte transports by URL. The only room that knows serial ports, pseudo-terminals, sockets and the virtual device."""

from spikedaq.link.base import Link, host_now_ns
from spikedaq.link.finder import AssignedPort, Finder, PortFinder
from spikedaq.link.opener import open_link
from spikedaq.link.ports import PortIdentity, port_identity
from spikedaq.link.scan import FoundPort, PortScanner, covers
from spikedaq.link.sim import find_device_program
from spikedaq.link.url import AUTO, NO_DIALECT, LinkUrl, pace_of, parse_url

__all__ = [
    "AUTO",
    "NO_DIALECT",
    "AssignedPort",
    "Finder",
    "FoundPort",
    "Link",
    "LinkUrl",
    "PortFinder",
    "PortIdentity",
    "PortScanner",
    "covers",
    "find_device_program",
    "host_now_ns",
    "open_link",
    "pace_of",
    "parse_url",
    "port_identity",
]
