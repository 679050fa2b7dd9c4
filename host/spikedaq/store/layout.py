"""The layout of a recording file: its channels' storage and its tables, as data (docs/reference/recording-file.md)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.model import ChannelInfo
from spikedaq.store.hdf5 import text_dtype

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")
INT32_MAX = 2**31 - 1
RAW_MAX = 32768

SECONDS_GRID = 2**20
"""Times are rounded to 1/SECONDS_GRID s (0.95 us): exact in binary, and twice as compressible as unrounded ones."""

NAME_BYTES = 64
CAUSE_BYTES = 16
NOTE_BYTES = 512
ENDING_BYTES = 1024


@dataclass(frozen=True, slots=True)
class ChannelStorage:
    """How one channel's raw int16 values are stored.

    Stored value = raw * factor + shift; value in ``unit`` = stored * conversion + offset.
    """

    name: str
    dtype: str
    factor: int
    shift: int
    unit: str
    conversion: float
    offset: float

    def encode(self, raw: npt.NDArray[np.int16]) -> npt.NDArray[Any]:
        """Return what is stored for raw values."""
        if self.dtype == "i2":
            return raw
        return raw.astype(np.int32) * np.int32(self.factor) + np.int32(self.shift)

    def decode(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.int16]:
        """Return the raw values exactly as the device sent them."""
        if self.dtype == "i2":
            return np.asarray(stored, dtype=np.int16)
        return ((np.asarray(stored, dtype=np.int64) - self.shift) // self.factor).astype(np.int16)


def channel_storages(channels: Sequence[ChannelInfo]) -> list[ChannelStorage]:
    """Return how to store each channel, under names that HDF5 and NWB take, no two alike."""
    return list(_storages(tuple(channels)))


@lru_cache(maxsize=32)
def _storages(channels: tuple[ChannelInfo, ...]) -> tuple[ChannelStorage, ...]:
    storages: list[ChannelStorage] = []
    for index, channel in enumerate(channels):
        storage = channel_storage(channel)
        name = _NOT_IN_NAMES.sub("_", channel.name) or f"channel_{index}"
        if any(s.name == name for s in storages):
            name = f"{name}_{index}"
        storages.append(replace(storage, name=name))
    return tuple(storages)


def channel_storage(channel: ChannelInfo) -> ChannelStorage:
    """Return how to store one channel.

    The conversion is a power of 1000, the only ones that Neo's NWB reader takes: hundredths of a millivolt become int32
    microvolts, hundredths of another unit int32 thousandths. Where that is no whole number or does not fit, the raw
    int16 stay, with whatever conversion they need.
    """
    is_potential = channel.unit == "mV"
    unit = "volts" if is_potential else channel.unit
    exponent = channel.scale_exponent - 3 if is_potential else channel.scale_exponent
    for thousandths in (0, 3, 6, 9):
        power = Fraction(10) ** (exponent + thousandths)
        factor, shift = channel.scale_mantissa * power, channel.offset_mantissa * power
        fits = abs(factor) * RAW_MAX + abs(shift) <= INT32_MAX
        if factor.denominator == 1 and shift.denominator == 1 and factor != 0 and fits:
            dtype = "i2" if factor == 1 and shift == 0 else "i4"
            conversion = float(f"1e-{thousandths}")
            return ChannelStorage(channel.name, dtype, int(factor), int(shift), unit or "1", conversion, 0.0)
    conversion = float(f"{channel.scale_mantissa}e{exponent}")
    offset = float(f"{channel.offset_mantissa}e{exponent}")
    return ChannelStorage(channel.name, "i2", 1, 0, unit or "1", conversion, offset)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    dtype: Any
    description: str
    neurodata_type: str = "VectorData"


@dataclass(frozen=True, slots=True)
class Table:
    """One table. ``compressed`` ones are written in whole chunks only, ``chunk_rows`` decides later where it is 0."""

    path: str
    neurodata_type: str
    description: str
    columns: tuple[Column, ...]
    chunk_rows: int = 128
    compressed: bool = False

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Row type, in the order of the columns."""
        return np.dtype([(c.name, c.dtype) for c in self.columns])


