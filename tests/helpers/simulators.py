"""Simulated processors: where the programs are, and how to start them."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CM4_IMAGE = "firmware-cm4/firmware/boards/qemu_cm4/spikedaq-cm4.elf"
GOLDEN = "firmware/test/golden/spikedaq-golden"
V1_IMAGE = "firmware-v1/firmware/boards/v1_nano/spikedaq-v1.elf"


def built(relative: str, target: str) -> Path:
    """Return a file that ``make`` builds, or fail and say how to have it."""
    path = ROOT / "build" / relative
    assert path.exists(), f"{path} is not there; build it:  make {target}"
    return path


def tool(command: str, package: str) -> str:
    """Return the full path of a command, or fail and name the Debian package."""
    found = shutil.which(command)
    assert found is not None, f"{command} is missing; install it:  sudo apt-get install {package}"
    return found


class SimAvr:
    """One spikedaq-simavr. ``url`` is where its UART is, for the daemon; ``name`` what it said of it."""

    def __init__(self, elf: Path, *options: str, link: Path | None = None) -> None:
        command = [str(built("simulator/spikedaq-simavr", "simulator")), "--elf", str(elf), "--lifetime", "300"]
        command += ["--tcp", "0"] if link is None else ["--link", str(link)]
        self.process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.name = self.process.stdout.readline().decode().removeprefix("ready ").strip()
        assert self.name, f"the simulator ended with {self.process.wait()}"
        self.url = f"pty:{link}" if link is not None else "tcp:" + self.name.removeprefix("tcp ")

    @property
    def port(self) -> int:
        """The port, with tcp."""
        return int(self.name.rpartition(":")[2])

    def unplug(self) -> None:
        """Pull the cable, and with it the power."""
        self.process.send_signal(signal.SIGUSR1)

    def plug(self) -> None:
        """Plug it in again."""
        self.process.send_signal(signal.SIGUSR2)

    def stop(self) -> int:
        """End it, so that it writes its report."""
        self.process.terminate()
        return self.process.wait(20)

    def __enter__(self) -> SimAvr:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


class QemuCm4:
    """The Cortex-M4F image in QEMU, in real time, with its UART on a socket."""

    def __init__(self, *arguments: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.url = f"tcp:127.0.0.1:{self._port}"
        self.start(*arguments)

    def start(self, *arguments: str) -> None:
        """Start it on its port, with these arguments for the image."""
        semihosting = ",".join(["enable=on,target=native", *(f"arg={a}" for a in ("spikedaq-cm4", *arguments))])
        # It ends when the tests do, however they end.
        command = [tool("setpriv", "util-linux"), "--pdeathsig", "KILL", tool("qemu-system-arm", "qemu-system-arm")]
        command += ["-M", "mps2-an386", "-display", "none", "-monitor", "none", "-semihosting-config", semihosting]
        command += ["-kernel", str(built(CM4_IMAGE, "firmware-cm4"))]
        command += ["-chardev", f"socket,id=u,host=127.0.0.1,port={self._port},server=on,wait=off,nodelay=on"]
        self.process = subprocess.Popen([*command, "-serial", "chardev:u"])

    def stop(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> QemuCm4:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
