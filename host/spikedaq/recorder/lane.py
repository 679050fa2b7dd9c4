"""One device of a session: takes items from its journal and decides what of them goes into its files."""

from __future__ import annotations

from collections.abc import Callable

from spikedaq.journal import Item, JournalGap, JournalSource, SessionStop, read_host_boot_id
from spikedaq.model import Block, Gap, GapCause
from spikedaq.recorder import rows
from spikedaq.recorder.bearings import Bearings
from spikedaq.recorder.files import Files, Taken
from spikedaq.recorder.lane_rows import LaneRows
from spikedaq.recorder.plan import DevicePlan, SessionPlan
from spikedaq.recorder.selection import Span
from spikedaq.recorder.tally import LaneStatus, tally
from spikedaq.store import RecordingWriter

STEP_ITEMS = 2000
"""Items per turn of a device, so that one that catches up does not hold up the others: 20 s of blocks at 10 kHz."""
SAVE_BYTES = 2**20
"""Journal passed over until that is written down: a later recorder reads so much again, and the journal keeps it."""


class Lane:
    """Makes one device's files out of its journal.

    Which samples go into which file depends on nothing but the journal and the session, so that a lane that is started
    anew after a crash goes on with the same files.

    Attributes
    ----------
    done : bool
        The session has ended for this device, its files are closed and in the manifest.
    """

    def __init__(self, plan: SessionPlan, device: DevicePlan) -> None:
        self.device = device
        self._plan = plan
        self._files = Files(plan, device, self._write_held, self._closing)
        self._whole = self._files.roller.whole
        self._manifest = self._files.folder.manifest
        self.done = self._manifest.state == "complete"
        self._bearings = Bearings(plan, device, self._files.folder)
        self._rows = LaneRows(device.name, plan.mode, self._files, self._bearings)
        self._held = self._rows.held
        self._gaps: list[Gap] = []
        self._journal_gap: JournalGap | None = None  # since the newest block
        self._damaged_bytes = 0  # told
        self._start_cursor = 0
        self._saved_cursor = 0
        self._at: Span | None = None  # the newest block's

    def take_remarks(self) -> list[str]:
        """Return what had to be put right, or was found damaged, since the last call."""
        taken, self._files.folder.remarks = self._files.folder.remarks, []
        return taken

    @property
    def offset(self) -> int:
        """Journal offset after what was taken in last."""
        source = self._bearings.source
        return source.offset if source is not None else self._files.cursor

    @property
    def news(self) -> bool:
        """Something happened that is worth a report at once; `reported` clears it."""
        return self._files.news

    def tell_before_close(self, tell: Callable[[], None]) -> None:
        """Have something called when a file begins to be closed, which on a slow disk takes longer than all else."""
        self._files.before_close = tell

    def reported(self) -> None:
        """Be told that the news are out."""
        self._files.news = False

    def start(self) -> None:
        """Repair and resume what the last recorder left."""
        if self.done:
            return
        files, manifest = self._files, self._manifest
        files.start()
        if files.writer is not None:
            last = files.writer.last_block
            self._bearings.step_us = last.step_us if last is not None else 0
        elif manifest.progress is not None:
            kept = (rows.from_json(values) for values in manifest.progress["held"])
            self._held.keep(item for item in kept if item is not None)
            self._held.n_dropped = int(manifest.progress.get("dropped", 0))
        self._start_cursor = self._saved_cursor = files.cursor
        manifest.state, manifest.reason, manifest.host_boot_id = "recording", None, read_host_boot_id()
        files.folder.save()

    def step(self, *, last: bool = False) -> bool:
        """Take some of what the journal has.

        Parameters
        ----------
        last : bool
            The journal will not grow any more: wait for nothing.

        Returns
        -------
        bool
            Whether there may be more to take right away.
        """
        source = None if self.done else self._open()
        if source is None:
            return False
        for _ in range(STEP_ITEMS):
            item = source.peek()
            if source.damaged_bytes > self._damaged_bytes:
                self._remark_damage(source)
            if item is None and last and self.device.until is not None:
                self._finish("the journal ends here")
            elif item is not None and self.device.until is not None and item.end_offset > self.device.until:
                if item.offset < self.device.until and isinstance(item.content, Block):
                    self._take(item, source, last=last)  # its beginning belongs to this file
                self._finish("made again from the journal")
                return False
            if item is None or not self._take(item, source, last=last):
                return False
            source.pop()
            if self.done or self.news:
                return not self.done
        return True

    def _remark_damage(self, source: JournalSource) -> None:
        n_bytes = source.damaged_bytes - self._damaged_bytes
        self._damaged_bytes = source.damaged_bytes
        self._files.folder.remarks.append(
            f"{n_bytes} bytes of the journal in {source.folder}, at or before offset {source.offset}, are damaged; "
            "samples that were in them show as lost"
        )

    def flush(self) -> None:
        """Let the file write what is due."""
        self._files.flush()

    def interrupt(self, reason: str) -> None:
        """Close the file validly; the next recorder of this session goes on in a new one."""
        if self.done:
            return
        self._files.close(reason)
        self._keep_progress()
        self._manifest.state, self._manifest.reason = "interrupted", reason
        self._files.folder.save()

    def status(self, error: str | None = None) -> LaneStatus:
        """Return what to report now."""
        files, writer = self._files, self._files.writer
        recording = writer is not None and (files.in_window or self._whole)
        idle = "waiting" if self._whole or self._bearings.source is None else "armed"
        state = "failed" if error else "closed" if self.done else "recording" if recording else idle
        state = "closing" if files.closing and not error else state
        where = (state, self.offset, error)
        return tally(self.device.name, self._files.folder.closed, writer, where, whole=self._whole)

    def _open(self) -> JournalSource | None:
        """Open the journal once it is there."""
        if self._bearings.source is None:
            source = self._bearings.open(self._files.cursor)
            if source is not None:
                self._journal_gap = source.gap_before
                self._files.news = not self._whole  # it is armed
        return self._bearings.source

    # -- items

    def _take(self, item: Item, source: JournalSource, *, last: bool) -> bool:
        """Deal with an item; False where it has to wait for something that the journal does not have yet."""
        content = item.content
        if isinstance(content, Block):
            return self._block(content, item, source, last=last)
        if isinstance(content, Gap):
            self._gaps.append(content)
        elif isinstance(content, SessionStop):
            if content.session == self._plan.ends_with:
                self._finish(content.reason)
        elif isinstance(content, rows.ROWS):
            if isinstance(content, JournalGap):
                self._journal_gap = content
            return self._rows.take(item)
        return True

    def _write_held(self, writer: RecordingWriter) -> None:
        self._rows.write_held(writer)

    # -- blocks

    def _block(self, block: Block, item: Item, source: JournalSource, *, last: bool) -> bool:
        found = self._bearings.of_block(block, item, source, last=last)
        if found is None:
            return False
        info, span = found
        files = self._files
        # A block that was under way when the session began: times in a file are never negative.
        if not files.begun and span.host_ns(0) < span.reference_ns:
            # What people did meanwhile belongs to the session.
            self._held.keep(self._held.lasting())
            self._gaps.clear()
            files.cursor = item.end_offset
            return True
        pieces, gaps = self._bearings.pieces(span), self._wanted_gaps(span)
        if pieces is None or gaps is None:
            files.pause()
            return False
        if item.offset < self._start_cursor and block.boot_id == files.place.boot_id:
            # The last recorder has put its beginning into a file.
            done = files.place.next_step - block.first_step
            pieces = [(max(start, done), stop) for start, stop in pieces if stop > done]
            gaps = [gap for gap in gaps if gap.first_step >= files.place.next_step]
        until, until_step = self.device.until, self.device.until_step
        if until is not None and until_step is not None and item.offset < until < item.end_offset:
            pieces = [(start, min(stop, until_step - block.first_step)) for start, stop in pieces]
            pieces = [(start, stop) for start, stop in pieces if start < stop]
        self._gaps.clear()
        self._journal_gap = None
        self._bearings.step_us = block.step_us
        self._at = span
        taken = Taken(block, item, span, info, pieces, gaps)
        if pieces:
            files.put(taken)
        elif self._whole:
            files.cursor = item.end_offset
        else:
            files.pass_over(taken, rows_wait=bool(self._held))
            self._tidy(taken)
        return True

    def _wanted_gaps(self, span: Span) -> list[Gap] | None:
        """Return what is missing before a block and is wanted, None where the journal cannot tell yet."""
        dropped = self._journal_gap is not None
        gaps = [rows.as_dropped(gap) if dropped and gap.cause is GapCause.LOST else gap for gap in self._gaps]
        return self._bearings.wanted_gaps(gaps, span)

    def _tidy(self, taken: Taken) -> None:
        """Let go of what no window can want any more, and write down how far that is now and then."""
        kept = self._held.outliving(taken.block)
        self._held.keep(kept)
        if self._files.cursor - self._saved_cursor < SAVE_BYTES or not all(map(rows.is_kept, kept)):
            return
        self._keep_progress()
        self._files.folder.save()

    # -- the end, and what a later recorder needs

    def _closing(self) -> int:
        """Write down how far this is, as a file is closed; return where the next one's rows and samples begin."""
        self._keep_progress()
        waiting = [item.offset for item in self._held.lasting()]
        return min([self._files.cursor, *waiting])

    def _keep_progress(self) -> None:
        """Put into the manifest what a later recorder needs to know of what was left out."""
        selection = self._bearings.selection
        if self._whole or selection is None:
            return
        files, old = self._files, self._manifest.progress
        offset, kept = files.cursor, [rows.to_json(item) for item in self._held.lasting()]
        dropped = self._held.n_dropped
        if files.writer is None and self._at is not None:
            selection.forget_before(self._at)
        if files.writer is not None:
            # What an open file holds could be lost with it, and is made again from the journal.
            offset = self.device.start_offset if old is None else old["offset"]
            kept = [] if old is None else old["held"]
            dropped = 0 if old is None else old.get("dropped", 0)
        read_from = selection.offset()
        self._manifest.progress = {
            "offset": offset,
            "read_from": offset if read_from is None else min(offset, read_from),
            "held": kept,
            "dropped": dropped,
            "selection": selection.saved(),
        }
        self._saved_cursor = files.cursor

    def _finish(self, reason: str) -> None:
        """End the session for this device."""
        if self._journal_gap is not None:
            missing = rows.gap_text(self._journal_gap)
            reason = f"{reason}; before that {missing}" if reason else missing
        if self._held.lasting() or self._held.n_dropped:
            self._files.reopen()
            if self._files.writer is not None:
                self._write_held(self._files.writer)
        self._files.close(f"session stopped: {reason}" if reason else "session stopped")
        manifest = self._manifest
        if not manifest.files:
            why = "no sample arrived" if self._whole else "no window came"
            reason = f"{why}; {reason}" if reason else why
        manifest.state, manifest.reason, manifest.progress = "complete", reason, None
        self._files.folder.save()
        self.done = self._files.news = True
        self._bearings.close()
