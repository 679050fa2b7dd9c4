"""A recorded session, handled as PyNN handles what it simulated: the same calls give the same shapes."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import neo
import numpy as np
import pyNN.mock
import pytest
import quantities as pq

import spikedaq.pynn
from helpers.formats_recordings import REFERENCE_HOST_NS, Maker, device_info, spiking
from spikedaq.model import ConfigError, GapCause, StoreError
from spikedaq.objects import read_block
from spikedaq.pynn import block as block_module
from spikedaq.pynn.resets import note_text
from spikedaq.recording import Recording, open_session

SPIKE = 0
NEAR_MS = 2**-19 * 1000
CHANNELS = ["v", "stimulus", "i_total", "syn1_vm", "syn1_i", "syn2_vm", "syn2_i", "trigger"]


def ns(time_s: float) -> int:
    return REFERENCE_HOST_NS + round(time_s * 1e9)


def session(folder: Path, *devices: str, bench: str = "bench") -> Path:
    """Two devices on one clock: 0.3 s with a lost stretch, a reset after 0.2 s, and after 2 s of nothing 0.1 s more."""
    ended, began = ns(0.19995), ns(0.20395)
    for number, name in enumerate(devices or ("alpha", "beta")):
        maker = Maker(folder / "demo", device=name, bench=bench)
        maker.open().samples(0, spiking(1000)).event(SPIKE, 50, value=30.0)
        maker.gap(1000, 100, GapCause.LOST).samples(1100, spiking(1900, start=1100)).event(SPIKE, 1500, value=30.0)
        maker.event(SPIKE, 2020, value=9.0)  # while it was reset: of no run
        maker.note(0.21, note_text(ended, began, {"temperature": 32 * pq.degC, "who": "Anna"})).note(0.22, "run ends {")
        if number == 0:
            maker.event(SPIKE, 2500, value=30.0)
        maker.gap(3000, 20_000, GapCause.OUTSIDE).samples(23_000, spiking(1000, start=23_000)).close()
    return folder / "demo"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return session(tmp_path_factory.mktemp("pynn"))


@pytest.fixture
def assembly(folder: Path) -> spikedaq.pynn.Assembly:
    return spikedaq.pynn.open(folder)


@pytest.fixture(scope="module")
def simulated() -> Any:
    """Two populations of one cell, two runs of 300 and 100 samples."""
    sim = pyNN.mock
    sim.setup(timestep=0.1)
    both = sim.Population(1, sim.IF_cond_exp(), label="alpha") + sim.Population(1, sim.IF_cond_exp(), label="beta")
    both.record(["v", "spikes"])
    sim.run(30)
    sim.reset(annotations={"who": "Anna"})
    sim.run(10)
    return both


def test_each_run_is_a_segment(assembly: spikedaq.pynn.Assembly) -> None:
    """Up to the reset, from it on, and after 2 s without samples; times count from each run's beginning."""
    block = assembly.get_data()
    assert [segment.name for segment in block.segments] == ["segment000", "segment001", "segment002"]
    assert [segment.annotations["run_begins"] for segment in block.segments] == ["start", "reset", "gap"]
    assert [segment.annotations["begins_s"] for segment in block.segments] == pytest.approx([0, 0.20395, 2.3], abs=1e-5)
    first, second, third = block.segments
    assert (first.annotations["temperature"], first.annotations["who"]) == (32 * pq.degC, "Anna")
    assert "who" not in second.annotations
    assert second.rec_datetime - first.rec_datetime == pytest.approx(
        datetime(2026, 1, 1, 0, 0, 0, 203_950) - datetime(2026, 1, 1), abs=np.timedelta64(2, "us").item()
    )
    for segment, n, steps in ((first, 2000, 0), (second, 960, 2040), (third, 1000, 23_000)):
        assert [signal.name for signal in segment.analogsignals] == CHANNELS
        (v,) = segment.filter(name="v")
        assert v.shape == (n, 2)
        wanted = spiking(n, start=steps)[:, 0] / 100
        if segment is first:  # what was lost is NaN, in its place
            assert np.isnan(v.magnitude[1000:1100]).all()
            wanted[1000:1100] = np.nan
        np.testing.assert_allclose(v.magnitude, np.stack([wanted, wanted], axis=1))
        assert float(v.t_start.rescale("ms")) == pytest.approx(0.05 if segment is second else 0, abs=NEAR_MS)
        assert float(v.sampling_period.rescale("ms")) == pytest.approx(0.1)
    gap = first.epochs[0]
    assert (gap.name, float(gap.times[0]), float(gap.durations[0])) == (
        "gaps of alpha", pytest.approx(100, abs=NEAR_MS), pytest.approx(10, abs=2 * NEAR_MS),
    )  # fmt: skip


