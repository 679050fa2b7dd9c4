"""One device of a session: takes items from its journal and drives its files."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import astuple, dataclass

from spikedaq.journal import (
    ClockFitRecord,
    ClockMapRecord,
    Item,
    JournalGap,
    JournalSource,
    LinkRecord,
    NoteRecord,
    RequestRecord,
    SessionStop,
    read_host_boot_id,
)
from spikedaq.model import Block, ClockMap, DeviceInfo, Event, Gap, GapCause, LocalProtocolError, RemoteProtocolError
from spikedaq.recorder.folder import DeviceFolder
from spikedaq.recorder.lookahead import Facts, Lookahead, facts_of, filled, guessed_clock, is_complete
from spikedaq.recorder.plan import DevicePlan, SessionPlan
from spikedaq.store import FileMeta, RecordingWriter, countable
from spikedaq.wire import Describe, Get, HelloRequest, Set, StimulusData, decode_message

STEP_ITEMS = 2000
"""Items per turn of a device, so that one that catches up does not hold up the others: 20 s of blocks at 10 kHz."""
MAX_HELD = 10_000
"""Events, notes and requests kept in memory until the file that they belong to is there; beyond it the oldest go."""


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """What a lane reports."""

    device: str
    file: str | None
    n_bytes: int
    samples: int
    rows_on_disk: int
    gaps: dict[str, int | None]
    saturated: int
    offset: int
    state: str
    error: str | None = None


class Lane:
    """Makes one device's files out of its journal.

    Which samples go into which file depends on nothing but the journal and the session, so that a lane that is started
    anew after a crash goes on with the same files.

    Attributes
    ----------
    done : bool
        The session has ended for this device, its files are closed and in the manifest.
    news : bool
        Something happened that is worth a report at once: the first block is readable, a file was closed.
    closing : bool
        A file is being closed, which on a slow disk takes longer than anything else.
    before_close : callable
        Called when that begins.
    """

    def __init__(self, plan: SessionPlan, device: DevicePlan) -> None:
        self.device = device
        self.news = False
        self.closing = False
        self.before_close: Callable[[], None] = _nothing
        self._plan = plan
        self._folder = DeviceFolder(plan, device)
        self.done = self._folder.manifest.state == "complete"
        self._writer: RecordingWriter | None = None
        self._source: JournalSource | None = None
        self._facts: Facts | None = None
        self._revision = -1
        self._info: DeviceInfo | None = None
        self._lookahead: Lookahead | None = None
        self._gaps: list[tuple[Gap, int]] = []
        self._held: deque[Item] = deque(maxlen=MAX_HELD)
        self._journal_gap = False
        self._cursor = 0  # journal offset after the last item that is in a file, or belongs in none
        self._next_step = 0  # step after the present file's last block
        self._announced = False

    @property
    def remarks(self) -> list[str]:
        """What had to be put right on starting."""
        return self._folder.remarks

    def start(self) -> None:
        """Repair and resume what the last recorder left."""
        if self.done:
            return
        self._folder.recover()
        self._writer = self._folder.resumed
        if self._writer is not None and self._writer.last_block is not None:
            self._announced = True
            self._next_step = self._writer.last_block.next_step
        self._cursor = self._folder.cursor
        manifest = self._folder.manifest
        manifest.state, manifest.reason, manifest.host_boot_id = "recording", None, read_host_boot_id()
        self._folder.save()

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
        if self.done:
            return False
        if self._source is None:
            if not self.device.journal.is_dir():
                return False
            self._source = JournalSource(self.device.journal, self._cursor)
        for _ in range(STEP_ITEMS):
            item = self._source.peek()
            if item is None and last and self.device.until is not None:
                self._finish("the journal ends here")
            elif item is not None and self.device.until is not None and item.end_offset > self.device.until:
                self._finish("made again from the journal")
                return False
            if item is None or not self._take(item, last=last):
                return False
            self._source.pop()
            if self.done or self.news:
                return not self.done
        return True

    def flush(self) -> None:
        """Let the file write what is due."""
        if self._writer is not None:
            before = self._writer.n_readable
            self._writer.flush()
            # Told at once: whoever watches whether files grow counts from here.
            self.news = self.news or self._writer.n_readable > before
            self._announce()

    def interrupt(self, reason: str) -> None:
        """Close the file validly; the next recorder of this session goes on in a new one."""
        if self.done:
            return
        self._close(reason)
        self._folder.manifest.state, self._folder.manifest.reason = "interrupted", reason
        self._folder.save()

    def status(self, error: str | None = None) -> LaneStatus:
        """Return what to report now."""
        writer, files = self._writer, self._folder.manifest.files
        gaps = {c.value: sum(f.gaps.get(c.value) or 0 for f in files) for c in GapCause if c is not GapCause.STOPPED}
        n_bytes = sum(f.n_bytes for f in files)
        samples = on_disk = sum(f.n_samples for f in files)
        saturated = sum(f.saturated_blocks for f in files)
        if writer is not None:
            n_bytes += writer.n_bytes()
            samples += writer.n_samples
            on_disk += writer.n_readable
            saturated += writer.saturated_blocks
            gaps = {cause: n + writer.gap_samples.get(cause, 0) for cause, n in gaps.items()}
        uncounted = {cause for f in files for cause, n in f.gaps.items() if n is None}
        shown: dict[str, int | None] = {cause: None if cause in uncounted else n for cause, n in gaps.items()}
        if writer is not None:
            known = countable(gaps, translated=writer.meta.info.is_translated)
            shown = {cause: None if known[cause] is None else n for cause, n in shown.items()}
        name = writer.path.name if writer is not None else files[-1].name if files else None
        state = "failed" if error else "closed" if self.done else "recording" if writer is not None else "waiting"
        state = "closing" if self.closing and not error else state
        offset = self._source.offset if self._source is not None else self._cursor
        return LaneStatus(self.device.name, name, n_bytes, samples, on_disk, shown, saturated, offset, state, error)

    # -- items

    def _take(self, item: Item, *, last: bool) -> bool:
        """Deal with an item; False where it has to wait for something that the journal does not have yet."""
        content = item.content
        if isinstance(content, Block):
            return self._block(content, item, last=last)
        if isinstance(content, Gap):
            self._gaps.append((content, item.end_offset))
        elif isinstance(content, SessionStop):
            if content.session == self._plan.ends_with:
                self._finish(content.reason)
        elif isinstance(content, JournalGap):
            self._journal_gap = True
        elif isinstance(content, Event | NoteRecord | RequestRecord | LinkRecord | ClockMapRecord | ClockFitRecord):
            self._row(item)
        return True

    def _row(self, item: Item) -> None:
        """Put something that is no sample into the file, or keep it for the file that its boot's first block makes."""
        writer = self._writer
        boot_id = getattr(item.content, "boot_id", None)
        if isinstance(item.content, ClockMapRecord):
            boot_id = item.content.map.boot_id
        foreign = writer is not None and boot_id is not None and boot_id != writer.meta.info.boot_id
        timeless = isinstance(item.content, Event) and self._clock(item.content.boot_id) is None
        # What follows a held item is held as well: rows of a table are in the order of the journal.
        if writer is None or self._held or foreign or timeless:
            self._held.append(item)
        else:
            self._write_row(writer, item)

    def _write_row(self, writer: RecordingWriter, item: Item) -> None:
        content, offset = item.content, item.end_offset
        if isinstance(content, Event):
            clock = self._clock(content.boot_id)
            if clock is None or content.boot_id != writer.meta.info.boot_id:
                return  # of a boot that has no samples in this file
            writer.append_event(content, clock, offset)
        elif isinstance(content, ClockMapRecord):
            if content.map.boot_id == writer.meta.info.boot_id:
                writer.append_clock_map(content.map, content.t_host_ns, offset)
        elif isinstance(content, ClockFitRecord):
            if content.boot_id == writer.meta.info.boot_id:
                writer.append_clock_fit(astuple(content), offset)
        elif isinstance(content, NoteRecord):
            writer.append_note(content.t_host_ns, content.text, content.origin, offset)
        elif isinstance(content, LinkRecord):
            text = f"link {content.state}: {content.url}" + (f" ({content.detail})" if content.detail else "")
            writer.append_note(content.t_host_ns, text, "link", offset)
        elif isinstance(content, RequestRecord):
            _write_request(writer, content, offset)
        self._cursor = offset

    def _block(self, block: Block, item: Item, *, last: bool) -> bool:
        facts = self._facts_for(block, item, last=last)
        if facts is None:
            return False
        info, clock = filled(facts.info, block.samples.shape[1], block.mode), facts.clock
        if clock is None:
            clock = guessed_clock(block.boot_id, block.first_tick, item.t_received_ns)
            facts = Facts(facts.info, clock)
        self._facts = facts
        reference_ns = self._reference_ns()
        if self._is_before_session(clock.host_ns(block.first_tick), reference_ns):
            self._held.clear()
            self._gaps.clear()
            self._cursor = item.end_offset
            return True
        reason = self._roll_reason(block, info, reference_ns)
        if reason is not None:
            self._close(reason)
        writer = self._writer
        first = writer is None
        if writer is None:
            writer = self._create(block, info, clock, reference_ns)
        while self._held:
            self._write_row(writer, self._held.popleft())
        is_sessions_first = first and not self._folder.manifest.files
        for gap, offset in self._gaps:
            # What is missing before the session's first sample is not part of the session.
            if not is_sessions_first and gap.boot_id == block.boot_id:
                dropped = self._journal_gap and gap.cause is GapCause.LOST
                writer.append_gap(_as_dropped(gap) if dropped else gap, clock, offset)
        self._gaps.clear()
        self._journal_gap = False
        writer.append_block(block, clock, item.end_offset, item.t_received_ns)
        self._cursor = item.end_offset
        self._next_step = block.next_step
        if first:
            writer.flush()
            self._announce()
        return True

    def _is_before_session(self, t_host_ns: int, reference_ns: int) -> bool:
        """Tell whether a block was under way when the session began: times in a file are never negative."""
        return self._writer is None and not self._folder.manifest.files and t_host_ns < reference_ns

    # -- facts

    def _facts_for(self, block: Block, item: Item, *, last: bool) -> Facts | None:
        """Return what is known of the block's boot, from before it or, where that lacks something, from behind it."""
        source = self._source
        if source is None:
            return None
        state = source.state
        facts = self._facts
        if facts is not None and facts.info.boot_id == block.boot_id and state.revision == self._revision:
            clock = state.clock_map
            if clock is None or clock.boot_id != block.boot_id or clock is facts.clock:
                return facts
            return Facts(facts.info, clock)
        before = facts_of(state, block.boot_id)
        if before is not None and is_complete(before):
            self._revision, self._lookahead = state.revision, None
            return before
        if self._lookahead is None or self._lookahead.boot_id != block.boot_id:
            offset = item.end_offset
            self._lookahead = Lookahead(self.device.journal, offset, state, block.boot_id, self._plan.ends_with)
        found = self._lookahead.search(last=last)
        if found is None:
            return None
        self._revision, self._lookahead = state.revision, None
        # The map before a block holds for it even where the descriptions come from behind it.
        clock = before.clock if before is not None and before.clock is not None else found.clock
        return Facts(found.info, clock)

    def _clock(self, boot_id: int) -> ClockMap | None:
        """Newest clock map of a boot before this place in the journal, else the one that its first block found."""
        found = [self._source.state.clock_map] if self._source is not None else []
        found += [self._facts.clock] if self._facts is not None else []
        return next((c for c in found if c is not None and c.boot_id == boot_id), None)

    def _reference_ns(self) -> int:
        segment = self._source.state.segment if self._source is not None else None
        if segment is None:
            return self._plan.started_host_ns
        return self._folder.reference_host_ns(segment.host_boot_id, segment.t_host_ns, segment.utc_ns)

    # -- files

    def _roll_reason(self, block: Block, info: DeviceInfo, reference_ns: int) -> str | None:
        """Why the block belongs into a new file, None where it belongs into the present one."""
        writer = self._writer
        if writer is None:
            return None
        meta, first_step = writer.meta, writer.first_step
        if block.boot_id != meta.info.boot_id or block.first_step < self._next_step:
            return "device rebooted"
        if block.step_us != meta.step_us:
            return f"step changed from {meta.step_us} to {block.step_us} us"
        if block.mode is not meta.mode:
            return f"{block.mode} clamp from here on"
        if info is not self._info:
            if info.channels_in(meta.mode) != meta.channels:
                return "channel descriptions changed"
            self._info = info
        if reference_ns != meta.reference_host_ns:
            return "computer restarted"
        if first_step is None:
            return None
        roll_s, roll_bytes = self._plan.roll_s, self._plan.roll_bytes
        if roll_s is not None and (block.first_step - first_step) * block.step_us >= roll_s * 1e6:
            return f"rolled after {roll_s:g} s"
        if roll_bytes is not None and writer.n_bytes() >= roll_bytes:
            return f"rolled after {roll_bytes} bytes"
        return None

    def _create(self, block: Block, info: DeviceInfo, clock: ClockMap, reference_ns: int) -> RecordingWriter:
        plan, folder = self._plan, self._folder
        meta = FileMeta(
            session=plan.session,
            bench=plan.bench,
            device=self.device.name,
            number=folder.next_number(),
            info=info,
            reference_utc_ns=plan.started_utc_ns,
            reference_host_ns=reference_ns,
            step_us=block.step_us,
            config=plan.config,
            notes=plan.notes,
            experimenter=plan.experimenter,
            mode=block.mode,
        )
        path = folder.next_path(clock.host_ns(block.first_tick), reference_ns)
        self._writer = writer = RecordingWriter.create(path, meta, self._cursor)
        self._info = info
        writer.append_clock_map(clock, clock.host_ns(clock.tick0), self._cursor)
        return writer

    def _close(self, reason: str) -> None:
        if self._writer is None:
            return
        self.closing = True
        self.before_close()
        self._folder.check_in(self._writer.close(reason), self._cursor)
        self._writer = None
        self.closing = False
        self.news = True

    def _finish(self, reason: str) -> None:
        """End the session for this device."""
        self._close(f"session stopped: {reason}" if reason else "session stopped")
        manifest = self._folder.manifest
        if not manifest.files:
            reason = f"no sample arrived; {reason}" if reason else "no sample arrived"
        manifest.state, manifest.reason = "complete", reason
        self._folder.save()
        self.done = self.news = True
        if self._source is not None:
            self._source.close()

    def _announce(self) -> None:
        if not self._announced and self._writer is not None and self._writer.n_readable > 0:
            self._announced = self.news = True


