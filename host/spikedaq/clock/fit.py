"""Fit of a device's clock to the host's, from timed pings, and the map that samples are timed with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from spikedaq.clock.corridor import MAX_SLOPE_ERROR, NOMINAL_NS_PER_TICK, Corridor, Ping
from spikedaq.model import ClockMap, LocalProtocolError

_MIN_PINGS: Final = 4
_WINDOW_NS: Final = 600 * 10**9
_BUCKET_NS: Final = 10 * 10**9
_MAX_BUCKET_PINGS: Final = 16
_TOLERANCE_NS: Final = 5_000.0
_TOLERANCE_SHARE: Final = 0.1
_OUTLIER_NS: Final = 20_000_000
_MAX_OUTLIERS: Final = 3

# A correction is spread over five seconds, or over twice the time between calls if that is more: a piece that holds
# longer than its correction needs would overshoot, and from twice that on swing ever wider.
_SLEW_NS: Final = 5 * 10**9
_MAX_SLEW_NS: Final = 120 * 10**9
_MAX_SLEW: Final = 0.001
_LEAST_CHANGE_NS: Final = 2_000.0
# Beyond this a map that was taken over is left at once: nothing was timed while nobody was there to slew for.
_MAX_RESUME_ERROR_NS: Final = 50_000_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A device clock as measured.

    Attributes
    ----------
    tick : int
        Reference tick, that of the newest ping, in microseconds (64 bit).
    t_host_ns : int
        Host time (CLOCK_BOOTTIME nanoseconds) of ``tick``: the offset of the fit.
    ns_per_tick : float
    uncertainty_ns : int
        Half-width of the interval at ``tick`` that all pings of the window allow, plus what the choice of the slope
        leaves open. Path delays that differ between the directions stay inside it.
    n_pings : int
        Pings that the fit rests on.
    best_round_trip_ns : int
        The shortest round trip among them.
    """

    tick: int
    t_host_ns: int
    ns_per_tick: float
    uncertainty_ns: int
    n_pings: int
    best_round_trip_ns: int

    def host_ns(self, tick: int) -> int:
        """Host time of a tick, by this fit."""
        return self.t_host_ns + round((tick - self.tick) * self.ns_per_tick)


