"""Pickles and SpikeLab's npz are never unpickled unless they are trusted; trusted, they hold what they held."""

import pickle
import zipfile

import numpy as np
import pytest
import spikelab
from spikelab.data_loaders import data_exporters as lab_out
from spikelab.data_loaders import data_loaders as lab

from helpers.spike_trains import assert_same, some_trains
from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.interchange import (
    ContentError,
    MissingContentError,
    UntrustedError,
    export_to_pickle,
    load_from_pickle,
    load_spikedata_from_pickle,
    load_spikedata_from_spikelab_sorted_npz,
    to_spikelab,
)
from spikedaq.model import ArgumentError, StoreError


class Evil:
    """Runs code while it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pickle_that_would_run_code_does_not(tmp_path, protocol):
    """The error tells what it would import; the code runs only once it is trusted."""
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(Evil(tmp_path / "ran"), protocol=protocol))
    for load in (load_spikedata_from_pickle, load_from_pickle):
        with pytest.raises(UntrustedError, match=r"evil\.pkl .*imports \w+\.open.*trust=True") as caught:
            load(tmp_path / "evil.pkl")
        assert isinstance(caught.value, ValueError)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(ContentError, match="no spike trains"):
        load_spikedata_from_pickle(tmp_path / "evil.pkl", trust=True)
    assert (tmp_path / "ran").exists(), "so the test would see it run"


def test_ours_and_spikelabs_come_back(tmp_path):
    trains = some_trains(raw_data=np.ones((2, 3)), raw_time=[0.0, 1.0, 2.0])
    assert export_to_pickle(trains, tmp_path / "new" / "ours.pkl") == str(tmp_path / "new" / "ours.pkl")
    lab_out.export_to_pickle(to_spikelab(trains), str(tmp_path / "lab.pkl"))
    for name in ("new/ours.pkl", "lab.pkl"):
        found = load_spikedata_from_pickle(tmp_path / name, trust=True)
        assert_same(found, trains)
        assert found.neuron_attributes == trains.neuron_attributes
        assert found.metadata == trains.metadata
        assert found.raw_data.tolist() == trains.raw_data.tolist()
    assert isinstance(load_from_pickle(tmp_path / "lab.pkl", trust=True), spikelab.SpikeData)


def test_the_real_spikelab_reads_one_that_is_written_for_it(tmp_path):
    trains = some_trains()
    export_to_pickle(trains, tmp_path / "lab.pkl", as_spikelab=True)
    found = lab.load_spikedata_from_pickle(str(tmp_path / "lab.pkl"))
    assert_same(found, trains)
    assert found.neuron_attributes == trains.neuron_attributes


def test_pickles_that_are_refused(tmp_path):
    with pytest.raises(TypeError, match="dict is nothing of ours"):
        export_to_pickle({}, tmp_path / "x.pkl")
    with pytest.raises(ArgumentError, match="no s3:// URL"):
        export_to_pickle(some_trains(), tmp_path / "x.pkl", s3_upload=True)
    with pytest.raises(ArgumentError, match="cannot be pickled"):
        export_to_pickle(some_trains(metadata={"f": lambda: 0}), tmp_path / "x.pkl")
    assert not list(tmp_path.iterdir())
    export_to_pickle(some_trains(), tmp_path / "x.pkl")
    with pytest.raises(StoreError, match="exists"):
        export_to_pickle(some_trains(), tmp_path / "x.pkl")
    (tmp_path / "cut.pkl").write_bytes((tmp_path / "x.pkl").read_bytes()[:-20])
    with pytest.raises(ContentError, match=r"cut\.pkl cannot be unpickled"):
        load_spikedata_from_pickle(tmp_path / "cut.pkl", trust=True)
    (tmp_path / "list.pkl").write_bytes(pickle.dumps([1]))
    with pytest.raises(ContentError, match="holds a list, nothing of ours"):
        load_from_pickle(tmp_path / "list.pkl", trust=True)
    with pytest.raises(ValueError, match="allow_remote=True"):
        load_spikedata_from_pickle("s3://bucket/key.pkl", trust=True)


# -- SpikeLab's sorted units


def sorted_units():
    return [
        {"unit_id": 3, "spike_train": np.array([100, 50]), "x_max": 1.5, "y_max": 2.5, "electrode": np.int64(7),
         "template": np.arange(6.0).reshape(2, 3), "amplitudes": np.array([5.0, 6.0]), "std_norms": np.array([0.5]),
         "peak_sign": "negative", "max_channel_id": "c7", "snr": np.float64(4.25)},
        {"unit_id": 9, "spike_train": np.array([], dtype=np.int64)},
    ]  # fmt: skip


def test_sorted_units_keep_templates_and_measures(tmp_path):
    path = tmp_path / "sorted.npz"
    np.savez(path, units=np.array(sorted_units(), dtype=object), fs=20000.0, locations=np.zeros((8, 2)))
    found = load_spikedata_from_spikelab_sorted_npz(path, trust=True)
    assert [t.tolist() for t in found.trains] == [[2.5, 5.0], []]
    first, second = found.neuron_attributes
    assert first["template"].tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert {k: first[k] for k in ("unit_id", "location", "electrode", "peak_sign", "max_channel_id", "snr")} == {
        "unit_id": 3, "location": [1.5, 2.5], "electrode": 7, "peak_sign": "negative", "max_channel_id": "c7",
        "snr": 4.25,
    }  # fmt: skip
    assert second == {"unit_id": 9}
    assert found.metadata["fs_Hz"] == 20000.0
    assert found.metadata["channel_locations"].shape == (8, 2)
    theirs = lab.load_spikedata_from_spikelab_sorted_npz(str(path))
    assert_same(found, SpikeTrains(theirs.train, length=theirs.length), atol_ms=1e-9)


def test_an_npz_that_would_run_code_does_not(tmp_path):
    path = tmp_path / "evil.npz"
    np.savez(path, units=np.array([Evil(tmp_path / "ran")], dtype=object), fs=20000.0)
    with pytest.raises(UntrustedError, match=r"evil\.npz is pickled"):
        load_spikedata_from_spikelab_sorted_npz(path)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(ContentError, match="unit 0 has no spike_train"):
        load_spikedata_from_spikelab_sorted_npz(path, trust=True)
    assert (tmp_path / "ran").exists(), "so the test would see it run"


def test_an_npz_of_something_else(tmp_path):
    np.savez(tmp_path / "other.npz", units=np.zeros(3))
    with pytest.raises(KeyError, match="has no 'fs'; it has units"):
        load_spikedata_from_spikelab_sorted_npz(tmp_path / "other.npz")
    with pytest.raises(MissingContentError):
        load_spikedata_from_spikelab_sorted_npz(tmp_path / "other.npz", trust=True)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "other.npz").read_bytes()[:-30])
    with pytest.raises(ContentError, match="cut short"):
        load_spikedata_from_spikelab_sorted_npz(tmp_path / "cut.npz", trust=True)
    with zipfile.ZipFile(tmp_path / "bad.npz", "w") as archive:
        archive.writestr("units.npy", b"\x00")
        archive.writestr("fs.npy", b"\x00")
    with pytest.raises(ContentError, match=r"bad\.npz cannot be read"):
        load_spikedata_from_spikelab_sorted_npz(tmp_path / "bad.npz", trust=True)
