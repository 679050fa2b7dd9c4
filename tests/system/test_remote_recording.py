"""`spikedaq record --from URL` beside a real daemon: the same samples, whatever is killed or away meanwhile."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import DaemonProcess, history_pids, journal_blocks, recorder_pids, wait_for
from spikedaq.store import find_files, open_recording

DEVICES = {"alpha": "sim:alpha?preset=1&rate=10000&seed=3", "beta": "sim:beta?preset=4&rate=10000&seed=4"}
SEED = int(os.environ.get("REMOTE_SEED", "1"))
ROUNDS = int(os.environ.get("REMOTE_ROUNDS", "6"))


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[DaemonProcess]:
    with DaemonProcess(tmp_path / "data", DEVICES) as process:
        wait_for("the devices to run", lambda: all(d["state"] == "running" for d in process.call("list")))
        wait_for("the history", lambda: process.call("hello")["history"])
        yield process


class Remote:
    """The command, started as often as it takes."""

    def __init__(self, url: str, folder: Path, *more: str) -> None:
        command = [sys.executable, "-m", "spikedaq.cli", "record", "--from", url, "--folder", str(folder)]
        self.command = [*command, "--session", "away", "--json", *more]
        self.folder = folder / "away"
        self.log_path = folder.parent / "remote.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def said(self) -> dict[str, Any]:
        """Return what the command said last."""
        lines = [line for line in self.log_path.read_text().splitlines() if line.startswith('{"session"')]
        said: dict[str, Any] = json.loads(lines[-1]) if lines else {"devices": {}}
        return said

    def on_disk(self) -> dict[str, int]:
        """Samples per device that a reader sees, as the command said last."""
        return {name: entry["rows_on_disk"] for name, entry in self.said()["devices"].items()}

    def wait_for_more(self) -> None:
        before = sum(self.on_disk().values())
        wait_for("more on disk", lambda: self.on_disk() and sum(self.on_disk().values()) > before + 2000, 40.0)

    def stop(self, number: signal.Signals = signal.SIGINT, status: int = 0) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        assert self.process.wait(60) == status, self.log_path.read_text()[-3000:]


Samples = dict[int, tuple[np.ndarray, np.ndarray]]
"""By boot: steps, and samples of shape (n, 8)."""


def collected(pieces: Iterable[tuple[int, int, np.ndarray]]) -> Samples:
    """Put blocks (boot, first step, samples) together; a step that comes twice or out of order fails."""
    by_boot: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
    for boot_id, first_step, samples in pieces:
        by_boot.setdefault(boot_id, []).append((np.arange(first_step, first_step + len(samples)), samples))
    found = {}
    for boot_id, parts in by_boot.items():
        steps = np.concatenate([part[0] for part in parts])
        assert (np.diff(steps) > 0).all()
        found[boot_id] = steps, np.concatenate([part[1] for part in parts])
    return found


def in_files(folder: Path, device: str) -> Samples:
    """All samples of a device in closed files."""
    pieces = []
    for path in find_files(folder, device):
        with open_recording(path) as file:
            samples, at = file.samples(), 0
            for row in file.blocks:
                n = int(row["n_samples"])
                pieces.append((int(row["boot_id"]), int(row["first_step"]), samples[at : at + n]))
                at += n
    return collected(pieces)


def check_against_journal(daemon: DaemonProcess, folder: Path) -> None:
    """Between its first and its last sample a remote recording has all that the daemon's journal has."""
    for device in DEVICES:
        found = in_files(folder, device)
        journal = in_journal(daemon, device)
        boots = [boot_id for boot_id in journal if boot_id in found]
        assert boots == list(found)
        assert boots == list(journal)[list(journal).index(boots[0]) : list(journal).index(boots[-1]) + 1]
        n = 0
        for boot_id in boots:
            steps, samples = journal[boot_id]
            first = found[boot_id][0][0] if boot_id == boots[0] else 0
            last = found[boot_id][0][-1] if boot_id == boots[-1] else 2**62
            chosen = (steps >= first) & (steps <= last)
            np.testing.assert_array_equal(found[boot_id][0], steps[chosen])
            np.testing.assert_array_equal(found[boot_id][1], samples[chosen])
            n += int(chosen.sum())
        assert n > 5000


