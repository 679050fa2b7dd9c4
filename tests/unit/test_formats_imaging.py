"""Imaging of what was recorded: from recordings and CSVs to NWB and the stock imaging CSV."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikedaq.analysis.imaging import Imager
from spikedaq.analysis.imaging_block import vm_of
from spikedaq.analysis.imaging_settings import ImagingSettings
from spikedaq.formats.imaging import Simulation, compute_imaging
from spikedaq.formats.imaging_csv import read_imaging_csv
from spikedaq.model import ConfigError, StoreError
from spikedaq.store import RecordingWriter, open_imaging, open_recording
from store_data import META, apply, make_journal

SETTINGS = ImagingSettings(ca_noise=0.1, laser=1.2, frame_rate_hz=500.0)
HEADER_2025 = (
    "Time (ms),Stim,Trigger,Vm1 (mV),Vm2 (mV),Vm3 (mV),Ca1 (uM),Ca2 (uM),Ca3 (uM),F1 (a.u.),F2 (a.u.),F3 (a.u.)"
)
HEADER_V24 = (
    "Time (ms),Stimulus (%),Trigger,Spikeling Fluorescence,Spikeling Calcium,Spikeling Vm (mV),"
    "Neuron Aux1 Fluorescence,Neuron Aux1 Calcium,Neuron Aux1 Vm (mV),"
    "Neuron Aux2 Fluorescence,Neuron Aux2 Calcium,Neuron Aux2 Vm (mV)"
)
STOCK = (
    "Time (ms),Spikeling Vm (mV),Stimulus (%),Total Current Input (a.u.),Synapse 1 Vm (mV),Synapse 1 Input (a.u.),"
    "Synapse 2 Vm (mV),Synapse 2 Input (a.u.),Trigger"
)


def recorded(folder: Path, n_blocks: int = 24, seed: int = 3) -> Path:
    """Make a device's folder with one file that has gaps in it."""
    path = folder / "session" / "alpha" / "session_alpha_20260501T000000Z_0003.nwb"
    path.parent.mkdir(parents=True)
    writer = RecordingWriter.create(path, META)
    for _ in apply(writer, make_journal(n_blocks, seed=seed)):
        pass
    writer.close("stopped")
    return path


