"""What can happen to recordings, journals and disks."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import recorder_pids, wait_for
from helpers.failures.benches import bench, grows_again, recorder_pid, recording, rows, shown
from helpers.failures.kinds import Failure, alarm, failure, refused
from helpers.small_disk import small_disk
from spikedaq.model import CommandError


def limit_file_size(pid: int, n_bytes: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (n_bytes, resource.RLIM_INFINITY))


@failure("recorder killed", "recorder_restarted", quick=True)
def recorder_killed(tmp_path: Path) -> None:
    with recording(tmp_path) as (daemon, folder):
        at = time.monotonic()
        os.kill(recorder_pid(folder), signal.SIGKILL)
        alarm("recorder killed", daemon, at)
        grows_again(daemon, "recorder_restarted", "file_frozen")


@failure("recorder stopped", "file_frozen", quick=True)
def recorder_stopped(tmp_path: Path) -> None:
    with recording(tmp_path) as (daemon, folder):
        pid, at = recorder_pid(folder), time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        alarm("recorder stopped", daemon, at)
        assert shown(daemon) == "stalled"
        with pytest.raises(CommandError):
            daemon.call("record_stop", timeout_s=2)  # not answered ok while nothing is closed
        os.kill(pid, signal.SIGCONT)
        wait_for("the end", lambda: daemon.call("record_status")["state"] == "complete")
        wait_for("the alarm to end", lambda: "file_frozen" not in daemon.alarms())


def to_the_file(name: str, harm: Callable[[Path], object], kinds: tuple[str, ...]) -> Failure:
    def run(tmp_path: Path) -> None:
        with recording(tmp_path) as (daemon, folder):
            (path,) = (folder / "alpha").glob("*.nwb")
            before, at = rows(daemon), time.monotonic()
            harm(path)
            alarm(name, daemon, at)
            grows_again(daemon, *kinds)
            status = daemon.call("record_status")["devices"]["alpha"]
            assert status["gaps"] == {"lost": 0, "overrun": 0, "dropped": 0}
            assert status["rows_on_disk"] > before, "it was made again from the journal"
            assert daemon.call("record_stop")["state"] == "complete"

    return run


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"nothing")
    other.replace(path)


for about, harm_, raise_, is_quick in (
    ("file deleted", Path.unlink, ("file_frozen",), True),
    ("file replaced", replace, ("file_frozen",), False),
    ("file cut", lambda path: os.truncate(path, 0), ("file_frozen", "recorder_restarted"), False),
    ("device folder removed", lambda path: shutil.rmtree(path.parent), ("file_frozen", "recorder_restarted"), False),
    (
        "session folder removed",
        lambda path: shutil.rmtree(path.parents[1]),
        ("file_frozen", "recorder_restarted", "write_failed"),
        False,
    ),
):
    failure(about, *raise_, quick=is_quick)(to_the_file(about, harm_, raise_))


@failure("file cannot be written", "write_failed", "recorder_restarted")
def write_error(tmp_path: Path) -> None:
    with recording(tmp_path) as (daemon, folder):
        at = time.monotonic()
        limit_file_size(recorder_pid(folder), 1)
        # The next chunk is written within a second and a half.
        alarm("file cannot be written", daemon, at)
        grows_again(daemon, "write_failed", "recorder_restarted")


@failure("journal cannot be written", "journal_failed")
def journal_error(tmp_path: Path) -> None:
    with recording(tmp_path) as (daemon, _):
        at = time.monotonic()
        limit_file_size(daemon.pid, 1)
        alarm("journal cannot be written", daemon, at)
        limit_file_size(daemon.pid, resource.RLIM_INFINITY)
        grows_again(daemon, "journal_failed")


@failure("journal deleted", "journal_removed")
def journal_deleted(tmp_path: Path) -> None:
    with recording(tmp_path) as (daemon, _):
        at = time.monotonic()
        shutil.rmtree(tmp_path / "data" / "journal" / "alpha")
        alarm("journal deleted", daemon, at)
        assert list((tmp_path / "data" / "journal" / "alpha").glob("*.spj"))
        grows_again(daemon, "journal_removed")


@failure("disk full", "disk_full")
def disk_full(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "small", 400 * 2**20) as disk,
        bench(tmp_path, config="[disk]\nreserve_bytes = 60_000_000\n") as daemon,
    ):
        daemon.running("alpha")
        daemon.call("record_start", session="s", folder=str(disk))
        free = shutil.disk_usage(disk).free
        at = time.monotonic()
        with (disk / "ballast").open("wb") as ballast:
            os.posix_fallocate(ballast.fileno(), 0, free - 30_000_000)
        alarm("disk full", daemon, at)
        refused(
            "disk full",
            daemon,
            "s.*is being recorded|full",
            "record_start",
            session="t",
            folder=str(disk),
        )
        (disk / "ballast").unlink()
        grows_again(daemon, "disk_full", "file_frozen")
        daemon.call("record_stop")


@failure("disk nearly full", "disk_low")
def disk_low(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", 400 * 2**20) as disk:
        config = "[disk]\nreserve_bytes = 10_000_000\nlow_bytes = 80_000_000\nlow_s = 0\n"
        with bench(disk, config=config) as daemon:
            daemon.running("alpha")
            assert "disk_low" not in daemon.alarms()
            free = shutil.disk_usage(disk).free
            at = time.monotonic()
            with (disk / "ballast").open("wb") as ballast:
                os.posix_fallocate(ballast.fileno(), 0, free - 70_000_000)
            alarm("disk nearly full", daemon, at)
            (disk / "ballast").unlink()
            wait_for("the alarm to end", lambda: "disk_low" not in daemon.alarms())


@failure("session cannot be taken up", "recording_ended", since="when the daemon answers", quick=True)
def unreadable_session(tmp_path: Path) -> None:
    with recording(tmp_path) as (daemon, folder):
        daemon.kill()
        wait_for("its recorder to end", lambda: not recorder_pids(folder))
        (folder / "session.json").write_text("{")
        daemon.start()
        alarm("session cannot be taken up", daemon, time.monotonic())
        assert daemon.call("status")["recording"] is None
        refused(
            "session cannot be taken up",
            daemon,
            "no recording 'other' ended by itself; s did",
            "record_dismiss",
            session="other",
        )
        assert daemon.call("record_dismiss") == ["s"]
        wait_for("the alarm to end", lambda: "recording_ended" not in daemon.alarms())
        assert daemon.call("record_dismiss") == []
        daemon.kill()
        daemon.start()
        daemon.running("alpha")
        daemon.call("record_start", session="another")
        assert "recording_ended" not in daemon.alarms()


@failure("disk of a recording is away", "recording_ended", since="when the daemon answers")
def disk_away(tmp_path: Path) -> None:
    """A recording in another folder, which is not there when the daemon starts: it goes on once the folder is back."""
    elsewhere, away = tmp_path / "elsewhere", tmp_path / "away"
    elsewhere.mkdir()
    with bench(tmp_path) as daemon:
        daemon.running("alpha")
        daemon.call("record_start", session="s", folder=str(elsewhere))
        daemon.kill()
        wait_for("its recorder to end", lambda: not recorder_pids(elsewhere / "s"))
        elsewhere.rename(away)
        daemon.start()
        alarm("disk of a recording is away", daemon, time.monotonic())
        away.rename(elsewhere)
        wait_for("the alarm to end", lambda: "recording_ended" not in daemon.alarms(), 30)
        grows_again(daemon)


@failure("recording folder is a file")
def folder_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with bench(tmp_path) as daemon:
        daemon.running("alpha")
        refused(
            "recording folder is a file",
            daemon,
            "is a file",
            "record_start",
            session="s",
            folder=str(tmp_path / "file"),
        )
        assert daemon.call("status")["recording"] is None