def test_local_and_remote_files_hold_the_same_samples(daemon: DaemonProcess, tmp_path: Path) -> None:
    """What is recorded on both sides is the same, with times that differ by what the sessions' beginnings do."""
    daemon.call("record_start", session="away")  # the same name: its end is none of the remote one
    remote = Remote(daemon.url, tmp_path / "there")
    remote.start()
    wait_for("samples", remote.on_disk)
    remote.wait_for_more()
    daemon.call("record_stop")
    remote.wait_for_more()
    remote.stop()
    check_against_journal(daemon, remote.folder)
    for device in DEVICES:
        here = in_files(daemon.data / "recordings" / "away", device)
        there = in_files(remote.folder, device)
        (boot_id,) = here
        _, ours, theirs = np.intersect1d(here[boot_id][0], there[boot_id][0], return_indices=True)
        assert len(ours) > 2000
        np.testing.assert_array_equal(here[boot_id][1][ours], there[boot_id][1][theirs])
        with open_recording(find_files(remote.folder, device)[0]) as copy:
            told = {key: value for key, value in copy.config.items() if key not in ("recorded_from", "daemon")}
            assert told == daemon.call("configuration")
            assert (copy.config["recorded_from"], copy.meta.recording["triggers"]) == (daemon.url, [])
    session = json.loads((remote.folder / "session.json").read_text())
    assert session["state"] == "complete"
    assert not (remote.folder / "journal").exists()


def test_it_survives_whatever_is_killed(daemon: DaemonProcess, tmp_path: Path) -> None:
    """The command, its recorder, the daemon, its history: every journalled sample is there all the same."""
    rng = random.Random(SEED)
    print(f"REMOTE_SEED={SEED} REMOTE_ROUNDS={ROUNDS}")
    remote = Remote(daemon.url, tmp_path / "there")
    remote.start()
    wait_for("samples", remote.on_disk)
    victims = ["remote", "recorder", "daemon", "history", "pause"]
    for victim in (victims + rng.choices(victims, k=ROUNDS))[:ROUNDS]:
        remote.wait_for_more()
        if victim == "remote":
            remote.kill()
            remote.start()
        elif victim == "recorder":
            for pid in recorder_pids(remote.folder):
                os.kill(pid, signal.SIGKILL)
        elif victim == "daemon":
            daemon.kill()
            daemon.start()
        else:
            assert daemon.process is not None
            pids = history_pids(daemon)
            for pid in pids:
                os.kill(pid, signal.SIGKILL if victim == "history" else signal.SIGSTOP)
            if victim == "pause":
                # Longer than the command waits for an answer: it has to connect anew.
                wait_for("the loss to be noticed", lambda: "copying stands still" in remote.log_path.read_text(), 30.0)
                for pid in pids:
                    os.kill(pid, signal.SIGCONT)
    remote.wait_for_more()
    remote.stop()
    check_against_journal(daemon, remote.folder)


def test_a_bench_that_is_away_at_the_end_is_told_and_fetched_later(daemon: DaemonProcess, tmp_path: Path) -> None:
    """Nothing is called complete while samples are missing; once the bench is back the same command gets them all."""
    remote = Remote(daemon.url, tmp_path / "there")
    remote.start()
    wait_for("samples", remote.on_disk)
    remote.wait_for_more()
    assert daemon.process is not None
    for pid in history_pids(daemon):
        os.kill(pid, signal.SIGSTOP)
    # The journals go on, and the copies do not.
    before = journal_samples(daemon)
    wait_for("more in the journals", lambda: journal_samples(daemon) > before + 20_000)
    pids = history_pids(daemon)
    daemon.kill()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    remote.stop(status=1)
    assert "did not answer at the end" in remote.log_path.read_text()
    assert json.loads((remote.folder / "session.json").read_text())["state"] == "stopping"
    known = {device: in_journal(daemon, device) for device in DEVICES}
    daemon.start()
    wait_for("the history", lambda: daemon.call("hello")["history"])
    remote.start()
    assert remote.process is not None
    assert remote.process.wait(60) == 0, remote.log_path.read_text()[-3000:]
    for device, journal in known.items():
        for boot_id, (steps, _) in in_files(remote.folder, device).items():
            if boot_id in journal:
                assert steps[-1] >= journal[boot_id][0][-1]
    check_against_journal(daemon, remote.folder)


