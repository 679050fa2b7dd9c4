"""KiloSort's folder: the real SpikeInterface and SpikeLab open ours, we open theirs and those of MATLAB."""

import json

import numpy as np
import pytest
import spikeinterface.extractors as si
from hypothesis import given, settings
from spikelab.data_loaders import data_exporters as lab_out
from spikelab.data_loaders import data_loaders as lab

from helpers.spike_trains import any_trains, assert_same, empties, quiet, some_trains
from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.interchange import (
    ContentError,
    FlaggedWarning,
    MissingFileError,
    UnwrittenWarning,
    export_spikedata_to_kilosort,
    load_spikedata_from_kilosort,
    sampling_rate_of,
    to_spikelab,
)
from spikedaq.model import ArgumentError, StoreError

FS_HZ = 10000.0


def on_grid(trains, **others):
    return SpikeTrains(trains, **{"length": 1000.0, **others})


def folder_of(path, times, clusters, **arrays):
    path.mkdir(exist_ok=True)
    np.save(path / "spike_times.npy", times)
    np.save(path / "spike_clusters.npy", clusters)
    for name, array in arrays.items():
        np.save(path / f"{name}.npy", array)
    return path


def test_the_folder_holds_these_numbers(tmp_path):
    """Samples in order of time, which Phy and SpikeInterface take for granted; worked out by hand."""
    trains = on_grid([[100.0, 0.3], [50.05]])
    names = export_spikedata_to_kilosort(trains, tmp_path / "ks", fs_Hz=20000.0, cluster_ids=[7, 3])
    assert names == (str(tmp_path / "ks/spike_times.npy"), str(tmp_path / "ks/spike_clusters.npy"))
    times, clusters = (np.load(name) for name in names)
    assert (times.tolist(), times.dtype) == ([6, 1001, 2000], np.int64)
    assert (clusters.tolist(), clusters.dtype) == ([7, 3, 7], np.int64)
    assert sampling_rate_of(tmp_path / "ks") == 20000.0
    assert (tmp_path / "ks/cluster_group.tsv").read_text() == "cluster_id\tgroup\n7\tunsorted\n3\tunsorted\n"


@pytest.mark.parametrize("read", [si.read_phy, si.read_kilosort])
def test_the_real_spikeinterface_reads_it(tmp_path, read):
    """Units without spikes, names in three scripts, electrodes, groups."""
    attributes = [{"name": "näh", "electrode": 1, "quality": "good"},
                  {"name": "神経", "electrode": 0, "quality": "mua"},
                  {"name": "п", "electrode": 1, "quality": "noise"}]  # fmt: skip
    trains = on_grid([[], [0.1, 5.5], [100.0]], neuron_attributes=attributes)
    export_spikedata_to_kilosort(trains, tmp_path / "ks", fs_Hz=FS_HZ)
    keep = {} if read is si.read_phy else {"remove_empty_units": False}
    found = read(tmp_path / "ks", **keep)
    assert found.get_sampling_frequency() == FS_HZ
    assert found.unit_ids.tolist() == [0, 1, 2]
    assert [found.get_unit_spike_train(u).tolist() for u in found.unit_ids] == [[], [1, 55], [1000]]
    assert found.get_property("name").tolist() == ["näh", "神経", "п"]
    assert found.get_property("ch").tolist() == [1, 0, 1]
    if read is si.read_phy:
        assert found.get_property("quality").tolist() == ["good", "mua", "noise"]
        assert si.read_phy(tmp_path / "ks", exclude_cluster_groups=["noise"]).unit_ids.tolist() == [0, 1]


@pytest.mark.parametrize("where", [w for w in empties() if w != "none"])
def test_units_without_spikes_stay(tmp_path, where):
    trains = on_grid(empties()[where])
    export_spikedata_to_kilosort(trains, tmp_path / "ks", fs_Hz=FS_HZ)
    assert_same(load_spikedata_from_kilosort(tmp_path / "ks", fs_Hz=FS_HZ), trains, atol_ms=1e-9)
    found = si.read_phy(tmp_path / "ks")
    assert [len(found.get_unit_spike_train(u)) for u in found.unit_ids] == [len(t) for t in trains.trains]


