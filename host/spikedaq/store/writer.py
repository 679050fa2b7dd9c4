"""Write one recording file: blocks and rows into buffers, whole chunks to the disk, under SWMR throughout."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np

from spikedaq.model import Block, BlockFlag, ClockMap, StoreError
from spikedaq.store.closing import OPEN, describe_closed, finish
from spikedaq.store.create import make_file, put_tables
from spikedaq.store.ends import last_block, read_ends
from spikedaq.store.extent import Extent, at_cursor, columns, cut, read_extent, series_datasets
from spikedaq.store.hdf5 import Growing, open_file, translated
from spikedaq.store.layout import (
    BLOCKS,
    COMPLETE,
    ENDING,
    SMALL_TABLES,
    TABLES,
    Table,
    channel_storages,
    chunk_blocks,
    chunk_samples,
)
from spikedaq.store.lock import WriteLock
from spikedaq.store.meta import ClosedFile, FileMeta, LastBlock
from spikedaq.store.repair import read_meta, repair
from spikedaq.store.rows import Rows
from spikedaq.store.times import sample_seconds, seconds

# Rows that are not samples (events, notes) wait at most this long for the next whole chunk of samples.
ROWS_WAIT_S = 1.0
# Rows of the block table wait for a whole chunk of theirs, at most this long.
BLOCK_ROWS_WAIT_S = 2.0
# Chunks of samples that may wait for flush(); beyond it append_block writes by itself, to bound memory.
MAX_WAITING_CHUNKS = 8

_SATURATED = int(BlockFlag.SATURATED)


class RecordingWriter:
    """One growing recording file; made by :meth:`create` or :meth:`resume`.

    Nothing is written before :meth:`flush` or :meth:`close`, unless more than eight chunks pile up. After any error
    while writing the file is *poisoned*: HDF5 would present zeros for a block that is written again, and might crash in
    closing. Every further call raises; leave the process with ``os._exit`` and resume the file in a new one.

    Attributes
    ----------
    path : Path
    meta : FileMeta
    rows : Rows
        Takes what is not a sample: gaps, events, notes, ...
    cursor : int
        Journal offset after the last block on disk: what to read on from. The start offset until there is a block.
    n_samples : int
        Samples appended, on disk or not.
    n_readable : int
        Samples that a reader can see.
    has_schema : bool
        The NWB schema is cached in the file. Without it readers need a schema of their own, which PyNWB has.
    """

    @classmethod
    def create(
        cls, path: Path, meta: FileMeta, start_offset: int = 0, *, clock_s: Callable[[], float] = time.monotonic
    ) -> Self:
        """Create a file complete but for its samples. It gets its name last, so a file of that name is never half made.

        Raises
        ------
        StoreError
            The file exists, its folder does not, the device has no channels, or the disk refuses.
        """
        path = Path(path)
        if not meta.channels:
            raise StoreError(f"cannot create {path}: device {meta.device} has described no channels")
        if path.exists():
            raise StoreError(f"cannot create {path}: it exists; resume it or choose another name")
        new = path.with_name(path.name + ".new")
        with translated(new, "create", "check that its folder exists and has space"):
            new.unlink(missing_ok=True)
            make_file(new, meta, start_offset)
            new.replace(path)
        return cls(path, clock_s)

    @classmethod
    def resume(cls, path: Path, *, clock_s: Callable[[], float] = time.monotonic) -> Self:
        """Go on with a file: repair it if its writer was killed, cut it to its complete blocks.

        What the journal has after ``cursor`` is then missing from the file, and only that.
        """
        repair(Path(path))
        return cls(Path(path), clock_s)

    def __init__(self, path: Path, clock_s: Callable[[], float]) -> None:
        self.path = path
        self._clock_s = clock_s
        self._poison: str | None = None
        self._closed = False
        self._lock = WriteLock(path)
        try:
            with translated(path, "open", "repair it, or rebuild it from the journal", from_content=True):
                self._open()
        except StoreError:
            self._lock.release()
            raise
        self._waiting: list[tuple[Block, ClockMap]] = []
        self._tail = np.empty((len(self._storages), 0), np.int16)
        self._tail_s = np.empty(0, np.float64)
        self._block_rows: list[tuple[int, ...]] = []
        self.rows = Rows(self.meta, self._ends, self._start_offset, self._check)
        self._passed = 0
        self._last_flush_s = self._clock_s()

    def _open(self) -> None:
        self._file = file = open_file(self.path, "r+")
        self.meta, self._start_offset = read_meta(file, self.path)
        self.has_schema = "specifications" in file
        self._storages = channel_storages(self.meta.channels)
        names = [s.name for s in self._storages]
        extent = at_cursor(file, read_extent(file))
        cut(file, names, extent)
        put_tables(file, self.meta)
        file[ENDING][()] = OPEN
        self._ends = read_ends(file, extent)
        file.swmr_mode = True
        self._series = [Growing(d) for d in series_datasets(file, names)]
        self._tables = {t.path: [Growing(d) for d in columns(file, t)] for t in TABLES}
        self._complete = file[COMPLETE]
        self._chunk = chunk_samples(self.meta.step_us, self.meta.info.block_samples)
        self._chunk_rows = chunk_blocks(self._chunk, self.meta.info.block_samples)
        self.cursor = extent.cursor
        self.n_samples = self.n_readable = self._n_written = extent.n_samples

    # -- what is in the file

    def n_bytes(self) -> int:
        """Return the size of the file on disk."""
        with translated(self.path, "measure"):
            return self.path.stat().st_size

    @property
    def first_step(self) -> int | None:
        """Step index of the first sample, None before it."""
        return self._ends.first_step

    @property
    def last_block(self) -> LastBlock | None:
        """The last block appended, None before it; after a resume the last one in the file."""
        return last_block(self._ends)

    @property
    def run_step(self) -> int | None:
        """Step of the first sample after the last gap that lies outside every window; the first one where none does."""
        return self._ends.first_step if self._ends.run_step is None else self._ends.run_step

    @property
    def end_step(self) -> int:
        """Step after all that the file speaks of, samples and gaps; 0 before the first."""
        last = last_block(self._ends)
        return max(last.next_step if last else 0, self._ends.gap_end)

    @property
    def n_runs(self) -> int:
        """Stretches of samples without a gap that lies outside every window."""
        return self._ends.n_inner + 1

    @property
    def saturated_blocks(self) -> int:
        """Blocks with a value cut at the limits of int16."""
        return self._ends.saturated_blocks

    @property
    def gap_samples(self) -> dict[str, int]:
        """Missing samples by cause; every cause is a key."""
        return dict(self._ends.gap_samples)

    @property
    def gap_counts(self) -> dict[str, int]:
        """Gaps by cause; every cause is a key."""
        return dict(self._ends.gap_counts)

    # -- appending

    def append_block(self, block: Block, clock: ClockMap, journal_offset: int, t_received_ns: int = 0) -> None:
        """Take a block; its array must not change any more.

        Parameters
        ----------
        block : Block
        clock : ClockMap
            Map in force for it.
        journal_offset : int
            End of its frame in the journal: the cursor, once it is on disk.
        t_received_ns : int
            CLOCK_BOOTTIME at which it arrived, 0 if unknown.
        """
        self._check()
        n, n_channels = block.samples.shape
        if n == 0:
            return
        if n_channels != len(self._storages):
            raise StoreError(f"{self.path} has {len(self._storages)} channels, the block {n_channels}; roll the file")
        if block.mode is not self.meta.mode:
            raise StoreError(
                f"{self.path} is of {self.meta.mode} clamp, the block of {block.mode} clamp; roll the file"
            )
        ends, flags = self._ends, int(block.flags)
        if ends.first_step is None:
            ends.first_step = block.first_step
            self.rows.put_initial(seconds(clock.host_ns(block.first_tick), self.meta.reference_host_ns))
        self._waiting.append((block, clock))
        row = (
            block.boot_id,
            block.seq,
            block.stream,
            block.first_step,
            block.first_tick,
            block.step_us,
            n,
            flags,
            self.n_samples,
            t_received_ns,
            journal_offset,
        )
        self._block_rows.append(row)
        ends.last_row = row
        self.n_samples += n
        if flags & _SATURATED:
            ends.saturated_blocks += 1
        if self.n_samples - self._n_written > MAX_WAITING_CHUNKS * self._chunk:
            self.flush()

    def pass_over(self, journal_offset: int) -> None:
        """Be told that what the journal has up to here is in the file, or belongs in none.

        Once all of that is on disk it is the cursor: what follows the last block need not be read again.
        """
        self._passed = max(self._passed, journal_offset)

    # -- writing

    def flush(self, force: bool = False) -> int:
        """Write whole chunks, and rows that have waited for a second. Returns the samples that a reader can see.

        The first block is written at once, and ``force`` writes everything: either leaves a partial chunk, which is
        written again once it is full and then wastes a little space. So do not force often.

        Raises
        ------
        StoreError
            The disk refused, or did so earlier.
        """
        self._check()
        if self.first_step is None and not force:
            # Rows are kept on a resume if a block vouches for them; without one they stay in the journal.
            return 0
        now_s = self._clock_s()
        force = force or self._n_written == 0
        target = self.n_samples if force else max(self.n_samples // self._chunk * self._chunk, self._n_written)
        waited_s = now_s - self._last_flush_s
        rows_are_late = waited_s >= ROWS_WAIT_S and self.rows.n_waiting > 0
        blocks_are_late = waited_s >= BLOCK_ROWS_WAIT_S and self._first_row_is_written()
        if target == self._n_written and not (force or rows_are_late or blocks_are_late):
            return self.n_readable
        self._last_flush_s = now_s
        with self._poisoning("write to"):
            self._write_samples(target)
            for table in SMALL_TABLES:
                self._write_rows(table, self.rows.waiting[table.path])
                self.rows.waiting[table.path].clear()
            last_row = self._write_block_rows(force or blocks_are_late)
            self._file.flush()
            self._commit(last_row)
        return self.n_readable

    def _first_row_is_written(self) -> bool:
        """Whether the samples of the first block row in waiting are on disk already."""
        return bool(self._block_rows) and self._block_rows[0][8] + self._block_rows[0][6] <= self._n_written

    def _write_samples(self, target: int) -> None:
        n = target - self._n_written
        if n == 0:
            return
        raw = np.concatenate([self._tail, *(b.samples.T for b, _ in self._waiting)], axis=1)
        times_s = self._tail_s
        if self._waiting:
            rows = np.array(self._block_rows[-len(self._waiting) :], np.int64)
            clocks = [c for _, c in self._waiting]
            new_s = sample_seconds(rows[:, 4], rows[:, 5], rows[:, 6], clocks, self.meta.reference_host_ns)
            times_s = np.concatenate([times_s, new_s])
        self._waiting.clear()
        *channels, timestamps = self._series
        for storage, dataset, values in zip(self._storages, channels, raw, strict=True):
            dataset.append(storage.encode(values[:n]))
        timestamps.append(times_s[:n])
        self._tail, self._tail_s = raw[:, n:].copy(), times_s[n:].copy()
        self._n_written = target

    def _write_rows(self, table: Table, rows: list[tuple[Any, ...]]) -> None:
        if not rows:
            return
        *datasets, identifiers = self._tables[table.path]
        for column, dataset, values in zip(table.columns, datasets, zip(*rows, strict=True), strict=True):
            dataset.append(np.array(values, dtype=column.dtype))
        identifiers.append(np.arange(identifiers.n, identifiers.n + len(rows), dtype=np.int64))

    def _write_block_rows(self, everything: bool) -> tuple[int, ...] | None:
        """Write rows in whole chunks or all, and only those whose samples are all in. Returns the last one."""
        rows, n_before = self._block_rows, self._tables[BLOCKS.path][-1].n
        n = len(rows)
        if not everything:
            n = max(0, (n_before + n) // self._chunk_rows * self._chunk_rows - n_before)
        while n and rows[n - 1][8] + rows[n - 1][6] > self._n_written:
            n -= 1
        # Parts of one block may share an offset, and the cursor cannot lie between them.
        while 0 < n < len(rows) and rows[n - 1][10] == rows[n][10]:
            n -= 1
        if n == 0:
            return None
        self._write_rows(BLOCKS, rows[:n])
        last_row = rows[n - 1]
        del rows[:n]
        return last_row

    def _commit(self, last_row: tuple[int, ...] | None) -> None:
        """Say that everything so far is on disk, now that it is."""
        self.rows.n_waiting = 0
        n_samples, cursor = (last_row[8] + last_row[6], last_row[10]) if last_row else (self.n_readable, self.cursor)
        if n_samples == self.n_samples:
            cursor = max(cursor, self._passed)
        n_blocks, *n_rows = (self._tables[t.path][-1].n for t in (BLOCKS, *SMALL_TABLES))
        self._complete[:] = Extent(n_samples, n_blocks, cursor, tuple(n_rows)).record()
        self._complete.flush()
        self.n_readable, self.cursor = n_samples, cursor

    @contextmanager
    def _poisoning(self, doing: str) -> Iterator[None]:
        try:
            with translated(self.path, doing, "end this process and resume the file in a new one"):
                yield
        except StoreError as error:
            self._poison = str(error)
            raise

    def _check(self) -> None:
        """Raise `StoreError` where nothing can be written any more."""
        if self._closed:
            raise StoreError(f"{self.path} is closed; nothing more can be written to it")
        if self._poison is not None:
            raise StoreError(f"{self.path} takes nothing after an error; resume it in a new process ({self._poison})")

    # -- closing

    def close(self, reason: str) -> ClosedFile:
        """Write everything, close, and return what the manifest says of the file.

        A kill at any moment leaves a file that can be resumed, or a closed one (see :func:`describe_closed`).
        """
        self._check()
        self.rows.put_initial(0.0)
        self.rows.repeat_standing(self.cursor)
        # A closed file is read on behind its last row: who goes on with it keeps what followed its last block.
        self.pass_over(self.rows.last_offset)
        self.flush(force=True)
        with self._poisoning("close"):
            self._file.close()
            finish(self.path, reason)
        self._closed = True
        self._lock.release()
        return describe_closed(self.path)
