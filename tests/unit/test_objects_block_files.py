"""Blocks of Neo as files: what comes back by our reader, by Neo, by PyNWB, scipy, numpy and pandas."""

from __future__ import annotations

import pickle
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import neo
import numpy as np
import pandas as pd
import pynwb
import pytest
import quantities as pq
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nwbinspector import Importance, inspect_nwbfile
from spikeinterface.extractors import read_nix

from spikedaq.model import ConfigError, StoreError
from spikedaq.objects import read_block, write_block
from spikedaq.objects.block_content import plain, restored

KINDS = [".nix", ".h5", ".mat", ".npz", ".pkl", ".pickle", ".txt"]


def made() -> Any:
    """Two runs of two neurons, times in ms as PyNN has them, with everything that can be annotated."""
    block = neo.Block(name="bänch", description="two boards", temperature=32 * pq.degC, n=3, ok=True, who="Anna")
    block.rec_datetime = datetime(2026, 5, 1, 9, 34, 56, 250_000)
    rng = np.random.default_rng(1)
    for k in range(2):
        segment = neo.Segment(name=f"segment{k:03d}", dose=np.array([1.0, 2.5]) * pq.mV, begins_s=10.0 * k)
        v = np.round(rng.normal(-65, 3, (40, 2)), 2)
        v[5:8, 1] = np.nan
        segment.analogsignals.append(
            neo.AnalogSignal(v, units="mV", sampling_rate=10 / pq.ms, t_start=5 * pq.ms, name="v",
                             source_population="alpha;beta", source_ids=np.array([0, 1]),
                             array_annotations={"channel_index": np.array([0, 1])})
        )  # fmt: skip
        segment.analogsignals.append(
            neo.AnalogSignal(np.arange(40.0)[:, None], units=pq.percent, sampling_rate=10 / pq.ms, t_start=5 * pq.ms,
                             name="stimulus", source_population="alpha")
        )  # fmt: skip
        for index, times in enumerate([[5.25, 7.125, 8.0], []]):
            segment.spiketrains.append(
                neo.SpikeTrain(times, units="ms", t_start=5 * pq.ms, t_stop=9 * pq.ms, source_index=index,
                               source_id=index, source_population=["alpha", "beta"][index])
            )  # fmt: skip
        segment.epochs.append(neo.Epoch([5.5] * pq.ms, durations=[0.3] * pq.ms, labels=["lost"], name="gaps"))
        block.segments.append(segment)
    return block


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_comes_back(tmp_path: Path, kind: str) -> None:
    """Samples, NaN, spikes, empty trains, starts, rates, quantities and names; the block itself is not touched."""
    block = made()
    annotations = dict(block.annotations)
    path = write_block(block, tmp_path / "new" / f"data{kind}")
    if kind != ".pkl" and kind != ".pickle" and kind != ".mat":
        assert dict(block.annotations) == annotations
    back = read_block(path, trust=True)
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert (back.name, back.annotations["who"], int(back.annotations["n"])) == ("bänch", "Anna", 3)
    assert back.annotations["temperature"] == 32 * pq.degC
    if kind != ".mat":  # which does not keep it; NIX keeps whole seconds
        whole = {"microsecond": 0} if kind in (".nix", ".h5") else {}
        assert back.rec_datetime == block.rec_datetime.replace(**whole)
    assert len(back.segments) == 2
    for one, other in zip(block.segments, back.segments, strict=True):
        assert (other.name, float(other.annotations["begins_s"])) == (one.name, one.annotations["begins_s"])
        assert other.annotations["dose"].units == pq.mV
        np.testing.assert_array_equal(other.annotations["dose"].magnitude, [1.0, 2.5])
        for mine, theirs in zip(one.analogsignals, other.analogsignals, strict=True):
            np.testing.assert_array_equal(theirs.magnitude, mine.magnitude)
            assert (theirs.name, theirs.units) == (mine.name, mine.units)
            assert float(theirs.t_start.rescale("ms")) == pytest.approx(5, abs=1e-9)
            assert float(theirs.sampling_rate.rescale("Hz")) == pytest.approx(10_000)
            assert theirs.annotations["source_population"] == mine.annotations["source_population"]
        if kind != ".mat":
            assert other.analogsignals[0].array_annotations["channel_index"].tolist() == [0, 1]
        for mine, theirs in zip(one.spiketrains, other.spiketrains, strict=True):
            np.testing.assert_allclose(theirs.rescale("ms").magnitude, mine.magnitude, rtol=0, atol=1e-12)
            assert float(theirs.t_stop.rescale("ms")) == pytest.approx(9)
            assert int(theirs.annotations["source_index"]) == mine.annotations["source_index"]
        (epoch,) = other.epochs
        assert (epoch.labels.tolist(), float(epoch.durations[0].rescale("ms"))) == (["lost"], pytest.approx(0.3))


