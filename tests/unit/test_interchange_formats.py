"""Any format by name, extension or content; `spikedaq export --to` and `spikedaq import`."""

import json
import os
import signal
import subprocess
import sys

import h5py
import numpy as np
import pynwb
import pytest
import spikeinterface.core as si
from spikeinterface.extractors import read_phy
from spikelab.data_loaders import data_exporters as lab_out
from spikelab.data_loaders import data_loaders as lab

import spikedaq
from helpers.formats_recordings import Maker, spiking
from helpers.spike_trains import assert_same, quiet, some_trains
from spikedaq.analysis.spike_trains import SpikeTrains
from spikedaq.cli.export_spikes import TARGETS
from spikedaq.cli.import_spikes import SOURCES
from spikedaq.cli.main import main
from spikedaq.interchange import FORMATS, ContentError, load_spikes, save_spikes, to_spikelab
from spikedaq.interchange.formats import format_of_source
from spikedaq.model import ArgumentError, StoreError

# spiking(): 30 mV on the first 5 of every 200 samples, from -65 mV; at 10 kHz a spike each 20 ms but for the first
# sample, which nothing precedes.


@pytest.fixture
def session(tmp_path):
    """Two devices, 1000 samples each, the second in two files."""
    Maker(tmp_path / "demo", device="alpha").open().samples(0, spiking(1000)).close()
    maker = Maker(tmp_path / "demo", device="beta").open().samples(0, spiking(600)).close()
    maker.open().samples(600, spiking(400, start=600)).close()
    return tmp_path / "demo"


def run(capsys, *arguments):
    """Run a command; its status and what it printed."""
    status = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def targets():
    """Every format that is written, with a name for it."""
    for one in FORMATS.values():
        if one.exporter:
            yield one.name, f"spikes{one.suffixes[0] if one.suffixes else ''}"


def test_the_command_line_knows_every_format():
    assert set(SOURCES) == set(FORMATS)
    assert set(TARGETS) == {name for name, _ in targets()}


@pytest.mark.parametrize(("name", "file"), list(targets()))
def test_every_format_is_found_and_read_back(tmp_path, name, file):
    """Written by name, found by what is there: the same times and, but for a CSV, the same window."""
    trains = some_trains()
    options = {"fs_hz": 10000.0} if "fs_hz" in FORMATS[name].options else {}
    with quiet():
        save_spikes(trains, tmp_path / file, format=name, **options)
        assert format_of_source(tmp_path / file).name == name
        found = load_spikes(tmp_path / file, **({"trust": True} if name == "pickle" else {}))
    assert_same(found, trains, atol_ms=1e-6, window=name != "csv")
    if FORMATS[name].suffixes:
        with quiet():
            save_spikes(trains, tmp_path / file, overwrite=True)


def test_files_of_others_are_told_apart_by_what_is_in_them(tmp_path):
    """.h5 may be SpikeLab's, NIX, or the layout of NWB."""
    with quiet():
        save_spikes(some_trains(), tmp_path / "a.nix")
        (tmp_path / "a.nix").rename(tmp_path / "a.h5")
        lab_out.export_spikedata_to_nwb(to_spikelab(some_trains()), str(tmp_path / "b.h5"))
        lab_out.export_spikedata_to_hdf5(to_spikelab(some_trains()), str(tmp_path / "c.h5"), style="paired")
        for name, expected in (("a.h5", "neo"), ("b.h5", "nwb"), ("c.h5", "hdf5")):
            assert format_of_source(tmp_path / name).name == expected
            assert_same(load_spikes(tmp_path / name), some_trains(), atol_ms=1e-6)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(ContentError, match="holds no spikes"):
        load_spikes(tmp_path / "nothing")
    (tmp_path / "x.docx").touch()
    with pytest.raises(ContentError, match="says no format"):
        load_spikes(tmp_path / "x.docx")
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["idces"], file["times"], file["raster"] = [0], [0.1], [[1]]
    with pytest.raises(ContentError, match="2 layouts"):
        load_spikes(tmp_path / "two.h5")
    with h5py.File(tmp_path / "none.h5", "w") as file:
        file["x"] = [0]
    with pytest.raises(KeyError, match="no spikes under the usual names"):
        load_spikes(tmp_path / "none.h5")


