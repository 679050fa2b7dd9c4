"""Descriptions of recordings: opened and cut again, moved with their files, and never unpickled unless trusted."""

from __future__ import annotations

import json
import os
import pickle
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import spikedaq
from helpers.formats_recordings import Maker, spiking
from spikedaq.model import ConfigError, StoreError
from spikedaq.recording import Recording


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dumped") / "demo"
    maker = Maker(folder)
    maker.open().samples(0, spiking(1500)).gap(1500, 100).samples(1600, spiking(400)).close()
    maker.open().samples(2000, spiking(500)).close()
    return folder


def same(one, other):
    assert one.channel_ids == other.channel_ids
    assert one.num_segments == other.num_segments
    for k in range(one.num_segments):
        assert np.array_equal(one.get_traces(k), other.get_traces(k))
        assert np.array_equal(one.get_times(k), other.get_times(k))


@pytest.mark.parametrize("name", ["a.json", "a.pkl", "a.pickle"])
def test_a_dump_is_opened_and_cut_again(session, tmp_path, name):
    """With what was attached; the file is small, whatever the recording."""
    part = spikedaq.open(session).channel_slice(["trigger", "vm"]).time_slice(0.1, 0.22).select_segments([1])
    part.set_property("where", np.array([[1.5, 2], [3, 4]]))
    part.set_property("who", ["ä", "b"])
    part.annotate(n=np.int64(3), values=np.arange(2), nested={"a": (1, None)})
    part.dump(tmp_path / name)
    found = Recording.load(tmp_path / name, trust=not name.endswith("json"))
    same(found, part)
    assert found.get_property("where").tolist() == [[1.5, 2], [3, 4]]
    assert found.get_property("who").tolist() == ["ä", "b"]
    assert found.annotations == {"n": 3, "values": [0, 1], "nested": {"a": [1, None]}}
    assert os.path.getsize(tmp_path / name) < 3000
    with pytest.raises(StoreError, match="exists"):
        part.dump(tmp_path / name)


CUTS = st.lists(
    st.one_of(
        st.tuples(st.just("frame_slice"), st.integers(0, 2500), st.integers(0, 2500)),
        st.tuples(st.just("time_slice"), st.floats(0, 0.3), st.floats(0, 0.3)),
        st.tuples(st.just("channel_slice"), st.sampled_from(["vm", "trigger"])),
    ),
    max_size=4,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=CUTS)
def test_any_cuts_are_done_again(session, cuts):
    """Whatever is left of it, and be it nothing."""
    recording = spikedaq.open(session).channel_slice(["vm", "trigger"])
    for name, *values in cuts:
        chosen = [[one for one in recording.channel_ids if one == values[0]] or list(recording.channel_ids)]
        recording = getattr(recording, name)(*(chosen if name == "channel_slice" else values))
    same(Recording.load(json.loads(json.dumps(recording.to_dict()))), recording)


def test_a_pickle_runs_nothing_unless_trusted(tmp_path, monkeypatch):
    """One that makes a folder when it is read, under each name that it may have."""

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "evil"),)

    for name in ("a.pkl", "a.pickle", "a.json", "b.txt"):
        (tmp_path / name).write_bytes(pickle.dumps(Evil(), protocol=4))
        with pytest.raises(StoreError, match="is a pickle, which can run any code, so it is not read"):
            Recording.load(tmp_path / name)
        assert not (tmp_path / "evil").exists()
    with pytest.raises(StoreError):
        Recording.load(tmp_path / "a.pkl", trust=True)
    assert (tmp_path / "evil").exists(), "the pickle of this test does nothing"


def test_a_dump_moves_with_its_files(session, tmp_path):
    """Relative paths start from the dump, or from the folder that is named."""
    (tmp_path / "one").mkdir()
    shutil.copytree(session, tmp_path / "one" / "data" / "demo")
    recording = spikedaq.open(tmp_path / "one" / "data" / "demo").frame_slice(10, 20)
    recording.dump(tmp_path / "one" / "a.json", relative_to=tmp_path / "one")
    assert "data/demo/alpha" in (tmp_path / "one" / "a.json").read_text()
    assert str(tmp_path) not in (tmp_path / "one" / "a.json").read_text()
    traces = recording.get_traces()
    recording.close()
    (tmp_path / "one").rename(tmp_path / "two")
    assert np.array_equal(Recording.load(tmp_path / "two" / "a.json").get_traces(), traces)
    shutil.move(tmp_path / "two" / "a.json", tmp_path / "a.json")
    with pytest.raises(StoreError, match=r"a\.json: its source .*alpha.* is not there; name the folder .* base_folder"):
        Recording.load(tmp_path / "a.json")
    assert np.array_equal(Recording.load(tmp_path / "a.json", base_folder=tmp_path / "two").get_traces(), traces)


