"""What the spacing of trigger marks and stimulus pulses tells of rows that a stock recording lost."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RowArray = npt.NDArray[np.int64]

_TOLERANCE_ROWS = 1
"""A loop whose length is no whole number of samples is a row longer every now and then."""
_LIKE_PULSES = 0.25
"""Pulses whose distances differ by more than this share are no loop of one pulse."""
_NORMAL_95 = 1.96


@dataclass(frozen=True, slots=True)
class TriggerSpacing:
    """How far apart the loops of a periodic stimulus begin, where that is not equal.

    Attributes
    ----------
    shortest_rows, longest_rows : int
        Of the distances between neighbouring loops that were seen.
    n_loops, n_marked : int
        Loops that there were, and those of them that have a trigger mark.
    loss, loss_low, loss_high : float
        Share of the rows that were lost, 0 to 1: an estimate, and the bounds of 95 % that so few loops allow.
    """

    shortest_rows: int
    longest_rows: int
    n_loops: int
    n_marked: int
    loss: float
    loss_low: float
    loss_high: float


def spacing_text(spacing: TriggerSpacing) -> str:
    """Return what a spacing tells, for those who look at the recording."""
    bounds = f" ({spacing.loss_low:.0%} to {spacing.loss_high:.0%})" if spacing.loss_high > spacing.loss_low else ""
    return (
        f"its stimulus loops are {spacing.shortest_rows} to {spacing.longest_rows} rows long, and "
        f"{spacing.n_marked} of {spacing.n_loops} have their trigger mark: about {spacing.loss:.0%}{bounds} of the "
        "rows were lost before the file was written, or the stimulus was changed; its times are too short by as much"
    )


def trigger_spacing(marks: RowArray, pulses: RowArray | None = None) -> TriggerSpacing | None:
    """Look at the distances between stimulus loops.

    Parameters
    ----------
    marks : int64 array, shape (n_marks,)
        Rows that have a trigger mark, rising.
    pulses : int64 array, shape (n_pulses,), optional
        Rows at which a stimulus of two levels rises. They count where marks are too few to have a spacing.

    Returns
    -------
    TriggerSpacing or None
        None where there is nothing to compare, or all is equal.

    Notes
    -----
    Two things show that rows were lost. Rows lost within a loop make it shorter than the others. A mark is on one row,
    so it is lost as often as any row: of n loops of which k have their mark, k/n of the marks are left, and so are
    about that share of the rows, within the Wilson interval of k out of n. The larger one of the two is returned. A
    stimulus that was changed on the way looks the same.
    """
    marks = np.asarray(marks, dtype=np.int64)
    gaps = np.diff(marks)
    if len(gaps) >= 2:
        if int(gaps.max() - gaps.min()) <= _TOLERANCE_ROWS:
            return None
        loop = _loop(gaps)
        loops = np.maximum(np.rint(gaps / loop), 1)
        short = float(np.maximum(loops * loop - gaps, 0).sum()) / float(loops.sum() * loop)
        return _result(gaps, int(loops.sum()), len(gaps), short)
    if pulses is None or len(pulses) < 3:
        return None
    pulses = np.asarray(pulses, dtype=np.int64)
    gaps = np.diff(pulses)
    median, spread = float(np.median(gaps)), int(gaps.max() - gaps.min())
    if spread <= _TOLERANCE_ROWS or np.abs(gaps - median).max() > _LIKE_PULSES * median:
        return None
    marked = int((np.abs(pulses[:, None] - marks[None, :]) <= _TOLERANCE_ROWS).any(axis=1).sum())
    return _result(gaps, len(pulses), marked, 1 - float(gaps.mean()) / float(gaps.max()))


def _loop(gaps: RowArray) -> float:
    """Return the loop's length: the distance that most marks have, else the shortest one."""
    values, counts = np.unique(gaps, return_counts=True)
    near = np.array([counts[np.abs(values - v) <= _TOLERANCE_ROWS].sum() for v in values])
    best = int(near.argmax())
    return float(values[best]) if 2 * near[best] > len(gaps) else float(values[0])


def _result(gaps: RowArray, n_loops: int, n_marked: int, short: float) -> TriggerSpacing:
    missing = n_loops - n_marked
    low, high = _wilson(missing, n_loops) if missing else (short, short)
    spread = int(gaps.min()), int(gaps.max())
    return TriggerSpacing(*spread, n_loops, n_marked, max(short, missing / n_loops), max(short, low), max(short, high))


def _wilson(k: int, n: int) -> tuple[float, float]:
    """Return the bounds of a share of which k out of n were seen (Wilson 1927)."""
    z2 = _NORMAL_95**2
    middle = (k + z2 / 2) / (n + z2)
    half = _NORMAL_95 / (n + z2) * math.sqrt(k * (n - k) / n + z2 / 4)
    return max(0.0, middle - half), min(1.0, middle + half)
