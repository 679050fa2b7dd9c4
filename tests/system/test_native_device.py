"""The virtual device as a process, seen through its links with nothing of spikedaq's own: cobs, msgpack and zlib."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from cobs import cobs

from harness import wait_for
from helpers.packed import block_samples

HELLO, DESCRIPTION, BLOCK, EVENT, PONG, REPLY, STATUS = range(1, 8)
SPIKE, TRIGGER, PARAMETER, OVERRUN, STIMULUS_END = range(5)
TRUTH_ROW = np.dtype([("step", "<u8"), ("tick", "<u8"), ("values", "<i2", (8,))])


def device_path() -> str:
    """Where spikedaq-device is: named, installed beside Python, or built in the checkout."""
    built = Path(__file__).parents[2] / "build"
    candidates = [os.environ.get("SPIKEDAQ_DEVICE"), Path(sys.executable).parent / "spikedaq-device"]
    candidates += [shutil.which("spikedaq-device"), built / "firmware" / "spikedaq-device", built / "spikedaq-device"]
    for candidate in candidates:
        if candidate and Path(candidate).is_file():
            return str(candidate)
    raise AssertionError("spikedaq-device is not built; run: make firmware")


def encode(message: list[Any]) -> bytes:
    body = msgpack.packb(message, use_single_float=True)
    return cobs.encode(body + struct.pack("<I", zlib.crc32(body))) + b"\0"


class Bytes:
    """Two file descriptors, or one, that carry the link."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self.read_fd, self.write_fd = read_fd, write_fd
        self.buffer = b""
        self.seq: int | None = None
        self.bad = 0

    def send(self, *message: Any) -> None:
        os.write(self.write_fd, encode(list(message)))

    def more(self, timeout_s: float = 5.0) -> list[list[Any]]:
        """Take what comes next; an end of the stream is an OSError, a silence an AssertionError."""
        assert select.select([self.read_fd], [], [], timeout_s)[0], "the device is silent"
        data = os.read(self.read_fd, 65536)
        if not data:
            raise EOFError
        *frames, self.buffer = (self.buffer + data).split(b"\0")
        messages = []
        for frame in filter(None, frames):
            try:
                decoded = cobs.decode(frame)
            except cobs.DecodeError:
                self.bad += 1
                continue
            if zlib.crc32(decoded) != 0x2144DF1C:
                self.bad += 1
                continue
            message = msgpack.unpackb(decoded[:-4])
            if message[0] == HELLO:
                self.seq = None
            assert self.seq is None or message[1] == (self.seq + 1) % 2**32, "a frame is missing"
            self.seq = message[1]
            messages.append(message)
        return messages

    def until(self, wanted: Callable[[list[Any]], bool], timeout_s: float = 20.0) -> tuple[list[Any], list[list[Any]]]:
        """Give the first wanted message and all that came up to it and with it."""
        came: list[list[Any]] = []
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            new = self.more()
            came += new
            found = [m for m in new if wanted(m)]
            if found:
                return found[0], came
        raise AssertionError(f"waited {timeout_s} s in vain; last came {came[-3:]}")

    def ask(self, *message: Any, answer: int = REPLY) -> list[Any]:
        self.send(*message)
        return self.until(lambda m: m[0] == answer and (answer == HELLO or m[2] == message[1]))[0]


