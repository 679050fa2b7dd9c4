"""spikedaq-simavr, with an image that shows what it does: bytes, inputs, EEPROM, resets, cables."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import wait_for
from helpers.simulators import ROOT, SimAvr, built, tool


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return firmware/simulator/test/probe.c as an image."""
    image = tmp_path_factory.mktemp("probe") / "probe.elf"
    command = [tool("avr-gcc", "gcc-avr avr-libc"), "-mmcu=atmega328p", "-DF_CPU=16000000UL", "-std=gnu99"]
    source = ROOT / "firmware/simulator/test/probe.c"
    subprocess.run([*command, "-Os", "-Wall", "-Wextra", "-Werror", source, "-o", image], check=True)
    return image


def connect(board: SimAvr) -> socket.socket:
    """Connect to the UART."""
    client = socket.create_connection(("127.0.0.1", board.port))
    client.settimeout(20)
    return client


def take(client: socket.socket, n: int) -> bytes:
    """Read exactly ``n`` bytes."""
    got = b""
    while len(got) < n:
        more = client.recv(n - len(got))
        assert more, f"the line ended after {got!r}"
        got += more
    return got


@pytest.fixture
def line(probe: Path, tmp_path: Path) -> Iterator[tuple[SimAvr, socket.socket]]:
    """Give a board as fast as it goes, whose first letter is still to be read."""
    options = ["--speed", "0", "--lossless", "--adc", "3=2500", "--pin", "D2=1"]
    with SimAvr(probe, *options, "--report", str(tmp_path / "report")) as board, connect(board) as client:
        yield board, client


def test_bytes_pass_in_both_directions_and_are_counted(line: tuple[SimAvr, socket.socket], tmp_path: Path) -> None:
    """A burst of 1400 bytes arrives whole; the report counts each byte."""
    board, client = line
    assert take(client, 2) == b"R\x01"
    for _ in range(7):
        client.sendall(b"f\xc8")
        assert take(client, 200) == bytes(range(200))
    client.sendall(b"eX")
    assert take(client, 1) == b"X"
    assert board.stop() == 0
    report = json.loads((tmp_path / "report").read_text())
    assert report["sent_bytes"] == 2 + 1400 + 1
    assert report["received_bytes"] == 16
    assert report["dropped_bytes"] == report["resets"] == 0
    assert 1000 < report["untouched_ram_bytes"] < 2048


def test_inputs_outlive_a_watchdog_reset(line: tuple[SimAvr, socket.socket], tmp_path: Path) -> None:
    """After the watchdog's reset the image runs anew, with the voltages and levels that were there before."""
    board, client = line
    assert take(client, 2) == b"R\x01"
    for _ in range(2):
        client.sendall(b"a\x03p")
        assert take(client, 3) == b"\xff\x01\x04"  # 511 of 1023 at 2.5 of 5 V; bit 2 of port D
        client.sendall(b"w")
        assert take(client, 2) == b"R\x08"
    board.process.send_signal(signal.SIGHUP)
    assert take(client, 2) == b"R\x02"
    assert board.stop() == 0
    report = json.loads((tmp_path / "report").read_text())
    assert (report["resets"], report["watchdog_resets"]) == (3, 2)


def test_a_script_changes_inputs_in_time(probe: Path, tmp_path: Path) -> None:
    """An input holds until the script's next line for it."""
    script = tmp_path / "script"
    script.write_text("1 5 1000  # soon\n0 5 4000\n\n1 D7 1\n")
    with SimAvr(probe, "--lossless", "--script", str(script)) as board, connect(board) as client:
        assert take(client, 2) == b"R\x01"
        client.sendall(b"a\x05")
        assert int.from_bytes(take(client, 2), "little") == 818

        def changed() -> bool:
            client.sendall(b"a\x05p")
            answer = take(client, 3)
            return (answer[:2], answer[2] & 0x80) == ((204).to_bytes(2, "little"), 0x80)

        wait_for("the second line", changed)


