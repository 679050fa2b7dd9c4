"""The F-I curve: how fast a neuron fires at each level of a stimulus, and from which level on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spikedaq.analysis.steps import StimulusStep, StimulusSteps
from spikedaq.analysis.stretches import FloatArray, IntArray, as_indices, positive
from spikedaq.model import MODEL_STEP_MS

_MS_PER_S = 1000.0


@dataclass(frozen=True, slots=True)
class StepResponse:
    """What a neuron did during one step.

    Attributes
    ----------
    step : StimulusStep
    n_spikes : int
    rate_hz : float
        Spikes / duration of the step.
    first_interval_hz : float
        1 / time between the first two spikes; NaN with fewer than two.
    steady_hz : float
        1 / mean of the intervals that end in the second half of the step; 0 if no spike lies there. If the only spike
        of the step does, 1 / the half's duration.
    latency_ms : float
        From the onset to the first spike; NaN without one.
    """

    step: StimulusStep
    n_spikes: int
    rate_hz: float
    first_interval_hz: float
    steady_hz: float
    latency_ms: float


@dataclass(frozen=True, slots=True)
class FiPoint:
    """Steps of one level together: means over steps, NaN left out, and standard deviation of the rate (NaN for one)."""

    level: float
    n_steps: int
    rate_hz: float
    rate_sd_hz: float
    first_interval_hz: float
    steady_hz: float
    latency_ms: float


@dataclass(frozen=True, slots=True)
class FiCurve:
    """Points by rising level, and what they come to.

    Attributes
    ----------
    points : tuple of FiPoint
    responses : tuple of StepResponse
        Each whole step, in order of time.
    rheobase : float
        Lowest level above the baseline from which on every level fires; NaN where the highest does not.
    silent_below : float
        Highest level below the rheobase (at least the baseline) at which nothing fired: the true rheobase lies between
        the two. NaN where there is none.
    gain_hz_per_unit : float
        Slope of a line fitted to the rates of levels from the rheobase on, by least squares; NaN for fewer than two.
    n_left_out : int
        Steps cut by a gap or an end of the recording.
    """

    points: tuple[FiPoint, ...]
    responses: tuple[StepResponse, ...]
    rheobase: float
    silent_below: float
    gain_hz_per_unit: float
    n_left_out: int


def step_response(spikes: npt.ArrayLike, step: StimulusStep, *, step_ms: float = MODEL_STEP_MS) -> StepResponse:
    """Return what a neuron did during a step; ``spikes`` are rising indices of samples."""
    step_ms = positive(step_ms, "the step in ms")
    return _response(as_indices(spikes, np.iinfo(np.int64).max, "spikes"), step, step_ms)


def _response(at: IntArray, step: StimulusStep, step_ms: float) -> StepResponse:
    inside = at[np.searchsorted(at, step.onset) : np.searchsorted(at, step.offset)]
    n, duration_ms = len(inside), (step.offset - step.onset) * step_ms
    middle = (step.onset + step.offset) / 2
    late = inside >= middle
    if not late.any():
        steady_hz = 0.0
    elif n == 1:
        steady_hz = _MS_PER_S / (duration_ms / 2)
    else:
        steady_hz = _MS_PER_S / float(np.diff(inside)[late[1:]].mean() * step_ms)
    return StepResponse(
        step=step,
        n_spikes=n,
        rate_hz=_MS_PER_S * n / duration_ms,
        first_interval_hz=_MS_PER_S / float((inside[1] - inside[0]) * step_ms) if n >= 2 else math.nan,
        steady_hz=steady_hz,
        latency_ms=float((inside[0] - step.onset) * step_ms) if n else math.nan,
    )


def fi_curve(spikes: npt.ArrayLike, steps: StimulusSteps, *, step_ms: float = MODEL_STEP_MS) -> FiCurve:
    """Return the F-I curve over all whole steps; those of one level, of repeated loops say, are averaged.

    Parameters
    ----------
    spikes : int64 array, shape (n_spikes,)
        Indices of samples, rising.
    steps : StimulusSteps
        Of the stimulus, or of the current; levels are in its unit.
    step_ms : float
        Time between samples, in ms.
    """
    step_ms = positive(step_ms, "the step in ms")
    at = as_indices(spikes, np.iinfo(np.int64).max, "spikes")
    whole = [step for step in steps.steps if step.is_whole]
    responses = tuple(_response(at, step, step_ms) for step in whole)
    points = tuple(_point(group) for group in _by_level(responses, steps.same_level))
    above = [point for point in points if point.level > steps.baseline]
    n_firing = 0
    for point in reversed(above):
        if not point.rate_hz:
            break
        n_firing += 1
    firing = above[len(above) - n_firing :]
    silent = above[: len(above) - n_firing]
    return FiCurve(
        points=points,
        responses=responses,
        rheobase=firing[0].level if firing else math.nan,
        silent_below=(silent[-1].level if silent else steps.baseline) if firing else math.nan,
        gain_hz_per_unit=_slope(firing),
        n_left_out=len(steps.steps) - len(whole),
    )


def _by_level(responses: Sequence[StepResponse], tolerance: float) -> list[list[StepResponse]]:
    """Group by level: those within the tolerance above the lowest of a group belong to it."""
    groups: list[list[StepResponse]] = []
    for response in sorted(responses, key=lambda r: r.step.level):
        if groups and response.step.level - groups[-1][0].step.level <= tolerance:
            groups[-1].append(response)
        else:
            groups.append([response])
    return groups


def _point(group: list[StepResponse]) -> FiPoint:
    rates = np.array([r.rate_hz for r in group])
    return FiPoint(
        level=float(np.mean([r.step.level for r in group])),
        n_steps=len(group),
        rate_hz=float(rates.mean()),
        rate_sd_hz=float(rates.std(ddof=1)) if len(group) >= 2 else math.nan,
        first_interval_hz=_mean([r.first_interval_hz for r in group]),
        steady_hz=_mean([r.steady_hz for r in group]),
        latency_ms=_mean([r.latency_ms for r in group]),
    )


def _mean(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known) / len(known) if known else math.nan


def _slope(points: Sequence[FiPoint]) -> float:
    if len(points) < 2:
        return math.nan
    levels: FloatArray = np.array([p.level for p in points])
    rates = np.array([p.rate_hz for p in points])
    away = levels - levels.mean()
    return float((away * (rates - rates.mean())).sum() / (away**2).sum())