def test_a_source_that_is_gone_is_named(session, tmp_path):
    shutil.copytree(session, tmp_path / "demo")
    recording = spikedaq.open(tmp_path / "demo")
    recording.dump(tmp_path / "a.json")
    gone = recording.paths[1]
    recording.close()
    gone.unlink()
    with pytest.raises(StoreError) as caught:
        Recording.load(tmp_path / "a.json")
    assert str(gone) in str(caught.value)
    assert "move it back" in str(caught.value)


def test_times_count_from_the_session_and_not_from_one_bench(tmp_path):
    """A device of the bench that began later keeps its times when it is opened by itself."""
    Maker(tmp_path / "demo" / "one").open().samples(0, spiking(100)).close()
    later = Maker(tmp_path / "demo" / "two", device="beta", bench="other", later_ns=10**9)
    later.open().samples(20_000, spiking(100)).close()
    assert spikedaq.open(tmp_path / "demo" / "two").get_times(0)[0] == 1.0
    beta = spikedaq.open(tmp_path / "demo")["beta"]
    assert beta.get_times(0)[0] == 2.0
    beta.dump(tmp_path / "a.json")
    assert Recording.load(tmp_path / "a.json").get_times(0)[0] == 2.0


def test_other_kinds_are_opened_again(tmp_path):
    """A CSV, a binary folder, Zarr."""
    header = "Time (ms),Spikeling Vm (mV)"
    (tmp_path / "a.csv").write_text(header + "\n" + "".join(f"{k / 10},{k}\n" for k in range(50)))
    recording = spikedaq.open(tmp_path / "a.csv")
    every = [recording, recording.save(tmp_path / "b"), recording.save(tmp_path / "c", format="zarr")]
    for k, one in enumerate(every):
        part = one.frame_slice(5, 9)
        part.dump(tmp_path / f"{k}.json", relative_to=tmp_path)
        same(Recording.load(tmp_path / f"{k}.json"), part)


def test_what_cannot_be_described_is_refused(session, tmp_path):
    made = Recording.from_numpy(np.zeros((5, 2)), 10.0)
    with pytest.raises(ConfigError, match="is in memory only; save it first"):
        made.dump(tmp_path / "a.json")
    recording = spikedaq.open(session)
    with pytest.raises(ConfigError, match=r"ends neither in \.json nor in \.pkl"):
        recording.dump(tmp_path / "a.txt")
    recording.annotate(bad=object())
    with pytest.raises(ConfigError, match="annotation 'bad' is a object"):
        recording.dump(tmp_path / "a.json")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d.pop("describes"), "describes no recording"),
        (lambda d: d.pop("opened"), "describes no recording"),
        (lambda d: d.update(version=99), "later version"),
        (lambda d: d["opened"].pop("paths"), "names no file"),
        (lambda d: d["opened"].update(paths=[]), "names no file"),
        (lambda d: d["opened"].update(paths=[3]), "names no file"),
        (lambda d: d.update(made_by=[{"do": "save"}]), "cannot 'save'"),
        (lambda d: d.update(made_by=[{"do": "channel_slice", "channel_ids": ["x"]}]), "no channel x"),
        (lambda d: d.update(made_by=[{"do": "frame_slice", "x": 1}]), "cannot be"),
        (lambda d: d.update(properties={"a": {"dtype": "<f8", "values": [1]}}), "1 values for 8 channels"),
        (lambda d: d.update(properties={"a": {"dtype": "rubbish", "values": [1] * 8}}), "cannot be"),
        (lambda d: d.update(probe={"a": 1}), "contact_positions"),
    ],
)
def test_a_description_that_was_changed_is_refused(session, tmp_path, change, says):
    described = spikedaq.open(session).to_dict()
    change(described)
    (tmp_path / "a.json").write_text(json.dumps(described))
    with pytest.raises(StoreError, match=says) as caught:
        Recording.load(tmp_path / "a.json")
    assert str(caught.value).startswith(str(tmp_path / "a.json"))


@pytest.mark.parametrize(
    ("data", "says"), [(b"{", "is no JSON"), (b"[1]", "describes no recording"), (None, "No such")]
)
def test_files_that_are_no_descriptions(tmp_path, data, says):
    if data is not None:
        (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(StoreError, match=says):
        Recording.load(tmp_path / "a.json")
