"""The disk of the recordings runs full: the recorder says so and leaves at once; given space, nothing is missing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from fake_stream import FakeDevice, check_files, record_plan, recorder_process
from small_disk import small_disk

from spikedaq.journal import JournalWriter, SessionStart, SessionStop


@pytest.fixture(name="small_disk")
def _small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB; needs the right to mount."""
    with small_disk(tmp_path / "small", 6 * 2**20) as folder:
        yield folder


@pytest.mark.parametrize("room", [0, 200_000, 500_000, 900_000])
def test_a_full_disk(tmp_path: Path, small_disk: Path, room: int) -> None:
    """Exit 4 with a line that names the file; after space is freed, the next recorder completes the session."""
    device = FakeDevice()
    journal = tmp_path / "journal" / "alpha"
    writer = JournalWriter(journal, device="alpha", unique_id="01")
    device.introduce(writer)
    start = writer.append(SessionStart(0, "s", 0, "{}"))
    folder = small_disk / "s"
    record_plan(folder, "s", {"alpha": journal}, roll_s=0.6, start=start)
    for frame in device.frames(300):
        writer.append_frames(device.t_host_ns, [frame])
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(6 * 2**20 - room - 16_384))
    with recorder_process(folder) as process:
        out, error = process.communicate(b"", timeout=60)
        assert process.returncode == 4, (process.returncode, out, error)
    failed = [json.loads(line) for line in out.splitlines() if b'"failed"' in line]
    assert failed
    assert "space" in failed[-1]["error"]
    ballast.unlink()
    for frame in device.frames(100):
        writer.append_frames(device.t_host_ns, [frame])
    writer.append(SessionStop(0, "s", "asked"))
    with recorder_process(folder) as process:
        out, error = process.communicate(timeout=60)
        assert process.returncode == 0, error.decode()
    check_files(folder, device.produced)


def test_a_full_journal_disk(tmp_path: Path, small_disk: Path) -> None:
    """The journal drops frames on a really full file system, says how many, and goes on when there is space."""
    device = FakeDevice()
    errors: list[OSError] = []
    writer = JournalWriter(
        small_disk / "alpha", device="alpha", unique_id="01", segment_bytes=500_000, on_error=errors.append
    )
    ballast = small_disk / "ballast"
    device.introduce(writer)
    start = writer.append(SessionStart(0, "s", 0, "{}"))
    ballast.write_bytes(bytes(5 * 2**20))
    n_kept = 0
    while not writer.failing:
        writer.append_frames(device.t_host_ns, [device.block()])
    n_kept = len(device.produced) - 1
    for _ in range(50):
        writer.append_frames(device.t_host_ns, [device.block()])
    ballast.unlink()
    kept = device.produced[:n_kept]
    n_lost = len(device.produced) - n_kept
    for _ in range(50):
        writer.append_frames(device.t_host_ns, [device.block()])
        kept.append(device.produced[-1])
    writer.append(SessionStop(0, "s", "asked"))
    assert len(errors) == 1
    assert writer.counters.frames_dropped == n_lost
    folder = tmp_path / "recordings" / "s"
    record_plan(folder, "s", {"alpha": small_disk / "alpha"}, start=start)
    with recorder_process(folder) as process:
        process.communicate(timeout=60)
        assert process.returncode == 0
    (file,) = check_files(folder, kept)
    assert [(g.gap.cause, g.gap.n_steps) for g in file.gaps] == [("dropped", 100 * n_lost)]


def test_a_full_disk_has_the_next_segment_reserved(small_disk: Path) -> None:
    """With nothing free a journal goes on to the end of its segment and through all of the next."""
    device = FakeDevice()
    errors: list[OSError] = []
    writer = JournalWriter(
        small_disk / "alpha", device="alpha", unique_id="01", segment_bytes=500_000, on_error=errors.append
    )
    device.introduce(writer)
    writer.sync()
    writer.prepare()
    with (small_disk / "ballast").open("wb", buffering=0) as ballast:
        try:
            while ballast.write(bytes(65_536)):
                pass
        except OSError:
            pass
    while writer.offset < 950_000:
        writer.append_frames(device.t_host_ns, [device.block()])
        writer.prepare()
    assert errors == []
    assert len(list((small_disk / "alpha").glob("*.spj"))) == 2
    writer.close()
