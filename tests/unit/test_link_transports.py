"""Links over real pseudo-terminals, sockets and child processes."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import socket
import stat
import sys
import textwrap
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from spikedaq.link import Link, host_now_ns, open_link
from spikedaq.link.base import WRITE_LIMIT_BYTES
from spikedaq.model import LinkLostError, LinkOpenError

WAIT_S = 10.0


class Ears:
    """What a link delivered."""

    def __init__(self, link: Link) -> None:
        self.data = b""
        self.times: list[int] = []
        self.lost: list[LinkLostError] = []
        self.changed = asyncio.Event()
        link.start(self._bytes, self._lost)

    def _bytes(self, data: bytes, t_host_ns: int) -> None:
        self.data += data
        self.times.append(t_host_ns)
        self.changed.set()

    def _lost(self, error: LinkLostError) -> None:
        self.lost.append(error)
        self.changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    """Give the device's end of a pseudo-terminal, and the path of ours."""
    master, slave = pty.openpty()
    path = os.ttyname(slave)
    os.close(slave)
    yield master, path
    with contextlib.suppress(OSError):
        os.close(master)


@pytest.mark.parametrize("scheme", ["pty", "serial"])
def test_every_byte_value_passes_both_ways(terminal: tuple[int, str], scheme: str) -> None:
    """The line is raw: no byte is swallowed, echoed or translated, and each read carries its host time."""
    master, path = terminal
    everything = bytes(range(256))

    async def test() -> None:
        link = await open_link(f"{scheme}:{path}")
        ears = Ears(link)
        before_ns = host_now_ns()
        os.write(master, everything)
        await ears.until(lambda: len(ears.data) == 256)
        assert ears.data == everything
        assert before_ns <= ears.times[0] <= host_now_ns()
        link.write(everything)
        assert os.read(master, 1000) == everything
        await link.close()
        await link.close()

    run(test)


@pytest.mark.parametrize("second", ["pty", "serial"])
@pytest.mark.parametrize("first", ["pty", "serial"])
def test_a_busy_port_is_refused_and_free_again_after_close(terminal: tuple[int, str], first: str, second: str) -> None:
    """Two links exclude each other whatever they call the port, and only while the first is open."""
    _, path = terminal

    async def test() -> None:
        link = await open_link(f"{first}:{path}")
        with pytest.raises(LinkOpenError, match=rf"{path} is in use by another program; close it"):
            await open_link(f"{second}:{path}")
        await link.close()
        await (await open_link(f"{second}:{path}")).close()

    run(test)


def test_a_port_locked_by_another_program_is_busy(terminal: tuple[int, str]) -> None:
    """The lock of another process counts, as that of a second daemon or of a pyserial script does."""
    _, path = terminal
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
    fcntl.flock(fd, fcntl.LOCK_EX)

    async def test() -> None:
        with pytest.raises(LinkOpenError, match="in use by another program"):
            await open_link(f"pty:{path}")

    run(test)
    os.close(fd)


@pytest.mark.parametrize("scheme", ["pty", "serial"])
def test_absent_and_wrong_files(tmp_path: Path, scheme: str) -> None:
    """A missing port, a plain file, a folder and a device that is no terminal are each named with a remedy."""
    plain = tmp_path / "plain"
    plain.touch()
    cases = {
        tmp_path / "absent": "does not exist; plug the board in",
        plain: "is not a serial port or terminal; give the board's port",
        tmp_path: "is not a serial port or terminal",
        Path("/dev/null"): "is not a serial port or terminal",
    }

    async def test() -> None:
        for path, words in cases.items():
            with pytest.raises(LinkOpenError) as caught:
                await open_link(f"{scheme}:{path}")
            assert str(path) in str(caught.value)
            assert words in str(caught.value)

    run(test)


