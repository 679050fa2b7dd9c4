"""`spikedaq spikes` and `average` on whole folders: everything in them, a bad one told, figures as PNG."""

from __future__ import annotations

import io
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib import image

from helpers.formats_recordings import Maker, spiking
from spikedaq.cli.main import main
from spikedaq.formats import export_csv, figures
from spikedaq.formats.found_spikes import SpikeRule, find_in
from spikedaq.formats.samples import read_samples
from spikedaq.model import StoreError


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two sessions of one name in different folders, a CSV, a stimulus, which is no recording, and two bad ones."""
    whole = tmp_path / "lab"
    Maker(whole / "monday" / "demo").open().samples(0, spiking(1000)).close()
    Maker(whole / "tuesday" / "demo").open().samples(0, spiking(600)).close()
    (exported,) = export_csv(whole / "monday" / "demo")
    text = exported.csv.read_bytes()
    (whole / "123   .csv").write_bytes(text)
    (whole / "broken.csv").write_bytes(b"Time (ms),Spikeling Vm (mV)\n0.0,oops\n")
    (whole / "stimulus.csv").write_text("Stim,Trigger\n0,1\n")
    (whole / "cut.nwb").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    (whole / ".hidden.csv").write_bytes(b"Time (ms),Spikeling Vm (mV)\n0.0,oops\n")
    return whole


def test_everything_in_a_folder_and_a_bad_one_is_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its status is 1; the CSV that lies within a session is its export, and not looked at a second time."""
    out = tmp_path / "tables"
    status, printed, error = run(capsys, "spikes", folder, "--json", "--out", out)
    assert status == 1
    found = json.loads(printed)
    assert [(one["path"], one["n_spikes"]) for one in found["neurons"]] == [
        (str(folder / "123   .csv"), 4),
        (str(folder / "monday" / "demo" / "alpha"), 4),
        (str(folder / "tuesday" / "demo" / "alpha"), 2),
    ]
    assert [one["path"] for one in found["failed"]] == [str(folder / "broken.csv"), str(folder / "cut.nwb")]
    assert "line 2: 'oops' is no number" in found["failed"][0]["error"]
    assert found["passed_over"] == [str(folder / "stimulus.csv")]
    assert "broken.csv, line 2: 'oops' is no number" in error
    assert "2 of 5 could not be analysed" in error
    assert "passed over" in error
    assert sorted(str(path.relative_to(out)) for path in out.rglob("spikes.csv")) == [
        "123/spikes.csv",
        "monday/demo_alpha/spikes.csv",
        "tuesday/demo_alpha/spikes.csv",
    ]


def test_what_is_printed_of_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, printed, _ = run(capsys, "spikes", folder)
    assert status == 1
    names = [line.split()[0] for line in printed.splitlines()[1:4]]
    assert names == ["123", "monday/demo_alpha", "tuesday/demo_alpha"]


def test_the_rest_is_done_where_several_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, printed, error = run(capsys, "spikes", folder / "broken.csv", folder / "123   .csv", "--json")
    assert status == 1
    assert [one["n_spikes"] for one in json.loads(printed)["neurons"]] == [4]
    assert "1 of 2 could not be analysed" in error