def stock_csv(path: Path, n: int = 600, **changes: str) -> Path:
    """Write a stock recording: spikes every 50 ms in Vm, every 70 ms in synapse 1."""
    lines = [changes.get("header", STOCK)]
    for i in range(n):
        vm = 30.0 if i % 500 in (100, 101, 102) else -70.0
        syn = 10.0 if i % 700 == 650 else -65.5
        lines.append(f"{i / 10},{vm},{5.0},0.0,{syn},0.0,-70.0,0.0,{float(i % 100 == 0)}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_recording_becomes_nwb_and_csv_with_the_same_numbers(tmp_path: Path) -> None:
    """Both files beside it hold what the simulation makes of the samples, fed one by one; gaps are told."""
    path = recorded(tmp_path)
    (done,) = compute_imaging(path, None, Simulation(SETTINGS, seed=9, indicator="Generic"))
    assert [p.name for p in done.files] == [f"{path.stem}_imaging.nwb", f"{path.stem}_imaging.csv"]
    assert {p.parent for p in done.files} == {path.parent}
    with open_recording(path) as recording:
        steps, vm = recording.steps(), vm_of(recording.samples(), recording.channels)
        times_s, stimulus = recording.timestamps(), recording.samples()[:, 1]
        gaps = int((np.diff(steps) != 1).sum())
    assert gaps > 0
    imager = Imager(SETTINGS, seed=9)
    blocks = [imager.feed(META.info.boot_id, int(s), vm[i : i + 1]) for i, s in enumerate(steps)]
    with open_imaging(done.files[0]) as file:
        frames, meta = file.frames(), file.meta
    np.testing.assert_array_equal(frames.values, np.concatenate([b.frame_values for b in blocks]).astype(np.float32))
    np.testing.assert_array_equal(frames.steps, np.concatenate([b.frame_steps for b in blocks]))
    np.testing.assert_array_equal(frames.missing, np.concatenate([b.frame_missing for b in blocks]))
    np.testing.assert_array_equal(frames.times_s, times_s[np.isin(steps, frames.steps)])
    assert meta.first_step == steps[0] and meta.seed == 9 and ImagingSettings(**meta.settings) == SETTINGS
    assert meta.reference_utc_ns == META.reference_utc_ns and meta.session == META.session

    assert done.files[1].read_text().splitlines()[0] == HEADER_2025
    table = read_imaging_csv(done.files[1])
    assert table.layout == "2025"
    np.testing.assert_array_equal(table.calcium_um, np.concatenate([b.calcium_um for b in blocks]))
    np.testing.assert_array_equal(table.fluorescence, np.concatenate([b.fluorescence for b in blocks]))
    np.testing.assert_array_equal(table.vm_mv, vm)
    np.testing.assert_array_equal(table.stimulus, stimulus)
    np.testing.assert_array_equal(np.rint(table.time_ms * 10).astype(int), steps - steps[0])
    assert done.tally.gaps == gaps and done.tally.missing_steps == steps[-1] - steps[0] + 1 - len(steps)
    assert done.tally.n_samples == len(steps) and done.tally.n_frames == len(frames)


def test_it_can_begin_later(tmp_path: Path) -> None:
    """From a first step on it is what a simulation makes that began there."""
    path = recorded(tmp_path)
    with open_recording(path) as recording:
        steps, vm = recording.steps(), vm_of(recording.samples(), recording.channels)
    first = int(steps[777])
    (done,) = compute_imaging(path, tmp_path / "x.nwb", Simulation(SETTINGS, first_step=first))
    assert done.files == [tmp_path / "x.nwb"] and done.tally.first_step == first
    imager = Imager(SETTINGS)
    blocks = [imager.feed(META.info.boot_id, int(s), vm[i : i + 1]) for i, s in enumerate(steps) if i >= 777]
    with open_imaging(tmp_path / "x.nwb") as file:
        np.testing.assert_array_equal(
            file.frames().values, np.concatenate([b.frame_values for b in blocks]).astype(np.float32)
        )
    with pytest.raises(ConfigError, match="no sample from step"):
        compute_imaging(path, tmp_path / "y.nwb", Simulation(SETTINGS, first_step=10**9))
    assert not list(tmp_path.glob("*y.nwb*"))


def test_a_stock_csv(tmp_path: Path) -> None:
    """Times are model time; spikes are those that were written into it."""
    path = stock_csv(tmp_path / "a b.csv", 800)
    (done,) = compute_imaging(path, None, Simulation(SETTINGS))
    assert [p.name for p in done.files] == ["a b_imaging.nwb", "a b_imaging.csv"]
    assert done.tally.n_spikes == [2, 1, 0]
    table = read_imaging_csv(done.files[1])
    np.testing.assert_array_equal(table.time_ms, [i / 10 for i in range(800)])
    np.testing.assert_array_equal(table.trigger, [float(i % 100 == 0) for i in range(800)])
    assert np.isfinite(table.fluorescence).all()
    # An imaging file can be simulated again, from its potentials.
    (again,) = compute_imaging(done.files[1], tmp_path / "again.csv", Simulation(SETTINGS))
    assert (tmp_path / "again.csv").read_bytes() == done.files[1].read_bytes()
    assert again.tally.n_samples == 800


def test_the_older_header_is_read(tmp_path: Path) -> None:
    """v2.4's files have fluorescence, calcium and Vm neuron by neuron; the oldest have one neuron."""
    path = tmp_path / "old.csv"
    path.write_text(HEADER_V24 + "\r\n0.0,1,0,11,12,13,21,22,23,31,32,33\r\n0.1,2,1.0,14,15,16,24,25,26,34,35,36\r\n")
    table = read_imaging_csv(path)
    assert table.layout == "v2.4" and table.time_ms.tolist() == [0.0, 0.1] and table.trigger.tolist() == [0, 1]
    assert table.fluorescence.tolist() == [[11, 21, 31], [14, 24, 34]]
    assert table.calcium_um.tolist() == [[12, 22, 32], [15, 25, 35]]
    assert table.vm_mv.tolist() == [[13, 23, 33], [16, 26, 36]]
    path.write_text(",".join(HEADER_V24.split(",")[:6]) + "\n0.0,1,0,11,12,13\n")
    table = read_imaging_csv(path)
    assert (table.fluorescence.tolist(), table.calcium_um.tolist(), table.vm_mv.tolist()) == ([[11]], [[12]], [[13]])
    path.write_text("\ufeff" + HEADER_2025 + ",More\n0.0,1,0,1,2,3,4,5,6,7,8,9,10\n", "utf-8")
    table = read_imaging_csv(path)
    assert table.vm_mv.tolist() == [[1, 2, 3]] and table.fluorescence.tolist() == [[7, 8, 9]]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        ("\n\n", "no recording of the stock"),
        ("Stim,Trigger\n1,0\n", "no recording of the stock"),
        (STOCK + "\n0.0,x,0,0,0,0,0,0,0\n", "line 2"),
        (STOCK + "\n0.0,-70,0\n", "line 2: 3 fields where the header has 9"),
        (STOCK + "\n0.0,,0,0,0,0,0,0,0\n", "0: it has no membrane potential"),
        (STOCK + "\n0.0,1,0,0,0,0,0,0,0\n0.05,1,0,0,0,0,0,0,0\n", "steps of 0.1 ms"),
        (STOCK + "\n0.1,1,0,0,0,0,0,0,0\n0.0,1,0,0,0,0,0,0,0\n", "line 3: its time 0.0 is not after 0.1"),
        (STOCK + "\nnan,1,0,0,0,0,0,0,0\n", "line 2: it has no time"),
        (STOCK + "\n0.1,1,0,0,0,0,0,0,0\n0.100001,1,0,0,0,0,0,0,0\n", "0.100001 is not in steps of 0.1 ms"),
        (STOCK + "\n-0.1,1,0,0,0,0,0,0,0\n0.0,1,0,0,0,0,0,0,0\n", "-0.1: model time begins at 0"),
        (STOCK + "\n0.0,1,0,0,0,0,0,0,0\n1e300,1,0,0,0,0,0,0,0\n", "no recording is so long"),
        (STOCK + "\n0.0,1,1e999,0,0,0,0,0,0\n", "line 2: '1e999' is no number"),
        (STOCK + "\n0.0,1_0,0,0,0,0,0,0,0\n", "line 2: '1_0' is no number"),
        (STOCK + ",Trigger\n0.0,1,0,0,0,0,0,0,0,0\n", "two columns called Trigger"),
        (STOCK.replace("Time (ms)", "Time (s)") + "\n0,1,0,0,0,0,0,0,0\n", "no column 'Time"),
        ("\x00\x01\x02", "no recording|cannot read"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(StoreError, match=problem):
        compute_imaging(path, None, Simulation(SETTINGS))
    assert [p.name for p in tmp_path.iterdir()] == ["bad.csv"], "nothing half done is left"


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", HEADER_2025 + "\n1,2,3\n", HEADER_V24 + "\n" + "x," * 11 + "x\n"])
def test_what_is_no_imaging_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(StoreError, match=r"bad\.csv"):
        read_imaging_csv(path)


def test_decimal_commas_and_blank_lines_are_read(tmp_path: Path) -> None:
    """As a spreadsheet saves it: the same file as it was before."""
    path = stock_csv(tmp_path / "a.csv", 200)
    (plain,) = compute_imaging(path, None, Simulation(SETTINGS))
    other = tmp_path / "b.csv"
    header, rows = path.read_text().replace(",", ";").replace("\n", "\r\n").split("\r\n", 1)
    other.write_bytes(f"\ufeff{header}\r\n{rows.replace('.', ',')}\r\n".encode())
    (done,) = compute_imaging(other, None, Simulation(SETTINGS))
    assert done.files[1].read_bytes() == plain.files[1].read_bytes()


def test_a_missing_row_is_a_gap(tmp_path: Path) -> None:
    path = stock_csv(tmp_path / "a.csv")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:300], *lines[350:]]) + "\n")
    (done,) = compute_imaging(path, None, Simulation(SETTINGS))
    assert done.tally.gaps == 1 and done.tally.missing_steps == 50
    with done.files[1].open() as file:
        rows = list(csv.DictReader(file))
    assert [float(rows[k]["Time (ms)"]) for k in (298, 299)] == [29.8, 34.9]
    assert rows[299]["F1 (a.u.)"] == "nan", "no frame was taken since the gap"


