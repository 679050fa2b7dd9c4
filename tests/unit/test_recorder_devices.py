"""Devices of one session, one of which cannot be recorded."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from fake_stream import FakeDevice, check_files, record_plan
from recorder_here import run_recorder

from spikedaq.daemon.alarms import AlarmKind, Alarms
from spikedaq.daemon.recorder_process import RecorderProcess
from spikedaq.journal import JournalWriter, SessionStart, SessionStop
from spikedaq.recorder import EXIT_DISK, EXIT_DONE
from spikedaq.recorder.process import RETRY_S

N_BLOCKS = 20


def damage_manifest(folder: Path) -> Path:
    path = folder / "manifest.json"
    path.write_text("{")
    return path


def put_folder_for_file(folder: Path) -> Path:
    path = folder / "s_beta_20270115T080000Z_0000.nwb"
    path.mkdir()
    return path


@pytest.fixture
def session(tmp_path: Path) -> tuple[Path, FakeDevice]:
    """Two devices that sent the same, from start to stop."""
    journals = {name: tmp_path / "journal" / name for name in ("beta", "alpha")}
    for name, journal in journals.items():
        device = FakeDevice()
        writer = JournalWriter(journal, device=name, unique_id="01", host_boot_id="b")
        device.introduce(writer)
        writer.append(SessionStart(device.t_host_ns, "s", 0, "{}"))
        for frame in device.frames(N_BLOCKS):
            writer.append_frames(device.t_host_ns, [frame])
        writer.append(SessionStop(device.t_host_ns, "s", "asked"))
        writer.close()
    record_plan(tmp_path / "s", "s", journals)
    return tmp_path / "s", device


@pytest.mark.parametrize("harm", [damage_manifest, put_folder_for_file])
def test_a_device_whose_files_cannot_be_taken_up_keeps_no_other_from_it(
    session: tuple[Path, FakeDevice], harm: Callable[[Path], Path]
) -> None:
    """The others are recorded to their end, the recorder says which is not, and why, and ends as unfinished."""
    folder, device = session
    (folder / "beta").mkdir()
    harmed = harm(folder / "beta")
    status, lines = run_recorder(folder)
    assert status == EXIT_DISK
    check_files(folder, device.produced, "alpha")
    (failed,) = (line for line in lines if line["device"] == "beta")
    assert (failed["state"], failed["cause"]) == ("failed", "left_out")
    assert str(harmed) in failed["error"]


def test_what_was_left_out_is_taken_up_once_it_is_put_right(session: tuple[Path, FakeDevice]) -> None:
    """Without another recorder: the rest of the session may take a week."""
    folder, device = session
    (folder / "beta").mkdir()
    manifest = damage_manifest(folder / "beta")
    plan = json.loads((folder / "session.json").read_text())
    alpha = Path(plan["devices"][1]["journal"])
    held_back = alpha.with_name("later")
    alpha.rename(held_back)  # alpha waits for its journal, so that the session goes on
    now_s = 0.0

    def monotonic_s() -> float:
        nonlocal now_s
        now_s += 1.0
        if now_s > RETRY_S / 2 and manifest.exists() and manifest.read_text() == "{":
            manifest.unlink()
        if now_s > 3 * RETRY_S and held_back.exists():
            held_back.rename(alpha)
        return now_s

    status, lines = run_recorder(folder, monotonic_s)
    assert status == EXIT_DONE
    for name in ("alpha", "beta"):
        check_files(folder, device.produced, name)
    states = [line["state"] for line in lines if line["device"] == "beta"]
    assert (states[0], states.count("failed"), states[-1]) == ("failed", 1, "closed")


def test_a_device_that_is_left_out_has_its_alarm(tmp_path: Path) -> None:
    """Until it is recorded; that the others are does not end it."""
    alarms = Alarms(lambda: 0)
    process = RecorderProcess(tmp_path / "s", ["alpha", "beta"], alarms)
    said = {"device": "beta", "state": "failed", "error": "manifest.json cannot be read", "cause": "left_out"}
    counted = {"file": None, "bytes": 0, "samples": 0, "rows_on_disk": 0, "gaps": {}, "saturated": 0, "offset": 0}
    process._report(json.dumps(said))
    process._report(json.dumps({"device": "alpha", "state": "recording", **counted, "rows_on_disk": 100}))
    assert "manifest.json" in alarms.standing[AlarmKind.WRITE_FAILED, "s/beta"].text
    process._report(json.dumps({"device": "beta", "state": "waiting", **counted}))
    assert not alarms.standing


def test_of_a_device_that_has_had_no_turn_nothing_is_said(session: tuple[Path, FakeDevice]) -> None:
    """That it has nothing to write would be taken for true, and it is not known."""
    folder, _ = session
    status, lines = run_recorder(folder)
    assert status == EXIT_DONE
    assert [line["device"] for line in lines if line["state"] == "waiting"] == []
