"""When a device's recording goes on in a new file."""

from __future__ import annotations

from dataclasses import dataclass

from spikedaq.model import Block, DeviceInfo
from spikedaq.recorder.mode import Continuous
from spikedaq.recorder.plan import SessionPlan
from spikedaq.recorder.selection import Pieces, Span
from spikedaq.store import RecordingWriter

IDLE_ROLL_S = 3600.0
"""Between windows a file is closed at this age where it does not roll earlier: what is open is kept in the journal."""


@dataclass(frozen=True, slots=True)
class Roller:
    """Decides from what a file holds and the next samples; the same journal gives the same files."""

    plan: SessionPlan

    @property
    def whole(self) -> bool:
        """Whether everything is recorded, so that there are no windows to spare."""
        return isinstance(self.plan.mode, Continuous)

    def split(self, pieces: Pieces, span: Span, writer: RecordingWriter | None) -> Pieces:
        """Cut a block's pieces where a file ends within them, so that each belongs to one file."""
        boundaries = self._boundaries(span, writer)
        cut = []
        for start, stop in pieces:
            at = start
            for k in boundaries:
                if at < k < stop and (self.whole or self._has_run_long(span, k, writer)):
                    cut.append((at, k))
                    at = k
            cut.append((at, stop))
        return cut

    def must(
        self, block: Block, info: DeviceInfo, known: DeviceInfo | None, reference_ns: int, writer: RecordingWriter
    ) -> str | None:
        """Why a block cannot stand in the present file, None where it can. What lies behind is cared for elsewhere."""
        meta = writer.meta
        if block.boot_id != meta.info.boot_id:
            return "device rebooted"
        if block.step_us != meta.step_us:
            return f"step changed from {meta.step_us} to {block.step_us} us"
        if block.mode is not meta.mode:
            return f"{block.mode} clamp from here on"
        if info is not known and info.channels_in(meta.mode) != meta.channels:
            return "channel descriptions changed"
        return "computer restarted" if reference_ns != meta.reference_host_ns else None

    def due(self, span: Span, k: int, writer: RecordingWriter, *, begins: bool) -> str | None:
        """Why sample ``k`` of a block should stand in a new file, None where it need not.

        Parameters
        ----------
        begins : bool
            It begins a window. Within a window a file ends only once the window is as long as a file may be, or the
            file twice as large.
        """
        first_step = writer.first_step
        if first_step is None:
            return None
        spared = not self.whole and not begins
        since = writer.run_step if spared and writer.run_step is not None else first_step
        plan = self.plan
        if plan.roll_at is not None:
            if self._crosses(span, k, writer) and (not spared or self._has_run_long(span, k, writer)):
                return f"rolled by the clock of {plan.roll_at.zone}"
        elif plan.roll_s is not None and (span.first_step + k - since) * span.step_us >= plan.roll_s * 1e6:
            return f"rolled after {plan.roll_s:g} s"
        if plan.roll_bytes is not None and writer.n_bytes() >= plan.roll_bytes * (2 if spared else 1):
            return f"rolled after {plan.roll_bytes} bytes"
        return None

    def idle(self, span: Span, writer: RecordingWriter) -> str | None:
        """Why a file should be closed between windows: it is due, or has been open for long."""
        reason = self.due(span, 0, writer, begins=True)
        if reason is None and writer.first_step is not None:
            age_us = (span.first_step - writer.first_step) * span.step_us
            if age_us >= IDLE_ROLL_S * 1e6:
                reason = f"rolled after {IDLE_ROLL_S:g} s"
        return reason

    def _boundaries(self, span: Span, writer: RecordingWriter | None) -> list[int]:
        """Return the samples of a span with which a clock time has come."""
        if self.plan.roll_at is None or span.n == 0:
            return []
        to_utc_ns = self.plan.started_utc_ns - span.reference_ns
        instants = self.plan.roll_at.between(span.host_ns(0) + to_utc_ns, span.host_ns(span.n - 1) + to_utc_ns + 1)
        return [span.first_at(t - to_utc_ns) for t in instants]

    def _crosses(self, span: Span, k: int, writer: RecordingWriter) -> bool:
        """Whether a clock time lies between the file's last sample and sample ``k``."""
        last = writer.last_block
        if last is None or self.plan.roll_at is None:
            return False
        to_utc_ns = self.plan.started_utc_ns - span.reference_ns
        last_ns = span.clock.host_ns(last.next_tick - last.step_us)
        return bool(self.plan.roll_at.between(last_ns + to_utc_ns + 1, span.host_ns(k) + to_utc_ns + 1))

    def _has_run_long(self, span: Span, k: int, writer: RecordingWriter | None) -> bool:
        """Whether the window under way has lasted as long as a file may."""
        if writer is None or writer.run_step is None or self.plan.roll_s is None:
            return False
        return (span.first_step + k - writer.run_step) * span.step_us >= self.plan.roll_s * 1e6
