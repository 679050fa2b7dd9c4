"""What the daemon is given wrongly: each gets one clear answer, and everything else goes on."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import random
import signal
import subprocess
import sys
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import DaemonProcess, recorder_pids, wait_for
from spikedaq.model import CommandError, CommandRejected
from spikedaq.recorder import verify
from spikedaq.store import find_files, open_recording

GOOD = "sim:good?param.i_clamp=15"


def entry(daemon: DaemonProcess, name: str) -> dict[str, object]:
    return next(e for e in daemon.call("status")["devices"] if e["name"] == name)


@contextlib.contextmanager
def bench(tmp_path: Path, **devices: str) -> Iterator[DaemonProcess]:
    """Run a daemon with a good device and some bad ones; the good one must be unharmed at the end."""
    with DaemonProcess(tmp_path / "data", {"good": GOOD, **devices}) as daemon:
        wait_for("the good device to run", lambda: entry(daemon, "good")["state"] == "running")
        yield daemon
        good = entry(daemon, "good")
        assert good["state"] == "running"
        assert good["gaps"] == {"lost": 0, "overrun": 0, "dropped": 0}
        assert good["bad_frames"] == 0
        samples = good["samples"]
        wait_for("more samples", lambda: entry(daemon, "good")["samples"] > samples)
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log()


@contextlib.contextmanager
def noisy_terminal(seed: int) -> Iterator[str]:
    """Give a pseudo-terminal whose other side sends random bytes, as fast as they are taken."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    path = os.ttyname(slave)
    rng = random.Random(seed)
    stop = threading.Event()

    os.set_blocking(master, False)

    def send() -> None:
        while not stop.wait(0.005):  # some 200 kB/s, more than a 10 kHz device sends
            with contextlib.suppress(OSError):  # full, or nobody has it open at the moment
                os.write(master, rng.randbytes(1000))
            with contextlib.suppress(OSError):
                os.read(master, 65536)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield path
    finally:
        stop.set()
        thread.join()
        os.close(master)
        os.close(slave)


def test_random_bytes_are_refused_with_a_sample_and_disturb_nobody(tmp_path: Path) -> None:
    """A port that sends noise is refused again and again, and the other device loses nothing."""
    with noisy_terminal(5) as path, bench(tmp_path, noise=f"pty:{path}") as daemon:
        wait_for("the refusal", lambda: entry(daemon, "noise")["state"] == "refused", 30)
        detail = str(entry(daemon, "noise")["detail"])
        assert f"pty:{path} speaks something else than the spikedaq protocol" in detail
        assert "beginning with b" in detail


def test_bad_ports_are_each_named(tmp_path: Path) -> None:
    """Absent, busy, wrong and foreign-version devices each say what they are; the bench runs."""
    master, slave = pty.openpty()
    busy = os.ttyname(slave)
    fcntl.flock(slave, fcntl.LOCK_EX)
    plain = tmp_path / "plain"
    plain.touch()
    with bench(
        tmp_path,
        absent=f"serial:{tmp_path}/ttyUSB7",
        busy=f"pty:{busy}",
        plain=f"serial:{plain}",
        future="sim:future?protocol_major=9",
        refused="tcp:127.0.0.1:9",
    ) as daemon:
        expected = {
            "absent": ("lost", f"{tmp_path}/ttyUSB7 does not exist; plug the board in"),
            "busy": ("lost", f"{busy} is in use by another program; close it"),
            "plain": ("lost", f"{plain} is not a serial port or terminal"),
            "future": ("refused", "the device speaks protocol 9.1 and this package protocol 1.1; update this package"),
            "refused": ("lost", "tcp:127.0.0.1:9 refuses the connection"),
        }
        for name, (state, words) in expected.items():
            wait_for(f"{name} to be told", lambda n=name, s=state: entry(daemon, n)["state"] == s)
            assert words in str(entry(daemon, name)["detail"]), entry(daemon, name)
        for name in expected:
            with pytest.raises(CommandRejected, match=rf"cannot record: {name} is (lost|refused)") as caught:
                daemon.call("record_start", session="s", devices=["good", name])
            assert caught.value.code == "not_running"
    os.close(master)
    os.close(slave)


