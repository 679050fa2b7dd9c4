"""Imaging files: what was written is what is read, also while they grow and after a kill; and valid for others."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pynwb
import pytest
from nwbinspector import inspect_nwbfile

from harness import wait_for
from spikedaq.model import DamagedFileError, StoreError
from spikedaq.store import (
    Frames,
    ImagingMeta,
    ImagingWriter,
    imaging,
    is_file_name,
    open_imaging,
    open_recording,
    repair_imaging,
    specifications_path,
)

META = ImagingMeta(
    bench="bench",
    device="alpha",
    unique_id="0011223344556677",
    board="native",
    boot_id=77,
    reference_utc_ns=1_790_000_000_123_456_000,
    time="host",
    first_step=1200,
    pitch_steps=100,
    step_us=100,
    seed=5,
    settings={"hill": 2.0, "response": "hill"},
    source="session first-try",
    indicator="Generic",
    session="first-try",
)


def frames(first: int, n: int, seed: int = 1) -> Frames:
    rng = np.random.default_rng(seed + first)
    steps = (12 + first + np.arange(n, dtype=np.int64)) * 100
    values = rng.normal(size=(n, 9)).astype(np.float32)
    return Frames(steps, np.zeros(n, np.int64), steps * 100.7e-6 + 3, values)


def written(path: Path, n: int = 500, pieces: int = 7, meta: ImagingMeta = META) -> Frames:
    writer = ImagingWriter(path, meta)
    for first in range(0, n, pieces):
        writer.append(frames(first, min(pieces, n - first)))
    writer.close("stopped")
    parts = [frames(first, min(pieces, n - first)) for first in range(0, n, pieces)]
    return Frames(
        *(np.concatenate([getattr(p, name) for p in parts]) for name in ("steps", "missing", "times_s", "values"))
    )


def assert_equal(found: Frames, wanted: Frames) -> None:
    n = len(found)
    np.testing.assert_array_equal(found.steps, wanted.steps[:n])
    np.testing.assert_array_equal(found.missing, wanted.missing[:n])
    np.testing.assert_array_equal(found.values.view(np.uint32), wanted.values[:n].view(np.uint32))
    assert (np.abs(found.times_s - wanted.times_s[:n]) <= 2.0**-21).all()


@pytest.mark.parametrize("n", [0, 1, 15, 16, 499, 500, 1000])
def test_what_is_written_is_read(tmp_path: Path, n: int) -> None:
    path = tmp_path / "a_imaging.nwb"
    wanted = written(path, n) if n else ImagingWriter(path, META).close("stopped")
    with open_imaging(path) as file:
        assert file.meta == META and file.ending == "stopped" and not file.is_live and file.n_frames == n
        if wanted is not None:
            assert len(file.frames()) == n
            assert_equal(file.frames(), wanted)


def test_valid_and_inspected(tmp_path: Path) -> None:
    """PyNWB's validator finds no error; the inspector has nothing to say but what recordings leave unheeded."""
    assert specifications_path() is not None, "run tools/make_specifications.py host/spikedaq/store/specifications.h5"
    path = tmp_path / "a_imaging.nwb"
    wanted = written(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert pynwb.validate(path=str(path)) == []
        found = [m for m in inspect_nwbfile(nwbfile_path=str(path)) if m.check_function_name != "check_keywords"]
        assert [f"{m.importance.name} {m.check_function_name} {m.object_name}: {m.message}" for m in found] == []
        with pynwb.NWBHDF5IO(str(path), "r") as io:
            nwb = io.read()
            series = nwb.processing["ophys"]["fluorescence"]
            np.testing.assert_array_equal(series.data[:], wanted.values[:, :3])
            np.testing.assert_array_equal(nwb.processing["ophys"]["calcium"].data[:], wanted.values[:, 6:])
            assert nwb.processing["ophys"]["calcium"].conversion == 1e-6
            assert len(nwb.processing["ophys"]["step"].timestamps) == 500
            assert "SIMULATED" in nwb.session_description


def test_it_is_no_recording_and_does_not_look_like_one(tmp_path: Path) -> None:
    """Whoever looks for recordings in a session's folder does not take it for one."""
    path = tmp_path / "first-try_alpha_imaging.nwb"
    written(path)
    assert not is_file_name(path.name)
    with pytest.raises(DamagedFileError):
        open_recording(path)


def test_a_growing_file_is_read(tmp_path: Path) -> None:
    """Whole chunks of a second can be read while it grows, by us and by plain h5py."""
    path = tmp_path / "a_imaging.nwb"
    writer = ImagingWriter(path, META)
    writer.append(frames(0, 250))
    with open_imaging(path) as file:
        assert file.is_live and file.ending is None and file.n_frames == 200
        assert_equal(file.frames(), frames(0, 250))
    code = "import sys, h5py; print(h5py.File(sys.argv[1], 'r', swmr=True)['processing/ophys/dff/data'].shape[0])"
    read = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert read.stdout.strip() == "200"
    with pytest.raises(StoreError, match="being written by another process"):
        repair_imaging(path)
    writer.close("stopped")


WRITER = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from test_store_imaging import META, frames
from spikedaq.store import ImagingWriter
writer = ImagingWriter(Path(sys.argv[1]), META)
first = 0
while True:
    writer.append(frames(first, 50))
    first += 50
"""


def test_a_killed_writer_leaves_a_file_that_is_read_and_repaired(tmp_path: Path) -> None:
    path = tmp_path / "a_imaging.nwb"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, path, Path(__file__).parent, Path(__file__).parents[1]]
    ) as process:

        def grown() -> bool:
            with open_imaging(path) as file:
                return file.n_frames >= 300

        try:
            wait_for("some frames", grown)
        finally:
            os.kill(process.pid, signal.SIGKILL)
    with open_imaging(path) as file:
        n, before = file.n_frames, file.frames()
        assert file.is_live and n >= 300 and n % 100 == 0
    with pytest.raises(OSError):
        h5py.File(path, "r").close()
    assert repair_imaging(path) == n
    with h5py.File(path, "r") as plain:
        assert {plain[f"processing/ophys/{name}/data"].shape[0] for name in ("dff", "calcium", "step")} == {n}
    with open_imaging(path) as file:
        assert not file.is_live and file.ending == "interrupted"
        assert_equal(before, file.frames())
        for first in range(0, n, 50):
            np.testing.assert_array_equal(before.values[first : first + 50], frames(first, 50).values)
    assert repair_imaging(path) == n, "once more is harmless"


def test_what_exists_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.nwb"
    path.write_text("mine")
    with pytest.raises(StoreError, match="exists"):
        ImagingWriter(path, META)
    assert path.read_text() == "mine"
    with pytest.raises(StoreError, match="check that its folder exists"):
        ImagingWriter(tmp_path / "none" / "a.nwb", META)
    with pytest.raises(StoreError):
        open_imaging(path)
    with pytest.raises(StoreError):
        repair_imaging(path)
    assert path.read_text() == "mine"
    with pytest.raises(StoreError, match="no such file"):
        open_imaging(tmp_path / "none.nwb")


def test_slow_motion_has_small_chunks(tmp_path: Path) -> None:
    """Of a board with a step each 20 ms there is a frame each 2 s of time: 16 of them go to the disk together."""
    path = tmp_path / "a.nwb"
    writer = ImagingWriter(path, replace(META, step_us=20_000))
    writer.append(frames(0, 17))
    with open_imaging(path) as file:
        assert file.n_frames == 16
    writer.close("stopped")


def test_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.nwb"
    written(path, 20)
    with h5py.File(path, "r+") as file:
        document = json.loads(file["general/data_collection"].asstr()[()])
        del file["general/data_collection"]
        file["general/data_collection"] = json.dumps({**document, "format_version": 2})
    with pytest.raises(StoreError, match="newer spikedaq"):
        open_imaging(path)


def test_a_file_that_cannot_be_begun_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a piece on the full disk, nor a lock that keeps others from the file."""
    path = tmp_path / "x.nwb"

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(imaging, "put_all", full)
        with pytest.raises(StoreError, match="no space left"):
            ImagingWriter(path, META)
    assert not list(tmp_path.iterdir())
    begin = imaging.open_file
    with monkeypatch.context() as patched:
        patched.setattr(imaging, "open_file", lambda of, mode: full() if mode == "r+" else begin(of, mode))
        with pytest.raises(StoreError, match="no space left"):
            ImagingWriter(path, META)
    assert repair_imaging(path) == 0
