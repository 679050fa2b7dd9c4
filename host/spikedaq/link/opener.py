"""One function opens every link."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import MappingProxyType

from spikedaq.link.base import Link
from spikedaq.link.fault import open_fault
from spikedaq.link.ports import open_pty, open_serial
from spikedaq.link.replay import open_replay
from spikedaq.link.sim import open_sim
from spikedaq.link.tcp import open_tcp
from spikedaq.link.url import LinkUrl, parse_url

_OPENERS: MappingProxyType[str, Callable[[LinkUrl], Awaitable[Link]]] = MappingProxyType(
    {"serial": open_serial, "pty": open_pty, "tcp": open_tcp, "sim": open_sim, "replay": open_replay}
)


async def open_link(url: str) -> Link:
    """Open a link by its URL.

    Parameters
    ----------
    url : str
        ``serial:/dev/ttyUSB0?baud=500000`` (or ``auto``, the default), ``tcp:host:port``, ``pty:/path`` or
        ``sim:NAME?preset=0&rate=10000&seed=1&param.i_clamp=15`` or
        ``replay:FOLDER?speed=1``; or any of them behind ``fault:flip=1e-5,seed=7;``.

    Raises
    ------
    LinkOpenError
        A URL that makes no sense, or a port, address or program that is absent, busy, not permitted or not what it
        should be. The text names it and says what to do.
    """
    return await _open(parse_url(url))


async def _open(url: LinkUrl) -> Link:
    if url.inner is not None:
        return await open_fault(url, _open)
    return await _OPENERS[url.scheme](url)
