"""Spikes of whole recordings: over pieces, gaps and reboots, as of the whole trace; SpikeInterface's, too."""

from __future__ import annotations

import math
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import probeinterface
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spikeinterface import core

import spikedaq
from helpers.formats_recordings import Maker, device_info, spiking
from spikedaq.analysis import SpikeTrains, find_spikes
from spikedaq.model import ArgumentError, ArgumentTypeError, ConfigError
from spikedaq.recording import Recording
from spikedaq.recording.detection import spike_trains


def ms(steps: list[int]) -> list[float]:
    return [step / 10 for step in steps]


def test_spikes_of_a_session_with_a_gap(tmp_path: Path) -> None:
    """Every 200 steps; the one in the gap is not there, nor is the first sample, which has nothing before it."""
    maker = Maker(tmp_path / "demo").open().samples(0, spiking(600)).close()
    maker.open().samples(600, spiking(400, start=600)).gap(1000, 110).samples(1110, spiking(1000, start=1110)).close()
    with spikedaq.open(tmp_path / "demo") as recording:
        trains = recording.spike_trains()
    expected = ms([k for k in range(200, 2110, 200) if not 1000 <= k < 1110])
    np.testing.assert_allclose(trains.trains[0], expected, rtol=0, atol=1e-3)
    np.testing.assert_allclose(trains.gaps_ms, [[100.0, 111.0]], rtol=0, atol=1e-3)
    assert (trains.start_time, trains.length) == (0.0, pytest.approx(211.0, abs=1e-3))
    assert trains.rates("Hz")[0] == pytest.approx(len(expected) / 0.2, rel=1e-4)
    np.testing.assert_allclose(trains.intervals()[0], [20, 20, 20, np.nan, *[20] * 4], atol=1e-3)
    assert trains.neuron_attributes == [
        {"unit_id": "vm", "electrode": 0, "threshold_unit": "mV", "device": "alpha", "threshold": -20.0}
    ]
    assert trains.metadata["session"] == "demo"


@pytest.mark.filterwarnings("ignore::spikedaq.model.RecordingWarning")
def test_a_reboot_makes_no_spike(tmp_path: Path) -> None:
    """The last sample before it is low, the first after it high: nobody saw the rise."""
    low, high = np.zeros((100, 8), np.int16), np.zeros((100, 8), np.int16)
    low[:, 0], high[:, 0] = -7000, 3000
    maker = Maker(tmp_path / "demo").open().samples(0, low).close()
    maker.info = device_info(boot_id=8)
    maker.open().samples(0, high).close()
    with spikedaq.open(tmp_path / "demo") as recording:
        assert recording.num_segments == 2
        assert [len(train) for train in recording.spike_trains().trains] == [0]


VALUES = st.one_of(st.integers(-4, 4).map(float), st.just(math.nan))