def test_second_daemon_is_told_and_ends_with_2(tmp_path: Path) -> None:
    """The same data folder, or the same control endpoint, refuses a second daemon; the first does not notice."""
    with bench(tmp_path) as daemon:
        for data, control, words in (
            (daemon.data, "tcp://127.0.0.1:0", "is already used by another spikedaqd (process "),
            (tmp_path / "other", daemon.url, f"{daemon.url} is already in use"),
        ):
            command = [sys.executable, "-m", "spikedaq.cli.daemon", "--data", str(data), "--control", control]
            done = subprocess.run(
                [*command, "--publish", "tcp://127.0.0.1:0"], capture_output=True, text=True, timeout=30, check=False
            )
            assert done.returncode == 2, done.stderr
            (line,) = [line for line in done.stderr.splitlines() if line.startswith("spikedaqd: ")]
            assert words in line


@pytest.mark.parametrize("name", ["", "a/b", "..", "a b", "a\0b", ".hidden", "x" * 81])
def test_bad_session_names_are_refused_and_leave_nothing(tmp_path: Path, name: str) -> None:
    """A session name that cannot be a path is refused, and no folder appears."""
    with bench(tmp_path) as daemon:
        with pytest.raises(CommandError, match="session"):
            daemon.call("record_start", session=name)
        assert list((tmp_path / "data" / "recordings").iterdir()) == []


def test_recording_that_cannot_be_begun_is_undone(tmp_path: Path) -> None:
    """Stopped devices, unknown ones, bad folders and used names are refused; the next good start works."""
    file = tmp_path / "file"
    file.touch()
    with bench(tmp_path, idle="sim:idle") as daemon:
        wait_for("the other to run", lambda: entry(daemon, "idle")["state"] == "running")
        daemon.call("stop", device="idle")
        cases: list[tuple[dict[str, object], str, str]] = [
            ({"devices": ["idle"]}, "not_running", "idle is stopped (start it: spikedaq device start idle)"),
            ({}, "not_running", "idle is stopped"),
            ({"devices": ["god"]}, "unknown_device", "did you mean 'good'?"),
            ({"devices": []}, "unknown_device", "no device to record"),
            ({"devices": ["good"], "folder": str(file)}, "store", f"{file} is a file"),
            ({"devices": ["good"], "folder": str(file / "x")}, "store", "is a file, or lies beneath one"),
            ({"devices": ["good"], "folder": "relative"}, "config", "begins with /"),
            ({"devices": ["good"], "folder": "/proc/nothing"}, "store", "/proc/nothing"),
            ({"devices": ["good"], "roll_s": -1}, "bad_arguments", "positive number"),
            ({"device": ["good"]}, "bad_arguments", "did you mean 'devices'?"),
        ]
        for args, code, words in cases:
            with pytest.raises(CommandRejected) as caught:
                daemon.call("record_start", session="s", **args)
            assert (caught.value.code, words in str(caught.value)) == (code, True), (args, str(caught.value))
        assert daemon.call("record_status") is None
        new = tmp_path / "made" / "for" / "it"
        started = daemon.call("record_start", session="s", devices=["good"], folder=str(new))
        assert started["devices"]["good"]["rows_on_disk"] > 0
        with pytest.raises(CommandRejected, match="session 's' is being recorded; stop it first"):
            daemon.call("record_start", session="t", devices=["good"])
        with pytest.raises(CommandRejected, match="'u' is not being recorded; 's' is being recorded"):
            daemon.call("record_stop", session="u")
        assert daemon.call("record_stop")["state"] == "complete"
        with pytest.raises(CommandRejected, match="session 's' exists already"):
            daemon.call("record_start", session="s", devices=["good"], folder=str(new))
        assert json.loads((new / "s" / "session.json").read_text())["state"] == "complete"


def test_read_only_folder_is_refused_with_the_remedy(tmp_path: Path) -> None:
    """A folder that this user may not write is named with chmod; as root, one on a read-only disk."""
    if os.geteuid() == 0:
        folder, words = Path("/sys/fs"), "/sys/fs"
    else:
        folder, words = tmp_path / "locked", "chmod u+w"
        folder.mkdir(mode=0o500)
    with bench(tmp_path) as daemon, pytest.raises(CommandRejected) as caught:
        daemon.call("record_start", session="s", folder=str(folder))
    assert words in str(caught.value)
    assert caught.value.code == "store"