def test_the_real_spikelab_reads_it(tmp_path):
    """Electrodes by the templates, units without spikes as it does: not at all."""
    places = [{"electrode": 0, "location": [1.0, 2.0]}, {"electrode": 1, "location": [3.0, 4.0]},
              {"electrode": 0, "location": [1.0, 2.0]}]  # fmt: skip
    trains = on_grid([[0.1, 5.5], [], [100.0]], neuron_attributes=places)
    export_spikedata_to_kilosort(trains, tmp_path / "ks", fs_Hz=FS_HZ)
    for options in ({}, {"cluster_info_tsv": "cluster_info.tsv", "include_noise": True}):
        found = lab.load_spikedata_from_kilosort(str(tmp_path / "ks"), fs_Hz=FS_HZ, **options)
        assert [t.round(9).tolist() for t in found.train] == [[0.1, 5.5], [100.0]]
        assert [a["electrode"] for a in found.neuron_attributes] == [0, 0]
        assert [list(a["location"]) for a in found.neuron_attributes] == [[1.0, 2.0], [1.0, 2.0]]


@pytest.mark.parametrize("unit", ["samples", "ms", "s"])
def test_we_read_what_we_write_with_names_and_all(tmp_path, unit):
    """A window that starts before 0 is shifted, and shifted back."""
    trains = some_trains()
    with pytest.warns(UnwrittenWarning, match="starts at -50 ms"):
        export_spikedata_to_kilosort(trains, tmp_path / "ks", fs_Hz=FS_HZ, time_unit=unit)
    assert np.load(tmp_path / "ks/spike_times.npy").min() >= 0
    found = load_spikedata_from_kilosort(tmp_path / "ks", fs_Hz=FS_HZ, time_unit=unit)
    assert_same(found, trains, atol_ms=1e-9)
    for got, wanted in zip(found.neuron_attributes, trains.neuron_attributes, strict=True):
        assert got.items() >= wanted.items()
    assert found.metadata["cluster_ids"] == [0, 1, 2]


@given(any_trains)
@settings(max_examples=20, deadline=None)
def test_any_trains_survive_and_spikeinterface_counts_the_same(tmp_path_factory, trains):
    """Of times on the grid of samples not one is moved, whichever units are empty."""
    path = tmp_path_factory.mktemp("any") / "ks"
    with quiet():
        export_spikedata_to_kilosort(trains, path, fs_Hz=1e7)
    assert_same(load_spikedata_from_kilosort(path, fs_Hz=1e7), trains, atol_ms=1e-6)
    if trains.N:
        found = si.read_phy(path)
        assert [len(found.get_unit_spike_train(u)) for u in found.unit_ids] == [len(t) for t in trains.trains]


def test_a_window_that_starts_after_0_keeps_its_samples(tmp_path):
    trains = SpikeTrains([[5000.1]], start_time=5000.0, length=10.0)
    export_spikedata_to_kilosort(trains, tmp_path / "ks", fs_Hz=FS_HZ)
    assert np.load(tmp_path / "ks/spike_times.npy").tolist() == [50001]
    assert_same(load_spikedata_from_kilosort(tmp_path / "ks", fs_Hz=FS_HZ), trains, atol_ms=1e-9)


def test_we_read_what_the_real_spikelab_writes(tmp_path):
    trains = on_grid([[0.1, 5.5], [3.3]], neuron_attributes=[{"electrode": 5}, {"electrode": 9}])
    lab_out.export_spikedata_to_kilosort(to_spikelab(trains), str(tmp_path / "ks"), fs_Hz=FS_HZ, cluster_ids=[0, 1])
    found = load_spikedata_from_kilosort(tmp_path / "ks", fs_Hz=FS_HZ, length_ms=1000.0)
    assert_same(found, trains, atol_ms=1e-9)
    assert [a["electrode"] for a in found.neuron_attributes] == [5, 9]
    early = SpikeTrains([[-5.0, 3.3]], start_time=-10.0, length=100.0)
    with quiet():
        lab_out.export_spikedata_to_kilosort(to_spikelab(early), str(tmp_path / "early"), fs_Hz=FS_HZ)
    with pytest.raises(ValueError, match="before"):  # it cannot read its own; if it can, it is mended
        lab.load_spikedata_from_kilosort(str(tmp_path / "early"), fs_Hz=FS_HZ)
    with pytest.warns(FlaggedWarning, match="begin at -5 ms"):
        assert load_spikedata_from_kilosort(tmp_path / "early", fs_Hz=FS_HZ).trains[0].tolist() == [-5.0, 3.3]


def test_a_folder_as_matlab_writes_it(tmp_path):
    """Columns of uint64; SpikeLab makes two-dimensional trains of them."""
    times = np.array([[10], [20], [30]], np.uint64)
    path = folder_of(tmp_path / "ks", times, np.array([[4], [2], [4]], np.uint32))
    found = load_spikedata_from_kilosort(path, fs_Hz=FS_HZ)
    assert [t.tolist() for t in found.trains] == [[2.0], [1.0, 3.0]]
    assert [a["unit_id"] for a in found.neuron_attributes] == [2, 4]


