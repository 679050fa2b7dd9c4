"""Tables of what was found, as rows: the stock software's exports, and our own. Nothing here writes a file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.analysis.averages import Average
from spikedaq.analysis.fi import FiCurve
from spikedaq.analysis.loops import Loops, Raster
from spikedaq.analysis.stretches import FloatArray, IntArray
from spikedaq.model import ConfigError

# Rows that are turned into text at a time.
_PIECE = 1 << 14

NEURONS = ("Spikeling", "Aux Neuron 1", "Aux Neuron 2")
"""As the stock exports call the neuron and those at its two synapses; files have the name without blanks."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Columns of equal length under their headers, to be kept as a CSV of that name.

    Attributes
    ----------
    name : str
        File name.
    header : tuple of str
    columns : tuple of arrays or lists, each of shape (n_rows,)
    """

    name: str
    header: tuple[str, ...]
    columns: tuple[Sequence[Any] | npt.NDArray[Any], ...]

    def __post_init__(self) -> None:
        lengths = {len(column) for column in self.columns}
        if len(self.header) != len(self.columns) or len(lengths) > 1:
            raise ConfigError(f"{self.name}: {len(self.header)} headers, columns of {sorted(lengths)} rows")

    @property
    def n_rows(self) -> int:
        """Number of rows, without the header."""
        return len(self.columns[0]) if self.columns else 0

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows as plain numbers and texts."""
        for start in range(0, self.n_rows, _PIECE):
            pieces = [column[start : start + _PIECE] for column in self.columns]
            plain = [piece.tolist() if isinstance(piece, np.ndarray) else piece for piece in pieces]
            yield from zip(*plain, strict=True)

    def lines(self) -> Iterator[str]:
        """Yield the CSV, pieces of many lines: comma, line feed, floats as Python prints them, nothing for NaN."""
        yield ",".join(self.header) + "\n"
        piece: list[str] = []
        for row in self.rows():
            piece.append(",".join([_text(value) for value in row]))
            if len(piece) == _PIECE:
                yield "\n".join(piece) + "\n"
                piece.clear()
        if piece:
            yield "\n".join(piece) + "\n"


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(value + 0.0)  # -0.0 is 0.0
    text = str(value)
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\n\r') else text


# -- the stock software's


def stock_spike_table(spikes: IntArray, *, neuron: str = NEURONS[0]) -> Table:
    """Return the stock export of spike events: the row of each spike, from 0, int64 array, shape (n_spikes,)."""
    return Table(_stock_name(neuron, "spike"), (f"{_stock(neuron)} Spike Events (timepoints)",), (spikes,))


def stock_rate_table(rate_hz: FloatArray, *, neuron: str = NEURONS[0]) -> Table:
    """Return the stock export of the rate: that of each row, in Hz, as of `held_rate_hz`."""
    return Table(_stock_name(neuron, "spikerate"), (f"{_stock(neuron)} SpikeRate",), (rate_hz,))


def stock_means_table(
    rate_hz: FloatArray, vm_mv: FloatArray, current: FloatArray | None = None, *, neuron: str = NEURONS[0]
) -> Table:
    """Return the stock export of means over loops, one row per sample of the loop, arrays of shape (length,).

    ``current`` in a.u., None where there is no such channel.
    """
    columns = [("SpikeRate Average", rate_hz), ("Vm Average", vm_mv)]
    columns += [("Current Average", current)] if current is not None else []
    header = tuple(f"{_stock(neuron)} {what}" for what, _ in columns)
    return Table(_stock_name(neuron, "means"), header, tuple(values for _, values in columns))


def stock_raster_table(found: Raster, *, neuron: str = NEURONS[0]) -> Table:
    """Return the stock export of the raster: the sample of each spike within its loop, from 0.

    The second column, which the stock export lacks, is the loop's number, from 0; without it a raster cannot be drawn.
    """
    header = (f"{_stock(neuron)} Spike Raster Plot", "Loop")
    return Table(_stock_name(neuron, "rasterplot"), header, (found.offsets, found.numbers))


def _stock(neuron: str) -> str:
    if neuron not in NEURONS:
        raise ConfigError(f"the stock exports know no neuron {neuron!r}; they know {', '.join(NEURONS)}")
    return neuron


def _stock_name(neuron: str, what: str) -> str:
    return f"{_stock(neuron).replace(' ', '')}_{what}.csv"


# -- our own


