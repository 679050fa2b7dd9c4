"""Read one recording file, also while it is being written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from spikedaq.model import (
    BlockFlag,
    ChannelInfo,
    ClampMode,
    ClockMap,
    DamagedFileError,
    DeviceInfo,
    StoreError,
)
from spikedaq.store.closing import read_ending
from spikedaq.store.extent import empty, read_extent, read_rows
from spikedaq.store.hdf5 import open_to_read, translated
from spikedaq.store.layout import (
    BLOCKS,
    CLOCK_MAPS,
    ENDING,
    EPOCHS,
    GAPS,
    NOTES,
    OTHERS,
    PARAMETERS,
    SPIKES,
    TRIGGERS,
    channel_storages,
)
from spikedaq.store.repair import read_meta
from spikedaq.store.runs import Run, find_runs
from spikedaq.store.stored import (
    StoredEpoch,
    StoredEvent,
    StoredGap,
    StoredNote,
    StoredParameter,
    stored_clock_maps,
    stored_epochs,
    stored_events,
    stored_gaps,
    stored_notes,
    stored_parameters,
)

_TIMES = -1


def open_recording(path: Path) -> RecordingFile:
    """Open a recording file for reading, also while it is being written or after its writer was killed.

    Parameters
    ----------
    path : Path
        Or an object that stands for a file elsewhere: with ``is_file()``, ``open("rb")`` and its address as text.

    Raises
    ------
    StoreError
        Absent, not permitted, not a recording of spikedaq, or of a later version.
    """
    path = Path(path) if isinstance(path, str) else path
    if not path.is_file():
        raise StoreError(f"cannot open {path}: there is no such file")
    with translated(path, "open", "if its writer was killed or its disk was full, see spikedaq recover"):
        file, is_live = open_to_read(path)
    try:
        return RecordingFile(path, file, is_live)
    except BaseException:
        file.close()
        raise


class RecordingFile:
    """One recording file, open for reading. A growing one shows what was readable at the last :meth:`refresh`.

    Attributes
    ----------
    path : Path
    is_live : bool
        The file is marked as open for writing: it grows, or its writer was killed.
    meta : FileMeta
    """

    def __init__(self, path: Path, file: Any, is_live: bool) -> None:
        self.path = path
        self.is_live = is_live
        self._file = file
        with translated(path, "read", "see spikedaq recover, which makes it again from the journal"):
            self.meta, self._start_offset = read_meta(file, path)
            self._storage = channel_storages(self.meta.channels)
        self._series: dict[int, Any] = {}
        self._blocks: npt.NDArray[Any] | None = None
        self._runs: list[Run] | None = None
        self._extent = empty(self._start_offset)
        self.refresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def refresh(self) -> int:
        """Look how far a growing file has come. Returns the samples that can be read."""
        with translated(self.path, "read", "see spikedaq recover, which makes it again from the journal"):
            extent = read_extent(self._file)
            if extent == self._extent:
                return extent.n_samples
            self._extent, self._blocks, self._runs = extent, None, None
            if self.is_live:
                for dataset in self._series.values():
                    dataset.refresh()
        return extent.n_samples

    # -- what it is

    @property
    def session(self) -> str:
        """Name of the session."""
        return self.meta.session

    @property
    def config(self) -> dict[str, Any]:
        """Effective configuration as the session started."""
        return self.meta.config

    @property
    def device_info(self) -> DeviceInfo:
        """The device's hello and descriptions."""
        return self.meta.info

    @property
    def channels(self) -> tuple[ChannelInfo, ...]:
        """The file's channels, in the device's order."""
        return self.meta.channels

    @property
    def mode(self) -> ClampMode:
        """Clamp mode of every sample."""
        return self.meta.mode

    @property
    def ending(self) -> str | None:
        """Reason for which the file was closed; None while it is open, or where its writer was killed."""
        with translated(self.path, "read"):
            if self.is_live:
                self._file[ENDING].refresh()
            return read_ending(self._file)

    @property
    def cursor(self) -> int:
        """Journal offset after the last complete block."""
        return self._extent.cursor

    # -- samples

    @property
    def n_samples(self) -> int:
        """Samples in complete blocks."""
        return self._extent.n_samples

    def samples(
        self, start: int = 0, stop: int | None = None, columns: Sequence[int] | None = None
    ) -> npt.NDArray[np.int16]:
        """Return raw values as the device sent them, int16 array, shape (stop - start, n_columns).

        ``columns`` are those of some channels, in the order in which they are to stand; nothing else is read.
        """
        start, stop = self._bounds(start, stop)
        chosen = range(len(self._storage)) if columns is None else columns
        raw = np.empty((stop - start, len(chosen)), np.int16)
        with translated(self.path, "read"):
            for at, k in enumerate(chosen):
                if stop > start:
                    raw[:, at] = self._storage[k].decode(self._piece(k, start, stop))
        return raw

    def timestamps(self, start: int = 0, stop: int | None = None) -> npt.NDArray[np.float64]:
        """Return the samples' times, seconds since the reference time, float64 array."""
        start, stop = self._bounds(start, stop)
        with translated(self.path, "read"):
            times: npt.NDArray[np.float64] = self._piece(_TIMES, start, stop)
        return times

    def steps(self, start: int = 0, stop: int | None = None) -> npt.NDArray[np.int64]:
        """Return the model's step index of each sample, int64 array; a gap is a jump."""
        start, stop = self._bounds(start, stop)
        index = np.arange(start, stop, dtype=np.int64)
        if not len(index):
            return index
        runs = self.runs
        first = np.array([run.first_sample for run in runs], np.int64)
        run = np.searchsorted(first, index, side="right") - 1
        steps: npt.NDArray[np.int64] = np.array([run.first_step for run in runs], np.int64)[run] + (index - first[run])
        return steps

    @property
    def runs(self) -> list[Run]:
        """Stretches without a gap."""
        if self._runs is None:
            with translated(self.path, "read", "see spikedaq recover, which makes it again from the journal"):
                self._runs = find_runs(self._file, self._extent)
        return self._runs

    def _piece(self, k: int, start: int, stop: int) -> Any:
        """Return what is stored of channel ``k``, or of the times."""
        dataset = self._series.get(k)
        if dataset is None:
            name = self._storage[max(k, 0)].name
            dataset = self._file[f"acquisition/{name}/{'timestamps' if k == _TIMES else 'data'}"]
            self._series[k] = dataset
        if dataset.shape[0] < stop and self.is_live:
            dataset.refresh()
        if dataset.shape[0] < stop:
            raise DamagedFileError(
                f"{self.path}: {dataset.name} ends before sample {stop}; rebuild it from the journal"
            )
        return dataset[start:stop]

    def _bounds(self, start: int, stop: int | None) -> tuple[int, int]:
        n = self.n_samples
        first, last, _ = slice(start, stop).indices(n)
        return first, max(first, last)

    # -- tables

    def _rows(self, table: Any) -> npt.NDArray[Any]:
        with translated(self.path, "read"):
            return read_rows(self._file, table, self._extent)

    @property
    def blocks(self) -> npt.NDArray[Any]:
        """Block table, a structured array with the columns of ``/processing/icephys/blocks``."""
        if self._blocks is None:
            self._blocks = self._rows(BLOCKS)
        return self._blocks

    def saturated_blocks(self) -> npt.NDArray[Any]:
        """Return the rows of the block table with values cut at a limit; the table is read only where there are any."""
        with translated(self.path, "read"):
            flags = self._file[BLOCKS.path]["flags"][: self._extent.n_blocks]
        where = np.flatnonzero(flags & int(BlockFlag.SATURATED))
        return self.blocks[where] if len(where) else np.empty(0, BLOCKS.dtype)

    @property
    def gaps(self) -> list[StoredGap]:
        """Gaps in order."""
        return stored_gaps(self._rows(GAPS))

    @property
    def events(self) -> list[StoredEvent]:
        """Spikes, triggers and other events of the device, in the order of the journal."""
        return stored_events(self._rows(SPIKES), self._rows(TRIGGERS), self._rows(OTHERS))

    @property
    def parameters(self) -> list[StoredParameter]:
        """Values as the file starts, then every change and request in the order of the journal."""
        return stored_parameters(self._rows(PARAMETERS))

    @property
    def notes(self) -> list[StoredNote]:
        """Notes; those that take several rows are put together again."""
        return stored_notes(self._rows(NOTES))

    @property
    def epochs(self) -> list[StoredEpoch]:
        """Triggers with their windows, by start in a closed file, as they fired in a growing one."""
        return stored_epochs(self._rows(EPOCHS))

    @property
    def clock_maps(self) -> list[ClockMap]:
        """Pieces of the clock map, each once."""
        return stored_clock_maps(self._rows(CLOCK_MAPS))