def test_nothing_is_replaced_unless_asked(tmp_path: Path) -> None:
    path = stock_csv(tmp_path / "a.csv")
    mine = tmp_path / "a_imaging.csv"
    mine.write_text("mine")
    with pytest.raises(StoreError, match="exists"):
        compute_imaging(path, None, Simulation(SETTINGS))
    assert mine.read_text() == "mine" and not (tmp_path / "a_imaging.nwb").exists()
    compute_imaging(path, None, Simulation(SETTINGS), overwrite=True)
    assert mine.read_text().startswith("Time (ms),Stim")
    compute_imaging(path, None, Simulation(SETTINGS), overwrite=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.csv", "a_imaging.csv", "a_imaging.nwb"]


@pytest.mark.parametrize(
    ("source", "out", "arguments", "text"),
    [
        ("none.csv", None, {}, "no such file"),
        ("none", None, {}, "does not exist"),
        ("a.csv", "folder-that-is-not", {}, "create it first"),
        ("a.csv", "none/x.csv", {}, "not a folder"),
        ("a.csv", None, {"boot_id": 5}, "nothing of boot 5"),
    ],
)
def test_errors_name_the_thing(
    tmp_path: Path, source: str, out: str | None, arguments: dict[str, Any], text: str
) -> None:
    stock_csv(tmp_path / "a.csv")
    with pytest.raises((StoreError, ConfigError), match=text):
        compute_imaging(tmp_path / source, None if out is None else tmp_path / out, Simulation(SETTINGS), **arguments)


def test_progress_is_told(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    compute_imaging(
        recorded(tmp_path), None, Simulation(SETTINGS), progress=lambda done, total: seen.append((done, total))
    )
    assert seen[-1][0] == seen[-1][1] > 0 and [done for done, _ in seen] == sorted(done for done, _ in seen)
