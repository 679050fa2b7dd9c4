"""Recorders that can say nothing any more: they crash, hang, or are killed, and which device they were at is known."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from two_devices import N_BLOCKS, WAIT_S, two_devices, until

from spikedaq.daemon import recorder_faults, recorder_process, recorder_run
from spikedaq.daemon.alarms import AlarmKind, Alarms
from spikedaq.daemon.recorder_process import RecorderProcess
from spikedaq.daemon.recorder_run import Ended, RecorderRun
from spikedaq.recorder import AtWork, shared_memory

BETA = AlarmKind.WRITE_FAILED, "s/beta"
LONGEST = 4096 - 10

HARMED = """
import os, signal, sys, time
from spikedaq.recorder.__main__ import main
from spikedaq.recorder.lane import Lane

real = Lane.{method}

def harmed(lane, *args, **kwargs):
    if lane.device.name == "beta" and os.path.exists({mark!r}):
        {harm}
    return real(lane, *args, **kwargs)

Lane.{method} = harmed
sys.exit(main(sys.argv[3:]))
"""
CRASH = "os.kill(os.getpid(), signal.SIGSEGV)"
HANG = "time.sleep(1e6)"


# ---- what is shared


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[AtWork, AtWork]]:
    fd = shared_memory()
    written, read = AtWork(fd), AtWork(fd)
    os.close(fd)
    yield written, read
    written.close()
    read.close()


@given(device=st.text(min_size=1), offset=st.integers(0, 2**64 - 1), before=st.text(min_size=1))
def test_what_is_written_is_read(shared: tuple[AtWork, AtWork], device: str, offset: int, before: str) -> None:
    """Of any device, at any offset, whatever came before."""
    written, read = shared
    written.begin(before, 1)
    written.begin(device, offset)
    assert read.read() == (device, offset)
    written.end()
    assert read.read() is None


def test_a_name_that_is_too_long_is_cut(shared: tuple[AtWork, AtWork]) -> None:
    """It is no device's name then, and nobody is blamed; nothing is written beyond the memory."""
    written, read = shared
    written.begin("x" * 5000, 2)
    assert read.read() == ("x" * LONGEST, 2)


def test_nonsense_names_nobody() -> None:
    """Whatever a process that crashed has left there."""
    fd = shared_memory()
    at_work = AtWork(fd)
    os.pwrite(fd, b"\xff" * 64, 0)
    assert at_work.read() is None
    os.close(fd)
    at_work.close()


def test_what_a_process_wrote_outlives_its_crash() -> None:
    """It is in memory that both have, not in a buffer of the one that is gone."""
    fd = shared_memory()
    at_work = AtWork(fd)
    code = f"""
import os, signal
from spikedaq.recorder import AtWork
AtWork({fd}).begin("bench-3", 77)
os.kill(os.getpid(), signal.SIGSEGV)
"""
    assert subprocess.run([sys.executable, "-c", code], pass_fds=(fd,), check=False).returncode == -signal.SIGSEGV
    assert at_work.read() == ("bench-3", 77)
    os.close(fd)
    at_work.close()


# ---- one process


