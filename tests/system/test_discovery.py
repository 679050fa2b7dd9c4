"""Boards found by who they are: on any port, under any name, beside whatever else is plugged in."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import threading
import tty
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness import DaemonProcess, free_ports, wait_for
from helpers.faulty_device import FaultyDevice
from spikedaq.daemon import Daemon, DaemonConfig
from spikedaq.inlet import ControlClient
from spikedaq.link import PortScanner
from spikedaq.model import CommandRejected

A, B, C = "5350494b00000aaa", "5350494b00000bbb", "5350494b00000ccc"


class Finding(DaemonProcess):
    """A daemon that looks for boards at the pseudo-terminals of a folder."""

    def __init__(self, folder: Path, devices: str = "", *, enabled: str = "") -> None:
        super().__init__(folder / "data", {})
        self.ports = folder / "ports"
        self.ports.mkdir(exist_ok=True)
        self.path = folder / "spikedaq.toml"
        self.write(devices, enabled=enabled)

    def write(self, devices: str, *, enabled: str = "") -> None:
        self.path.write_text(
            f'control = "{self.url}"\npublish = "tcp://127.0.0.1:{self.publish_port}"\ndata = "data"\n'
            f'[discovery]\nusb = []\nlinks = ["pty:{self.ports}/*"]\nperiod_s = 0.1\n{enabled}\n{devices}'
        )

    def arguments(self) -> list[str]:
        return ["--config", str(self.path)]

    def board(self, port: str, unique_id: str, *options: str) -> FaultyDevice:
        return FaultyDevice(self.ports / port, "board", "--id", unique_id, *options)

    def entries(self) -> dict[str, dict[str, Any]]:
        return {entry["name"]: entry for entry in self.call("status")["devices"]}  # type: ignore[index]

    def runs(self, name: str) -> dict[str, Any]:
        wait_for(f"{name} to run", lambda: self.entries()[name]["state"] == "running")
        return self.entries()[name]

    def listed(self) -> dict[str, dict[str, Any]]:
        return {Path(port["url"].partition(":")[2]).name: port for port in self.call("ports")}  # type: ignore[union-attr]


def named(name: str, unique_id: str, more: str = "") -> str:
    return f'[[device]]\nname = "{name}"\nunique_id = "{unique_id}"\n{more}\n'


QUIET = {"lost": 0, "overrun": 0, "dropped": 0}


def test_a_board_is_found_on_whatever_port_it_is_plugged_into(tmp_path: Path) -> None:
    """Given by its id it is there under its name, with its parameters, also after it went to another port."""
    daemon = Finding(tmp_path, named("alpha", A, "parameters = { i_clamp = 6 }") + named("beta", B))
    with daemon:
        wait_for("the daemon", lambda: daemon.entries()["alpha"]["state"] == "lost")
        assert f"board {A} has not been found" in daemon.entries()["alpha"]["detail"]
        with daemon.board("one", B), daemon.board("two", A) as alpha:
            daemon.runs("alpha")
            beta = daemon.runs("beta")
            assert daemon.call("get", device="alpha", name="i_clamp")["value"] == 6  # type: ignore[index]
            assert {p: e["device"] for p, e in daemon.listed().items()} == {"one": "beta", "two": "alpha"}
            alpha.end()
            wait_for("the loss", lambda: daemon.entries()["alpha"]["state"] == "lost")
            with daemon.board("three", A):
                assert daemon.runs("alpha")["reconnects"] == 1
                assert daemon.call("get", device="alpha", name="i_clamp")["value"] == 6  # type: ignore[index]
                ports = {e["name"]: e["port"] for e in daemon.call("list")}  # type: ignore[union-attr]
                assert ports["alpha"] == f"pty:{daemon.ports}/three"
                after = daemon.entries()["beta"]
                assert (after["reconnects"], after["gaps"]) == (0, QUIET)
                assert after["samples"] > beta["samples"]
                assert daemon.stop() == 0


def test_nothing_is_lost_between_the_question_and_the_device(tmp_path: Path) -> None:
    """A board that streams already when it is found (only the daemon was restarted) loses no sample to the finding."""
    daemon = Finding(tmp_path, named("alpha", A))
    with daemon.board("one", A, "--resend-depth", "0"), daemon:
        daemon.runs("alpha")
        daemon.kill()
        daemon.start()
        daemon.runs("alpha")
        alpha = daemon.entries()["alpha"]
        assert alpha["reconnects"] == 0
        # What the pseudo-terminal could not hold while nobody read is lost or overrun; the finding adds nothing:
        # from the first frame that was read on, the numbers have no hole.
        before = alpha["gaps"]
        wait_for("more", lambda: daemon.entries()["alpha"]["samples"] > alpha["samples"] + 5000)
        assert daemon.entries()["alpha"]["gaps"] == before
        assert daemon.entries()["alpha"]["bad_frames"] <= 1
        assert daemon.stop() == 0


def test_a_board_that_nobody_named_is_used_and_can_be_named(tmp_path: Path) -> None:
    """It has a name made of its id; a name given to it holds after a restart; a name in the file goes before."""
    daemon = Finding(tmp_path)
    with daemon.board("one", A), daemon.board("two", B):
        with daemon:
            daemon.runs("spikeling-0aaa")
            daemon.runs("spikeling-0bbb")
            assert daemon.call("name_device", device="spikeling-0aaa", name="left") == {"unique_id": A, "name": "left"}
            daemon.runs("left")
            assert set(daemon.entries()) == {"left", "spikeling-0bbb"}
            with pytest.raises(CommandRejected, match="has a device 'left' already"):
                daemon.call("name_device", device="spikeling-0bbb", name="left")
            with pytest.raises(CommandRejected, match="device name"):
                daemon.call("name_device", device="left", name="a/b")
            daemon.call("record_start", session="one", timeout_s=30)
            with pytest.raises(CommandRejected, match="is being recorded"):
                daemon.call("name_device", device="left", name="other")
            status = daemon.call("record_stop", timeout_s=60)
            assert set(status["devices"]) == {"left", "spikeling-0bbb"}  # type: ignore[index]
            assert daemon.stop() == 0
        with daemon:
            daemon.runs("left")
            daemon.write(named("right", A), enabled="enabled = true")
            daemon.call("reload")
            daemon.runs("right")
            assert set(daemon.entries()) == {"right", "spikeling-0bbb"}
            with pytest.raises(CommandRejected, match="has its name from the configuration"):
                daemon.call("name_device", device="right", name="left")
            assert daemon.stop() == 0


def test_one_that_went_does_not_stop_a_recording_of_the_others(tmp_path: Path) -> None:
    """A board that nobody named and that is gone belongs to no recording; a named one that is absent is asked for."""
    daemon = Finding(tmp_path)
    with daemon, daemon.board("one", A), daemon.board("two", B) as other:
        daemon.runs("spikeling-0aaa")
        daemon.runs("spikeling-0bbb")
        other.end()
        wait_for("the loss", lambda: daemon.entries()["spikeling-0bbb"]["state"] == "lost")
        status = daemon.call("record_start", session="one", timeout_s=30)
        assert list(status["devices"]) == ["spikeling-0aaa"]  # type: ignore[index]
        daemon.call("record_stop", timeout_s=60)
        daemon.write(named("alpha", A) + named("beta", B))
        daemon.call("reload")
        daemon.runs("alpha")
        with pytest.raises(CommandRejected, match="cannot record: beta is lost"):
            daemon.call("record_start", session="two")
        assert daemon.stop() == 0


def test_a_board_is_left_alone_where_only_named_ones_are_used(tmp_path: Path) -> None:
    """It is listed with its id and what to write; a reload that names it takes it up."""
    daemon = Finding(tmp_path, named("alpha", A) + named("gamma", C))
    with daemon, daemon.board("one", A), daemon.board("two", B):
        daemon.runs("alpha")
        wait_for("the stranger", lambda: daemon.listed()["two"]["state"] == "unnamed")
        assert daemon.listed()["two"]["unique_id"] == B
        assert f'unique_id = "{B}"' in daemon.listed()["two"]["detail"]
        assert set(daemon.entries()) == {"alpha", "gamma"}
        daemon.write(named("alpha", A) + named("beta", B))
        daemon.call("reload")
        daemon.runs("beta")
        with daemon.board("three", C):
            wait_for("the third port", lambda: "three" in daemon.listed())
            assert daemon.listed()["three"]["state"] == "idle"
            assert "not opened" in daemon.listed()["three"]["detail"]
        assert daemon.stop() == 0


def test_two_boards_with_one_id(tmp_path: Path) -> None:
    """The second is refused with both ports named, and takes over once the first is gone."""
    daemon = Finding(tmp_path)
    with daemon, daemon.board("one", A) as first:
        daemon.runs("spikeling-0aaa")
        with daemon.board("two", A):
            wait_for("the refusal", lambda: daemon.listed()["two"]["state"] == "refused")
            assert f"answers at pty:{daemon.ports}/one already, as 'spikeling-0aaa'" in daemon.listed()["two"]["detail"]
            assert daemon.entries()["spikeling-0aaa"]["reconnects"] == 0
            first.end()
            wait_for("the second", lambda: daemon.listed()["two"]["state"] == "used")
            daemon.runs("spikeling-0aaa")
        assert daemon.stop() == 0


@contextlib.contextmanager
def terminal(path: Path, *, says: bytes) -> Iterator[int]:
    """A pseudo-terminal whose other side says the same thing over and over and never listens."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    path.symlink_to(os.ttyname(theirs))
    end = threading.Event()

    def talk() -> None:
        os.set_blocking(ours, False)
        while not end.wait(0.01):
            with contextlib.suppress(BlockingIOError, OSError):
                os.write(ours, says)

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield ours
    finally:
        end.set()
        thread.join()
        path.unlink()
        os.close(theirs)
        os.close(ours)


