"""How long a disk lasts, from what its rates are taken, and what goes on while another one hangs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from spikedaq.daemon import disk
from spikedaq.daemon.alarms import AlarmKind, Alarms
from spikedaq.daemon.config import DaemonConfig, JournalConfig
from spikedaq.daemon.disk import DiskWatch, Growth, OtherDisk, time_left_s
from spikedaq.daemon.journals import Journals
from spikedaq.daemon.live_config import LiveConfig
from spikedaq.inlet.bench import time_left_s as left_in_folder_s
from spikedaq.journal import NoteRecord, kept_range
from spikedaq.model import duration_text


@pytest.mark.parametrize(
    ("room", "files", "journals", "expected"),
    [
        (1000, 10, [], 100),
        (0, 10, [], 0),
        (-5, 0, [], 0),
        (1000, 0, [], None),
        (1000, 0, [(10, 500)], None),  # the ring is full before the disk is
        (1000, 0, [(10, 5000)], 100),
        (1000, 10, [(10, 200)], 80),  # 20 s at 20, then 600 left at 10
        (1000, 10, [(10, 200), (20, 2000)], 20 + 20 / 3),  # 20 s at 40, then 200 left at 30
        (1000, 5, [(10, -3)], 200),  # kept for a recording, far beyond its ring: it grows as its files do
        (1000, 0, [(0, 100)], None),
    ],
)
def test_time_left(room: float, files: float, journals: list[tuple[float, float]], expected: float | None) -> None:
    """Recordings grow for good, journals until their rings are full."""
    assert time_left_s(room, files, journals) == (None if expected is None else pytest.approx(expected))


def test_growth_is_that_of_the_last_minute() -> None:
    """No rate before twenty seconds, none of what has just appeared, and an old burst is forgotten."""
    growth = Growth()
    assert growth.update(0.0, {"a": 0}) is None
    assert growth.update(19.0, {"a": 1900}) is None
    assert growth.update(20.0, {"a": 2000, "b": 7_000}) == {"a": 100, "b": 0}
    for t_s in range(21, 200):
        rates = growth.update(float(t_s), {"a": 2000 + (t_s - 20) * 10})
    assert rates == {"a": pytest.approx(10)}


@pytest.mark.parametrize(
    ("seconds", "text"), [(3, "3 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (86400 * 3, "3 days")]
)
def test_duration_text(seconds: float, text: str) -> None:
    """Two of a unit at least, so that the number says something."""
    assert duration_text(seconds) == text


WAIT_S = 20.0


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110  what is waited for has no event
            await asyncio.sleep(0.002)


def test_journals_are_synced_and_opened_while_the_recordings_disk_hangs(tmp_path: Path) -> None:
    """What is needed is asked for without the lock; what comes meanwhile is not deleted with what was not needed."""
    asked, answers = threading.Event(), threading.Event()

    def needed_from() -> dict[str, int]:
        asked.set()
        answers.wait(WAIT_S)
        return {}

    async def run() -> None:
        journals = Journals(tmp_path, JournalConfig(segment_bytes=2**20))
        alpha = await journals.open("alpha", "aa")
        trimming = asyncio.create_task(journals.trim(needed_from, ring_bytes=0))
        await asyncio.to_thread(asked.wait, WAIT_S)
        async with asyncio.timeout(5.0):
            await journals.sync()
            await journals.open("beta", "bb")
        for _ in range(50):
            alpha.writer.append(NoteRecord(0, "x" * 100_000, ""))
        answers.set()
        await trimming
        found = kept_range(tmp_path / "alpha")
        assert found is not None and found[0] == 0
        await journals.close()

    asyncio.run(run())


class Hangs:
    """A folder on a disk that does not answer."""

    def __init__(self) -> None:
        self.asked, self.answers = threading.Event(), threading.Event()

    def stat(self) -> SimpleNamespace:
        self.asked.set()
        self.answers.wait(WAIT_S)
        return SimpleNamespace(st_dev=0)


def test_a_full_data_disk_is_told_while_another_one_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "PERIOD_S", 0.005)
    folder, free = Hangs(), [10**12]
    session = SimpleNamespace(name="s", folder=folder, recorder=SimpleNamespace(is_full=False, files={}))

    async def run() -> None:
        alarms = Alarms(lambda: 0)
        journals = Journals(tmp_path, JournalConfig())
        data = SimpleNamespace(path=tmp_path, recordings=tmp_path, free_bytes=lambda: free[0])
        watch = DiskWatch(LiveConfig(DaemonConfig()), data, journals, SimpleNamespace(all=lambda: [session]), alarms)
        watching = asyncio.create_task(watch.run())
        try:
            await asyncio.to_thread(folder.asked.wait, WAIT_S)
            free[0] = DaemonConfig().disk.reserve_bytes - 1
            async with asyncio.timeout(5.0):
                await until(lambda: (AlarmKind.DISK_FULL, "") in alarms.standing)
        finally:
            folder.answers.set()
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    asyncio.run(run())


def test_the_disks_are_watched_again_after_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look that its end gave up does not end the next."""
    monkeypatch.setattr(disk, "PERIOD_S", 0.005)
    folder = Hangs()
    session = SimpleNamespace(name="s", folder=folder, recorder=SimpleNamespace(is_full=False, files={}))

    async def run() -> None:
        data = SimpleNamespace(path=tmp_path, recordings=tmp_path, free_bytes=lambda: 10**12)
        sessions: Any = SimpleNamespace(all=lambda: [session])
        watch = DiskWatch(LiveConfig(DaemonConfig()), data, Journals(tmp_path, JournalConfig()), sessions, Alarms(int))
        for _ in range(2):
            folder.asked.clear()
            watching = asyncio.create_task(watch.run())
            await asyncio.to_thread(folder.asked.wait, WAIT_S)
            assert folder.asked.is_set() and not watching.done()
            folder.answers.set()
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            folder.answers.clear()

    asyncio.run(run())


