"""`spikedaqd` and `spikedaq sim` as processes: what they refuse, and what they say when ready."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

DAEMON = [sys.executable, "-m", "spikedaq.cli.daemon"]
TIMEOUT_S = 30.0


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*DAEMON, *options], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def ends_with_one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if line.startswith("spikedaqd: ")]
    assert len(said) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return said[0]


def free_endpoints() -> list[str]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        ports = [probe.getsockname()[1] for probe in (one, two)]
    return ["--control", f"tcp://127.0.0.1:{ports[0]}", "--publish", f"tcp://127.0.0.1:{ports[1]}"]


def test_check_says_what_was_understood_and_makes_nothing(tmp_path: Path) -> None:
    config = tmp_path / "spikedaq.toml"
    config.write_text('bench = "lab"\ndata = "d"\n[[device]]\nname = "alpha"\nurl = "serial:/dev/ttyUSB0"\n')
    done = run("--config", str(config), "--device", "beta=sim:beta", "--check", *free_endpoints())
    assert done.returncode == 0, done.stderr
    for text in ("bench lab", f"data {tmp_path}/d", "device alpha: serial:/dev/ttyUSB0", "device beta: sim:beta"):
        assert text in done.stdout
    assert list(tmp_path.iterdir()) == [config]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--device", "alpha"], "'alpha' is not NAME=URL"),
        (["--device", "a/b=sim:x"], "device name 'a/b'"),
        (["--device", "a=usb:x"], "no known scheme"),
        (["--bench", ".."], "bench name"),
        (["--config", "/no/such/file.toml"], "/no/such/file.toml cannot be read"),
        (["--publish", "tcp://0.0.0.0:5570"], "could be reached from other computers"),
        (["--data", "/dev/null/data"], "/dev/null"),
    ],
)
def test_what_cannot_be_is_refused_with_one_line(options: list[str], says: str, tmp_path: Path) -> None:
    for check in ([], ["--check"]):
        data = [] if "--data" in options else ["--data", str(tmp_path / "data")]
        assert says in ends_with_one_line(run(*free_endpoints(), *data, *options, *check))


@pytest.mark.parametrize("option", ["--control", "--publish"])
def test_a_port_in_use_is_named_with_its_holder(option: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        endpoint = f"tcp://127.0.0.1:{holder.getsockname()[1]}"
        for check in ([], ["--check"]):
            options = [*free_endpoints(), "--data", str(tmp_path / "data"), option, endpoint, *check]
            line = ends_with_one_line(run(*options))
            assert f"{endpoint} is already in use" in line
            assert option in line


def test_sim_says_which_url_to_use_and_ends_on_ctrl_c() -> None:
    command = [sys.executable, "-m", "spikedaq.cli", "sim", "--rate", "1000", "--preset", "2", "--param", "i_clamp=15"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("pty:/dev/pts/")
        assert Path(url.removeprefix("pty:")).is_char_device()
        assert f"NAME={url}" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_S) == 0


def test_sim_passes_on_what_the_device_refuses() -> None:
    command = [sys.executable, "-m", "spikedaq.cli", "sim", "--nonsense", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 1
    assert "nonsense" in done.stderr
