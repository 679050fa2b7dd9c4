"""What the recorder leaves where the disk is nearly full."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from fake_stream import FakeDevice, check_files, record_plan
from recorder_here import run_recorder

from spikedaq.journal import JournalWriter, SessionStart, SessionStop
from spikedaq.recorder import EXIT_DISK, EXIT_DONE, process, read_manifest

RESERVE_BYTES = 10**6
NAMES = ("alpha", "beta")


def record(folder: Path, monkeypatch: pytest.MonkeyPatch, free_bytes: list[int]) -> tuple[int, list[dict[str, Any]]]:
    """Run a recorder that finds so much free, at each look the next; return its status and what it said."""
    left = iter(free_bytes)
    monkeypatch.setattr(process, "shutil", SimpleNamespace(disk_usage=lambda _: SimpleNamespace(free=next(left))))
    return run_recorder(folder)


def test_files_are_closed_while_there_is_room_to_do_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With less than the reserve: closed for good and in the manifest, and the next recorder has nothing to repair."""
    writers, devices = {}, {name: FakeDevice() for name in NAMES}
    for name, device in devices.items():
        writers[name] = writer = JournalWriter(tmp_path / "journal" / name, device=name, unique_id="01")
        device.introduce(writer)
        writer.append(SessionStart(device.t_host_ns, "s", 0, "{}"))
        for frame in device.frames(20):
            writer.append_frames(device.t_host_ns, [frame])
    folder = tmp_path / "s"
    record_plan(folder, "s", {name: tmp_path / "journal" / name for name in NAMES}, reserve_bytes=RESERVE_BYTES)

    status, lines = record(folder, monkeypatch, [RESERVE_BYTES, RESERVE_BYTES - 1])
    assert status == EXIT_DISK
    assert [line["cause"] for line in lines if line["state"] == "failed"] == ["disk_full", "disk_full"]
    closed = {}
    for name in NAMES:
        manifest = read_manifest(folder / name)
        assert manifest is not None
        assert (manifest.state, manifest.reason) == ("interrupted", "the disk is full")
        (entry,) = manifest.files
        assert entry.closed_reason == "the disk is full"
        path = folder / name / entry.name
        closed[path] = hashlib.sha256(path.read_bytes()).hexdigest()
        assert closed[path] == entry.sha256

    for name, device in devices.items():
        for frame in device.frames(10):
            writers[name].append_frames(device.t_host_ns, [frame])
        writers[name].append(SessionStop(device.t_host_ns, "s", "asked"))
        writers[name].close()
    status, lines = record(folder, monkeypatch, [RESERVE_BYTES] * 9)
    assert status == EXIT_DONE
    assert [line for line in lines if "remark" in line] == []
    assert {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in closed} == closed
    for name, device in devices.items():
        assert len(check_files(folder, device.produced, name)) == 2


def test_nothing_is_begun_without_the_reserve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record_plan(tmp_path / "s", "s", {"alpha": tmp_path / "journal"}, reserve_bytes=RESERVE_BYTES)
    status, lines = record(tmp_path / "s", monkeypatch, [RESERVE_BYTES - 1])
    assert status == EXIT_DISK and [line["cause"] for line in lines] == ["disk_full"]
    assert not (tmp_path / "s" / "alpha").exists()