def test_a_table_filters_clusters(tmp_path):
    """Good and mua stay, in any case; with include_noise all that are listed."""
    path = folder_of(tmp_path / "ks", np.arange(5), np.arange(5), channel_map=np.arange(8),
                     channel_positions=np.arange(16.0).reshape(8, 2))  # fmt: skip
    (path / "info.tsv").write_text(
        "cluster_id\tch\tgroup\tsnr\n0\t3\tGood\t2.5\n1\t\tMUA\t1\n2\t2\tnoise\t\n3\t1\tmua good\t\n"
    )
    found = load_spikedata_from_kilosort(path, fs_Hz=FS_HZ, cluster_info_tsv="info.tsv")
    assert found.metadata["cluster_ids"] == [0, 1, 3]
    assert found.neuron_attributes[0] == {
        "unit_id": 0,
        "electrode": 3,
        "location": [6.0, 7.0],
        "group": "Good",
        "snr": 2.5,
    }
    every = load_spikedata_from_kilosort(path, fs_Hz=FS_HZ, cluster_info_tsv="info.tsv", include_noise=True)
    assert every.metadata["cluster_ids"] == [0, 1, 2, 3]
    (path / "ks.csv").write_text("id,KSLabel\n4,good\n0,mua\n1,\n")
    found = load_spikedata_from_kilosort(path, fs_Hz=FS_HZ, cluster_info_tsv="ks.csv")
    assert found.metadata["cluster_ids"] == [0, 4]
    with pytest.warns(FlaggedWarning, match="no .*none.tsv, so all"):
        found = load_spikedata_from_kilosort(path, fs_Hz=FS_HZ, cluster_info_tsv="none.tsv")
    assert found.N == 5
    (path / "empty.tsv").write_text("")
    with pytest.raises(ValueError, match=r"empty\.tsv is empty"):
        load_spikedata_from_kilosort(path, fs_Hz=FS_HZ, cluster_info_tsv="empty.tsv")
    (path / "bad.tsv").write_text("cluster_id\tgroup\nx\tgood\n")
    with pytest.raises(ContentError, match=r"bad\.tsv, line 2"):
        load_spikedata_from_kilosort(path, fs_Hz=FS_HZ, cluster_info_tsv="bad.tsv")
    (path / "strange.tsv").write_text("a\tb\n1\t2\n")
    with pytest.warns(FlaggedWarning, match="has no columns"):
        load_spikedata_from_kilosort(path, fs_Hz=FS_HZ, cluster_info_tsv="strange.tsv")


def test_after_curation_channels_come_of_the_templates(tmp_path):
    """Cluster 12 was merged of templates 0 and 1: that of most of its spikes says the channel."""
    templates = np.zeros((2, 5, 3), np.float32)
    templates[0, 2, 1], templates[1, 2, 2] = -9.0, -9.0
    path = folder_of(tmp_path / "ks", np.arange(5), np.array([12, 12, 12, 0, 0]),
                     channel_map=np.array([[10], [11], [12]]), spike_templates=np.array([1, 1, 0, 0, 0]),
                     templates=templates,
                     channel_positions=np.array([[0.0, 0.0], [0.0, 20.0], [0.0, 40.0]]))  # fmt: skip
    found = load_spikedata_from_kilosort(path, fs_Hz=FS_HZ)
    assert found.neuron_attributes == [
        {"unit_id": 0, "electrode": 11, "location": [0.0, 20.0]},
        {"unit_id": 12, "electrode": 12, "location": [0.0, 40.0]},
    ]
    (path / "templates.npy").unlink()
    with pytest.warns(FlaggedWarning, match="wrong after curation"):
        found = load_spikedata_from_kilosort(path, fs_Hz=FS_HZ)
    assert [a.get("electrode") for a in found.neuron_attributes] == [10, None]


def test_a_unit_merged_in_phy_does_not_come_back(tmp_path):
    """Of the clusters that we wrote, only those that had no spikes then are empty units now."""
    export_spikedata_to_kilosort(on_grid([[1.0], [2.0], []]), tmp_path / "ks", fs_Hz=FS_HZ)
    np.save(tmp_path / "ks/spike_clusters.npy", np.array([3, 3]))
    found = load_spikedata_from_kilosort(tmp_path / "ks", fs_Hz=FS_HZ)
    assert found.metadata["cluster_ids"] == [2, 3]


