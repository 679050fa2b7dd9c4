"""Which recordings are deleted to make room, and what is done before and after."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from spikedaq.daemon.alarms import Alarm, AlarmKind, Alarms
from spikedaq.daemon.closed_files import Closed
from spikedaq.daemon.config import DaemonConfig, RetentionConfig
from spikedaq.daemon.data_folder import DataFolder
from spikedaq.daemon.live_config import LiveConfig
from spikedaq.daemon.retention import Retention, choose
from spikedaq.recorder import Manifest, ManifestFile, mark_deleted, pin, read_manifest, unpin

DAY_NS = 86_400 * 10**9
NOW_NS = 1000 * DAY_NS
SIZE = 1000


def entry(name: str, age_days: float, sha256: str = "", n_bytes: int = SIZE) -> ManifestFile:
    stop_ns = int(NOW_NS - age_days * DAY_NS)
    return ManifestFile(
        name=name, number=int(name.rsplit("_", maxsplit=1)[-1][:4]), sha256=sha256, n_bytes=n_bytes, n_samples=10,
        first_step=0, last_step=9, boot_id=1,
        start_s=0.0, stop_s=1.0, start_utc_ns=stop_ns - 10**9, stop_utc_ns=stop_ns, gaps={},
        saturated_blocks=0, closed_reason="", cursor=0,
    )  # fmt: skip


def closed(name: str, age_days: float, device: str = "a", *, running: bool = False, pinned: bool = False) -> Closed:
    return Closed(name, device, entry(name, age_days), running, pinned)


FILES = [closed(f"f_{k:04d}.nwb", 10 - k) for k in range(10)]


@pytest.mark.parametrize(
    ("keys", "free", "gone"),
    [
        ({}, 0, ""),
        ({"keep_days": 7.5}, None, "012"),
        ({"keep_days": 7.0}, None, "012"),
        ({"keep_files": 8}, None, "01"),
        ({"keep_files": 0}, None, "0123456789"),
        ({"free_bytes": 5000}, 5000, ""),
        ({"free_bytes": 5000}, 4999, "0"),
        ({"free_bytes": 5000}, 1500, "0123"),
        ({"free_bytes": 5000}, None, ""),  # the system does not say
        ({"free_bytes": 10**9}, 0, "0123456789"),
        ({"keep_days": 8.5, "keep_files": 9, "free_bytes": 3000}, 1000, "01"),  # the two give room enough
    ],
)
def test_what_goes(keys: dict[str, Any], free: int | None, gone: str) -> None:
    """Age, count and free space, each by itself and together; the oldest first."""
    chosen = choose(FILES, RetentionConfig(**keys), now_ns=NOW_NS, free_bytes=free)
    assert "".join(str(file.entry.number) for file, _ in chosen) == gone


def test_what_stays() -> None:
    """Pinned files and those of a running session stay, the latter unless told; each device counts for itself."""
    files = [
        closed("a_0000.nwb", 9, pinned=True), closed("a_0001.nwb", 8, running=True), closed("a_0002.nwb", 7),
        closed("b_0000.nwb", 9, "b"),
    ]  # fmt: skip
    for keys in ({"keep_days": 1.0}, {"keep_files": 0}, {"free_bytes": 10**9}):
        chosen = choose(files, RetentionConfig(**keys), now_ns=NOW_NS, free_bytes=0)
        assert [file.path for file, _ in chosen] == ["b_0000.nwb", "a_0002.nwb"]
    chosen = choose(files, RetentionConfig(keep_days=1.0, running=True), now_ns=NOW_NS, free_bytes=0)
    assert [file.path for file, _ in chosen] == ["b_0000.nwb", "a_0001.nwb", "a_0002.nwb"]
    assert choose(files, RetentionConfig(keep_files=3), now_ns=NOW_NS, free_bytes=0) == []


def test_a_look_interns_nothing_for_each_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a minute for weeks: pathlib's table of names would be copied to twice its size."""
    interned: list[str] = []
    bench = Bench(tmp_path, keep_days=100.0)
    intern = sys.intern
    monkeypatch.setattr(sys, "intern", lambda text: interned.append(text) or intern(text))
    assert bench.look() == 0
    assert [name for name in interned if name.endswith(".nwb")] == []


