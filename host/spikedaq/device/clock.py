"""Pings, and the clock map that comes of them."""

from __future__ import annotations

from collections import OrderedDict

from spikedaq.clock import NOMINAL_NS_PER_TICK, ClockFit, Estimate, UnpacedClock
from spikedaq.model import ClockMap
from spikedaq.wire import Pong

MAX_UNANSWERED = 32
"""Pings remembered; one not answered by then (half a minute) says nothing any more."""


class ClockKeeper:
    """Keeps the fit of one device's clock.

    Attributes
    ----------
    map : ClockMap or None
        The newest piece, of the present boot.
    round_trip_ns : int or None
        Of the newest ping.
    measured : Estimate or None
        The fit as measured, before any slewing.
    ns_per_tick : float
        What a tick should take on the host's clock.
    is_paced : bool
        Whether there is such a pace; without it times follow the device's clock, and no fit is to be had.
    """

    def __init__(self) -> None:
        self.map: ClockMap | None = None
        self.round_trip_ns: int | None = None
        self.measured: Estimate | None = None
        self.ns_per_tick = NOMINAL_NS_PER_TICK
        self.is_paced = True
        self._fit: ClockFit | UnpacedClock | None = None
        self._boot_id: int | None = None
        self._sent: OrderedDict[int, int] = OrderedDict()
        self._token = 0

    @property
    def uncertainty_ns(self) -> int | None:
        """How well the clock is known; None where it is not fitted."""
        return self.map.uncertainty_ns if self.map is not None and self.is_paced else None

    def pace(self, ns_per_tick: float | None) -> None:
        """Take over at what pace the device behind a link lives, from its next boot on; None for at none."""
        self.is_paced = ns_per_tick is not None
        self.ns_per_tick = NOMINAL_NS_PER_TICK if ns_per_tick is None else ns_per_tick

    def boot(self, boot_id: int, last: ClockMap | None = None, last_tick: int = 0) -> None:
        """Follow a boot; the same again (a reopened link) goes on where it was.

        Parameters
        ----------
        boot_id : int
        last : ClockMap, optional
            What an earlier daemon timed this boot's samples by.
        last_tick : int, optional
            A tick that none of them lies beyond, in microseconds.
        """
        self._sent.clear()
        if boot_id != self._boot_id:
            self._boot_id = boot_id
            same = last if last and last.boot_id == boot_id else None
            self._fit = (
                ClockFit(boot_id, last=same, last_tick=last_tick, ns_per_tick=self.ns_per_tick)
                if self.is_paced
                else UnpacedClock(boot_id)
            )
            self.measured = None
            self.map = None
            self.round_trip_ns = None

    def next_token(self) -> int:
        """Return the token of the next ping."""
        self._token = (self._token + 1) & 0xFFFFFFFF
        return self._token

    def waits_for(self, token: int) -> bool:
        """Whether a ping is still unanswered."""
        return token in self._sent

    def sent(self, token: int, t_send_ns: int) -> None:
        """Remember when a ping went out."""
        self._sent[token] = t_send_ns
        if len(self._sent) > MAX_UNANSWERED:
            self._sent.popitem(last=False)

    def pong(self, pong: Pong, t_receive_ns: int, newest_tick: int) -> ClockMap | None:
        """Take a pong; return the next piece of the map, which holds from ``newest_tick`` on, if there is one."""
        t_send_ns = self._sent.pop(pong.token, None)
        if t_send_ns is None or self._fit is None:
            return None
        self.round_trip_ns = t_receive_ns - t_send_ns
        self._fit.add(t_send_ns, t_receive_ns, pong.tick)
        self.measured = self._fit.estimate()
        return self.advance(newest_tick)

    def advance(self, newest_tick: int) -> ClockMap | None:
        """Return the next piece as `pong` does, without a pong: a correction must end although pings are lost."""
        piece = self._fit.next_map(newest_tick) if self._fit is not None else None
        if piece is not None:
            self.map = piece
        return piece
