"""Finding out what a fresh link leads to: a spikedaq board, a board with a stock firmware, or neither.

A spikedaq board is asked and answers. Only where it does not, and where what comes by itself is a stock dialect beyond
doubt, is the link handed to a translator. Whatever is tried leaves a slow spikedaq board unharmed: a line feed (which
ends what earlier bytes have left in a stock board's 32-character command buffer) is one more bad frame to it, and the
baud rate changes on the open port, without the reset that opening it again would cause.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from spikedaq.device.identify import Identification
from spikedaq.device.seams import Timing
from spikedaq.device.stock_link import StockLink
from spikedaq.device.translate import Translator
from spikedaq.link import AUTO, NO_DIALECT, Link, LinkUrl, PortIdentity, host_now_ns, parse_url, port_identity
from spikedaq.model import LinkOpenError
from spikedaq.stock import BAUDS, Dialect, Recogniser, Verdict, dialect_named
from spikedaq.wire import Hello, HelloRequest, encode_frame, encode_message

_SNIFFED = ("serial", "pty", "tcp")
_ID_PREFIX = b"stk"

log = structlog.get_logger(__name__)


class Ears(Protocol):
    """What greeting needs of a device."""

    def take_over(self, link: Link) -> None:
        """Start a link with the device's own callbacks."""

    def check_lost(self) -> None:
        """Raise if the link is lost."""


async def greet(link: Link, found: Identification, ears: Ears, timing: Timing) -> tuple[Link, Hello | None]:
    """Identify what is on a started link.

    Parameters
    ----------
    link : Link
        Started; its bytes go to ``found``.
    found : Identification
    ears : Ears
    timing : Timing

    Returns
    -------
    link : Link
        The one to use: the same, or a `StockLink` on it, from which ``found`` then has the hello.
    hello : Hello or None
        None where nothing was identified.

    Raises
    ------
    LinkLostError
    """
    url = _parsed(link.url)
    wish = url.option("dialect", AUTO) if url else NO_DIALECT
    forced = None if wish in (AUTO, NO_DIALECT) else dialect_named(wish)
    identity = (
        await asyncio.to_thread(port_identity, url) if url and wish != NO_DIALECT else PortIdentity(link.url, None)
    )
    for number, baud in enumerate(_bauds(link, url, forced)):
        if number:
            _set_baud(link, baud)
            found.forget()
        if baud is not None:
            found.tried.append(baud)
        recogniser = Recogniser(usb_vendor=identity.usb_vendor, forced=forced)
        if wish != NO_DIALECT:
            found.watch = _watcher(recogniser)
        patience_s = timing.other_baud_s if number else timing.identify_s
        after = 0 if forced else timing.stock_after
        if await _ask(link, found, ears, timing, patience_s=patience_s, is_clear=_clear(recogniser, after)):
            return link, found.hello
        dialect = recogniser.dialect
        if dialect is not None and recogniser.verdict is Verdict.RECOGNISED:
            stock = _translated(link, dialect, identity, recogniser)
            log.info("stock board recognised", link=link.detail, dialect=dialect.name, baud=baud)
            found.forget()
            ears.take_over(stock)
            await _arrived(found, timing.stock_ready_s)
            ears.check_lost()
            return stock, found.hello
    found.watch = None
    return link, None


def stock_id(identity: PortIdentity) -> bytes:
    """Return the unique id of a stock board, which has none of its own: a hash of what its port is known by."""
    return _ID_PREFIX + hashlib.blake2s(identity.text.encode(), digest_size=5).digest()


def _translated(link: Link, dialect: Dialect, identity: PortIdentity, recogniser: Recogniser) -> StockLink:
    translator = Translator(
        dialect,
        unique_id=stock_id(identity),
        t_ns=host_now_ns(),
        draw_boot_id=lambda: secrets.randbits(32),
        scale=recogniser.scale.scale,
    )
    return StockLink(link, translator)


async def _ask(
    link: Link,
    found: Identification,
    ears: Ears,
    timing: Timing,
    *,
    patience_s: float,
    is_clear: Callable[[int], bool],
) -> bool:
    """Say hello? until a hello comes (True), ``is_clear(number of hellos unanswered)``, or patience ends."""
    # The zero ends whatever the line noise of plugging in has begun at the device.
    link.write(b"\0")
    for number in range(max(1, round(patience_s / timing.hello_period_s))):
        if number and number == timing.stock_after:
            link.write(b"\n\0")
        link.write(encode_frame(encode_message(HelloRequest())))
        if await _arrived(found, timing.hello_period_s):
            return True
        ears.check_lost()
        if is_clear(number + 1):
            return False
    ears.check_lost()
    return False


def _watcher(recogniser: Recogniser) -> Callable[[bytes, int], None]:
    def watch(data: bytes, _: int) -> None:
        recogniser.feed(data)

    return watch


def _clear(recogniser: Recogniser, least: int) -> Callable[[int], bool]:
    def is_clear(unanswered: int) -> bool:
        return unanswered >= least and recogniser.verdict is not Verdict.NOT_YET

    return is_clear


async def _arrived(found: Identification, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await found.arrived.wait()
    except TimeoutError:
        return False
    return True


def _parsed(text: str) -> LinkUrl | None:
    """Return the URL where a stock board may be behind it."""
    try:
        url = parse_url(text)
    except LinkOpenError:
        return None
    url = url.inner or url  # a bad cable changes nothing about who is at its end
    return url if url.scheme in _SNIFFED else None


def _bauds(link: Link, url: LinkUrl | None, forced: Dialect | None) -> Sequence[int | None]:
    present = getattr(link, "baud", None)
    if present is None or url is None or url.option("baud", AUTO) != AUTO:
        return (present,)
    likely = forced.bauds if forced else BAUDS
    return (present, *(baud for baud in likely if baud != present))


def _set_baud(link: Link, baud: int | None) -> None:
    set_baud = getattr(link, "set_baud", None)
    if set_baud is None or baud is None:
        return
    try:
        set_baud(baud)
    except LinkOpenError as error:
        log.info("baud rate skipped", reason=str(error))
