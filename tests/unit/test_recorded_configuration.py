"""What a file says of how it was recorded: the configuration, and what its session was begun with."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from fake_stream import T0_NS, UNIQUE_ID, FakeDevice

from spikedaq.daemon.commands.recordings import RecordingCommands
from spikedaq.daemon.config import DaemonConfig, RecordingConfig, RecordingModeConfig
from spikedaq.daemon.recording_mode import Wanted, wanted
from spikedaq.daemon.session import Reference, new_plan
from spikedaq.daemon.trigger_config import TriggerConfig
from spikedaq.daemon.triggers import Trigger
from spikedaq.journal import JournalWriter, SessionStart, SessionStop
from spikedaq.recorder import EXIT_DONE, read_plan
from spikedaq.recorder.process import Recorder
from spikedaq.recorder.reporter import Reporter
from spikedaq.store import find_files, open_recording

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


def started(config: DaemonConfig, triggers: list[Trigger], **asked: Any) -> Wanted:
    """Return what a session is begun with that is asked for so, on a bench with these triggers."""
    begun: list[Wanted] = []

    async def start(*arguments: Any, **_: Any) -> Any:
        begun.append(arguments[3])
        return SimpleNamespace(to_map=dict)

    sessions: Any = SimpleNamespace(config=config.recording, start=start)
    engine: Any = SimpleNamespace(triggers={trigger.name: trigger for trigger in triggers})
    nothing: Any = None
    commands = RecordingCommands(nothing, sessions, nothing, engine).operations()
    asyncio.run(commands["record_start"].run("who", session="s", **asked))
    return begun[0]


def test_what_a_start_asked_for_is_in_the_file(tmp_path: Path) -> None:
    """Where it differs from the configuration, which is there as well: a file of a schedule is not continuous."""
    configured = TriggerConfig(name="level", when="level", channel="vm", level=-30, pre_s=2)
    disarmed = TriggerConfig(name="off", when="hand")
    config = DaemonConfig(recording=RecordingConfig(roll_bytes=10**9), triggers=(configured, disarmed))
    triggers = [
        Trigger(configured, is_configured=True),
        Trigger(disarmed, is_configured=True, armed=False),
        Trigger(TriggerConfig(name="mine", when="stimulus"), is_configured=False),
    ]
    mode = {"kind": "scheduled", "every_s": 10, "for_s": 9}
    asked = started(config, triggers, mode=mode, roll_s=30, roll_aligned="Europe/Berlin", end_after_s=600)
    with open_recording(recorded(tmp_path, config, asked)) as file:
        said = file.meta.recording
        assert said["mode"] == {**mode, "from": None, "until": None, "zone": "UTC"}
        assert said["roll"] == {"seconds": 30.0, "bytes": 10**9, "aligned": "Europe/Berlin"}
        assert said["end_after_s"] == 600.0
        level, mine = said["triggers"]
        assert (level["name"], level["level"], level["pre_s"], level["holdoff_s"]) == ("level", -30, 2, 0.001)
        assert (mine["name"], mine["when"], mine["within_s"], mine["targets"]) == ("mine", "stimulus", 1.0, [])
        assert file.config["recording"]["mode"]["kind"] == "continuous"
        assert [trigger["edge"] for trigger in file.config["trigger"]] == ["rising", "rising"]


def test_what_the_configuration_leaves_open_is_in_the_file(tmp_path: Path) -> None:
    """The longest window that is waited for comes of the triggers, and stands nowhere in the configuration."""
    long = TriggerConfig(name="long", when="hand", pre_s=90, post_s=1)
    config = DaemonConfig(recording=RecordingConfig(mode=RecordingModeConfig(kind="triggered")), triggers=(long,))
    asked = started(config, [Trigger(long, is_configured=True)])
    said = plan_of(config, asked)["recording"]
    assert said["mode"] == {"kind": "triggered", "triggers": None, "pre_s": None, "post_s": None, "max_pre_s": 90.0}
    assert said["roll"]["seconds"] == 3600.0