def test_bad_neighbours_disturb_nobody(tmp_path: Path) -> None:
    """Noise, silence, a false version, a file, a port that comes and goes, another's port: all told, none felt."""
    daemon = Finding(tmp_path, named("alpha", A), enabled="enabled = true")
    with contextlib.ExitStack() as stack:
        stack.enter_context(daemon)
        stack.enter_context(daemon.board("good", A))
        stack.enter_context(terminal(daemon.ports / "noise", says=bytes(range(256)) * 8))
        stack.enter_context(terminal(daemon.ports / "silent", says=b""))
        stack.enter_context(daemon.board("version", C, "--protocol-major", "9"))
        (daemon.ports / "file").write_text("no terminal")
        before = daemon.runs("alpha")
        for n in range(12):
            board = daemon.board("flapping", B)
            wait_for("the port", lambda: "flapping" in daemon.listed())
            if n % 3 == 2:
                wait_for("the question", lambda: daemon.listed()["flapping"]["state"] != "idle")
            board.end()
            (daemon.ports / "flapping").unlink(missing_ok=True)
            wait_for("its absence", lambda: "flapping" not in daemon.listed())
        told: dict[str, str] = {}

        def all_told() -> bool:
            told.update({n: p["detail"] for n, p in daemon.listed().items() if p["state"] in ("refused", "busy")})
            return told.keys() == {"noise", "silent", "version", "file"}

        wait_for("all to be told", all_told, 40)
        assert "speaks something else than the spikedaq protocol" in told["noise"]
        assert "nothing answers" in told["silent"]
        assert "version" in told["version"]
        assert "is not a serial port or terminal" in told["file"]
        after = daemon.entries()["alpha"]
        assert (after["reconnects"], after["gaps"], after["bad_frames"]) == (0, QUIET, 0)
        assert after["samples"] > before["samples"]
        with daemon.board("flapping", B):
            daemon.runs("spikeling-0bbb")
        assert daemon.stop() == 0


