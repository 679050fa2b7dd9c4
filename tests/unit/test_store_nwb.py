"""Recording files as others see them: PyNWB, its validator, NWB Inspector, HDF5 1.10."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import neo
import numpy as np
import pynwb
import pytest
from nwbinspector import inspect_nwbfile

from spikedaq.model import ClampMode, ClockMap, Gap, GapCause, StoreError
from spikedaq.store import Epoch, RecordingWriter, create, open_recording, specifications_path
from store_data import CLAMP_META, META, PARAMETERS, Entry, apply, expected_samples, make_journal, meta_for, record

OUTSIDE = GapCause.OUTSIDE


@pytest.fixture
def schema() -> None:
    """The wheel carries the NWB schema; without it these tests would look at other files than users get."""
    assert specifications_path() is not None, "run tools/make_specifications.py host/spikedaq/store/specifications.h5"


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """PyNWB warns of things in its own dependencies."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def messages(path: Path) -> list[str]:
    # A suggestion that the files leave unheeded on purpose: Neo's reader fails on any file that has keywords.
    found = [m for m in inspect_nwbfile(nwbfile_path=str(path)) if m.check_function_name != "check_keywords"]
    return [f"{m.importance.name} {m.check_function_name} {m.object_name}: {m.message}" for m in found]


def resumed(path: Path) -> None:
    journal = make_journal(300, seed=12)
    writer = RecordingWriter.create(path, META)
    for _ in apply(writer, journal[:170]):
        pass
    writer.close("interrupted")
    writer = RecordingWriter.resume(path)
    for _ in apply(writer, journal):
        pass
    writer.close("stopped")


def quiet(n_blocks: int, **how: Any) -> list[Entry]:
    return make_journal(n_blocks, seed=4, events=False, gaps=False, **how)


def windows(path: Path) -> None:
    """Windows with nothing between them, and epochs that begin in another order than they fire, one only a mark."""
    entries = quiet(300)
    writer = RecordingWriter.create(path, META, 990)
    clock = ClockMap(77, 0, META.reference_host_ns, 1000.0, 1000)
    left_out = 0
    for k, entry in enumerate(entries):
        if entry.block is not None and (100 <= k < 200 or 220 <= k < 230):
            left_out += entry.block.n_samples
            continue
        if left_out and entry.block is not None:
            first_step, tick = entry.block.first_step - left_out, entry.block.first_tick - left_out * 100
            writer.rows.append_gap(Gap(77, 0, first_step, left_out, tick, OUTSIDE), clock, entry.offset)
            left_out = 0
        entry.put(writer)
        if k % 50 == 7:
            t_ns = META.reference_host_ns + k * 10**7
            for pre_ms, post_ms, device in ((10, 20, "alpha"), (300, 1, ""), (0, 0, "beta"), (300, 1, "")):
                times = (t_ns - pre_ms * 10**6, t_ns + post_ms * 10**6, t_ns)
                writer.rows.append_epoch(
                    Epoch("level", device, *times, float(k) if device else float("nan"), 77, k, k), entry.offset
                )
    writer.close("stopped")


MAKERS = {
    "plain": lambda p: record(p, quiet(150)),
    "gaps and events": lambda p: record(p, make_journal(400, seed=2)),
    "resumed": resumed,
    "slow motion": lambda p: record(p, quiet(40, step_us=2000, n=50), meta_for(2000, 50)),
    "a second at 1 kHz": lambda p: record(p, quiet(10, step_us=1000), meta_for(1000)),
    "voltage clamp": lambda p: record(p, make_journal(150, seed=5, mode=ClampMode.VOLTAGE), CLAMP_META),
    "windows": windows,
    "no notes, nobody": lambda p: record(p, quiet(20), meta_for(notes="", experimenter=None)),
}


@pytest.mark.usefixtures("schema")
@pytest.mark.parametrize("kind", MAKERS)
def test_valid_and_inspected(tmp_path: Path, kind: str) -> None:
    """PyNWB's validator finds no error, and the inspector has nothing at all to say."""
    path = tmp_path / "a.nwb"
    MAKERS[kind](path)
    assert pynwb.validate(path=str(path)) == []
    assert messages(path) == []


