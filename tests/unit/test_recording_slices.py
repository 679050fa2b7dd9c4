"""Recordings of arrays: cuts of cuts are what numpy makes of the arrays, and whatever does not fit is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import probeinterface
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedaq.model import ConfigError
from spikedaq.recording import Channel, Recording

FS_HZ = 1000.0


class Arrays:
    """What a recording should be, kept as plain arrays: samples, times and ids, cut by numpy alone."""

    def __init__(self, samples: list[Any], times_s: list[Any], ids: list[Any]) -> None:
        self.samples, self.times_s, self.ids = samples, times_s, ids

    def kept(self, masks: list[Any]) -> Arrays:
        pairs = [(s[m], t[m]) for s, t, m in zip(self.samples, self.times_s, masks, strict=True)]
        filled = [pair for pair in pairs if len(pair[1])] or pairs[:1]
        return Arrays([s for s, _ in filled], [t for _, t in filled], self.ids)

    def frames(self, start: int | None, stop: int | None) -> Arrays:
        n = sum(len(t) for t in self.times_s)
        chosen = np.zeros(n, bool)
        chosen[start:stop] = True
        edges = np.cumsum([len(t) for t in self.times_s])[:-1]
        return self.kept(np.split(chosen, edges))

    def times(self, start_s: float | None, stop_s: float | None) -> Arrays:
        low, high = -np.inf if start_s is None else start_s, np.inf if stop_s is None else stop_s
        return self.kept([(t >= low) & (t < high) for t in self.times_s])

    def columns(self, ids: list[Any]) -> Arrays:
        places = [self.ids.index(one) for one in ids]
        return Arrays([s[:, places] for s in self.samples], self.times_s, ids)

    def segments(self, indices: list[int]) -> Arrays:
        return Arrays([self.samples[k] for k in indices], [self.times_s[k] for k in indices], self.ids)


def same(recording: Recording, arrays: Arrays) -> None:
    assert recording.num_segments == len(arrays.samples)
    assert list(recording.channel_ids) == arrays.ids
    assert recording.num_frames == sum(len(t) for t in arrays.times_s)
    for k, (samples, times_s) in enumerate(zip(arrays.samples, arrays.times_s, strict=True)):
        np.testing.assert_array_equal(recording.get_traces(k), samples)
        np.testing.assert_array_equal(recording.get_times(k), times_s)
        assert recording.get_num_frames(k) == len(times_s)


bounds = st.one_of(st.none(), st.integers(-15, 40))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=4), st.integers(1, 4), st.booleans(), st.data())
def test_cuts_of_cuts_are_those_of_numpy(
    lengths: list[int], n_channels: int, measured: bool, data: st.DataObject
) -> None:
    rng = np.random.default_rng(1)
    samples = [rng.integers(-99, 99, (n, n_channels), dtype=np.int16) for n in lengths]
    ids: list[Any] = [f"c{k}" if k % 2 else k for k in range(n_channels)]
    starts = np.cumsum([0, *(n + 3 for n in lengths[:-1])]) / FS_HZ
    times = [start + np.arange(n) / FS_HZ for start, n in zip(starts, lengths, strict=True)]
    if measured:
        times = [t + rng.uniform(0, 0.9 / FS_HZ, len(t)) for t in times]
        recording = Recording.from_numpy(samples, FS_HZ, ids, times_s=times)
    else:
        recording = Recording.from_numpy(samples, FS_HZ, ids, t_starts_s=starts.tolist())
    arrays = Arrays(samples, times, ids)
    whole = recording
    for _ in range(data.draw(st.integers(0, 4))):
        match data.draw(st.sampled_from(["frames", "times", "channels", "segments"])):
            case "frames":
                start, stop = data.draw(bounds), data.draw(bounds)
                recording, arrays = recording.frame_slice(start, stop), arrays.frames(start, stop)
            case "times":
                start_s, stop_s = (None if k is None else k / FS_HZ for k in (data.draw(bounds), data.draw(bounds)))
                recording, arrays = recording.time_slice(start_s, stop_s), arrays.times(start_s, stop_s)
            case "channels":
                chosen = data.draw(st.permutations(arrays.ids))[: data.draw(st.integers(1, len(arrays.ids)))]
                recording, arrays = recording.channel_slice(chosen), arrays.columns(chosen)
            case "segments":
                n = len(arrays.samples)
                indices = data.draw(st.permutations(range(n)))[: data.draw(st.integers(1, n))]
                recording, arrays = recording.select_segments(indices), arrays.segments(indices)
    same(recording, arrays)
    k = data.draw(st.integers(0, len(arrays.samples) - 1))
    start, stop = data.draw(bounds), data.draw(bounds)
    np.testing.assert_array_equal(recording.get_traces(k, start, stop), arrays.samples[k][start:stop])
    np.testing.assert_array_equal(recording.get_times(k, start, stop), arrays.times_s[k][start:stop])
    # What it was made by makes it again.
    same(whole.redo(recording.made_by), arrays)
    put_together = [np.empty((0, len(arrays.ids)), np.int16)] * len(arrays.samples)
    for index, first, raw in recording.pieces(5):
        assert first == len(put_together[index])
        put_together[index] = np.concatenate([put_together[index], raw])
    for one, other in zip(put_together, arrays.samples, strict=True):
        np.testing.assert_array_equal(one, other)


def two_segments() -> Recording:
    channels = [Channel("vm", "mV", 0.01), Channel("light", "%", 2.0, -1.0), Channel("sync", "")]
    samples = [np.arange(12, dtype=np.int16).reshape(4, 3), np.arange(100, 106, dtype=np.int16).reshape(2, 3)]
    return Recording.from_numpy(samples, 10.0, channels=channels, t_starts_s=[1.0, 2.0], name="bath")


def test_values_are_in_units() -> None:
    """Vm of raw 9 is 0.09 mV; light of raw 10 is 2 * 10 - 1 = 19 %."""
    recording = two_segments()
    values = recording.get_traces(0, 3, return_in_units=True)
    assert values.dtype == np.float64
    np.testing.assert_allclose(values, [[0.09, 19.0, 11.0]])
    assert recording.get_traces(0, 3, channel_ids=["sync", "vm"]).tolist() == [[11, 9]]
    assert recording.duration_s == pytest.approx(0.6)
    traces = recording.read(1.25, 2.05, ["light"])
    np.testing.assert_allclose(traces.times_s, [1.3, 2.0])
    np.testing.assert_allclose(traces["light"], [19.0, 201.0])
    assert traces.units == ("%",)


def test_properties_go_with_their_channels() -> None:
    recording = two_segments()
    recording.set_property("group", ["cell", "other", "cell"])
    recording.set_property("depth_um", [10, 20, 30])
    recording.set_property("depth_um", [99.5], ids=["light"])
    assert recording.get_property("depth_um").tolist() == [10.0, 99.5, 30.0]
    recording.annotate(experimenter="Jane", run=3)
    parts = recording.split_by()
    assert {key: part.channel_ids for key, part in parts.items()} == {"cell": ("vm", "sync"), "other": ("light",)}
    assert parts["cell"].get_property("depth_um").tolist() == [10.0, 30.0]
    assert parts["cell"].annotations == {"experimenter": "Jane", "run": 3}
    assert list(recording.split_by("unit")) == ["mV", "%", ""]
    parts["cell"].set_property("group", ["a", "b"])
    parts["cell"].annotate(run=4)
    assert (recording.get_property("group").tolist(), recording.annotations["run"]) == (["cell", "other", "cell"], 3)
    got = recording.get_property("group")
    got[0] = "xxxx"
    assert recording.get_property("group")[0] == "cell"


def probe(indices: list[int]) -> dict[str, Any]:
    positions = [[0.0, 20.0 * k] for k in range(len(indices))]
    return {"ndim": 2, "si_units": "um", "contact_positions": positions, "device_channel_indices": indices}


def test_a_probe_is_rewired_with_the_channels() -> None:
    recording = two_segments()
    recording.set_probe(probe([2, -1, 0]))
    assert recording.probe is not None
    assert recording.probe["specification"] == "probeinterface"
    part = recording.channel_slice(["sync", "light"])
    assert part.probe is not None
    assert part.probe["probes"][0]["device_channel_indices"] == [0, -1, -1]
    assert recording.probe["probes"][0]["device_channel_indices"] == [2, -1, 0]


def test_a_probe_of_probeinterface_and_back() -> None:
    """What the real library makes is taken, and what is kept it reads."""
    real = probeinterface.generate_linear_probe(num_elec=3, ypitch=25)
    recording = two_segments()
    with pytest.raises(ConfigError, match="probe 0 is not wired; call its set_device_channel_indices"):
        recording.set_probe(real)
    real.set_device_channel_indices([1, 2, 0])
    recording.set_probe(real)
    assert recording.probe is not None
    again = probeinterface.ProbeGroup.from_dict(recording.probe)
    np.testing.assert_array_equal(again.probes[0].contact_positions, real.contact_positions)
    assert again.get_global_device_channel_indices()["device_channel_indices"].tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    ("given_probe", "said"),
    [
        (probe([0, 1, 3]), "wired to channel 3; the recording has channels 0 to 2"),
        (probe([0, 0, 1]), "two contacts of the probe are wired to one channel"),
        ({**probe([0, 1]), "device_channel_indices": [0]}, "probe 0 has 2 contacts and 1 device_channel_indices"),
        ({"contact_positions": [[0], [1]]}, r"shape \(2, 1\), not \(n_contacts, 2 or 3\)"),
        ({"shanks": 1}, "probe 0 has no contact_positions"),
        ("A1x32", "a probe is an object of probeinterface or its dictionary, not str"),
    ],
)
def test_a_probe_that_does_not_fit_is_refused(given_probe: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        two_segments().set_probe(given_probe)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda r: r.get_traces(), "bath has 2 segments; name one by segment_index"),
        (lambda r: r.get_traces(2), "bath has no segment 2; it has 2, counted from 0"),
        (lambda r: r.get_traces(-1), "bath has no segment -1"),
        (lambda r: r.get_traces(0, channel_ids=["vm", "cl"]), "bath has no channel cl; it has vm, light, sync"),
        (lambda r: r.channel_slice([]), "name at least one channel, and each once"),
        (lambda r: r.channel_slice(["vm", "vm"]), "name at least one channel, and each once"),
        (lambda r: r.select_segments([0, 0]), "name at least one segment, and each once"),
        (lambda r: r.time_slice(float("nan")), "a time is a number of seconds: nan to None is none"),
        (lambda r: r.get_property("group"), "there is no property 'group'; there are: none"),
        (lambda r: r.set_property("group", ["a"]), "property 'group' has 1 values for 3 channels; give one for each"),
        (lambda r: r.set_property("group", ["a"], ids=["vm"]), "property 'group' is new: give a value for each"),
        (lambda r: r.redo([{"do": "close"}]), "a recording cannot 'close'; its description is not one of ours"),
        (lambda r: next(r.pieces(0)), "a piece has at least one frame, not 0"),
    ],
)
def test_what_cannot_be_asked_is_named(call: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        call(two_segments())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([], 10.0), "give an array for each segment, at least one"),
        (([np.zeros(3)], 10.0), r"segment 0 has shape \(3,\); give \(n_frames, n_channels\)"),
        (
            ([np.zeros((3, 2)), np.zeros((3, 1))], 10.0),
            "segment 1 has 1 channels of float64, segment 0 has 2 of float64",
        ),
        (([np.zeros((3, 1)), np.zeros((3, 1), np.int8)], 10.0), "segment 1 has 1 channels of int8"),
        (([np.zeros((3, 1), complex)], 10.0), "whole or real numbers, not complex128"),
        (([np.zeros((3, 2))], 0.0), "the sampling frequency is in Hz and above 0, not 0.0"),
        (([np.zeros((3, 2))], float("nan")), "the sampling frequency is in Hz and above 0, not nan"),
        (([np.zeros((3, 2))], 10.0, ["a"]), "there are 2 channels and 1 channel ids"),
        (([np.zeros((3, 2))], 10.0, ["a", "a"]), "two channels have one id"),
        (([np.zeros((3, 2))], 10.0, ["a", 1.5]), "channel ids are whole numbers or texts"),
    ],
)
def test_arrays_that_make_no_recording_are_refused(arguments: tuple[Any, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Recording.from_numpy(*arguments)


@pytest.mark.parametrize("times_s", [[0.0, 0.1, 0.1], [0.0, 0.2, 0.1], [0.0, float("nan"), 0.2]])
def test_times_that_do_not_rise_are_refused(times_s: list[float]) -> None:
    with pytest.raises(ConfigError, match="the times of segment 0 do not rise"):
        Recording.from_numpy([np.zeros((3, 1))], 10.0, times_s=[np.array(times_s)])


def test_it_says_what_it_is() -> None:
    recording = two_segments()
    recording.annotate(run=3)
    recording.set_probe(probe([0, 1]))
    assert str(recording).splitlines() == [
        "bath: 6 samples of 3 channels at 10 Hz, 600 ms",
        "channels: vm (mV), light (%), sync; int16",
        "segments: 2",
        "  0: from 1.000000 s, 400 ms",
        "  1: from 2.000000 s, 200 ms",
        "probe: 2 contacts",
        "annotations: run=3",
    ]
    assert repr(recording) == "<Recording 'bath': 3 channels, 2 segments, 6 frames>"
    assert list(recording.devices) == ["bath"]