class Rig:
    """Recorders that are shell scripts."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said: list[str] = []
        self.one = RecorderRun(path, self.said.append, self.said.append, close_s=1.0)
        self._script = path / "recorder"
        monkeypatch.setattr(recorder_run, "sys", SimpleNamespace(executable=str(self._script)))

    def run(self, lines: str) -> Ended:
        self.script(lines)
        return asyncio.run(self.one.run({}))

    def script(self, lines: str) -> None:
        self._script.write_text(f"#!/bin/sh\n{lines}")
        self._script.chmod(0o755)


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(tmp_path, monkeypatch)


# At is 5, the name "beta", in the memory whose descriptor is told.
AT_BETA = r"printf '\005\0\0\0\0\0\0\0\004\0beta' >/proc/self/fd/${3#--at-work=}" + "\n"


@pytest.mark.parametrize("name", ["SEGV", "BUS", "ABRT", "ILL", "FPE"])
def test_a_crash_names_the_device(rig: Rig, name: str) -> None:
    """A process brings these on itself."""
    number = getattr(signal, f"SIG{name}")
    assert rig.run(f"{AT_BETA}kill -{name} $$") == Ended(-number, f"it crashed (SIG{name})", ("beta", 5))
    assert rig.run(f"kill -{name} $$") == Ended(-number, f"it crashed (SIG{name})", None)


@pytest.mark.parametrize("name", ["KILL", "TERM", "USR1", "XCPU"])
def test_whoever_is_killed_blames_no_device(rig: Rig, name: str) -> None:
    """By somebody, by a computer short of memory: that has nothing to do with what it was at.

    No SIGHUP: whoever runs the tests may have it ignored, and their children then do.
    """
    number = getattr(signal, f"SIG{name}")
    assert rig.run(f"{AT_BETA}kill -{name} $$") == Ended(-number, f"it was ended by SIG{name}")


def test_other_ends_blame_nobody_either(rig: Rig, tmp_path: Path) -> None:
    """An error names its device itself; a signal without a name has its number; one that cannot be started says why."""
    assert rig.run(f"{AT_BETA}exit 4") == Ended(4, "it ended with status 4")
    assert rig.run("kill -40 $$") == Ended(-40, "it was ended by signal 40")
    (tmp_path / "recorder").unlink()
    assert asyncio.run(rig.one.run({})) == Ended(-1, "it cannot be started: No such file or directory")


def test_one_that_hangs_is_ended(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the longest honest silence, which begins anew with each word."""
    monkeypatch.setattr(recorder_run, "HUNG_S", 1.5)
    began_s = time.monotonic()
    ended = rig.run(f"for _ in 1 2 3 4; do sleep 0.5; echo x; done\n{AT_BETA}exec sleep 1000")
    assert ended.status == -signal.SIGKILL and ended.at == ("beta", 5)
    assert "said nothing for" in ended.how
    assert rig.said == ["x"] * 4
    assert time.monotonic() - began_s > 3.4


def test_one_that_is_heard_too_late_does_not_hang(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was the listener that stood still; what was said meanwhile is in the pipe."""
    monkeypatch.setattr(recorder_run, "HUNG_S", 1.5)
    rig.script("for _ in 1 2 3 4 5 6 7 8 9 10; do echo x; sleep 0.4; done; exit 0")

    async def run() -> Ended:
        task = asyncio.create_task(rig.one.run({}))
        while len(rig.said) < 2:  # noqa: ASYNC110  what is waited for has no event
            await asyncio.sleep(0.01)
        time.sleep(2.0)  # noqa: ASYNC251  the loop itself
        return await task

    assert asyncio.run(run()) == Ended(0, "it ended with status 0")


def test_nothing_stays_open(rig: Rig) -> None:
    """Of a recorder that is started again for a week."""
    rig.run("exit 0")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        rig.run("kill -SEGV $$")
    assert len(os.listdir("/proc/self/fd")) == before


# ---- a session


@pytest.mark.slow
@pytest.mark.parametrize(("method", "harm"), [("step", CRASH), ("start", CRASH), ("flush", CRASH), ("step", HANG)])
def test_a_device_that_crashes_recorders_keeps_no_other_from_being_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, harm: str
) -> None:
    """As HDF5 does with some damaged files: by the third it is left out; once it is well nothing is missing."""
    mark = tmp_path / "harmed"
    mark.touch()
    code = tmp_path / "harmed.py"
    code.write_text(HARMED.format(method=method, harm=harm, mark=str(mark)))
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{code}" "$@"\n')
    script.chmod(0o755)
    monkeypatch.setattr(recorder_run, "sys", SimpleNamespace(executable=str(script)))
    monkeypatch.setattr(recorder_run, "HUNG_S", 4.0)
    monkeypatch.setattr(recorder_faults, "AGAIN_FIRST_S", 5.0)
    monkeypatch.setattr(recorder_process, "BACKOFF_FIRST_S", 0.01)
    bench = two_devices(tmp_path)

    async def run() -> None:
        alarms = Alarms(lambda: 0)
        process = RecorderProcess(bench.folder, ["beta", "alpha"], alarms)
        task = asyncio.create_task(process.run())
        try:
            await until(lambda: BETA in alarms.standing)
            how = "said nothing for" if harm == HANG else "crashed (SIGSEGV)"
            assert how in alarms.standing[BETA].text and "at this device's files" in alarms.standing[BETA].text
            assert how in (process.error or "") and "at beta" in (process.error or "")
            assert process.restarts <= recorder_faults.PATIENCE + 2  # one that got further in between does not count
            await until(lambda: process.files["alpha"].rows_on_disk >= 100 * N_BLOCKS // 2)
            mark.unlink()
            await until(lambda: BETA not in alarms.standing)
            bench.stop()
            process.poke()
            await asyncio.wait_for(asyncio.shield(task), WAIT_S)
            assert process.complete and not alarms.standing
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    bench.check("alpha", "beta")