def test_spikes_are_in_their_run(assembly: spikedaq.pynn.Assembly) -> None:
    """From its beginning, in ms; what came while the board was reset is in none."""
    found = [[train.magnitude.tolist() for train in segment.spiketrains] for segment in assembly.get_data().segments]
    for run, wanted in zip(found, [[[5, 150]] * 2, [[46.05], []], [[], []]], strict=True):
        for train, times in zip(run, wanted, strict=True):
            assert train == pytest.approx(times, abs=NEAR_MS)
    assert assembly.get_spike_counts() == {0: 3, 1: 2}
    assert assembly.mean_spike_count() == 2.5


def test_the_same_calls_give_the_same_shapes(assembly: spikedaq.pynn.Assembly, simulated: Any) -> None:
    """Of objects, names, dimensions, units and annotations; PyNN has one sample more in each run, that at 0."""
    assembly.record(["v", "spikes"])
    ours, theirs = assembly.get_data(annotations={"x": 3 * pq.mV}), simulated.get_data(annotations={"x": 3 * pq.mV})
    assert set(theirs.annotations) <= set(ours.annotations)
    assert ours.annotations["x"] == 3 * pq.mV
    assert (ours.annotations["dt"], ours.annotations["size"]) == (theirs.annotations["dt"], 2)
    assert [s.name for s in ours.segments][:2] == [s.name for s in theirs.segments]
    for mine, other in zip(ours.segments, theirs.segments, strict=False):
        assert set(other.annotations) <= set(mine.annotations)
        assert [s.name for s in mine.analogsignals] == [s.name for s in other.analogsignals]
        (v,), (w,) = mine.filter(name="v"), other.filter(name="v")
        assert (type(v), v.ndim, v.shape[1], v.units) == (type(w), w.ndim, w.shape[1], w.units)
        assert v.sampling_rate.rescale("Hz") == w.sampling_rate.rescale("Hz")
        assert (v.t_start.dimensionality, v.sampling_rate.dimensionality) == (
            w.t_start.dimensionality, w.sampling_rate.dimensionality,
        )  # fmt: skip
        assert set(w.annotations) <= set(v.annotations)
        assert v.annotations["source_population"] == w.annotations["source_population"] == "alpha;beta"
        np.testing.assert_array_equal(v.array_annotations["channel_index"], w.array_annotations["channel_index"])
        assert len(v.annotations["channel_ids"]) == len(w.annotations["channel_ids"])
        assert len(mine.spiketrains) == len(other.spiketrains) == 2
        for one, two in zip(mine.spiketrains, other.spiketrains, strict=True):
            assert one.units == two.units
            assert set(two.annotations) <= set(one.annotations)
            assert one.annotations["source_population"] == two.annotations["source_population"]
    for kind in (int, slice):
        index: Any = 0 if kind is int else slice(0, 1)
        assert len(assembly[index]) == 1
    assert len(assembly.all_cells) == len(simulated.all_cells)
    assert assembly.id_to_index(assembly.last_id) == simulated.id_to_index(simulated.last_id)
    assert assembly.get_population("beta").label == simulated.get_population("beta").label


