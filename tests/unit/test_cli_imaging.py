"""`spikedaq imaging` without a daemon: options, lists, and what it does with files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spikedaq.cli.imaging import simulation_of
from spikedaq.cli.main import build_parser, main
from spikedaq.formats.imaging_csv import read_imaging_csv
from spikedaq.store import open_imaging

HEADER = "Time (ms),Spikeling Vm (mV),Stimulus (%),Trigger"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "trial.csv"
    rows = [f"{i / 10},{30.0 if i == 400 else -70.0},0,{float(i == 0)}" for i in range(1000)]
    path.write_text("\n".join([HEADER, *rows, ""]))
    return path


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["imaging", *arguments]) == 1
    return capsys.readouterr().err


def test_a_csv_from_the_command_line(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["imaging", str(recording), "--indicator", "gcamp6F", "--set", "frame_rate_hz=200", "--json"]) == 0
    (done,) = json.loads(capsys.readouterr().out)
    assert done["n_spikes"] == [1, 0, 0] and done["n_frames"] == 20 and done["pitch_steps"] == 50
    assert done["indicator"] == "GCaMP6f" and done["settings"]["hill"] == 3.0 and done["settings"]["dff_max"] == 50.0
    nwb, table = (Path(path) for path in done["files"])
    with open_imaging(nwb) as file:
        assert file.n_frames == 20 and file.meta.time == "model" and "neither date nor real time" in file.meta.source
    assert len(read_imaging_csv(table).time_ms) == 1000
    assert main(["imaging", str(recording), "--overwrite"]) == 0
    assert "1, 0, 0 spikes of vm, syn1, syn2, no gaps" in capsys.readouterr().out


def test_like_computes_the_same_again(recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Settings, seed and first step come from the file; options go before it."""
    one, two = tmp_path / "one.nwb", tmp_path / "two.nwb"
    options = ["--set", "ca_noise=0.3", "--set", "response=sigmoid", "--seed", "123", "--first-step", "250"]
    assert main(["imaging", str(recording), "--out", str(one), *options]) == 0
    assert main(["imaging", str(recording), "--out", str(two), "--like", str(one)]) == 0
    with open_imaging(one) as a, open_imaging(two) as b:
        assert a.meta == b.meta and a.meta.first_step == 250 and a.meta.seed == 123
        assert a.frames().values.tobytes() == b.frames().values.tobytes() and a.n_frames == 7
    arguments = build_parser().parse_args(["imaging", "x", "--like", str(one), "--seed", "5", "--set", "laser=0.5"])
    simulation, like = simulation_of(arguments)
    assert simulation.seed == 5 and simulation.settings.laser == 0.5 and simulation.settings.ca_noise == 0.3
    assert like["boot_id"] == 0
    capsys.readouterr()


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["imaging", "--list"]) == 0
    out = capsys.readouterr().out
    assert "f-RGECO2" in out and "5.8" in out and "frame_rate_hz" in out and "hill sigmoid linear" in out
    assert main(["imaging", "--list", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert len(value["indicators"]) == 12
    assert {"name", "unit", "default", "about", "minimum", "maximum", "choices"} == set(value["settings"][0])


def test_repair_says_how_many_frames(recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "one.nwb"
    assert main(["imaging", str(recording), "--out", str(path)]) == 0
    capsys.readouterr()
    assert main(["imaging", "--repair", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": str(path), "frames": 10}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["none.csv"], "no such file"),
        (["trial.csv", "--indicator", "GCaMP9"], "there is no indicator 'GCaMP9'"),
        (["trial.csv", "--set", "laser=3"], "from 0 to 2"),
        (["trial.csv", "--set", "lazer=1"], "did you mean 'laser'"),
        (["trial.csv", "--seed", "-1"], "seed -1"),
        (["trial.csv", "--first-step", "-1"], "must not be negative"),
        (["trial.csv", "--first-step", "1000"], "no sample from step 1000"),
        (["trial.csv", "--record"], "--record is of a live device"),
        (["trial.csv", "--seconds", "3"], "--seconds is of a live device"),
        (["trial.csv", "--like", "none.nwb"], "no such file"),
        (["trial.csv", "--out", "nowhere/x.csv"], "is not a folder"),
        (["--first-step", "3"], "of a recording"),
        (["--repair", "none.nwb"], "no such file"),
    ],
)
def test_what_cannot_be_is_said(
    recording: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    text: str,
) -> None:
    """One line that names the thing; nothing is written."""
    monkeypatch.chdir(recording.parent)
    error = refusal(capsys, *arguments)
    assert text in error and error.count("\n") == 1
    assert [path.name for path in recording.parent.iterdir()] == ["trial.csv"]


@pytest.mark.parametrize("setting", ["laser", "=1", "laser=", "="])
def test_settings_are_written_with_a_sign(setting: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["imaging", "--set", setting])
    assert "write NAME=VALUE" in capsys.readouterr().err


def test_a_whole_folder_and_a_bad_one_is_told(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside each of them; what was made is no recording the second time."""
    deep = tmp_path / "week" / "day"
    deep.mkdir(parents=True)
    (deep / "second.csv").write_bytes(recording.read_bytes())
    (deep / "broken.csv").write_text(HEADER + "\n0.0,oops,0,1\n")
    for k in range(2):
        assert main(["imaging", str(tmp_path), "--json", *(["--overwrite"] if k else [])]) == 1
        printed = capsys.readouterr()
        bad, *good = sorted(json.loads(printed.out), key=lambda one: "n_frames" in one)
        assert [one["n_spikes"] for one in good] == [[1, 0, 0]] * 2
        assert (bad["path"], "'oops' is no number" in bad["error"]) == (str(deep / "broken.csv"), True)
        assert str(deep / "broken.csv") in printed.err
        assert sorted(path.name for path in deep.glob("second*")) == [
            "second.csv",
            "second_imaging.csv",
            "second_imaging.nwb",
        ]
    out = tmp_path.parent / f"{tmp_path.name}-out"
    assert main(["imaging", str(tmp_path), "--out", str(out)]) == 1
    assert (out / "week" / "day" / "second_imaging.nwb").exists()
    assert "is one file" in refusal(capsys, str(tmp_path), "--out", "one.nwb")
    (tmp_path / "empty").mkdir()
    assert "holds no recording" in refusal(capsys, str(tmp_path / "empty"))
