"""Real processes for system tests: a daemon, virtual devices, truth files, and an independent reader of journals."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import msgpack
import numpy as np
from cobs import cobs

from helpers.packed import block_samples
from spikedaq.inlet import ControlClient

START_S = 20.0 * float(os.environ.get("SPIKEDAQ_SLACK", "1"))
"""More on a computer that is busy with other things."""
TRUTH_ROW = np.dtype([("step", "<u8"), ("tick", "<u8"), ("values", "<i2", (8,)), ("voltage_clamp", "?")])
_STORED_ROW = np.dtype([("step", "<u8"), ("tick", "<u8"), ("values", "<i2", (8,))])


def free_ports(n: int) -> list[int]:
    """Return ``n`` loopback ports that were free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def wait_for(what: str, condition: Callable[[], object], timeout_s: float = 20.0) -> object:
    """Poll until ``condition`` returns something true; errors in it count as not yet."""
    end = time.monotonic() + timeout_s
    last: object = None
    while time.monotonic() < end:
        try:
            last = condition()
        except Exception as error:  # noqa: BLE001  a condition may look at what is not there yet
            last = error
        else:
            if last:
                return last
        time.sleep(0.02)
    raise AssertionError(f"waited {timeout_s} s in vain for {what}; last: {last!r}")


def runs(pid: int) -> bool:
    """Whether a process is more than an entry that its parent has not read yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class DaemonProcess:
    """One spikedaqd on loopback ports of its own; may be killed and started again on the same data."""

    def __init__(self, data: Path, devices: dict[str, str], *, bench: str = "bench", config: str = "") -> None:
        self.data = data
        self.devices = devices
        self.bench = bench
        self.config_path: Path | None = None
        if config:
            self.config_path = data.parent / f"{data.name}.toml"
            self.config_path.write_text(config, "utf-8")
        self.control_port, self.publish_port = free_ports(2)
        self.log_path = data.parent / f"{data.name}-daemon.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Control endpoint."""
        return f"tcp://127.0.0.1:{self.control_port}"

    def arguments(self) -> list[str]:
        """What is said on its command line."""
        arguments = ["--config", str(self.config_path)] if self.config_path is not None else []
        arguments += ["--data", str(self.data), "--bench", self.bench]
        arguments += ["--control", self.url, "--publish", f"tcp://127.0.0.1:{self.publish_port}"]
        for name, url in self.devices.items():
            arguments += ["--device", f"{name}={url}"]
        return arguments

    def start(self, *, wait: bool = True) -> None:
        """Start it, and wait until it answers."""
        command = [sys.executable, "-m", "spikedaq.cli.daemon", *self.arguments()]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        if wait:
            try:
                wait_for("the daemon to answer", lambda: self.call("hello"), START_S)
            except AssertionError:
                self.kill()
                raise

    def call(self, op: str, timeout_s: float = 20.0, **args: object) -> object:
        """Make one control request."""
        client = ControlClient(self.url, timeout_s=timeout_s)
        with contextlib.closing(client):
            return client.call(op, **args)

    def kill(self) -> None:
        """Kill -9, and reap."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self, timeout_s: float = 30.0) -> int:
        """Ask it to end, and its recording with it, and wait for it."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"the daemon did not end within {timeout_s} s of SIGINT:\n{self.log()}") from None
        return self.process.returncode

    def log(self) -> str:
        """Everything it has logged."""
        return self.log_path.read_text(errors="replace")

    def __enter__(self) -> DaemonProcess:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()


def module_pids(module: str, *, parent: int | None = None, word: str | os.PathLike[str] = "") -> list[int]:
    """Return the processes that run ``python -m module``: children of ``parent``, or with ``word`` after it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                own = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                if module.encode() in words and parent in (None, own) and (not word or os.fsencode(word) in words):
                    found.append(int(entry.name))
    return found


def recorder_pids(session_folder: Path) -> list[int]:
    """Return the processes that record this session, found by their command lines."""
    return module_pids("spikedaq.recorder", word=session_folder)


def history_pids(daemon: DaemonProcess) -> list[int]:
    """Return the history processes of this daemon."""
    assert daemon.process is not None
    return module_pids("spikedaq.history", parent=daemon.process.pid)


def read_truth(path: Path) -> np.ndarray:
    """Read a truth file: structured array of TRUTH_ROW, one row per step that the device made."""
    data = path.read_bytes()
    assert data[:8] == b"SPKTRUTH", data[:8]
    stored = np.frombuffer(data, _STORED_ROW, (len(data) - 32) // _STORED_ROW.itemsize, 32)
    rows = np.empty(len(stored), TRUTH_ROW)
    # The step's highest byte holds the flags of the row (firmware/boards/native/truth.h).
    rows["step"], rows["voltage_clamp"] = stored["step"] & (2**56 - 1), stored["step"] >> 56 & 8
    rows["tick"], rows["values"] = stored["tick"], stored["values"]
    return rows


def journal_blocks(folder: Path) -> Iterator[tuple[int, int, int, np.ndarray]]:
    """Decode a journal without spikedaq: (boot_id, seq, first_step, samples (n, 8)) in order of arrival."""
    boot_id = 0
    for path in sorted(folder.glob("*.spj")):
        for raw in path.read_bytes().split(b"\0"):
            if not raw:
                continue
            try:
                body = cobs.decode(raw)
            except cobs.DecodeError:
                continue
            if len(body) < 5 or struct.unpack("<I", body[-4:])[0] != zlib.crc32(body[:-4]):
                continue
            message = msgpack.unpackb(body[:-4])
            if message[0] == 74:
                inner = msgpack.unpackb(message[2])
                if inner[0] == 1:
                    boot_id = inner[8]
            elif message[0] == 1:
                boot_id = message[8]
            elif message[0] == 3:
                _, seq, _, first_step, _, _, n, codec, payload, *_ = message
                yield boot_id, seq, first_step, block_samples(payload, n, codec)
