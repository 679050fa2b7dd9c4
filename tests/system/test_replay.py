"""A journal replayed as a board: the recording of the replay is the recording of the board, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import DaemonProcess, wait_for
from helpers.faulty_device import FaultyDevice
from spikedaq.journal import JournalReader
from spikedaq.model import Block, CommandRejected, Event, Gap
from spikedaq.store import find_files, open_recording
from spikedaq.wire import Connection, Frame, Rebooted


def entry(daemon: DaemonProcess) -> dict[str, Any]:
    return dict(daemon.call("status")["devices"][0])  # type: ignore[index]


def recorded(data: Path) -> list[dict[int, bytes]]:
    """Samples by step, boot by boot, as the files of a session hold them."""
    boots: dict[int, dict[int, bytes]] = {}
    for path in find_files(data / "recordings" / "session", "alpha"):
        with open_recording(path) as recording:
            steps = np.asarray(recording.steps(0, recording.n_samples))
            samples = np.asarray(recording.samples(0, recording.n_samples))
            found = boots.setdefault(recording.device_info.boot_id, {})
            found.update((int(step), row.tobytes()) for step, row in zip(steps, samples, strict=True))
    return list(boots.values())


def journal_content(folder: Path) -> list[tuple[object, ...]]:
    """Blocks, events and gaps of a journal, boots counted instead of named."""
    reader = JournalReader(folder)
    connection = Connection()
    content: list[tuple[object, ...]] = []
    boot = 0
    while entries := reader.poll():
        for found in entries:
            if not isinstance(found.item, Frame):
                continue
            for item in connection.receive_frame(found.item):
                if isinstance(item, Rebooted):
                    boot += 1
                elif isinstance(item, Block):
                    samples = item.samples.tobytes()
                    content.append(("block", boot, item.first_step, item.first_tick, item.step_us, item.flags, samples))
                elif isinstance(item, Gap):
                    content.append(("gap", boot, item.first_step, item.n_steps, str(item.cause)))
                elif isinstance(item, Event):
                    content.append(("event", boot, item.kind, item.step, item.tick, item.index, item.value))
    reader.close()
    return content


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session of a board with lost frames, a parameter set on the way, and a reboot."""
    folder = tmp_path_factory.mktemp("original")
    options = ("--resend-depth", "0", "--param", "i_clamp=15", "--param", "noise_sd=2", "--seed", "4")
    with (
        FaultyDevice(folder / "tty", "alpha", *options, "--boot-id", "500") as board,
        DaemonProcess(folder / "data", {"alpha": f"pty:{folder / 'tty'}"}) as daemon,
    ):
        wait_for("the device to run", lambda: entry(daemon)["state"] == "running")
        daemon.call("record_start", session="session", timeout_s=30)

        def until(n: int) -> None:
            wait_for(f"{n} more blocks", lambda: entry(daemon)["blocks"] >= n)

        until(entry(daemon)["blocks"] + 40)
        board.do("lose 5", "lose")
        until(entry(daemon)["blocks"] + 40)
        daemon.call("set", device="alpha", values={"i_clamp": 25.0})
        board.do("lose 3", "lose")
        until(entry(daemon)["blocks"] + 40)
        board.do("reboot", "reboot")
        wait_for("the second boot", lambda: entry(daemon)["boot"] == 501 and entry(daemon)["state"] == "running")
        until(entry(daemon)["blocks"] + 60)
        daemon.call("record_stop", timeout_s=60)
        assert daemon.stop() == 0
    return folder / "data"


@pytest.mark.parametrize("speed", ["max", "4"])
def test_what_came_of_a_replay_is_what_came_of_the_board(original: Path, tmp_path: Path, speed: str) -> None:
    """Samples, steps, ticks, flags, events and gaps with their causes are the same, at any speed; then it ends."""
    url = f"replay:{original / 'journal' / 'alpha'}?speed={speed}"
    with DaemonProcess(tmp_path / "data", {"alpha": url}) as daemon:
        wait_for("the replay to end", lambda: "has ended after" in entry(daemon)["detail"], 60)
        assert entry(daemon)["state"] == "lost"
        assert daemon.stop() == 0
    expected = journal_content(original / "journal" / "alpha")
    # Some of the frames lost were events, at times all of those lost at once.
    assert {item[4] for item in expected if item[0] == "gap"} == {"lost"}
    assert {item[1] for item in expected} == {0, 1}
    assert journal_content(tmp_path / "data" / "journal" / "alpha") == expected


def test_a_recording_of_a_replay_is_the_recording_and_nothing_can_be_set(original: Path, tmp_path: Path) -> None:
    """In its own time, recorded as it plays: every sample both have is the same; set and stimulus are refused."""
    url = f"replay:{original / 'journal' / 'alpha'}"
    with DaemonProcess(tmp_path / "data", {"alpha": url}) as daemon:
        wait_for("the replay to run", lambda: entry(daemon)["state"] == "running")
        assert daemon.call("get", device="alpha", name="i_clamp") == {"value": 15.0, "holder": "host"}
        with pytest.raises(CommandRejected, match="this is a replay"):
            daemon.call("set", device="alpha", values={"i_clamp": 1.0})
        with pytest.raises(CommandRejected):
            daemon.call("stimulus", device="alpha", rows=[0, 1])
        daemon.call("record_start", session="session", timeout_s=30)
        wait_for("the replay to end", lambda: "has ended after" in entry(daemon)["detail"], 60)
        daemon.call("record_stop", timeout_s=60)
        assert daemon.stop() == 0
    before, after = recorded(original), recorded(tmp_path / "data")
    assert len(before) == len(after) == 2
    for was, now in zip(before, after, strict=True):
        common = was.keys() & now.keys()
        # A slow computer starts to record late; most of it must be there even then.
        assert len(common) > len(was) / 2
        assert all(was[step] == now[step] for step in common)
