"""Spikes and loops of samples as they come: what the analysis of a recording says, without keeping the samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from spikedaq.analysis import Average, Loops, SpikeTrain, Table, describe_spikes, raster
from spikedaq.analysis.live_loops import LiveLoops, held_rate_average
from spikedaq.analysis.rates import held_rate_at
from spikedaq.analysis.spikes import spike_finder
from spikedaq.analysis.stretches import stretch_of
from spikedaq.analysis.tables import spike_table, stock_rate_table, stock_spike_table
from spikedaq.formats.found_spikes import NEURON_CHANNELS, NEURON_CURRENTS, SpikeRule, suffix_of
from spikedaq.formats.loop_averages import (
    AVERAGED_UNITS,
    LoopRule,
    loop_document,
    loop_tables,
    peak_of,
)
from spikedaq.model import MODEL_STEP_MS, ChannelInfo, ConfigError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_STEPS_PER_MS = round(1 / MODEL_STEP_MS)
_PIECES = 1024
"""Lists of spikes that are kept apart; each costs more than its spikes."""
_RECENT = 10_000
"""Samples over which a rate is the newest: a second of model time."""


class LiveRecording:
    """Samples of one device, one boot, in current clamp, as they come.

    Parameters
    ----------
    name : str
        As a recording of them would be called: the device, and which boot or part of it.
    channels : sequence of ChannelInfo
        Of the columns of its samples.
    rule : SpikeRule
        With a threshold.
    loop_rule : LoopRule, optional
        Where averages over loops are wanted.
    notes : sequence of str
        What a reader of its numbers could get wrong.

    Raises
    ------
    ConfigError
        The device has no potential ``vm``, or no channel ``trigger`` where loops are wanted.
    """

    def __init__(
        self,
        name: str,
        device: str,
        channels: Sequence[ChannelInfo],
        rule: SpikeRule,
        loop_rule: LoopRule | None = None,
        *,
        notes: Sequence[str] = (),
    ) -> None:
        by_name = {channel.name: (k, channel) for k, channel in enumerate(channels)}
        for needed in ("vm", *(("trigger",) if loop_rule is not None else ())):
            if needed not in by_name:
                raise ConfigError(f"{device} has no channel {needed}, so this cannot be told of it")
        if rule.threshold_mv is None:
            raise ConfigError("a threshold that suggests itself needs the whole recording; give one in mV")
        self.name = name
        self.notes = list(notes)
        self.device = device
        self.rule = rule
        self.loop_rule = loop_rule
        self._threshold_mv = rule.threshold_mv
        self._columns = by_name
        self._finders = {
            channel: spike_finder(
                threshold_mv=rule.threshold_mv,
                direction=rule.direction,
                hysteresis_mv=rule.hysteresis_mv,
                refractory_ms=rule.refractory_ms,
            )
            for channel in NEURON_CHANNELS
            if channel in by_name
        }
        self._spikes: dict[str, list[IntArray]] = {channel: [] for channel in self._finders}
        self._n_spikes = dict.fromkeys(self._finders, 0)
        self._recent: dict[str, IntArray] = {channel: np.empty(0, np.int64) for channel in self._finders}
        self._starts: list[tuple[int, int]] = []
        self._n_samples = 0
        traces = [*self._finders, *(name for name in AVERAGED_UNITS if name in by_name)]
        self._loops = None if loop_rule is None else LiveLoops(traces)

    def take(self, first_step: int, samples: npt.NDArray[np.int16]) -> None:
        """Take consecutive samples, shape (n_samples, n_channels), which need not follow those before."""
        if not len(samples):
            return
        is_break = self.next_step != first_step
        if is_break:
            self._starts.append((self._n_samples, first_step))
        values = {name: self._values(name, samples) for name in self._finders}
        for channel, finder in self._finders.items():
            if is_break:
                finder.reset()
            found = finder.take(values[channel])
            if len(found):
                self._n_spikes[channel] += len(found)
                self._spikes[channel].append(found)
                if len(self._spikes[channel]) > _PIECES:
                    self._spikes[channel] = [self.spikes(channel)]
            kept = np.concatenate([self._recent[channel], found])
            self._recent[channel] = kept[kept >= self._n_samples + len(samples) - _RECENT]
        if self._loops is not None:
            values |= {name: self._values(name, samples) for name in self._loops.traces if name not in values}
            self._loops.take(first_step, self._values("trigger", samples), values, is_break=is_break)
        self._n_samples += len(samples)

    def _values(self, name: str, samples: npt.NDArray[np.int16]) -> FloatArray:
        k, channel = self._columns[name]
        return samples[:, k].astype(np.float64) * channel.scale + channel.offset

    # -- what there is so far

    @property
    def n_samples(self) -> int:
        """Samples so far."""
        return self._n_samples

    @property
    def next_step(self) -> int | None:
        """The step that the next sample has if none is missing; None before the first."""
        if not self._starts:
            return None
        at, step = self._starts[-1]
        return step + self._n_samples - at

    @property
    def breaks(self) -> IntArray:
        """Samples before which others are missing."""
        return np.array([at for at, _ in self._starts[1:]], dtype=np.int64)

    @property
    def neurons(self) -> list[str]:
        """Potentials to tell about: the board's own, and those at synapses that have spikes."""
        return [channel for channel in self._finders if channel == "vm" or self._spikes[channel]]

    def spikes(self, channel: str) -> IntArray:
        """Return the spikes of a potential, as indices of samples."""
        return np.concatenate(self._spikes[channel]) if self._spikes[channel] else np.empty(0, np.int64)

    def new_spikes_ms(self, channel: str, after: int) -> list[float]:
        """Return the times of its spikes from the ``after``-th on, in ms, and of those of the last pieces only."""
        newest: list[IntArray] = []
        n = self.n_spikes(channel)
        for piece in reversed(self._spikes[channel]):
            if n <= after:
                break
            newest.append(piece)
            n -= len(piece)
        found = np.concatenate(newest[::-1]) if newest else np.empty(0, np.int64)
        times: list[float] = self.times_ms(found[max(after - n, 0) :]).tolist()
        return times

    def n_spikes(self, channel: str) -> int:
        """Return how many spikes a potential had."""
        return self._n_spikes[channel]

    def recent_rate_hz(self, channel: str) -> float:
        """Return the rate over the newest second of model time."""
        n = min(self._n_samples, _RECENT)
        return len(self._recent[channel]) * 1000.0 / (n * MODEL_STEP_MS) if n else 0.0

    def usual_loop(self) -> tuple[int, int, int]:
        """Return loops so far, the usual length in samples, and how many of that length have ended."""
        if self._loops is None or self.loop_rule is None:
            return 0, 0, 0
        return self._loops.n_loops, *self._loops.usual(length=self.loop_rule.length, tolerance=self.loop_rule.tolerance)

    # -- what it comes to

    def steps(self, at: IntArray) -> IntArray:
        """Return the model's step of samples."""
        firsts = np.array([first for first, _ in self._starts], dtype=np.int64)
        shifts = np.array([step - first for first, step in self._starts], dtype=np.int64)
        found: IntArray = at + shifts[np.searchsorted(firsts, at, side="right") - 1] if len(at) else at
        return found

    def times_ms(self, at: IntArray) -> FloatArray:
        """Return the model time of samples since the first one, in ms."""
        if not len(at):
            return np.empty(0)
        times: FloatArray = (self.steps(at) - self._starts[0][1]) / _STEPS_PER_MS
        return times

    def describe(self, channel: str) -> SpikeTrain:
        """Sum up the spikes of a potential."""
        return describe_spikes(self.spikes(channel), self._n_samples, breaks=self.breaks)

    def loops(self) -> Loops:
        """Return the loops."""
        if self._loops is None or self.loop_rule is None:
            return Loops(0, ())
        return self._loops.loops(length=self.loop_rule.length, tolerance=self.loop_rule.tolerance)

    def averages(self, channel: str, loops: Loops) -> dict[str, Average]:
        """Return the averages of a potential over loops, as `average_over` does."""
        if self._loops is None or self.loop_rule is None:
            return {}
        of = self._loops.averages(loops, tolerance=self.loop_rule.tolerance)
        spikes = self.spikes(channel)
        averages = {"rate (Hz)": held_rate_average(spikes, loops, step_ms=MODEL_STEP_MS, breaks=self.breaks)}
        averages[f"{channel} (mV)"] = of[channel]
        for name in (NEURON_CURRENTS[channel], "stimulus"):
            if name in of:
                averages[f"{name} ({AVERAGED_UNITS[name]})"] = of[name]
        return averages

    def document(self, channel: str) -> dict[str, Any]:
        """Return the numbers of a potential, as ``--json`` prints them of a recording."""
        return {
            **self._heading(channel),
            "n_samples": self._n_samples,
            "n_gaps": len(self.breaks),
            **asdict(self.describe(channel)),
            "spike_times_ms": self.times_ms(self.spikes(channel)).tolist(),
            "notes": self.notes,
        }

    def loop_document(self, channel: str, loops: Loops, averages: Mapping[str, Average]) -> dict[str, Any]:
        """Return the numbers of loops, as ``average --json`` prints them of a recording."""
        spikes = self.spikes(channel)
        places = raster(spikes, loops, self._n_samples)
        peak = peak_of(averages["rate (Hz)"], len(loops.starts))
        document = loop_document(loops, places, peak)
        return {**self._heading(channel), **document, "n_spikes": len(spikes), "notes": self.notes}

    def _heading(self, channel: str) -> dict[str, Any]:
        return {
            "recording": self.name,
            "device": self.device,
            "neuron": NEURON_CHANNELS[channel],
            "channel": channel,
            "threshold_mv": self._threshold_mv,
        }

    def spike_tables(self, channel: str) -> list[Table]:
        """Return the tables of spikes: those of a recording."""
        spikes, neuron = self.spikes(channel), NEURON_CHANNELS[channel]
        held: Any = _HeldRate(spikes, self._n_samples, self.breaks)
        return [
            stock_spike_table(spikes, neuron=neuron),
            stock_rate_table(held, neuron=neuron),
            self._spike_table(channel, None),
        ]

    def loop_tables(self, channel: str, loops: Loops, averages: Mapping[str, Average]) -> list[Table]:
        """Return the tables of averages: those of a recording."""
        places = raster(self.spikes(channel), loops, self._n_samples)
        return loop_tables(channel, loops, places, averages, self._spike_table(channel, loops))

    def _spike_table(self, channel: str, loops: Loops | None) -> Table:
        spikes = self.spikes(channel)
        times_ms = self.times_ms(spikes)
        intervals_ms = np.diff(times_ms)
        intervals_ms[np.diff(stretch_of(spikes, self.breaks)) != 0] = np.nan
        return spike_table(
            spikes,
            steps=self.steps(spikes),
            times_ms=times_ms,
            intervals_ms=intervals_ms,
            loops=loops,
            step_ms=MODEL_STEP_MS,
            name=f"spikes{suffix_of(channel)}.csv",
        )


class _HeldRate(Sequence[float]):
    """The held rate of each sample, computed piece by piece as it is read: a day of it fits no memory."""

    def __init__(self, spikes: IntArray, n_samples: int, breaks: IntArray) -> None:
        self._spikes, self._n, self._breaks = spikes, n_samples, breaks

    def __len__(self) -> int:
        return self._n

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[float]: ...
    def __getitem__(self, index: int | slice) -> float | Sequence[float]:
        if isinstance(index, slice):
            found: list[float] = self._at(np.arange(*index.indices(self._n), dtype=np.int64)).tolist()
            return found
        return float(self._at(np.array([range(self._n)[index]], dtype=np.int64))[0])

    def __iter__(self) -> Iterator[float]:
        for start in range(0, self._n, 1 << 14):
            yield from self[start : start + (1 << 14)]

    def _at(self, places: IntArray) -> FloatArray:
        return held_rate_at(self._spikes, places, breaks=self._breaks)