_OFFSET = Column("journal_offset", "i8", "end of the journal entry that this row was made from, bytes")
_TIME = Column("timestamp", "f8", "time of the event, seconds since the reference time", "TimestampVectorData")
_BOOT = Column("boot_id", "u4", "boot of the device")
_SEQ = Column("seq", "u4", "sequence number of the frame")
_STEP = Column("step", "i8", "step index of the model, -1 where the device did not say")
_TICK = Column("tick", "i8", "device clock widened to 64 bits, microseconds, -1 where the device did not say")

BLOCKS = Table(
    "/processing/icephys/blocks",
    "DynamicTable",
    "One row per block as the device sent it: which samples it is, and when.",
    (
        _BOOT,
        _SEQ,
        Column("stream", "u1", "stream index"),
        Column("first_step", "i8", "step index of the block's first sample"),
        Column("first_tick", "i8", "device clock at the first sample, widened to 64 bits, microseconds"),
        Column("step_us", "u4", "time between samples, microseconds of the device's clock"),
        Column("n_samples", "u4", "number of samples"),
        Column("flags", "u1", "bit 0 saturated, bit 1 after overrun, bit 2 after start, bit 3 voltage clamp"),
        Column("first_sample", "i8", "index of the block's first sample in the series of this file"),
        Column("t_received_ns", "i8", "CLOCK_BOOTTIME at which the block was received, nanoseconds; 0 if unknown"),
        _OFFSET,
    ),
    chunk_rows=0,
    compressed=True,
)
CLOCK_MAPS = Table(
    "/processing/icephys/clock_maps",
    "DynamicTable",
    "Pieces of the map from device ticks to host time, as applied: "
    "t_host_ns = t_host0_ns + (tick - tick0) * ns_per_tick from tick0 on.",
    (
        Column("t_host_ns", "i8", "CLOCK_BOOTTIME at which the piece was made, nanoseconds"),
        _BOOT,
        Column("tick0", "i8", "device tick from which the piece holds, microseconds"),
        Column("t_host0_ns", "i8", "CLOCK_BOOTTIME at tick0, nanoseconds"),
        Column("ns_per_tick", "f8", "slope, nanoseconds per tick"),
        Column("uncertainty_ns", "i8", "half-width of the interval that holds the true time, nanoseconds"),
        _OFFSET,
    ),
)
CLOCK_FITS = Table(
    "/processing/icephys/clock_fits",
    "DynamicTable",
    "The device's clock as measured by timed pings, before any slewing: t_host_ns of tick, and how sure.",
    (
        Column("t_host_ns", "i8", "CLOCK_BOOTTIME of the newest ping's answer, nanoseconds"),
        _BOOT,
        Column("tick", "i8", "device tick that the fit speaks of, microseconds"),
        Column("t_tick_host_ns", "i8", "CLOCK_BOOTTIME at that tick, nanoseconds"),
        Column("ns_per_tick", "f8", "slope, nanoseconds per tick"),
        Column("uncertainty_ns", "i8", "half-width of the interval that holds the true time, nanoseconds"),
        Column("n_pings", "u4", "pings that the fit rests on"),
        Column("best_round_trip_ns", "i8", "shortest round trip among them, nanoseconds"),
        _OFFSET,
    ),
)
GAPS = Table(
    "/intervals/invalid_times",
    "TimeIntervals",
    "Missing samples with their cause. They take no place in the series.",
    (
        Column("start_time", "f8", "time of the first missing sample, seconds"),
        Column("stop_time", "f8", "time of the first sample after the gap, seconds"),
        Column("cause", text_dtype(CAUSE_BYTES), "lost, overrun, dropped, stopped or outside"),
        _BOOT,
        Column("stream", "u1", "stream index"),
        Column("first_step", "i8", "step index of the first missing sample"),
        Column("n_steps", "i8", "number of missing samples"),
        Column("first_tick", "i8", "device clock at the first missing sample, microseconds"),
        _OFFSET,
    ),
)
LOOPS = Table(
    "/intervals/stimulus_loops",
    "TimeIntervals",
    "Complete loops of the stimulus, from one trigger to the next.",
    (
        Column("start_time", "f8", "time of the trigger that starts the loop, seconds"),
        Column("stop_time", "f8", "time of the next trigger, seconds"),
        Column("loop", "u4", "number of the loop since boot"),
        Column("start_step", "i8", "step index of the loop's first sample"),
        Column("stop_step", "i8", "step index of the next loop's first sample"),
        _BOOT,
        _OFFSET,
    ),
)
SPIKES = Table(
    "/events/spikes",
    "EventsTable",
    "Threshold crossings that the device reported: the first step with v >= -30 mV after one below.",
    (_TIME, _STEP, _TICK, Column("v_mv", "f4", "v of the model at the crossing, mV"), _BOOT, _SEQ, _OFFSET),
    chunk_rows=256,
)
TRIGGERS = Table(
    "/events/triggers",
    "EventsTable",
    "Starts of stimulus loops that the device reported.",
    (
        _TIME,
        _STEP,
        _TICK,
        Column("loop", "u4", "number of the loop since boot"),
        Column("is_waveform", "u1", "1 for an uploaded waveform, 0 for the square wave"),
        _BOOT,
        _SEQ,
        _OFFSET,
    ),
)
PARAMETERS = Table(
    "/events/parameters",
    "EventsTable",
    "Parameter values as the file starts (origin 'initial'), every change that the device reported (origin 'device') "
    "and every request made to it (origin: who asked).",
    (
        _TIME,
        Column("parameter", text_dtype(NAME_BYTES), "name of the parameter"),
        Column("value", "f8", "value in the parameter's unit; NaN where it was handed back to its knob"),
        Column("origin", text_dtype(NAME_BYTES), "initial, device, or who asked"),
        _STEP,
        _TICK,
        _BOOT,
        _OFFSET,
    ),
)
NOTES = Table(
    "/events/notes",
    "EventsTable",
    "Notes made during the recording. A long note goes on in the next rows, with the same time and origin.",
    (
        _TIME,
        Column("annotation", text_dtype(NOTE_BYTES), "text of the note"),
        Column("origin", text_dtype(NAME_BYTES), "who made it"),
        Column("t_host_ns", "i8", "CLOCK_BOOTTIME of the note, nanoseconds"),
        _OFFSET,
    ),
    chunk_rows=16,
)
OTHERS = Table(
    "/events/device_events",
    "EventsTable",
    "What else the device reported: overruns, ends of stimuli, and kinds of event that this version does not know.",
    (
        _TIME,
        Column("kind", "u1", "kind of the event on the wire"),
        Column("label", text_dtype(NAME_BYTES), "name of the kind"),
        _STEP,
        _TICK,
        Column("index", "u4", "index, as the kind defines it"),
        Column("value", "f4", "value, as the kind defines it"),
        _BOOT,
        _SEQ,
        _OFFSET,
    ),
)