def test_a_usb_port_is_found_by_its_ids_and_others_are_never_opened(tmp_path: Path) -> None:
    """A daemon without a file uses the board on a port with a known USB id, and touches no other port."""
    control, publish = free_ports(2)
    url = f"tcp://127.0.0.1:{control}"
    paths = [tmp_path / name for name in ("ttyUSB0", "ttyUSB1", "ttyS0")]
    ids = [(0x1A86, 0x7523), (0x1234, 0x5678), (None, None)]

    def listed() -> list[SimpleNamespace]:
        return [
            SimpleNamespace(device=str(path), vid=vid, pid=pid, serial_number=None, description="USB Serial")
            for path, (vid, pid) in zip(paths, ids, strict=True)
            if path.exists()
        ]

    config = DaemonConfig(control=url, publish=f"tcp://127.0.0.1:{publish}", data=tmp_path / "data")
    daemon = Daemon(config, scanner=PortScanner(listed))
    seen: dict[str, Any] = {}

    def ask() -> None:
        try:
            with contextlib.closing(ControlClient(url)) as client:
                wait_for("the board", lambda: client.call("list")[0]["state"] == "running")
                seen["list"], seen["ports"] = client.call("list"), client.call("ports")
        finally:
            loop.call_soon_threadsafe(daemon.stop)

    async def serve() -> None:
        nonlocal loop
        loop = asyncio.get_running_loop()
        thread = threading.Thread(target=ask)
        thread.start()
        await daemon.run()
        thread.join()

    loop: asyncio.AbstractEventLoop
    with contextlib.ExitStack() as stack:
        for number, path in enumerate(paths):
            stack.enter_context(FaultyDevice(path, f"board{number}", "--id", f"000000000000000{number}"))
        asyncio.run(serve())
    assert [(e["name"], e["port"]) for e in seen["list"]] == [("spikeling-0000", f"serial:{paths[0]}")]
    assert [(p["url"], p["usb"], p["device"]) for p in seen["ports"]] == [
        (f"serial:{paths[0]}", "1a86:7523", "spikeling-0000")
    ]