@pytest.mark.parametrize("kind", [".nix", ".h5"])
def test_neos_raw_reader_and_spikeinterface_take_nix_times_as_they_are(tmp_path: Path, kind: str) -> None:
    """10 kHz from 5 ms on: NixRawIO does not look at units, so they have to be Hz and s."""
    path = write_block(made(), tmp_path / f"data{kind}")
    reader = neo.rawio.NIXRawIO(str(path))
    reader.parse_header()
    assert reader.get_signal_sampling_rate(0) == 10_000.0
    assert reader.get_signal_t_start(0, 0, 0) == pytest.approx(0.005)
    stamps = reader.get_spike_timestamps(0, 0, 0, None, None)
    np.testing.assert_allclose(reader.rescale_spike_timestamp(stamps, "float64"), [0.00525, 0.007125, 0.008])
    if kind == ".nix":
        recording = read_nix(str(path), stream_id="0")
        assert recording.get_sampling_frequency() == 10_000.0


def test_nwb_is_valid_and_on_one_clock(tmp_path: Path) -> None:
    path = write_block(made(), tmp_path / "data.nwb")
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        assert pynwb.validate(io=io) in ([], ([], 0), None)
        file = io.read()
        assert file.session_start_time == datetime(2026, 5, 1, 9, 34, 56, 250_000, UTC)
        v = file.acquisition["segment001_v"]
        assert (v.unit, v.conversion, v.rate, v.data.shape) == ("volts", 1e-3, 10_000.0, (40, 2))
        assert v.starting_time == pytest.approx(10.005)
        assert file.acquisition["segment000_stimulus"].unit == "percent"
        spikes = [0.00525, 0.007125, 0.008, 10.00525, 10.007125, 10.008]
        np.testing.assert_allclose(file.units["spike_times"][0], spikes)
        assert len(file.units["spike_times"][1]) == 0
        np.testing.assert_allclose(file.units["obs_intervals"][1], [[0.005, 0.009], [10.005, 10.009]])
        assert file.units["unit_name"][:].tolist() == ["alpha 0", "beta 1"]
        assert file.intervals["runs"]["label"][:].tolist() == ["segment000", "segment001"]
        assert file.intervals["gaps"]["start_time"][:].tolist() == pytest.approx([0.0055, 10.0055])


def test_a_block_of_unknown_time_is_no_nwb_unless_it_is_said(tmp_path: Path) -> None:
    block = made()
    block.rec_datetime = None
    with pytest.raises(ConfigError, match=r"annotations=\{'session_start_time'"):
        write_block(block, tmp_path / "data.nwb")
    assert list(tmp_path.iterdir()) == []
    block.annotate(session_start_time=datetime(2026, 1, 2, tzinfo=UTC))
    with pynwb.NWBHDF5IO(str(write_block(block, tmp_path / "data.nwb")), "r") as io:
        assert io.read().session_start_time == datetime(2026, 1, 2, tzinfo=UTC)


def test_other_tools_read_the_plain_kinds(tmp_path: Path) -> None:
    """numpy, pandas and scipy without anything of ours."""
    block = made()
    with np.load(write_block(block, tmp_path / "data.npz")) as arrays:
        assert {"segment000_v", "segment001_stimulus", "segment001_spikes_0"} <= set(arrays.files)
        np.testing.assert_array_equal(arrays["segment000_spikes_0"], [5.25, 7.125, 8.0])
    path = write_block(block, tmp_path / "data.txt")
    table = pd.read_csv(path, sep="\t", comment="#")
    assert list(table.columns) == [
        "segment", "time_ms", "v[alpha] (mV)", "v[beta] (mV)", "stimulus[alpha] (%)", "spike_of",
    ]  # fmt: skip
    assert len(table) == 2 * (40 + 3)
    assert table[(table.segment == 1) & (table.spike_of == 0)].time_ms.tolist() == [5.25, 7.125, 8.0]
    np.testing.assert_array_equal(
        table[(table.segment == 0) & (table.spike_of < 0)]["v[alpha] (mV)"],
        block.segments[0].analogsignals[0].magnitude[:, 0],
    )
    assert np.loadtxt(path, skiprows=3).shape == (86, 6)
    loaded = scipy.io.loadmat(write_block(block, tmp_path / "data.mat"), simplify_cells=True)
    np.testing.assert_array_equal(
        loaded["block"]["segments"][0]["analogsignals"][0]["signal"], block.segments[0].analogsignals[0].magnitude
    )


