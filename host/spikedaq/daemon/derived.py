"""Derived streams of the bench: who publishes what, checked, bounded, and ended when its publisher is gone."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from spikedaq.bus import DerivedInfo, DerivedPlace, derived_header, encode, topic_for
from spikedaq.bus.derived import MAX_VALUES
from spikedaq.daemon.publish import Bus
from spikedaq.model import CommandRejected
from spikedaq.outlet import Peer

DEFAULT_TTL_S = 10.0
MIN_TTL_S, MAX_TTL_S = 1.0, 60.0
MAX_PER_DEVICE = 8
MAX_NAMES_PER_DEVICE = 64
"""Names that were ever used since the start: each keeps the number of its next message."""
BYTES_PER_S = 4 << 20
"""Ten streams of nine channels at 10 kHz; more would take from what the boards send."""
BURST_BYTES = 8 << 20
_REQUEST_BYTES = 4096
"""What a request costs beside its payload, so that many small ones are bounded as well."""

Tell = Callable[[str, str, dict[str, Any]], None]
"""Called with device, what happened (opened, closed, expired, replaced) and the stream. It must not raise or wait."""


@dataclass(slots=True)
class _Open:
    info: DerivedInfo
    id: str
    holder: str
    who: str
    ttl_ns: int
    until_ns: int
    budget: float
    budget_ns: int
    boot_id: int | None = None
    next_step: int = 0
    values: int = 0


class DerivedStreams:
    """The derived streams that are published now.

    Parameters
    ----------
    bus : Bus
    bench, epoch : str
        As in the topics and headers of samples.
    now_ns : callable
        CLOCK_BOOTTIME.
    tell : callable
        Told what becomes of streams.
    """

    def __init__(self, bus: Bus, bench: str, epoch: str, *, now_ns: Callable[[], int], tell: Tell) -> None:
        self._bus = bus
        self._bench = bench
        self._epoch = epoch
        self._now_ns = now_ns
        self._tell = tell
        self._open: dict[tuple[str, str], _Open] = {}
        self._numbers: dict[tuple[str, str], int] = {}
        self._budgets: dict[tuple[str, str], tuple[float, int]] = {}

    def of(self, device: str) -> list[dict[str, Any]]:
        """Return the streams of a device as ``describe`` tells them."""
        self.expire()
        return [self._to_map(found) for (name, _), found in self._open.items() if name == device]

    def open(
        self, device: str, info: DerivedInfo, peer: Peer, *, ttl_s: float = DEFAULT_TTL_S, replace: bool = False
    ) -> dict[str, Any]:
        """Begin a stream; return its ``id``, which `publish` and `close` need, its ``topic`` and ``ttl_s``.

        Parameters
        ----------
        replace : bool
            Take the place of a stream of this name that the same holder published before.

        Raises
        ------
        CommandRejected
            Somebody publishes it, there are too many, or a time that cannot be.
        """
        if not (math.isfinite(ttl_s) and MIN_TTL_S <= ttl_s <= MAX_TTL_S):
            message = f"'ttl_s' is {ttl_s:g}; it must be from {MIN_TTL_S:g} to {MAX_TTL_S:g} s"
            raise CommandRejected(message, code="bad_arguments")
        self.expire()
        key, now_ns = (device, info.stream), self._now_ns()
        standing = self._open.get(key)
        if standing is not None and not (replace and standing.holder == peer.holder):
            left_s = math.ceil((standing.until_ns - now_ns) / 1e9)
            raise CommandRejected(
                f"{standing.who} publishes the stream {info.stream!r} of {device} already; it ends when they end it, "
                f"or after {left_s} s without a message; or choose another name",
                code="exists",
            )
        names = [stream for name, stream in self._numbers if name == device]
        count = sum(name == device for name, _ in self._open)
        if standing is None and (
            count >= MAX_PER_DEVICE or (len(names) >= MAX_NAMES_PER_DEVICE and info.stream not in names)
        ):
            message = f"{device} has {count} derived streams, of {len(names)} names so far; end one, or use its name"
            raise CommandRejected(message, code="too_many")
        topic = topic_for(self._bench, device, info.stream)
        if standing is not None:
            self._end(key, "replaced")
        self._numbers.setdefault(key, 0)
        ttl_ns = round(ttl_s * 1e9)
        # Whoever opens it anew, again and again, may not send more than one that keeps it open.
        budget = self._budgets.get(key, (float(BURST_BYTES), now_ns))
        found = _Open(info, secrets.token_hex(8), peer.holder, peer.who, ttl_ns, now_ns + ttl_ns, *budget)
        self._open[key] = found
        self._tell(device, "opened", self._to_map(found))
        return {"id": found.id, "topic": topic, "ttl_s": ttl_s}

    def publish(self, device: str, stream: str, stream_id: str, place: DerivedPlace, samples: bytes) -> dict[str, Any]:
        """Publish some values, or none, to say that the publisher is still there; return ``count``, the number.

        Raises
        ------
        CommandRejected
            No such stream, or not this client's any more; bytes that are no whole values; a step before the last one
            of this boot; more than a stream may send.
        """
        key, found = self._own(device, stream, stream_id)
        info = found.info
        width = 4 * len(info.channels)
        count, rest = divmod(len(samples), width)
        if rest or count > MAX_VALUES // len(info.channels):
            raise CommandRejected(
                f"'samples' has {len(samples)} bytes; it must be 32-bit floats of {len(info.channels)} channels, a "
                f"multiple of {width} bytes and at most {4 * MAX_VALUES}",
                code="bad_arguments",
            )
        now_ns = self._now_ns()
        self._spend(found, len(samples) + _REQUEST_BYTES, now_ns)
        found.until_ns = now_ns + found.ttl_ns
        if not count:
            return {"count": 0}
        if found.boot_id == place.boot_id and place.step < found.next_step:
            raise CommandRejected(
                f"'step' is {place.step}, and {stream!r} of this boot was published up to step {found.next_step - 1}",
                code="bad_arguments",
            )
        topic = topic_for(self._bench, device, stream)
        header = derived_header(info, place, count=count, n=self._numbers[key], epoch=self._epoch)
        self._bus.publish(topic, encode(topic, header, samples))
        self._numbers[key] += 1
        found.values += count
        found.boot_id, found.next_step = place.boot_id, place.step + (count - 1) * info.pitch_steps + 1
        return {"count": count}

    def close(self, device: str, stream: str, stream_id: str) -> None:
        """End a stream; raises as `publish` does."""
        key, _ = self._own(device, stream, stream_id)
        self._end(key, "closed")

    def expire(self) -> None:
        """End the streams of publishers that say nothing any more."""
        now_ns = self._now_ns()
        for key in [key for key, found in self._open.items() if found.until_ns <= now_ns]:
            self._end(key, "expired")

    def forget(self, device: str) -> None:
        """End what is of a device that is removed."""
        for key in [key for key in self._open if key[0] == device]:
            self._end(key, "closed")

    def _own(self, device: str, stream: str, stream_id: str) -> tuple[tuple[str, str], _Open]:
        self.expire()
        found = self._open.get((device, stream))
        if found is None or found.id != stream_id:
            text = "somebody else's by now" if found is not None else "not open: it ended, or the daemon began anew"
            raise CommandRejected(f"the stream {stream[:80]!r} of {device} is {text}; open it", code="unknown_stream")
        return (device, stream), found

    def _spend(self, found: _Open, cost: int, now_ns: int) -> None:
        earned = (now_ns - found.budget_ns) * BYTES_PER_S / 1e9
        found.budget, found.budget_ns = min(float(BURST_BYTES), found.budget + earned), now_ns
        if cost > found.budget:
            message = f"{found.info.stream!r} sends more than {BYTES_PER_S} bytes a second; send less, or later"
            raise CommandRejected(message, code="busy")
        found.budget -= cost

    def _end(self, key: tuple[str, str], what: str) -> None:
        found = self._open.pop(key)
        self._budgets[key] = found.budget, found.budget_ns
        self._tell(key[0], what, self._to_map(found))

    @staticmethod
    def _to_map(found: _Open) -> dict[str, Any]:
        return {**found.info.to_map(), "publisher": found.who, "values": found.values}
