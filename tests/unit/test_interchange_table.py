"""The table "which tool reads what" of docs/reference/interchange.md: each yes is shown by the tool itself."""

from pathlib import Path

import neo
import numpy as np
import pandas as pd
import pynwb
import pytest
import spikeinterface.core as si
import spikeinterface.extractors as se
from spikelab.data_loaders import data_loaders as lab

from helpers.spike_trains import quiet
from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.interchange import (
    export_spikedata_to_hdf5,
    export_spikedata_to_kilosort,
    export_spikedata_to_neo,
    export_spikedata_to_nwb,
    export_spikes_to_csv,
    export_to_pickle,
    save_spikes,
)

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "interchange.md").read_text("utf-8")
FS_HZ = 10000.0
TRAINS = SpikeTrains([[0.1, 50.5, 99.9], [33.3]], length=100.0)
RAGGED = {"spike_times_dataset": "spike_times", "spike_times_index_dataset": "spike_times_index"}
PAIRED = {"idces_dataset": "idces", "times_dataset": "times", "times_unit": "ms"}


def hdf5(path, **options):
    export_spikedata_to_hdf5(TRAINS, path, **options)


WRITE = {
    "hdf5, ragged": (".h5", hdf5),
    "hdf5, group": (".h5", lambda path: hdf5(path, style="group")),
    "hdf5, paired": (".h5", lambda path: hdf5(path, style="paired")),
    "hdf5, raster": (".h5", lambda path: hdf5(path, style="raster", raster_bin_size_ms=0.1)),
    "nwb": (".nwb", lambda path: export_spikedata_to_nwb(TRAINS, path, fs_Hz=FS_HZ)),
    "kilosort": ("", lambda path: export_spikedata_to_kilosort(TRAINS, path, fs_Hz=FS_HZ)),
    "pickle, `as_spikelab`": (".pkl", lambda path: export_to_pickle(TRAINS, path, as_spikelab=True)),
    "spikeinterface": ("", lambda path: save_spikes(TRAINS, path, format="spikeinterface", fs_hz=FS_HZ)),
    "neo, .nix": (".nix", lambda path: export_spikedata_to_neo(TRAINS, path)),
    "neo, .mat": (".mat", lambda path: export_spikedata_to_neo(TRAINS, path)),
    "csv": (".csv", lambda path: export_spikes_to_csv(TRAINS, path)),
}


def by_neo(path):
    segment = neo.io.get_io(str(path)).read_block().segments[0]
    return [train.rescale("ms").magnitude for train in segment.spiketrains]


def by_pynwb(path):
    with pynwb.NWBHDF5IO(path, "r") as io:
        units = io.read().units
        return [1000.0 * np.asarray(units.get_unit_spike_times(n)) for n in range(len(units))]


def by_pandas(path):
    return [rows["time (ms)"].to_numpy() for _, rows in pd.read_csv(path).groupby("unit")]


def of_sorting(sorting):
    return [sorting.get_unit_spike_train(u) / FS_HZ * 1000.0 for u in sorting.unit_ids]


READ = {
    ("hdf5, ragged", "SpikeLab"): lambda p: lab.load_spikedata_from_hdf5(p, **RAGGED).train,
    ("hdf5, group", "SpikeLab"): lambda p: lab.load_spikedata_from_hdf5(p, group_per_unit="units").train,
    ("hdf5, paired", "SpikeLab"): lambda p: lab.load_spikedata_from_hdf5(p, **PAIRED).train,
    ("hdf5, raster", "SpikeLab"): lambda p: (
        lab.load_spikedata_from_hdf5(p, raster_dataset="raster", raster_bin_size_ms=0.1).train
    ),
    ("nwb", "SpikeLab"): lambda p: lab.load_spikedata_from_nwb(p).train,
    ("nwb", "SpikeInterface"): lambda p: of_sorting(se.read_nwb_sorting(p, sampling_frequency=FS_HZ, t_start=0.0)),
    ("nwb", "Neo"): by_neo,
    ("nwb", "PyNWB"): by_pynwb,
    ("kilosort", "SpikeLab"): lambda p: lab.load_spikedata_from_kilosort(p, fs_Hz=FS_HZ).train,
    ("kilosort", "SpikeInterface"): lambda p: of_sorting(se.read_phy(p)),
    ("pickle, `as_spikelab`", "SpikeLab"): lambda p: lab.load_spikedata_from_pickle(p).train,
    ("spikeinterface", "SpikeLab"): lambda p: lab.load_spikedata_from_spikeinterface(si.load(p)).train,
    ("spikeinterface", "SpikeInterface"): lambda p: of_sorting(si.load(p)),
    ("neo, .nix", "Neo"): by_neo,
    ("neo, .mat", "Neo"): by_neo,
    ("csv", "pandas"): by_pandas,
}


def documented():
    """Where the page says yes."""
    part = PAGE.split("## Which tool reads what", 1)[1]
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("| ")
    ]
    tools = lines[0][1:]
    assert [row[0] for row in lines[1:]] == list(WRITE)
    return {(row[0], tool) for row in lines[1:] for tool, cell in zip(tools, row[1:], strict=True) if cell == "yes"}


def test_the_table_says_what_is_shown_here():
    assert documented() == set(READ)


def test_every_loader_and_exporter_is_on_the_page():
    """Those of the table of formats are all that there are."""
    import spikedaq.interchange as room  # noqa: PLC0415 - its list of names is what is looked at

    public = {name for name in room.__all__ if name.startswith(("load_", "export_", "to_", "from_", "query_", "save_"))}
    assert {name for name in public if name not in PAGE} == {"load_spikedata_from_spikeinterface_recording"}
    assert "`load_spikedata_from_spikeinterface`, `..._recording`" in PAGE


@pytest.mark.parametrize(("what", "tool"), list(READ), ids=str)
def test_the_tool_reads_it(tmp_path, what, tool):
    suffix, write = WRITE[what]
    path = tmp_path / f"spikes{suffix}"
    with quiet():
        write(path)
        found = READ[what, tool](str(path))
    assert [len(times) for times in found] == [3, 1]
    if "raster" not in what:
        for times, expected in zip(found, TRAINS.trains, strict=True):
            assert np.abs(np.asarray(times) - expected).max() <= 1e-6