def test_params_py_is_not_run(tmp_path):
    path = folder_of(tmp_path / "ks", np.arange(2), np.arange(2))
    (path / "params.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nsample_rate = 20000.\nx = open\n")
    assert sampling_rate_of(path) == 20000.0
    with pytest.warns(FlaggedWarning, match=r"params\.py says 20000"):
        load_spikedata_from_kilosort(path, fs_Hz=FS_HZ)
    assert not (tmp_path / "ran").exists()
    (path / "params.py").write_text("this is (no Python")
    with pytest.raises(ContentError, match=r"params\.py cannot be read"):
        sampling_rate_of(path)


def test_folders_that_contradict_themselves(tmp_path):
    with pytest.raises(MissingFileError, match="no folder"):
        load_spikedata_from_kilosort(tmp_path / "none", fs_Hz=FS_HZ)
    path = folder_of(tmp_path / "ks", np.arange(3), np.arange(2))
    with pytest.raises(ValueError, match=r"3 spikes and spike_clusters\.npy 2"):
        load_spikedata_from_kilosort(path, fs_Hz=FS_HZ)
    folder_of(path, np.array([1, object()], dtype=object), np.arange(2))
    with pytest.raises(ContentError, match=r"spike_times\.npy is no array of numbers"):
        load_spikedata_from_kilosort(path, fs_Hz=FS_HZ)
    (path / "spike_times.npy").write_bytes((path / "spike_clusters.npy").read_bytes()[:-3])
    with pytest.raises(ContentError, match="cut short"):
        load_spikedata_from_kilosort(path, fs_Hz=FS_HZ)
    (path / "spike_times.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"the folder holds spike_clusters\.npy"):
        load_spikedata_from_kilosort(path, fs_Hz=FS_HZ)


def test_what_cannot_be_exported_touches_nothing(tmp_path):
    for options in ({"fs_Hz": 0.0}, {"fs_Hz": FS_HZ, "time_unit": "us"}, {"fs_Hz": FS_HZ, "cluster_ids": [1]},
                    {"fs_Hz": FS_HZ, "cluster_ids": [1, 1, 2]}, {"fs_Hz": FS_HZ, "cluster_ids": [0, -1, 2]},
                    {"fs_Hz": FS_HZ, "spike_times_file": "../spike_times.npy"}):  # fmt: skip
        with pytest.raises(ArgumentError):
            export_spikedata_to_kilosort(some_trains(), tmp_path / "ks", **options)
    assert not list(tmp_path.iterdir())


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path):
    trains = on_grid([[1.0]])
    export_spikedata_to_kilosort(trains, tmp_path / "ks", fs_Hz=FS_HZ)
    with pytest.raises(StoreError, match="exists"):
        export_spikedata_to_kilosort(trains, tmp_path / "ks", fs_Hz=FS_HZ)
    (tmp_path / "ks/cluster_purity.tsv").touch()  # Phy's
    export_spikedata_to_kilosort(on_grid([[2.0]]), tmp_path / "ks", fs_Hz=FS_HZ, overwrite=True)
    assert load_spikedata_from_kilosort(tmp_path / "ks", fs_Hz=FS_HZ).trains[0].tolist() == [2.0]
    assert not (tmp_path / "ks/cluster_purity.tsv").exists()
    (tmp_path / "ks/recording.dat").touch()
    with pytest.raises(StoreError, match=r"recording\.dat, which this would delete"):
        export_spikedata_to_kilosort(trains, tmp_path / "ks", fs_Hz=FS_HZ, overwrite=True)


def test_templates_and_amplitudes_of_the_units_are_kept(tmp_path):
    attributes = [{"electrode": 0, "template": [0.0, -3.0, 1.0, 0.0], "amplitudes": np.array([5.0, 6.0])},
                  {"electrode": 1, "template": [0.0, -2.0, 1.0, 0.0], "amplitudes": np.array([7.0])}]  # fmt: skip
    export_spikedata_to_kilosort(
        on_grid([[1.0, 9.0], [5.0]], neuron_attributes=attributes), tmp_path / "ks", fs_Hz=FS_HZ
    )
    templates = np.load(tmp_path / "ks/templates.npy")
    assert templates.shape == (2, 4, 2)
    assert templates[1, :, 1].tolist() == [0.0, -2.0, 1.0, 0.0]
    assert np.load(tmp_path / "ks/amplitudes.npy").tolist() == [5.0, 7.0, 6.0], "in the order of the spikes"
    assert json.loads((tmp_path / "ks/spikedaq.json").read_text())["n_spikes"] == [2, 1]
