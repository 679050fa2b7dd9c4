"""Asking what is on a port before anybody knows whose it is, and handing the open link over to whom it concerns.

Opening a port resets most boards, and a Nano is deaf for two seconds then: it is opened once, and nothing that came
since is lost to the device that takes it over.
"""

from __future__ import annotations

from spikedaq.device.greet import greet
from spikedaq.device.identify import Identification
from spikedaq.device.seams import Timing
from spikedaq.device.stock_link import StockLink
from spikedaq.link import Link
from spikedaq.link.base import OnBytes, OnLost
from spikedaq.model import LinkLostError, RemoteProtocolError, SpikedaqError
from spikedaq.wire import Hello, check_version


class NotABoard(SpikedaqError):
    """What is on the port cannot be used; the text says why."""


class HeldLink:
    """An open `Link` between the probe and the device that is to use it; what comes meanwhile is kept.

    Attributes
    ----------
    hello : Hello
        What answered.
    """

    def __init__(self, link: Link, hello: Hello, found: Identification | None) -> None:
        self.url = link.url
        self.detail = link.detail
        self.hello = hello
        self.lost: LinkLostError | None = None
        self._link = link
        self._found = found or Identification()
        self._keeps = found is not None
        link.start(self._keep, self._note_lost)

    @property
    def baud(self) -> int | None:
        """Present baud rate; None where the link has none."""
        return getattr(self._link, "baud", None)

    def set_baud(self, baud: int) -> None:
        """Go on at another baud rate, on a link that has one."""
        set_baud = getattr(self._link, "set_baud", None)
        if set_baud is not None:
            set_baud(baud)

    def start(self, on_bytes: OnBytes, on_lost: OnLost) -> None:
        """Begin to deliver, with all that has come since the port was opened."""
        chunks = list(self._found.chunks)
        self._found.forget()
        self._link.start(on_bytes, on_lost)
        for data, t_host_ns in chunks:
            on_bytes(data, t_host_ns)
        if self.lost is not None:
            on_lost(self.lost)

    def write(self, data: bytes) -> None:
        """Send, without waiting."""
        self._link.write(data)

    async def close(self) -> None:
        """End it."""
        await self._link.close()

    def _keep(self, data: bytes, t_host_ns: int) -> None:
        if self._keeps:
            self._found.take(data, t_host_ns)

    def _note_lost(self, error: LinkLostError) -> None:
        self.lost = error


class _Ears:
    """What greeting needs of a device."""

    def __init__(self, found: Identification) -> None:
        self._found = found
        self._lost: LinkLostError | None = None

    def take_over(self, link: Link) -> None:
        link.start(self._found.take, self.lose)

    def lose(self, error: LinkLostError) -> None:
        self._lost = error

    def check_lost(self) -> None:
        if self._lost is not None:
            raise self._lost


async def probe(link: Link, timing: Timing) -> HeldLink:
    """Ask who is on an open link.

    Raises
    ------
    NotABoard
        Nobody, something else, or a board whose protocol is another version. The link is closed.
    LinkLostError
        It ended meanwhile.
    """
    found = Identification()
    ears = _Ears(found)
    try:
        ears.take_over(link)
        used, hello = await greet(link, found, ears, timing)
        hello = _usable(hello, link, found, timing)
    except BaseException:
        await link.close()
        raise
    # A stock board is recognised again by its device, from what comes then: its translator keeps no bytes.
    return HeldLink(link, hello, None if isinstance(used, StockLink) else found)


def _usable(hello: Hello | None, link: Link, found: Identification, timing: Timing) -> Hello:
    if hello is None:
        raise NotABoard(found.failure(link.url, timing.identify_s))
    try:
        check_version(hello)
    except RemoteProtocolError as error:
        raise NotABoard(f"{link.detail} cannot be used: {error}") from error
    return hello