class Counted:
    """A journal that grows as a test says."""

    def __init__(self, kept_bytes: int) -> None:
        self.writer = SimpleNamespace(offset=0, failing=False, sync_error=None)
        self._kept_bytes = kept_bytes

    def kept_bytes(self) -> int:
        return self._kept_bytes


def counting_watch(tmp_path: Path, files: dict[str, list[int]]) -> tuple[DiskWatch, dict[str, Counted], list[Any]]:
    """A watch over two journals whose rings are full, and over sessions with files of the sizes given."""
    journals = {"alpha": Counted(10**12), "beta": Counted(10**12)}
    sessions = [
        SimpleNamespace(
            name=name,
            folder=tmp_path,
            recorder=SimpleNamespace(is_full=False, files={"alpha": SimpleNamespace(bytes=sizes[0])}),
        )
        for name, sizes in files.items()
    ]
    config = LiveConfig(DaemonConfig())
    data = SimpleNamespace(path=tmp_path, recordings=tmp_path)
    of_all = SimpleNamespace(all=lambda: sessions)
    watch = DiskWatch(config, data, SimpleNamespace(all=lambda: journals), of_all, Alarms(int))  # type: ignore[arg-type]
    return watch, journals, sessions


RESERVE = 64 * 2**20


def test_what_a_recording_would_take_is_told_before_it_begins(tmp_path: Path) -> None:
    """Three times what the journals take: 30 kB/s last a thousand seconds in 30 MB, for the rings are full."""
    watch, journals, _ = counting_watch(tmp_path, {})
    watch._look(0.0, RESERVE + 30_000_000, {})
    assert watch.status.recording_bytes_per_s is None and watch.status.time_left_recording_s is None
    journals["alpha"].writer.offset, journals["beta"].writer.offset = 200_000, 100_000
    watch._look(30.0, RESERVE + 30_000_000, {})
    assert watch.status.recording_bytes_per_s == 30_000
    assert watch.status.time_left_recording_s == 1000.0
    assert watch.status.time_left_s is None  # nothing that grows for good


