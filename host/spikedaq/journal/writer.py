"""The writing end of a journal: one process, synchronous, never raising into the caller once it is open."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from spikedaq.durable import make_folder
from spikedaq.journal.recall import recall
from spikedaq.journal.records import (
    JOURNAL_VERSION,
    PingRecord,
    ReceivedAt,
    Record,
    SegmentStart,
    encode_record,
)
from spikedaq.journal.segments import (
    good_end,
    last_number,
    list_segments,
    lock_folder,
    read_host_boot_id,
)
from spikedaq.journal.state import JournalState
from spikedaq.journal.tail import JournalTail
from spikedaq.journal.withheld import Piece, Withheld, piece_of
from spikedaq.model import ClockMap, StoreError
from spikedaq.wire import Pong, Status, decode_message, encode_frame

SEGMENT_BYTES = 64 * 2**20
RING_BYTES = 2 * 2**30
RETAIN_SLACK_BYTES = 2**20
"""Kept below what a reader needs: a reader that resumes reads a little before its offset to know what preceded it."""
_BOOT_STRIDE_BYTES = 2**30  # After a power cut offsets go on at the next multiple; a segment is always shorter.
_STATUS_SLACK_US = 2_000_000  # A running device says its 64-bit tick every second, and a block is shorter than one.
_NUMBERS = 2**32  # The sequence numbers of frames wrap here.


@dataclass(slots=True)
class JournalCounters:
    """What happened since this writer was opened."""

    frames: int = 0
    records: int = 0
    bytes_written: int = 0
    write_errors: int = 0
    """Failed appends. One episode of a full disk is many of them."""
    frames_dropped: int = 0
    records_dropped: int = 0
    torn_bytes: int = 0
    """Cut off the end on opening."""
    segments_deleted: int = 0


class JournalWriter:
    """Appends device frames and host records to a device's journal.

    Parameters
    ----------
    folder : Path
        Created where absent.
    device, unique_id : str
        Name and identity, written at the start of each segment. Another ``unique_id`` than the last segment's starts
        a new segment with no remembered state.
    segment_bytes, ring_bytes : int
        Size at which a new segment starts; how much is kept for history when nobody needs it.
    on_error : callable, optional
        Called with the OSError once per episode of failing writes.
    boottime_ns, utc_ns : callable
        Host clocks, CLOCK_BOOTTIME and UTC.
    host_boot_id : str, optional
        Identity of this boot of the computer; read from the kernel where not given.

    Attributes
    ----------
    resumed : tuple of (int, int) or None
        Boot of the device, and number of the frame after the last one, where an earlier writer left this journal.

    sync_error : OSError or None
        Why the last `sync` did not bring everything to the disk.

    Raises
    ------
    StoreError
        The folder cannot be made or written, or another writer has it open. Nothing else raises.
    """

    def __init__(
        self,
        folder: Path,
        *,
        device: str,
        unique_id: str,
        segment_bytes: int = SEGMENT_BYTES,
        ring_bytes: int = RING_BYTES,
        on_error: Callable[[OSError], None] | None = None,
        boottime_ns: Callable[[], int] = lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        utc_ns: Callable[[], int] = time.time_ns,
        host_boot_id: str | None = None,
    ) -> None:
        self.folder = folder
        self.counters = JournalCounters()
        self._device = device
        self._unique_id = unique_id
        self._segment_bytes = segment_bytes
        self.ring_bytes = ring_bytes
        self._on_error = on_error
        self._boottime_ns = boottime_ns
        self._utc_ns = utc_ns
        self._host_boot_id = read_host_boot_id() if host_boot_id is None else host_boot_id
        self.resumed: tuple[int, int] | None = None
        self.sync_error: OSError | None = None
        self._state = JournalState()
        self._withheld = Withheld()
        self._failing = False
        self._tail = JournalTail(folder, segment_bytes)
        try:
            make_folder(folder)
            self._lock_fd = lock_folder(folder)
        except OSError as e:
            raise StoreError(
                f"the journal folder {folder} cannot be written: {e.strerror}; free it or use another"
            ) from e
        try:
            self._reopen()
        except OSError as e:
            os.close(self._lock_fd)
            raise StoreError(f"the journal in {folder} cannot be opened: {e.strerror}; check space and rights") from e

    @property
    def offset(self) -> int:
        """Journal offset after everything written so far."""
        return self._tail.offset

    def timed(self) -> tuple[ClockMap | None, int]:
        """Return the newest clock map and a device tick that no sample before `offset` lies beyond."""
        time = decode_message(self._state.time) if self._state.time is not None else None
        tick = time.tick + _STATUS_SLACK_US if isinstance(time, Status | Pong) else 0
        return self._state.clock_map, tick

    @property
    def segment(self) -> Path:
        """The segment that is being written."""
        return self._tail.path

    def renew(self) -> bool:
        """Begin another segment because somebody deleted the present one; whether that could be done.

        What it held is lost to everybody who has not opened it yet.
        """
        self._tail.forget_spare()
        try:
            make_folder(self.folder)
            self._start_segment(self.offset, self._boottime_ns())
        except OSError:
            return False
        return True

    @property
    def failing(self) -> bool:
        """Whether the last append could not be written."""
        return self._failing

    def append_frames(self, t_host_ns: int, frames: Sequence[bytes]) -> int:
        """Append good device frames, raw with their closing 00, that were read at ``t_host_ns`` (CLOCK_BOOTTIME).

        Returns
        -------
        int
            Journal offset after them. On a failing disk they are counted and the offset stays.
        """
        if not frames:
            return self.offset
        self._put([piece_of(ReceivedAt(t_host_ns)), *[Piece(f, None) for f in frames]], t_host_ns)
        return self.offset

    def append(self, record: Record) -> int:
        """Append a host record; on a failing disk it is kept and written when there is space.

        Raises
        ------
        StoreError
            The record is too long ever to be written.
        """
        t_ns = record.t_send_ns if isinstance(record, PingRecord) else record.t_host_ns
        self._put([piece_of(record)], t_ns)
        return self.offset

    def sync(self) -> None:
        """Bring what is written to the disk itself (fdatasync). May be called in another thread, one at a time.

        What the disk refuses then is `sync_error`, until it takes it again.
        """
        self.sync_error = self._tail.sync()

    def prepare(self) -> None:
        """Reserve the space of the segment after this one, where there is enough. For the thread that syncs.

        The next segment is then there whatever fills the disk meanwhile.
        """
        self._tail.prepare()

    def retain(self, needed_from: int, ring_bytes: int | None = None) -> None:
        """Delete whole segments that are older than the ring and that nobody needs.

        Parameters
        ----------
        needed_from : int
            Smallest journal offset that a recorder or a reader still wants; nothing from there on, nor the last
            mebibyte before it, is deleted.
        ring_bytes : int, optional
            Instead of the ring that this writer was made with.
        """
        ring_bytes = self.ring_bytes if ring_bytes is None else ring_bytes
        limit = needed_from - RETAIN_SLACK_BYTES
        segments = list_segments(self.folder)
        # What is there is counted: offsets have holes of up to a gibibyte, where the computer was started again.
        after_bytes = sum(segment.size() for segment in segments)
        for segment, following in pairwise(segments):
            after_bytes -= segment.size()
            if after_bytes < ring_bytes or following.base_offset > limit or segment.base_offset >= self._tail.base:
                break
            try:
                segment.path.unlink()
            except OSError:
                break
            self.counters.segments_deleted += 1

    def close(self) -> None:
        """Write what is pending if there is space, sync, and give the folder back."""
        if not self._tail.is_open:
            return
        self._put([], self._boottime_ns())
        self._tail.close()
        os.close(self._lock_fd)

    def _put(self, pieces: list[Piece], t_host_ns: int) -> None:
        """Write what was held back and then ``pieces`` with one os.write; keep count of what did not fit."""
        if not self._tail.is_open:
            raise StoreError(f"the journal in {self.folder} is closed")
        n_bytes = sum(len(piece.raw) for piece in pieces)
        # What goes beyond the space that is reserved may be refused, while the next segment has its own.
        if self._tail.wants_next(n_bytes) and (not self._failing or self._tail.has_spare):
            self._roll()
        gap, held = self._withheld.due(t_host_ns)
        everything = [*gap, *held, *pieces]
        if not everything:
            return
        n_due = len(gap) + len(held)
        n_written = self._write_whole([p.raw for p in everything])
        self._withheld.written(min(n_written, n_due))
        for piece in everything[len(gap) : n_written]:
            self._account(piece)
        for piece in everything[max(n_written, n_due) :]:
            self._withhold(piece)

    def _account(self, piece: Piece) -> None:
        """Count a written piece and let the state see it."""
        if piece.record is not None:
            self.counters.records += 1
            self._state.record(piece.record)
        else:
            self.counters.frames += 1
            self._state.frame(piece.raw)

    def _withhold(self, piece: Piece) -> None:
        """Keep or count a piece that could not be written."""
        if piece.record is None:
            self.counters.frames_dropped += 1
            # The device's state moved on whether or not the disk had room for it.
            self._state.frame(piece.raw)
        if self._withheld.keep(piece):
            self.counters.records_dropped += 1

    def _write_whole(self, raws: list[bytes]) -> int:
        """Write frames; return how many of them are whole on the file."""
        size = self._tail.size
        n_whole, error = self._tail.append(raws)
        self.counters.bytes_written += self._tail.size - size
        if error is None:
            self._failing = False
            return n_whole
        self.counters.write_errors += 1
        if not self._failing:
            self._failing = True
            if self._on_error is not None:
                self._on_error(error)
        return n_whole

    def _roll(self) -> None:
        """Start the next segment; where that fails, the present one goes on."""
        try:
            # Frames may have waited for others and come with an earlier time, while the head connects now with UTC.
            self._start_segment(self.offset, self._boottime_ns())
        except OSError:
            self._tail.put_off()

    def _start_segment(self, base_offset: int, t_host_ns: int) -> None:
        """Begin a segment with all that its readers have to know of what came before."""
        start = SegmentStart(
            t_host_ns,
            JOURNAL_VERSION,
            self._device,
            self._unique_id,
            base_offset,
            self._utc_ns(),
            self._host_boot_id,
        )
        head = b"".join(encode_frame(encode_record(r)) for r in [start, *self._state.snapshot(t_host_ns)])
        self._tail.start(base_offset, head)
        self.counters.bytes_written += len(head)

    def _reopen(self) -> None:
        """Find the end of what an earlier writer left, cut off a torn tail, and go on from there."""
        for stale in self.folder.glob("*.tmp"):
            stale.unlink(missing_ok=True)
        segments = list_segments(self.folder)
        t_host_ns = self._boottime_ns()
        if not segments:
            self._start_segment(0, t_host_ns)
            return
        last = segments[-1]
        data = last.path.read_bytes()
        end = good_end(data)
        state, start = recall([data], end)
        if end < len(data):
            os.truncate(last.path, end)
            self.counters.torn_bytes = len(data) - end
        same_device = start is not None and (start.device, start.unique_id) == (self._device, self._unique_id)
        if same_device:
            self._state = state
            number = last_number(data, end)
            if state.boot_id is not None and number is not None:
                self.resumed = (state.boot_id, (number + 1) % _NUMBERS)
        if start is None or start.host_boot_id != self._host_boot_id:
            # After a power cut the file may be shorter than what readers saw of it; no offset may mean two things.
            self._state.clock_map = None  # in the CLOCK_BOOTTIME of another boot
            seen = last.base_offset + max(len(data), self._segment_bytes)
            self._start_segment((seen // _BOOT_STRIDE_BYTES + 1) * _BOOT_STRIDE_BYTES, t_host_ns)
        elif same_device:
            self._tail.go_on(last, end)
        else:
            self._start_segment(last.base_offset + end, t_host_ns)
