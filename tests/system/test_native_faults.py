"""Faults of spikedaq-device, seen from outside: what its report says was done is what its bytes show."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from cobs import cobs

from spikedaq.link import find_device_program
from spikedaq.wire import HelloRequest, Ping, Start, encode_frame, encode_message


class Device:
    """A spikedaq-device whose stdout is read line by line."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [str(find_device_program()), *arguments, "--report", "--die-with-parent", "--boot-id", "10"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        _, self.kind, self.address = self.process.stdout.readline().split()

    def line(self) -> list[str]:
        """Next line about a fault: its time, what, to whom."""
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], 10)[0], "no fault is told of"
        return self.process.stdout.readline().split()[1:]

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self) -> dict[str, Any]:
        """End it; return its report."""
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=10)
        assert self.process.returncode == 0, said
        return dict(json.loads(said))


class Devices(list[Device]):
    def __call__(self, *arguments: str) -> Device:
        self.append(Device(*arguments))
        return self[-1]


@pytest.fixture
def device() -> Iterator[Devices]:
    started = Devices()
    yield started
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate()


def open_pty(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)


def read_until(fd: int, done: Any, timeout_s: float = 20.0) -> bytes:
    data = b""
    end = time.monotonic() + timeout_s
    while not done(data):
        assert time.monotonic() < end, f"{len(data)} bytes, and not what was waited for"
        if select.select([fd], [], [], 0.2)[0]:
            data += os.read(fd, 65536)
    return data


def read_to_the_end(fd: int, timeout_s: float = 20.0) -> bytes:
    """Read a terminal until its other side is gone, and close it."""
    data = b""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        select.select([fd], [], [], 0.1)
        try:
            piece = os.read(fd, 65536)
        except BlockingIOError:
            continue
        except OSError:
            piece = b""
        if not piece:
            os.close(fd)
            return data
        data += piece
    raise AssertionError("the terminal is still there")


def messages(data: bytes) -> tuple[list[list[Any]], int]:
    """Good messages, and the number of pieces between zeros that are none."""
    good, bad = [], 0
    for piece in data.split(b"\0")[:-1]:
        if not piece:
            continue
        try:
            body = cobs.decode(piece)
        except cobs.DecodeError:
            bad += 1
            continue
        if len(body) < 5 or zlib.crc32(body) != 0x2144DF1C:
            bad += 1
        else:
            good.append(msgpack.unpackb(body[:-4]))
    return good, bad


def start_frame() -> bytes:
    return b"\0" + encode_frame(encode_message(Start(1, 0)))


@pytest.mark.parametrize("fault", ["flip=1e-5", "drop=1e-4"])
def test_damage_is_what_the_report_says(device: Devices, fault: str) -> None:
    """Flipped bits and lost bytes show as bad frames, and no more frames are missing than were damaged."""
    one = device("--pty", "--as-fast-as-possible", "--fault", f"{fault},seed=3")
    fd = open_pty(one.address)
    seen = b""
    while b"\x06" not in {m[0].to_bytes() for m in messages(seen)[0]}:  # the request may be damaged, too
        os.write(fd, start_frame())
        seen += read_until(fd, lambda data: len(data) > 20_000)
    seen += read_until(fd, lambda data: len(data) > 2_000_000)
    good, bad = messages(seen)
    numbers = [m[1] for m in good if m[1] > 5]
    missing = (numbers[-1] - numbers[0] + 1) - len(numbers)
    os.close(fd)
    done = one.end()["faults"]["to_host"]
    damage = done["flipped_bits"] + done["dropped_bytes"]
    assert damage > 50
    # A bit may turn into a 00 that cuts a frame in two bad pieces, and a lost 00 makes one bad piece of two frames.
    assert 50 < bad <= 2 * damage
    assert bad / 2 <= missing <= 2 * damage
    assert done["dropped_frames"] == done["duplicated_frames"] == 0


def test_frames_are_lost_doubled_and_cut(device: Devices) -> None:
    """What the sequence shows as missing and repeated is what was lost and doubled."""
    fault = "drop_frame=0.02,duplicate=0.02,seed=5"
    one = device("--pty", "--as-fast-as-possible", "--duration", "300000", "--fault", fault)
    fd = open_pty(one.address)
    data = b""
    while True:
        os.write(fd, start_frame())
        data += read_until(fd, lambda data: len(data) > 30)
        if any(m[0] == 6 for m in messages(data)[0]):
            break
    data += read_to_the_end(fd)
    done = json.loads(one.process.communicate(timeout=10)[1])["faults"]["to_host"]
    good, bad = messages(data)
    assert bad == 0
    numbers = [m[1] for m in good]
    assert len(numbers) - len(set(numbers)) == done["duplicated_frames"] > 20
    assert max(numbers) + 1 - len(set(numbers)) <= done["dropped_frames"]
    assert done["dropped_frames"] > 20


