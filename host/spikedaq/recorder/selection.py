"""Which samples belong into the files: by mode, from a span of samples to the pieces of it that are wanted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from spikedaq.model import ClockMap, Gap
from spikedaq.recorder.intervals import Intervals
from spikedaq.recorder.mode import Continuous, Triggered
from spikedaq.recorder.plan import DevicePlan, SessionPlan
from spikedaq.recorder.schedule import Schedule
from spikedaq.recorder.scout import Scout

Pieces = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Span:
    """Samples in a row of one boot, there or missing, and how to tell their host times.

    ``host_boot`` names the boot of the computer, ``reference_ns`` is CLOCK_BOOTTIME of the session's reference time in
    it, ``offset`` the journal offset after the frame that told of them.
    """

    boot_id: int
    first_step: int
    n: int
    first_tick: int
    step_us: int
    clock: ClockMap
    host_boot: str
    reference_ns: int
    offset: int

    def host_ns(self, k: int) -> int:
        """Host time of sample ``k``."""
        return self.clock.host_ns(self.first_tick + k * self.step_us)

    def first_at(self, t_host_ns: int) -> int:
        """Return the first sample at a host time or later, from 0 to ``n``."""
        k = -(-(self.clock.tick(t_host_ns) - self.first_tick) // self.step_us)
        k = min(max(k, 0), self.n)
        while k > 0 and self.host_ns(k - 1) >= t_host_ns:
            k -= 1
        while k < self.n and self.host_ns(k) < t_host_ns:
            k += 1
        return k

    def of_gap(self, gap: Gap) -> Span:
        """Return that of a gap before the block that this one is of."""
        return replace(self, boot_id=gap.boot_id, first_step=gap.first_step, n=gap.n_steps, first_tick=gap.first_tick)


class Selection(Protocol):
    """What of a device is recorded."""

    def pieces(self, span: Span) -> Pieces | None:
        """Return the wanted pieces of a span, ``[start, stop)`` each in order; None if the journal cannot tell yet."""

    def forget_before(self, span: Span) -> None:
        """No sample before this span will be asked about any more."""

    def saved(self) -> dict[str, Any] | None:
        """Return what a later recorder needs, as JSON values."""

    def offset(self) -> int | None:
        """Journal offset from which on a later recorder reads for the sake of the selection."""

    def close(self) -> None:
        """Close files."""


class Everything:
    """All samples."""

    def pieces(self, span: Span) -> Pieces | None:
        """All of them."""
        return [(0, span.n)]

    def forget_before(self, span: Span) -> None:
        """Nothing to forget."""

    def saved(self) -> dict[str, Any] | None:
        """Nothing to save."""
        return None

    def offset(self) -> int | None:
        """Nothing is read."""
        return None

    def close(self) -> None:
        """Nothing is open."""


class Scheduled(Everything):
    """Those in the windows of a schedule, told by the computer's clock as it was tied to UTC when the session began."""

    def __init__(self, schedule: Schedule, started_utc_ns: int) -> None:
        self._schedule = schedule
        self._started_utc_ns = started_utc_ns

    def pieces(self, span: Span) -> Pieces | None:
        """Pieces between clock times."""
        to_utc_ns = self._started_utc_ns - span.reference_ns
        windows = self._schedule.between(span.host_ns(0) + to_utc_ns, span.host_ns(span.n - 1) + to_utc_ns + 1)
        # The end of a window that ends with the span was cut to it, and lies behind its last sample.
        return _joined((span.first_at(a - to_utc_ns), span.first_at(b - to_utc_ns)) for a, b in windows)


class Around:
    """Those around triggers."""

    def __init__(self, scout: Scout) -> None:
        self._scout = scout

    def pieces(self, span: Span) -> Pieces | None:
        """Pieces in windows; a sample in none of those known has to wait until no later trigger can want it."""
        found = self._known(span)
        if found == [(0, span.n)]:
            return found
        if not self._scout.settled(span.offset, span.host_boot, span.host_ns(span.n - 1)):
            # What was read meanwhile may want them all.
            found = self._known(span)
            return found if found == [(0, span.n)] else None
        return self._known(span)

    def _known(self, span: Span) -> Pieces:
        first, stop = span.first_step, span.first_step + span.n
        by_step = self._scout.steps.get(span.boot_id, _NONE).within(first, stop)
        by_time = self._scout.host.get(span.host_boot, _NONE).within(span.host_ns(0), span.host_ns(span.n - 1) + 1)
        pieces = [(a - first, b - first) for a, b in by_step]
        return _joined([*pieces, *((span.first_at(a), span.first_at(b)) for a, b in by_time)])

    def forget_before(self, span: Span) -> None:
        """Drop windows that are over."""
        self._scout.forget_before(span.boot_id, span.first_step, span.host_boot, span.host_ns(0))

    def saved(self) -> dict[str, Any] | None:
        """Return what the scout knows."""
        return self._scout.saved()

    def offset(self) -> int | None:
        """Where the scout reads on."""
        return self._scout.offset

    def close(self) -> None:
        """Close the scout's file."""
        self._scout.close()


_NONE = Intervals()


def _joined(pieces: Iterable[tuple[int, int]]) -> Pieces:
    return Intervals(pieces).pairs()


def selection_of(plan: SessionPlan, device: DevicePlan, saved: dict[str, Any] | None) -> Selection:
    """Return the selection of a session for one of its devices, going on from what was saved, else from its start."""
    mode = plan.mode
    if isinstance(mode, Continuous):
        return Everything()
    if isinstance(mode, Triggered):
        return Around(Scout(plan, device, mode, saved))
    return Scheduled(mode.schedule, plan.started_utc_ns)
