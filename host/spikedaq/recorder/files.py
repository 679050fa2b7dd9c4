"""The files of one device in a session: what is wanted goes in, in order, and they roll, pause and close."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from spikedaq.journal import Item
from spikedaq.model import Block, BlockFlag, DeviceInfo, Gap, GapCause
from spikedaq.recorder.folder import DeviceFolder
from spikedaq.recorder.plan import DevicePlan, SessionPlan
from spikedaq.recorder.rolling import Roller
from spikedaq.recorder.selection import Pieces, Span
from spikedaq.store import FileMeta, RecordingWriter

_ONLY_FIRST = BlockFlag.AFTER_OVERRUN | BlockFlag.AFTER_START


@dataclass(frozen=True, slots=True)
class Taken:
    """A block that is wanted in part or whole, and what is missing before it."""

    block: Block
    item: Item
    span: Span
    info: DeviceInfo
    pieces: Pieces
    gaps: list[Gap]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the samples end that are in files; ``boot_id`` is None before the first."""

    boot_id: int | None = None
    next_step: int = 0


class Files:
    """Writes a device's files.

    Parameters
    ----------
    plan, device
    rows : callable
        Puts the rows that wait for it into a file.
    closing : callable
        Called between a file's closing and its entry in the manifest; returns the journal offset from which the next
        file is made.

    Attributes
    ----------
    folder : DeviceFolder
    roller : Roller
    writer : RecordingWriter or None
        The open file.
    cursor : int
        Journal offset after the last item that is in a file, or belongs in none.
    place : Place
    in_window : bool
        Samples come that are wanted.
    news : bool
        A file has grown, a window is over, a file was closed; who reports it clears this.
    closing : bool
        A file is being closed, which on a slow disk takes longer than anything else.
    before_close : callable
        Called when that begins.
    """

    def __init__(
        self,
        plan: SessionPlan,
        device: DevicePlan,
        rows: Callable[[RecordingWriter], None],
        closing: Callable[[], int],
    ) -> None:
        self.folder = DeviceFolder(plan, device)
        self.roller = Roller(plan)
        self.writer: RecordingWriter | None = None
        self.cursor = 0
        self.place = Place()
        self.in_window = False
        self.news = False
        self.closing = False
        self.before_close: Callable[[], None] = _nothing
        self._plan = plan
        self._device = device
        self._rows = rows
        self._closing = closing
        self._info: DeviceInfo | None = None
        self._announced = False

    @property
    def begun(self) -> bool:
        """Whether there is a sample of the session in a file."""
        return self.writer is not None or bool(self.folder.closed)

    def start(self) -> None:
        """Repair and resume what the last recorder left."""
        self.folder.recover()
        self.writer = writer = self.folder.resumed
        closed = self.folder.closed
        if writer is not None and writer.last_block is not None:
            self._announced = True
            self.place = Place(writer.last_block.boot_id, writer.end_step)
        elif closed:
            self.place = Place(closed[-1].boot_id, closed[-1].last_step + 1)
        self.cursor = self.folder.cursor

    def flush(self) -> None:
        """Let the file write what is due."""
        if self.writer is not None:
            before = self.writer.n_readable
            self.writer.flush()
            # Told at once: whoever watches whether files grow counts from here.
            self.news = self.news or self.writer.n_readable > before
            self._announce()

    def pause(self) -> None:
        """Bring a window that is over, as far as is known, to the disk."""
        if self.in_window and not self.roller.whole:
            self.in_window, self.news = False, True
            if self.writer is not None:
                self.writer.flush(force=True)

    def put(self, taken: Taken) -> None:
        """Put the wanted pieces of a block into the file, or into those that begin with them."""
        span, item, gaps = taken.span, taken.item, taken.gaps
        parts = self.roller.split(taken.pieces, span, self.writer)
        for i, (start, stop) in enumerate(parts):
            # While more of the block is to come, the cursor stays inside its frame: the block is read again from there.
            offset = max(item.offset + 1, item.end_offset - (len(parts) - 1 - i))
            part = _part(taken.block, start, stop)
            follows = (self.place.boot_id, self.place.next_step) == (part.boot_id, part.first_step)
            begins = not self.roller.whole and not follows
            reason = self._roll_reason(part, taken.info, span, start, begins=begins)
            if reason is not None:
                self.close(reason)
            is_new = self.writer is None
            writer = self.writer or self._create(part, taken.info, span)
            self._rows(writer)
            before = [gap for gap in gaps if gap.first_step < part.first_step]
            gaps = gaps[len(before) :]
            for gap in self._all_missing(before, part, is_new=is_new, counted=not taken.info.is_translated):
                writer.rows.append_gap(gap, span.clock, offset)
            if begins and not is_new:
                writer.rows.append_clock_map(span.clock, span.clock.host_ns(span.clock.tick0), offset)
            writer.append_block(part, span.clock, offset, item.t_received_ns)
            self.cursor = offset
            self.place = Place(part.boot_id, part.next_step)
            self.in_window = True
            if is_new:
                writer.flush()
                self._announce()

    def pass_over(self, taken: Taken, *, rows_wait: bool) -> None:
        """Leave a block out, which lies between windows.

        Parameters
        ----------
        rows_wait : bool
            Rows from before it are in no file yet: a later recorder has to find them in the journal.
        """
        self.pause()
        writer, span = self.writer, taken.span
        self.cursor = span.offset
        if writer is None:
            return
        reason = self.roller.must(taken.block, taken.info, self._info, span.reference_ns, writer)
        if reason is None:
            for gap in taken.gaps:
                writer.rows.append_gap(gap, span.clock, span.offset)
                self.place = replace(self.place, next_step=gap.first_step + gap.n_steps)
            reason = self.roller.idle(span, writer)
        if not rows_wait:
            writer.pass_over(span.offset)
        if reason is not None:
            self.close(reason)

    def close(self, reason: str) -> None:
        """Close the open file, if there is one, and enter it into the manifest."""
        if self.writer is None:
            return
        self.closing = True
        self.before_close()
        number, closed = self.writer.meta.number, self.writer.close(reason)
        self.writer = None
        self.folder.check_in(closed, number, self._closing())
        self.closing = self.in_window = False
        self.news = True

    def reopen(self) -> None:
        """Go on with the file that was closed last, if there is one, for what was noted after it."""
        files = self.folder.closed
        path = self.folder.path / files[-1].name if files else None
        if self.writer is None and path is not None and path.is_file():
            files.pop()
            self.folder.save()
            self.writer = RecordingWriter.resume(path)

    def _roll_reason(self, part: Block, info: DeviceInfo, span: Span, k: int, *, begins: bool) -> str | None:
        """Why a part of a block belongs into a new file, None where it belongs into the present one."""
        writer = self.writer
        if writer is None:
            return None
        if part.boot_id == self.place.boot_id and part.first_step < self.place.next_step:
            return "device rebooted"
        reason = self.roller.must(part, info, self._info, span.reference_ns, writer)
        if reason is None:
            self._info = info
        return reason or self.roller.due(span, k, writer, begins=begins)

    def _create(self, part: Block, info: DeviceInfo, span: Span) -> RecordingWriter:
        plan, folder, clock = self._plan, self.folder, span.clock
        meta = FileMeta(
            session=plan.session,
            bench=plan.bench,
            device=self._device.name,
            number=folder.next_number(),
            info=info,
            reference_utc_ns=plan.started_utc_ns,
            reference_host_ns=span.reference_ns,
            step_us=part.step_us,
            config=plan.config,
            recording=plan.recording,
            notes=plan.notes,
            experimenter=plan.experimenter,
            institution=plan.institution,
            lab=plan.lab,
            mode=part.mode,
        )
        path = folder.next_path(clock.host_ns(part.first_tick), span.reference_ns)
        self.writer = writer = RecordingWriter.create(path, meta, self.cursor)
        self._info = info
        writer.rows.append_clock_map(clock, clock.host_ns(clock.tick0), self.cursor)
        return writer

    def _all_missing(self, gaps: list[Gap], part: Block, *, is_new: bool, counted: bool) -> list[Gap]:
        """Return the gaps before a part of a block with what was left out between them, or is told by nobody else."""
        place, files = self.place, self.folder.closed
        if place.boot_id is None:
            return []  # what is missing before the session's first sample is not part of the session
        if place.boot_id != part.boot_id:
            return gaps
        if self.roller.whole:
            stop = gaps[0].first_step if gaps else part.first_step
            if stop <= place.next_step or not counted:
                return gaps
            # A recorder that was started anew reads only a little of what preceded; the last block lies further back.
            cause = GapCause.STOPPED if part.flags & BlockFlag.AFTER_START else GapCause.LOST
            return [_gap_before(part, place.next_step, stop, cause), *gaps]
        everything: list[Gap] = []
        at = files[-1].last_step + 1 if is_new and files else place.next_step
        for gap in [*gaps, None]:
            stop = part.first_step if gap is None else gap.first_step
            if stop > at:
                everything.append(_gap_before(part, at, stop, GapCause.OUTSIDE))
            if gap is not None:
                everything.append(gap)
                at = gap.first_step + gap.n_steps
        return everything

    def _announce(self) -> None:
        if not self._announced and self.writer is not None and self.writer.n_readable > 0:
            self._announced = self.news = True


def _gap_before(part: Block, start: int, stop: int, cause: GapCause) -> Gap:
    """Return the steps from ``start`` to ``stop``, which lie before a part of a block, as a gap."""
    tick = part.first_tick - (part.first_step - start) * part.step_us
    return Gap(part.boot_id, part.stream, start, stop - start, tick, cause)


def _nothing() -> None:
    pass


def _part(block: Block, start: int, stop: int) -> Block:
    """Return a part of a block as a block; what came before the block came before its first sample."""
    if (start, stop) == (0, block.n_samples):
        return block
    first_step, first_tick = block.first_step + start, block.first_tick + start * block.step_us
    flags = block.flags & ~_ONLY_FIRST if start else block.flags
    samples = block.samples[start:stop]
    return replace(block, first_step=first_step, first_tick=first_tick, flags=flags, samples=samples)