def test_a_second_run_replaces_nothing_unless_told_to(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said before the first recording is read."""
    out = tmp_path / "tables"
    run(capsys, "spikes", folder, "--out", out)
    before = {path: path.read_bytes() for path in out.rglob("*.csv")}
    status, printed, error = run(capsys, "spikes", folder, "--out", out, "--threshold", 29)
    assert (status, printed) == (1, "")
    assert "exists; choose another place with --out, or replace what is in it with --overwrite" in error
    assert {path: path.read_bytes() for path in out.rglob("*.csv")} == before
    run(capsys, "spikes", folder, "--out", out, "--overwrite")
    assert {path: path.read_bytes() for path in out.rglob("*.csv")} == before


def test_averages_of_a_folder(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Triggers each 510 steps: 1000 samples hold a whole loop, and so do 600; one trigger alone tells no length."""
    status, printed, _ = run(capsys, "average", folder, "--json", "--length", 51)
    assert status == 1
    assert [(one["n_loops"], one["n_used"]) for one in json.loads(printed)["neurons"]] == [(2, 1), (2, 1), (2, 1)]


def test_a_folder_without_any_recording_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("none")
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    for command in ("spikes", "average"):
        status, _, error = run(capsys, command, tmp_path)
        assert (status, "holds no recording: no session, no .nwb file, and no CSV" in error) == (1, True)


def test_all_of_them_bad(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both are told, and nothing is said of voltage clamp or loops."""
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_bytes(b"Time (ms),Spikeling Vm (mV)\n0.0,oops\n")
    for command in ("spikes", "average"):
        status, _, error = run(capsys, command, tmp_path)
        assert status == 1
        assert error.count("is no number") == 2
        assert "2 of 2 could not be analysed" in error


def test_figures_stand_beside_the_tables(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session, out = folder / "monday" / "demo", tmp_path / "figures"
    assert run(capsys, "spikes", session, "--plot", "--out", out)[0] == 0
    assert run(capsys, "average", session, "--plot", "--out", out / "average", "--length", 40)[0] == 0
    for path in (out / "spikes.png", out / "average" / "averages.png"):
        pixels = image.imread(path)
        assert pixels.shape[1] == 1200
        assert pixels.shape[0] > 700
        # Something is drawn over all of its height, none of it in one colour only.
        assert all(band[..., :3].std() > 0.01 for band in np.array_split(pixels, 5))


def test_a_figure_without_a_folder_has_the_recordings_name(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, printed, _ = run(capsys, "spikes", folder / "monday" / "demo", "--plot", "--json")
    assert (status, json.loads(printed)["files"]) == (0, ["demo_alpha_spikes.png"])
    assert [path.name for path in tmp_path.glob("*.*")] == ["demo_alpha_spikes.png"]
    status, _, error = run(capsys, "spikes", folder / "monday" / "demo", "--plot")
    assert (status, "exists" in error) == (1, True)


def test_without_matplotlib_the_command_is_named_before_anything_is_read(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    status, printed, error = run(capsys, "spikes", folder, "--plot")
    assert (status, printed) == (1, "")
    assert "pip install 'spikedaq[analysis]'" in error


def test_a_long_trace_keeps_its_extremes_and_no_line_crosses_a_gap(tmp_path: Path) -> None:
    """100,000 samples with one spike each 200: however few points are drawn, the peaks are there."""
    drawn: list[tuple[np.ndarray, np.ndarray]] = []

    class Axis:
        def plot(self, x: np.ndarray, y: np.ndarray, **_: object) -> None:
            drawn.append((x, y))

    times, values = np.arange(100_000) / 10, np.full(100_000, -65.0)
    values[777] = 30.0
    times[50_000:] += 500
    figures._trace(Axis(), times, values, np.array([50_000]), "k")
    ((x, y),) = drawn
    assert len(x) < 6000
    assert np.nanmax(y) == 30.0
    (at,) = np.flatnonzero(np.isnan(y[:-1]))
    assert x[at - 1] <= 5000 < 5499 <= x[at + 1]


def test_nothing_found_is_drawn_too(tmp_path: Path) -> None:
    """One sample, no spike, no stimulus."""
    rows = np.zeros((1, 8), np.int16)
    Maker(tmp_path / "demo").open().samples(0, rows).close()
    (samples,) = read_samples(tmp_path / "demo", ["vm"])
    png = figures.spike_figure(find_in(samples, "vm", SpikeRule()))
    assert image.imread(io.BytesIO(png)).shape[1] == 1200
    assert math.isnan(find_in(samples, "vm", SpikeRule()).describe().mean_interval_ms)


def test_a_folder_that_may_not_be_looked_into_is_named(tmp_path: Path) -> None:
    from spikedaq.formats.search import find_sources  # noqa: PLC0415

    with pytest.raises(StoreError, match="cannot look into"):
        find_sources(tmp_path / "none")