@pytest.mark.parametrize("text", ["x 3 1", "1 3", "1 16 0", "1 A2 1", "1 D8 0", "1 D2 2", "1 3 1 1", "-1 3 1"])
def test_a_bad_line_of_a_script_is_named(probe: Path, tmp_path: Path, text: str) -> None:
    """The message names the file and the line."""
    script = tmp_path / "script"
    script.write_text(f"0 3 1\n{text}\n")
    program = built("simulator/spikedaq-simavr", "simulator")
    done = subprocess.run(
        [program, "--elf", probe, "--tcp", "0", "--script", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert f"{script}, line 2" in done.stderr


def test_eeprom_is_kept_from_run_to_run(probe: Path, tmp_path: Path) -> None:
    """What the image wrote in one run it reads in the next."""
    for expected in (255, 0, 1):
        options = ["--speed", "0", "--lossless", "--eeprom", str(tmp_path / "eeprom")]
        with SimAvr(probe, *options) as board, connect(board) as client:
            assert take(client, 2) == b"R\x01"
            client.sendall(b"s")
            assert take(client, 1)[0] == expected
            assert board.stop() == 0


def test_what_nobody_reads_is_dropped_and_counted(probe: Path, tmp_path: Path) -> None:
    """Without a reader the processor goes on, and every byte of the UART is counted as dropped."""
    report = tmp_path / "report"
    with SimAvr(probe, "--speed", "0", "--seconds", "0.1", "--report", str(report)) as board:
        assert board.process.wait(20) == 0
    found = json.loads(report.read_text())
    assert (found["sent_bytes"], found["dropped_bytes"]) == (0, 2)


def test_a_cable_is_pulled_and_plugged_in_again(probe: Path, tmp_path: Path) -> None:
    """The terminal goes away, a new one comes, and the board has started afresh."""
    link = tmp_path / "v1"
    with SimAvr(probe, link=link) as board:
        wait_for("the link", link.exists)
        before = os.open(link, os.O_RDWR | os.O_NOCTTY)
        board.unplug()
        wait_for("the link to go", lambda: not link.is_symlink())
        board.plug()
        wait_for("the link to come", link.exists)
        after = os.open(link, os.O_RDWR | os.O_NOCTTY)
        try:
            assert os.read(after, 1) == b"R"
        finally:
            os.close(before)
            os.close(after)


@pytest.mark.parametrize("on", ["pty", "tcp"])
def test_opening_the_line_resets_the_board_as_a_nano_does(probe: Path, tmp_path: Path, on: str) -> None:
    """Each time the line is opened the image starts anew, and what is sent to its boot loader is lost."""
    report = tmp_path / "report"
    options = ["--reset-on-open", "--bootloader", "0.1", "--report", str(report)]
    with SimAvr(probe, *options, link=tmp_path / "v1" if on == "pty" else None) as board:
        for _ in range(3):
            if on == "pty":
                fd = os.open(tmp_path / "v1", os.O_RDWR | os.O_NOCTTY)
            else:
                client = connect(board)
                client.setblocking(True)
                fd = os.dup(client.fileno())
                client.close()
            wait_for("the letter of an external reset", lambda fd=fd: os.read(fd, 1) == b"\x02")
            os.write(fd, b"eZ")
            wait_for("the answer", lambda fd=fd: os.read(fd, 1) == b"Z")
            os.close(fd)
        assert board.stop() == 0
    assert json.loads(report.read_text())["resets"] == 3


def test_it_ends_when_its_parent_does(probe: Path) -> None:
    """A killed parent leaves no simulator behind."""
    program = built("simulator/spikedaq-simavr", "simulator")
    code = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)\n"
        "p.stdout.readline(); print(p.pid, flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [tool("python3", "python3"), "-c", code, program, "--elf", probe, "--tcp", "0"], stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()

    def ended() -> bool:
        status = Path(f"/proc/{pid}/stat")
        return not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"

    wait_for("the simulator to end", ended)