def test_a_restart_of_the_computer_is_no_end_of_the_session(daemon: DaemonProcess, tmp_path: Path) -> None:
    """SIGTERM closes the files and leaves the session; the same command goes on with it, until Ctrl-C."""
    remote = Remote(daemon.url, tmp_path / "there")
    remote.start()
    wait_for("samples", remote.on_disk)
    remote.wait_for_more()
    remote.stop(signal.SIGTERM, 143)
    assert "is left to be taken up again" in remote.log_path.read_text()
    assert json.loads((remote.folder / "session.json").read_text())["state"] == "recording"
    assert recorder_pids(remote.folder) == []
    remote.start()
    remote.wait_for_more()
    remote.stop()
    check_against_journal(daemon, remote.folder)


def test_a_recorder_that_hangs_is_not_called_recording(daemon: DaemonProcess, tmp_path: Path) -> None:
    """It says stalled within seconds, with the file that does not grow, and recording once it does again."""
    remote = Remote(daemon.url, tmp_path / "there")
    remote.start()
    wait_for("a file that grows", lambda: remote.said()["recording"])
    (pid,) = recorder_pids(remote.folder)
    os.kill(pid, signal.SIGSTOP)
    wait_for("the hang to be told", lambda: remote.said()["state"] == "stalled")
    assert not remote.said()["recording"]
    assert "has not moved for" in remote.said()["error"]
    os.kill(pid, signal.SIGCONT)
    wait_for("a file that grows", lambda: remote.said()["recording"])
    remote.stop()
    check_against_journal(daemon, remote.folder)


def in_journal(daemon: DaemonProcess, device: str) -> Samples:
    """All samples of a device in the daemon's journal."""
    return collected((b, f, s) for b, _, f, s in journal_blocks(daemon.data / "journal" / device))


def journal_samples(daemon: DaemonProcess) -> int:
    """How many samples the daemon's journals hold."""
    return sum(len(steps) for device in DEVICES for steps, _ in in_journal(daemon, device).values())


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        ([], 2, "name what to do: start, stop or status"),
        (["--from", "tcp://127.0.0.1:1"], 1, "no spikedaqd answers at tcp://127.0.0.1:1"),
        (["--from", "nonsense"], 1, "'nonsense'"),
    ],
)
def test_what_cannot_be_recorded_is_said(tmp_path: Path, arguments: list[str], status: int, text: str) -> None:
    """A wrong address, or none, leaves nothing behind."""
    command = [sys.executable, "-m", "spikedaq.cli", "record", *arguments, "--folder", str(tmp_path / "there")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == status
    assert text in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "there").exists()


def test_names_and_devices_are_checked(daemon: DaemonProcess, tmp_path: Path) -> None:
    """A device that is not there, and a session that was ended, are refused with nothing changed."""
    remote = Remote(daemon.url, tmp_path / "there", "--device", "gamma")
    remote.start()
    assert remote.process is not None
    assert remote.process.wait(30) == 1
    assert "has no device 'gamma'; it has alpha, beta" in remote.log_path.read_text()
    assert not remote.folder.exists()
    remote = Remote(daemon.url, tmp_path / "there", "--device", "beta", "--seconds", "2")
    remote.start()
    assert remote.process is not None
    assert remote.process.wait(60) == 0, remote.log_path.read_text()
    assert list(remote.on_disk()) == ["beta"]
    remote.start()
    assert remote.process.wait(30) == 2
    assert "is complete; choose another name" in remote.log_path.read_text()
