"""What a panel draws: signals, spike trains, images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from spikedaq.model import ConfigError, require


def draw(axes: Any, datum: Any, label: str, lines: dict[str, Any], options: dict[str, Any]) -> None:
    """Draw signals, spike trains or an image on axes; raise ConfigError for anything else."""
    neo: Any = require("neo", "neo")
    if isinstance(datum, neo.AnalogSignal | neo.IrregularlySampledSignal):
        _draw_signal(axes, datum, label, lines, options)
    elif _is_trains(datum):
        _draw_trains(axes, datum, label, lines)
    elif isinstance(datum, np.ndarray) and datum.ndim == 2:
        image = axes.pcolormesh(np.asarray(datum), **lines)
        if options.get("legend", True):
            axes.figure.colorbar(image, ax=axes)
        _corner(axes, label)
    else:
        shape = f" of shape {datum.shape}" if isinstance(datum, np.ndarray) else ""
        raise ConfigError(
            f"a panel cannot draw {type(datum).__name__}{shape}; give signals, a list of spike trains, or a 2-D array"
        )


def _is_trains(datum: Any) -> bool:
    neo: Any = require("neo", "neo")
    if isinstance(datum, neo.SpikeTrain):
        return False
    try:
        trains = list(datum)
    except TypeError:
        return False
    return not isinstance(datum, np.ndarray) and all(isinstance(train, neo.SpikeTrain) for train in trains)


def _draw_signal(axes: Any, signal: Any, label: str, lines: dict[str, Any], options: dict[str, Any]) -> None:
    offset = options.get("y_offset") or 0
    if hasattr(offset, "rescale"):
        offset = float(offset.rescale(signal.units))
    numbers = signal.array_annotations.get("channel_index", np.arange(signal.shape[1]))
    labels = _labels(signal)
    times_ms = signal.times.rescale("ms").magnitude
    for row, k in enumerate(np.argsort(numbers, kind="stable")):
        name = " ".join(part for part in (label, labels[k]) if part)
        axes.plot(times_ms, signal.magnitude[:, k] + row * offset, label=name, **lines)


def _labels(signal: Any) -> list[str]:
    """Return what each channel is called: by its device, else by its name, else by its number."""
    n = signal.shape[1]
    sources = signal.annotations.get("source_population")
    if isinstance(sources, str) and len(sources.split(";")) == n:
        return sources.split(";")
    names = signal.array_annotations.get("channel_names")
    if names is not None:
        return [str(name) for name in names]
    numbers = signal.array_annotations.get("channel_index", np.arange(n))
    return [f"Neuron {int(number)}" for number in numbers]


def _draw_trains(axes: Any, trains: Any, label: str, lines: dict[str, Any]) -> None:
    rows = [int(train.annotations.get("source_index", k)) for k, train in enumerate(trains)]
    for row, train in zip(rows, trains, strict=True):
        times_ms = train.times.rescale("ms").magnitude
        axes.plot(times_ms, np.full(len(times_ms), row), **{"color": "k", "marker": ".", "linestyle": "none", **lines})
    axes.set_ylabel("Neuron index")
    if rows:
        axes.set_ylim(min(rows) - 0.5, max(rows) + 0.5)
        starts, stops = zip(*((train.t_start, train.t_stop) for train in trains), strict=True)
        axes.set_xlim(min(float(t.rescale("ms")) for t in starts), max(float(t.rescale("ms")) for t in stops))
    _corner(axes, label)


def _corner(axes: Any, text: str) -> None:
    if text:
        box = {"facecolor": "white", "alpha": 1.0}
        axes.text(0.95, 0.95, text, transform=axes.transAxes, ha="right", va="top", bbox=box)


def name_and_unit(data: Sequence[Any]) -> str:
    """Return what an axis of these data is called."""
    for datum in data:
        if hasattr(datum, "units") and hasattr(datum, "name"):
            unit = datum.annotations.get("unit") or datum.units.dimensionality.string
            return f"{datum.name} ({unit})"
    return ""