class Process:
    """A spikedaq-device and its link."""

    def __init__(self, *arguments: str, tmp_path: Path) -> None:
        self.truth_path = tmp_path / "truth.bin"
        self.stdio = "--stdio" in arguments
        self.process = subprocess.Popen(
            [device_path(), *arguments, "--record-truth", str(self.truth_path), "--die-with-parent"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdout and self.process.stderr and self.process.stdin
        ready = (self.process.stderr if self.stdio else self.process.stdout).readline().decode().split()
        assert ready[0] == "ready", ready
        self.kind, self.address = ready[1], ready[-1]
        self.open: list[Any] = []

    def connect(self) -> Bytes:
        if self.kind == "stdio":
            assert self.process.stdout and self.process.stdin
            return Bytes(self.process.stdout.fileno(), self.process.stdin.fileno())
        if self.kind == "tcp":
            host, port = self.address.rsplit(":", 1)
            peer = socket.create_connection((host, int(port)), timeout=5)
            self.open.append(peer)
            return Bytes(peer.fileno(), peer.fileno())
        fd = os.open(self.address, os.O_RDWR | os.O_NOCTTY)
        return Bytes(fd, fd)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(10)
        for peer in self.open:
            peer.close()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe
            pipe.close()
        return code

    def truth(self) -> np.ndarray[Any, Any]:
        data = self.truth_path.read_bytes()
        assert data[:8] == b"SPKTRUTH"
        version, _boot_id, _unique_id, n_channels, _step_us = struct.unpack_from("<II8sII", data, 8)
        assert (version, n_channels) == (1, 8)
        return np.frombuffer(data[32:], TRUTH_ROW)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def run(*arguments: str) -> Process:
        started.append(Process(*arguments, tmp_path=tmp_path))
        return started[-1]

    yield run
    for process in started:
        if process.process.poll() is None:
            process.stop()


def check_blocks(blocks: list[list[Any]], truth: np.ndarray[Any, Any], *, overruns: int = 0) -> int:
    """Compare every sample with the truth; gives the number of samples. Steps must be seamless but for overruns."""
    n_samples = jumps = 0
    following = None
    for _type, _seq, stream, first_step, first_tick, step_us, n, codec, payload, flags in blocks:
        assert stream == 0
        rows = truth[first_step - truth["step"][0] :][:n]
        np.testing.assert_array_equal(block_samples(payload, n, codec), rows["values"])
        assert rows["step"][0] == first_step
        assert int(rows["tick"][0]) % 2**32 == first_tick
        assert np.all(np.diff(rows["tick"].astype(np.int64)) == step_us)
        if following is not None and first_step != following:
            assert flags & 2, "samples are missing and the block does not say so"
            jumps += 1
        following = first_step + n
        n_samples += n
    assert jumps == overruns
    return n_samples


LINKS = [["--pty"], ["--tcp", "127.0.0.1:0"], ["--stdio"]]


@pytest.mark.parametrize("link", LINKS, ids=["pty", "tcp", "stdio"])
def test_every_sample_is_the_truth_in_real_time(start: Callable[..., Process], link: list[str]) -> None:
    """Half a second at 10 kHz over each link, from a counter about to wrap: what comes is what was made."""
    process = start(*link, "--tick-start", str(2**32 - 300_000), "--param", "i_clamp=15", "--seed", "1")
    wire = process.connect()
    hello = wire.ask(32, 1, 0, answer=HELLO)
    assert hello[2:4] == [1, 1]
    assert hello[11] == 8
    wire.send(37, 1, 0)
    started, came = wire.until(lambda m: m[0] == REPLY)
    first_step = started[4]
    came += wire.until(lambda m: m[0] == BLOCK and m[3] >= first_step + 5000)[1]
    wire.send(38, 2)
    reply, rest = wire.until(lambda m: m[0] == REPLY and m[2] == 2)
    blocks = [m for m in came + rest if m[0] == BLOCK]
    assert process.stop() == 0
    assert blocks[0][3] == first_step
    assert blocks[0][9] == 4
    assert check_blocks(blocks, process.truth()) == reply[4] - first_step
    assert any(block[4] < 2**31 for block in blocks), "the tick did not wrap"
    spikes = [m for m in came if m[0] == EVENT and m[2] == SPIKE]
    assert len(spikes) > 10
    truth = process.truth()
    for spike in spikes:
        assert truth["values"][spike[3] - truth["step"][0], 0] == 3000


def test_as_fast_as_possible_loses_nothing_and_ends_by_itself(start: Callable[..., Process]) -> None:
    """A hundred thousand steps as fast as this reader goes; then the device ends, drained."""
    process = start("--pty", "--as-fast-as-possible", "--duration", "100000", "--param", "noise_sd=5", "--seed", "3")
    wire = process.connect()
    wire.send(37, 1, 250)
    blocks: list[list[Any]] = []
    try:
        while sum(block[6] for block in blocks) < 100_000:
            blocks += [m for m in wire.more() if m[0] == BLOCK]
    except (OSError, EOFError):
        pytest.fail("the device ended before all was read")
    assert process.process.wait(10) == 0
    assert check_blocks(blocks, process.truth()) == 100_000


def test_unread_link_gives_overruns_that_account_for_every_sample(start: Callable[..., Process]) -> None:
    """The host reads nothing until queues are full: the model goes on, and events say how many samples are missing."""
    process = start("--pty", "--step-us", "20")
    wire = process.connect()
    wire.send(37, 1, 0)
    started, came = wire.until(lambda m: m[0] == REPLY)
    first_step = started[4]
    deadline = time.monotonic() + 30
    while process.truth_path.stat().st_size < 32 * 100_000:
        assert time.monotonic() < deadline, "the model stands still while nobody reads"
        time.sleep(0.02)
    wire.send(38, 9)
    reply, rest = wire.until(lambda m: m[0] == REPLY and m[2] == 9)
    came += rest
    assert process.stop() == 0
    blocks = [m for m in came if m[0] == BLOCK]
    assert blocks[0][3] == first_step
    overruns = [m for m in came if m[0] == EVENT and m[2] == OVERRUN]
    discarded = sum(m[5] for m in overruns)
    assert discarded > 10_000
    jumps = [(a[3] + a[6], b[3] - a[3] - a[6]) for a, b in pairwise(blocks) if a[3] + a[6] != b[3]]
    assert check_blocks(blocks, process.truth(), overruns=len(jumps)) + discarded == reply[4] - first_step
    # An overrun that stop ended has no block after it.
    assert jumps == [(m[3], m[5]) for m in overruns][: len(jumps)]


def test_parameters_are_described_set_and_told(start: Callable[..., Process]) -> None:
    """Names of the protocol, atomic sets, refusals with a reason, and an event for a change."""
    process = start("--pty", "--knob", "i_clamp=4095")
    wire = process.connect()
    hello = wire.ask(32, 1, 0, answer=HELLO)
    names = {}
    for index in range(hello[12]):
        wire.send(33, index, 1, index)
        description, _ = wire.until(lambda m, index=index: m[0] == DESCRIPTION and m[2] == index)
        names[description[5][0]] = description[5]
    expected = "preset a b c d v_rest i_clamp noise_sd photo_gain photo_decay photo_recovery syn1_gain syn1_decay "
    expected += (
        "syn2_gain syn2_decay stim_strength stim_period step_us clamp_mode v_hold vc_kp vc_ki vc_i_min vc_i_max "
        "vc_span virtual_light virtual_current_in virtual_loopback"
    )
    assert list(names) == expected.split()
    index = list(names).index("i_clamp")
    assert names["i_clamp"][6] == pytest.approx(86.64, abs=0.01)
    assert names["i_clamp"][8] & 2
    wire.send(36, 100, [index, 12.5, list(names).index("preset"), 3])
    event, came = wire.until(lambda m: m[0] == EVENT and m[2] == PARAMETER and m[5] == index)
    assert event[6] == 12.5
    assert any(m[0] == REPLY and m[2] == 100 and m[3] == 0 for m in came)
    refused = wire.ask(36, 101, [index, 1.0, list(names).index("noise_sd"), float("nan")])
    assert refused[3] == 3
    assert "noise_sd" in refused[4]
    assert wire.ask(35, 102, index)[4] == [12.5, 1]
    wire.ask(36, 103, [index, None])
    assert wire.ask(35, 104, index)[4] == [pytest.approx(86.64, abs=0.01), 0]


def test_in_voltage_clamp_the_loopback_steps_the_command(start: Callable[..., Process]) -> None:
    """A cable from the stimulus output to current-in shifts the command by 60.66 mV; the truth says the mode."""
    process = start(
        "--pty", "--loopback", "--param", "stim_strength=100", "--param", "clamp_mode=1", "--param", "v_hold=-80"
    )
    wire = process.connect()
    wire.ask(37, 1, 0)
    _, came = wire.until(lambda m: m[0] == BLOCK and m[3] > 3000)
    assert all(m[9] & 8 for m in came if m[0] == BLOCK)
    assert process.stop() == 0
    rows = process.truth()
    assert (rows["step"] >> 56 == 8).all()
    # 1774 counts of 2047 for 70 mV: 60.664 mV.
    assert set(np.unique(rows["values"][:, 1]).tolist()) == {-8000, -1934}


def test_loopback_and_light_act_on_the_model(start: Callable[..., Process]) -> None:
    """A cable from the stimulus output to current-in gives 177 a.u. at full strength, as the converters do."""
    process = start("--pty", "--loopback", "--param", "stim_strength=100", "--param", "virtual_light=5")
    wire = process.connect()
    wire.ask(37, 1, 0)
    wire.until(lambda m: m[0] == BLOCK and m[3] > 3000)
    assert process.stop() == 0
    values = process.truth()["values"]
    on = values[:, 1] == 100
    assert on.any()
    assert (~on).any()
    np.testing.assert_array_equal(values[on, 2], 17_740)  # (2047 - 273) / 10 a.u. in 0.01
    np.testing.assert_array_equal(values[~on, 2], 0)


def test_reboot_starts_afresh(start: Callable[..., Process]) -> None:
    """Reset of scope 2: the reply, then a hello of another boot with seq 0, and the steps begin again."""
    process = start("--pty", "--boot-id", "7")
    wire = process.connect()
    assert wire.ask(32, 1, 0, answer=HELLO)[8] == 7
    wire.ask(37, 1, 0)
    wire.send(41, 2, 2)
    hello, came = wire.until(lambda m: m[0] == HELLO)
    assert hello[1] == 0
    assert hello[8] == 8
    assert hello[18] is False
    assert [m[3] for m in came if m[0] == REPLY and m[2] == 2] == [0]
    wire.send(34, 5)
    assert wire.until(lambda m: m[0] == PONG)[0][4] < 5000


def test_pty_survives_a_reader_that_comes_and_goes(start: Callable[..., Process], tmp_path: Path) -> None:
    """Closed and opened again under its symbolic link the device answers, and is in raw mode still."""
    symlink = tmp_path / "tty"
    process = start("--pty", str(symlink))
    for _ in range(3):
        fd = os.open(symlink, os.O_RDWR | os.O_NOCTTY)
        assert not termios.tcgetattr(fd)[3] & (termios.ECHO | termios.ICANON)
        assert Bytes(fd, fd).ask(32, 1, 0, answer=HELLO)[0] == HELLO
        os.close(fd)
    assert process.stop() == 0
    assert not symlink.is_symlink()


def test_tcp_takes_one_client_at_a_time_and_the_next_after_it(start: Callable[..., Process]) -> None:
    """A second client is hung up on; after the first has gone another starts with whole frames."""
    process = start("--tcp", "127.0.0.1:0")
    first = process.connect()
    first.ask(37, 1, 0)
    second = process.connect()
    with pytest.raises((EOFError, ConnectionError)):
        second.more()
    process.open[0].close()

    def taken() -> Bytes | None:
        """Connect; until the device has noticed that the first has gone it hangs up."""
        client = process.connect()
        try:
            client.send(32, 1, 0)
            client.until(lambda m: m[0] == HELLO)
        except (EOFError, ConnectionError):
            return None
        return client

    third = wait_for("the next to be taken", taken)
    assert isinstance(third, Bytes)
    third.until(lambda m: m[0] == BLOCK)
    assert third.bad == 0


def test_another_protocol_version_is_stated(start: Callable[..., Process]) -> None:
    """For tests of the host: the device says what it is told to say."""
    process = start("--pty", "--protocol-major", "9", "--id", "0011223344556677")
    hello = process.connect().ask(32, 1, 0, answer=HELLO)
    assert hello[2] == 9
    assert hello[7] == bytes.fromhex("0011223344556677")


def test_axon_drives_a_synapse(start: Callable[..., Process], tmp_path: Path) -> None:
    """Two devices and a cable: each spike of one adds the other's gain; with the cable out the jack reads 0 mV."""
    jack = str(tmp_path / "jack")
    post = start("--pty", "--syn1", jack, "--param", "syn1_gain=10")
    wire = post.connect()
    wire.ask(37, 1, 0)
    pre = subprocess.Popen([device_path(), "--pty", "--axon", jack, "--param", "i_clamp=20"], stdout=subprocess.DEVNULL)
    try:
        wire.until(lambda m: m[0] == BLOCK and block_samples(m[8], m[6], m[7])[:, 4].max() >= 990)
    finally:
        pre.terminate()
        pre.wait(10)
    wire.until(lambda m: m[0] == BLOCK and not block_samples(m[8], m[6], m[7])[:, 3].any())
    assert post.stop() == 0
    values = post.truth()["values"]
    assert (values[:, 3] == 3000).any()
    assert (values[values[:, 3] != 0, 3] < -6000).any()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--pty, --tcp or --stdio"),
        (["--pty", "--rate", "30000"], "must divide 1000000"),
        (["--pty", "--param", "i_clmp=3"], "there is no such parameter"),
        (["--pty", "--param", "i_clamp=1e9"], "must be from -1000"),
        (["--pty", "--param", "i_clamp=nan"], "must be from -1000"),
        (["--pty", "--knob", "photo_decay=3"], "there is no such knob"),
        (["--pty", "--id", "12"], "16 hex digits"),
        (["--tcp", "nowhere"], "HOST:PORT"),
        (["--pty", "--record-truth", "/nowhere/at/all"], "No such file"),
        (["--pty", "/dev/null"], "is no symbolic link"),
        (["--frobnicate"], "unknown option"),
    ],
)
def test_a_wrong_command_line_is_one_clear_message(arguments: list[str], says: str) -> None:
    """The message names the thing and the remedy, and the exit status is not 0."""
    done = subprocess.run([device_path(), *arguments], capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode in {1, 2}
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_no_request_however_broken_stops_the_device(start: Callable[..., Process]) -> None:
    """Random bytes, cut frames and strange messages; then hello is answered as ever."""
    process = start("--pty")
    wire = process.connect()
    random = np.random.default_rng(5)
    for k in range(300):
        noise = random.integers(0, 256, int(random.integers(1, 60)), dtype=np.uint8).tobytes()
        os.write(wire.write_fd, noise if k % 3 else encode([int(random.integers(0, 64)), k, [noise], None]))
        while select.select([wire.read_fd], [], [], 0)[0]:
            wire.more()
    os.write(wire.write_fd, b"\0")
    assert wire.ask(32, 1, 0, answer=HELLO)[0] == HELLO
    status, _ = wire.until(lambda m: m[0] == STATUS)
    assert status[9] > 10


@pytest.mark.parametrize(
    ("most", "parameters"),
    [
        pytest.param(1.5, ["stim_strength=50"], id="quiet"),
        pytest.param(3.5, ["noise_sd=3", "i_clamp=10"], id="noise"),
    ],
)
def test_bytes_per_sample(most: float, parameters: list[str]) -> None:
    """Ten seconds of eight channels from a seed, with hello, events, status and framing, cost what is promised."""
    n_samples = 100_000
    options = ["--as-fast-as-possible", "--seed", "1", "--boot-id", "1", "--tick-start", "0"]
    options += [word for parameter in parameters for word in ("--param", parameter)]
    process = subprocess.Popen(
        [device_path(), "--stdio", "--duration", str(n_samples), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        os.write(process.stdin.fileno(), encode([37, 1, 100]))
        n_bytes = len(process.stdout.read())
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
    assert 0.5 < n_bytes / n_samples <= most  # heads of blocks alone take a half: it did send


@pytest.mark.parametrize(
    ("options", "depth"),
    [([], 128), (["--resend-depth", "7"], 7), (["--resend-depth", "0"], 0), (["--resend-bytes", "0"], 0)],
)
def test_hello_says_how_many_frames_can_be_had_again(
    start: Callable[..., Process], options: list[str], depth: int
) -> None:
    """The default is a v3 board's; without memory a request is refused, with it the frame comes again as it was."""
    process = start("--pty", *options)
    wire = process.connect()
    hello = wire.ask(32, 1, 1, answer=HELLO)
    assert hello[14] == depth
    assert hello[16] == 3  # both codecs
    wire.send(40, 5, hello[1], 1)
    reply, came = wire.until(lambda m: m[0] == REPLY)
    assert reply[2:4] == [5, 0 if depth else 4]
    if depth and hello not in came:
        wire.until(lambda m: m == hello)
