"""What devices hold, as a block of Neo with one segment per run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from spikedaq.model import ConfigError, require
from spikedaq.objects.neo_block import MAX_BLOCK_BYTES
from spikedaq.objects.units import is_known, quantity_unit
from spikedaq.pynn.device import DeviceData
from spikedaq.pynn.grid import Grid, grid_of_one, grid_of_several
from spikedaq.pynn.runs import boundaries
from spikedaq.pynn.stretches import FloatArray, Stretch, holes_of
from spikedaq.pynn.variables import SPIKES, canonical

FILL_S = 1.0
"""Gaps up to so long are filled with NaN; a longer one begins a new run."""
_MS = 1000.0


@dataclass(slots=True)
class Run:
    """One run: times ``origin_s <= t``, and what each device has of it."""

    number: int
    origin_s: float
    why: str
    stretches: list[list[Stretch]]
    spikes_s: list[FloatArray]
    annotations: dict[str, Any] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether no device has a sample of it."""
        return not any(self.stretches)


def find_runs(devices: Sequence[DeviceData], fill_s: float = FILL_S) -> list[Run]:
    """Part what devices hold into runs; those of which no device has a sample are left out.

    Returns
    -------
    list of Run
        At least one, which may be empty.
    """
    stretches = [device.stretches() for device in devices]
    spikes = [device.spikes_s() for device in devices]
    holes = [hole for mine in stretches for hole in holes_of(mine, fill_s)]
    cuts = boundaries(holes, [reset for device in devices for reset in device.resets])
    number = max((device.runs_forgotten for device in devices), default=0)
    known = [device.origin_s for device in devices if device.origin_s is not None]
    begins = [device.begins_s for device in devices if device.begins_s > -math.inf]
    firsts = [mine[0].first_s for mine in stretches if mine]
    origin_s = min(known or begins or firsts or [0.0])
    runs: list[Run] = []
    start_s, why = -math.inf, "start"
    for cut in [*cuts, None]:
        stop_s = math.inf if cut is None else cut.ended_s
        run = Run(
            number,
            origin_s,
            why,
            [[part for one in mine if (part := one.within(start_s, stop_s))] for mine in stretches],
            [mine[(mine >= start_s) & (mine < stop_s)] for mine in spikes],
            {} if cut is None else dict(cut.annotations),
        )
        if not run.is_empty:
            runs.append(run)
            number += 1
        if cut is not None:
            start_s, origin_s, why = cut.began_s, cut.began_s, cut.why
    return runs or [Run(number, origin_s, why, [[] for _ in devices], [np.empty(0) for _ in devices])]


def make_block(
    devices: Sequence[DeviceData],
    variables: Sequence[Sequence[str]],
    *,
    name: str,
    description: str,
    annotations: dict[str, Any],
) -> tuple[Any, list[Run]]:
    """Make a block of what devices hold.

    Parameters
    ----------
    devices : sequence of DeviceData
    variables : sequence of sequence of str
        Of each device.
    annotations : map
        Of the block.

    Returns
    -------
    neo.Block
    list of Run

    Raises
    ------
    ConfigError
        It would be too large, or a sampling interval is no multiple of the devices' own.
    """
    neo = require("neo", "neo")
    runs = find_runs(devices)
    _check_size(runs, variables)
    block = neo.Block(name=name, description=description)
    block.annotate(**annotations)
    for run in runs:
        segment = neo.Segment(name=f"segment{run.number:03d}", description=description, index=run.number)
        segment.rec_datetime = _utc(devices, run.origin_s)
        segment.annotate(begins_s=run.origin_s - runs[0].origin_s, run_begins=run.why)
        segment.annotate(**run.annotations)
        for members in _of_one_pace(devices, run):
            _add_signals(segment, devices, variables, run, members)
        _add_spikes(segment, devices, variables, run)
        block.segments.append(segment)
    block.rec_datetime = block.segments[0].rec_datetime
    block.check_relationships()
    return block, runs


def _utc(devices: Sequence[DeviceData], time_s: float) -> datetime | None:
    reference_ns = devices[0].reference_utc_ns if devices else None
    if reference_ns is None:
        return None
    whole = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=round(reference_ns / 1000 + time_s * 1e6))
    return whole.replace(tzinfo=None)


def _check_size(runs: Sequence[Run], variables: Sequence[Sequence[str]]) -> None:
    n_values = sum(
        one.n * len(names) for run in runs for mine, names in zip(run.stretches, variables, strict=True) for one in mine
    )
    if n_values * 8 > MAX_BLOCK_BYTES:
        raise ConfigError(
            f"this would take {n_values * 8 / 2**30:.1f} GiB of memory, and at most {MAX_BLOCK_BYTES / 2**30:.0f} GiB "
            "are allowed; record fewer variables, or with a sampling_interval, or open a part of the recording"
        )