def test_epochs_as_others_see_them(tmp_path: Path) -> None:
    """PyNWB shows them as intervals, by start; so does a file that is resumed after it was closed."""
    path = tmp_path / "a.nwb"
    windows(path)
    for _ in range(2):
        with pynwb.NWBHDF5IO(str(path), "r") as io:
            table = io.read().intervals["trigger_epochs"]
            starts, stops = table["start_time"][:], table["stop_time"][:]
            assert len(table) == 16
            assert (np.diff(starts) >= 0).all()
            assert (stops > starts).all()
            assert set(table["trigger"][:]) == {b"level"}
            assert sorted(set(table["device"][:])) == [b"", b"alpha", b"beta"]
        with open_recording(path) as recording:
            assert [e.start_s for e in recording.epochs] == list(starts)
            assert [g.gap.cause for g in recording.gaps] == [OUTSIDE] * 2
            assert {e.value is None for e in recording.epochs if e.device is None} == {True}
        RecordingWriter.resume(path).close("again")


@pytest.mark.usefixtures("schema")
def test_tables_of_one_row(tmp_path: Path) -> None:
    """Where there is one gap or one note the inspector suggests another kind of object, and nothing else."""
    path = tmp_path / "a.nwb"
    writer = RecordingWriter.create(path, META)
    for _ in apply(writer, quiet(40)):
        pass
    writer.rows.append_note(META.reference_host_ns + 10**9, "one", "me", 10**6)
    writer.close("stopped")
    assert pynwb.validate(path=str(path)) == []
    assert [m.split()[:2] for m in messages(path)] == [["BEST_PRACTICE_SUGGESTION", "check_single_row"]]


@pytest.mark.usefixtures("schema")
def test_the_inspector_would_speak_up(tmp_path: Path) -> None:
    """The count of messages can fail: a file without its subject and with a regular clock has some."""
    path = tmp_path / "a.nwb"
    record(path, make_journal(30, seed=4))
    with h5py.File(path, "r+") as file:
        del file["general/subject"]
        file["acquisition/vm/timestamps"][:] = np.arange(file["acquisition/vm/timestamps"].shape[0]) / 1024
    assert {"check_subject_exists", "check_regular_timestamps"} <= {m.split()[1] for m in messages(path)}


def test_pynwb_reads_what_was_recorded(tmp_path: Path) -> None:
    """Values in their units, one shared time axis, and every table, through PyNWB alone."""
    path = tmp_path / "a.nwb"
    journal = make_journal(400, seed=2)
    record(path, journal)
    raw = expected_samples(journal)
    with open_recording(path) as ours, pynwb.NWBHDF5IO(str(path), "r") as io:
        nwb = io.read()
        assert nwb.session_id == META.session
        assert nwb.session_start_time.isoformat() == "2026-09-21T14:13:20.123456+00:00"
        vm = nwb.acquisition["vm"]
        assert isinstance(vm, pynwb.icephys.CurrentClampSeries)
        assert vm.unit == "volts"
        assert np.allclose(vm.data[:] * vm.conversion, raw[:, 0] * 1e-5, rtol=1e-12)
        assert vm.electrode.device.serial_number == META.info.unique_id
        for k, (name, unit) in enumerate((c.name, c.unit) for c in META.info.channels):
            series = nwb.acquisition[name]
            per_raw = {"mV": 1e-5, "a.u.": 0.01}.get(unit, 1.0)
            assert series.unit == {"mV": "volts"}.get(unit, unit)
            assert np.allclose(series.data[:] * series.conversion + series.offset, raw[:, k] * per_raw, rtol=1e-12)
            assert np.array_equal(series.timestamps[:], ours.timestamps())
        gaps = nwb.invalid_times
        assert gaps["start_time"][:].tolist() == [g.start_s for g in ours.gaps]
        assert gaps["n_steps"][:].tolist() == [g.gap.n_steps for g in ours.gaps]
        assert [GapCause(c.decode()) for c in gaps["cause"][:]] == [g.gap.cause for g in ours.gaps]
        spikes = [e for e in ours.events if e.label == "spike"]
        assert nwb.events["spikes"]["timestamp"][:].tolist() == [e.time_s for e in spikes]
        assert nwb.events["spikes"]["step"][:].tolist() == [e.step for e in spikes]
        parameters = nwb.events["parameters"]
        assert [p.decode() for p in parameters["parameter"][:4]] == [p.name for p in PARAMETERS]
        assert nwb.processing["icephys"]["blocks"]["seq"][:].tolist() == ours.blocks["seq"].tolist()
        assert len(nwb.processing["icephys"]["clock_maps"]) == len(ours.clock_maps)
        assert len(nwb.intervals["stimulus_loops"]) > 3
        assert nwb.events["notes"].to_dataframe().shape[0] >= len(ours.notes) > 0
        assert '"unique_id": "0011223344556677"' in nwb.data_collection


