"""The recorder process on journals made by a deterministic device: what is in the files is what was produced."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from fake_stream import T0_NS, FakeDevice, check_files, record_plan, recorder_process

from spikedaq.journal import (
    ClockFitRecord,
    ClockMapRecord,
    JournalGap,
    JournalWriter,
    LinkRecord,
    NoteRecord,
    RequestRecord,
    SessionStart,
    SessionStop,
)
from spikedaq.model import GapCause
from spikedaq.store import RecordingFile
from spikedaq.wire import Reset, Set, encode_message


class Bench:
    """A journal being written and a session folder."""

    def __init__(self, tmp_path: Path, *, roll_s: float | None = None, segment_bytes: int = 2**20) -> None:
        self.journal, self.folder, self.roll_s = tmp_path / "journal" / "alpha", tmp_path / "recordings" / "s", roll_s
        self.device = FakeDevice()
        self.writer = JournalWriter(
            self.journal, device="alpha", unique_id="01", segment_bytes=segment_bytes, host_boot_id="b"
        )

    def begin(self) -> None:
        start = self.writer.append(SessionStart(self.device.t_host_ns, "s", 0, "{}"))
        record_plan(self.folder, "s", {"alpha": self.journal}, roll_s=self.roll_s, start=start)

    def send(self, *frames: bytes) -> None:
        self.writer.append_frames(self.device.t_host_ns, frames)

    def blocks(self, n: int) -> None:
        for frame in self.device.frames(n):
            self.send(frame)

    def end(self, reason: str = "asked") -> None:
        self.writer.append(SessionStop(self.device.t_host_ns, "s", reason))

    def record(self, status: int = 0) -> list[dict]:
        with recorder_process(self.folder) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            if status == 3:
                process.stdin.close()
            lines = [json.loads(line) for line in process.stdout]
            assert process.wait(60) == status, process.stderr.read().decode()
        return lines

    def manifest(self) -> dict:
        return json.loads((self.folder / "alpha" / "manifest.json").read_text())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_session_from_start_to_stop(bench: Bench) -> None:
    """Only what lies between start and stop is recorded, with 64-bit ticks across the counter's wrap."""
    bench.device.introduce(bench.writer)
    bench.blocks(3)
    del bench.device.produced[:]
    first_tick, first_t_ns = bench.device.tick, bench.device.t_host_ns
    bench.begin()
    bench.blocks(60)
    produced = list(bench.device.produced)
    bench.end()
    bench.blocks(5)
    lines = bench.record()
    (file,) = check_files(bench.folder, produced)
    assert int(file.blocks["first_tick"][0]) == first_tick
    assert int(file.blocks["first_tick"][-1]) > 6 * 2**32 > first_tick, "the 32-bit counter wrapped on the way"
    assert file.timestamps()[0] == pytest.approx((first_t_ns - T0_NS) / 1e9, abs=2e-6)
    assert bench.manifest()["state"] == "complete"
    assert bench.manifest()["reason"] == "asked"
    assert [line["state"] for line in lines][-1] == "closed"
    assert lines[-1]["samples"] == lines[-1]["rows_on_disk"] == 6000
    first = next(line for line in lines if line["rows_on_disk"])
    assert first["rows_on_disk"] == 100, "the first readable block is told at once"


def test_rolled_files_are_contiguous(tmp_path: Path) -> None:
    """File k+1 starts with the very next sample, at the first block a full period after file k's first sample."""
    bench = Bench(tmp_path, roll_s=0.255, segment_bytes=100_000)
    bench.device.introduce(bench.writer)
    bench.begin()
    bench.blocks(100)
    bench.end()
    bench.record()
    files = check_files(bench.folder, bench.device.produced)
    assert [f.n_samples for f in files] == [2600, 2600, 2600, 2200]
    stops = [f["last_step"] + 1 for f in bench.manifest()["files"]]
    assert [f["first_step"] for f in bench.manifest()["files"]] == [0, *stops[:-1]]