@pytest.mark.parametrize("scheme", ["pty", "serial"])
def test_not_permitted_names_the_group(terminal: tuple[int, str], scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the right to open a port the error gives the usermod command."""
    _, path = terminal
    really = os.open

    def refuse(name: str, *args: Any, **kwargs: Any) -> int:
        if name == path:
            raise PermissionError(13, "Permission denied")
        return really(name, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)

    async def test() -> None:
        with pytest.raises(LinkOpenError, match=r"sudo usermod -aG dialout \$USER, then log out"):
            await open_link(f"{scheme}:{path}")

    run(test)


def test_losing_the_other_side_is_told_once(terminal: tuple[int, str]) -> None:
    """When the other side goes, on_lost comes exactly once and later writes raise the same."""
    master, path = terminal

    async def test() -> None:
        link = await open_link(f"pty:{path}")
        ears = Ears(link)
        os.close(master)
        await ears.until(lambda: ears.lost)
        with pytest.raises(LinkLostError, match=path):
            link.write(b"x")
        await link.close()
        assert len(ears.lost) == 1

    run(test)


def test_a_device_that_does_not_read_is_given_up(terminal: tuple[int, str]) -> None:
    """What waits to be written is bounded; beyond the bound the link counts as lost."""
    _, path = terminal

    async def test() -> None:
        link = await open_link(f"pty:{path}")
        ears = Ears(link)
        written = 0
        with pytest.raises(LinkLostError, match="does not read"):
            while written < 10 * WRITE_LIMIT_BYTES:
                link.write(b"x" * 1000)
                written += 1000
        await ears.until(lambda: ears.lost)
        assert written <= WRITE_LIMIT_BYTES + 64 * 1024  # the bound and the kernel's own buffer
        await link.close()

    run(test)


def test_a_long_write_arrives_whole(terminal: tuple[int, str]) -> None:
    """What does not fit the kernel's buffer at once follows, in order."""
    master, path = terminal
    sent = bytes(i % 251 for i in range(50_000))

    async def test() -> None:
        link = await open_link(f"pty:{path}")
        link.write(sent[:30_000])
        link.write(sent[30_000:])
        got = b""
        async with asyncio.timeout(WAIT_S):
            while len(got) < len(sent):
                got += await asyncio.to_thread(os.read, master, 65536)
        assert got == sent
        await link.close()

    run(test)


def test_tcp_carries_bytes_and_reports_the_end() -> None:
    """A TCP link connects, carries bytes and notices the end."""
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]

    async def test() -> None:
        link = await open_link(f"tcp:127.0.0.1:{port}")
        ears = Ears(link)
        peer, _ = server.accept()
        peer.sendall(b"\0abc\0")
        await ears.until(lambda: ears.data == b"\0abc\0")
        link.write(b"xyz")
        assert peer.recv(10) == b"xyz"
        peer.close()
        await ears.until(lambda: ears.lost)
        assert "closed by the other side" in str(ears.lost[0])
        await link.close()

    run(test)
    server.close()


def test_tcp_refused_is_named() -> None:
    """Nobody listening is told as such, with the address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    async def test() -> None:
        with pytest.raises(LinkOpenError, match=rf"tcp:127.0.0.1:{port} refuses the connection; start the device"):
            await open_link(f"tcp:127.0.0.1:{port}")

    run(test)


def fake_program(folder: Path, body: str) -> Path:
    """Write a stand-in for spikedaq-device."""
    path = folder / "device.py"
    path.write_text(f"#!{sys.executable}\n{textwrap.dedent(body)}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


OPENS_A_TERMINAL = """
    import os, pty, sys
    master, slave = pty.openpty()
    print("ready pty", os.ttyname(slave), flush=True)
    print("a word on stderr", file=sys.stderr, flush=True)
    os.write(master, b"hello")
    os.read(0, 1)
"""


def arguments_of(pid: int) -> list[bytes] | None:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except FileNotFoundError:
        return None


def test_sim_ends_its_child_on_close(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing a sim: link ends the process behind it, and reaps it."""
    monkeypatch.setenv("SPIKEDAQ_DEVICE", str(fake_program(tmp_path, OPENS_A_TERMINAL)))

    async def test() -> None:
        link = await open_link("sim:alpha?preset=1")
        ears = Ears(link)
        await ears.until(lambda: ears.data == b"hello")
        pid = link.pid  # type: ignore[attr-defined]
        arguments = arguments_of(pid)
        assert arguments is not None
        assert arguments[2:7] == [b"--pty", b"--die-with-parent", b"--name", b"alpha", b"--preset"]
        await link.close()
        assert arguments_of(pid) is None
        assert not ears.lost

    run(test)


def test_sim_says_when_its_child_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtual device that dies is a lost link with its name in it."""
    monkeypatch.setenv("SPIKEDAQ_DEVICE", str(fake_program(tmp_path, OPENS_A_TERMINAL)))

    async def test() -> None:
        link = await open_link("sim:alpha")
        ears = Ears(link)
        os.kill(link.pid, 9)  # type: ignore[attr-defined]
        await ears.until(lambda: ears.lost)
        assert "the virtual device alpha ended" in str(ears.lost[0])
        await link.close()

    run(test)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("import sys; sys.exit('bad preset 77; use 0 to 19')", "bad preset 77"),
        ("print('something else', flush=True)\nimport time; time.sleep(60)", "something else"),
    ],
)
def test_sim_that_does_not_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, words: str
) -> None:
    """What the program said on its way out is in the error."""
    monkeypatch.setenv("SPIKEDAQ_DEVICE", str(fake_program(tmp_path, body)))

    async def test() -> None:
        with pytest.raises(LinkOpenError, match="did not start") as caught:
            await open_link("sim:alpha")
        assert words in str(caught.value)

    run(test)


def test_missing_program_is_named_with_the_build_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the virtual device the error says how to build it."""
    monkeypatch.setenv("SPIKEDAQ_DEVICE", str(tmp_path / "nothing"))

    async def check() -> None:
        with pytest.raises(LinkOpenError, match="make firmware"):
            await open_link("sim:alpha")
        monkeypatch.delenv("SPIKEDAQ_DEVICE")
        monkeypatch.setenv("PATH", "")
        monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
        with pytest.raises(LinkOpenError, match=r"spikedaq-device is not installed; .*make firmware"):
            await open_link("sim:alpha")

    run(check)
