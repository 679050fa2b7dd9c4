"""Saved recordings: binary folders and Zarr, as SpikeInterface itself and we read them; whole, or not there at all."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys

import numcodecs
import numpy as np
import pytest
import spikeinterface as si
import zarr
from spikeinterface.core import testing

import spikedaq
from helpers.formats_recordings import Maker, device_info, spiking
from spikedaq.model import ConfigError, StoreError
from spikedaq.recording import Channel, Recording
from spikedaq.recording.saving import copying

FORMATS = ("binary", "zarr")


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """Two files with a gap and a reboot: three segments, times that are measured."""
    folder = tmp_path_factory.mktemp("session") / "demo"
    maker = Maker(folder)
    maker.open().samples(0, spiking(3000)).gap(3000, 100).samples(3100, spiking(1900)).close()
    maker.open(device_info(boot_id=8)).samples(900_000, spiking(1000)).close()
    return folder


@pytest.fixture
def recording(session):
    found = spikedaq.open(session)
    found.annotate(mood="schön", trials=[1, 2], name="my own")
    found.set_property("grp", ["a"] * 4 + ["ü"] * 4)
    found.set_probe(PROBE)
    return found


PROBE = {
    "specification": "probeinterface",
    "version": "0.2.21",
    "probes": [
        {
            "ndim": 2,
            "si_units": "um",
            "annotations": {"model_name": "a", "manufacturer": "b"},
            "contact_annotations": {},
            "contact_positions": [[0.0, float(20 * k)] for k in range(8)],
            "contact_plane_axes": [[[1.0, 0.0], [0.0, 1.0]]] * 8,
            "contact_shapes": ["circle"] * 8,
            "contact_shape_params": [{"radius": 5.0}] * 8,
            "device_channel_indices": list(range(8)),
        }
    ],
}


def same(one, other):
    assert one.num_segments == other.num_segments
    assert (one.channel_ids, one.channels) == (other.channel_ids, other.channels)
    assert (one.sampling_frequency, one.dtype) == (other.sampling_frequency, other.dtype)
    for k in range(one.num_segments):
        assert np.array_equal(one.get_traces(k), other.get_traces(k))
        assert np.array_equal(one.get_times(k), other.get_times(k))
        assert (one.segments[k].boot_id, one.segments[k].first_step) == (
            other.segments[k].boot_id,
            other.segments[k].first_step,
        )


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_saved_reads_as_it_was(recording, tmp_path, kind):
    """Samples, times, segments, names, properties, annotations, probe, and the instant that times count from."""
    told = []
    saved = recording.save(tmp_path / "out", format=kind, progress=lambda *done: told.append(done))
    same(saved, recording)
    assert told[-1] == (5900, 5900)
    assert (saved.reference_utc_ns, saved.session, saved.device) == (recording.reference_utc_ns, "demo", "alpha")
    assert saved.annotations == {"mood": "schön", "trials": [1, 2], "name": "my own"}
    assert {key: values.tolist() for key, values in saved.properties.items()} == {"grp": ["a"] * 4 + ["ü"] * 4}
    assert saved.probe["probes"][0]["contact_positions"] == PROBE["probes"][0]["contact_positions"]
    assert saved.get_traces(0, 0, 5, channel_ids=["trigger", "vm"], return_in_units=True)[0].tolist() == [1.0, 30.0]
    path = tmp_path / ("out.zarr" if kind == "zarr" else "out")
    assert not [name for name in os.listdir(tmp_path) if name != path.name]
    # Saved again, nothing is lost or added.
    same(saved.save(tmp_path / "again", format=kind), recording)


@pytest.mark.parametrize("kind", FORMATS)
def test_spikeinterface_loads_it(recording, tmp_path, kind):
    """The real one: values, times, units, probe; and several of its processes read the same."""
    recording.save(tmp_path / "out", format=kind)
    loaded = si.load(tmp_path / ("out.zarr" if kind == "zarr" else "out"))
    assert loaded.get_num_segments() == 3
    assert loaded.get_channel_ids().tolist() == list(recording.channel_ids)
    assert loaded.get_sampling_frequency() == 10_000.0
    for k in range(3):
        assert np.array_equal(loaded.get_traces(k), recording.get_traces(k))
        assert np.array_equal(loaded.get_times(k), recording.get_times(k))
    # 30 mV are 30 000 uV; per cent are no voltage, and say so.
    in_uv = loaded.get_traces(0, 0, 1, return_in_uV=True)[0]
    assert in_uv[0] == 30_000.0
    assert np.isnan(in_uv[1])
    assert loaded.get_property("physical_unit").tolist() == ["mV", "%", "a.u.", "mV", "a.u.", "mV", "a.u.", "1"]
    assert loaded.get_property("grp").tolist() == ["a"] * 4 + ["ü"] * 4
    assert loaded.get_annotation("mood") == "schön"
    # As the object without a file has it.
    direct = recording.to_spikeinterface()
    for key in ("gain_to_uV", "offset_to_uV", "gain_to_physical_unit", "offset_to_physical_unit", "channel_name"):
        assert np.array_equal(loaded.get_property(key), direct.get_property(key), equal_nan=key.endswith("uV")), key
    testing.check_recordings_equal(loaded, direct, return_in_uV=False)
    assert loaded.get_channel_locations()[2].tolist() == [0.0, 40.0]


def test_spikeinterface_saves_and_we_read(recording, tmp_path):
    """Its own folder, made by two processes from ours, is the same again; also as its version 0.101 wrote it."""
    recording.save(tmp_path / "ours")
    theirs = si.load(tmp_path / "ours").save(
        format="binary", folder=tmp_path / "theirs", n_jobs=2, progress_bar=False, verbose=False
    )
    assert theirs.get_num_segments() == 3
    found = spikedaq.open(tmp_path / "theirs")
    for k in range(3):
        assert np.array_equal(found.get_traces(k), recording.get_traces(k))
        assert np.array_equal(found.get_times(k), recording.get_times(k))
    assert [c.unit for c in found.channels] == [c.unit for c in recording.channels]
    assert found.get_traces(0, 0, 1, return_in_units=True)[0, 0] == pytest.approx(30.0)
    # The layout of 0.101: times with numpy's header, num_chan, annotations in si_folder.json.
    document = json.loads((tmp_path / "theirs" / "binary.json").read_text())
    kwargs = document["kwargs"]
    kwargs["num_chan"] = kwargs.pop("num_channels")
    kwargs.pop("file_timestamps_paths", None)
    kwargs.pop("channel_ids")
    (tmp_path / "theirs" / "binary.json").write_text(json.dumps(document))
    (tmp_path / "theirs" / "annotations.json").unlink()
    for k in range(3):
        raw = tmp_path / "theirs" / f"times_cached_seg{k}.raw"
        if raw.exists():
            np.save(raw.with_suffix(".npy"), np.fromfile(raw))
            raw.unlink()
    old = spikedaq.open(tmp_path / "theirs")
    assert old.channel_ids == tuple(range(8))
    assert np.array_equal(old.get_times(2), recording.get_times(2))


def test_spikeinterfaces_zarr_is_read(tmp_path):
    made = si.NumpyRecording([np.arange(60, dtype="f4").reshape(20, 3)], 500.0, channel_ids=["a", "b", "ü"])
    made.set_channel_gains([1, 2, 3])
    made.set_channel_offsets([0, 0, 1])
    made.save(format="zarr", folder=tmp_path / "theirs", progress_bar=False, verbose=False)
    found = spikedaq.open(tmp_path / "theirs.zarr")
    assert found.channel_ids == ("a", "b", "ü")
    assert found.get_traces(0, 1, 2, return_in_units=True).tolist() == [[3.0, 8.0, 16.0]]
    assert [c.unit for c in found.channels] == ["uV"] * 3
    assert found.get_times(0, 1, 2).tolist() == [0.002]


@pytest.mark.parametrize("kind", FORMATS)
def test_several_processes_write_what_one_does(recording, tmp_path, kind, monkeypatch):
    """Pieces that end within chunks and segments, in two processes."""
    monkeypatch.setattr(copying, "PIECE_BYTES", 24 * 700)
    told = []
    saved = recording.save(tmp_path / "out", format=kind, n_jobs=2, progress=lambda *done: told.append(done))
    same(saved, recording)
    assert told[-1] == (5900, 5900)


def test_even_times_are_not_kept(tmp_path):
    """Two arrays with starts, ids that are numbers, float samples, a big-endian type."""
    arrays = [np.arange(12, dtype=">f4").reshape(6, 2), np.ones((1, 2), ">f4")]
    made = Recording.from_numpy(
        arrays,
        250.0,
        channels=[Channel("a", "V", 2.0, 1.0), Channel("b", "")],
        channel_ids=[7, 3],
        t_starts_s=[-1.5, 9],
    )
    for kind in FORMATS:
        saved = made.save(tmp_path / kind, format=kind, n_jobs=3)
        assert saved.channel_ids == (7, 3)
        assert saved.channels == made.channels
        assert np.array_equal(saved.get_traces(0), arrays[0])
        assert saved.get_times(0).tolist() == made.get_times(0).tolist()
        assert saved.get_times(1).tolist() == [9.0]
    assert not list((tmp_path / "binary").glob("times*"))
    loaded = si.load(tmp_path / "binary")
    assert loaded.get_traces(0, 1, 2, return_in_uV=True).tolist() == [[2.0, 3.0]] or loaded.get_dtype().kind == "f"
    assert loaded.get_channel_gains()[0] == 2e6
    assert np.isnan(loaded.get_channel_gains()[1])
    assert loaded.get_times(1).tolist() == [9.0]


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_there_is_refused_and_what_is_strange_is_kept(recording, tmp_path, kind):
    path = tmp_path / ("out.zarr" if kind == "zarr" else "out")
    recording.save(path, format=kind)
    part = recording.channel_slice(["vm"])
    with pytest.raises(StoreError, match="exists"):
        part.save(path, format=kind)
    part.save(path, format=kind, overwrite=True)
    assert spikedaq.open(path).channel_ids == ("vm",)
    (path / "thesis.tex").write_text("x")
    with pytest.raises(StoreError, match=r"thesis\.tex"):
        recording.save(path, format=kind, overwrite=True)
    assert spikedaq.open(path).channel_ids == ("vm",)


KILLED = """
import os, signal, sys
import spikedaq
from spikedaq.recording.saving import copying
copying.PIECE_BYTES = 24 * 500
def progress(done, total):
    if done > 2000:
        os.kill(os.getpid(), signal.SIGKILL)
