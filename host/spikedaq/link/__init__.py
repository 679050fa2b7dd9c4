"""Byte transports by URL. The only room that knows serial ports, pseudo-terminals, sockets and the virtual device."""

from spikedaq.link.base import Link, host_now_ns
from spikedaq.link.finder import PortFinder
from spikedaq.link.opener import open_link
from spikedaq.link.sim import find_device_program
from spikedaq.link.url import LinkUrl, parse_url

__all__ = ["Link", "LinkUrl", "PortFinder", "find_device_program", "host_now_ns", "open_link", "parse_url"]