def spike_table(
    spikes: IntArray,
    *,
    steps: IntArray,
    times_ms: FloatArray,
    intervals_ms: FloatArray,
    loops: Loops | None = None,
    step_ms: float,
    name: str = "spikes.csv",
) -> Table:
    """Return one row per spike.

    Parameters
    ----------
    spikes : int64 array, shape (n_spikes,)
        Indices of samples.
    steps, times_ms : arrays, shape (n_spikes,)
        The model's step and time of each spike.
    intervals_ms : float64 array, shape (n_spikes - 1,)
        As of `inter_spike_intervals_ms`; a row has the time since the spike before, nothing where that is not known.
    loops : Loops, optional
        With them each row has the loop and the time since its start; nothing outside whole loops.
    step_ms : float
        Time between samples.
    """
    before = np.concatenate([[np.nan], intervals_ms]) if len(spikes) else np.empty(0)
    header = ["spike", "sample", "step", "time (ms)", "interval (ms)", "rate (Hz)"]
    with np.errstate(divide="ignore"):
        columns: list[Any] = [np.arange(len(spikes)), spikes, steps, times_ms, before, 1000.0 / before]
    if loops is not None:
        numbers, offsets_ms = _places(spikes, loops, step_ms)
        header += ["loop", "time in loop (ms)"]
        columns += [numbers, offsets_ms]
    return Table(name, tuple(header), tuple(columns))


def _places(spikes: IntArray, loops: Loops, step_ms: float) -> tuple[list[Any], FloatArray]:
    starts = loops.starts
    if not len(starts):
        return ["" for _ in spikes], np.full(len(spikes), np.nan)
    row = np.searchsorted(starts, spikes, side="right") - 1
    offsets = spikes - starts[row]
    inside = (row >= 0) & (offsets < loops.length)
    numbers = [str(n) if ok else "" for n, ok in zip(loops.numbers[row].tolist(), inside.tolist(), strict=True)]
    return numbers, np.where(inside, np.round(offsets * step_ms, 9), np.nan)


def average_table(averages: Mapping[str, Average], *, step_ms: float, name: str = "averages.csv") -> Table:
    """Return time in the loop, and for each trace mean, standard deviation, standard error and number of loops.

    ``averages`` by what heads their columns, with the unit: ``vm (mV)``.
    """
    if not averages:
        raise ConfigError("there is no average to write")
    times_ms = np.round(np.arange(len(next(iter(averages.values())).mean)) * step_ms, 9)
    return _averages(averages, "time in loop (ms)", times_ms, name)


def lag_table(averages: Mapping[str, Average], lags: IntArray, *, step_ms: float, name: str) -> Table:
    """Return the same by time from the spike, which is negative before it, as of `spike_triggered_average`."""
    return _averages(averages, "time from spike (ms)", np.round(lags * step_ms, 9), name)


def _averages(averages: Mapping[str, Average], time: str, times_ms: FloatArray, name: str) -> Table:
    header: list[str] = [time]
    columns: list[npt.NDArray[Any]] = [times_ms]
    for what, of in averages.items():
        header += [f"{what} mean", f"{what} sd", f"{what} sem", f"{what} n"]
        columns += [of.mean, of.sd, of.sem, of.n]
    return Table(name, tuple(header), tuple(columns))


def loop_table(loops: Loops, *, step_ms: float, name: str = "loops.csv") -> Table:
    """Return each loop: its first sample, its length, and why it is left out of averages, if it is."""
    every = loops.every
    return Table(
        name,
        ("loop", "first sample", "samples", "length (ms)", "left out because"),
        (
            [loop.number for loop in every],
            [loop.start for loop in every],
            [loop.n_samples for loop in every],
            [round(loop.n_samples * step_ms, 9) for loop in every],
            ["" if loop.fault is None else str(loop.fault) for loop in every],
        ),
    )


def fi_table(curve: FiCurve, *, unit: str, name: str = "fi_curve.csv") -> Table:
    """Return the points of an F-I curve."""
    header = (
        f"level ({unit})",
        "steps",
        "rate (Hz)",
        "rate sd (Hz)",
        "first interval (Hz)",
        "steady (Hz)",
        "latency (ms)",
    )
    keys = ("level", "n_steps", "rate_hz", "rate_sd_hz", "first_interval_hz", "steady_hz", "latency_ms")
    return Table(name, header, tuple([getattr(point, key) for point in curve.points] for key in keys))
