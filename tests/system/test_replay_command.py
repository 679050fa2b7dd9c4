"""`spikedaq replay`: journals and sessions come back as live devices, whole or from offset to offset."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import DaemonProcess, journal_blocks, wait_for
from spikedaq.store import find_files, open_recording

N_MORE = 3000


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of two devices with a session in the middle of their journals."""
    folder = tmp_path_factory.mktemp("replay") / "data"
    with DaemonProcess(folder, {"alpha": "sim:alpha?param.i_clamp=15&seed=3", "beta": "sim:beta?preset=2"}) as daemon:

        def more() -> None:
            before = {e["name"]: e["samples"] for e in daemon.call("status")["devices"]}  # type: ignore[index]
            wait_for(
                "more",
                lambda: all(
                    e["samples"] > before[e["name"]] + N_MORE
                    for e in daemon.call("status")["devices"]  # type: ignore[index]
                ),
            )

        wait_for("both", lambda: {e["state"] for e in daemon.call("list")} == {"running"})  # type: ignore[union-attr]
        more()
        daemon.call("set", device="alpha", values={"i_clamp": 22.0})
        daemon.call("record_start", session="middle", timeout_s=30)
        more()
        daemon.call("record_stop", timeout_s=60)
        more()
        assert daemon.stop() == 0
    return folder


def replay(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "spikedaq.cli", "replay", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=90)


def steps(journal: Path) -> list[tuple[int, bytes]]:
    return [(step + k, row.tobytes()) for _, _, step, rows in journal_blocks(journal) for k, row in enumerate(rows)]


@pytest.mark.parametrize("speed", ["max", "20"])
def test_a_data_folder_comes_back_sample_for_sample(data: Path, tmp_path: Path, speed: str) -> None:
    """Both devices, at once, with nothing missing and nothing twice; and the end is told."""
    done = replay(data, "--speed", speed, "--data", tmp_path / "again", "--json")
    assert done.returncode == 0, done.stderr
    entries: list[dict[str, Any]] = json.loads(done.stdout)
    assert [entry["name"] for entry in entries] == ["alpha", "beta"]
    for entry in entries:
        before, after = (steps(folder / "journal" / entry["name"]) for folder in (data, tmp_path / "again"))
        assert after == before
        assert entry["samples"] == len(before)
        assert entry["gaps"] == {"lost": 0, "overrun": 0, "dropped": 0}
        assert "has ended after" in entry["detail"]


def test_a_session_is_its_part_of_the_journals(data: Path, tmp_path: Path) -> None:
    """From its first offset to where its files end: every recorded sample, the set value, and not what came before."""
    done = replay(data / "recordings" / "middle", "--speed", "max", "--data", tmp_path / "again", "--device", "alpha")
    assert done.returncode == 0, done.stderr
    assert "replaying alpha as fast as possible" in done.stdout
    assert "alpha: " in done.stdout.splitlines()[-1]
    (path,) = find_files(data / "recordings" / "middle", "alpha")
    with open_recording(path) as recording:
        recorded = list(zip(recording.steps().tolist(), recording.samples(), strict=True))
    again = dict(steps(tmp_path / "again" / "journal" / "alpha"))
    for step, row in recorded:
        assert again[step] == np.asarray(row, "<i2").tobytes()
    whole = steps(data / "journal" / "alpha")
    assert len(recorded) <= len(again) < len(recorded) + 300
    assert min(again) > whole[0][0] + N_MORE / 2


def test_the_links_can_be_given_to_a_daemon_of_ones_own(data: Path) -> None:
    """They are what spikedaqd takes, and begin where the session does."""
    done = replay(data / "recordings" / "middle", "--url-only", "--speed", "2.50", "--loop")
    assert done.returncode == 0
    plan = json.loads((data / "recordings" / "middle" / "session.json").read_text())
    for line, device in zip(done.stdout.splitlines(), plan["devices"], strict=True):
        name, first = device["name"], device["start_offset"]
        assert line.startswith(f"{name}=replay:{data}/journal/{name}?speed=2.5&loop=1&from={first}&to=")
    as_json = replay(data / "recordings" / "middle", "--url-only", "--speed", "2.50", "--loop", "--json")
    assert [f"{name}={url}" for name, url in json.loads(as_json.stdout).items()] == done.stdout.splitlines()


def test_the_same_name_twice(data: Path) -> None:
    """Journals of two benches with a device of one name play beside each other."""
    done = replay(data / "journal" / "alpha", data / "journal", "--url-only")
    assert [line.partition("=")[0] for line in done.stdout.splitlines()] == ["alpha", "alpha-2", "beta"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("{}/nothing",), "nothing is not a folder"),
        (("{}/recordings",), "recordings holds no journal"),
        (("{}", "--device", "gamma"), "there is no journal of gamma; there are alpha, beta"),
        (("{}", "--speed", "0"), "'0' is no speed"),
        (("{}", "--speed", "101"), "'101' is no speed"),
    ],
)
def test_what_cannot_be_replayed_is_told(data: Path, arguments: tuple[str, ...], words: str) -> None:
    """In one line, with what would do."""
    done = replay(*(argument.format(data) for argument in arguments))
    assert done.returncode in (1, 2)
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_journal_that_no_longer_holds_the_session(data: Path, tmp_path: Path) -> None:
    """Its segments were deleted: that is said, and nothing else is played in its place."""
    session = tmp_path / "recordings" / "middle"
    (session / "alpha").mkdir(parents=True)
    plan = json.loads((data / "recordings" / "middle" / "session.json").read_text())
    journal = tmp_path / "journal" / "alpha"
    plan["devices"] = [{**plan["devices"][0], "journal": str(journal)}]
    (session / "session.json").write_text(json.dumps(plan))
    done = replay(session)
    assert "the journal of alpha is gone" in done.stderr
    journal.mkdir(parents=True)
    (journal / f"{10**12:020d}.spj").write_bytes(b"")
    (session / "alpha" / "manifest.json").write_bytes(
        (data / "recordings" / "middle" / "alpha" / "manifest.json").read_bytes()
    )
    done = replay(session)
    assert "no longer holds this session" in done.stderr
