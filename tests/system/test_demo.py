"""The demo, as a user runs it: real devices, a real daemon, real files, and nothing left behind."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path

import h5py
import pytest

from spikedaq.link import find_device_program
from spikedaq.model import LinkOpenError

COMMAND = [sys.executable, "-m", "spikedaq.cli", "demo"]
TIMEOUT_S = 60.0


@pytest.fixture(autouse=True)
def _device() -> None:
    try:
        find_device_program()
    except LinkOpenError as error:
        pytest.fail(str(error))


def processes_of(data: Path) -> list[str]:
    """Command lines of every process that was told this folder, or has a file open in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            opened = [str(fd.readlink()) for fd in (process / "fd").iterdir()]
            if str(data) in command or any(path.startswith(f"{data}/") for path in opened):
                found.append(f"{process.name}: {command}")
    return found


def wait_until(what: str, condition: Callable[[], object], timeout_s: float = TIMEOUT_S) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)


def recorded_samples(data: Path, device: str) -> int:
    files = sorted(data.glob(f"recordings/*/{device}/*.nwb"))
    assert files, f"nothing of {device} was recorded"
    total = 0
    for path in files:
        with h5py.File(path) as file:
            lengths = {len(series["data"]) for series in file["acquisition"].values()}
            assert len(lengths) == 1, f"series of unequal length in {path}"
            total += lengths.pop()
    return total


@pytest.mark.parametrize(("options", "names"), [([], ["alpha", "beta"]), (["--synapses"], ["exc", "inh", "target"])])
def test_off_a_terminal_it_prints_plain_lines_and_ends_by_itself(
    options: list[str], names: list[str], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    done = subprocess.run(
        [*COMMAND, "--data", str(data), "--seconds", "3", *options],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    log = (data / "spikedaqd.log").read_text()
    assert done.returncode == 0, done.stderr + log
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert all(line.isprintable() for line in lines)
    for name in names:
        mine = [line for line in lines if line.startswith(f"{name}: ")]
        assert len(mine) >= 2
        assert re.search(r"running \d+ Hz, gaps none, clock .*, file \S+\.nwb .* free$", mine[-1]), mine[-1]
        samples = recorded_samples(data, name)
        assert samples > 20_000
        assert f"  {name}: {samples} samples, gaps none" in done.stdout
    (path,) = re.findall(r'path = "(.*)"', done.stdout)
    assert Path(path).is_file()
    (folder,) = re.findall(r" export (\S+)$", done.stdout, re.MULTILINE)
    assert Path(folder).is_dir()
    assert processes_of(data) == []


def test_the_excited_and_inhibited_neuron_really_gets_both(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = [*COMMAND, "--data", str(data), "--seconds", "2", "--synapses"]
    subprocess.run(command, stdout=subprocess.DEVNULL, timeout=TIMEOUT_S, check=True)
    (path,) = data.glob("recordings/*/target/*.nwb")
    with h5py.File(path) as file:
        assert file["acquisition/syn1_i/data"][:].max() > 0
        assert file["acquisition/syn2_i/data"][:].min() < 0


def test_without_a_recording_nothing_is_recorded(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = [*COMMAND, "--data", str(data), "--seconds", "1.5", "--no-record", "--rate", "1000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr
    assert "not recording" in done.stdout
    assert list(data.glob("recordings/*/*")) == []


class Terminal:
    """The demo on a pseudo-terminal of its own, as a user sees it."""

    def __init__(self, data: Path, columns: int) -> None:
        self.master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            [*COMMAND, "--data", str(data)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            preexec_fn=os.setsid,  # noqa: PLW1509
            env={**os.environ, "TERM": "xterm-256color"},
        )
        os.close(slave)
        self.text = ""

    def read_until(self, pattern: str) -> None:
        end = time.monotonic() + TIMEOUT_S
        while not re.search(pattern, self.text):
            assert time.monotonic() < end, f"{pattern!r} never came; so far:\n{self.text}"
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    data = os.read(self.master, 65536)
                except OSError:
                    data = b""
                assert data, f"the demo ended before {pattern!r}:\n{self.text}"
                # Colours and cursor movements are rich's; what is read is the text.
                self.text += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode(errors="replace"))

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)


def test_on_a_terminal_ctrl_c_ends_it_cleanly_with_every_sample_kept(tmp_path: Path) -> None:
    data = tmp_path / "data"
    terminal = Terminal(data, columns=100)
    try:
        terminal.read_until(r"alpha +running .*\.nwb .*\r\nbeta +running .*\.nwb +\d+\.\d [kM]B")
        # To the foreground group, as the terminal does it.
        os.killpg(terminal.process.pid, signal.SIGINT)
        terminal.read_until(r"h5dump -n \S+")
        assert terminal.process.wait(TIMEOUT_S) == 0
    finally:
        terminal.close()
    assert "Traceback" not in terminal.text
    assert re.search(r"session \S+ is complete", terminal.text)
    for name in ("alpha", "beta"):
        assert f"  {name}: {recorded_samples(data, name)} samples, gaps none" in terminal.text
    wait_until("every process to end", lambda: processes_of(data) == [])


def test_killed_outright_it_takes_its_daemon_and_devices_along(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = [*COMMAND, "--data", str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("alpha: running"):
                break
        process.kill()
    wait_until("the daemon and its children to end", lambda: processes_of(data) == [])
    assert recorded_samples(data, "alpha") > 0


def test_a_second_demo_on_the_same_data_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    command = [*COMMAND, "--data", str(tmp_path / "data"), "--rate", "1000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert any(line.startswith("alpha: running") for line in first.stdout)
        second = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        assert second.returncode == 1
        assert len(second.stderr.splitlines()) == 1
        assert "already used by another spikedaqd" in second.stderr
        assert any(line.startswith("alpha: running") for line in first.stdout)
        first.send_signal(signal.SIGINT)
        assert any("is complete" in line for line in first.stdout)
        assert first.wait(TIMEOUT_S) == 0


def test_a_data_folder_that_cannot_be_is_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    command = [*COMMAND, "--data", str(file / "data")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert str(file) in done.stderr