@pytest.mark.parametrize("kind", [*KINDS, ".nwb"])
def test_a_good_file_is_not_replaced_unless_it_is_said(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"data{kind}"
    path.write_bytes(b"mine")
    with pytest.raises(StoreError, match="exists; choose another place"):
        write_block(made(), path)
    broken = made()
    broken.segments[1].spiketrains[0].t_stop = None

    def fails(io: Any, _: object) -> None:
        Path(io.filename).write_bytes(b"half")
        raise TypeError("this cannot be written")

    for io in (neo.io.NeoMatlabIO, neo.io.PickleIO):  # which write a train that has no end
        monkeypatch.setattr(io, "write_block", fails)
    with pytest.raises((AttributeError, TypeError, ValueError)):
        write_block(broken, path, overwrite=True)
    monkeypatch.undo()
    assert path.read_bytes() == b"mine"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    write_block(made(), path, overwrite=True)
    assert path.read_bytes() != b"mine"


def test_an_unknown_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no extension that says what to write; it is one of .nix, .h5, .mat"):
        write_block(made(), tmp_path / "data.xyz")
    with pytest.raises(StoreError, match="there is no such file"):
        read_block(tmp_path / "data.npz")
    (tmp_path / "data.nwb").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"a .nwb is read by PyNWB"):
        read_block(tmp_path / "data.nwb")


class Bomb:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return (exec, ("raise SystemExit('it ran')",))


def test_a_pickle_is_read_only_where_it_is_trusted(tmp_path: Path) -> None:
    path = tmp_path / "data.pkl"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(StoreError, match=r"may run any code.*trust=True"):
        read_block(path)