def test_asking_for_one_variable_takes_nothing_from_the_others(
    assembly: spikedaq.pynn.Assembly, tmp_path: Path
) -> None:
    """PyNN empties the earlier segments for good when anything but "all" is asked for after a reset."""
    before = [[s.name for s in segment.analogsignals] for segment in assembly.get_data().segments]
    only = assembly.get_data("v")
    assert [[s.name for s in segment.analogsignals] for segment in only.segments] == [["v"]] * 3
    assert [len(segment.spiketrains) for segment in only.segments] == [0] * 3
    spikes = assembly.get_data(["spikes"])
    assert [len(segment.spiketrains) for segment in spikes.segments] == [2] * 3
    after = assembly.get_data()
    assert [[s.name for s in segment.analogsignals] for segment in after.segments] == before
    (path,) = assembly.write_data(tmp_path / "all.npz")
    assert [len(segment.analogsignals) for segment in read_block(path).segments] == [8, 8, 8]


def test_a_part_has_only_its_own_in_every_segment(assembly: spikedaq.pynn.Assembly) -> None:
    """PyNN's views have all cells in the segments before a reset."""
    for part in (assembly[1:], assembly[[1]], assembly[np.array([False, True])], assembly["beta"], assembly[1]):
        for segment in part.get_data().segments:
            assert segment.filter(name="v")[0].shape[1] == 1
            assert [train.annotations["source_population"] for train in segment.spiketrains] == ["beta"]
            assert segment.filter(name="v")[0].annotations["source_ids"].tolist() == [1]
            assert segment.spiketrains[0].annotations["source_id"] == 1
    assert (assembly[0] + assembly[1]).label == "alpha;beta"
    assert assembly[1][0] is assembly[1][:]
    with pytest.raises(KeyError, match="no population 'gamma'; it has alpha, beta"):
        assembly["gamma"]
    with pytest.raises(IndexError, match="2 devices and 3 truth values"):
        assembly[np.array([True, False, True])]
    with pytest.raises(IndexError):
        assembly[2]
    with pytest.raises(ConfigError, match="each device once"):
        assembly + assembly[0]
    with pytest.raises(ConfigError, match="demo has no cell 7"):
        assembly.id_to_index(7)


def test_what_is_recorded_is_what_was_named(assembly: spikedaq.pynn.Assembly) -> None:
    alpha, beta = assembly.populations
    assert alpha.variables == [*CHANNELS, "spikes"]
    assert (alpha.can_record("v"), alpha.can_record("vm"), alpha.can_record("w")) == (True, True, False)
    assert (alpha.find_units("v"), alpha.find_units("stimulus"), alpha.find_units("i_total")) == ("mV", "%", "a.u.")
    alpha.record("vm")
    alpha.record(["stimulus"])
    assert [s.name for s in alpha.get_data().segments[0].analogsignals] == ["vm", "stimulus"]
    assert len(beta.get_data().segments[0].analogsignals) == 8
    (v,) = assembly.get_data("stimulus").segments[0].analogsignals
    assert v.shape[1] == 2
    with pytest.raises(ConfigError, match="'spikes' of alpha is not recorded, only vm, stimulus is"):
        alpha.get_data("spikes")
    with pytest.raises(ConfigError, match="alpha cannot record 'w'; it has v, stimulus"):
        assembly.record(["v", "w"])
    assert [s.name for s in beta.get_data().segments[0].analogsignals] == CHANNELS  # nothing was changed by halves
    alpha.record(None)
    (segment, *_) = alpha.get_data().segments
    assert (len(segment.analogsignals), len(segment.spiketrains)) == (0, 0)
    alpha.record("all")
    assert len(alpha.get_data().segments[0].analogsignals) == 8
    for wrong in ({"to_file": "x.nix"}, {"locations": ["soma"]}, {"sampling_interval": 0}):
        with pytest.raises(ConfigError):
            alpha.record("v", **wrong)


def test_a_sampling_interval_takes_every_nth(assembly: spikedaq.pynn.Assembly) -> None:
    alpha = assembly["alpha"]
    alpha.record("v", sampling_interval=0.5)
    v = alpha.get_data().segments[2].analogsignals[0]
    np.testing.assert_allclose(v.magnitude[:, 0], spiking(1000, start=23_000)[::5, 0] / 100)
    assert float(v.sampling_period.rescale("ms")) == pytest.approx(0.5)
    with pytest.raises(ConfigError, match="with different sampling intervals"):
        assembly.get_data("v")
    alpha.record("v", sampling_interval=0.25)
    with pytest.raises(ConfigError, match=r"0.25 ms is no multiple of the device's own, 0.1 ms"):
        alpha.get_data()


