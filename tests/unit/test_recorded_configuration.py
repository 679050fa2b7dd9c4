"""What a file says of how it was recorded: the configuration, and what its session was begun with."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import h5py
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from fake_stream import T0_NS, UNIQUE_ID, FakeDevice

from spikedaq.daemon.config import DaemonConfig, RecordingConfig
from spikedaq.daemon.recording_mode import Wanted, wanted
from spikedaq.daemon.session import Reference, new_plan
from spikedaq.journal import JournalWriter, SessionStart, SessionStop
from spikedaq.recorder import EXIT_DONE, read_plan
from spikedaq.recorder.process import Recorder
from spikedaq.recorder.reporter import Reporter
from spikedaq.store import find_files

STARTED = Reference(1_800_000_000_000_000_000, T0_NS)


def plan_of(config: DaemonConfig, asked: Wanted | None = None, journal: str = "") -> dict[str, Any]:
    """Return the plan of a session, as session.json holds it."""
    device = {"name": "alpha", "unique_id": UNIQUE_ID.hex(), "journal": journal, "start_offset": 0}
    asked = asked or wanted(config.recording)
    plan: dict[str, Any] = new_plan(config, "s", [device], asked, notes="", reference=STARTED, now=STARTED)
    return plan


def recorded(tmp_path: Path, config: DaemonConfig, asked: Wanted | None = None) -> Path:
    """Record a session of this configuration from start to stop; return its one file."""
    device, folder = FakeDevice(), tmp_path / "s"
    writer = JournalWriter(tmp_path / "alpha", device="alpha", unique_id="01", host_boot_id="b")
    device.introduce(writer)
    writer.append(SessionStart(device.t_host_ns, "s", 0, "{}"))
    for frame in device.frames(20):
        writer.append_frames(device.t_host_ns, [frame])
    writer.append(SessionStop(device.t_host_ns, "s", "asked"))
    writer.close()
    folder.mkdir()
    plan = plan_of(config, asked, str(tmp_path / "alpha"))
    (folder / "session.json").write_text(json.dumps({**plan, "reserve_bytes": 0}))
    (wake, keep), nowhere = os.pipe(), os.open(os.devnull, os.O_WRONLY)
    try:
        assert Recorder(read_plan(folder), Reporter(nowhere), wake, lambda: 0.0).run() == EXIT_DONE
    finally:
        for descriptor in (wake, keep, nowhere):
            os.close(descriptor)
    (path,) = find_files(folder, "alpha")
    return path


@pytest.mark.parametrize(
    ("recording", "said"),
    [
        (
            RecordingConfig(experimenter="Doe, Jane", institution="Example University", lab="Course"),
            ("Doe, Jane", "Example University", "Course"),
        ),
        (RecordingConfig(institution=" "), ("Unknown, Experimenter", "not stated", "not stated")),
    ],
)
def test_who_and_where_are_in_the_file(tmp_path: Path, recording: RecordingConfig, said: tuple[str, ...]) -> None:
    """`[recording] experimenter`, `institution` and `lab` are where NWB has them."""
    with h5py.File(recorded(tmp_path, DaemonConfig(recording=recording))) as file:
        general = file["general"]
        (experimenter,) = general["experimenter"].asstr()[()]
        assert (experimenter, *(general[name].asstr()[()] for name in ("institution", "lab"))) == said