def test_missing_samples_have_their_cause(bench: Bench) -> None:
    """Lost on the wire, overrun on the device, dropped by a full disk, stopped by the user: each by its name."""
    device = bench.device
    device.introduce(bench.writer)
    bench.begin()
    bench.blocks(5)
    device.block(70)
    device.produced.pop()
    bench.blocks(5)
    bench.send(device.overrun(33))
    bench.blocks(5)
    device.block(40)
    device.produced.pop()
    bench.writer.append(JournalGap(device.t_host_ns, 1))
    bench.blocks(5)
    device.skip(500)
    device.flags = 4
    bench.blocks(5)
    bench.end()
    lines = bench.record()
    (file,) = check_files(bench.folder, device.produced)
    assert [(g.gap.cause, g.gap.n_steps) for g in file.gaps] == [
        (GapCause.LOST, 70),
        (GapCause.OVERRUN, 33),
        (GapCause.DROPPED, 40),
        (GapCause.STOPPED, 500),
    ]
    assert bench.manifest()["gaps"] == {"lost": 70, "overrun": 33, "dropped": 40, "stopped": 500, "outside": 0}
    assert lines[-1]["gaps"] == {"lost": 70, "overrun": 33, "dropped": 40}


def notes_of(bench: Bench) -> list[str]:
    return [n.text for f in check_files(bench.folder, bench.device.produced) for n in f.notes]


def test_damage_of_the_journal_is_told(bench: Bench) -> None:
    """A flipped bit in it costs a block, which is a gap; who looks for a bad cable is told where to look."""
    device = bench.device
    device.introduce(bench.writer)
    bench.begin()
    bench.blocks(5)
    at = bench.writer.offset + 200
    bench.blocks(5)
    lost = device.produced.pop(5)
    (segment,) = bench.journal.glob("*.spj")
    with segment.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ (2 if byte != 2 else 4)]))
    bench.end()
    lines = bench.record()
    (file,) = check_files(bench.folder, device.produced)
    assert [(g.gap.cause, g.gap.first_step) for g in file.gaps] == [(GapCause.LOST, lost[1])]
    (remark,) = (line["remark"] for line in lines if "remark" in line)
    assert f"bytes of the journal in {bench.journal}" in remark


def drop_before_stop(bench: Bench) -> None:
    bench.device.block(3000)
    bench.device.produced.pop()
    bench.writer.append(JournalGap(bench.device.t_host_ns, 30))
    bench.end()


def test_samples_that_were_dropped_before_the_stop_leave_a_trace(bench: Bench) -> None:
    """No later block says how many they were: the notes and the reason say that there were some."""
    bench.device.introduce(bench.writer)
    bench.begin()
    bench.blocks(5)
    drop_before_stop(bench)
    bench.record()
    text = "30 frames of the device could not be journalled (disk full)"
    assert notes_of(bench) == [text]
    assert bench.manifest()["reason"] == f"asked; before that {text}"
    assert text in bench.manifest()["files"][0]["closed_reason"]


def test_samples_that_were_dropped_before_a_reboot_leave_a_trace(bench: Bench) -> None:
    device = bench.device
    device.introduce(bench.writer)
    bench.begin()
    bench.blocks(5)
    bench.writer.append(JournalGap(device.t_host_ns, 30))
    device.reboot(9)
    device.introduce(bench.writer)
    bench.blocks(5)
    bench.end()
    bench.record()
    assert notes_of(bench) == ["30 frames of the device could not be journalled (disk full)"]
    assert bench.manifest()["reason"] == "asked"


def test_what_was_dropped_is_known_to_the_next_recorder(bench: Bench) -> None:
    """The recorder ends between the record of it and the next block."""
    device = bench.device
    device.introduce(bench.writer)
    bench.begin()
    bench.blocks(5)
    device.block(70)
    device.produced.pop()
    bench.writer.append(JournalGap(device.t_host_ns, 1))
    bench.writer.append(LinkRecord(device.t_host_ns, "lost", "pty:/x", ""))
    bench.record(3)
    bench.blocks(5)
    bench.end()
    bench.record()
    files = check_files(bench.folder, device.produced)
    assert [(g.gap.cause, g.gap.n_steps) for f in files for g in f.gaps] == [(GapCause.DROPPED, 70)]
    assert notes_of(bench) == ["1 frames of the device could not be journalled (disk full)", "link lost: pty:/x"]


