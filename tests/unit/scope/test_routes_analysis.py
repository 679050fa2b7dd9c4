"""Recordings by HTTP: the page's numbers are those of the command line, and nothing that is uploaded does harm."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from starlette.testclient import TestClient

from helpers.formats_recordings import Maker, spiking
from spikedaq.cli.main import main
from spikedaq.formats import export_csv
from spikedaq.scope import analysis_reader, routes_analysis_open
from spikedaq.scope.access import Access
from spikedaq.scope.app import make_app
from spikedaq.scope.hub import Hub

WAIT_S = 120
HEADER = (
    "Time (ms),Spikeling Vm (mV),Stimulus (%),Total Current Input (a.u.),Synapse 1 Vm (mV),Synapse 1 Input (a.u.),"
    "Synapse 2 Vm (mV),Synapse 2 Input (a.u.),Trigger\n"
)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(make_app(Hub([]), Access("127.0.0.1")), base_url="http://127.0.0.1:5580") as running:
        yield running


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2000 samples with a gap of 110 steps and triggers each 510, in one file."""
    maker = Maker(tmp_path_factory.mktemp("bench") / "demo").open()
    maker.samples(0, spiking(1000)).gap(1000, 110).samples(1110, spiking(1000, start=1110)).close()
    (path,) = maker.folder.glob("*.nwb")
    return path


def upload(client: TestClient, name: str, data: bytes) -> str:
    """Upload a file; return its handle once it is there, or what was wrong with it."""
    answer = client.post(f"/api/analysis/upload?name={name}", content=data)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["handle"])


def opened(client: TestClient, handle: str) -> dict[str, Any]:
    """Wait until it is there or failed."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        said: dict[str, Any] = client.get(f"/api/analysis/open/{handle}").json()
        if said["state"] in ("ready", "failed"):
            return said
    raise AssertionError("it was not opened in time")


def look(client: TestClient, handle: str, **wanted: Any) -> dict[str, Any]:
    answer = client.post(f"/api/analysis/open/{handle}/look", json=wanted)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    assert main([str(argument) for argument in (*arguments, "--json")]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture(scope="module")
def handle(client: TestClient, recording: Path) -> str:
    handle = upload(client, recording.name, recording.read_bytes())
    assert opened(client, handle)["state"] == "ready"
    return handle


@pytest.fixture
def part(client: TestClient, handle: str) -> str:
    (one,) = opened(client, handle)["parts"]
    assert (one["n_samples"], one["mode"], one["fits_until_s"]) == (2000, "current", None)
    assert one["start_s"] == pytest.approx(0, abs=1e-5)
    assert one["stop_s"] == pytest.approx(0.2109, abs=1e-5)
    return str(one["name"])


def test_numbers_are_those_of_the_command_line(
    client: TestClient, handle: str, part: str, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Spikes, averages and the F-I curve, of the same file."""
    found = look(client, handle, part=part)
    by_line = told(capsys, "spikes", recording, "--fi", "stimulus")
    (neuron,) = by_line["neurons"]
    assert found["spike_times_ms"] == neuron["spike_times_ms"]
    for name, value in found["spikes"].items():
        assert value == neuron[name], name
    assert found["spikes"]["n_spikes"] == 9
    (averaged,) = told(capsys, "average", recording)["neurons"]
    for name in averaged.keys() - {"path"}:
        assert found["loops"][name] == averaged[name], name
    assert found["loops"]["n_used"] == 2
    if found["fi"].get("points"):
        assert found["fi"]["points"] == by_line["fi"][part]["points"]