@pytest.mark.parametrize("file", ["a.h5", "a.nwb", "a.nix", "a.mat", "a.pkl", "a.csv"])
def test_a_file_that_is_cut_short_anywhere_is_named(tmp_path, file):
    """At any length it is an error of ours with the file's name, or, of a CSV, fewer spikes."""
    with quiet():
        save_spikes(some_trains(), tmp_path / file)
        whole = (tmp_path / file).read_bytes()
        trust = {"trust": True} if file.endswith(".pkl") else {}
        for n in {0, 1, 7, 8, 100, len(whole) // 3, len(whole) // 2, len(whole) * 9 // 10, len(whole) - 1}:
            (tmp_path / file).write_bytes(whole[:n])
            try:
                found = load_spikes(tmp_path / file, **trust)
            except StoreError as error:
                assert file in str(error), n
            else:
                assert file == "a.csv" or sum(map(len, found.trains)) <= 6


STRANGE = {
    **{"a b": 1, "": 2, "spike_times": 3, "ü/x": 1, "n": None, "d": {"k": [1, {"z": 2}]}, "b": np.bool_(True)},
    **{"nan": float("nan"), "big": 2**70, "l": [1, 2], "arr": np.zeros((2, 3)), "s": 'x\ny\t"z"\0', "c": 1 + 2j, 5: 6},
    **{"colnames": "q", "name": "n\n1", "id": 3, "unit_id": "vm", "electrode": [], "m" * 70: 1},
}


@pytest.mark.parametrize(("name", "file"), list(targets()))
def test_whatever_is_known_of_units_the_spikes_are_written(tmp_path, name, file):
    """Names and values that a format has no place for are left out; NWB stays valid."""
    trains = SpikeTrains([[1.0, 2.0], [3.0]], length=10, neuron_attributes=[STRANGE, {**STRANGE, "l": [1], "c": 0}],
                         metadata={key: value for key, value in STRANGE.items() if key != "name"})  # fmt: skip
    options = {"fs_hz": 10000.0} if "fs_hz" in FORMATS[name].options else {}
    with quiet():
        save_spikes(trains, tmp_path / file, format=name, **options)
        found = load_spikes(tmp_path / file, **({"trust": True} if name == "pickle" else {}))
    assert [t.round(9).tolist() for t in found.trains] == [[1.0, 2.0], [3.0]]
    if name == "nwb":
        assert pynwb.validate(path=str(tmp_path / file)) == []


def test_a_table_without_units(tmp_path):
    """As PyNWB leaves it: no unit, and no column of times."""
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        file["units/id"] = np.empty(0, np.int64)
    with quiet():
        assert load_spikes(tmp_path / "a.nwb").N == 0


def test_options_that_a_format_does_not_have(tmp_path):
    with pytest.raises(ArgumentError, match="nwb has no option style; it has fs_hz"):
        save_spikes(some_trains(), tmp_path / "a.nwb", style="raster")
    with pytest.raises(ArgumentError, match="read, not written"):
        save_spikes(some_trains(), tmp_path / "a.npz", format="spikelab-npz")
    with pytest.raises(ArgumentError, match="extension says no format"):
        save_spikes(some_trains(), tmp_path / "a.xyz")
    with pytest.raises(ArgumentError, match="fs_Hz"):
        save_spikes(some_trains(), tmp_path / "ks", format="kilosort")
    with pytest.raises(ArgumentError, match="unknown"):
        load_spikes(tmp_path / "a.nwb", format="nvb")
    save_spikes(some_trains(), tmp_path / "a.h5")
    with pytest.raises(ArgumentError, match=r"hdf5: .*colour"):
        load_spikes(tmp_path / "a.h5", colour=1)


KILLED = """
import os, signal, sys
import numpy as np
from spikedaq.analysis import SpikeTrains
from spikedaq.interchange import hdf5_export, kilosort_export, save_spikes

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

hdf5_export._put_own = die
real, n = np.save, []
np.save = lambda *a, **k: die() if len(n) == 3 else (n.append(1), real(*a, **k))
save_spikes(SpikeTrains([[9.0]]), sys.argv[1], format=sys.argv[2], overwrite=True, **eval(sys.argv[3]))
"""


@pytest.mark.parametrize(("name", "options"), [("hdf5", {}), ("kilosort", {"fs_hz": 10000.0})])
def test_an_export_that_is_killed_leaves_the_old_one_whole(tmp_path, name, options):
    target = tmp_path / "spikes"
    with quiet():
        save_spikes(some_trains(), target, format=name, **options)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(target), name, repr(options)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert_same(load_spikes(target, format=name), some_trains(), atol_ms=1e-6)


# -- spikedaq export --to


def test_export_writes_the_spikes_of_each_device(session, tmp_path, capsys):
    """In ragged HDF5 that the real SpikeLab reads: the spikes are at 20, 40, 60, 80 ms of the recording."""
    status, out, err = run(capsys, "export", session, "--to", "hdf5")
    assert (status, err) == (0, "")
    assert [line.rsplit(" in ", 1)[0] for line in out.splitlines()] == [
        f"{session}/demo_{device}_spikes.h5: 1 units, 4 spikes" for device in ("alpha", "beta")
    ]
    names = {"spike_times_dataset": "spike_times", "spike_times_index_dataset": "spike_times_index"}
    found = lab.load_spikedata_from_hdf5(str(session / "demo_beta_spikes.h5"), **names)
    assert np.round(np.diff(found.train[0]), 3).tolist() == [20.0, 20.0, 20.0], "host time, of a clock that is not ours"
    ours = load_spikes(session / "demo_beta_spikes.h5")
    assert (ours.metadata["session"], ours.neuron_attributes[0]["unit_id"]) == ("demo", "vm")
    status, _, err = run(capsys, "export", session, "--to", "hdf5")
    assert status == 1
    assert "demo_alpha_spikes.h5 exists" in err
    assert run(capsys, "export", session, "--to", "hdf5", "--overwrite")[0] == 0


def test_spikes_beside_a_recording_are_no_part_of_it(session, capsys):
    """An NWB of spikes in the session's folder: the recording opens as before, and is as sound as before."""
    before = run(capsys, "verify", session)[0]
    assert run(capsys, "export", session, "--to", "nwb")[0] == 0
    assert (session / "demo_alpha_spikes.nwb").exists()
    assert list(spikedaq.open(session)) == ["alpha", "beta"]
    assert run(capsys, "export", session, "--to", "nwb", "--overwrite")[0] == 0
    assert run(capsys, "verify", session)[0] == before


def test_export_of_one_device_to_a_name_with_options(session, tmp_path, capsys):
    """To KiloSort, read by the real SpikeInterface; to a raster; by standard deviations."""
    status, out, _ = run(capsys, "export", session, "--device", "alpha", "--to", "kilosort", "--out", tmp_path / "ks",
                         "--json")  # fmt: skip
    assert status == 0
    (written,) = json.loads(out)
    assert (written["file"], written["format"], written["n_spikes"]) == (str(tmp_path / "ks"), "kilosort", 4)
    samples = read_phy(tmp_path / "ks").get_unit_spike_train(0)
    assert np.diff(samples).tolist() == [200, 200, 200]
    status, _, _ = run(capsys, "export", session, "--device", "alpha", "--to", "hdf5", "--out", tmp_path / "r.h5",
                       "--style", "raster", "--bin", "10", "--sigma", "3")  # fmt: skip
    assert status == 0
    with h5py.File(tmp_path / "r.h5") as file:
        assert file["raster"][()].sum() == 4
    status, _, err = run(capsys, "export", session, "--to", "nwb", "--out", tmp_path / "one.nwb")
    assert (status, "name one with --device" in err) == (1, True)
    status, _, err = run(capsys, "export", session, "--to", "nwb", "--style", "paired")
    assert (status, "nwb has no option style" in err) == (1, True)
    status, _, err = run(capsys, "export", session, "--to", "nwb", "--time", "wall")
    assert (status, "--time" in err) == (1, True)
    with pytest.raises(SystemExit):
        main(["export", str(session), "--to", "nwb", "--threshold", "auto"])
    assert "give mV" in capsys.readouterr().err, "not the default, without a word"


# -- spikedaq import


def test_import_says_what_is_there(tmp_path, capsys):
    save_spikes(some_trains(), tmp_path / "spikes.nwb")
    status, out, err = run(capsys, "import", tmp_path / "spikes.nwb")
    assert (status, err) == (0, "")
    assert "神経" in out
    assert out.splitlines()[-1] == "spikes.nwb (nwb): 3 units, 6 spikes, -50 to 200 ms"
    status, out, _ = run(capsys, "convert", tmp_path / "spikes.nwb", "--json")
    found = json.loads(out)
    assert [unit["n_spikes"] for unit in found["units"]] == [3, 1, 2]
    assert (found["format"], found["written"], found["length_ms"]) == ("nwb", None, 250.0)


def test_import_writes_another_format(tmp_path, capsys):
    """SpikeLab's pairs into a sorting of SpikeInterface, and into Neo's; the rate is told, or known of the source."""
    lab_out.export_spikedata_to_hdf5(to_spikelab(some_trains(metadata={})), str(tmp_path / "lab.h5"), style="paired")
    into = ("--to", "spikeinterface", "--out", tmp_path / "sorting")
    status, _, err = run(capsys, "import", tmp_path / "lab.h5", *into)
    assert (status, "give --fs" in err) == (1, True)
    status, out, err = run(capsys, "import", tmp_path / "lab.h5", *into, "--fs", "10000")
    assert (status, out.splitlines()[-1]) == (0, str(tmp_path / "sorting"))
    assert "spikedaq: note: the window starts at -50 ms" in err
    assert si.load(tmp_path / "sorting").get_unit_spike_train(0).tolist() == [1, 501, 1503]
    status, _, _ = run(capsys, "import", tmp_path / "sorting", "--out", tmp_path / "spikes.nix")
    assert status == 0
    assert_same(load_spikes(tmp_path / "spikes.nix"), some_trains(), atol_ms=1e-6)
    status, _, err = run(capsys, "import", tmp_path / "sorting", "--out", tmp_path / "spikes.nix")
    assert (status, "exists" in err) == (1, True)


def test_import_options_reach_the_loader(tmp_path, capsys):
    save_spikes(some_trains(), tmp_path / "spikes.pkl")
    status, _, err = run(capsys, "import", tmp_path / "spikes.pkl")
    assert (status, "--trust" in err) == (1, True)
    status, _, err = run(capsys, "import", tmp_path / "spikes.pkl", "--trust", "--length", "100")
    assert (status, "2 spikes after length_ms=100" in err) == (0, True)
    folder = tmp_path / "ks"
    folder.mkdir()
    np.save(folder / "spike_times.npy", [10, 20])
    np.save(folder / "spike_clusters.npy", [0, 1])
    (folder / "groups.tsv").write_text("cluster_id\tgroup\n0\tgood\n1\tnoise\n")
    status, _, err = run(capsys, "import", folder)
    assert (status, "--fs" in err) == (1, True)
    status, out, _ = run(capsys, "import", folder, "--source-fs", "1000", "--clusters", "groups.tsv", "--json")
    found = json.loads(out)
    assert (status, [unit["attributes"]["unit_id"] for unit in found["units"]]) == (0, [0])
    assert found["length_ms"] == 10.0
    status, _, err = run(capsys, "import", tmp_path / "none.h5")
    assert (status, "there is no file or folder" in err) == (1, True)
    status, _, err = run(capsys, "import", folder, "--to", "nwb")
    assert (status, "--to needs --out" in err) == (1, True)