def test_a_script_on_stdin_unplugs_renames_and_reboots(device: Devices, tmp_path: Path) -> None:
    """The pty vanishes and comes back under its own name, then under another, and a reboot says hello."""
    path = tmp_path / "tty"
    one = device("--pty", str(path), "--fault-script", "-")
    fd = open_pty(str(path))
    one.say("now unplug 0.2")
    assert one.line()[1] == "unplug"
    assert not path.is_symlink()
    read_to_the_end(fd)
    assert one.line()[1] == "plug"
    fd = open_pty(str(path))
    os.write(fd, b"\0" + encode_frame(encode_message(HelloRequest())))
    read_until(fd, lambda data: any(m[0] == 1 for m in messages(data)[0]))
    one.say("now rename 0.1")
    assert one.line()[1] == "rename"
    assert one.line()[1] == "plug"
    read_to_the_end(fd)
    assert not path.is_symlink()
    fd = open_pty(f"{path}.1")
    one.say("now reboot")
    assert one.line()[1] == "reboot"
    data = read_until(fd, lambda data: any(m[0] == 1 for m in messages(data)[0]))
    assert [m[8] for m in messages(data)[0] if m[0] == 1] == [11]
    os.close(fd)
    done = one.end()["faults"]
    assert (done["unplugs"], done["renames"], done["reboots"], done["stalls"]) == (1, 1, 1, 0)
    assert [action["what"] for action in done["actions"]] == ["unplug", "plug", "rename", "plug", "reboot"]


def test_tcp_is_closed_refuses_and_listens_again(device: Devices) -> None:
    """For TCP an unplug closes the connection, and the port refuses until it is over."""
    one = device("--tcp", "127.0.0.1:0", "--fault-script", "-")
    host, port = one.address.split(":")
    peer = socket.create_connection((host, int(port)), timeout=5)
    one.say("now unplug 1")
    assert one.line()[1] == "unplug"
    # Reset, if the device had not taken the connection yet when the port was closed.
    with contextlib.suppress(ConnectionResetError):
        while peer.recv(1000):
            pass
    peer.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=5)
    assert one.line()[1:] == ["plug", "tcp", one.address]
    peer = socket.create_connection((host, int(port)), timeout=5)
    peer.sendall(b"\0" + encode_frame(encode_message(HelloRequest())))
    assert read_until(peer.fileno(), lambda data: any(m[0] == 1 for m in messages(data)[0]))
    peer.close()


def test_a_stall_holds_everything_back_and_loses_nothing(device: Devices) -> None:
    """Nothing comes during a stall; afterwards all of it does."""
    one = device("--pty", "--fault-script", "-")
    fd = open_pty(one.address)
    read_until(fd, lambda data: len(data) > 10)
    one.say("now stall 0.4")
    assert one.line()[1] == "stall"
    began = time.monotonic()
    os.write(fd, b"\0" + encode_frame(encode_message(Ping(7))))
    read_until(fd, lambda data: any(m[0] == 5 for m in messages(data)[0]))
    assert time.monotonic() - began > 0.3
    os.close(fd)


def test_delay_is_in_the_round_trip_and_the_clock_runs_fast(device: Devices) -> None:
    """A delayed link has a longer round trip, and a skewed board counts more ticks than time passes."""
    one = device("--pty", "--fault", "delay_ms=50,jitter_ms=5,skew_ppm=10000")
    fd = open_pty(one.address)
    pongs = []
    for token in (1, 2):
        began = time.monotonic()
        os.write(fd, b"\0" + encode_frame(encode_message(Ping(token))))
        data = read_until(fd, lambda data, token=token: any(m[0] == 5 and m[2] == token for m in messages(data)[0]))
        pongs.append((began, time.monotonic(), next(m[3] for m in messages(data)[0] if m[0] == 5)))
        assert pongs[-1][1] - began >= 0.05
        if token == 1:
            read_until(fd, lambda data: sum(m[0] == 7 for m in messages(data)[0]) >= 2)  # two seconds
    (sent1, came1, tick1), (sent2, came2, tick2) = pongs
    shortest, longest = sent2 - came1, came2 - sent1
    assert shortest < (tick2 - tick1) * 1e-6 / 1.01 < longest
    os.close(fd)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--pty", "--fault", "flop=1"], "there is no such fault; there are seed, flip"),
        (["--pty", "--fault", "flip=2"], "from 0 to 1"),
        (["--pty", "--fault-script", "/nowhere"], "No such file"),
        (["--stdio", "--fault", "unplug_every_s=1"], "cannot be unplugged"),
        (["--stdio", "--fault-script", "-"], "needs stdin"),
    ],
)
def test_a_wrong_fault_is_one_clear_message(arguments: list[str], says: str) -> None:
    """The message names the fault and what would be right."""
    done = subprocess.run(
        [str(find_device_program()), *arguments], capture_output=True, text=True, timeout=10, check=False
    )
    assert done.returncode in {1, 2}
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