def test_what_people_did_in_the_block_under_way_at_the_start_is_kept(bench: Bench) -> None:
    """The samples of that block are not the session's, as some were there before it; a note and a parameter are."""
    device = bench.device
    device.introduce(bench.writer)
    device.t_host_ns -= 5_000_000  # half a block before the session's reference time
    bench.writer.append(ClockMapRecord(device.clock_map().map, device.t_host_ns))
    bench.begin()
    bench.writer.append(NoteRecord(device.t_host_ns, "at once", "me"))
    bench.writer.append(RequestRecord(device.t_host_ns, encode_message(Set(1, (0, 4.5))), "me"))
    bench.blocks(1)
    device.produced.clear()
    bench.blocks(5)
    bench.end()
    bench.record()
    (file,) = check_files(bench.folder, device.produced)
    assert [n.text for n in file.notes] == ["at once"]
    assert [(p.value, p.origin) for p in file.parameters if p.origin != "initial"] == [(4.5, "me")]


def test_a_manifest_made_anew_numbers_files_as_they_are_called(tmp_path: Path) -> None:
    """Old ones were deleted to make room: the next file is called as none was."""
    bench = Bench(tmp_path, roll_s=0.1)
    bench.device.introduce(bench.writer)
    bench.begin()
    bench.blocks(50)
    bench.record(3)
    old = bench.manifest()["files"]
    for file in old[:2]:
        (bench.folder / "alpha" / file["name"]).unlink()
    (bench.folder / "alpha" / "manifest.json").unlink()
    del bench.device.produced[:20]
    bench.blocks(15)
    bench.end()
    bench.record()
    files = check_files(bench.folder, bench.device.produced)
    numbers = [f["number"] for f in bench.manifest()["files"]]
    assert numbers == [2, 3, 4, 5, 6]
    assert [int(f.path.stem[-4:]) for f in files] == numbers


def test_a_gap_before_the_session_is_not_the_sessions(bench: Bench) -> None:
    device = bench.device
    device.introduce(bench.writer)
    bench.blocks(2)
    device.block()
    bench.begin()
    del device.produced[:]
    bench.blocks(5)
    bench.end()
    bench.record()
    (file,) = check_files(bench.folder, device.produced)
    assert file.gaps == []


@pytest.mark.parametrize("what", ["reboot", "step", "channels"])
def test_what_a_file_cannot_hold_starts_a_new_one(bench: Bench, what: str) -> None:
    """Another boot, another period, other channels: a file has one of each."""
    device = bench.device
    device.introduce(bench.writer)
    bench.begin()
    bench.blocks(20)
    if what == "reboot":
        device.reboot(9)
        device.introduce(bench.writer)
    elif what == "step":
        device.step_us = 200
    else:
        renamed = (("vm2", "mV", 1, -2, 0), *device.channels[1:])
        device.channels = renamed
        bench.send(*device.descriptions())
    bench.blocks(20)
    bench.end()
    bench.record()
    files = check_files(bench.folder, device.produced)
    assert [f.n_samples for f in files] == [2000, 2000]
    reason = bench.manifest()["files"][0]["closed_reason"]
    assert {"reboot": "rebooted", "step": "100 to 200", "channels": "channel descriptions"}[what] in reason


def in_turns(bench: Bench, *lengths: int) -> None:
    """Blocks in current clamp, in voltage clamp, and so on by turns."""
    for n in lengths:
        bench.blocks(n)
        bench.device.clamped = not bench.device.clamped


def names(files: list[RecordingFile]) -> list[tuple[str, str]]:
    """Mode of each file, and what it calls channel 1."""
    return [(f.mode, f.channels[1].name) for f in files]


def test_each_clamp_mode_has_files_of_its_own(bench: Bench) -> None:
    """A new file at the first sample of the other mode, with the channels that hold in it, and not a sample between."""
    bench.device.clamp = True
    bench.device.introduce(bench.writer)
    bench.begin()
    in_turns(bench, 5, 3, 1, 4)
    bench.end()
    bench.record()
    files = check_files(bench.folder, bench.device.produced)
    assert names(files) == [("current", "stimulus"), ("voltage", "v_command")] * 2
    assert [f.n_samples for f in files] == [500, 300, 100, 400]
    assert [(c.name, c.unit) for c in files[1].channels[1:3]] == [("v_command", "mV"), ("i_clamp_out", "a.u.")]
    why = [f["closed_reason"] for f in bench.manifest()["files"]]
    assert why == [
        "voltage clamp from here on", "current clamp from here on", "voltage clamp from here on",
        "session stopped: asked",
    ]  # fmt: skip