class Bench:
    """A recordings folder with two sessions, and a retention over it."""

    def __init__(self, root: Path, data: DataFolder | None = None, **keys: Any) -> None:
        self.recordings = root / "recordings"
        for session in ("old", "new"):
            folder = self.recordings / session / "a"
            folder.mkdir(parents=True)
            (folder.parent / "session.json").write_text(json.dumps({"state": "complete"}))
            files = []
            for k in range(3):
                name = f"{session}_a_20270115T080000Z_{k:04d}.nwb"
                content = f"{session} {k}".encode() * 100
                (folder / name).write_bytes(content)
                age = (20 if session == "old" else 10) - k
                files.append(entry(name, age, hashlib.sha256(content).hexdigest(), len(content)))
            Manifest(session, "a", "01", state="complete", files=files).save(folder)
        self.alarms = Alarms(lambda: 0)
        self.sessions: list[Any] = []
        of_data: Any = data or SimpleNamespace(recordings=self.recordings, recordings_free_bytes=lambda: 0)
        live = LiveConfig(DaemonConfig(retention=RetentionConfig(**keys)))
        kept: Any = SimpleNamespace(all=lambda: self.sessions)
        self.retention = Retention(live, of_data, kept, self.alarms, lambda: NOW_NS)

    def look(self) -> int:
        return asyncio.run(self.retention.look())

    def left(self) -> list[str]:
        return sorted(p.stem.replace("_a_20270115T080000Z_000", "") for p in self.recordings.rglob("*.nwb"))


def test_deleted_with_a_line_left(tmp_path: Path) -> None:
    """The file goes, its line in the manifest says when and why, an alarm tells, and nothing goes twice."""
    bench = Bench(tmp_path, keep_days=15.0)
    assert bench.look() == 3
    assert bench.left() == ["new0", "new1", "new2"]
    manifest = read_manifest(bench.recordings / "old" / "a")
    assert manifest is not None
    assert {(f.deleted_utc_ns, f.deleted_why) for f in manifest.files} == {(NOW_NS, "older than 15 days")}
    (alarm,) = bench.alarms.standing.values()
    assert alarm.kind is AlarmKind.RETENTION
    assert "3 old files" in alarm.text
    assert bench.look() == 0


def spoil(bench: Bench) -> None:
    (bench.recordings / "old/a/old_a_20270115T080000Z_0001.nwb").write_bytes(b"old 9" * 100)


def unlist(bench: Bench) -> None:
    folder = bench.recordings / "old/a"
    manifest = read_manifest(folder)
    assert manifest is not None
    del manifest.files[1]
    manifest.save(folder)


def pin_one(bench: Bench) -> None:
    pin(bench.recordings / "old/a/old_a_20270115T080000Z_0001.nwb")


@pytest.mark.parametrize("change", [spoil, unlist, pin_one])
def test_one_that_stays(tmp_path: Path, change: Callable[[Bench], None]) -> None:
    """A file that is not as its manifest says, that no manifest lists, or that is pinned is never deleted."""
    bench = Bench(tmp_path, keep_days=1.0)
    change(bench)
    bench.look()
    bench.look()
    assert bench.left() == ["old1"]


def test_a_spoilt_file_is_told_of(tmp_path: Path) -> None:
    """Instead of deleting what may be the only trace of a fault, an alarm names it."""
    bench = Bench(tmp_path, keep_days=1.0)
    spoil(bench)
    bench.look()
    assert any("0001.nwb is not what its manifest says" in a.text for a in bench.alarms.standing.values())


def test_alarms_are_told_in_the_loop(tmp_path: Path) -> None:
    """Who listens may begin a task: a file that is not as its manifest says must not end the daemon by that."""
    bench = Bench(tmp_path, keep_days=1.0)
    spoil(bench)
    told = []

    def listener(alarm: Alarm, raised: bool) -> None:
        asyncio.get_running_loop()
        told.append((alarm.subject, raised))

    bench.alarms.listeners.append(listener)
    bench.look()
    assert ("old_a_20270115T080000Z_0001.nwb", True) in told


@pytest.mark.parametrize("how", ["gone", "restored", "pinned"])
def test_a_spoilt_file_is_told_of_while_it_is_there(tmp_path: Path, how: str) -> None:
    bench = Bench(tmp_path, keep_days=1.0)
    path = bench.recordings / "old/a/old_a_20270115T080000Z_0001.nwb"
    spoil(bench)
    bench.look()
    bench.look()
    assert (AlarmKind.RETENTION, path.name) in bench.alarms.standing
    if how == "gone":
        path.unlink()
    elif how == "pinned":
        pin(path)
    else:
        path.write_bytes(b"old 1" * 100)
        os.utime(path, ns=(1, 1))
    bench.look()
    assert (AlarmKind.RETENTION, path.name) not in bench.alarms.standing


