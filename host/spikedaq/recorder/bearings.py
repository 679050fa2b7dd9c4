"""Where the items of a device's journal lie: on the host's clock, in the session, and inside or outside its windows."""

from __future__ import annotations

from dataclasses import replace

from spikedaq.journal import Item, JournalSource
from spikedaq.model import Block, ClockMap, DeviceInfo, Event, Gap
from spikedaq.recorder.facts import FactFinder
from spikedaq.recorder.folder import DeviceFolder
from spikedaq.recorder.plan import DevicePlan, SessionPlan
from spikedaq.recorder.selection import Pieces, Selection, Span, selection_of


class Bearings:
    """Places what comes from one device's journal.

    Attributes
    ----------
    source : JournalSource or None
        The journal, once it is there.
    selection : Selection or None
        With it.
    step_us : int
        Of the newest block; 0 before the first.
    """

    def __init__(self, plan: SessionPlan, device: DevicePlan, folder: DeviceFolder) -> None:
        self.source: JournalSource | None = None
        self.selection: Selection | None = None
        self.step_us = 0
        self._plan = plan
        self._device = device
        self._folder = folder
        self._facts = FactFinder(device.journal, plan.ends_with)

    def open(self, cursor: int) -> JournalSource | None:
        """Open the journal behind a cursor; None where it is not there yet."""
        if not self._device.journal.is_dir():
            return None
        self.source = JournalSource(self._device.journal, cursor)
        progress = self._folder.manifest.progress
        saved = None if progress is None else progress["selection"]
        self.selection = selection_of(self._plan, self._device, saved)
        self.source.peek()  # past what precedes the cursor
        return self.source

    def close(self) -> None:
        """Close what is open."""
        if self.source is not None:
            self.source.close()
        if self.selection is not None:
            self.selection.close()

    def clock(self, boot_id: int) -> ClockMap | None:
        """Return the clock map of a boot at this place in the journal; None where there is none yet."""
        return self._facts.clock(boot_id, self.source)

    def of_block(
        self, block: Block, item: Item, source: JournalSource, *, last: bool
    ) -> tuple[DeviceInfo, Span] | None:
        """Return what is known of a block's device, and where its samples lie; None where it has to wait for that."""
        found = self._facts.of(block, item, source, last=last)
        if found is None:
            return None
        info, clock = found
        where = (block.boot_id, block.first_step, block.n_samples, block.first_tick, block.step_us)
        return info, Span(*where, clock, self._host_boot(), self._reference_ns(), item.end_offset)

    def of_event(self, event: Event, end_offset: int) -> Span | None:
        """Return the sample of an event; None where nothing is known of its time yet."""
        clock = self.clock(event.boot_id)
        if clock is None or not self.step_us:
            return None
        where = (event.boot_id, event.step, 1, event.tick, self.step_us)
        return Span(*where, clock, self._host_boot(), self._reference_ns(), end_offset)

    def pieces(self, span: Span) -> Pieces | None:
        """Return what of a span is wanted; None where the journal cannot tell yet."""
        return self.selection.pieces(span) if self.selection is not None and span.n else []

    def wanted_gaps(self, gaps: list[Gap], span: Span) -> list[Gap] | None:
        """Return what of the gaps before a block's span is wanted; None where the journal cannot tell yet."""
        wanted = []
        for gap in gaps:
            if gap.boot_id != span.boot_id:
                continue
            pieces = self.pieces(span.of_gap(gap))
            if pieces is None:
                return None
            for start, stop in pieces:
                tick = gap.first_tick + start * span.step_us
                wanted.append(replace(gap, first_step=gap.first_step + start, n_steps=stop - start, first_tick=tick))
        return wanted

    def _host_boot(self) -> str:
        segment = self.source.state.segment if self.source is not None else None
        return "" if segment is None else segment.host_boot_id

    def _reference_ns(self) -> int:
        segment = self.source.state.segment if self.source is not None else None
        if segment is None:
            return self._plan.started_host_ns
        return self._folder.reference_host_ns(segment.host_boot_id, segment.t_host_ns, segment.utc_ns)