def test_voltage_clamp_outlives_the_recorder_and_the_segment(tmp_path: Path) -> None:
    """A recorder that starts anew in a later segment knows both sets of channels from the journal's snapshot."""
    bench = Bench(tmp_path, segment_bytes=100_000)
    bench.device.clamp = True
    bench.device.introduce(bench.writer)
    bench.blocks(300)  # several segments before the session
    del bench.device.produced[:]
    bench.begin()
    in_turns(bench, 100, 100)
    bench.record(status=3)
    bench.device.clamped = True
    in_turns(bench, 100, 100)
    bench.end()
    bench.record()
    files = check_files(bench.folder, bench.device.produced)
    current, voltage = ("current", "stimulus"), ("voltage", "v_command")
    assert names(files) in ([current, voltage, current], [current, voltage, voltage, current])


@pytest.mark.parametrize("described", [True, False])
def test_voltage_clamp_is_never_described_by_the_other_mode(bench: Bench, described: bool) -> None:
    """Blocks wait for their descriptions; where none ever come, they are kept under names that say nothing."""
    device = bench.device
    device.clamp = device.clamped = True
    bench.send(device.hello())
    descriptions = device.descriptions()
    clamp = [k for k, _ in enumerate(descriptions) if 8 <= k < 16]
    bench.send(*(d for k, d in enumerate(descriptions) if k not in clamp))
    bench.send(device.status())
    bench.writer.append(device.clock_map())
    bench.begin()
    bench.blocks(10)
    if described:
        bench.send(*(descriptions[k] for k in clamp))
    bench.blocks(10)
    bench.end()
    bench.record()
    files = check_files(bench.folder, device.produced)
    channel = ("v_command", "mV") if described else ("channel_1", "1")
    assert [(f.mode, f.channels[1].name, f.channels[1].unit) for f in files] == [("voltage", *channel)]


def test_blocks_before_any_clock_map_wait_for_it(bench: Bench) -> None:
    """The journal is the buffer: nothing is written before the map comes, and then everything is, by that map."""
    device = bench.device
    device.introduce(bench.writer, clock=False)
    bench.begin()
    bench.blocks(30)
    with recorder_process(bench.folder) as process:
        waiting = json.loads(process.stdout.readline())
        assert (waiting["state"], waiting["samples"]) == ("waiting", 0)
        late = device.clock_map()
        bench.writer.append(late)
        bench.blocks(30)
        bench.end()
        process.communicate(timeout=60)
        assert process.returncode == 0
    (file,) = check_files(bench.folder, device.produced)
    assert file.clock_maps[0] == late.map
    assert file.timestamps()[0] == pytest.approx(0, abs=2e-6)


def test_a_device_that_was_never_fitted_keeps_its_samples(bench: Bench) -> None:
    device = bench.device
    device.introduce(bench.writer, clock=False)
    bench.begin()
    bench.blocks(30)
    bench.end()
    bench.record()
    (file,) = check_files(bench.folder, device.produced)
    assert file.clock_maps[0].uncertainty_ns >= 10**9


def test_a_session_without_a_sample(bench: Bench) -> None:
    """No file, and the manifest says why."""
    bench.device.introduce(bench.writer)
    bench.begin()
    bench.end("asked")
    bench.record()
    assert list((bench.folder / "alpha").glob("*.nwb")) == []
    assert bench.manifest()["state"] == "complete"
    assert bench.manifest()["reason"] == "no sample arrived; asked"
    assert bench.record()[-1]["state"] == "closed", "a recorder that comes later has nothing to do"


def test_two_devices_one_of_them_not_seen_yet(tmp_path: Path) -> None:
    """A device whose journal is not there yet is waited for; the other is recorded meanwhile."""
    bench = Bench(tmp_path)
    bench.device.introduce(bench.writer)
    start = bench.writer.append(SessionStart(0, "s", 0, "{}"))
    other = tmp_path / "journal" / "beta"
    record_plan(bench.folder, "s", {"alpha": bench.journal, "beta": other}, start=start)
    bench.blocks(20)
    bench.end()
    with recorder_process(bench.folder) as process:
        assert process.stdout is not None
        for line in process.stdout:
            report = json.loads(line)
            if report["device"] == "alpha" and report["state"] == "closed":
                break
        late = FakeDevice(boot_id=5)
        writer = JournalWriter(other, device="beta", unique_id="02")
        # Its journal is younger than the plan: offsets start at 0, so the daemon gives 0.
        late.introduce(writer)
        for frame in late.frames(20):
            writer.append_frames(late.t_host_ns, [frame])
        writer.append(SessionStop(late.t_host_ns, "s", "asked"))
        process.communicate(b"\n", timeout=60)
        assert process.returncode == 0
    check_files(bench.folder, bench.device.produced)


