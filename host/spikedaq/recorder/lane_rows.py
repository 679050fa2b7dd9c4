"""What is no sample, of one device: put into the file that it belongs to, for which it may have to wait."""

from __future__ import annotations

from dataclasses import replace

from spikedaq.journal import ClockFitRecord, ClockMapRecord, Item, TriggerRecord
from spikedaq.model import Event, EventKind
from spikedaq.recorder import rows
from spikedaq.recorder.bearings import Bearings
from spikedaq.recorder.files import Files
from spikedaq.recorder.mode import Mode
from spikedaq.recorder.waiting import Waiting
from spikedaq.store import RecordingWriter


class LaneRows:
    """Takes events, notes, requests and the like in the order of the journal.

    Attributes
    ----------
    held : Waiting
        What waits for the file that its boot's first block makes.
    """

    def __init__(self, device: str, mode: Mode, files: Files, bearings: Bearings) -> None:
        self.held = Waiting()
        self._device = device
        self._mode = mode
        self._files = files
        self._bearings = bearings

    def take(self, item: Item) -> bool:
        """Put an item into the file, or keep it for another; False where the journal cannot tell yet."""
        writer, content = self._files.writer, item.content
        boot_id = rows.boot_of(item, self._device)
        foreign = writer is not None and boot_id is not None and boot_id != writer.meta.info.boot_id
        timeless = isinstance(content, Event) and self._is_timeless(content)
        early = isinstance(content, TriggerRecord) and self._begins_later(content)
        # What follows a held item is held as well: rows of a table are in the order of the journal.
        if writer is None or self.held or foreign or timeless or early:
            self.held.append(item)
            return True
        wanted = self._wants(item)
        if wanted:
            self._write(writer, item)
        elif wanted is None:
            self._files.pause()
        return wanted is not None

    def write_held(self, writer: RecordingWriter) -> None:
        """Put what waits for a file into it."""
        if self.held.n_dropped:
            self._files.folder.remarks.append(f"{writer.path.name}: {self.held.describe()}")
            self.held.tell(writer, self._files.cursor)
        while self.held:
            item = self.held.popleft()
            if self._wants(item) is not False:
                # Rows from before the file's beginning, which waited for it, count as of there.
                self._write(writer, replace(item, end_offset=max(item.end_offset, self._files.cursor)))

    def _is_timeless(self, event: Event) -> bool:
        """Whether an event has to wait for its boot's first block to be placed in time."""
        if self._bearings.clock(event.boot_id) is None:
            return True
        return not self._files.roller.whole and not self._bearings.step_us

    def _begins_later(self, record: TriggerRecord) -> bool:
        """Whether the window of another device's trigger begins with samples that are still to come."""
        writer = self._files.writer
        last = writer.last_block if writer is not None else None
        clock = self._bearings.clock(last.boot_id) if last is not None else None
        if record.device == self._device or last is None or clock is None:
            return False
        pre_us, _ = rows.window_of(record, self._mode)
        return record.t_trigger_ns - pre_us * 1000 >= clock.host_ns(last.next_tick)

    def _wants(self, item: Item) -> bool | None:
        """Whether a row belongs into the file, None where the journal cannot tell yet.

        Between windows that is what people did, and what it changed; the rest is a device's chatter.
        """
        content = item.content
        if self._files.roller.whole:
            return True
        if not isinstance(content, Event):
            return self._files.in_window or not isinstance(content, ClockMapRecord | ClockFitRecord)
        span = self._bearings.of_event(content, item.end_offset)
        if span is None:
            return False
        pieces = self._bearings.pieces(span)
        return None if pieces is None else bool(pieces) or content.kind == EventKind.PARAMETER

    def _write(self, writer: RecordingWriter, item: Item) -> None:
        content = item.content
        window = rows.window_of(content, self._mode) if isinstance(content, TriggerRecord) else (0, 0)
        rows.write_row(writer, item, self._device, self._bearings.clock, window)
        self._files.cursor = max(self._files.cursor, item.end_offset)
