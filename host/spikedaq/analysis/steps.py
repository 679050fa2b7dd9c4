"""Steps of a stimulus: where a trace leaps from one level to another and stays there."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from spikedaq.analysis.stretches import Breaks, FloatArray, as_breaks, as_trace, not_negative, positive, stretches
from spikedaq.model import MODEL_STEP_MS, ConfigError

# Of a normal distribution: median absolute deviation to standard deviation.
_MAD_TO_SD = 1.4826
# Means over a window that differ by this many of their standard deviations are two levels: one chance in 10**8 each.
_SURE_SD = 6.0
# A protocol may be on for longer than it is off, but hardly for more than this.
_BASELINE_SHARE = 0.25
# Standard deviation of a median of n normal values x sqrt(n) / that of one: sqrt(pi / 2).
_MEDIAN_SD = 1.2533
# Far below any channel's resolution, far above what raw x scale is off its decimal value.
_LEAST_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class StimulusStep:
    """A stretch of constant stimulus that is not the baseline: samples ``onset .. offset - 1``.

    Attributes
    ----------
    onset, offset : int
        First sample, and the one after the last.
    level : float
        Median of the trace, in its unit.
    has_onset, has_offset : bool
        Whether its beginning and its end were recorded; a gap or an end of the recording may have cut it.
    """

    onset: int
    offset: int
    level: float
    has_onset: bool = True
    has_offset: bool = True

    @property
    def is_whole(self) -> bool:
        """Whether both its ends were recorded."""
        return self.has_onset and self.has_offset


@dataclass(frozen=True, slots=True)
class StimulusSteps:
    """Steps of a trace in order, the level between them, and what two steps' levels may differ by and still be one.

    ``n_sloping`` counts stretches that were left out because they are not constant, or too short.
    """

    baseline: float
    same_level: float
    steps: tuple[StimulusStep, ...]
    n_sloping: int = 0


def noise_sd(trace: npt.ArrayLike) -> float:
    """Estimate the standard deviation of white noise on a trace of levels, from its differences.

    Leaps hardly touch it: 1.4826 x the median absolute deviation (Rousseeuw and Croux, J Am Stat Assoc 88:1273, 1993),
    here of differences, which have twice the variance. 0 where most neighbours are equal, NaN below two values.
    """
    differences = np.diff(as_trace(trace, "the trace"))
    known = differences[~np.isnan(differences)]
    if not len(known):
        return float("nan")
    return float(_MAD_TO_SD * np.median(np.abs(known - np.median(known))) / np.sqrt(2))


def find_steps(
    trace: npt.ArrayLike,
    *,
    min_ms: float = 5.0,
    tolerance: float | None = None,
    resolution: float = 0.0,
    baseline: float | None = None,
    step_ms: float = MODEL_STEP_MS,
    breaks: Breaks = None,
) -> StimulusSteps:
    """Find the steps in a stimulus or current.

    The means over a window before and after each sample are compared; where they differ most, by more than the
    tolerance, there the level changes. The window is half of ``min_ms`` on a noisy trace, one sample on a clean one.

    Parameters
    ----------
    trace : float array, shape (n,)
        Stimulus or current, in its unit; NaN is a missing sample.
    min_ms : float
        The shortest step, in ms of model time; shorter ones are not told from noise.
    tolerance : float, optional
        Levels that differ by no more than this are one, in the trace's unit. Default: 1.5 x ``resolution``, or six
        standard deviations of the difference of two means, whichever is more.
    resolution : float
        Distance of neighbouring values of the channel, in its unit (0.01 for currents, 1 for the stimulus in %).
    baseline : float, optional
        Level between the steps. Default: of the levels that last, in all, at least a quarter as long as the longest,
        the one nearest 0.
    step_ms : float
        Time between samples.
    breaks : int array, optional
        Samples before which others are missing.

    Returns
    -------
    StimulusSteps

    Raises
    ------
    ConfigError
        An argument that makes no sense, or a trace without a value.
    """
    values = as_trace(trace, "the stimulus")
    least = max(round(positive(min_ms, "the shortest step in ms") / positive(step_ms, "the step in ms")), 1)
    not_negative(resolution, "the resolution")
    missing = np.flatnonzero(np.isnan(values))
    parted = np.union1d(as_breaks(breaks, len(values)), np.concatenate([missing, missing + 1]))
    if len(missing) == len(values):
        raise ConfigError("the stimulus has no value; name a channel that was recorded")
    sd = noise_sd(values)
    sd = 0.0 if np.isnan(sd) else sd
    window = max(least // 2, 1) if sd > 0 else 1
    is_told = tolerance is not None
    if tolerance is None:
        tolerance = max(1.5 * resolution, _SURE_SD * sd * float(np.sqrt(2 / window)))
    tolerance = max(not_negative(tolerance, "the tolerance"), _LEAST_TOLERANCE)

    flat: list[StimulusStep] = []
    n_sloping = 0
    for first, after in stretches(len(values), parted).tolist():
        piece = values[first:after]
        if np.isnan(piece).any():
            continue
        edges = [0, *_changes(piece, window, tolerance), len(piece)]
        was_sloping = False
        for a, b in pairwise(edges):
            level = piece[a:b]
            if b - a >= least and _is_flat(level, sd, tolerance):
                flat.append(StimulusStep(first + a, first + b, _middle(level), a > 0, b < len(piece)))
                was_sloping = False
            else:
                n_sloping += not was_sloping
                was_sloping = True
    flat = _joined(flat, tolerance, least)
    # The level of a long step is known better than a leap within a window.
    shortest = min((step.offset - step.onset for step in flat), default=1)
    known = max(1.5 * resolution, _SURE_SD * _MEDIAN_SD * sd * float(np.sqrt(2 / shortest)), _LEAST_TOLERANCE)
    same_level = tolerance if is_told else min(known, tolerance)
    if not flat:
        return StimulusSteps(float("nan") if baseline is None else baseline, same_level, (), n_sloping)
    if baseline is None:
        baseline = _usual_level(flat, same_level)
    steps = tuple(step for step in flat if abs(step.level - baseline) > tolerance)
    return StimulusSteps(baseline, same_level, steps, n_sloping)


def _changes(piece: FloatArray, window: int, tolerance: float) -> list[int]:
    """Return the first samples of new levels in an unbroken piece."""
    n = len(piece)
    if window == 1:
        return [int(k) + 1 for k in np.flatnonzero(np.abs(np.diff(piece)) > tolerance)]
    sums = np.concatenate([[0.0], np.cumsum(piece - piece[0])])
    k = np.arange(1, n)
    before, after = np.minimum(k, window), np.minimum(n - k, window)
    leap = (sums[k + after] - sums[k]) / after - (sums[k] - sums[k - before]) / before
    # Near the ends there is less to average, so that more is needed to be sure.
    sure = np.abs(leap) / (tolerance * np.sqrt(window * (1 / before + 1 / after) / 2))
    sign = np.where(sure > 1, np.sign(leap), 0.0)
    edges = np.concatenate([[0], np.flatnonzero(np.diff(sign)) + 1, [len(sign)]]) if n > 1 else np.zeros(1, np.int64)
    peaks = [int(a + np.argmax(sure[a:b])) for a, b in pairwise(edges) if sign[a]]
    # The flank of a leap, as wide as the window, crosses the tolerance more than once where noise rides on it.
    found: list[int] = []
    for peak in sorted(peaks, key=lambda peak: -sure[peak]):
        place = bisect_left(found, peak)
        if all(abs(peak - other) >= window for other in found[max(place - 1, 0) : place + 1]):
            found.insert(place, peak)
    return [peak + 1 for peak in found]


def _is_flat(level: FloatArray, sd: float, tolerance: float) -> bool:
    half = len(level) // 2
    if not half or _is_constant(level):
        return True
    spread = _MAD_TO_SD * float(np.median(np.abs(level - np.median(level))))
    drift = abs(float(level[:half].mean() - level[-half:].mean()))
    return drift <= tolerance and spread <= 2 * sd + tolerance


def _is_constant(level: FloatArray) -> bool:
    return bool((level == level[0]).all())


def _middle(level: FloatArray) -> float:
    """Return the median, which takes ten times as long to find where there is nothing to find."""
    return float(level[0] if _is_constant(level) else np.median(level))


def _joined(flat: list[StimulusStep], tolerance: float, least: int) -> list[StimulusStep]:
    """Join neighbours of one level: what lay between was a moment of noise."""
    joined: list[StimulusStep] = []
    for step in flat:
        last = joined[-1] if joined else None
        is_same = (
            last is not None
            and step.onset - last.offset < least
            and step.has_onset
            and last.has_offset
            and abs(last.level - step.level) <= tolerance
        )
        if last is not None and is_same:
            joined[-1] = StimulusStep(last.onset, step.offset, last.level, last.has_onset, step.has_offset)
        else:
            joined.append(step)
    return joined


def _usual_level(flat: list[StimulusStep], tolerance: float) -> float:
    levels = np.array([step.level for step in flat])
    order = np.argsort(levels, kind="stable")
    ordered = levels[order]
    # How long the levels up to each one last together: noise that is held makes tens of thousands of them.
    sums = np.concatenate([[0], np.cumsum([flat[k].offset - flat[k].onset for k in order.tolist()])])
    after = np.searchsorted(ordered, levels + tolerance, side="right")
    lasts = sums[after] - sums[np.searchsorted(ordered, levels - tolerance, side="left")]
    often = levels[lasts >= _BASELINE_SHARE * lasts.max()]
    return float(often[np.argmin(np.abs(often))])
