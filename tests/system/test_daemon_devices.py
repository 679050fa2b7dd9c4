"""The daemon with real virtual devices over real pseudo-terminals: what is published is what the device made."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from harness import DaemonProcess, read_truth, runs, wait_for
from spikedaq.inlet import connect
from spikedaq.link import find_device_program
from spikedaq.model import CommandRejected

N_BLOCKS = 100


class Board:
    """A spikedaq-device of our own behind a symbolic link, to be killed and started again."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.path = folder / "tty"
        self.options = options
        self.process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"pty:{self.path}"

    def start(self, *more: str) -> None:
        command = [str(find_device_program()), "--pty", str(self.path), "--name", "alpha", *self.options, *more]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline().startswith("ready pty")

    def end(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait()
            self.process.stdout.close()  # type: ignore[union-attr]
            self.process.stdin.close()  # type: ignore[union-attr]
            self.process = None


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    board = Board(tmp_path, "--param", "i_clamp=15", "--boot-id", "100")
    yield board
    board.end(signal.SIGKILL)


def entry(daemon: DaemonProcess, name: str = "alpha") -> dict[str, object]:
    return next(e for e in daemon.call("status")["devices"] if e["name"] == name)


def test_published_blocks_equal_the_devices_truth(tmp_path: Path) -> None:
    """Every published block is seamless with the last and equal to what the device says it made, step by step."""
    truth = tmp_path / "alpha.truth"
    url = f"sim:alpha?preset=0&param.i_clamp=15&seed=1&truth={truth}"
    blocks = []
    with DaemonProcess(tmp_path / "data", {"alpha": url}) as daemon:
        wait_for("the device to run", lambda: entry(daemon)["state"] == "running")
        with connect(daemon.url) as bench:
            assert bench.devices == ["alpha"]
            for block in bench.blocks("alpha", timeout_s=10):
                blocks.append(block)
                if len(blocks) == N_BLOCKS:
                    break
        assert daemon.stop() == 0
    assert len(blocks) == N_BLOCKS
    made = read_truth(truth)
    for before, after in pairwise(blocks):
        assert after.first_step == before.first_step + len(before.samples)
        assert after.header["n"] == before.header["n"] + 1
        assert after.missed == 0
        assert after.t_host_ns is not None
        assert before.t_host_ns is not None
        assert after.t_host_ns > before.t_host_ns
    first = int(blocks[0].first_step - made["step"][0])
    samples = np.concatenate([block.samples for block in blocks])
    np.testing.assert_array_equal(samples, made["values"][first : first + len(samples)])
    ticks = np.array([block.first_tick for block in blocks])
    rows = first + np.cumsum([0, *(len(block.samples) for block in blocks[:-1])])
    np.testing.assert_array_equal(ticks, made["tick"][rows])


def test_parameters_and_presets_over_the_control_socket(tmp_path: Path) -> None:
    """Values are set and read back in the device itself, and the event of the change is published."""
    with DaemonProcess(tmp_path / "data", {"alpha": "sim:alpha"}) as daemon:
        wait_for("the device to run", lambda: entry(daemon)["state"] == "running")
        assert daemon.call("set", device="alpha", values={"i_clamp": 12.5, "preset": 3}) == {
            "i_clamp": {"value": 12.5, "holder": "host"},
            "preset": {"value": 3.0, "holder": "host"},
        }
        assert daemon.call("get", device="alpha", name="i_clamp") == {"value": 12.5, "holder": "host"}
        described = daemon.call("describe", device="alpha")
        presets, parameters = described["presets"], {p["name"]: p for p in described["parameters"]}
        assert parameters["a"]["value"] == pytest.approx(presets[3]["a"])
        assert described["channels"][0]["name"] == "vm"
        daemon.call("stimulus", device="alpha", rows=[0, 5000] * 300, loop=True)
        with connect(daemon.url) as bench:
            seen = set()
            for block in bench.blocks("alpha", timeout_s=10):
                seen |= set(block.samples[:, 1].tolist())
                if {0, 50} <= seen:
                    break
            assert {0, 50} <= seen
        daemon.call("stimulus", device="alpha", stop=True)
        first = daemon.call("stop", device="alpha")["next_step"]
        assert entry(daemon)["state"] == "stopped"
        assert daemon.call("start", device="alpha")["first_step"] >= first
        assert daemon.stop() == 0


def test_killed_device_comes_back_by_itself(tmp_path: Path, board: Board) -> None:
    """kill -9 of the device is a lost link; started again it is found, seen as another boot, and streams."""
    board.start()
    with DaemonProcess(tmp_path / "data", {"alpha": board.url, "beta": "sim:beta"}) as daemon:
        wait_for("both to run", lambda: {e["state"] for e in daemon.call("list")} == {"running"})
        boot = entry(daemon)["boot"]
        before = entry(daemon, "beta")
        board.end(signal.SIGKILL)
        wait_for("the loss to be told", lambda: entry(daemon)["state"] == "lost")
        with pytest.raises(CommandRejected, match="alpha takes no commands now"):
            daemon.call("set", device="alpha", values={"i_clamp": 1})
        board.start("--boot-id", "200")
        wait_for("its return", lambda: entry(daemon)["state"] == "running")
        samples = entry(daemon)["samples"]
        wait_for("samples", lambda: entry(daemon)["samples"] > samples)
        assert entry(daemon)["boot"] not in (boot, None)
        after = entry(daemon, "beta")
        assert after["samples"] > before["samples"]
        assert (after["gaps"], after["reconnects"]) == ({"lost": 0, "overrun": 0, "dropped": 0}, 0)
        assert daemon.stop() == 0


def test_reboot_is_followed(tmp_path: Path, board: Board) -> None:
    """A reboot is another boot on the same link: described again, streaming again, parameters as the board has them."""
    board.start()
    with DaemonProcess(tmp_path / "data", {"alpha": board.url}) as daemon:
        wait_for("the device to run", lambda: entry(daemon)["state"] == "running")
        daemon.call("set", device="alpha", values={"i_clamp": 3})
        boot = entry(daemon)["boot"]
        daemon.call("reset", device="alpha", scope="reboot")
        wait_for("the new boot", lambda: entry(daemon)["boot"] not in (boot, None))
        wait_for("the device to run", lambda: entry(daemon)["state"] == "running")
        samples = entry(daemon)["samples"]
        wait_for("samples", lambda: entry(daemon)["samples"] > samples)
        assert daemon.call("get", device="alpha", name="i_clamp")["value"] != 3
        assert entry(daemon)["reconnects"] == 0
        assert daemon.stop() == 0


def test_stopped_process_is_silent_then_back(tmp_path: Path, board: Board) -> None:
    """A device that hangs (SIGSTOP) is reported silent, and runs again once it goes on."""
    board.start()
    with DaemonProcess(tmp_path / "data", {"alpha": board.url}) as daemon:
        wait_for("the device to run", lambda: entry(daemon)["state"] == "running")
        assert board.process is not None
        os.kill(board.process.pid, signal.SIGSTOP)
        wait_for("the alarm", lambda: entry(daemon)["state"] == "silent")
        assert "nothing has come from it" in str(entry(daemon)["detail"])
        os.kill(board.process.pid, signal.SIGCONT)
        wait_for("its return", lambda: entry(daemon)["state"] == "running")
        assert daemon.stop() == 0


def test_daemon_ends_its_virtual_devices(tmp_path: Path) -> None:
    """Virtual devices end with the daemon, also when it is killed."""
    daemon = DaemonProcess(tmp_path / "data", {"alpha": "sim:alpha"})
    for end in (daemon.stop, daemon.kill):
        daemon.start()
        wait_for("the device to run", lambda: entry(daemon)["state"] == "running")
        assert daemon.process is not None
        children = Path(f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/children").read_text().split()
        (pid,) = [c for c in children if b"spikedaq-device" in Path(f"/proc/{c}/cmdline").read_bytes()]
        end()
        wait_for("the device to end", lambda pid=int(pid): not runs(pid))


def test_self_test_lists_every_input_of_a_running_device(tmp_path: Path) -> None:
    """A self-test while the device streams reads what is at its inputs and changes nothing."""
    with DaemonProcess(tmp_path / "data", {"alpha": "sim:alpha?knob.i_clamp=4095"}) as daemon:
        wait_for("alpha running", lambda: entry(daemon)["state"] == "running")
        daemon.call("set", device="alpha", values={"virtual_light": 5.0})
        before = daemon.call("describe", device="alpha")["parameters"]
        wait_for("a step with light", lambda: daemon.call("self_test", device="alpha")[0]["raw"] == 200)
        rows = daemon.call("self_test", device="alpha")
        assert [row["name"] for row in rows[:2]] == ["photodiode", "current_in"]
        assert rows[0]["period_us"] == 100
        assert [row["raw"] for row in rows if row["name"] == "i_clamp_knob"] == [4095]
        assert daemon.call("describe", device="alpha")["parameters"] == before
        assert entry(daemon)["gaps"] == {"lost": 0, "overrun": 0, "dropped": 0}