def test_events_notes_and_requests_are_in_the_file_once(tmp_path: Path) -> None:
    """Also those before the first block, and those at a roll or after the end of stdin."""
    bench = Bench(tmp_path, roll_s=0.1)
    device = bench.device
    device.introduce(bench.writer)
    bench.begin()
    bench.writer.append(NoteRecord(device.t_host_ns, "before", "me"))
    for i in range(60):
        bench.send(device.event(0, value=30.0), device.block())
        bench.writer.append(NoteRecord(device.t_host_ns, f"note {i}", "me"))
    bench.writer.append(RequestRecord(device.t_host_ns, encode_message(Set(1, (0, 4.5))), "me"))
    bench.writer.append(RequestRecord(device.t_host_ns, encode_message(Reset(1, 0)), "me"))
    bench.writer.append(LinkRecord(device.t_host_ns, "lost", "pty:/x", "gone"))
    bench.record(3)
    assert bench.manifest()["state"] == "interrupted"
    for i in range(60, 70):
        bench.send(device.event(0, value=30.0), device.block())
        bench.writer.append(NoteRecord(device.t_host_ns, f"note {i}", "me"))
    bench.end()
    bench.record()
    files = check_files(bench.folder, device.produced)
    notes = [n.text for f in files for n in f.notes]
    own = [n for n in notes if n.startswith(("note", "before"))]
    assert own == ["before", *(f"note {i}" for i in range(70))]
    assert [n for n in notes if n not in own] == ['{"request": "reset", "scope": 0}', "link lost: pty:/x (gone)"]
    spikes = [e.step for f in files for e in f.events if e.kind == 0]
    assert spikes == [100 * i for i in range(70)]
    changes = [(p.name, p.value, p.origin) for f in files for p in f.parameters if p.origin != "initial"]
    assert changes == [("i_clamp", 4.5, "me")]


def test_the_end_of_stdin_leaves_valid_files_and_a_session_to_resume(bench: Bench) -> None:
    """Everything that the journal holds is drained; the next recorder goes on in a new file at the next sample."""
    bench.device.introduce(bench.writer)
    bench.begin()
    bench.blocks(33)
    assert bench.record(3)[-1]["state"] == "waiting"
    check_files(bench.folder, bench.device.produced)
    assert bench.manifest()["files"][0]["closed_reason"] == "the daemon ended"
    bench.blocks(10)
    bench.end()
    bench.record()
    files = check_files(bench.folder, bench.device.produced)
    assert [f.n_samples for f in files] == [3300, 1000]


def test_a_gap_at_the_very_point_of_resumption_is_seen(bench: Bench) -> None:
    """What preceded the cursor is read again, so that a loss right behind it is no less a gap than any other."""
    device = bench.device
    device.introduce(bench.writer)
    bench.begin()
    bench.blocks(300)
    bench.record(3)
    device.block()
    device.produced.pop()
    bench.blocks(10)
    bench.end()
    bench.record()
    files = check_files(bench.folder, device.produced)
    assert [[(g.gap.cause, g.gap.first_step, g.gap.n_steps) for g in f.gaps] for f in files] == [
        [],
        [(GapCause.LOST, 30_000, 100)],
    ]


def test_a_gap_before_a_resumption_after_a_long_pause_is_seen(bench: Bench) -> None:
    """The last block lies further back than a recorder reads again; the file before says where it ended."""
    device = bench.device
    device.introduce(bench.writer)
    bench.begin()
    bench.blocks(30)
    device.block()
    device.produced.pop()
    for _ in range(4000):
        bench.writer.append(
            ClockFitRecord(device.t_host_ns, device.boot_id, device.tick, device.t_host_ns, 1e3, 9, 8, 7)
        )
    bench.record(3)
    bench.blocks(10)
    bench.end()
    bench.record()
    files = check_files(bench.folder, device.produced)
    assert [[(g.gap.cause, g.gap.first_step, g.gap.n_steps) for g in f.gaps] for f in files] == [
        [],
        [(GapCause.LOST, 3000, 100)],
    ]