def test_clear_forgets_this_handle_only(folder: Path, assembly: spikedaq.pynn.Assembly, tmp_path: Path) -> None:
    """Never a file: another handle has everything."""
    before = {path: path.read_bytes() for path in folder.rglob("*.nwb")}
    assembly.write_data(tmp_path / "x.npz", clear=True)
    empty = assembly.get_data()
    assert [segment.name for segment in empty.segments] == ["segment002"]
    assert len(empty.segments[0].analogsignals) == 0
    assert assembly.get_spike_counts() == {0: 0, 1: 0}
    assert len(spikedaq.pynn.open(folder).get_data(clear=True).segments) == 3
    assert {path: path.read_bytes() for path in folder.rglob("*.nwb")} == before


def test_after_clear_comes_what_was_recorded_since(tmp_path: Path) -> None:
    """A recording that grows: the same run goes on, with its times."""
    maker = Maker(tmp_path / "demo")
    maker.open().samples(0, spiking(20_000)).event(SPIKE, 50, value=30.0)
    maker.writer.flush()
    alpha = spikedaq.pynn.open(tmp_path / "demo")["alpha"]
    before = len(alpha.get_data(clear=True).segments[0].filter(name="v")[0])
    assert before >= 10_000  # whole chunks
    maker.samples(20_000, spiking(20_000, start=20_000)).event(SPIKE, 21_000, value=30.0)
    maker.writer.flush()
    (segment,) = alpha.get_data(clear=True).segments
    (v,), (train,) = segment.filter(name="v"), segment.spiketrains
    np.testing.assert_allclose(v.magnitude[:, 0], spiking(len(v), start=before)[:, 0] / 100)
    assert before + len(v) >= 30_000
    assert (segment.name, float(v.t_start.rescale("ms"))) == ("segment000", pytest.approx(before / 10, abs=NEAR_MS))
    assert train.magnitude == pytest.approx([2100], abs=NEAR_MS)
    alpha.close()
    maker.close()


@pytest.mark.parametrize("kind", [".nix", ".mat", ".npz", ".pkl", ".txt"])
def test_every_kind_of_file_has_all_runs(assembly: spikedaq.pynn.Assembly, tmp_path: Path, kind: str) -> None:
    assembly.annotate(temperature=32 * pq.degC)
    assembly.record(["v", "stimulus", "i_total", "spikes"])
    (path,) = assembly.write_data(str(tmp_path / "new" / f"data{kind}"), annotations={"x": [1.0, 2.0] * pq.mV})
    block, back = assembly.get_data(), read_block(path, trust=True)
    assert back.annotations["temperature"] == 32 * pq.degC
    assert back.annotations["x"].units == pq.mV
    assert back.segments[0].annotations["temperature"] == 32 * pq.degC
    for one, other in zip(block.segments, back.segments, strict=True):
        assert other.name == one.name
        for mine, theirs in zip(one.analogsignals, other.analogsignals, strict=True):
            np.testing.assert_array_equal(theirs.magnitude, mine.magnitude)
            assert float(theirs.t_start.rescale("ms")) == pytest.approx(float(mine.t_start.rescale("ms")), abs=1e-9)
        for mine, theirs in zip(one.spiketrains, other.spiketrains, strict=True):
            np.testing.assert_allclose(theirs.rescale("ms").magnitude, mine.magnitude, rtol=0, atol=1e-9)
    with pytest.raises(StoreError, match="exists"):
        assembly.write_data(path)
    if kind == ".npz":
        assembly.write_data(path, overwrite=True)