EPOCHS = Table(
    "/intervals/trigger_epochs",
    "TimeIntervals",
    "Triggers that fired on this computer, each with the window around it.",
    (
        Column("start_time", "f8", "time of the first sample of the window, seconds"),
        Column("stop_time", "f8", "time of the first sample after the window, seconds"),
        Column("trigger_time", "f8", "time of the instant, seconds"),
        Column("trigger", text_dtype(NAME_BYTES), "name of the trigger"),
        Column("device", text_dtype(NAME_BYTES), "device on which it fired; empty: fired by hand"),
        Column("value", "f8", "what fired it: level, count or rate; NaN where there is none"),
        Column("boot_id", "u4", "boot of that device"),
        Column("step", "i8", "step index of that device's model at the instant"),
        Column("tick", "i8", "that device's clock at the instant, microseconds"),
        Column("t_trigger_ns", "i8", "CLOCK_BOOTTIME of the instant, nanoseconds"),
        _OFFSET,
    ),
)

SMALL_TABLES = (CLOCK_MAPS, GAPS, LOOPS, SPIKES, TRIGGERS, PARAMETERS, NOTES, OTHERS, CLOCK_FITS, EPOCHS)
"""All tables but the block table, in the order in which /scratch/complete counts their rows: add at the end only."""
TABLES = (*SMALL_TABLES, BLOCKS)

ENDING = "/scratch/ending"
COMPLETE = "/scratch/complete"
META = "/general/data_collection"


def chunk_samples(step_us: int, block_samples: int) -> int:
    """Return the samples per HDF5 chunk: about one second, at least one block; bounded so that buffers stay small."""
    return max(64, block_samples, min(1_000_000 // max(step_us, 1), 65_536))


def chunk_blocks(samples: int, block_samples: int) -> int:
    """Return the rows per chunk of the block table: as many full blocks as one chunk of samples takes."""
    return max(1, min(-(-samples // max(block_samples, 1)), 4096))
