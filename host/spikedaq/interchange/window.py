"""Spike trains out of what a file holds: the window they are in, what is left out, and what a reader must know."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.interchange.errors import ContentError, FlaggedWarning
from spikedaq.interchange.times import FloatArray
from spikedaq.model import ArgumentError

# What conversions between s, ms and samples add to a time, in units in its last place.
_ROUNDING_ULPS = 4


@dataclass(slots=True)
class Content:
    """What was read of a file; `trains_of` makes `SpikeTrains` of it.

    Attributes
    ----------
    place : str
        The file and where in it, for errors.
    trains_ms : list of arrays
        Times of each unit, in ms.
    start_ms, length_ms : float or None
        The window, where the file says it.
    hint : str
        What could be the reason of spikes outside the window.
    """

    place: str
    trains_ms: list[FloatArray]
    start_ms: float | None = None
    length_ms: float | None = None
    attributes: Sequence[Mapping[str, Any]] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    raw_data: npt.NDArray[Any] | None = None
    raw_time_ms: npt.NDArray[Any] | None = None
    hint: str = ""

    def flag(self, text: str) -> None:
        """Keep what a reader of the numbers must know, and warn of it."""
        self.metadata.setdefault("flags", []).append(text)
        warnings.warn(f"{self.place}: {text}", FlaggedWarning, stacklevel=3)


def trains_of(
    content: Content, *, length_ms: float | None = None, metadata: Mapping[str, Any] | None = None
) -> SpikeTrains:
    """Make spike trains.

    Parameters
    ----------
    content : Content
    length_ms : float, optional
        What the caller wants of them: later spikes are left out and counted in ``metadata["n_after_length"]``.
        Default: what the file says, else up to the last spike.
    metadata : mapping, optional
        Goes before what the file says.

    Raises
    ------
    ContentError
        Times that are no finite numbers, or outside the window that the file itself says.
    ArgumentError
        A length that cannot be.
    """
    trains = [_checked(content, number, train) for number, train in enumerate(content.trains_ms)]
    filled = [train for train in trains if len(train)]
    earliest, latest = min((float(t[0]) for t in filled), default=0.0), max((float(t[-1]) for t in filled), default=0.0)
    start_ms = content.start_ms
    if start_ms is None:
        start_ms = min(0.0, earliest)
        if start_ms < 0:
            content.flag(f"spikes begin at {start_ms:g} ms and no start is given; the window begins there")
    if not math.isfinite(start_ms):
        raise ContentError(f"{content.place}: its start_time is {start_ms}; mend the file")
    _within(content, trains, start_ms, earliest)
    if length_ms is not None:
        length = _wanted(length_ms)
        trains, n_left_out = _cut(trains, start_ms, length)
        if n_left_out:
            content.metadata["n_after_length"] = n_left_out
            content.flag(f"{n_left_out} spikes after length_ms={length_ms:g} ms are left out")
    else:
        length = max(latest - start_ms, 0.0) if content.length_ms is None else content.length_ms
        if not (math.isfinite(length) and length >= 0):
            raise ContentError(f"{content.place}: its length_ms is {length}; mend the file, or give length_ms")
        if filled and latest > start_ms + length + _rounding_ms(start_ms, length):
            raise ContentError(
                f"{content.place}: a spike at {latest:g} ms is after the window of {start_ms:g} .. "
                f"{start_ms + length:g} ms that the file says; {content.hint or 'give length_ms'}"
            )
    return SpikeTrains(
        trains,
        length=length,
        start_time=start_ms,
        neuron_attributes=content.attributes,
        metadata={**content.metadata, **(metadata or {})},
        raw_data=content.raw_data,
        raw_time=content.raw_time_ms,
    )


def cut_at(trains: SpikeTrains, length_ms: float | None) -> SpikeTrains:
    """Return spike trains with a window of that length; later spikes are left out, counted and flagged.

    Raises
    ------
    ArgumentError
        A length that cannot be.
    """
    if length_ms is None:
        return trains
    content = Content(
        str(trains.metadata.get("source_file", "the spike trains")),
        trains.trains,
        trains.start_time,
        attributes=trains.neuron_attributes,
        metadata=dict(trains.metadata),
    )
    return trains_of(content, length_ms=length_ms)


def window_read_back(trains: SpikeTrains, read_back: Sequence[FloatArray]) -> tuple[float, float]:
    """Return start and length in ms in which all times are once they are read back, ``read_back``, each sorted.

    SpikeLab allows no rounding: a spike on the edge of the window, in s and back, may be beyond it by 1e-13 ms, and
    one in samples by half a sample, and the file would be refused.
    """
    first = min((float(times[0]) for times in read_back if len(times)), default=trains.start_time)
    last = max((float(times[-1]) for times in read_back if len(times)), default=trains.end_time)
    start_ms = min(trains.start_time, first)
    length_ms = trains.length if start_ms == trains.start_time else trains.end_time - start_ms
    while start_ms + length_ms < last:
        length_ms = max(math.nextafter(length_ms, math.inf), last - start_ms)
    return start_ms, length_ms


def _checked(content: Content, number: int, train: FloatArray) -> FloatArray:
    """Return a train as one sorted row."""
    given = np.asarray(train, dtype=np.float64)
    # MATLAB writes columns; of anything else nobody knows what its rows are.
    if given.size and given.size != max(given.shape, default=1):
        raise ContentError(
            f"{content.place}: the times of unit {number} have the shape {given.shape}; they must be a row"
        )
    times = np.sort(given.ravel())
    bad = np.flatnonzero(~np.isfinite(given.ravel()))
    if len(bad):
        raise ContentError(
            f"{content.place}: spike {bad[0]} of unit {number} is no finite number ({len(bad)} of {len(times)} are "
            "not); take them out of the file"
        )
    return times


def _within(content: Content, trains: Sequence[FloatArray], start_ms: float, earliest: float) -> None:
    if any(len(train) for train in trains) and earliest < start_ms - _rounding_ms(start_ms, earliest):
        remedy = content.hint or "mend the file's start_time"
        raise ContentError(
            f"{content.place}: a spike at {earliest:g} ms is before the start of {start_ms:g} ms that the file says; "
            f"{remedy}"
        )


def _wanted(length_ms: float) -> float:
    if not (math.isfinite(length_ms) and length_ms >= 0):
        raise ArgumentError(f"length_ms is {length_ms}; give a number of ms, 0 or more")
    return float(length_ms)


def _cut(trains: Sequence[FloatArray], start_ms: float, length_ms: float) -> tuple[list[FloatArray], int]:
    stop_ms = start_ms + length_ms + _rounding_ms(start_ms, length_ms)
    kept = [train[: np.searchsorted(train, stop_ms, side="right")] for train in trains]
    return kept, sum(map(len, trains)) - sum(map(len, kept))


def _rounding_ms(a_ms: float, b_ms: float) -> float:
    return _ROUNDING_ULPS * float(np.spacing(abs(a_ms) + abs(b_ms)))
