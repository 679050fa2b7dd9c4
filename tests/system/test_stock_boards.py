"""Boards with stock firmwares on pseudo-terminals: recognised by a real daemon, set, recorded and exported."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from harness import DaemonProcess, wait_for
from helpers import stock_board
from helpers.stock_process import stock_process
from spikedaq.formats import export_csv
from spikedaq.model import CommandRejected
from spikedaq.store import open_recording

BOARDS = {
    # kind: dialect, firmware in the detail, channels
    "s25": ("stock-v2.5", "v2.5", 8),
    "n3": ("stock-v3", "v3", 8),
    "v2.4": ("stock-v2.4", "v2.4", 8),
    "v2.2": ("stock-v2.2", "v2.2", 7),
    "v1": ("stock-v1", "v1", 8),
}
SET = {
    "s25": (
        {
            "i_clamp": 12.34567,
            "stim_period": 400,
            "syn1_decay": 0.9951,
            "syn2_gain": -3.1,
            "preset": 5,
            "step_us": 4000,
        },
        ["IC1 12.346", "FR1 -22", "SD11 995", "SG21 -12", "NEU 5", "DT 4000"],
        {"i_clamp": 12.346, "stim_period": 400, "syn1_decay": 0.995, "syn2_gain": -3.0, "a": 0.01, "step_us": 4000},
    ),
    "n3": (
        {"a": 0.1, "b": 0.26, "c": -60.5, "d": -1, "i_clamp": 5, "photo_gain": -2.04},
        ["PC1 5", "PG1 -20", "NE 0.1 0.26 -60.5 -1"],
        {"preset": 255, "a": 0.1, "c": -60.5, "i_clamp": 5, "photo_gain": -2.0},
    ),
    "v2.4": (
        {"preset": 2, "i_clamp": 12.6, "syn2_gain": 3.4, "photo_gain": 2.2},
        ["NEU 0.02 0.2 -50 2 2", "IC1 13", "SG12 12", "PG1 10"],
        {"i_clamp": 13, "syn2_gain": 3, "photo_gain": 2, "d": 2},
    ),
}


def status(daemon: DaemonProcess) -> dict[str, object]:
    """Return the status of the only device."""
    return daemon.call("status")["devices"][0]  # type: ignore[index, return-value]


def is_running(daemon: DaemonProcess) -> bool:
    """Whether the only device streams."""
    now = status(daemon)
    return now["state"] == "running" and now["samples"] > 0  # type: ignore[operator]


@pytest.mark.parametrize("kind", BOARDS)
def test_a_stock_board_is_recognised_recorded_and_exported(kind: str, tmp_path: Path) -> None:
    """Each generation streams by itself; what is recorded is what it sent, row for row, and says what is not known."""
    dialect, version, n_channels = BOARDS[kind]
    with (
        stock_process(tmp_path, kind) as board,
        DaemonProcess(tmp_path / "data", {"alpha": f"pty:{board.port}"}) as daemon,
    ):
        wait_for("the board to be recognised", lambda: is_running(daemon))
        now = status(daemon)
        assert (now["board"], now["sequence"], now["reconnects"]) == (dialect, "none", 0)
        assert now["detail"] == f"stock firmware {version} (no sequence numbers)"
        assert now["gaps"] == {"lost": None, "overrun": None, "dropped": 0}
        assert now["clock_u_ns"] > 10_000_000  # type: ignore[operator]
        described = daemon.call("describe", device="alpha")
        assert described["traits"] & 1  # type: ignore[index]
        daemon.call("record_start", session="s")
        wait_for("two seconds", lambda: status(daemon)["recording"]["samples"] > 600)  # type: ignore[index]
        assert status(daemon)["recording"]["gaps"]["lost"] is None  # type: ignore[index]
        ended = daemon.call("record_stop")
        assert ended["devices"]["alpha"]["gaps"]["lost"] is None  # type: ignore[index]
        assert daemon.stop() == 0
    folder = tmp_path / "data/recordings/s/alpha"
    assert json.loads((folder / "manifest.json").read_text())["gaps"]["lost"] is None
    [path] = sorted(folder.glob("*.nwb"))
    with open_recording(path) as recording:
        samples = np.asarray(recording.samples(0, recording.n_samples))
        times = np.asarray(recording.timestamps(0, recording.n_samples))
        assert recording.device_info.is_translated
        assert recording.meta.info.board == dialect
    assert samples.shape[1] == n_channels
    assert (np.diff(times) > 0).all(), "no row is put before an earlier one"
    period_s = np.median(np.diff(times))
    assert period_s == pytest.approx({"s25": 0.002, "n3": 0.002, "v1": 0.0025}.get(kind, 0.0034), rel=0.05)
    sent = np.array([expected(kind, k) for k in range(20_000)])
    [first] = [k for k in range(20_000 - len(samples)) if (sent[k : k + 40] == samples[:40]).all()][:1]
    np.testing.assert_array_equal(samples, sent[first : first + len(samples)])
    check_export(kind, folder, times)


def expected(kind: str, k: int) -> tuple[int, ...]:
    """Row ``k`` in the raw units of the dialect's channels."""
    v, stim, i, s1, i1, s2, i2, trigger = stock_board.values(kind, k)
    if kind == "v1":
        return (v, i, int(stim > 0), 0, 1, i1, i2, 0)
    return (v, stim, i, s1, i1, s2, i2, trigger)[: BOARDS[kind][2]]