source, path, kind, n_jobs = sys.argv[1:]
spikedaq.open(source).save(path, format=kind, n_jobs=int(n_jobs), overwrite=True, progress=progress)
"""


@pytest.mark.parametrize(("kind", "n_jobs"), [("binary", 1), ("binary", 2), ("zarr", 1)])
def test_a_kill_in_the_middle_leaves_the_old_whole(recording, session, tmp_path, kind, n_jobs):
    path = tmp_path / "out.zarr"
    recording.channel_slice(["vm"]).save(path, format=kind)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(session), str(path), kind, str(n_jobs)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert spikedaq.open(path).channel_ids == ("vm",)
    same(spikedaq.open(path), recording.channel_slice(["vm"]))
    recording.save(path, format=kind, overwrite=True)
    same(spikedaq.open(path), recording)


def test_a_failure_while_saving_leaves_nothing(recording, tmp_path):
    """An interrupt in the first process, and a file that goes in the others: the old stays, nothing is beside it."""

    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recording.save(tmp_path / "out", progress=interrupt)
    assert os.listdir(tmp_path) == []


def test_a_process_that_cannot_read_says_so(session, tmp_path, monkeypatch):
    """The message of the process that failed is the message of the whole."""
    copied = tmp_path / "demo"
    shutil.copytree(session, copied)
    found = spikedaq.open(copied)
    last = found.paths[-1]
    monkeypatch.setattr(copying, "PIECE_BYTES", 24 * 700)
    last.rename(tmp_path / "elsewhere.nwb")
    with pytest.raises(StoreError, match="is not there"):
        found.save(tmp_path / "out", n_jobs=2)
    assert sorted(os.listdir(tmp_path)) == ["demo", "elsewhere.nwb"]


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"format": "mat"}, ConfigError, "the formats are binary, nwb, zarr"),
        ({"n_jobs": 0}, ConfigError, "n_jobs is a number"),
        ({"n_jobs": True}, ConfigError, "n_jobs is a number"),
    ],
)
def test_arguments_that_cannot_be(recording, tmp_path, arguments, error, says):
    with pytest.raises(error, match=says):
        recording.save(tmp_path / "out", **arguments)
    with pytest.raises(StoreError, match="holds no sample"):
        recording.time_slice(1e6, 2e6).save(tmp_path / "out")
    assert os.listdir(tmp_path) == []


# -- folders that are damaged


@pytest.fixture
def folder(recording, tmp_path):
    recording.save(tmp_path / "out")
    return tmp_path / "out"


def change(path, **kwargs):
    document = json.loads(path.read_text())
    document["kwargs"].update(kwargs)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda f: (f / "binary.json").write_text('{"class": 1,\n oh'), r"binary\.json, line 2: "),
        (lambda f: (f / "binary.json").write_text("[]"), "holds no JSON object"),
        (lambda f: (f / "binary.json").write_bytes(b"\xff\xfe"), "is no text"),
        (lambda f: (f / "binary.json").write_text("{}"), "does not describe a binary recording"),
        (lambda f: change(f / "binary.json", dtype="O"), "dtype object"),
        (lambda f: change(f / "binary.json", dtype="nonsense"), "nonsense"),
        (lambda f: change(f / "binary.json", num_channels=0), "0 channels"),
        (lambda f: change(f / "binary.json", sampling_frequency=0), "0.0 Hz"),
        (lambda f: change(f / "binary.json", channel_ids=["a"] * 8), "cannot be called"),
        (lambda f: change(f / "binary.json", t_starts=[1.0]), "binary.json"),
        (lambda f: (f / "traces_cached_seg1.raw").unlink(), r"traces_cached_seg1\.raw: No such file"),
        (lambda f: os.truncate(f / "traces_cached_seg1.raw", 160), "segment 1 has 10 frames and should have 1900"),
        (lambda f: os.truncate(f / "times_cached_seg1.npy", 160), r"times_cached_seg1\.npy"),
        (lambda f: _version(f, 99), "later version of spikedaq"),
    ],
)
def test_a_damaged_folder_is_named_with_the_file(folder, damage, says):
    damage(folder)
    with pytest.raises(StoreError, match=says) as caught:
        spikedaq.open(folder)
    assert str(folder) in str(caught.value)


def _version(folder, version):
    document = json.loads((folder / "spikedaq.json").read_text())
    document["format_version"] = version
    (folder / "spikedaq.json").write_text(json.dumps(document))


class Evil:
    """What a pickle runs when it is read."""

    def __reduce__(self):
        return os.mkdir, (os.environ["EVIL"],)


def test_a_folder_without_our_part_is_read_as_far_as_it_goes(folder, tmp_path, monkeypatch):
    """Cut within a frame; a property that would run code; one of another length."""
    (folder / "spikedaq.json").unlink()
    os.truncate(folder / "traces_cached_seg1.raw", 16 * 10 + 3)
    monkeypatch.setenv("EVIL", str(tmp_path / "evil"))
    np.save(folder / "properties" / "bad.npy", np.array([Evil()] * 8, dtype=object), allow_pickle=True)
    np.save(folder / "properties" / "short.npy", np.zeros(3))
    found = spikedaq.open(folder)
    assert found.get_num_frames(1) == 10
    flags = " ".join(found.flags)
    assert "traces_cached_seg1.raw ends within a frame: its last 3 bytes are left out" in flags
    assert "property bad is left out: it would have to be unpickled" in flags
    assert "property short is left out" in flags
    assert not (tmp_path / "evil").exists()


def test_a_zarr_that_would_unpickle_is_refused(tmp_path, monkeypatch):
    """Zarr reads pickles of its own accord where an array says so."""

    monkeypatch.setenv("EVIL", str(tmp_path / "evil"))
    pickled = {"dtype": object, "object_codec": numcodecs.Pickle()}
    Recording.from_numpy(np.zeros((5, 2)), 10.0).save(tmp_path / "a.zarr", format="zarr")
    root = zarr.open_group(str(tmp_path / "a.zarr"), mode="r+")
    root["properties"].create_dataset("bad", shape=(2,), dtype=object, object_codec=numcodecs.Pickle())[:] = [
        Evil()
    ] * 2
    assert "property bad is left out" in " ".join(spikedaq.open(tmp_path / "a.zarr").flags)
    del root["channel_ids"]
    root.create_dataset("channel_ids", shape=(2,), **pickled)[:] = [Evil()] * 2
    with pytest.raises(StoreError, match="pickled, which could run any code"):
        spikedaq.open(tmp_path / "a.zarr")
    assert not (tmp_path / "evil").exists()


def test_zarr_folders_that_are_something_else(tmp_path):
    zarr.open_group(str(tmp_path / "b.zarr"), mode="w")
    with pytest.raises(StoreError, match="no recording of SpikeInterface or spikedaq"):
        spikedaq.open(tmp_path / "b.zarr")
    (tmp_path / "c.zarr").mkdir()
    with pytest.raises(StoreError, match="no whole Zarr recording"):
        spikedaq.open(tmp_path / "c.zarr")
    Recording.from_numpy(np.zeros((5, 2)), 10.0).save(tmp_path / "a.zarr", format="zarr")
    (tmp_path / "a.zarr" / "traces_seg0" / "0.0").write_bytes(b"nonsense")
    with pytest.raises(StoreError, match="a chunk is damaged"):
        spikedaq.open(tmp_path / "a.zarr").get_traces()


def test_a_growing_recording_is_saved_as_it_is(tmp_path):
    """While its writer goes on: what was there when it was asked, and it can be read again."""
    maker = Maker(tmp_path / "demo").open().samples(0, spiking(700))
    maker.writer.flush()
    growing = spikedaq.open(tmp_path / "demo")
    assert growing.is_live
    n = growing.num_frames
    maker.samples(700, spiking(300))
    maker.writer.flush()
    saved = growing.save(tmp_path / "out")
    assert (saved.num_frames, n > 0) == (n, True)
    assert np.array_equal(saved.get_traces(), spiking(700)[:n])
    growing.close()
    maker.close()