def test_what_follows_the_last_block_of_a_file_outlives_restarts(bench: Bench) -> None:
    """The board fell off the table, somebody said so, and the daemon was restarted, twice, before the end."""
    bench.device.introduce(bench.writer)
    bench.begin()
    bench.blocks(30)
    for text in ("the board fell off the table", "it does not come back"):
        bench.writer.append(NoteRecord(bench.device.t_host_ns, text, "me"))
        bench.record(3)
    bench.writer.append(NoteRecord(bench.device.t_host_ns, "stopping", "me"))
    bench.end()
    bench.record()
    (file,) = check_files(bench.folder, bench.device.produced)
    assert [note.text for note in file.notes] == ["the board fell off the table", "it does not come back", "stopping"]


def test_a_recorder_that_starts_far_into_a_journal_knows_the_device(tmp_path: Path) -> None:
    """Hello, descriptions, clock map and the high half of the tick come from the head of the segment."""
    bench = Bench(tmp_path, segment_bytes=300_000)
    device = bench.device
    device.introduce(bench.writer)
    for _ in range(400):
        bench.send(device.block())
    del device.produced[:]
    first_tick = device.tick
    bench.begin()
    for _ in range(200):
        bench.send(device.block())
    bench.end()
    bench.record()
    (file,) = check_files(bench.folder, device.produced)
    assert int(file.blocks["first_tick"][0]) == first_tick
    assert [c.name for c in file.channels] == [c[0] for c in device.channels]


def test_a_second_recorder_is_refused(bench: Bench) -> None:
    bench.device.introduce(bench.writer)
    bench.begin()
    with recorder_process(bench.folder) as first:
        first.stdout.readline()
        with recorder_process(bench.folder) as second:
            assert second.wait(30) == 5
            assert b"another recorder" in second.stderr.read()
        bench.end()
        assert first.wait(30) == 0


@pytest.mark.parametrize(
    ("text", "says", "status"),
    [(None, "does not exist", 4), ("{", "not JSON", 2), ("{}", "version", 2), ('{"version": 9}', "version 9", 2)],
)
def test_a_plan_that_cannot_be_read(tmp_path: Path, text: str | None, says: str, status: int) -> None:
    """One that is not there may come back with its disk; one that is wrong stays so."""
    if text is not None:
        (tmp_path / "session.json").write_text(text)
    with recorder_process(tmp_path) as process:
        assert process.wait(30) == status
        assert says in process.stderr.read().decode()


def test_after_a_restart_of_the_computer_times_go_on_by_utc(tmp_path: Path) -> None:
    """CLOCK_BOOTTIME starts anew; a new file counts from the same reference time all the same."""
    bench = Bench(tmp_path)
    device = bench.device
    device.introduce(bench.writer)
    bench.begin()
    bench.blocks(20)
    bench.writer.close()
    device.t_host_ns = 5_000_000_000
    utc_ns = 1_800_000_000_000_000_000 + 60 * 10**9
    bench.writer = JournalWriter(
        bench.journal,
        device="alpha",
        unique_id="01",
        host_boot_id="c",
        boottime_ns=lambda: device.t_host_ns,
        utc_ns=lambda: utc_ns,
    )
    bench.writer.append(device.clock_map())
    bench.blocks(20)
    bench.end()
    bench.record()
    files = check_files(bench.folder, device.produced)
    assert [f.n_samples for f in files] == [2000, 2000]
    assert files[1].timestamps()[0] == pytest.approx(60.0, abs=1e-5)


def test_blocks_before_a_clock_map_are_timed_by_the_first_one(tmp_path: Path) -> None:
    """Not by the newest that happens to be there: when a recorder comes by must not matter."""
    device = FakeDevice()
    writer = JournalWriter(tmp_path / "journal" / "alpha", device="alpha", unique_id="01")
    device.introduce(writer, clock=False)
    writer.append(SessionStart(0, "s", 0, "{}"))
    maps = []
    for uncertainty_ns in (900_000, 500_000, 100_000):
        for _ in range(5):
            writer.append_frames(device.t_host_ns, [device.block()])
        maps.append(device.clock_map(uncertainty_ns))
        writer.append(maps[-1])
    writer.append(SessionStop(0, "s", "asked"))
    folder = tmp_path / "recordings" / "s"
    record_plan(folder, "s", {"alpha": tmp_path / "journal" / "alpha"})
    with recorder_process(folder) as process:
        process.communicate(timeout=60)
        assert process.returncode == 0
    (file,) = check_files(folder, device.produced)
    assert [m.uncertainty_ns for m in file.clock_maps] == [m.map.uncertainty_ns for m in maps]
    assert (file.timestamps()[1:] > file.timestamps()[:-1]).all()