def test_a_disk_elsewhere_has_a_time_of_its_own(tmp_path: Path) -> None:
    """Its session's files fill it, and nothing else; those do not fill the data disk."""
    watch, _, sessions = counting_watch(tmp_path, {"run": [0]})
    elsewhere = {"run": OtherDisk(RESERVE + 5_000_000, number=1)}
    watch._look(0.0, 10**12, elsewhere)
    assert watch.status.elsewhere == {
        "run": {"free_bytes": RESERVE + 5_000_000, "bytes_per_s": None, "time_left_s": None}
    }
    sessions[0].recorder.files["alpha"].bytes = 1_000_000
    watch._look(20.0, 10**12, elsewhere)
    assert watch.status.elsewhere["run"] == {
        "free_bytes": RESERVE + 5_000_000, "bytes_per_s": 50_000.0, "time_left_s": 100.0
    }  # fmt: skip
    assert watch.status.time_left_s is None
    assert watch.status.recording_bytes_per_s == 50_000.0
    assert watch.status.to_map()["elsewhere"]["run"]["time_left_s"] == 100.0


LOW_BYTES, LOW_S = DaemonConfig().disk.low_bytes, DaemonConfig().disk.low_s


def low(watch: DiskWatch) -> list[str]:
    return sorted(subject for kind, subject in watch._alarms.standing if kind is AlarmKind.DISK_LOW)


def test_little_room_is_told_and_not_again_and_again(tmp_path: Path) -> None:
    """Below the limit; and no more once a tenth above it. While the system does not say, nothing changes."""
    watch, _, _ = counting_watch(tmp_path, {})
    for free, told in [
        (LOW_BYTES, []), (LOW_BYTES - 1, [""]), (LOW_BYTES, [""]), (int(1.09 * LOW_BYTES), [""]), (None, [""]),
        (int(1.11 * LOW_BYTES), []), (LOW_BYTES, []),
    ]:  # fmt: skip
        watch._look(0.0, free, {})
        assert low(watch) == told
    watch._look(0.0, LOW_BYTES - 1, {})
    text = watch._alarms.standing[AlarmKind.DISK_LOW, ""].text
    assert f"1.1 GB are free for {tmp_path}; make room, or let old recordings be deleted" in text


def test_a_disk_that_does_not_last_is_told(tmp_path: Path) -> None:
    """However much is free: by how fast it fills, and with the same slack."""
    watch, _, sessions = counting_watch(tmp_path, {"run": [0]})
    rate = 10_000_000
    watch._look(0.0, 10**12, {})
    for seconds, told in [(1.01, []), (0.99, [""]), (1.01, [""]), (1.09, [""]), (1.11, [])]:
        sessions[0].recorder.files["alpha"].bytes = 30 * rate
        watch._look(30.0, RESERVE + int(seconds * LOW_S * rate), {})
        assert watch.status.time_left_s == pytest.approx(seconds * LOW_S)
        assert low(watch) == told
    watch._look(30.0, RESERVE + 60 * rate, {})
    assert "at the present rate it lasts 60 s" in watch._alarms.standing[AlarmKind.DISK_LOW, ""].text


def test_another_disk_that_is_recorded_on_is_told_of_by_its_session(tmp_path: Path) -> None:
    """Under the session's name, with its folder; the data disk has room. It ends with the session."""
    watch, _, sessions = counting_watch(tmp_path / "data", {"run": [0]})
    sessions[0].folder = tmp_path / "usb" / "run"
    watch._look(0.0, 10**12, {"run": OtherDisk(LOW_BYTES - 1, number=1)})
    assert low(watch) == ["run"]
    text = watch._alarms.standing[AlarmKind.DISK_LOW, "run"].text
    assert f"1.1 GB are free for {tmp_path}/usb/run; make room there, where nothing is deleted by itself" in text
    watch._look(0.0, 10**12, {"run": OtherDisk(int(1.09 * LOW_BYTES), number=1)})
    assert low(watch) == ["run"]
    watch._look(0.0, 10**12, {"run": OtherDisk(int(1.11 * LOW_BYTES), number=1)})
    assert low(watch) == []
    watch._look(0.0, 10**12, {"run": OtherDisk(LOW_BYTES - 1, number=1)})
    sessions.clear()
    watch._look(0.0, 10**12, {})
    assert low(watch) == []