@pytest.mark.parametrize("error", [FileNotFoundError, PermissionError])
def test_a_folder_that_cannot_be_looked_at_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[OSError]
) -> None:
    """Somebody deletes an old session while it looks, or one is not ours to read: the others go on."""
    bench = Bench(tmp_path, keep_days=1.0)
    scandir = os.scandir

    def stubborn(path: str) -> Any:
        if Path(path).name == "old":
            raise error(2, "no")
        return scandir(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", stubborn)
        assert bench.look() == 3
    assert bench.left() == ["old0", "old1", "old2"]


@pytest.mark.parametrize("what", ["session", "device", "running", "unfinished", "symlink", "garbled manifest"])
def test_sessions_that_stay(tmp_path: Path, what: str) -> None:
    """A pinned session or device, one that runs or is to be taken up, and what lies elsewhere stay whole."""
    bench = Bench(tmp_path, keep_days=1.0)
    old = bench.recordings / "old"
    if what == "session":
        pin(old)
    elif what == "device":
        pin(old / "a")
    elif what == "running":
        bench.sessions.append(SimpleNamespace(folder=old))
    elif what == "unfinished":
        (old / "session.json").write_text(json.dumps({"state": "stopping"}))
    elif what == "symlink":
        old.rename(tmp_path / "elsewhere")
        old.symlink_to(tmp_path / "elsewhere")
    else:
        (old / "a" / "manifest.json").write_text("{")
    assert bench.look() == 3
    if what != "symlink":
        assert bench.left() == ["old0", "old1", "old2"]
    else:
        assert len(list((tmp_path / "elsewhere" / "a").glob("*.nwb"))) == 3
    if what == "session":
        unpin(old)
        assert bench.look() == 3


def test_nothing_left_to_delete_is_told(tmp_path: Path) -> None:
    """Where room is asked for and all that is left is pinned, an alarm says so."""
    bench = Bench(tmp_path, free_bytes=10**9)
    for session in ("old", "new"):
        pin(bench.recordings / session)
    assert bench.look() == 0
    assert any("may be deleted: what is left is pinned" in a.text for a in bench.alarms.standing.values())


@pytest.mark.parametrize(("of_data", "of_recordings", "gone"), [(0, 10**10, 0), (10**10, 0, 6), (10**10, 10**10, 0)])
def test_room_is_made_on_the_disk_that_recordings_are_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of_data: int, of_recordings: int, gone: int
) -> None:
    """Where that is another than the data folder's: what is deleted makes room there, and nowhere else."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "recordings").symlink_to(tmp_path / "disk")
    data = DataFolder(tmp_path)
    free = {data.path: of_data, data.recordings: of_recordings}
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free[Path(path)]))
    bench = Bench(tmp_path, data, free_bytes=10**9)
    assert bench.look() == gone
    assert bool(bench.alarms.standing) == bool(gone)
    if gone == 0:
        for session in ("old", "new"):
            pin(bench.recordings / session)
        bench.look()
        assert not bench.alarms.standing
    data.close()


def test_marked_and_not_deleted_is_done_at_the_next_look(tmp_path: Path) -> None:
    """A daemon that was killed between the line and the deed leaves the deed to the next one."""
    bench = Bench(tmp_path, keep_days=19.5)
    folder = bench.recordings / "new" / "a"
    mark_deleted(folder, "new_a_20270115T080000Z_0002.nwb", 5, "asked")
    assert bench.look() == 2
    assert bench.left() == ["new0", "new1", "old1", "old2"]


def test_a_recorder_that_saves_keeps_the_marks(tmp_path: Path) -> None:
    """A manifest in a recorder's memory does not know what was deleted meanwhile, and does not undo it."""
    bench = Bench(tmp_path)
    folder = bench.recordings / "new" / "a"
    of_recorder = read_manifest(folder)
    assert of_recorder is not None
    mark_deleted(folder, "new_a_20270115T080000Z_0000.nwb", 5, "asked")
    of_recorder.save(folder)
    manifest = read_manifest(folder)
    assert manifest is not None
    assert [f.deleted_why for f in manifest.files] == ["asked", None, None]


def test_a_link_that_leads_nowhere_hides_nothing(tmp_path: Path) -> None:
    """Somebody's loop of links beside the sessions: the old files go all the same."""
    bench = Bench(tmp_path, keep_days=15.0)
    for folder in (bench.recordings, bench.recordings / "old", bench.recordings / "old" / "a"):
        (folder / "loop").symlink_to("loop")
    assert bench.look() == 3
