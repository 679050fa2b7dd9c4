"""How each generator makes its waveform: from checked values by name to a `Plan`, rows counted before any is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from spikedaq.model import ConfigError
from spikedaq.noise import gaussian, uniform
from spikedaq.stimulus import shapes
from spikedaq.stimulus.parameters import Plan


def rows_of(ms: float) -> int:
    """Return the rows of a time in milliseconds that was checked to be whole rows."""
    return round(ms * 10)


def steps(v: Mapping[str, Any]) -> Plan:
    """Plan levels one after the other."""
    on, off = rows_of(v["on_ms"]), rows_of(v["off_ms"])
    return Plan(
        v["count"] * (on + off),
        lambda: shapes.steps(
            v["count"],
            first=v["first"],
            increment=v["increment"],
            on_rows=on,
            off_rows=off,
            off_level=v["off_level"],
        ),
    )


def ramp(v: Mapping[str, Any]) -> Plan:
    """Plan a line, and its last level held."""
    n, hold = rows_of(v["duration_ms"]), rows_of(v["hold_ms"])
    return Plan(
        n + hold, lambda: np.concatenate([shapes.ramp(n, v["start"], v["end"]), shapes.constant(hold, v["end"])])
    )


def sine(v: Mapping[str, Any]) -> Plan:
    """Plan a sine."""
    n = rows_of(v["duration_ms"])
    return Plan(
        n,
        lambda: shapes.sine(
            shapes.constant_cycles(n, v["frequency_hz"], v["phase_deg"]), v["amplitude"], v["mean"]
        ),
    )  # fmt: skip


def triangle(v: Mapping[str, Any]) -> Plan:
    """Plan a triangle."""
    n = rows_of(v["duration_ms"])
    return Plan(
        n,
        lambda: shapes.triangle(
            shapes.constant_cycles(n, v["frequency_hz"], v["phase_deg"]), v["amplitude"], v["mean"]
        ),
    )  # fmt: skip


def chirp_linear(v: Mapping[str, Any]) -> Plan:
    """Plan a sine of linearly changing frequency."""
    n = rows_of(v["duration_ms"])
    return Plan(n, lambda: shapes.sine(shapes.linear_cycles(n, v["start_hz"], v["end_hz"]), v["amplitude"], v["mean"]))


def chirp_exponential(v: Mapping[str, Any]) -> Plan:
    """Plan a sine of exponentially changing frequency."""
    n = rows_of(v["duration_ms"])
    return Plan(
        n, lambda: shapes.sine(shapes.exponential_cycles(n, v["start_hz"], v["end_hz"]), v["amplitude"], v["mean"])
    )


def chirp_amplitude(v: Mapping[str, Any]) -> Plan:
    """Plan a sine of linearly changing amplitude."""
    n = rows_of(v["duration_ms"])
    return Plan(
        n,
        lambda: shapes.sine(
            shapes.constant_cycles(n, v["frequency_hz"]), shapes.ramp(n, v["start"], v["end"]), v["mean"]
        ),
    )  # fmt: skip


def noise_gaussian(v: Mapping[str, Any]) -> Plan:
    """Plan normal draws, each held."""
    n, hold = rows_of(v["duration_ms"]), rows_of(v["hold_ms"])
    return Plan(n, lambda: shapes.held(v["mean"] + v["sd"] * gaussian(-(-n // hold), v["seed"]), hold, n))


def noise_binary(v: Mapping[str, Any]) -> Plan:
    """Plan draws of two levels, each held."""
    n, hold = rows_of(v["duration_ms"]), rows_of(v["hold_ms"])

    def build() -> shapes.Percent:
        draws = uniform(-(-n // hold), v["seed"])
        return shapes.held(np.where(draws < v["probability"], v["high"], v["low"]), hold, n)

    return Plan(n, build)


def pulses(v: Mapping[str, Any]) -> Plan:
    """Plan equal pulses; ConfigError where one is longer than the period."""
    width, period = rows_of(v["width_ms"]), rows_of(v["period_ms"])
    if width > period:
        raise ConfigError(
            f"width_ms of pulses is {v['width_ms']:g} ms, longer than period_ms, {v['period_ms']:g} ms; make the width "
            "shorter or the period longer"
        )
    return Plan(v["count"] * period, lambda: shapes.pulses(v["count"], width, period, v["amplitude"], v["level"]))


def constant(v: Mapping[str, Any]) -> Plan:
    """Plan one level."""
    n = rows_of(v["duration_ms"])
    return Plan(n, lambda: shapes.constant(n, v["level"]))