@pytest.mark.parametrize("kind", [".nix", ".mat", ".npz", ".txt"])
@pytest.mark.parametrize("damage", ["empty", "cut", "noise"])
def test_a_damaged_file_is_named(tmp_path: Path, kind: str, damage: str) -> None:
    path = write_block(made(), tmp_path / f"data{kind}")
    data = path.read_bytes()
    path.write_bytes({"empty": b"", "cut": data[: len(data) * 2 // 3], "noise": b"\x00\xff" * 500}[damage])
    with pytest.raises(StoreError, match=rf"data\{kind}"):
        read_block(path)


@pytest.mark.parametrize("kind", [".npz", ".nix", ".mat", ".pkl", ".nwb"])
def test_signals_with_times_of_their_own_are_kept(tmp_path: Path, kind: str) -> None:
    block = made()
    times = np.array([0.0, 0.25, 7.0])
    signal = neo.IrregularlySampledSignal(times * pq.ms, [[1.0], [2.0], [np.nan]], units="mV", name="w")
    block.segments[1].irregularlysampledsignals.append(signal)
    path = write_block(block, tmp_path / f"data{kind}")
    if kind == ".nwb":
        with pynwb.NWBHDF5IO(str(path), "r") as io:
            np.testing.assert_allclose(io.read().acquisition["segment001_w"].timestamps[:], 10 + times / 1000)
        return
    (back,) = read_block(path, trust=True).segments[1].irregularlysampledsignals
    np.testing.assert_allclose(back.times.rescale("ms").magnitude, times)
    np.testing.assert_array_equal(np.asarray(back.magnitude).ravel(), [1, 2, np.nan])


def test_a_table_has_no_place_for_them(tmp_path: Path) -> None:
    block = made()
    block.segments[0].irregularlysampledsignals.append(neo.IrregularlySampledSignal([1] * pq.ms, [[1.0]], units="mV"))
    with pytest.raises(ConfigError, match=r"no place for signals with times of their own; write .npz"):
        write_block(block, tmp_path / "data.txt")
    assert list(tmp_path.iterdir()) == []


_SIGNAL = st.tuples(
    st.sampled_from(["v", "v", "w#", "w "]),
    st.integers(0, 4),
    st.integers(1, 3),
    st.sampled_from([0.0, 0.1, 5.0, -3.3]),
    st.sampled_from([10_000.0, 5000.0, 9999.87]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.lists(st.lists(_SIGNAL, max_size=4), min_size=1, max_size=2),
    st.lists(st.lists(st.floats(-100, 100), max_size=4), max_size=2),
    st.sampled_from([".txt", ".npz"]),
)
def test_whatever_lies_beside_one_another_comes_back(
    tmp_path: Path, signals: list[Any], trains: list[list[float]], kind: str
) -> None:
    """Signals of one name and other paces, with times in common, none at all, spikes at the times of samples."""
    block = neo.Block(name="x")
    value = 0.0
    for mine in signals:
        segment = neo.Segment(name="segment000")
        for name, n, n_channels, start_ms, rate_hz in mine:
            values = value + np.arange(n * n_channels, dtype=float).reshape(n, n_channels)
            value += 1000
            segment.analogsignals.append(
                neo.AnalogSignal(values, units="mV", t_start=start_ms * pq.ms, sampling_rate=rate_hz * pq.Hz, name=name)
            )
        for times in trains:
            segment.spiketrains.append(neo.SpikeTrain(sorted(times), units="ms", t_start=-100, t_stop=100))
        block.segments.append(segment)
    back = read_block(write_block(block, tmp_path / f"data{kind}", overwrite=True))
    for one, other in zip(block.segments, back.segments, strict=True):
        for mine, theirs in zip(one.analogsignals, other.analogsignals, strict=True):
            np.testing.assert_array_equal(theirs.magnitude, mine.magnitude)
            assert theirs.name == mine.name
        for mine, theirs in zip(one.spiketrains, other.spiketrains, strict=True):
            np.testing.assert_array_equal(theirs.magnitude, mine.magnitude)


def test_a_damaged_line_of_a_table_is_named(tmp_path: Path) -> None:
    path = write_block(made(), tmp_path / "data.txt")
    lines = path.read_text("utf-8").splitlines(keepends=True)
    for bad, what in (("1\t2\n", "there are 2 columns where 6 belong"), (lines[9].replace("-6", "x", 1), "could not")):
        path.write_text("".join([*lines[:9], bad, *lines[10:]]), "utf-8")
        with pytest.raises(StoreError, match=f"line 10: {what}"):
            read_block(path)


_LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text()
_KEYS = st.text().filter(lambda key: not key.startswith("__"))


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(st.recursive(_LEAVES, lambda c: st.lists(c, max_size=3) | st.dictionaries(_KEYS, c, max_size=3), max_leaves=8))
def test_annotations_come_back_from_json(value: Any) -> None:
    assert restored(plain(value)) == value


def test_the_inspector_of_nwb_finds_nothing_wrong(tmp_path: Path) -> None:
    """Suggestions it has; what it calls critical or a violation it does not find."""
    found = list(inspect_nwbfile(nwbfile_path=str(write_block(made(), tmp_path / "data.nwb"))))
    assert {message.importance for message in found} == {Importance.BEST_PRACTICE_SUGGESTION}
    with pynwb.NWBHDF5IO(str(tmp_path / "data.nwb"), "r") as io:
        assert io.read().intervals["runs"]["begins_s"][:].tolist() == ["0.0", "10.0"]


ODD = {
    "none": None,
    "flag": True,
    "text": "ü",
    "nothing": [],
    "texts": ["a", "b"],
    "map": {"k": 1, "q": 2 * pq.mV},
    "when": datetime(2026, 1, 1, 12, 30),
    "nested": [[1, 2], [3, 4]],
    "mixed": [1, "a"],
    "many": np.arange(3) * pq.mV,
    "table": np.ones((2, 2)),
    "no_text": "",
    "large": 2**40,
}


@pytest.mark.parametrize("kind", [".nix", ".npz", ".txt", ".pkl"])
def test_every_annotation_that_neo_takes_is_kept(tmp_path: Path, kind: str) -> None:
    """Also those that NIX by itself refuses (None, lists of several kinds) or silently loses (lists of lists, maps)."""
    block = made()
    block.segments[0].annotate(**ODD)
    back = read_block(write_block(block, tmp_path / f"data{kind}"), trust=True).segments[0].annotations
    for name, value in ODD.items():
        assert np.array_equal(back[name], value), name
    assert (back["map"]["q"], back["many"].units) == (2 * pq.mV, pq.mV)
    assert block.segments[0].annotations["none"] is None


def test_a_mat_has_dates_as_texts(tmp_path: Path) -> None:
    block = made()
    block.segments[0].annotate(when=datetime(2026, 1, 1, 12, 30), day=date(2026, 1, 1))
    back = read_block(write_block(block, tmp_path / "data.mat")).segments[0].annotations
    assert (back["when"], back["day"]) == ("2026-01-01T12:30:00", "2026-01-01")


@pytest.mark.parametrize(
    "unit", ["mV", "%", "dimensionless", "1/ms", "mA/cm**2", "kg*m/s**2", "A*s**3/(kg*m**2)", "degC", "Hz**0.5"]
)
def test_units_come_back(unit: str) -> None:
    quantity = pq.Quantity([1.5, 2], pq.percent if unit == "%" else unit)
    back = restored(plain(quantity))
    assert back.dimensionality == quantity.dimensionality
    np.testing.assert_array_equal(back.magnitude, [1.5, 2])


@pytest.mark.parametrize(
    "unit", ["9**9**9", "s**9**9**9", "s**99", "2*s", "os.abort()", "x" * 100, "[s]", "s;s", 7, None]
)
def test_what_is_no_unit_is_never_evaluated(unit: Any) -> None:
    """Also not a number that a computer is busy with for years."""
    with pytest.raises(StoreError, match="is no unit"):
        restored({"__quantity__": 1, "unit": unit})