def _as_dropped(gap: Gap) -> Gap:
    return Gap(gap.boot_id, gap.stream, gap.first_step, gap.n_steps, gap.first_tick, GapCause.DROPPED)


def _write_request(writer: RecordingWriter, record: RequestRecord, offset: int) -> None:
    """Put a request to the device into the file: parameters into their table, all else as a note."""
    try:
        message = decode_message(record.message)
    except (RemoteProtocolError, LocalProtocolError):
        return
    if isinstance(message, Set):
        infos = writer.meta.info.parameters
        for index, value in zip(message.pairs[::2], message.pairs[1::2], strict=False):
            name = infos[int(index or 0)].name if int(index or 0) < len(infos) else f"parameter {index}"
            writer.append_parameter(record.t_host_ns, name, value, record.origin, offset)
        return
    if isinstance(message, Describe | Get | HelloRequest):
        return  # they ask and change nothing
    fields = {name: getattr(message, name) for name in type(message).__slots__ if name != "request_id"}
    if isinstance(message, StimulusData):
        fields["rows"] = message.rows.hex()
    words = "".join(c if c.islower() else f"_{c.lower()}" for c in type(message).__name__).lstrip("_")
    writer.append_note(record.t_host_ns, json.dumps({"request": words, **fields}, default=str), record.origin, offset)


def _nothing() -> None:
    pass
