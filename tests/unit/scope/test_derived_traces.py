"""A derived stream in bins: floats, NaN for no value, bins of values and not of steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedaq.scope.access import WebRole
from spikedaq.scope.frames import decode_bins
from spikedaq.scope.hub import Hub
from spikedaq.scope.pyramid import Pyramid
from spikedaq.scope.traces import Traces
from spikedaq.scope.viewer import Viewer, Watch

NAN = float("nan")


def header(step: int, **more: Any) -> dict[str, Any]:
    return {"boot": 7, "step": step, "step_us": 100, "t_ns": 10**9, "epoch": "e", "pitch_steps": 100, **more}


def column(*values: float) -> Any:
    return np.array(values, np.float32)[:, None]


def test_bins_are_of_values_at_their_pitch() -> None:
    """Steps 304, 404 and 504 are values 3 to 5 with the phase 4."""
    traces = Traces("lab", "alpha", "imaging")
    traces.take(header(304), column(1.5, -2.25, NAN))
    frame = traces.past(0, 0, None)
    assert frame is not None
    told, bins = decode_bins(frame)
    assert (told["stream"], told["pitch_steps"], told["phase"], told["dtype"]) == ("imaging", 100, 4, "f4")
    assert (told["first"], told["count"], told["step"]) == (3, 3, 304)
    assert bins.low.tolist() == [[1.5, -2.25, np.inf]] and bins.high.tolist() == [[1.5, -2.25, -np.inf]]
    assert traces.t_newest_ns == 10**9 + 3 * 100 * 100_000


@pytest.mark.parametrize("more", [{"boot": 8}, {"pitch_steps": 50}, {"step_us": 2000}])
def test_what_does_not_belong_together_is_another_run(more: dict[str, Any]) -> None:
    traces = Traces("lab", "alpha", "imaging")
    traces.take(header(300), column(1))
    traces.take(header(400), column(2))
    assert traces.run == 1
    traces.take(header(500, **more), column(3))
    assert traces.run == 2


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6, width=32) | st.just(NAN), min_size=1, max_size=200), st.integers(0, 7))
def test_each_bin_has_the_extremes_of_its_values(values: list[float], level: int) -> None:
    """As the definition has it, and NaN never hides a value."""
    pyramid = Pyramid(1, capacity=256, n_levels=8, is_float=True)
    pyramid.append(0, column(*values))
    bins = pyramid.bins(level, 0)
    size = 1 << level
    for k in range(bins.low.shape[1]):
        there = [value for value in values[k * size : (k + 1) * size] if value == value]
        assert bins.low[0, k] == (min(there) if there else np.inf)
        assert bins.high[0, k] == (max(there) if there else -np.inf)


def test_who_watches_a_stream_gets_that_stream_only() -> None:
    hub = Hub([])
    samples, imaging = (Viewer(name, WebRole.VIEWER) for name in ("samples", "imaging"))
    hub.watch(samples, 1, Watch("lab", "alpha", 0))
    hub.watch(imaging, 1, Watch("lab", "alpha", 0, "imaging"))
    traces = Traces("lab", "alpha", "imaging")
    traces.take(header(300), column(1))
    hub.show("lab", "alpha", traces)
    assert (len(samples._frames), len(imaging._frames)) == (0, 1)
    assert hub.watching("lab", "alpha", "imaging") == {imaging}
    hub.remove(imaging)
    assert hub.watching("lab", "alpha", "imaging") == set()
