"""Real daemon, virtual board, real recording: listed, verified and fetched over the sockets, byte for byte."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import START_S, DaemonProcess
from harness import wait_for as harness_wait_for
from spikedaq.inlet import LibraryClient, connect, fetch_session
from spikedaq.model import CommandRejected, SpikedaqError

SIM = "sim:alpha?preset=1&rate=10000&seed=3"
ROOT = Path(__file__).parents[2]


def wait_for(what: str, condition: Callable[[], object]) -> object:
    """Wait as long as a busy computer may take to start a daemon."""
    return harness_wait_for(what, condition, 3 * START_S)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[DaemonProcess]:
    with DaemonProcess(tmp_path / "data", {"alpha": SIM}) as process:
        wait_for("the device to run", lambda: process.call("list")[0]["state"] == "running")
        wait_for("the history", lambda: process.call("hello")["history"])
        yield process


@contextlib.contextmanager
def library(daemon: DaemonProcess) -> Iterator[LibraryClient]:
    with connect(daemon.url) as bench, bench.library() as client:
        yield client


def run(daemon: DaemonProcess, *arguments: str, status: int = 0) -> str:
    command = [sys.executable, "-m", "spikedaq.cli", "recordings", *arguments]
    environment = {**os.environ, "SPIKEDAQ_URL": daemon.url, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == status, done.stderr
    return done.stdout


def test_what_was_recorded_is_fetched_byte_for_byte(daemon: DaemonProcess, tmp_path: Path) -> None:
    """From the first block on it is told; closed files can be had while it goes on, all of it at the end."""
    daemon.call("record_start", session="tonic_1", roll_s=1.0, notes="a class", timeout_s=6 * START_S)
    daemon.call("note", text="the first")
    daemon.call("note", text="the second", device="alpha")
    with library(daemon) as asked:
        wait_for("two closed files", lambda: asked.summary("tonic_1")["devices"]["alpha"]["files"] >= 2)
        session = asked.recording("tonic_1")
        assert session["running"] and session["state"] == "under_way"
        wait_for("a file that grows to be refused", lambda: growing_is_refused(asked))
        with pytest.raises(CommandRejected, match="is being recorded"):
            asked.verify("tonic_1")
        partly = fetch_session(asked, "tonic_1", tmp_path / "partly")
        assert len(partly.files) >= 2 and all("being recorded" in why for why in partly.left_out.values())
        status = daemon.call("record_stop", timeout_s=6 * START_S)
        wait_for("the list to say so", lambda: not asked.summary("tonic_1")["running"])
        session = asked.recording("tonic_1")
        assert session["state"] == "complete" and session["notes"] == "a class" and session["n_notes"] == 2
        assert session["gaps"] == status["devices"]["alpha"]["gaps"]
        n_samples = sum(f["n_samples"] for f in session["files"])
        assert n_samples == status["devices"]["alpha"]["samples"]
        n_steps = session["files"][-1]["last_step"] + 1 - session["files"][0]["first_step"]
        assert session["duration_s"] == pytest.approx(n_steps / 10_000, rel=0.1)
        fetched = fetch_session(asked, "tonic_1", tmp_path / "partly")
        assert fetched.left_out == {} and 0 < fetched.n_bytes < session["n_bytes"]
    original = daemon.data / "recordings" / "tonic_1"
    for path in original.rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            assert (tmp_path / "partly" / "tonic_1" / path.relative_to(original)).read_bytes() == path.read_bytes()
    assert json.loads(run(daemon, "verify", "tonic_1", "--json"))["ok"] is True
    assert "good" in run(daemon)
    assert json.loads(run(daemon, "--json"))["sessions"][0]["verification"]["state"] == "good"
    out = run(daemon, "fetch", "tonic_1", "--csv", "--out", str(tmp_path))
    (csv,) = (tmp_path / "tonic_1").glob("*.csv")
    assert str(csv) in out and len(csv.read_text().splitlines()) == n_samples + 1
    (example,) = re.findall(r"^```python\n(.*?)^```$", page(), re.MULTILINE | re.DOTALL)
    environment = {**os.environ, "SPIKEDAQ_URL": daemon.url, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("tonic_1 ")
    assert len(list(tmp_path.glob("data/tonic_1/alpha/*.nwb"))) == len(session["files"])


def growing_is_refused(asked: LibraryClient) -> bool:
    """Ask for the file that grows; at any moment it may be closed, and the next not be there yet."""
    growing = [f["name"] for f in asked.recording("tonic_1")["files"] if f["state"] == "open"]
    try:
        list(asked.pieces("tonic_1", "alpha", growing[0]))
    except CommandRejected as error:
        return error.code == "not_closed"
    return False


def page() -> str:
    return (ROOT / "docs" / "how-to" / "fetch-recordings.md").read_text("utf-8")


def test_another_folder_is_checked_used_and_remembered(daemon: DaemonProcess, tmp_path: Path) -> None:
    """Nothing is made where nothing can be recorded; what was recorded elsewhere is listed, also by the next daemon."""
    (tmp_path / "file").touch()
    with pytest.raises(SpikedaqError, match="is a file, or lies beneath one"):
        daemon.call(
            "record_start", session="s", folder=str(tmp_path / "file" / "below" / "more"), timeout_s=6 * START_S
        )
    disk = tmp_path / "disk" / "class-a"
    daemon.call("record_start", session="elsewhere", folder=str(disk), timeout_s=6 * START_S)
    daemon.call("record_stop", timeout_s=6 * START_S)
    with library(daemon) as asked:
        wait_for("the list", lambda: [s["folder"] for s in asked.recordings()] == [str(disk)])
        with pytest.raises(CommandRejected, match="clients may look at"):
            asked.folders(str(disk))
        assert asked.check_folder(str(daemon.data / "recordings" / "new"), "s")["ok"]
        assert [f["path"] for f in asked.folders()["folders"]] == [str(daemon.data / "recordings")]
    daemon.stop()
    daemon.start()
    wait_for("the history", lambda: daemon.call("hello")["history"])
    with library(daemon) as asked:
        assert [s["session"] for s in asked.recordings()] == ["elsewhere"]
        shutil.rmtree(disk)
        wait_for("the list to be empty", lambda: list(asked.recordings()) == [])
        assert asked.page()["problems"][0]["folder"] == str(disk)


def test_folders_of_the_configuration_are_the_only_ones(tmp_path: Path) -> None:
    """With `[recording] folders` a client records there and in recordings, and nowhere else."""
    disk = tmp_path / "disk"
    disk.mkdir()
    config = f'[recording]\nfolders = ["{disk}"]\n'
    with DaemonProcess(tmp_path / "data", {"alpha": SIM}, config=config) as daemon:
        wait_for("the device to run", lambda: daemon.call("list")[0]["state"] == "running")
        wait_for("the history", lambda: daemon.call("hello")["history"])
        with pytest.raises(SpikedaqError, match=r"\[recording\]"):
            daemon.call("record_start", session="s", folder=str(tmp_path / "other"), timeout_s=6 * START_S)
        assert not (tmp_path / "other").exists()
        daemon.call("record_start", session="s", folder=str(disk / "class-b"), timeout_s=6 * START_S)
        daemon.call("record_stop", timeout_s=6 * START_S)
        with library(daemon) as asked:
            assert [f["name"] for f in asked.folders(str(disk))["folders"]] == ["class-b"]
            assert asked.folders(str(disk / "class-b"))["folders"][0]["is_session"] is True
            assert asked.recording("s")["folder"] == str(disk / "class-b")
