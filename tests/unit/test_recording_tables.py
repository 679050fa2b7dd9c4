"""Recordings as tables of the real pandas and xarray, and what `spikedaq info` prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikedaq
from helpers.formats_recordings import Maker, spiking
from spikedaq.cli.main import main
from spikedaq.model import MissingExtraError, StoreError
from spikedaq.recording import Channel, Recording


def bath() -> Recording:
    channels = [Channel("vm", "mV", 0.01), Channel("light", "%", 2.0, -1.0)]
    samples = [np.array([[1, 2], [3, 4], [5, 6]], np.int16), np.array([[7, 8]], np.int16)]
    recording = Recording.from_numpy(
        samples, 10.0, channels=channels, t_starts_s=[1.0, 2.0], name="bath", reference_utc_ns=1_777_628_096_500_000_000
    )
    recording.set_property("group", ["cell", "lamp"])
    recording.annotate(run=3)
    return recording


def test_a_dataframe_has_units_times_and_segments() -> None:
    frame = bath().to_dataframe()
    assert frame.index.name == "time_s"
    np.testing.assert_allclose(frame.index, [1.0, 1.1, 1.2, 2.0])
    assert frame.columns.tolist() == ["segment", "vm", "light"]
    assert frame["segment"].tolist() == [0, 0, 0, 1]
    np.testing.assert_allclose(frame["vm"], [0.01, 0.03, 0.05, 0.07])
    np.testing.assert_allclose(frame["light"], [3.0, 7.0, 11.0, 15.0])
    assert frame.attrs == {
        "name": "bath",
        "sampling_frequency_hz": 10.0,
        "reference_utc": "2026-05-01T09:34:56.500000+00:00",
        "units": {"vm": "mV", "light": "%"},
    }
    raw = bath().to_dataframe(return_in_units=False)
    assert (raw["light"].tolist(), raw["light"].dtype) == ([2, 4, 6, 8], np.int16)


def test_a_dataset_has_units_and_properties() -> None:
    dataset = bath().to_xarray()
    assert list(dataset.data_vars) == ["vm", "light"]
    assert dataset.sizes == {"time_s": 4}
    np.testing.assert_allclose(dataset["light"].sel(time_s=slice(1.05, 1.5)), [7.0, 11.0])
    assert dataset["vm"].attrs == {"long_name": "vm", "units": "mV", "group": "cell"}
    assert dataset["segment"].values.tolist() == [0, 0, 0, 1]
    assert (dataset.attrs["run"], dataset.attrs["reference_utc"]) == (3, "2026-05-01T09:34:56.500000+00:00")
    raw = bath().to_xarray(return_in_units=False)
    assert raw["light"].attrs["scale"] == 2.0
    assert raw["light"].values.tolist() == [2, 4, 6, 8]


@pytest.mark.parametrize("form", ["to_dataframe", "to_xarray"])
def test_what_does_not_fit_into_memory_is_refused_before_it_is_read(form: str) -> None:
    """10 million samples of 8 channels: 8 + 4 + 8 * 8 bytes each."""
    zeros = np.broadcast_to(np.zeros((1, 8), np.int16), (10_000_000, 8))
    recording = Recording.from_numpy([zeros], 10_000.0, name="long")
    with pytest.raises(
        StoreError, match=r"long would take 0\.76 GB of memory, and 0\.7 GB are allowed; take a part with"
    ):
        getattr(recording, form)(max_bytes=700_000_000)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(
        MissingExtraError, match=r"pandas is not installed, .*: pip install 'spikedaq\[analysis\]'"
    ) as error:
        bath().to_dataframe()
    assert error.value.extra == "analysis"


def recorded(folder: Path) -> Maker:
    maker = Maker(folder)
    maker.open().samples(0, spiking(700)).gap(700, 50).samples(750, spiking(250, start=750)).note(0.05, "now").close()
    return maker


def test_info_prints_what_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    maker = recorded(tmp_path / "demo")
    assert main(["info", str(tmp_path / "demo")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "demo_alpha: 950 samples of 8 channels at 10000 Hz, 95 ms",
        "times count from 2026-05-01T09:34:56+00:00",
        "channels: vm (mV), stimulus (%), i_total (a.u.), syn1_vm (mV), syn1_i (a.u.), syn2_vm (mV), syn2_i (a.u.), "
        "trigger; int16",
        "segments: 2",
        "  0: from 0.000000 s, 70 ms, boot 00000007",
        "  1: from 0.075000 s, 25 ms, boot 00000007",
        "gaps: 1 lost (50 samples)",
        "notes: 1",
        f"file: {maker.paths[0]}",
    ]


def test_info_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of several devices by name; what must be known is in it, and no warning beside it."""
    recorded(tmp_path / "demo")
    beta = Maker(tmp_path / "demo", device="beta")
    for k in range(3):
        beta.open().samples(k * 100, spiking(100)).close()
    beta.paths[1].unlink()
    assert main(["info", str(tmp_path / "demo"), "--json"]) == 0
    done = capsys.readouterr()
    assert done.err == ""
    found: dict[str, Any] = json.loads(done.out)["devices"]
    assert list(found) == ["alpha", "beta"]
    assert found["alpha"]["gaps"] == {"lost": {"n_gaps": 1, "n_samples": 50}}
    assert found["alpha"]["segments"][1]["n_samples"] == 250
    assert found["beta"]["n_samples"] == 200
    assert found["beta"]["flags"][0].startswith("file 1 is missing between ")
    assert main(["info", str(tmp_path / "demo"), "--device", "beta"]) == 0
    assert "warning: file 1 is missing between" in capsys.readouterr().out


def test_info_of_nothing_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(tmp_path / "absent")]) == 1
    assert "there is no such file or folder" in capsys.readouterr().err


def test_both_kinds_of_opening(tmp_path: Path) -> None:
    """One device is a recording, and with open_session a session of one."""
    recorded(tmp_path / "demo")
    assert isinstance(spikedaq.open(tmp_path / "demo"), Recording)
    assert list(spikedaq.open_session(tmp_path / "demo")) == ["alpha"]
