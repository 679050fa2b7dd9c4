"""A subscriber that heals itself: what it missed it fetches from the history; it hands on everything in order, once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from spikedaq.bus import EVENTS, SAMPLES, DeviceOrder, Message, Position, Unavailable, Wanted
from spikedaq.inlet.closing import Closing
from spikedaq.model import RemoteProtocolError, SpikedaqError

if TYPE_CHECKING:
    from spikedaq.inlet.bench import Bench

_POLL_S = 0.25
_EDGE_S = 1.0
"""A hole that no frame ends for so long is healed up to the live edge: the device may have been stopped."""
_RETRY_S = 0.25
_DELETED = "the daemon has deleted it"


class Follower(Closing):
    """One device's blocks and events; iterate over it, in one thread.

    Memory is bounded: messages wait in the subscriber's queue only, and what does not fit there is fetched again.

    Parameters
    ----------
    bench : Bench
    device : str
    since : (boot_id, seq), optional
        `position` of an earlier follower; what came since then is told first.
    patience_s : float
        How long the history may be away (a daemon is being started again, a network is down) before what it should
        tell is given up as `Unavailable`.
    timeout_s : float, optional
        Iteration ends when so many seconds pass without a message.

    Attributes
    ----------
    order : DeviceOrder
        Position and counters.
    """

    def __init__(
        self,
        bench: Bench,
        device: str,
        *,
        since: tuple[int, int] | None = None,
        patience_s: float = 30.0,
        timeout_s: float | None = None,
    ) -> None:
        self.order = DeviceOrder(Position(*since) if since is not None else None)
        self._bench = bench
        self._device = device
        self._patience_s = patience_s
        self._timeout_s = timeout_s
        self._items: Iterator[Message | Unavailable] | None = None
        self._subscriber = bench.subscribe(SAMPLES, EVENTS, devices=[device])

    @property
    def position(self) -> tuple[int, int] | None:
        """Boot and number of the last frame that was handed on; to be kept for another follower's ``since``."""
        return self.order.position

    def next(self, timeout_s: float) -> Message | Unavailable | None:
        """Return the next item, or None where ``timeout_s`` seconds pass without one; not while iterating over it."""
        self._timeout_s = timeout_s
        if self._items is None:
            self._items = iter(self)
        item = next(self._items, None)
        if item is None:
            self._items = None
        return item

    def __iter__(self) -> Iterator[Message | Unavailable]:
        order, quiet_s = self.order, time.monotonic()
        while True:
            message = self._subscriber.recv(_POLL_S if self._timeout_s is None else min(_POLL_S, self._timeout_s))
            now_s = time.monotonic()
            if message is None:
                if self._timeout_s is not None and now_s - quiet_s >= self._timeout_s:
                    return
                if order.has_hole and now_s - quiet_s >= _EDGE_S:
                    yield from self._heal(order.to_the_edge())
                continue
            quiet_s = now_s
            try:
                yield from order.live(message)
            except RemoteProtocolError:
                continue  # not one of ours
            wanted = order.wanted
            if wanted is not None:
                yield from self._heal(wanted)

    def _heal(self, wanted: Wanted) -> Iterator[Message | Unavailable]:
        """Tell what is missing, trying for as long as there is patience; then what waited for it."""
        order = self.order
        give_up_s = time.monotonic() + self._patience_s
        while True:
            try:
                yield from self._past(wanted)
            except SpikedaqError as error:
                if time.monotonic() < give_up_s:
                    time.sleep(_RETRY_S)
                    # What was told by now need not be told again.
                    wanted = order.wanted or order.to_the_edge()
                    continue
                yield from order.failed(str(error))
                return
            yield from order.healed()
            return

    def _past(self, wanted: Wanted) -> Iterator[Message | Unavailable]:
        order = self.order
        with self._bench.history() as history:
            reading = history.read(self._device, after=wanted.after, until_seq=wanted.until, mode=wanted.mode)
            holes_said = 0
            for message in reading:
                if reading.holes > holes_said:
                    order.incomplete(_DELETED)
                    holes_said = reading.holes
                yield from order.past(message)
            if reading.holes > holes_said:
                order.incomplete(_DELETED)

    def close(self) -> None:
        """Unsubscribe; may be called twice."""
        self._subscriber.close()
