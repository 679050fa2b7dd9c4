"""`spikedaq save`: which form, which part, and what is said."""

from __future__ import annotations

import json

import numpy as np
import pytest

import spikedaq
from helpers.formats_recordings import Maker, spiking
from spikedaq.cli.main import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("session")
    Maker(folder / "demo").open().samples(0, spiking(900)).gap(900, 100).samples(1000, spiking(500)).close()
    Maker(folder / "demo", device="beta").open().samples(0, spiking(100)).close()
    return folder


def test_a_form_is_chosen_by_the_name(folder, tmp_path, capsys):
    for name in ("a.nwb", "b.zarr", "c"):
        assert main(["save", str(folder / "demo"), "--device", "alpha", "--out", str(tmp_path / name)]) == 0
        assert capsys.readouterr().out == f"{tmp_path / name}: 1400 samples of 8 channels, 2 segments\n"
        found = spikedaq.open(tmp_path / name)
        assert np.array_equal(found.get_traces(1), spiking(500))


def test_a_part_is_saved_and_told_in_json(folder, tmp_path, capsys):
    out = str(tmp_path / "a")
    arguments = ["save", str(folder / "demo" / "alpha"), "--out", out, "--start", "0.05005", "--stop", "0.11005"]
    assert main([*arguments, "--channels", "trigger", "vm", "--jobs", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"saved": [out], "n_frames": 500, "n_segments": 2, "n_channels": 2}
    assert spikedaq.open(out).channel_ids == ("trigger", "vm")
    assert main([*arguments, "--json"]) == 1
    assert "exists; choose another place with --out, or replace it with --overwrite" in capsys.readouterr().err
    assert main([*arguments, "--overwrite"]) == 0
    assert spikedaq.open(out).num_channels == 8


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--out", "x"], "several devices, alpha, beta; name one with --device"),
        (["--device", "alpha", "--out", "x", "--jobs", "0"], "n_jobs is a number of processes"),
        (["--device", "alpha", "--out", "x", "--channels", "u"], "no channel u"),
        (["--device", "alpha", "--out", "x.h5", "--format", "nwb"], "does not end in .nwb"),
        (["--device", "alpha", "--out", "x", "--start", "99"], "holds no sample"),
    ],
)
def test_what_cannot_be_saved_says_why(folder, tmp_path, monkeypatch, capsys, arguments, says):
    monkeypatch.chdir(tmp_path)
    assert main(["save", str(folder / "demo"), *arguments]) == 1
    assert says in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
