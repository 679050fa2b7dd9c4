"""What can happen to boards and their links."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from harness import free_ports, wait_for
from helpers.failures.benches import SIM, bench, grows_again, reload, shown
from helpers.failures.kinds import Failure, alarm, failure, refused
from helpers.faulty_device import FaultyDevice
from spikedaq.link import find_device_program


@failure("board unplugged", "device_lost", quick=True)
def unplugged(tmp_path: Path) -> None:
    path = tmp_path / "tty"
    with FaultyDevice(path, "alpha") as board, bench(tmp_path, {"alpha": f"pty:{path}"}) as daemon:
        daemon.running()
        at = board.do("unplug 4", "unplug")
        alarm("board unplugged", daemon, at.time_s)
        refused("board unplugged", daemon, "takes no commands", "set", device="alpha", values={"i_clamp": 1})
        refused("board unplugged", daemon, "cannot be recorded|cannot record", "record_start", session="s")
        wait_for("it to be back", lambda: "device_lost" not in daemon.alarms(), 30)


@failure("samples missing for good", "gap_rate", since="when it is plugged in again, 3 s later")
def gaps(tmp_path: Path) -> None:
    """Longer away than the board's memory lasts: what is missing can be known once it is back, at its first block."""
    path = tmp_path / "tty"
    with FaultyDevice(path, "alpha") as board, bench(tmp_path, {"alpha": f"pty:{path}"}) as daemon:
        daemon.running()
        board.do("unplug 3", "unplug")
        alarm("samples missing for good", daemon, board.heard("plug").time_s)
        assert daemon.device("alpha")["gaps"]["lost"] > 0
        wait_for("the alarm to end", lambda: "gap_rate" not in daemon.alarms(), 30)


@failure("frames lost on the cable", "gap_rate", quick=True)
def frames_lost(tmp_path: Path) -> None:
    """Of a board that cannot send them again."""
    path = tmp_path / "tty"
    with (
        FaultyDevice(path, "alpha", "--resend-depth", "0") as board,
        bench(tmp_path, {"alpha": f"pty:{path}"}) as daemon,
    ):
        daemon.running()
        at = time.monotonic()
        board.do("lose 5", "lose")
        alarm("frames lost on the cable", daemon, at)
        wait_for("the alarm to end", lambda: "gap_rate" not in daemon.alarms(), 30)


@failure("board's program killed", "device_lost")
def board_killed(tmp_path: Path) -> None:
    path = tmp_path / "tty"
    with FaultyDevice(path, "alpha") as board, bench(tmp_path, {"alpha": f"pty:{path}"}) as daemon:
        daemon.running()
        at = time.monotonic()
        board.process.kill()
        alarm("board's program killed", daemon, at)


@failure("board stops", "stream_stalled", quick=True)
def board_stops(tmp_path: Path) -> None:
    path = tmp_path / "tty"
    with FaultyDevice(path, "alpha") as board, bench(tmp_path, {"alpha": f"pty:{path}"}) as daemon:
        daemon.running()
        at = time.monotonic()
        board.process.send_signal(signal.SIGSTOP)
        alarm("board stops", daemon, at)
        refused("board stops", daemon, "answer|takes no", "set", device="alpha", values={"i_clamp": 1})
        board.process.send_signal(signal.SIGCONT)
        wait_for("it to stream again", lambda: not {"stream_stalled", "device_lost"} & set(daemon.alarms()), 30)


@failure("link stalls", "stream_stalled")
def link_stalls(tmp_path: Path) -> None:
    path = tmp_path / "tty"
    with FaultyDevice(path, "alpha") as board, bench(tmp_path, {"alpha": f"pty:{path}"}) as daemon:
        daemon.running()
        at = board.do("stall 4", "stall")
        alarm("link stalls", daemon, at.time_s)
        wait_for("it to end", lambda: "stream_stalled" not in daemon.alarms(), 30)


@failure("wrong board while recording", "device_refused", since="when it is plugged in", quick=True)
def wrong_board(tmp_path: Path) -> None:
    path = tmp_path / "tty"
    board = FaultyDevice(path, "alpha")
    with bench(tmp_path, {"alpha": f"pty:{path}"}) as daemon:
        daemon.running()
        daemon.call("record_start", session="s")
        board.end()
        wait_for("it to be missed", lambda: "device_lost" in daemon.alarms())
        at = time.monotonic()
        with FaultyDevice(path, "another"):
            alarm("wrong board while recording", daemon, at)
            wait_for("it not to be told as recording", lambda: shown(daemon) == "waiting")
        with FaultyDevice(path, "alpha"):
            wait_for("the right one", lambda: not {"device_refused", "device_lost"} & set(daemon.alarms()), 40)
            grows_again(daemon)


def cannot_be_had(name: str, url: Callable[[Path], str]) -> Failure:
    """A device that is added to a bench that runs, and cannot be had from the beginning."""

    def run(tmp_path: Path) -> None:
        with bench(tmp_path, {"beta": "sim:beta"}) as daemon:
            daemon.running()
            daemon.devices["alpha"] = url(tmp_path)
            at = time.monotonic()
            reload(daemon)
            alarm(name, daemon, at)
            refused(name, daemon, "cannot record", "record_start", session="s", devices=["alpha"])

    return run


def plain_file(tmp_path: Path) -> str:
    (tmp_path / "plain").touch()
    return f"serial:{tmp_path}/plain"


for about, raises, where in (
    ("another protocol version", "device_refused", lambda _: "sim:future?protocol_major=9"),
    ("port is missing", "device_lost", lambda tmp_path: f"serial:{tmp_path}/ttyUSB7"),
    ("port is no serial port", "device_lost", plain_file),
    ("board's host refuses", "device_lost", lambda _: f"tcp:127.0.0.1:{free_ports(1)[0]}"),
):
    failure(about, raises)(cannot_be_had(about, where))


@failure("connection is cut", "device_lost")
def connection_cut(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    command = [str(find_device_program()), "--tcp", f"127.0.0.1:{port}", "--name", "alpha", "--die-with-parent"]
    board = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        with bench(tmp_path, {"alpha": f"tcp:127.0.0.1:{port}"}) as daemon:
            daemon.running()
            at = time.monotonic()
            board.kill()
            alarm("connection is cut", daemon, at)
    finally:
        board.kill()
        board.wait()


@failure("clock unfit", "clock_unfit", quick=True)
def clock_unfit(tmp_path: Path) -> None:
    """A device whose link delays by more than the limit allows is added to a bench that runs."""
    with bench(tmp_path, {"beta": "sim:beta"}, config="[alarms]\nclock_s = 0.003\n") as daemon:
        daemon.running()
        assert "clock_unfit" not in daemon.alarms()
        daemon.devices["alpha"] = f"fault:delay_ms=4,jitter_ms=4,seed=1;{SIM}"
        at = time.monotonic()
        reload(daemon)
        alarm("clock unfit", daemon, at)
        assert daemon.alarms()["clock_unfit"]["subject"] == "alpha", "the other one's clock is fit"
