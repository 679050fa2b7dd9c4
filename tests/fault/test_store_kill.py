"""Writers that are killed, and disks that are full: what is on the disk is right, and nothing is there twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pynwb
import pytest

import spikedaq
from spikedaq.model import StoreError
from spikedaq.store import RecordingFile, RecordingWriter, describe_closed, open_recording, repair
from store_data import expected_samples, expected_steps, make_journal, read_contents, record

TESTS = Path(__file__).parent.parent
KILLS = int(os.environ.get("SPIKEDAQ_KILLS", "5"))


def start(path: Path, n_blocks: int, seed: int, mode: str = "run") -> subprocess.Popen[str]:
    paths = [str(TESTS), str(Path(spikedaq.__path__[0]).parent)]
    process = subprocess.Popen(
        [sys.executable, str(TESTS / "store_child.py"), str(path), str(n_blocks), str(seed), mode],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    assert read(process) == "ready"
    go(process)
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def read(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def end(process: subprocess.Popen[str], kill: bool = False) -> int:
    if kill:
        process.send_signal(signal.SIGKILL)
    code = process.wait(60)
    for pipe in (process.stdin, process.stdout):
        assert pipe
        pipe.close()
    return code


def killed_after(process: subprocess.Popen[str], seconds: float) -> bool:
    """Whether it had to be killed."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        end(process, kill=True)
        return True
    end(process)
    return False


def wait_for_closing(process: subprocess.Popen[str]) -> None:
    assert read(process) == "writing"
    assert read(process) == "closing"


def check_repaired(path: Path, journal: list[object]) -> int:
    """Repair within its time, then a plain open: equal extents, and a true beginning of the recording."""
    result = repair(path)
    assert result.seconds < 5
    assert not repair(path).was_open, "repair is idempotent"
    with h5py.File(path, "r") as file:
        lengths = {file[f"acquisition/{c}/data"].shape[0] for c in file["acquisition"]}
        assert lengths == {result.n_samples, file["acquisition/vm/timestamps"].shape[0]} == {result.n_samples}
        for table in (*file["events"].values(), *file["intervals"].values(), *file["processing/icephys"].values()):
            assert len({column.shape[0] for column in table.values()}) == 1
    with open_recording(path) as recording:
        n = recording.n_samples
        assert n == result.n_samples
        assert recording.cursor == result.cursor
        assert np.array_equal(recording.samples(), expected_samples(journal)[:n])
        assert np.array_equal(recording.steps(), expected_steps(journal)[:n])
        for rows in (recording.events, recording.parameters, recording.notes, recording.gaps):
            assert all(row.journal_offset <= recording.cursor for row in rows)
    return n


@pytest.mark.parametrize("seed", [1, 2])
def test_kill_at_any_moment(tmp_path: Path, seed: int) -> None:
    """After every kill the file opens, and in the end it equals one that nobody killed: nothing lost, twice or zero."""
    n_blocks = 2500
    journal = make_journal(n_blocks, seed)
    record(tmp_path / "whole.nwb", journal)
    path = tmp_path / "a.nwb"
    rng = random.Random(seed)
    kills, reached = 0, []
    for _ in range(KILLS):
        process = start(path, n_blocks, seed)
        # From the moment it begins to create or resume: some die in there, most while writing.
        if killed_after(process, rng.uniform(0.02, 0.35)):
            kills += 1
        if path.exists():
            reached.append(check_repaired(path, journal))
    assert kills >= KILLS // 3
    assert reached == sorted(reached), "nothing is ever lost again"
    process = start(path, n_blocks, seed)
    assert end(process) == 0
    assert read_contents(path) == read_contents(tmp_path / "whole.nwb")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert pynwb.validate(path=str(path)) == []


def test_kill_while_closing(tmp_path: Path) -> None:
    """The file is then closed, or can be resumed and closed; never anything else."""
    n_blocks, seed = 30, 5
    process = start(tmp_path / "whole.nwb", n_blocks, seed)
    wait_for_closing(process)
    started = time.perf_counter()
    assert read(process) == "closed"
    closing_s = time.perf_counter() - started
    end(process)
    whole = read_contents(tmp_path / "whole.nwb")
    rng = random.Random(seed)
    states = []
    for k in range(2 * KILLS):
        path = tmp_path / f"{k}.nwb"
        process = start(path, n_blocks, seed)
        wait_for_closing(process)
        # Spread over the time that closing takes, the ends beyond it.
        killed_after(process, closing_s * (k + rng.random()) / KILLS)
        repair(path)
        with open_recording(path) as recording:
            is_closed = recording.ending is not None
        states.append(is_closed)
        if is_closed:
            assert describe_closed(path).reason == "stopped"
        else:
            writer = RecordingWriter.resume(path)
            for entry in make_journal(n_blocks, seed):
                if entry.offset > writer.cursor:
                    entry.put(writer)
            writer.close("stopped")
        assert read_contents(path) == whole
    assert not states[0], "kills came before the end of closing, too"


