"""Files of the imaging simulation: NWB beside the recording, written under SWMR, readable after a kill."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from spikedaq.model import DamagedFileError, StoreError
from spikedaq.store.closing import ending_text, read_ending
from spikedaq.store.hdf5 import open_file, open_to_read, translated
from spikedaq.store.imaging_layout import N_NEURONS, REMEDY, SERIES, ImagingMeta, datasets_of, meta_from, put_all
from spikedaq.store.layout import COMPLETE, ENDING, SECONDS_GRID
from spikedaq.store.lock import WriteLock
from spikedaq.store.repair import clear_flags

_CHUNK_ROWS = (16, 16_384)


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """Frames of an imaging file.

    Attributes
    ----------
    steps, missing : int64 arrays, shape (n,)
        Model step of each frame, and model steps that were missing since the one before.
    times_s : float64 array, shape (n,)
        Seconds since the file's reference time.
    values : float32 array, shape (n, 9)
        Fluorescence (a.u.), dF/F0 (%) and calcium (uM) of the three neurons, in this order.
    """

    steps: npt.NDArray[np.int64]
    missing: npt.NDArray[np.int64]
    times_s: npt.NDArray[np.float64]
    values: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.steps)


class ImagingWriter:
    """One growing imaging file. Whole chunks, about a second of frames, go to the disk as they fill.

    After an error of the disk it takes nothing more, and the process had better end without closing it: what was
    written is read after `repair_imaging`.

    Parameters
    ----------
    path : Path
        Must not exist.

    Raises
    ------
    StoreError
        The file exists, its folder does not, or the disk refuses.
    """

    def __init__(self, path: Path, meta: ImagingMeta) -> None:
        self.path = path
        self.meta = meta
        self.n_frames = 0
        self._waiting: list[Frames] = []
        self._n_waiting = 0
        self._chunk = int(np.clip(round(1e6 / (meta.step_us * meta.pitch_steps)), *_CHUNK_ROWS))
        self._poisoned = self._closed = False
        if path.exists():
            raise StoreError(f"{path} exists; choose another place with --out, or replace it with --overwrite")
        new = path.with_name(f".{path.name}.new")
        with translated(path, "create", "check that its folder exists and has space"):
            new.unlink(missing_ok=True)
            try:
                with open_file(new, "x") as file:
                    put_all(file, meta, self._chunk)
                new.replace(path)
            except BaseException:
                with contextlib.suppress(OSError):
                    new.unlink(missing_ok=True)
                raise
        self._lock = WriteLock(path)
        try:
            with translated(path, "open"):
                self._file = open_file(path, "r+")
                self._file.swmr_mode = True
        except BaseException:
            self._lock.release()
            raise

    def append(self, frames: Frames) -> None:
        """Take frames; times are rounded to the grid of 2**-20 s."""
        self._waiting.append(frames)
        self._n_waiting += len(frames)
        if self._n_waiting >= self._chunk:
            self._write(self._n_waiting // self._chunk * self._chunk)

    def _write(self, n: int) -> None:
        if self._poisoned or self._closed:
            raise StoreError(f"{self.path} takes nothing more; an earlier write failed, or it was closed")
        together = _joined(self._waiting)
        parts = _cut(together, 0, n)
        rest = _cut(together, n, len(together))
        self._poisoned = True
        with translated(self.path, "write", "make room, and " + REMEDY):
            end = self.n_frames + n
            for dataset, values in _columns(self._file, parts):
                dataset.resize(end, axis=0)
                dataset[self.n_frames : end] = values
            self._file.flush()
            self._file[COMPLETE][0] = end
            self._file.flush()
        self._poisoned = False
        self.n_frames, self._waiting, self._n_waiting = end, [rest], len(rest)

    def close(self, reason: str) -> None:
        """Write what waits and close the file; once more is harmless."""
        if self._closed or self._poisoned:
            self._lock.release()
            return
        if self._n_waiting:
            self._write(self._n_waiting)
        self._closed = True
        with translated(self.path, "close", REMEDY):
            self._file[ENDING][()] = ending_text(reason)
            self._file.close()
        self._lock.release()


class ImagingFile:
    """One imaging file, open for reading; a growing one as it was when it was opened. Made by `open_imaging`.

    Attributes
    ----------
    is_live : bool
        It is marked as open for writing: it grows, or its writer was killed.
    ending : str or None
        Why it was closed; None while it was not.
    """

    def __init__(self, path: Path, file: Any, is_live: bool) -> None:
        self.path = path
        self.is_live = is_live
        self._file = file
        with translated(path, "read", REMEDY, from_content=True):
            self.meta = meta_from(file, path)
            self.ending = read_ending(file)
            self.n_frames = int(file[COMPLETE][0])

    def frames(self) -> Frames:
        """Return every frame that is complete."""
        with translated(self.path, "read", REMEDY, from_content=True):
            datasets = datasets_of(self._file)
            columns = {name: dataset[: self.n_frames] for name, dataset in datasets.items()}
        values = np.concatenate([columns[name] for name, *_ in SERIES], axis=1, dtype=np.float32)
        return Frames(columns["step"], columns["missing_steps"], columns["timestamps"], values)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def open_imaging(path: Path) -> ImagingFile:
    """Open an imaging file, also while it is written or after its writer was killed.

    Raises
    ------
    StoreError
        Absent, not permitted, no imaging file of spikedaq, or of a later version.
    """
    if not path.is_file():
        raise StoreError(f"cannot open {path}: there is no such file")
    with translated(path, "open", REMEDY):
        file, is_live = open_to_read(path)
    try:
        return ImagingFile(path, file, is_live)
    except BaseException:
        file.close()
        raise


def repair_imaging(path: Path) -> int:
    """Make the file of a killed writer open plainly, cut to its complete frames; return how many there are.

    Raises
    ------
    StoreError
        It is being written, is none of ours, or the disk refuses.
    """
    if not path.is_file():
        raise StoreError(f"cannot repair {path}: there is no such file")
    with open_imaging(path):  # of ours?
        pass
    with WriteLock(path) as lock:
        clear_flags(path, lock.descriptor)
        with translated(path, "repair", REMEDY, from_content=True), open_file(path, "r+") as file:
            n = int(file[COMPLETE][0])
            for dataset in datasets_of(file).values():
                if dataset.shape[0] < n:
                    raise DamagedFileError(f"{path}: {dataset.name} is shorter than it says; {REMEDY}")
                dataset.resize(n, axis=0)
            if read_ending(file) is None:
                file[ENDING][()] = ending_text("interrupted")
    return n


def _columns(file: Any, frames: Frames) -> list[tuple[Any, npt.NDArray[Any]]]:
    values = {name: frames.values[:, N_NEURONS * k : N_NEURONS * (k + 1)] for k, (name, *_) in enumerate(SERIES)}
    times_s = np.rint(frames.times_s * SECONDS_GRID) / SECONDS_GRID
    columns: dict[str, npt.NDArray[Any]] = {
        **values,
        "step": frames.steps,
        "missing_steps": frames.missing,
        "timestamps": times_s,
    }
    return [(dataset, columns[name]) for name, dataset in datasets_of(file).items()]


def _joined(parts: list[Frames]) -> Frames:
    return Frames(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Frames)))


def _cut(frames: Frames, start: int, stop: int) -> Frames:
    return Frames(*(getattr(frames, each.name)[start:stop] for each in fields(Frames)))
