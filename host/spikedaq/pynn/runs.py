"""Where one run ends and the next begins, of one device and of several.

A run begins with every reset, and wherever a device recorded nothing for longer than gaps are filled, booted, or
changed its pace or clamp mode. Several devices have their runs in common, so that segment k of one is segment k of all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Boundary:
    """The end of a run and the beginning of the next; what lies between belongs to neither.

    Attributes
    ----------
    ended_s, began_s : float
        Times on the clock of the handle, in seconds. A run has ``began_s <= t``, the one before it ``t < ended_s``.
    annotations : map
        For the run that ended.
    why : str
        ``reset``, ``boot``, ``gap``, ``pace``, ``clamp``.
    """

    ended_s: float
    began_s: float
    annotations: dict[str, Any] = field(default_factory=dict, hash=False)
    why: str = "reset"


@dataclass(frozen=True, slots=True)
class Hole:
    """A stretch of time in which a device has no samples, and which no run goes across."""

    start_s: float
    stop_s: float
    why: str


def boundaries(holes: Iterable[Hole], resets: Iterable[Boundary]) -> list[Boundary]:
    """Return the fewest boundaries such that there is one in every hole, and all the resets.

    Where holes of several devices overlap, as the pauses between two windows do, one boundary serves them all. It lies
    at the end of the hole that ends first.

    Returns
    -------
    list of Boundary
        In order.
    """
    found: dict[tuple[float, float], Boundary] = {}
    for reset in resets:
        known = found.get((reset.ended_s, reset.began_s))
        if known is None or not known.annotations:
            found[reset.ended_s, reset.began_s] = reset
    points = sorted((one.ended_s, one.began_s) for one in found.values())
    cut_s: float | None = None
    for hole in sorted(holes, key=lambda hole: (hole.stop_s, hole.start_s)):
        if cut_s is not None and hole.start_s <= cut_s <= hole.stop_s:
            continue
        if any(ended_s <= hole.stop_s and began_s >= hole.start_s for ended_s, began_s in points):
            continue
        cut_s = hole.stop_s
        found.setdefault((cut_s, cut_s), Boundary(cut_s, cut_s, {}, hole.why))
    return sorted(found.values(), key=lambda one: (one.began_s, one.ended_s))
