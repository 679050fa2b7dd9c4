"""`spikedaq stimulus`, `neuron` and `record` by parts of a name: what is printed, written and asked of a daemon."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikedaq.cli import neuron, record, stimulus
from spikedaq.cli.main import main
from spikedaq.formats.neuron import FIELDS
from spikedaq.model import CommandRejected


class FakeDaemon:
    """A control client that remembers what it was asked, and answers from a table."""

    def __init__(self, *names: str, capacity: int = 30_000) -> None:
        self.names = names or ("alpha",)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.timeout_s = 5.0
        self.preset = 1.0
        self.parameters = {field.parameter: 0.5 for field in FIELDS}
        self.capacity = capacity
        self.rounded: dict[str, float] = {}
        self.client = self

    def call(self, op: str, *, timeout_s: float | None = None, **args: Any) -> Any:
        self.asked.append((op, args))
        if args.get("device", self.names[0]) not in self.names:
            raise CommandRejected(f"there is no device {args['device']!r}", code="unknown_device")
        presets = [{"name": name, "a": 0.02, "b": 0.2, "c": -65.0, "d": 6.0, "v_rest": -70.0} for name in ("T s", "B")]
        parameters = [{"name": name} for name in self.parameters]
        match op:
            case "list":
                return [{"name": name} for name in self.names]
            case "describe":
                return {"name": args["device"], "stimulus_capacity": self.capacity, "presets": presets,
                        "parameters": parameters}  # fmt: skip
            case "get":
                return {"value": self.preset if args["name"] == "preset" else self.parameters[args["name"]]}
            case "set":
                values = {**args["values"], **self.rounded}
                return {name: {"value": values[name], "holder": "host"} for name in args["values"]}
            case "record_start":
                return {"session": args["session"], "state": "recording", "folder": "/d"}
        return {"rows": 0}

    def of(self, op: str) -> list[dict[str, Any]]:
        return [args for asked, args in self.asked if asked == op]

    def __enter__(self) -> FakeDaemon:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> FakeDaemon:
    fake = FakeDaemon()
    for module in (stimulus, neuron):
        monkeypatch.setattr(module, "open_client", lambda _: fake)
    monkeypatch.setattr(record, "connect", lambda *_, **__: fake)
    return fake


def test_playing_uploads_in_parts_and_then_plays(daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    """25,100 rows: a part of 20,000 and one of 5,100, none of which plays; then one order to play."""
    line = "stimulus play ramp --set duration_ms=2500 --set post_ms=10 --once --json"
    assert main(line.split()) == 0
    first, second, play = daemon.of("stimulus")
    assert (first["first_row"], first["n_rows"], first["play"], len(first["rows"])) == (0, 25_100, False, 40_000)
    assert (second["first_row"], second["n_rows"], second["play"], len(second["rows"])) == (
        20_000,
        25_100,
        False,
        10_200,
    )
    assert play == {"device": "alpha", "play": True, "loop": False, "name": "ramp"}
    rows = np.frombuffer(first["rows"] + second["rows"], "<i2")
    assert (rows[0], rows[24_999], rows[25_000]) == (0, 10_000, 0)
    assert json.loads(capsys.readouterr().out)["n_rows"] == 25_100


def test_what_does_not_fit_is_refused_before_anything_is_sent(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stimulus", "play", "ramp", "--set", "duration_ms=3000", "--set", "post_ms=0.1"]) == 1
    assert "alpha holds 30000 stimulus rows (3 s of model time), the stimulus has 30001" in capsys.readouterr().err
    daemon.capacity = 0
    assert main(["stimulus", "play", "ramp"]) == 1
    assert "alpha takes no waveform" in capsys.readouterr().err
    assert daemon.of("stimulus") == []


def test_the_device_is_asked_for_where_there_are_several(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.names = ("alpha", "beta")
    assert main(["stimulus", "stop"]) == 1
    assert "the bench has alpha, beta; say which with --device NAME" in capsys.readouterr().err
    assert main(["stimulus", "stop", "--device", "beta", "--json"]) == 0
    assert daemon.of("stimulus") == [{"device": "beta", "stop": True}]


def test_a_file_is_made_shown_and_made_again_from_its_specification(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec, csv = tmp_path / "s.json", tmp_path / "s.csv"
    assert main(["stimulus", "make", "sine", "--set", "frequency_hz=5", "--out", str(spec)]) == 0
    assert main(["stimulus", "make", str(spec), "--repeat", "2", "--out", str(csv), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (facts["n_rows"], facts["maximum_percent"], facts["n_clipped"]) == (7000, 50.0, 0)
    assert main(["stimulus", "show", str(csv), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["n_rows"], shown["spec"], len(shown["least"])) == (7000, None, 72)
    assert main(["stimulus", "show", str(csv)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "s: 7000 rows, 700 ms of model time, -50 to 50 %, mean 4.5401 %"
    assert len(lines) == 10
    assert main(["stimulus", "make", str(spec), "--out", str(csv)]) == 1
    assert f"{csv} exists" in capsys.readouterr().err
    assert main(["stimulus", "make", str(csv), "--out", str(tmp_path / "t.json")]) == 1
    assert "is a file of rows, of which there is no specification" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("stimulus show nothing.csv", "'nothing.csv' is neither a file nor a stimulus generator; the generators are"),
        ("stimulus show sine --set mean=1 --set mean=2", "mean is set twice"),
        ("stimulus show sine --set mean=101", "mean of sine is 101; give a number from -100 to 100 %"),
        ("stimulus show sine --repeat 0", "cannot be repeated 0 times"),
        ("stimulus show sine --repeat 100000", "at most 6000000"),
        ("stimulus show {folder}", "is no file"),
        ("stimulus show {folder}/bad.json", "is no JSON"),
        ("stimulus show {folder}/deep.json", "deep.json is no JSON"),
        ("stimulus show {folder}/x.csv --set mean=1", "mean=... is for generators"),
        ("stimulus list sin", "did you mean 'sine'"),
        ("neuron load {folder}/x.csv", "has no column a, b, c, d"),
        ("neuron load {folder}/absent.csv", "cannot be read"),
        ("record start --mode a --protocol b", "the run is missing; give --run N, or --run next"),
        ("record start --protocol b --run 1", "the mode is missing"),
        ("record start --mode a/b --protocol b --run 1", "the mode 'a/b' has '/' in it"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    line: str, text: str, tmp_path: Path, daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "x.csv").write_text("Stim\n1\n")
    assert main(line.format(folder=tmp_path).split()) == 1
    assert text in capsys.readouterr().err
    assert daemon.of("stimulus") == daemon.of("set") == daemon.of("record_start") == []


def test_clipping_is_told_or_refused(capsys: pytest.CaptureFixture[str]) -> None:
    line = "stimulus show sine --set amplitude=100 --set mean=50 --json"
    assert main(line.split()) == 0
    assert "warning: 835 of 3500 rows were beyond 100 % and were cut" in capsys.readouterr().err
    assert main([*line.split(), "--no-clipping"]) == 1
    assert "835 of 3500 rows are beyond 100 %" in capsys.readouterr().err


def test_the_list_is_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stimulus", "list", "--json"]) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)][:2] == ["steps", "ramp"]
    assert main(["stimulus", "list"]) == 0
    assert "chirp_exponential" in capsys.readouterr().out
    assert main(["stimulus", "list", "pulses"]) == 0
    assert "width_ms" in capsys.readouterr().out


def test_a_neuron_is_saved_loaded_and_named(
    daemon: FakeDaemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "n.csv"
    assert main(["neuron", "save", str(path)]) == 0
    assert path.read_text().splitlines()[1] == "0.5,0.5,0.5,0.5,5,0.5,0.5,2,0.5,2,0.5"
    assert main(["neuron", "load", str(path), "--json"]) == 0
    assert daemon.of("set") == [{"device": "alpha", "values": daemon.parameters}]
    capsys.readouterr()
    daemon.rounded = {"photo_decay": 0.25}
    assert main(["neuron", "load", str(path)]) == 0
    assert "photo_decay 0.25, " in capsys.readouterr().out, "what the device has, not what was asked for"
    del daemon.parameters["syn2_gain"]
    assert main(["neuron", "save", str(path), "--overwrite"]) == 1
    assert "alpha has no syn2_gain, which the file of a neuron needs" in capsys.readouterr().err
    for preset, said in ((1.0, 1), (255.0, None), (float("nan"), None)):
        daemon.preset = preset
        assert main(["neuron", "list", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["preset"] == said
    assert main(["neuron", "list"]) == 0
    assert "alpha is none of them" in capsys.readouterr().out


def test_a_session_is_named_by_its_parts(daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    line = "record start --group g --condition dark --mode tonic --protocol sine --run 7 --json"
    assert main(line.split()) == 0
    (asked,) = daemon.of("record_start")
    assert asked["session"][10:] == "_g_dark_tonic_sine_7"
    assert json.loads(capsys.readouterr().out)["session"] == asked["session"]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("record --stimulus sine --from tcp://127.0.0.1:1", "two kinds of recording"),
        ("record --stimulus sine --roll 60", "--roll is about recording with --from"),
        ("record --baseline 3", "--baseline is about --stimulus, which is not given"),
        ("record --run 3", "--run is about --stimulus"),
        ("record --no-clipping", "--no-clipping is about --stimulus"),
        ("record --stimulus sine start x", "--stimulus stands before 'start'"),
        ("record --mode x start y", "--mode stands before 'start'"),
        ("record --stimulus sine --baseline -3", "'-3' is not a time above 0"),
        ("record --stimulus sine --run x", "'x' is not a number such as 1, nor 'next'"),
        ("record", "or --stimulus FILE, to record one trial"),
    ],
)
def test_options_that_do_not_go_together_are_refused(line: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    assert ended.value.code == 2
    assert text in capsys.readouterr().err
