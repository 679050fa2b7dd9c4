"""Who may write to what for the time being: at most one holder of each device, and of the bench."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from spikedaq.model import CommandRejected

BENCH = ""
"""Stands for the bench: every device, and what concerns them all."""
DEFAULT_TTL_S = 300.0
MAX_TTL_S = 86400.0


@dataclass(frozen=True, slots=True)
class Lease:
    """One lease.

    Attributes
    ----------
    device : str
        Name of the device, `BENCH` for all of them and what concerns them all.
    holder : str
        Who has it, as `Peer.holder`.
    who : str
        The same for people.
    ttl_s : float
        It ends so long after its last use.
    until_ns : int
        CLOCK_BOOTTIME at which it ends unless it is used.
    """

    device: str
    holder: str
    who: str
    ttl_s: float
    until_ns: int

    def to_map(self, now_ns: int, utc_ns: int) -> dict[str, Any]:
        """Return it as JSON values; ``until_utc_ns`` goes by the computer's present date and time."""
        left_ns = max(0, self.until_ns - now_ns)
        return {
            "device": self.device or None,
            "holder": self.who,
            "ttl_s": self.ttl_s,
            "left_s": left_ns / 1e9,
            "until_utc_ns": utc_ns + left_ns,
        }


LeaseListener = Callable[[str, Lease], None]
"""Called with what happened (taken, taken_over, released, expired) and the lease. It must not raise or wait."""


class Leases:
    """The leases of a bench. Where there is none, everybody who may control may write.

    Parameters
    ----------
    now_ns : callable
        CLOCK_BOOTTIME, which no setting of the date moves.
    """

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._held: dict[str, Lease] = {}
        self.listeners: list[LeaseListener] = []

    def standing(self) -> list[Lease]:
        """Return the leases that hold now; what has run out is ended first."""
        self.expire()
        return list(self._held.values())

    def of(self, device: str) -> Lease | None:
        """Return the lease that a device is under: its own, else the bench's."""
        self.expire()
        return self._held.get(device) or self._held.get(BENCH)

    def expire(self) -> None:
        """End what has run out."""
        now_ns = self._now_ns()
        for lease in [lease for lease in self._held.values() if lease.until_ns <= now_ns]:
            self._end(lease, "expired")

    def check(self, device: str, holder: str) -> None:
        """Renew what the holder has of a device or, for `BENCH`, of the bench.

        Raises
        ------
        CommandRejected
            Somebody else has it, code ``leased``.
        """
        self.expire()
        for name in {device, BENCH}:
            lease = self._held.get(name)
            if lease is None:
                continue
            if lease.holder != holder:
                raise CommandRejected(self._refusal(lease), code="leased")
            self._hold(lease.device, holder, lease.who, lease.ttl_s)

    def refusal(self, device: str, holder: str | None) -> str | None:
        """Return why ``holder`` may not write to a device now, None where he may; renews nothing."""
        lease = self.of(device)
        return None if lease is None or lease.holder == holder else self._refusal(lease)

    def take(self, device: str, holder: str, who: str, ttl_s: float = DEFAULT_TTL_S, *, force: bool = False) -> Lease:
        """Take or renew a lease; with ``force`` also from others.

        Raises
        ------
        CommandRejected
            Somebody else has it, or, for the bench, one of its devices; code ``leased``. Or a time that cannot be,
            ``bad_arguments``.
        """
        if not (math.isfinite(ttl_s) and 1 <= ttl_s <= MAX_TTL_S):
            message = f"a lease cannot be for {ttl_s:g} s; take it for 1 s to {MAX_TTL_S:.0f} s, it is renewed by use"
            raise CommandRejected(message, code="bad_arguments")
        self.expire()
        others = [lease for lease in self._in_the_way(device) if lease.holder != holder]
        if others and not force:
            raise CommandRejected(self._refusal(others[0]), code="leased")
        for lease in others:
            self._end(lease, "taken_over")
        had = self._held.get(device)
        lease = self._hold(device, holder, who, ttl_s)
        if had is None:
            self._tell("taken", lease)
        return lease

    def renew(self, device: str, holder: str, ttl_s: float | None = None) -> Lease:
        """Renew a lease, for its own time or another one.

        Raises
        ------
        CommandRejected
            It is somebody else's, ``leased``, or nobody's any more, ``not_leased``.
        """
        lease = self._own(device, holder)
        return self.take(device, holder, lease.who, lease.ttl_s if ttl_s is None else ttl_s)

    def release(self, device: str, holder: str) -> Lease:
        """Give a lease back; raises as `renew` does."""
        lease = self._own(device, holder)
        self._end(lease, "released")
        return lease

    def _own(self, device: str, holder: str) -> Lease:
        self.expire()
        lease = self._held.get(device)
        if lease is None:
            raise CommandRejected(f"there is no lease of {device or 'the bench'}; take one", code="not_leased")
        if lease.holder != holder:
            raise CommandRejected(self._refusal(lease), code="leased")
        return lease

    def _in_the_way(self, device: str) -> Iterable[Lease]:
        if device == BENCH:
            return list(self._held.values())
        return [self._held[name] for name in (device, BENCH) if name in self._held]

    def _hold(self, device: str, holder: str, who: str, ttl_s: float) -> Lease:
        lease = Lease(device, holder, who, ttl_s, self._now_ns() + round(ttl_s * 1e9))
        self._held[device] = lease
        return lease

    def _end(self, lease: Lease, what: str) -> None:
        del self._held[lease.device]
        self._tell(what, lease)

    def _tell(self, what: str, lease: Lease) -> None:
        for listener in self.listeners:
            listener(what, lease)

    def _refusal(self, lease: Lease) -> str:
        left_s = math.ceil((lease.until_ns - self._now_ns()) / 1e9)
        thing = lease.device or "the bench"
        return (
            f"{thing} is leased by {lease.who} for {left_s} s more, and longer while it is used; "
            "ask them to release it, wait, or take it over on the daemon's computer: spikedaq lease take --force"
            + (f" {lease.device}" if lease.device else "")
        )