@settings(max_examples=60)
@given(
    segments=st.lists(st.lists(VALUES, min_size=1, max_size=30), min_size=1, max_size=3),
    threshold=st.integers(-3, 3),
    direction=st.sampled_from(["up", "down", "both"]),
    hysteresis=st.sampled_from([True, 1.5]),
    refractory=st.integers(0, 4),
)
def test_as_of_each_segment_by_itself_whatever_the_pieces(
    segments: list[list[float]], threshold: int, direction: str, hysteresis: float, refractory: int
) -> None:
    recording = Recording.from_numpy(
        [np.array(one)[:, np.newaxis] for one in segments],
        1000.0,
        ["a"],
        t_starts_s=[10.0 * k for k in range(len(segments))],
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("spikedaq.recording.detection.PIECE_FRAMES", 7)
        found = spike_trains(
            recording, threshold=threshold, direction=direction, hysteresis=hysteresis, refractory_ms=refractory
        )
    expected = []
    for k, one in enumerate(segments):
        spikes = find_spikes(
            one,
            threshold_mv=threshold,
            direction=direction,
            hysteresis_mv=0.0 if hysteresis is True else hysteresis,
            refractory_ms=refractory,
            step_ms=1.0,
        )
        expected += (10_000.0 * k + spikes).tolist()
    np.testing.assert_allclose(found.trains[0], expected, rtol=0, atol=1e-6)


def traces(n: int = 6000, n_channels: int = 2) -> np.ndarray:
    random = np.random.default_rng(2)
    data = random.normal(size=(n, n_channels))
    for channel in range(n_channels):
        at = random.choice(np.arange(60, n - 60), 30, replace=False)
        data[at, channel] += random.choice([-1, 1], 30) * 15
    return data


@pytest.mark.parametrize("direction", ["both", "up", "down"])
@pytest.mark.parametrize("wanted", [False, {"lowcut": 300.0, "highcut": 3000.0, "order": 3}])
def test_deviations_and_filters_in_pieces_find_what_the_whole_has(
    monkeypatch: pytest.MonkeyPatch, direction: str, wanted: object
) -> None:
    """Within half a sample, since a spike is at its sample here, and in the middle of it in SpikeLab's convention."""
    monkeypatch.setattr("spikedaq.recording.detection.PIECE_FRAMES", 700)
    data = traces()
    data -= data.mean(axis=0)
    done: list[tuple[int, int]] = []
    found = Recording.from_numpy(data + 40.0, 10_000.0).spike_trains(
        threshold_sigma=4.0, direction=direction, filter=wanted, progress=lambda n, total: done.append((n, total))
    )
    whole = SpikeTrains.from_thresholding(data.T, 10_000.0, 4.0, filter=wanted, direction=direction)
    assert sum(map(len, whole.trains)) > 20
    for mine, of_whole in zip(found.trains, whole.trains, strict=True):
        np.testing.assert_allclose(mine + 0.05, of_whole, rtol=0, atol=1e-6)
    assert done[-1] == (12_000, 12_000)
    assert len(done) == 18


def test_each_sample_beyond_where_nothing_must_go_back() -> None:
    recording = Recording.from_numpy(np.array([[0.0], [9], [9], [0], [9]]), 1000.0)
    assert recording.spike_trains(threshold=5, hysteresis=False).trains[0].tolist() == [1, 2, 4]


def test_memory_stays_flat_however_long_the_recording_is() -> None:
    """40 million samples of a kind that takes no memory itself: 320 MB as float64."""
    endless = np.broadcast_to(np.zeros((1, 1), np.int16), (40_000_000, 1))
    recording = Recording.from_numpy(endless, 10_000.0)
    tracemalloc.start()
    try:
        recording.spike_trains(threshold=5)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10e6


def test_which_channels(tmp_path: Path) -> None:
    """The board's potential unless others are named; of other recordings all."""
    Maker(tmp_path / "demo").open().samples(0, spiking(500)).close()
    with spikedaq.open(tmp_path / "demo") as recording:
        several = recording.spike_trains(["i_total", "vm"])
        assert [len(train) for train in several.trains] == [0, 2]
        assert several.electrodes is not None
        assert several.electrodes.tolist() == [2, 0]
        assert recording.spike_trains("vm").N == 1
        with pytest.raises(ConfigError, match="no channel vmm"):
            recording.spike_trains(["vmm"])
    assert Recording.from_numpy(traces(), 1e4).spike_trains(threshold=5).N == 2


def test_spikes_of_a_spikeinterface_recording() -> None:
    """Microvolts by its gains, its segments' starts, its channels' places; chosen channels keep their electrode."""
    raw = np.zeros((100, 3), np.int16)
    raw[[20, 50], 2] = 100
    recording = core.NumpyRecording([raw, raw[:60]], 10_000.0, t_starts=[0.0, 1.0], channel_ids=["x", "y", "z"])
    recording.set_channel_gains(0.5)
    recording.set_channel_offsets(0.0)
    probe = probeinterface.generate_linear_probe(3, ypitch=20)
    probe.set_device_channel_indices([0, 1, 2])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        recording.set_probe(probe)
    trains = spike_trains(recording, ["z", "x"], threshold=49.0)
    np.testing.assert_allclose(trains.trains[0], [2.0, 5.0, 1002.0, 1005.0], rtol=0, atol=1e-9)
    assert len(trains.trains[1]) == 0
    assert trains.neuron_attributes is not None
    assert trains.neuron_attributes[0] == {
        "unit_id": "z",
        "electrode": 2,
        "location": [0.0, 40.0],
        "threshold_unit": "uV",
        "threshold": 49.0,
    }
    np.testing.assert_allclose(trains.gaps_ms, [[10.0, 1000.0]])
    assert [len(train) for train in spike_trains(recording, threshold=51.0).trains] == [0, 0, 0]
    with pytest.raises(ArgumentError, match="no channel 'w'"):
        spike_trains(recording, ["w"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"threshold": 1.0, "threshold_sigma": 2.0}, "both given"),
        ({"refractory_ms": -1}, "refractory_ms is -1"),
        ({"threshold": math.nan}, "threshold is nan"),
        ({"direction": "left"}, "direction is 'left'"),
    ],
)
def test_what_makes_no_sense(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        Recording.from_numpy(traces(), 1e4).spike_trains(**arguments)
    with pytest.raises(ArgumentTypeError, match="dict is no recording"):
        spike_trains({})
