"""The boards that the contract holds for: each a process that is started, unplugged, plugged in again and ended."""

from __future__ import annotations

import signal
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path

from harness import DaemonProcess, wait_for
from helpers.simulators import V1_IMAGE, QemuCm4, SimAvr, built
from spikedaq.link import find_device_program


class Board(ABC):
    """A board at the end of a link.

    Attributes
    ----------
    kind : str
        What its hello must say in ``board``.
    url : str
    is_replay : bool
        It only says what was recorded: it refuses to be changed, and has no cable to pull.
    """

    kind: str
    url: str
    is_replay = False

    @abstractmethod
    def unplug(self) -> None:
        """Pull the cable, and with it the power."""

    @abstractmethod
    def plug(self) -> None:
        """Plug it in again: another boot of the same board."""

    @abstractmethod
    def close(self) -> None:
        """End it for good."""


class NativeBoard(Board):
    """The firmware as a process, on a pseudo-terminal or a socket."""

    kind = "native"

    def __init__(self, folder: Path, *, tcp: bool) -> None:
        self._tty = None if tcp else folder / "tty"
        self._port = 0
        self._process: subprocess.Popen[str] | None = None
        self._boots = 0
        self.plug()
        self.url = f"tcp:127.0.0.1:{self._port}" if tcp else f"pty:{self._tty}"

    def plug(self) -> None:
        """Start the process; its port stays the same."""
        self._boots += 1
        link = ["--tcp", f"127.0.0.1:{self._port}"] if self._tty is None else ["--pty", str(self._tty)]
        command = [str(find_device_program()), *link, "--name", "contract", "--boot-id", str(100 * self._boots)]
        self._process = subprocess.Popen([*command, "--die-with-parent"], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        ready = self._process.stdout.readline()
        assert ready.startswith("ready "), f"spikedaq-device ended with {self._process.wait()}"
        if self._tty is None:
            self._port = int(ready.rpartition(":")[2])

    def unplug(self) -> None:
        """Kill the process."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    close = unplug


class AvrBoard(Board):
    """The real image of Spikeling v1 on a simulated ATmega328P, every knob in the middle."""

    kind = "v1"

    def __init__(self, folder: Path) -> None:
        inputs = [f"--adc={channel}=2500" for channel in (3, 5, 6, 7)]
        knobs = [word for text in inputs for word in text.split("=", 1)]
        options = [*knobs, "--eeprom", str(folder / "eeprom")]
        self._runner = SimAvr(built(V1_IMAGE, "firmware-v1"), *options, link=folder / "v1")
        self.url = self._runner.url

    def unplug(self) -> None:
        """The terminal goes."""
        self._runner.unplug()

    def plug(self) -> None:
        """A new terminal comes, and a power-on reset."""
        self._runner.plug()

    def close(self) -> None:
        """End the simulator."""
        self._runner.__exit__()


class Cm4Board(Board):
    """The Cortex-M4F image in QEMU, in real time."""

    kind = "qemu_cm4"

    def __init__(self, folder: Path) -> None:
        self._boots = 1
        self._qemu = QemuCm4("boot_id=100", "seed=1")
        self.url = self._qemu.url

    def unplug(self) -> None:
        """End QEMU: its socket closes."""
        self._qemu.stop()

    def plug(self) -> None:
        """Start it anew on the same port."""
        self._boots += 1
        self._qemu.start(f"boot_id={100 * self._boots}", "seed=1")

    def close(self) -> None:
        """End QEMU."""
        self._qemu.stop()


class ReplayBoard(Board):
    """The journal of a native board, a minute long, played again and again."""

    kind = "native"
    is_replay = True
    STEPS = 600_000

    def __init__(self, folder: Path) -> None:
        source = f"sim:source?fast=1&duration={self.STEPS}&param.i_clamp=10&seed=5"
        with DaemonProcess(folder / "source", {"source": source}) as daemon:
            wait_for("a minute of samples", lambda: daemon.call("status")["devices"][0]["samples"] == self.STEPS, 60)
            assert daemon.stop() == 0
        self.url = f"replay:{folder}/source/journal/source?loop=1"

    def unplug(self) -> None:
        """There is no cable."""
        raise NotImplementedError

    plug = unplug

    def close(self) -> None:
        """Nothing runs but the daemon."""


BOARDS = {
    "native-pty": lambda folder: NativeBoard(folder, tcp=False),
    "native-tcp": lambda folder: NativeBoard(folder, tcp=True),
    "v1-simavr": AvrBoard,
    "cm4-qemu": Cm4Board,
    "replay": ReplayBoard,
}
"""How to make each board; the names are those of the tests."""
