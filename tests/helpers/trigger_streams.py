"""Streams with gaps, reboots, other periods and clamp modes, and triggers by their definition, sample by sample."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from spikedaq.model import Block, BlockFlag, ChannelInfo, ClampMode
from spikedaq.trigger import Firing

VM, STIMULUS, TRIGGER = 0, 1, 2
CHANNELS = (ChannelInfo("vm", "mV", 1, -2), ChannelInfo("stimulus", "%", 1, 0), ChannelInfo("trigger", "1", 1, 0))
CLAMP_CHANNELS = (CHANNELS[0], ChannelInfo("v_command", "mV", 1, -2), CHANNELS[2])
BY_MODE = {ClampMode.CURRENT: CHANNELS, ClampMode.VOLTAGE: CLAMP_CHANNELS}


@dataclass(frozen=True)
class Stretch:
    """Samples (n, 3) with one time base."""

    boot_id: int
    first_step: int
    first_tick: int
    step_us: int
    clamped: bool
    samples: np.ndarray

    def tick(self, k: int) -> int:
        return self.first_tick + k * self.step_us


def stretch(values: Sequence[int] | np.ndarray, *, column: int = VM, **other: int) -> Stretch:
    """One stretch whose one channel is given, in raw values."""
    samples = np.zeros((len(values), 3), np.int16)
    samples[:, column] = values
    known = {"boot_id": 7, "first_step": 0, "first_tick": 1000, "step_us": 100, "clamped": False, **other}
    return Stretch(samples=samples, **known)  # type: ignore[arg-type]


def blocks_of(stretches: Iterable[Stretch], sizes: Iterator[int]) -> Iterator[Block]:
    """Cut stretches into blocks of these sizes, the last of each shorter."""
    seq = 0
    for s in stretches:
        at = 0
        while at < len(s.samples):
            rows = s.samples[at : at + next(sizes)]
            # As they come from the wire: channel by channel, read-only.
            view = np.frombuffer(np.ascontiguousarray(rows.T).tobytes(), "<i2").reshape(3, len(rows)).T
            flags = BlockFlag.VOLTAGE_CLAMP if s.clamped else BlockFlag(0)
            yield Block(s.boot_id, seq, 0, s.first_step + at, s.tick(at), s.step_us, flags, view)
            seq += 1
            at += len(rows)


def level_by_definition(
    s: Stretch, column: int, channel: ChannelInfo, level: float, hysteresis: float, *, rising: bool
) -> list[tuple[int, float]]:
    """Where a level is passed: physical values in exact fractions, one sample at a time."""
    up = 1 if rising else -1
    value_of = [
        (int(raw) * channel.scale_mantissa + channel.offset_mantissa) * Fraction(10) ** channel.scale_exponent
        for raw in s.samples[:, column]
    ]
    fires, armed = [], False
    for k, value in enumerate(value_of):
        if armed and up * value >= up * Fraction(str(level)):
            fires.append((k, float(value)))
            armed = False
        if up * value < up * Fraction(str(level)) - Fraction(str(hysteresis)):
            armed = True
    return fires


def spikes_by_definition(s: Stretch) -> list[int]:
    """First step with v >= -30 after one below."""
    v = s.samples[:, VM]
    return [k for k in range(1, len(v)) if v[k] >= -3000 and v[k - 1] < -3000]


def count_by_definition(s: Stretch, count: int, window_us: int, *, rising: bool) -> list[tuple[int, float]]:
    """Steps on which the number of spikes younger than the window passes ``count``."""
    spikes = spikes_by_definition(s)
    fires, before = [], 0
    for k in range(len(s.samples)):
        now = sum(1 for spike in spikes if 0 <= (k - spike) * s.step_us < window_us)
        if rising and before < count <= now:
            fires.append((k, float(now)))
        if not rising and now < count <= before:
            fires.append((k, float(now)))
        before = now
    return fires


def held_off(found: Iterable[tuple[Stretch, int, float]], holdoff_us: int) -> list[Firing]:
    """Leave out what comes too early after the last firing of the same boot."""
    kept: list[Firing] = []
    for s, k, value in found:
        firing = Firing(s.boot_id, s.first_step + k, s.tick(k), value)
        last = kept[-1] if kept else None
        if last is None or last.boot_id != firing.boot_id or firing.tick - last.tick >= holdoff_us:
            kept.append(firing)
    return kept


def same(a: Sequence[Firing], b: Sequence[Firing]) -> bool:
    """Whether firings agree; their values to the last bits of a double."""
    return [(f.boot_id, f.step, f.tick) for f in a] == [(f.boot_id, f.step, f.tick) for f in b] and all(
        math.isclose(x.value, y.value, abs_tol=1e-9) or (math.isnan(x.value) and math.isnan(y.value))
        for x, y in zip(a, b, strict=True)
    )