def test_recordings_on_a_disk_of_their_own_may_be_deleted_there(tmp_path: Path) -> None:
    """Where data/recordings is another disk, retention makes room on that one."""
    watch, _, sessions = counting_watch(tmp_path, {"run": [0]})
    sessions[0].folder = tmp_path / "run"
    watch._look(0.0, 10**12, {"run": OtherDisk(LOW_BYTES - 1, number=1)})
    assert "let old recordings be deleted" in watch._alarms.standing[AlarmKind.DISK_LOW, "run"].text


def test_sessions_that_share_a_disk_fill_it_together(tmp_path: Path) -> None:
    """Each at half the rate at which it fills; one alarm for the disk, and one for the other."""
    watch, _, sessions = counting_watch(tmp_path, {"one": [0], "two": [0], "far": [0]})
    rate = 1_000_000
    free = RESERVE + int(1.5 * LOW_S * rate)
    elsewhere = {"one": OtherDisk(free, 1), "two": OtherDisk(free, 1), "far": OtherDisk(free, 2)}
    watch._look(0.0, 10**12, elsewhere)
    for session in sessions:
        session.recorder.files["alpha"].bytes = 30 * rate
    watch._look(30.0, 10**12, elsewhere)
    lasts = [watch.status.elsewhere[name]["time_left_s"] for name in ("one", "two", "far")]
    assert lasts == [pytest.approx(share * LOW_S) for share in (0.75, 0.75, 1.5)]
    assert low(watch) == ["one"]
    sessions.pop(0)
    watch._look(30.0, 10**12, {"two": OtherDisk(LOW_BYTES - 1, 1), "far": OtherDisk(LOW_BYTES - 1, 2)})
    assert low(watch) == ["far", "two"]


def test_other_disks_are_known_by_their_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is away is left out; what is on the disk of the data folder is not elsewhere."""
    numbers = {"data": 1, "here": 1, "a": 2, "b": 2, "c": 3}
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: SimpleNamespace(free=100 * numbers[folder.name]))

    class Folder:
        def __init__(self, name: str) -> None:
            self.name = name

        def stat(self) -> SimpleNamespace:
            if self.name not in numbers:
                raise OSError(2, "no")
            return SimpleNamespace(st_dev=numbers[self.name])

    folders: Any = {name: Folder(name) for name in ("here", "a", "b", "c", "away")}
    data: Any = Folder("data")
    assert disk._free_elsewhere(data, folders) == {
        "a": OtherDisk(200, 2), "b": OtherDisk(200, 2), "c": OtherDisk(300, 3)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("folder", "disk", "expected"),
    [
        ({"same_disk": True, "free_bytes": 1}, {"time_left_recording_s": 77.0}, 77.0),
        ({"same_disk": True, "free_bytes": 1}, {"time_left_recording_s": None}, None),
        ({"same_disk": False, "free_bytes": 1100, "reserve_bytes": 100}, {"recording_bytes_per_s": 10.0}, 100.0),
        ({"same_disk": False, "free_bytes": 50, "reserve_bytes": 100}, {"recording_bytes_per_s": 10.0}, 0.0),
        ({"same_disk": False, "free_bytes": 1100}, {"recording_bytes_per_s": 0.0}, None),
        ({"same_disk": False, "free_bytes": None}, {"recording_bytes_per_s": 1.0}, None),
        ({"free_bytes": 5}, {}, None),
    ],
)
def test_how_long_a_chosen_folder_lasts(folder: dict[str, Any], disk: dict[str, Any], expected: float | None) -> None:
    """On the data disk as the daemon says, for journals share it; elsewhere all that is free but the reserve."""
    assert left_in_folder_s(folder, disk) == expected