def _of_one_pace(devices: Sequence[DeviceData], run: Run) -> list[list[int]]:
    """Return the devices that have samples of a run, those of one pace together."""
    paces: dict[float, list[int]] = {}
    for k in range(len(devices)):
        if run.stretches[k]:
            paces.setdefault(run.stretches[k][0].step_us, []).append(k)
    return list(paces.values())


def _add_signals(
    segment: Any, devices: Sequence[DeviceData], variables: Sequence[Sequence[str]], run: Run, members: list[int]
) -> None:
    """Add one signal for each variable, of all devices of one pace that have it."""
    mine = [run.stretches[k] for k in members]
    step_us = mine[0][0].step_us
    # Of one device every sample has its own place; of several, common times are needed.
    grid = grid_of_one(mine[0]) if len(members) == 1 else grid_of_several(mine, step_us)
    for variable in dict.fromkeys(name for k in members for name in variables[k] if name != SPIKES):
        for unit, group in _units(devices, variables, run, members, variable).items():
            every = _every(devices, group, grid.rate_hz, variable)
            values = np.stack([grid.values(members.index(k), variable)[::every] for k in group], axis=1)
            segment.analogsignals.append(_signal(devices, group, variable, unit, values, grid, run.origin_s, every))
    if len(members) > 1:
        segment.annotate(aligned_repeated=grid.repeated, aligned_left_out=grid.left_out)
    _add_gaps(segment, devices, run, members)


def _units(
    devices: Sequence[DeviceData], variables: Sequence[Sequence[str]], run: Run, members: list[int], variable: str
) -> dict[str, list[int]]:
    """Return the devices that have a variable, by its unit."""
    found: dict[str, list[int]] = {}
    for k in members:
        if variable in variables[k]:
            for channel in run.stretches[k][0].channels:
                if canonical(channel.name) == canonical(variable):
                    found.setdefault(channel.unit, []).append(k)
    return found


def _every(devices: Sequence[DeviceData], group: list[int], rate_hz: float, variable: str) -> int:
    intervals = {devices[k].selection.sampling_interval_ms for k in group}
    if len(intervals) > 1:
        raise ConfigError(
            f"{variable} is recorded with different sampling intervals; get the data of each device apart"
        )
    interval_ms = intervals.pop()
    if interval_ms is None:
        return 1
    own_ms = round(1e6 / rate_hz) / _MS
    every = round(interval_ms / own_ms)
    if every < 1 or abs(every * own_ms - interval_ms) > 1e-6:
        raise ConfigError(
            f"a sampling interval of {interval_ms:g} ms is no multiple of the device's own, {own_ms:g} ms"
        )
    return every


def _signal(  # noqa: PLR0917
    devices: Sequence[DeviceData],
    group: list[int],
    variable: str,
    unit: str,
    values: FloatArray,
    grid: Grid,
    origin_s: float,
    every: int,
) -> Any:
    neo, pq = require("neo", "neo"), require("quantities", "neo")
    ids = np.array([devices[k].cell_id for k in group])
    about = {} if is_known(unit) else {"unit": unit}
    return neo.AnalogSignal(
        values,
        units=quantity_unit(unit),
        sampling_rate=grid.rate_hz / every / _MS / pq.ms,
        t_start=(grid.start_s - origin_s) * _MS * pq.ms,
        name=variable,
        source_population=";".join(devices[k].label for k in group),
        channel_ids=ids,
        source_ids=ids,
        array_annotations={"channel_index": np.array(group)},
        **about,
    )


def _add_gaps(segment: Any, devices: Sequence[DeviceData], run: Run, members: list[int]) -> None:
    neo, pq = require("neo", "neo"), require("quantities", "neo")
    for k in members:
        mine = run.stretches[k]
        if len(mine) > 1:
            starts = np.array([one.last_s + one.step_us * 1e-6 for one in mine[:-1]])
            stops = np.array([one.first_s for one in mine[1:]])
            segment.epochs.append(
                neo.Epoch(
                    (starts - run.origin_s) * _MS * pq.ms,
                    durations=np.maximum(stops - starts, 0) * _MS * pq.ms,
                    labels=np.array(["missing"] * len(starts)),
                    name=f"gaps of {devices[k].label}",
                )
            )


def _add_spikes(segment: Any, devices: Sequence[DeviceData], variables: Sequence[Sequence[str]], run: Run) -> None:
    neo = require("neo", "neo")
    for k, device in enumerate(devices):
        if SPIKES not in variables[k] or not run.stretches[k]:
            continue
        first, last = run.stretches[k][0], run.stretches[k][-1]
        times = run.spikes_s[k]
        edges = (first.first_s, last.last_s + last.step_us * 1e-6)
        start_s, stop_s = (min(edges[0], times[0]), max(edges[1], times[-1])) if len(times) else edges
        segment.spiketrains.append(
            neo.SpikeTrain(
                (times - run.origin_s) * _MS,
                units="ms",
                t_start=(start_s - run.origin_s) * _MS,
                t_stop=(stop_s - run.origin_s) * _MS,
                source_population=device.label,
                channel_id=device.cell_id,
                source_id=device.cell_id,
                source_index=k,
            )
        )