def test_an_io_of_neo_writes_in_its_own_way(assembly: spikedaq.pynn.Assembly, tmp_path: Path) -> None:
    """A NixIO gets times that NixRawIO understands."""
    path = tmp_path / "data.nix"
    with neo.io.NixIO(str(path), mode="ow") as io:
        assert assembly.write_data(io, "v") == []
    reader = neo.rawio.NIXRawIO(str(path))
    reader.parse_header()
    assert reader.get_signal_sampling_rate(0) == pytest.approx(10_000.0)
    with pytest.raises(ConfigError, match="give a file's name or an IO of Neo, not int"):
        assembly.write_data(7)


def test_each_bench_writes_its_own_file(tmp_path: Path) -> None:
    for bench in ("one", "zwei/2"):
        session(tmp_path / bench.replace("/", "_"), "alpha", bench=bench)
    both = spikedaq.pynn.open(tmp_path)
    assert [population.label for population in both.populations] == ["one/alpha", "zwei/2/alpha"]
    assert list(both.benches) == ["one", "zwei/2"]
    names = [path.name for path in both.write_data(tmp_path / "data.npz", gather=False)]
    assert names == ["data_one.npz", "data_zwei_2.npz"]
    (v,) = read_block(tmp_path / "data_one.npz").segments[0].filter(name="v")
    assert v.shape[1] == 1
    with pytest.raises(ConfigError, match="is of several benches, one, zwei/2; take one of them, or gather"):
        both.get_data(gather=False)
    assert len(both.benches["one"].get_data(gather=False).segments) == 3
    with pytest.raises(ConfigError, match="an IO of Neo has one file"):
        both.write_data(neo.io.PickleIO(str(tmp_path / "x.pkl")), gather=False)


def test_a_boot_begins_a_run_of_every_device(tmp_path: Path) -> None:
    """Segment k of one device is segment k of all: one boundary where one of them was started anew."""
    one, two = Maker(tmp_path / "demo", device="alpha"), Maker(tmp_path / "demo", device="beta")
    one.open().samples(0, spiking(1000)).close().open(device_info(boot_id=8)).samples(2000, spiking(1000)).close()
    two.open().samples(0, spiking(3000)).close()
    block = spikedaq.pynn.open(tmp_path / "demo").get_data("v")
    assert [segment.annotations["run_begins"] for segment in block.segments] == ["start", "boot"]
    assert [[s.shape for s in segment.analogsignals] for segment in block.segments] == [[(2000, 2)], [(1000, 2)]]
    assert np.isnan(block.segments[0].analogsignals[0].magnitude[1000:, 0]).all()


def test_a_block_that_would_not_fit_is_refused(
    assembly: spikedaq.pynn.Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_module, "MAX_BLOCK_BYTES", 400_000)
    with pytest.raises(ConfigError, match=r"of memory, and at most .* record fewer variables"):
        assembly.get_data()
    assert len(assembly.get_data("v").segments) == 3


def test_a_recording_has_no_reset(assembly: spikedaq.pynn.Assembly) -> None:
    for call in (assembly.reset, lambda: assembly.run(10), lambda: assembly.set(i_clamp=3), lambda: assembly.get("a")):
        with pytest.raises(ConfigError, match=r"is for a live bench, spikedaq.pynn.connect\(\)"):
            call()


def test_what_is_open_already_can_be_handled(folder: Path) -> None:
    opened = open_session(folder)
    assert spikedaq.pynn.open(opened).label == "demo"
    assert [p.label for p in spikedaq.pynn.open(opened["beta"]).populations] == ["beta"]
    assert spikedaq.pynn.open(opened["beta"]).label == "demo"
    made = spikedaq.pynn.open(Recording.from_numpy(np.ones((50, 2)), 1000.0, ["v", "w"]))
    (segment,) = made.get_data(["v", "w"]).segments
    assert [signal.shape for signal in segment.analogsignals] == [(50, 1), (50, 1)]
    assert segment.rec_datetime is None
    assert "live" not in made.describe()
    assert made[0].variables == ["v", "w"]  # that no spikes were recorded does not mean that there were none
    assert repr(made) == "Assembly('numpy', numpy)"
    with spikedaq.pynn.open(folder, device="alpha") as one:
        assert len(one) == 1