def test_a_time_range_is_that_of_the_command_line(
    client: TestClient, handle: str, part: str, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = look(client, handle, part=part, start_s=0.03, stop_s=0.07, threshold_mv=-30.5, refractory_ms=30)
    options = ("--start", 0.03, "--stop", 0.07, "--threshold", -30.5, "--refractory", 30)
    (neuron,) = told(capsys, "spikes", recording, *options)["neurons"]
    assert found["spike_times_ms"] == neuron["spike_times_ms"]
    assert found["spikes"]["n_spikes"] == 1


def test_tables_are_those_of_the_command_line(
    client: TestClient, handle: str, part: str, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Byte for byte, under the same names."""
    told(capsys, "spikes", recording, "--out", tmp_path / "a")
    told(capsys, "average", recording, "--out", tmp_path / "b", "--sta", 50)
    files = {path.name: path.read_bytes() for path in [*(tmp_path / "b").iterdir(), *(tmp_path / "a").iterdir()]}
    names = look(client, handle, part=part)["tables"]
    assert set(files) <= set(names)
    for name, data in files.items():
        answer = client.post(f"/api/analysis/open/{handle}/table", json={"part": part, "table": name})
        assert answer.content == data, name
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'


def test_every_threshold_of_the_curve_counts_what_it_finds(client: TestClient, handle: str, part: str) -> None:
    """The curve is there once; spikes that a threshold finds are as many as it says."""
    sweep = look(client, handle, part=part)["sweep"]
    thresholds, counts = sweep["thresholds_mv"], sweep["n_spikes"]
    assert len(thresholds) == len(counts) <= 401
    assert thresholds == sorted(thresholds)
    for k in (0, len(thresholds) // 3, thresholds.index(0.0), len(thresholds) - 1):
        assert look(client, handle, part=part, threshold_mv=thresholds[k])["spikes"]["n_spikes"] == counts[k]


def test_the_phase_plane_has_the_nullclines_of_the_recorded_neuron(client: TestClient, handle: str, part: str) -> None:
    """A and b are those in the file; the fixed points solve 0.04 v^2 + (5 - b) v + 140 + I = 0."""
    phase = look(client, handle, part=part)["phase"]
    line = phase["nullcline"]
    assert (line["a"], line["b"], line["changed"]) == (pytest.approx(0.02), pytest.approx(0.2), False)
    for point in line["fixed_points"]:
        v = point["v_mv"]
        assert 0.04 * v * v + (5 - line["b"]) * v + 140 + line["current"] == pytest.approx(0, abs=1e-6)
    assert sum(phase["n"]) + phase["n_left_out"] == 2000


def test_a_csv_says_the_same_as_the_recording_it_was_made_of(
    client: TestClient, handle: str, part: str, recording: Path, tmp_path: Path
) -> None:
    (exported,) = export_csv(recording, tmp_path)
    of_csv = look(client, upload(client, "mine.csv", exported.csv.read_bytes()))
    of_file = look(client, handle, part=part)
    assert of_csv["name"] == "mine"
    assert of_csv["spike_times_ms"] == of_file["spike_times_ms"]
    assert of_csv["sweep"] == of_file["sweep"]
    assert of_csv["phase"]["nullcline"] is None, "a CSV does not say what a and b were"


def test_a_bad_line_is_named(client: TestClient) -> None:
    """Line and value, and nothing of where the file lies on the server."""
    bad = HEADER + "0.0,-70,0,0,0,0,0,0,0\n0.1,<b>x</b>,0,0,0,0,0,0,0\n"
    handle = upload(client, "up.csv", bad.encode())
    assert opened(client, handle)["state"] == "ready"
    answer = client.post(f"/api/analysis/open/{handle}/look", json={})
    assert answer.status_code == 422
    assert answer.json()["text"].startswith("up.csv, line 3: '<b>x</b>' is no number")


def test_too_large_is_refused_before_it_is_read(client: TestClient) -> None:
    """2 GB at once; a body that does not say how long it is, once it is too long."""
    answer = client.post("/api/analysis/upload?name=big.csv", content=b"x", headers={"content-length": "2000000000"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert "big.csv has more than 64 MB" in answer.json()["text"]


def test_a_long_body_ends_at_the_bound(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(routes_analysis_open._SUFFIXES, ".csv", 1000)
    answer = client.post("/api/analysis/upload?name=big.csv", content=iter([b"x" * 600] * 3))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("name", ["run.exe", "run", "", "csv"])
def test_only_recordings_are_taken(client: TestClient, name: str) -> None:
    answer = client.post("/api/analysis/upload", params={"name": name}, content=b"x")
    assert (answer.status_code, answer.json()["code"]) == (415, "bad_name")


def test_a_name_is_no_path(client: TestClient) -> None:
    """What is uploaded lies in the cache, whatever it is called."""
    upload(client, "../../etc/x/evil.csv", HEADER.encode())
    (path,) = client.app.state.analysis.folder.rglob("*evil*")  # type: ignore[attr-defined]
    assert path.name == "_.._etc_x_evil.csv"


def test_bytes_that_are_no_recording(client: TestClient) -> None:
    said = opened(client, upload(client, "junk.nwb", b"\x89HDF\r\n\x1a\n" + b"\0" * 4000))
    assert said["state"] == "failed"
    assert "junk.nwb" in said["text"]
    assert "/tmp" not in said["text"]


def test_a_file_that_shows_other_files_is_refused(client: TestClient, recording: Path, tmp_path: Path) -> None:
    """HDF5 takes data from wherever a file says, also from what its sender may not read."""
    secret = tmp_path / "secret.bin"
    secret.write_bytes(np.arange(4000, dtype="<i2").tobytes())
    hostile = tmp_path / "hostile.nwb"
    hostile.write_bytes(recording.read_bytes())
    with h5py.File(hostile, "r+") as file:
        n = file["acquisition/stimulus/data"].shape[0]
        del file["acquisition/stimulus/data"]
        file["acquisition/stimulus"].create_dataset("data", (n,), "<i2", external=[(str(secret), 0, 2 * n)])
    said = opened(client, upload(client, "hostile.nwb", hostile.read_bytes()))
    assert said["state"] == "failed"
    assert "is kept in another file" in said["text"]
    with h5py.File(hostile, "w") as file:
        file["link"] = h5py.ExternalLink("/etc/other.h5", "/")
    assert "is kept in another file" in opened(client, upload(client, "link.nwb", hostile.read_bytes()))["text"]


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"threshold_mv": "low"}, "threshold_mv is no number"),
        ({"threshold_mv": 1e400}, "threshold_mv is no number"),
        ({"channel": "trigger"}, "channel is one of vm"),
        ({"channel": ["vm"]}, "channel is one of vm"),
        ({"hysteresis_mv": -1}, "hysteresis_mv is -1; it must be 0 or more"),
        ({"sta_ms": 1e9}, "it can be at most 1000"),
        ({"start_s": 5, "stop_s": 5}, "its end must come later"),
        ({"part": "other"}, "'part' names a part"),
        ({"what": 1}, "'what' is nothing that a look has"),
        ({"falling": "yes"}, "'falling' is true or false"),
        ({"fi": "vm"}, "fi is one of stimulus, i_total"),
    ],
)
def test_a_look_that_makes_no_sense(
    client: TestClient, handle: str, part: str, wanted: dict[str, Any], says: str
) -> None:
    body = json.dumps({"part": part, **wanted})
    answer = client.post(f"/api/analysis/open/{handle}/look", content=body)
    assert answer.status_code == 400, answer.text
    assert says in answer.json()["text"]


@pytest.mark.parametrize(
    ("wanted", "n_spikes", "n_used"),
    [({"refractory_ms": 1e308}, 2, 2), ({"length_ms": 1e308}, 9, 0), ({"tolerance_ms": 1e308}, 9, 3)],
)
def test_times_without_measure_are_as_long_as_the_recording(
    client: TestClient, handle: str, part: str, wanted: dict[str, Any], n_spikes: int, n_used: int
) -> None:
    """The greatest numbers there are make no error of the server; a refractory time begins anew after the gap."""
    found = look(client, handle, part=part, **wanted)
    assert found["spikes"]["n_spikes"] == n_spikes
    assert found["loops"].get("n_used", 0) == n_used


def test_a_place_in_the_list_that_is_none(client: TestClient) -> None:
    answer = client.get("/api/analysis/recordings?bench=lab&before={")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_arguments")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"[" * 50_000, b'{"x":"' + b"y" * 200_000 + b'"}'])
def test_junk_is_refused(client: TestClient, handle: str, body: bytes) -> None:
    for what in ("look", "trace", "table"):
        assert client.post(f"/api/analysis/open/{handle}/{what}", content=body).status_code in (400, 413)
    assert client.post("/api/analysis/open", content=body).status_code in (400, 413)


def test_what_was_closed_is_gone(client: TestClient, recording: Path) -> None:
    handle = upload(client, recording.name, recording.read_bytes())
    assert client.delete(f"/api/analysis/open/{handle}").status_code == 200
    answer = client.get(f"/api/analysis/open/{handle}")
    assert (answer.status_code, answer.json()["code"]) == (404, "gone")


def test_more_than_the_page_takes_is_told(recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do, and the time up to which it would fit."""
    monkeypatch.setattr(analysis_reader, "MAX_SAMPLES", 1500)
    (part,) = analysis_reader.inspect(str(recording))["parts"]
    # Sample 1500 is the 500th after the gap: step 1610.
    assert part["fits_until_s"] == pytest.approx(0.161, abs=1e-5)
    with pytest.raises(Exception, match=r"more than 1500 samples.*choose a shorter time range"):
        analysis_reader.load(str(recording), str(tmp_path / "out"), part=part["name"])
    fits = analysis_reader.load(str(recording), str(tmp_path / "out"), part=part["name"], stop_s=part["fits_until_s"])
    assert fits == {"n_samples": 1500}


def test_nothing_is_left_when_the_server_ends(tmp_path: Path) -> None:
    app = make_app(Hub([]), Access("127.0.0.1"))
    with TestClient(app, base_url="http://127.0.0.1:5580") as client:
        upload(client, "a.csv", HEADER.encode())
        folder = app.state.analysis.folder
        assert list(folder.rglob("a.csv"))
    assert not folder.exists()