class ClockFit:
    """Fits one boot of one device, and continues the map of its samples.

    Parameters
    ----------
    boot_id : int
    last : ClockMap, optional
        The map by which an earlier fit of the same boot timed samples, to be continued (a daemon that was restarted).
    last_tick : int, optional
        A tick that none of those samples lies beyond, in microseconds.
    ns_per_tick : float, optional
        What a tick should take on the host's clock: 1000 but for a replay, whose board may live faster or slower. The
        clock is looked for within 1 % of it.

    Notes
    -----
    The moment at which the device read its counter lies between a ping's sending and its pong's arrival, whatever
    delayed either. A clock that is straight over the window therefore runs inside the corridor that all pings leave
    open. The fit is the middle of that corridor at the slope that leaves it widest; since the fastest way out and the
    fastest way back need not be of one ping, it narrows with the number of pings n as 1/n, where the mean of the
    quickest round trips would narrow as the root of n. Slow pings cannot spoil it, they only say little.
    Where no straight line fits, the oldest pings are given up.
    """

    def __init__(
        self,
        boot_id: int,
        *,
        last: ClockMap | None = None,
        last_tick: int = 0,
        ns_per_tick: float = NOMINAL_NS_PER_TICK,
    ) -> None:
        self.boot_id = boot_id
        self.n_pings = 0
        self.n_outliers = 0
        self._buckets: list[tuple[int, list[Ping]]] = []
        self._outliers: list[Ping] = []
        self._nominal = self._slope = ns_per_tick
        self._estimate: Estimate | None = None
        self._stale = False
        self._map = last
        self._asked_tick = last_tick  # of the newest call of next_map
        self._resumed_tick = last_tick if last is not None else None

    def add(self, t_send_ns: int, t_receive_ns: int, tick: int) -> None:
        """Take one ping.

        Parameters
        ----------
        t_send_ns, t_receive_ns : int
            Host times (CLOCK_BOOTTIME nanoseconds) before the ping was written and after its pong was read.
        tick : int
            The pong's 64-bit tick, in microseconds.

        Raises
        ------
        LocalProtocolError
            The pong came before its ping.
        """
        if t_receive_ns < t_send_ns:
            raise LocalProtocolError(
                f"a pong is said to have come {t_send_ns - t_receive_ns} ns before its ping was sent; "
                "pair pongs with pings by their token"
            )
        self.n_pings += 1
        ping = (t_send_ns, t_receive_ns, tick)
        if self._is_outlier(ping):
            self.n_outliers += 1
            self._outliers.append(ping)
            if len(self._outliers) <= _MAX_OUTLIERS:
                return
            # Too many in a row to be mistakes: the device's counter has jumped. Start again from them.
            self._buckets = []
            pings = self._outliers
        else:
            pings = [ping]
        self._outliers = []
        for each in pings:
            self._keep(each)
        self._stale = True

    def estimate(self) -> Estimate | None:
        """Give the fit, or None before four pings."""
        if self._stale:
            self._stale = False
            self._estimate = self._fit()
        return self._estimate

    def next_map(self, newest_tick: int) -> ClockMap | None:
        """Give the map that is to hold from ``newest_tick`` on, or None where the present one will do.

        The first is the fit itself. Each later one starts where the one before it stands at ``newest_tick`` and leads
        back to the fit within five seconds, by at most 0.1 % of speed: time never steps and never runs backwards.

        Parameters
        ----------
        newest_tick : int
            A tick that no sample timed so far lies beyond. To be called about once a second, with or without pings,
            so that a correction ends when it has done its work.
        """
        fit = self.estimate()
        if fit is None:
            return None
        last = self._map
        if last is None:
            self._asked_tick = newest_tick
            start_ns = fit.host_ns(newest_tick)
            slope = fit.ns_per_tick
        else:
            if newest_tick <= last.tick0:
                return None
            start_ns = last.host_ns(newest_tick)
            if self._resumed_tick is not None:
                start_ns = self._resumed_start(start_ns, fit.host_ns(newest_tick), last.host_ns(self._resumed_tick))
                self._asked_tick, self._resumed_tick = newest_tick, None
            shortest, longest = round(_SLEW_NS / self._nominal), round(_MAX_SLEW_NS / self._nominal)
            slew_ticks = min(max(shortest, 2 * (newest_tick - self._asked_tick)), longest)
            self._asked_tick = max(self._asked_tick, newest_tick)
            ahead = newest_tick + slew_ticks
            least = max(_LEAST_CHANGE_NS, fit.uncertainty_ns / 50)
            if (
                abs(fit.host_ns(newest_tick) - start_ns) < least
                and abs(fit.host_ns(ahead) - last.host_ns(ahead)) < least
            ):
                return None
            slope = (fit.host_ns(ahead) - start_ns) / slew_ticks
            slope = min(max(slope, fit.ns_per_tick * (1 - _MAX_SLEW)), fit.ns_per_tick * (1 + _MAX_SLEW))
        # What has not been slewed away yet is uncertain, too.
        distance = abs(fit.host_ns(newest_tick) - start_ns)
        self._map = ClockMap(self.boot_id, newest_tick, start_ns, slope, fit.uncertainty_ns + distance)
        return self._map

    def _resumed_start(self, mapped_ns: int, fitted_ns: int, timed_ns: int) -> int:
        """Say where a map that was taken over goes on: where it stands, or at the fit if that lies far from it.

        By an old map's slope the hours in which nobody measured may be seconds off. No sample was timed in them, so
        the map may leave them by a step, never back before what was timed.
        """
        if abs(fitted_ns - mapped_ns) <= _MAX_RESUME_ERROR_NS:
            return mapped_ns
        return max(fitted_ns, timed_ns)

    def _is_outlier(self, ping: Ping) -> bool:
        """Whether this ping cannot belong to the clock seen so far, even at a slope 1 % off."""
        fit = self._estimate
        if fit is None:
            return False
        t_send, t_receive, tick = ping
        expected = fit.host_ns(tick)
        slack = _OUTLIER_NS + fit.uncertainty_ns + abs(t_send - fit.t_host_ns) * MAX_SLOPE_ERROR
        return expected < t_send - slack or expected > t_receive + slack

    def _keep(self, ping: Ping) -> None:
        """Store a ping; of each ten seconds only those that bound the corridor stay."""
        number = ping[0] // _BUCKET_NS
        if self._buckets and self._buckets[-1][0] == number:
            bucket = self._buckets[-1][1]
            bucket.append(ping)
            if len(bucket) > _MAX_BUCKET_PINGS:
                bucket[:] = self._extremes(bucket)
            return
        if self._buckets:
            bucket = self._buckets[-1][1]
            bucket[:] = self._extremes(bucket)
        self._buckets.append((number, [ping]))
        oldest = (ping[0] - _WINDOW_NS) // _BUCKET_NS
        while self._buckets[0][0] < oldest:
            del self._buckets[0]

    def _extremes(self, pings: list[Ping]) -> list[Ping]:
        """Keep the first and last ping with the quickest way out, the quickest way back, and the best round trip."""
        if len(pings) <= _MIN_PINGS:
            return pings
        slope = self._slope
        chosen = {
            max(pings, key=lambda p: p[0] - slope * p[2]),
            min(pings, key=lambda p: p[1] - slope * p[2]),
            min(pings, key=lambda p: p[1] - p[0]),
            pings[-1],
        }
        return sorted(chosen)

    def _fit(self) -> Estimate | None:
        while True:
            pings = [ping for _, bucket in self._buckets for ping in bucket]
            if len(pings) < _MIN_PINGS:
                return self._estimate
            corridor = Corridor(pings, self._nominal)
            best, width = corridor.widest()
            if width >= 0 or len(self._buckets) <= 1:
                break
            del self._buckets[: max(1, len(self._buckets) // 8)]
        tolerance = _TOLERANCE_NS + _TOLERANCE_SHARE * max(width, 0.0)
        extra = corridor.nearest(self._slope - self._nominal, best, width - tolerance)
        self._slope = self._nominal + extra
        offset, half_width = corridor.offset(extra, best)
        return Estimate(
            tick=pings[-1][2],
            t_host_ns=pings[-1][0] + round(offset),
            ns_per_tick=self._slope,
            uncertainty_ns=round(half_width + max(0.0, -width)),
            n_pings=len(pings),
            best_round_trip_ns=min(p[1] - p[0] for p in pings),
        )