def test_one_time_axis_for_all(tmp_path: Path) -> None:
    """Timestamps are stored once, the other series link to them."""
    record(tmp_path / "a.nwb", make_journal(5))
    with h5py.File(tmp_path / "a.nwb") as file:
        links = [file[f"acquisition/{c.name}"].get("timestamps", getlink=True) for c in META.info.channels]
    assert isinstance(links[0], h5py.HardLink)
    assert {link.path for link in links[1:]} == {"/acquisition/vm/timestamps"}


def test_hdf5_1_10_opens_a_closed_file(tmp_path: Path) -> None:
    """h5dump of HDF5 1.10 shows every object of a closed file and its data."""
    assert shutil.which("h5dump") is not None, "h5dump is missing: apt-get install hdf5-tools"
    path = tmp_path / "a.nwb"
    journal = make_journal(30, seed=2)
    record(path, journal)
    everything = subprocess.run(["h5dump", str(path)], capture_output=True, text=True, check=False)
    assert everything.returncode == 0, everything.stderr[-500:]
    shown = subprocess.run(
        ["h5dump", "-y", "-w", "0", "-d", "/acquisition/vm/data", "-s", "100", "-c", "5", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    values = ", ".join(str(v * 10) for v in expected_samples(journal)[100:105, 0].tolist())
    assert values in shown.stdout


def test_without_the_schema(tmp_path: Path, monkeypatch: Any) -> None:
    """A package without specifications.h5 writes files that say so and that PyNWB reads with its own schema."""
    monkeypatch.setattr(create, "specifications_path", lambda: None)
    writer = RecordingWriter.create(tmp_path / "a.nwb", META)
    assert not writer.has_schema
    for _ in apply(writer, make_journal(20)):
        pass
    writer.close("stopped")
    with pynwb.NWBHDF5IO(str(tmp_path / "a.nwb"), "r") as io:
        assert "vm" in io.read().acquisition


def test_resume_keeps_the_schema_flag(tmp_path: Path) -> None:
    """Whether the schema is in is read from the file, not from the package."""
    record(tmp_path / "a.nwb", make_journal(3))
    writer = RecordingWriter.resume(tmp_path / "a.nwb")
    assert writer.has_schema == (specifications_path() is not None)
    writer.close("stopped")


def test_neo_reads_it_as_it_is(tmp_path: Path) -> None:
    """Neo's own NWB reader gives every channel, in microvolts and thousandths of the other units."""
    path = tmp_path / "a.nwb"
    journal = quiet(150)
    record(path, journal)
    (block,) = neo.io.NWBIO(str(path), mode="r").read_all_blocks()
    signals = {signal.name: signal for signal in block.segments[0].irregularlysampledsignals}
    raw = expected_samples(journal)
    with open_recording(path) as recording:
        channels = [c.name for c in recording.channels]
        times = recording.timestamps()
    assert set(signals) == set(channels)
    for k, name in enumerate(channels):
        factor = 1 if name in ("stimulus", "trigger") else 10
        assert np.array_equal(signals[name].magnitude[:, 0], raw[:, k].astype(int) * factor)
        assert np.allclose(signals[name].times.rescale("s").magnitude, times)
    assert str(signals["vm"].units.dimensionality) == "uV"


def test_voltage_clamp_is_called_what_it_is(tmp_path: Path) -> None:
    """PyNWB and Neo see the command in volts and the output in a.u.; nothing is called a stimulus in per cent."""
    path = tmp_path / "a.nwb"
    journal = quiet(150, mode=ClampMode.VOLTAGE)
    record(path, journal, CLAMP_META)
    raw = expected_samples(journal).astype(int)
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        nwb = io.read()
        assert set(nwb.acquisition) == {c.name for c in CLAMP_META.info.clamp_channels}
        command, vm, out = (nwb.acquisition[name] for name in ("v_command", "vm", "i_clamp_out"))
        assert isinstance(command, pynwb.icephys.VoltageClampStimulusSeries)
        assert type(vm) is pynwb.TimeSeries
        assert type(out) is pynwb.TimeSeries
        assert (command.unit, vm.unit, out.unit) == ("volts", "volts", "a.u.")
        assert np.allclose(command.data[:] * command.conversion, raw[:, 1] * 1e-5, rtol=1e-12)
        assert np.allclose(out.data[:] * out.conversion, raw[:, 2] * 0.01, rtol=1e-12)
        assert command.electrode.device.serial_number == META.info.unique_id
        assert "in voltage clamp" in nwb.session_description
        described = json.loads(nwb.data_collection)
    assert described["mode"] == "voltage"
    assert [c["unit"] for c in described["device_info"]["clamp_channels"][1:3]] == ["mV", "a.u."]
    (block,) = neo.io.NWBIO(str(path), mode="r").read_all_blocks()
    signals = {signal.name: signal for signal in block.segments[0].irregularlysampledsignals}
    assert set(signals) == {c.name for c in CLAMP_META.info.clamp_channels}
    assert np.array_equal(signals["v_command"].magnitude[:, 0], raw[:, 1] * 10)
    assert str(signals["v_command"].units.dimensionality) == "uV"
    assert np.array_equal(signals["i_clamp_out"].magnitude[:, 0], raw[:, 2] * 10)
    with open_recording(path) as recording:
        assert recording.mode is ClampMode.VOLTAGE
        assert [c.name for c in recording.channels][:3] == ["vm", "v_command", "i_clamp_out"]
        assert [c.name for c in recording.device_info.channels][:3] == ["vm", "stimulus", "i_total"]
        assert np.array_equal(recording.samples(), raw)


def test_a_file_takes_blocks_of_its_mode_only(tmp_path: Path) -> None:
    """A block of the other mode is refused, whichever way round, and nothing of it is in the file."""
    for meta, mode in ((META, ClampMode.VOLTAGE), (CLAMP_META, ClampMode.CURRENT)):
        path = tmp_path / f"{mode}.nwb"
        writer = RecordingWriter.create(path, meta)
        (entry,) = (e for e in quiet(1, mode=mode) if e.block is not None)
        with pytest.raises(StoreError, match="roll the file"):
            entry.put(writer)
        assert writer.n_samples == 0
        writer.close("stopped")


def test_a_file_from_before_voltage_clamp_opens(tmp_path: Path) -> None:
    """What says nothing of a mode, of traits or of other channels was taken in current clamp."""
    path = tmp_path / "a.nwb"
    journal = quiet(20)
    record(path, journal)
    with h5py.File(path, "r+") as file:
        document = json.loads(file["general/data_collection"][()])
        del document["mode"], document["device_info"]["clamp_channels"], document["device_info"]["traits"]
        file["general/data_collection"][()] = json.dumps(document)
    with open_recording(path) as recording:
        assert recording.mode is ClampMode.CURRENT
        assert recording.device_info == META.info
        assert np.array_equal(recording.samples(), expected_samples(journal))


OLDER_HDF5 = """
import sys, h5py
assert h5py.version.hdf5_version_tuple[:2] == (1, 14), h5py.version.hdf5_version
with h5py.File(sys.argv[1], "r") as file:
    data = file["acquisition/vm/data"][:]
    print(len(data), int(data.sum()), h5py.version.hdf5_version)
"""


def test_hdf5_1_14_reads_it(tmp_path: Path) -> None:
    """A closed file opens in HDF5 1.14 (h5py 3.14 in a folder of its own) and gives the same values."""
    older = Path(sys.prefix) / "hdf5-1.14"
    assert (older / "h5py").is_dir(), f"h5py with HDF5 1.14 is not in {older}; `make test` puts it there"
    path = tmp_path / "a.nwb"
    journal = quiet(150)
    record(path, journal)
    read = subprocess.run(
        [sys.executable, "-c", OLDER_HDF5, path],
        env={**os.environ, "PYTHONPATH": str(older)},
        capture_output=True,
        text=True,
    )
    assert read.returncode == 0, read.stderr
    vm = expected_samples(journal)[:, 0].astype(int) * 10
    assert read.stdout.split()[:2] == [str(len(vm)), str(vm.sum())]
