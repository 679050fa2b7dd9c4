"""Spike trains to write and read back, and what is equal about them."""

import warnings
from contextlib import contextmanager

import numpy as np
from hypothesis import strategies as st

from spikedaq.analysis.spike_trains import SpikeTrains


def some_trains(**others):
    """Three units by hand: times that are no short binary fractions, a start below 0, names in three scripts."""
    given = {
        "length": 250.0,
        "start_time": -50.0,
        "neuron_attributes": [
            {"name": "näh 1", "electrode": 4, "location": [1.5, -2.25, 0.0]},
            {"name": "神経", "electrode": 4, "location": [1.5, -2.25, 0.0]},
            {"name": "нейрон", "electrode": 7, "location": [30.0, 40.0, 0.5]},
        ],
        "metadata": {"lab": "Zürich", "fs_Hz": 10000.0},
    }
    return SpikeTrains([[-49.9, 0.1, 100.3], [33.3], [0.1, 199.7]], **{**given, **others})


def empties():
    """Where units without spikes may be: first, middle, last, several, all."""
    return {
        "first": [[], [1.1, 2.2], [3.3]],
        "middle": [[1.1], [], [3.3, 4.4]],
        "last": [[1.1], [2.2], []],
        "first and last": [[], [1.1], []],
        "first two": [[], [], [5.5]],
        "all": [[], [], []],
        "one": [[]],
        "none": [],
    }


@contextmanager
def quiet():
    """Warnings of others, and ours that a test is not about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def assert_same(found, expected, *, atol_ms=0.0, window=True):
    """Compare times, window, and number of units. ``found`` may be a SpikeData."""
    trains = found.trains if isinstance(found, SpikeTrains) else found.train
    assert [len(t) for t in trains] == [len(t) for t in expected.trains]
    for got, wanted in zip(trains, expected.trains, strict=True):
        assert np.abs(np.asarray(got) - wanted).max(initial=0.0) <= atol_ms
    if window:
        assert abs(found.start_time - expected.start_time) <= max(atol_ms, 1e-9)
        assert abs(found.length - expected.length) <= max(atol_ms, 1e-9)


times = st.lists(st.floats(-50.0, 5e5, allow_nan=False).map(lambda t: round(t, 4)), max_size=8)
any_trains = st.lists(times, max_size=5).map(lambda trains: SpikeTrains(trains, start_time=-50.0, length=500_100.0))