def read_with_ours(recording: RecordingFile) -> tuple[int, np.ndarray]:
    n = recording.refresh()
    assert recording.is_live
    assert recording.ending is None
    assert len(recording.steps()) == len(recording.timestamps()) == n
    return n, recording.samples()[:, 2]


def read_with_h5py(file: h5py.File) -> tuple[int, np.ndarray]:
    data = file["acquisition/i_total/data"]
    data.refresh()
    return data.shape[0], data[:] // 10  # stored as thousandths, sent as hundredths


def read_with_pynwb(path: Path) -> tuple[int, np.ndarray]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with h5py.File(path, "r", swmr=True) as file, pynwb.NWBHDF5IO(file=file, mode="r") as io:
            data = io.read().acquisition["i_total"].data
            return data.shape[0], data[:] // 10


@pytest.mark.parametrize("reader", ["ours", "h5py", "pynwb"])
def test_reading_while_it_grows(tmp_path: Path, reader: str) -> None:
    """Another process sees each second as it is written; a viewer that stays does not keep the file from closing."""
    path, n_blocks, seed = tmp_path / "a.nwb", 600, 7
    samples = expected_samples(make_journal(n_blocks, seed))[:, 2]
    process = start(path, n_blocks, seed, "step")
    assert read(process) == "writing"
    readable = [int(read(process))]
    with ExitStack() as stack:
        look: Callable[[], tuple[int, np.ndarray]]
        if reader == "ours":
            look = partial(read_with_ours, stack.enter_context(open_recording(path)))
        elif reader == "h5py":
            look = partial(read_with_h5py, stack.enter_context(h5py.File(path, "r", libver="latest", swmr=True)))
        else:
            look = partial(read_with_pynwb, path)
        while True:
            n, seen = look()
            assert n >= readable[-1] > 0
            assert n == readable[-1] or reader != "ours"
            assert np.array_equal(seen, samples[:n])
            go(process)
            line = read(process)
            if line == "closing":
                break
            readable.append(int(line))
        assert read(process) == "closed"
    assert end(process) == 0
    assert len(readable) >= 5
    assert readable == sorted(set(readable))
    with open_recording(path) as recording:
        assert not recording.is_live
        assert np.array_equal(recording.samples()[:, 2], samples)


def test_a_living_writer_is_left_alone(tmp_path: Path) -> None:
    """Repairing a file that somebody writes is refused and harms nothing; after a kill it works, viewers or not."""
    path = tmp_path / "a.nwb"
    process = start(path, 600, 7, "step")
    assert read(process) == "writing"
    readable = int(read(process))
    with pytest.raises(StoreError, match=r"a\.nwb is being written by another process"):
        repair(path)
    viewer = subprocess.Popen(
        [sys.executable, "-c", f"import h5py; f = h5py.File({str(path)!r}, swmr=True); print(1, flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert read(viewer) == "1"
    end(process, kill=True)
    result = repair(path)
    assert (result.was_open, result.n_samples) == (True, readable)
    end(viewer, kill=True)


def test_a_full_disk_poisons_the_file(tmp_path: Path) -> None:
    """After a failed write nothing more is taken, and what was readable before is what a resume goes on from."""
    path, n_blocks, seed = tmp_path / "a.nwb", 2500, 3
    journal = make_journal(n_blocks, seed)
    process = start(path, n_blocks, seed, "limit")
    assert read(process) == "writing"
    readable, cursor = map(int, read(process).split())
    assert str(path) in read(process)
    assert "takes nothing after an error; resume it in a new process" in read(process)
    assert end(process) == 4
    assert readable > 10_000
    # A flush that failed half-way may have got further than it said; never less far.
    assert check_repaired(path, journal) >= readable
    assert repair(path).cursor >= cursor
    process = start(path, n_blocks, seed)
    assert end(process) == 0
    record(tmp_path / "whole.nwb", journal)
    assert read_contents(path) == read_contents(tmp_path / "whole.nwb")
