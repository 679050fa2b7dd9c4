"""`spikedaq spikes` and `spikedaq average`: recordings whose spikes and loops are known, tables, refusals."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from helpers.formats_recordings import Maker, spiking
from spikedaq.cli.main import main
from spikedaq.formats import export_csv, samples
from spikedaq.model import ClampMode

# spiking(): 30 mV on the first 5 of every 200 samples, from -65 mV up to below -51; triggers each 510 samples.
N = 2000


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """2000 samples in two files with a gap of 110 samples, so that steps 0..999 and 1110..2109 are there."""
    maker = Maker(tmp_path / "demo").open().samples(0, spiking(600)).close()
    maker.open().samples(600, spiking(400, start=600)).gap(1000, 110).samples(1110, spiking(1000, start=1110)).close()
    return tmp_path / "demo"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Run a command; its status and what it printed."""
    status = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def column(path: Path, header: str) -> list[str]:
    with path.open(newline="") as file:
        return [row[header] for row in csv.DictReader(file)]


def test_spikes_of_a_session(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every 200 steps but the first, which has nothing before it; none in or right after the gap."""
    status, out, _ = run(capsys, "spikes", session, "--json")
    found = json.loads(out)
    (neuron,) = found["neurons"]
    expected = [k for k in range(200, 2110, 200) if not 1000 <= k < 1110]
    assert status == 0
    assert neuron["spike_times_ms"] == [k / 10 for k in expected]
    assert (neuron["recording"], neuron["neuron"], neuron["threshold_mv"]) == ("demo_alpha", "Spikeling", -20)
    assert (neuron["n_samples"], neuron["n_gaps"], neuron["n_spikes"]) == (2000, 1, len(expected))
    assert neuron["mean_interval_ms"] == pytest.approx(20)
    assert neuron["rate_hz"] == pytest.approx(len(expected) / 0.2)
    assert found["files"] == []


def test_what_is_printed(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line per neuron; intervals of a clock vary by 0, not by the rounding of their times."""
    line = run(capsys, "spikes", session)[1].splitlines()[1]
    assert " ".join(line.split()) == "demo_alpha Spikeling -20 mV 9 1 200.0 ms 45 Hz 20 ms 20 ms 0 0 0"


def test_a_part_of_a_session(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From 30 ms up to 70 ms; the time base stays that of the model, from the part's first sample."""
    out = run(capsys, "spikes", session, "--start", 0.03, "--stop", 0.07, "--json")[1]
    (neuron,) = json.loads(out)["neurons"]
    assert neuron["n_samples"] == pytest.approx(400, abs=1)
    assert neuron["spike_times_ms"] == pytest.approx([10, 30], abs=0.11)


def test_a_csv_says_the_same_as_the_recording_it_was_made_of(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (exported,) = export_csv(session)
    documents = [json.loads(run(capsys, "spikes", path, "--json")[1])["neurons"][0] for path in (session, exported.csv)]
    for document in documents:
        for key in ("path", "device", "recording"):
            document.pop(key)
    assert documents[0] == documents[1]


def test_tables_of_spikes(session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows count from 0 as in the stock export; nothing is replaced without being told to."""
    out = tmp_path / "new" / "tables"
    status, printed, _ = run(capsys, "spikes", session, "--out", out)
    assert status == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "Spikeling_spike.csv",
        "Spikeling_spikerate.csv",
        "spikes.csv",
    ]
    assert all(str(path) in printed for path in out.iterdir())
    rows = column(out / "Spikeling_spike.csv", "Spikeling Spike Events (timepoints)")
    assert rows == ["200", "400", "600", "800", "1090", "1290", "1490", "1690", "1890"]
    rate = column(out / "Spikeling_spikerate.csv", "Spikeling SpikeRate")
    assert (len(rate), rate[199], rate[200], rate[799], rate[800]) == (2000, "0.0", "50.0", "50.0", "0.0")
    assert column(out / "spikes.csv", "interval (ms)") == ["", "20.0", "20.0", "20.0", "", *["20.0"] * 4]
    before = {path: path.read_bytes() for path in out.iterdir()}
    status, _, error = run(capsys, "spikes", session, "--out", out, "--threshold", 29)
    assert (status, "exists; choose another place with --out, or replace it with --overwrite" in error) == (1, True)
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    assert run(capsys, "spikes", session, "--out", out, "--overwrite")[0] == 0


def test_several_recordings_have_a_folder_each(
    session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Maker(session, device="beta").open().samples(0, spiking(500)).close()
    out = tmp_path / "tables"
    assert run(capsys, "spikes", session, "--out", out)[0] == 0
    assert sorted(str(p.relative_to(out)) for p in out.rglob("spikes.csv")) == [
        "demo_alpha/spikes.csv",
        "demo_beta/spikes.csv",
    ]
    status, _, error = run(capsys, "spikes", session / "alpha", session, "--out", tmp_path / "other")
    assert (status, "two recordings called demo_alpha" in error) == (1, True)
    assert not (tmp_path / "other").exists()


def test_a_neuron_at_a_synapse_is_listed_if_it_spikes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its tables have the stock names; a jack that only has a potential is not listed."""
    rows = spiking(1000)
    rows[:, 5] = rows[:, 0]
    Maker(tmp_path / "demo").open().samples(0, rows).close()
    out = tmp_path / "tables"
    document = json.loads(run(capsys, "spikes", tmp_path / "demo", "--json", "--out", out)[1])
    assert [neuron["neuron"] for neuron in document["neurons"]] == ["Spikeling", "Aux Neuron 2"]
    header = "Aux Neuron 2 Spike Events (timepoints)"
    assert column(out / "AuxNeuron2_spike.csv", header) == ["200", "400", "600", "800"]
    assert (out / "spikes_syn2_vm.csv").exists()


def test_a_threshold_that_suggests_itself(session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (neuron,) = json.loads(run(capsys, "spikes", session, "--threshold", "auto", "--json")[1])["neurons"]
    assert -51 < neuron["threshold_mv"] < 30
    assert neuron["n_spikes"] == 9
    quiet = np.zeros((500, 8), np.int16)
    quiet[:, 0] = -7000
    Maker(tmp_path / "quiet", session="quiet").open().samples(0, quiet).close()
    status, out, _ = run(capsys, "spikes", tmp_path / "quiet", "--threshold", "auto")
    assert status == 0
    assert "none found" in out


def steps_of_current(tmp_path: Path) -> Path:
    """Stimulus 0, 10, 0, 20, 0 % for 100 ms each; one spike in the first step, four in the second."""
    rows = np.zeros((5000, 8), np.int16)
    rows[:, 0] = -7000
    rows[1000:2000, 1], rows[3000:4000, 1] = 10, 20
    rows[[1500, 3100, 3300, 3500, 3700], 0] = 3000
    Maker(tmp_path / "steps", session="steps").open().samples(0, rows).close()
    return tmp_path / "steps"


def test_the_rate_at_each_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = steps_of_current(tmp_path)
    document = json.loads(run(capsys, "spikes", folder, "--fi", "stimulus", "--json", "--out", tmp_path / "t")[1])
    curve = document["fi"]["steps_alpha"]
    assert [(p["level"], p["rate_hz"]) for p in curve["points"]] == [(10, pytest.approx(10)), (20, pytest.approx(40))]
    assert (curve["rheobase"], curve["silent_below"], curve["gain_hz_per_unit"]) == (10, 0, pytest.approx(3))
    assert column(tmp_path / "t" / "fi_curve.csv", "level (%)") == ["10.0", "20.0"]
    out = run(capsys, "spikes", folder, "--fi", "stimulus")[1]
    assert "rheobase between 0 and 10 %, gain 3 Hz per %" in out


def test_averages_over_loops(session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Triggers at steps 0, 510, 1530, 2040: the loop at 510 is cut by the gap, the last by the end."""
    out = tmp_path / "tables"
    (neuron,) = json.loads(run(capsys, "average", session, "--json", "--out", out, "--sta", 5)[1])["neurons"]
    assert (neuron["n_loops"], neuron["n_used"]) == (4, 2)
    assert neuron["left_out"] == {"gap": 1, "incomplete": 1}
    assert neuron["length_ms"] == 51
    assert neuron["n_spikes_in_loops"] == 2 + 3
    vm = column(out / "averages.csv", "vm (mV) mean")
    raw = spiking(2100)[:, 0] / 100
    assert [float(v) for v in vm] == pytest.approx(((raw[:510] + raw[1530:2040]) / 2).tolist())
    assert set(column(out / "averages.csv", "vm (mV) n")) == {"2"}
    assert column(out / "Spikeling_means.csv", "Spikeling Vm Average") == vm
    assert len(column(out / "Spikeling_means.csv", "Spikeling Current Average")) == 510
    raster = column(out / "Spikeling_rasterplot.csv", "Spikeling Spike Raster Plot")
    assert raster == ["200", "400", "70", "270", "470"]
    assert column(out / "Spikeling_rasterplot.csv", "Loop") == ["0", "0", "2", "2", "2"]
    assert column(out / "loops.csv", "left out because") == ["", "gap", "", "incomplete"]
    assert column(out / "spike_triggered_average.csv", "time from spike (ms)")[0] == "-5.0"
    printed = run(capsys, "average", session)[1]
    assert "1 gap, 1 incomplete" in printed


def test_a_length_and_a_tolerance_for_loops(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (neuron,) = json.loads(run(capsys, "average", session, "--length", 50, "--tolerance", 1, "--json")[1])["neurons"]
    assert (neuron["length_ms"], neuron["n_used"]) == (pytest.approx(49), 2)
    status, _, error = run(capsys, "average", session, "--length", 30)
    assert (status, "no whole stimulus loop" in error, "ragged" in error) == (1, True, True)


def test_nothing_to_average_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, error = run(capsys, "average", steps_of_current(tmp_path))
    assert status == 1
    assert "no whole stimulus loop to average (steps_alpha: it has no trigger)" in error


def test_voltage_clamp_has_no_spikes(session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    maker = Maker(tmp_path / "vc", session="vc").open(mode=ClampMode.VOLTAGE).samples(0, spiking(300)).close()
    for command in ("spikes", "average"):
        status, _, error = run(capsys, command, tmp_path / "vc")
        assert (status, "voltage clamp, where a neuron has no spikes" in error) == (1, True)
    maker.open().samples(300, spiking(600)).close()
    status, out, error = run(capsys, "spikes", tmp_path / "vc")
    assert status == 0
    assert "vc_alpha_part2" in out
    assert "note: vc_alpha: left out, it is of voltage clamp" in error


def test_what_cannot_be_read_is_named(session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.csv"
    broken.write_text("Time (ms),Spikeling Vm (mV)\n0.0,oops\n")
    for arguments, says in (
        ([tmp_path / "none"], "does not exist"),
        ([broken], f"{broken}, line 2: 'oops' is no number"),
        ([broken, "--device", "alpha"], "is a CSV and names no device"),
        ([session, "--device", "gamma"], "has no recording of gamma; it has alpha"),
        ([session, "--start", 5], "has no sample between --start and --stop"),
    ):
        status, out, error = run(capsys, "spikes", *arguments)
        assert (status, out) == (1, "")
        assert says in error


def test_more_than_memory_holds_is_refused(
    session: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "MAX_ROWS", 1000)
    status, _, error = run(capsys, "spikes", session)
    assert (status, "has 2000 samples there, and at most 1000 are read at once" in error) == (1, True)
    assert run(capsys, "spikes", session, "--stop", 0.05)[0] == 0


@pytest.mark.parametrize(
    "options", ["--threshold x", "--threshold nan", "--hysteresis -1", "--refractory inf", "--fi vm"]
)
def test_wrong_options_are_wrong_use(options: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["spikes", "x", *options.split()])
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_a_csv_whose_loops_are_of_unequal_length_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Loops of 20 rows; of the third 8 are lost: 8 of 80 rows is 10 %. Its clock counts rows, and does not show it."""
    rows = [(k, k % 20 == 0) for k in range(100) if not 45 <= k < 53]
    lines = [f"{n / 10},-70.0,0,0,0,0,0,0,{float(high)}" for n, (_, high) in enumerate(rows)]
    header = (
        "Time (ms),Spikeling Vm (mV),Stimulus (%),Total Current Input (a.u.),Synapse 1 Vm (mV),"
        "Synapse 1 Input (a.u.),Synapse 2 Vm (mV),Synapse 2 Input (a.u.),Trigger"
    )
    path = tmp_path / "lossy.csv"
    path.write_text("\n".join([header, *lines, ""]))
    status, _, error = run(capsys, "spikes", path)
    assert status == 0
    assert "note: lossy: its stimulus loops are 12 to 20 rows long" in error
    assert "about 10%" in error