def check_export(kind: str, folder: Path, times: np.ndarray) -> None:
    """The CSV has measured times by default, the stock rule on request, and says which in both places."""
    [arrival] = export_csv(folder, folder)
    rows = list(csv.reader(arrival.csv.open()))
    assert rows[0][0] == "Time (ms)"
    assert len(rows[0]) == 9
    measured = np.array([float(row[0]) for row in rows[1:]])
    np.testing.assert_allclose(measured, (times - times[0]) * 1000, atol=0.0011)
    said = json.loads(arrival.description.read_text())
    assert said["time_column"]["kind"] == "arrival"
    assert said["sequence"] == "none"
    assert said["missing_samples"]["lost"] == "not countable"
    assert "--time stock" in said["warning"]
    assert said.get("empty_columns", []) == {
        "v2.2": ["Trigger"],
        "v1": ["Stimulus (%)", "Synapse 1 Vm (mV)", "Synapse 1 Input (a.u.)", "Synapse 2 Vm (mV)",
               "Synapse 2 Input (a.u.)", "Trigger"],
    }.get(kind, [])  # fmt: skip
    [stock] = export_csv(folder, folder, time="stock", overwrite=True)
    rows = list(csv.reader(stock.csv.open()))
    assert [row[0] for row in rows[1:4]] == ["0.0", "0.1", "0.2"]
    assert json.loads(stock.description.read_text())["time_column"]["kind"] == "stock"


@pytest.mark.parametrize("kind", SET)
def test_parameters_become_the_generations_commands(kind: str, tmp_path: Path) -> None:
    """The board executes these very lines, and what is reported is what its units made of the values."""
    wanted, lines, really = SET[kind]
    with (
        stock_process(tmp_path, kind) as board,
        DaemonProcess(tmp_path / "data", {"alpha": f"pty:{board.port}"}) as daemon,
    ):
        wait_for("the board to be recognised", lambda: is_running(daemon))
        assert board.executed() == []
        daemon.call("set", device="alpha", values=wanted)
        assert board.executed() == lines
        for name, value in really.items():
            got = daemon.call("get", device="alpha", name=name)
            assert got["value"] == pytest.approx(value, rel=1e-6), name  # type: ignore[index]
        answer = daemon.call("set", device="alpha", values={"i_clamp": None})
        assert answer["i_clamp"]["holder"] == "knob"  # type: ignore[index]
        assert np.isnan(answer["i_clamp"]["value"])  # type: ignore[index]
        with pytest.raises(CommandRejected, match="takes no waveform"):
            daemon.call("stimulus", device="alpha", rows=[1, 2, 3])
        assert daemon.stop() == 0


def test_a_board_at_another_baud_rate_is_found(tmp_path: Path) -> None:
    """At 500000 baud a board at 250000 sends garbage; the port's rate is changed until rows come."""
    with (
        stock_process(tmp_path, "v2.4", "--baud", "250000") as board,
        DaemonProcess(tmp_path / "data", {"alpha": f"serial:{board.port}"}) as daemon,
    ):
        wait_for("the board to be recognised", lambda: is_running(daemon), 40.0)
        assert status(daemon)["board"] == "stock-v2.4"
        daemon.call("set", device="alpha", values={"stim_strength": 50})
        assert board.executed() == ["ST1 50"]
        assert daemon.stop() == 0


def test_an_unplugged_board_comes_back_as_another_boot(tmp_path: Path) -> None:
    """A board that is gone and back has the same identity and a new boot, and streams again by itself."""
    with DaemonProcess(tmp_path / "data", {"alpha": f"pty:{tmp_path / 'port'}"}) as daemon:
        with stock_process(tmp_path, "n3"):
            wait_for("the board to be recognised", lambda: is_running(daemon))
            first = status(daemon)
        wait_for("the loss to be seen", lambda: status(daemon)["state"] == "lost")
        with stock_process(tmp_path, "n3", "--boot", "1.5"):
            wait_for("the board to be back", lambda: status(daemon)["state"] == "running", 30.0)
            again = status(daemon)
            assert again["unique_id"] == first["unique_id"]
            assert again["boot"] != first["boot"]
            assert daemon.stop() == 0


def test_a_dialect_can_be_forced_and_forbidden(tmp_path: Path) -> None:
    """With dialect=none a stock board is refused, with its name it is taken at its word."""
    with stock_process(tmp_path, "s25") as board:
        with DaemonProcess(tmp_path / "data", {"alpha": f"pty:{board.port}?dialect=none"}) as daemon:
            wait_for("the refusal", lambda: status(daemon)["state"] == "refused")
            assert daemon.stop() == 0
        url = f"pty:{board.port}?dialect=stock-v2.5-2026"
        with DaemonProcess(tmp_path / "data2", {"alpha": url}) as daemon:
            wait_for("the board", lambda: is_running(daemon))
            assert status(daemon)["board"] == "stock-v2.5-2026"
            with pytest.raises(CommandRejected, match="does not know the command PC1"):
                daemon.call("set", device="alpha", values={"i_clamp": 1.0})
            assert daemon.stop() == 0
