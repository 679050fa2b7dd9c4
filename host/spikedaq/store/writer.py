"""Write one recording file: blocks and rows into buffers, whole chunks to the disk, under SWMR throughout."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from spikedaq.model import Block, BlockFlag, ClockMap, Event, EventKind, Gap, StoreError
from spikedaq.store.create import make_file, put_tables
from spikedaq.store.extent import columns, cut, read_rows, series_datasets
from spikedaq.store.hdf5 import append, fit_text, open_file, translated
from spikedaq.store.layout import (
    BLOCKS,
    CLOCK_MAPS,
    ENDING,
    ENDING_BYTES,
    GAPS,
    LOOPS,
    NOTE_BYTES,
    NOTES,
    OTHERS,
    PARAMETERS,
    SECONDS_GRID,
    SMALL_TABLES,
    SPIKES,
    TABLES,
    TRIGGERS,
    Table,
    channel_storage,
    chunk_blocks,
    chunk_samples,
)
from spikedaq.store.meta import ClosedFile, FileMeta, LastBlock, no_gaps
from spikedaq.store.repair import read_meta, repair, shared_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

# Rows that are not samples (events, notes, the last blocks) wait at most this long for the next whole chunk.
ROWS_WAIT_S = 1.0
BLOCK_ROWS_WAIT_S = 2.0
# Whole chunks that may wait for flush(); beyond it append_block flushes by itself, to bound memory.
MAX_WAITING_CHUNKS = 8
HASH_BYTES = 1 << 20


class RecordingWriter:
    """One growing recording file.

    Nothing is written before :meth:`flush` (or :meth:`close`), but where a caller lets more than eight chunks pile up.
    After any error while writing, the file is *poisoned*: HDF5 may present zeros for a block that was written again, and
    closing may crash. Every further call raises; leave the process with ``os._exit`` and resume in a new one.
    """

    @classmethod
    def create(
        cls, path: Path, meta: FileMeta, start_offset: int = 0, *, clock_s: Callable[[], float] = time.monotonic
    ) -> Self:
        """Create ``path`` complete but for its samples. ``start_offset`` is the cursor until a block is in.

        Raises
        ------
        StoreError
            The file exists, its folder does not, or the disk refuses.
        """
        path = Path(path)
        if not meta.info.channels:
            raise StoreError(f"cannot create {path}: device {meta.device} has described no channels")
        if path.exists():
            raise StoreError(f"cannot create {path}: it exists; resume it or choose another name")
        new = path.with_name(path.name + ".new")
        with translated(new, "create", "check that its folder exists and has space"):
            new.unlink(missing_ok=True)
            has_schema = make_file(new, meta, start_offset)
            new.replace(path)
        writer = cls(path, clock_s)
        writer.has_schema = has_schema
        return writer

    @classmethod
    def resume(cls, path: Path, *, clock_s: Callable[[], float] = time.monotonic) -> Self:
        """Repair a file if its writer was killed, cut it to its complete blocks, and go on writing at ``cursor``."""
        repair(Path(path))
        return cls(Path(path), clock_s)

    def __init__(self, path: Path, clock_s: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self.has_schema = True
        self._clock_s = clock_s
        self._poison: str | None = None
        self._closed = False
        self._lock = -1
        with translated(path, "open", "repair it first"):
            self._file = open_file(path, "r+")
        with self._writing("open"):
            self.meta, self._start_offset = read_meta(self._file, path)
            names = [c.name for c in self.meta.info.channels]
            put_tables(self._file, self.meta)
            extent, _ = cut(self._file, names, self._start_offset)
            self._file[ENDING][()] = b'{"state": "open"}'
            self._restore(extent.n_blocks)
            self.cursor = extent.cursor
            self.n_readable = self._n_written = self._n_appended = extent.n_samples
            self._rows_written = extent.n_blocks
            self._file.swmr_mode = True
            self._lock = shared_lock(path)
            self._series = series_datasets(self._file, names)
            self._tables = {t.path: columns(self._file, t) for t in TABLES}
        self._storage = [channel_storage(c) for c in self.meta.info.channels]
        self._chunk = chunk_samples(self.meta.step_us, self.meta.info.block_samples)
        self._chunk_rows = chunk_blocks(self._chunk, self.meta.info.block_samples)
        self._waiting: list[tuple[Block, ClockMap]] = []
        self._tail = np.empty((len(names), 0), np.int16)
        self._tail_s = np.empty(0, np.float64)
        self._block_rows: list[tuple[Any, ...]] = []
        self._rows: dict[str, list[tuple[Any, ...]]] = {t.path: [] for t in SMALL_TABLES}
        self._n_rows_waiting = 0
        self._has_initial = self._tables[PARAMETERS.path][-1].shape[0] > 0
        self._last_flush_s = self._clock_s()

    # -- what is in the file

    @property
    def n_samples(self) -> int:
        """Samples appended, on disk or not."""
        return self._n_appended

    def n_bytes(self) -> int:
        """Size of the file on disk."""
        with translated(self.path, "measure"):
            return self.path.stat().st_size

    def _restore(self, n_blocks: int) -> None:
        """Take counters and the ends of things from the rows on disk."""
        file = self._file
        blocks = read_rows(file, BLOCKS, n_blocks)
        self.first_step: int | None = int(blocks["first_step"][0]) if n_blocks else None
        self.saturated_blocks = int(np.count_nonzero(blocks["flags"] & int(BlockFlag.SATURATED)))
        self.last_block: LastBlock | None = None
        if n_blocks:
            last = blocks[-1]
            n, step_us = int(last["n_samples"]), int(last["step_us"])
            self.last_block = LastBlock(
                int(last["boot_id"]),
                int(last["seq"]),
                int(last["first_step"]) + n,
                int(last["first_tick"]) + n * step_us,
                step_us,
            )
        gaps = read_rows(file, GAPS)
        self.gap_samples = no_gaps()
        self.gap_counts = no_gaps()
        for cause, n_steps in zip(gaps["cause"], gaps["n_steps"], strict=True):
            self.gap_samples[cause.decode()] += int(n_steps)
            self.gap_counts[cause.decode()] += 1
        self._last_gap_s = float(gaps["start_time"][-1]) if len(gaps) else -np.inf
        triggers = read_rows(file, TRIGGERS)
        self._trigger: tuple[int, int, float, int] | None = None
        if len(triggers):
            t = triggers[-1]
            self._trigger = (int(t["boot_id"]), int(t["loop"]), float(t["timestamp"]), int(t["step"]))
        maps = read_rows(file, CLOCK_MAPS)
        self._last_map: tuple[Any, ...] | None = tuple(maps[-1].item()) if len(maps) else None

    # -- appending

    def append_block(self, block: Block, clock: ClockMap, journal_offset: int, t_received_ns: int = 0) -> None:
        """Take a block. ``journal_offset`` is the end of its frame in the journal: the cursor once it is on disk."""
        self._check()
        samples = block.samples
        n, n_channels = samples.shape
        if n_channels != len(self._storage):
            raise StoreError(f"{self.path} has {len(self._storage)} channels, the block {n_channels}; roll the file")
        flags = int(block.flags)
        if self.first_step is None:
            self.first_step = block.first_step
            self._put_initial(self._seconds(clock.host_ns(block.first_tick)))
        self._waiting.append((block, clock))
        self._block_rows.append(
            (
                block.boot_id,
                block.seq,
                block.stream,
                block.first_step,
                block.first_tick,
                block.step_us,
                n,
                flags,
                self._n_appended,
                t_received_ns,
                journal_offset,
            )
        )
        self._n_appended += n
        if flags & 1:
            self.saturated_blocks += 1
        if self._n_appended - self._n_written > MAX_WAITING_CHUNKS * self._chunk:
            self.flush()

    def append_gap(self, gap: Gap, clock: ClockMap, journal_offset: int) -> None:
        """Take a gap, with the journal offset of the block after it."""
        step_us = self._step_us()
        start_s = max(self._seconds(clock.host_ns(gap.first_tick)), self._last_gap_s)
        stop_s = self._seconds(clock.host_ns(gap.first_tick + gap.n_steps * step_us))
        # NWB asks for intervals in order and longer than nothing.
        stop_s = max(stop_s, start_s + 1 / SECONDS_GRID)
        self._last_gap_s = start_s
        cause = gap.cause.value
        row = (
            start_s,
            stop_s,
            cause.encode(),
            gap.boot_id,
            gap.stream,
            gap.first_step,
            gap.n_steps,
            gap.first_tick,
            journal_offset,
        )
        self._row(GAPS, row)
        self.gap_samples[cause] += gap.n_steps
        self.gap_counts[cause] += 1

    def append_event(self, event: Event, clock: ClockMap, journal_offset: int, label: str = "") -> None:
        """Take an event of the device. ``label`` names its parameter, for parameter events."""
        time_s = self._seconds(clock.host_ns(event.tick))
        at = (event.step, event.tick)
        if event.kind == EventKind.SPIKE:
            self._row(SPIKES, (time_s, *at, event.value, event.boot_id, event.seq, journal_offset))
        elif event.kind == EventKind.TRIGGER:
            is_waveform = int(event.value != 0)
            self._row(TRIGGERS, (time_s, *at, event.index, is_waveform, event.boot_id, event.seq, journal_offset))
            self._loop(event, time_s, journal_offset)
        elif event.kind == EventKind.PARAMETER:
            infos = self.meta.info.parameters
            name = label or (infos[event.index].name if event.index < len(infos) else f"parameter {event.index}")
            self._parameter(time_s, name, event.value, "device", event, journal_offset)
        else:
            known = {EventKind.OVERRUN: "overrun", EventKind.STIMULUS_END: "stimulus_end"}
            name = label or known.get(EventKind(event.kind), "") if event.kind in known else label or "unknown"
            self._row(
                OTHERS,
                (
                    time_s,
                    event.kind & 0xFF,
                    fit_text(name, 64),
                    *at,
                    event.index,
                    event.value,
                    event.boot_id,
                    event.seq,
                    journal_offset,
                ),
            )

    def append_parameter(
        self, t_host_ns: int, name: str, value: float | None, origin: str, journal_offset: int
    ) -> None:
        """Take a request to the device to set a parameter; ``None`` hands it back to its knob."""
        self._parameter(self._seconds(t_host_ns), name, value, origin or "unknown", None, journal_offset)

    def append_note(self, t_host_ns: int, text: str, origin: str, journal_offset: int) -> None:
        """Take a note; a long one takes several rows."""
        time_s, who = self._seconds(t_host_ns), fit_text(origin, 64)
        rest = text.replace("\x00", " ")
        while True:
            piece = fit_text(rest, NOTE_BYTES)
            self._row(NOTES, (time_s, piece, who, t_host_ns, journal_offset))
            rest = rest[len(piece.decode()) :]
            if not rest:
                return

    def append_clock_map(self, clock: ClockMap, t_host_ns: int, journal_offset: int) -> None:
        """Take a piece of the clock map as it comes into force."""
        self._last_map = (
            t_host_ns,
            clock.boot_id,
            clock.tick0,
            clock.t_host0_ns,
            clock.ns_per_tick,
            clock.uncertainty_ns,
            journal_offset,
        )
        self._row(CLOCK_MAPS, self._last_map)

    def _parameter(
        self, time_s: float, name: str, value: float | None, origin: str, event: Event | None, journal_offset: int
    ) -> None:
        step, tick, boot = (event.step, event.tick, event.boot_id) if event else (-1, -1, self.meta.info.boot_id)
        number = float("nan") if value is None else float(value)
        row = (time_s, fit_text(name, 64), number, fit_text(origin, 64), step, tick, boot, journal_offset)
        self._row(PARAMETERS, row)

    def _put_initial(self, time_s: float) -> None:
        """Put the values that the file starts with before every change."""
        if self._has_initial:
            return
        changes, self._rows[PARAMETERS.path] = self._rows[PARAMETERS.path], []
        for parameter in self.meta.info.parameters:
            self._parameter(time_s, parameter.name, parameter.value, "initial", None, self._start_offset)
        self._rows[PARAMETERS.path] += changes
        self._has_initial = True

    def _loop(self, event: Event, time_s: float, journal_offset: int) -> None:
        """A trigger ends the loop before it, where no trigger between them is missing."""
        before, self._trigger = self._trigger, (event.boot_id, event.index, time_s, event.step)
        if before and before[0] == event.boot_id and before[1] + 1 == event.index and before[2] < time_s:
            self._row(LOOPS, (before[2], time_s, before[1], before[3], event.step, event.boot_id, journal_offset))

    def _row(self, table: Table, row: tuple[Any, ...]) -> None:
        self._check()
        self._rows[table.path].append(row)
        self._n_rows_waiting += 1

    def _step_us(self) -> int:
        if self._block_rows:
            return int(self._block_rows[-1][5])
        return self.last_block.step_us if self.last_block else self.meta.step_us

    def _seconds(self, t_host_ns: int) -> float:
        return round((t_host_ns - self.meta.reference_host_ns) * SECONDS_GRID / 1e9) / SECONDS_GRID

    # -- writing

    def flush(self, force: bool = False) -> int:
        """Write whole chunks, and rows that have waited for a second. Returns the samples readable on disk.

        The first block is written at once, and ``force`` writes everything: both leave a partial chunk behind, which is
        written again once it is full and then wastes a little space.
        """
        self._check()
        if self.first_step is None and not force:
            # Rows are vouched for by blocks; without one there is nothing to vouch for.
            return 0
        now_s = self._clock_s()
        force = force or (self._n_written == 0 and bool(self._waiting))
        target = self._n_appended if force else self._n_appended // self._chunk * self._chunk
        waited_s = now_s - self._last_flush_s
        is_late = waited_s >= ROWS_WAIT_S and bool(self._n_rows_waiting)
        is_very_late = waited_s >= BLOCK_ROWS_WAIT_S and bool(self._block_rows)
        if target <= self._n_written and not (force or is_late or is_very_late):
            return self.n_readable
        self._last_flush_s = now_s
        with self._writing("write to"):
            self._write_samples(max(target, self._n_written))
            for table in SMALL_TABLES:
                self._write_rows(table, self._rows[table.path])
            self._n_rows_waiting = 0
            self._file.flush()
            # Only now the rows that say how far the file is complete.
            self._write_block_rows(force or is_very_late)
        return self.n_readable

    def _write_samples(self, target: int) -> None:
        if target == self._n_written:
            return
        parts = [self._tail, *(b.samples.T for b, _ in self._waiting)]
        raw = np.concatenate(parts, axis=1)
        seconds = np.concatenate([self._tail_s, self._times()])
        self._waiting.clear()
        n = target - self._n_written
        for storage, dataset, values in zip(self._storage, self._series, raw, strict=False):
            append(dataset, storage.encode(values[:n]))
        append(self._series[-1], seconds[:n])
        self._tail, self._tail_s = raw[:, n:].copy(), seconds[n:].copy()
        self._n_written = target

    def _times(self) -> npt.NDArray[np.float64]:
        """Return the times of all samples in waiting, seconds; the same for the same journal, however it was cut."""
        if not self._waiting:
            return np.empty(0, np.float64)
        reference = self.meta.reference_host_ns
        counts = np.array([b.samples.shape[0] for b, _ in self._waiting])
        start_ns = np.array([c.host_ns(b.first_tick) - reference for b, c in self._waiting], np.float64)
        pitch_ns = np.array([b.step_us * c.ns_per_tick for b, c in self._waiting], np.float64)
        first = np.repeat(np.cumsum(counts) - counts, counts)
        k = np.arange(len(first)) - first
        ns = np.repeat(start_ns, counts) + k * np.repeat(pitch_ns, counts)
        seconds: npt.NDArray[np.float64] = np.rint(ns * (SECONDS_GRID / 1e9)) / SECONDS_GRID
        return seconds

    def _write_rows(self, table: Table, rows: list[tuple[Any, ...]]) -> None:
        if not rows:
            return
        datasets = self._tables[table.path]
        for column, dataset, values in zip(table.columns, datasets, zip(*rows, strict=True), strict=False):
            append(dataset, np.array(values, dtype=column.dtype))
        n = datasets[-1].shape[0]
        append(datasets[-1], np.arange(n, n + len(rows), dtype=np.int64))
        rows.clear()

    def _write_block_rows(self, everything: bool) -> None:
        """Write rows in whole chunks, and only those whose samples are all in."""
        rows = self._block_rows
        n = len(rows)
        if not everything:
            n = max(0, (self._rows_written + n) // self._chunk_rows * self._chunk_rows - self._rows_written)
        while n and rows[n - 1][8] + rows[n - 1][6] > self._n_written:
            n -= 1
        if n == 0:
            return
        last = rows[n - 1]
        self._write_rows(BLOCKS, rows[:n])
        self._file.flush()
        del rows[:n]
        self._rows_written += n
        self.n_readable = last[8] + last[6]
        self.cursor = last[10]
        self.last_block = LastBlock(last[0], last[1], last[3] + last[6], last[4] + last[6] * last[5], last[5])

    @contextmanager
    def _writing(self, doing: str) -> Iterator[None]:
        try:
            with translated(self.path, doing, "end this process and resume the file"):
                yield
        except StoreError as error:
            self._poison = str(error)
            raise

    def _check(self) -> None:
        if self._poison is not None:
            raise StoreError(
                f"{self.path} takes nothing more after an error ({self._poison}); resume it in a new process"
            )
        if self._closed:
            raise StoreError(f"{self.path} is closed")

    # -- closing

    def close(self, reason: str) -> ClosedFile:
        """Write everything, remove empty tables, close, and return what the manifest needs.

        A kill at any moment leaves either a file to resume or a closed one.
        """
        self._check()
        if self._last_map is not None and self._map_rows() == 1:
            # A table of one row is against NWB's best practice; the map in force at the end is worth a row.
            self._rows[CLOCK_MAPS.path].append((*self._last_map[:-1], max(self.cursor, self._last_map[-1])))
        self._put_initial(0.0)
        self.flush(force=True)
        with self._writing("close"):
            self._file.close()
            os.close(self._lock)
            with open_file(self.path, "r+") as file:
                for table in TABLES:
                    if table.path in file and file[table.path]["id"].shape[0] == 0:
                        del file[table.path]
                file[ENDING][()] = _ending(reason)
            self._closed = True
        return describe_closed(self.path)

    def _map_rows(self) -> int:
        return int(self._tables[CLOCK_MAPS.path][-1].shape[0]) + len(self._rows[CLOCK_MAPS.path])


def _ending(reason: str) -> bytes:
    while True:
        text = json.dumps({"state": "closed", "reason": reason}, ensure_ascii=False).encode("utf-8", "replace")
        if len(text) <= ENDING_BYTES:
            return text
        reason = reason[: len(reason) * 3 // 4]


def describe_closed(path: Path) -> ClosedFile:
    """Return what the manifest says of a closed file, read from the file itself.

    Raises
    ------
    StoreError
        Not ours, or not closed: resume and close it.
    """
    path = Path(path)
    with translated(path, "read", "repair it first"), open_file(path, "r") as file:
        meta, _ = read_meta(file, path)
        ending = json.loads(file[ENDING][()].decode())
        if ending["state"] != "closed":
            raise StoreError(f"{path} is not closed; resume it, then close it")
        blocks = read_rows(file, BLOCKS)
        gaps = no_gaps()
        for gap in read_rows(file, GAPS):
            gaps[gap["cause"].decode()] += int(gap["n_steps"])
        times = series_datasets(file, [c.name for c in meta.info.channels])[-1]
        n = times.shape[0]
        start_s, stop_s = (float(times[0]), float(times[n - 1])) if n else (0.0, 0.0)
    with translated(path, "read"):
        digest = _sha256(path)
        n_bytes = path.stat().st_size
    n_rows = len(blocks)
    return ClosedFile(
        path=path,
        sha256=digest,
        n_bytes=n_bytes,
        n_samples=n,
        first_step=int(blocks["first_step"][0]) if n_rows else 0,
        next_step=int(blocks["first_step"][-1] + blocks["n_samples"][-1]) if n_rows else 0,
        boot_id=int(blocks["boot_id"][-1]) if n_rows else meta.info.boot_id,
        start_s=start_s,
        stop_s=stop_s,
        gaps=gaps,
        saturated_blocks=int(np.count_nonzero(blocks["flags"] & int(BlockFlag.SATURATED))),
        reason=ending["reason"],
    )


def _sha256(path: Path) -> str:
    """Hash what is on the disk, not what is in memory."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        os.fsync(file.fileno())
        while piece := file.read(HASH_BYTES):
            digest.update(piece)
    return digest.hexdigest()