def test_killed_recorder_is_started_again_at_once(tmp_path: Path) -> None:
    """kill -9 of the recorder: another takes over, the status says so, and the session ends complete."""
    with bench(tmp_path) as daemon:
        daemon.call("record_start", session="s")
        folder = tmp_path / "data" / "recordings" / "s"
        (pid,) = recorder_pids(folder)
        os.kill(pid, signal.SIGKILL)
        wait_for("another recorder", lambda: set(recorder_pids(folder)) - {pid})
        before = daemon.call("record_status")["devices"]["good"]["rows_on_disk"]
        wait_for("more rows", lambda: daemon.call("record_status")["devices"]["good"]["rows_on_disk"] > before)
        status = daemon.call("record_stop")
        assert (status["state"], status["restarts"]) == ("complete", 1)


def test_session_goes_on_after_a_daemon_was_killed(tmp_path: Path) -> None:
    """A killed daemon's session is taken up by the next without being asked, also in a folder of its own."""
    daemon = DaemonProcess(tmp_path / "data", {"good": GOOD})
    elsewhere = tmp_path / "elsewhere"
    with daemon:
        wait_for("the device to run", lambda: entry(daemon, "good")["state"] == "running")
        daemon.call("record_start", session="s", folder=str(elsewhere))
        daemon.kill()
        daemon.start()
        wait_for("the device to run", lambda: entry(daemon, "good")["state"] == "running")
        wait_for("the file to grow again", lambda: daemon.call("record_status")["state"] == "recording")
        wait_for("a second file", lambda: len(find_files(elsewhere / "s", "good")) == 2)
        with pytest.raises(CommandRejected, match="session 's' is being recorded"):
            daemon.call("record_start", session="t")
        assert daemon.call("record_stop")["state"] == "complete"
        assert daemon.stop() == 0
    for path in find_files(elsewhere / "s", "good"):
        with open_recording(path) as recording:
            assert recording.n_samples > 0
    assert not (tmp_path / "data" / "active-session.json").exists()


def test_clean_end_closes_the_recording(tmp_path: Path) -> None:
    """Ctrl-C while recording: the session is complete, with the reason, and nothing is left running."""
    with DaemonProcess(tmp_path / "data", {"good": GOOD}) as daemon:
        wait_for("the device to run", lambda: entry(daemon, "good")["state"] == "running")
        daemon.call("record_start", session="s")
        assert daemon.stop() == 0
    folder = tmp_path / "data" / "recordings" / "s"
    plan = json.loads((folder / "session.json").read_text())
    assert (plan["state"], plan["reason"]) == ("complete", "shutdown")
    assert not recorder_pids(folder)
    assert "Traceback" not in daemon.log()


def test_a_restart_of_the_service_goes_on_with_the_recording(tmp_path: Path) -> None:
    """SIGTERM, as of systemctl restart or a reboot: files are closed, and the next daemon takes the session up."""
    folder = tmp_path / "data" / "recordings" / "s"
    with DaemonProcess(tmp_path / "data", {"good": GOOD}) as daemon:
        wait_for("the device to run", lambda: entry(daemon, "good")["state"] == "running")
        daemon.call("record_start", session="s")
        assert daemon.process is not None
        daemon.process.terminate()
        assert daemon.process.wait(30) == 0
        assert not recorder_pids(folder)
        plan = json.loads((folder / "session.json").read_text())
        assert plan["state"] == "recording"
        (first,) = find_files(folder)
        with open_recording(first) as recording:
            assert recording.ending is not None
        daemon.start()
        wait_for("the session to go on", lambda: len(find_files(folder)) == 2)
        assert daemon.call("record_stop")["state"] == "complete"
        assert daemon.stop() == 0
    assert [f for f in verify([folder]) if f.is_problem] == []
    assert "Traceback" not in daemon.log()


def test_device_that_goes_while_recording_can_be_stopped_without_it(tmp_path: Path) -> None:
    """A recording whose device has gone is closed properly, with what came."""
    with bench(tmp_path, other="sim:other") as daemon:
        wait_for("both to run", lambda: entry(daemon, "other")["state"] == "running")
        daemon.call("record_start", session="s")
        pid = _device_pid(daemon, b"other")
        os.kill(pid, signal.SIGSTOP)
        wait_for("the silence", lambda: entry(daemon, "other")["state"] == "silent")
        status = daemon.call("record_stop")
        assert status["state"] == "complete"
        assert status["devices"]["other"]["rows_on_disk"] > 0
        os.kill(pid, signal.SIGCONT)


def _device_pid(daemon: DaemonProcess, name: bytes) -> int:
    assert daemon.process is not None
    children = Path(f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/children").read_text().split()
    for child in children:
        words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        if b"--name" in words and words[words.index(b"--name") + 1] == name:
            return int(child)
    raise AssertionError(f"no device {name!r} among {children}")
