"""What a lane reports: counted over the files of its manifest and the one being written."""

from __future__ import annotations

from dataclasses import dataclass

from spikedaq.model import GapCause
from spikedaq.recorder.entries import Entries, Totals
from spikedaq.store import RecordingWriter, countable

_NO_LOSS = (GapCause.STOPPED, GapCause.OUTSIDE)


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """What a lane reports. ``windows`` counts those begun so far, 0 where everything is recorded."""

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
    windows: int = 0


def tally(
    device: str,
    files: Entries,
    writer: RecordingWriter | None,
    now: tuple[str, int, str | None],
    *,
    whole: bool,
) -> LaneStatus:
    """Count what is in closed files and in the growing one.

    Parameters
    ----------
    now : tuple
        State, journal offset and error.
    whole : bool
        Everything is recorded, so there are no windows.
    """
    state, offset, error = now
    totals = files.totals
    gaps = {c.value: totals.gaps.get(c.value, 0) for c in GapCause if c not in _NO_LOSS}
    n_bytes, samples, on_disk = totals.n_bytes, totals.n_samples, totals.n_samples
    saturated = totals.saturated_blocks
    if writer is not None:
        n_bytes += writer.n_bytes()
        samples += writer.n_samples
        on_disk += writer.n_readable
        saturated += writer.saturated_blocks
        gaps = {cause: n + writer.gap_samples.get(cause, 0) for cause, n in gaps.items()}
    shown: dict[str, int | None] = {cause: None if cause in totals.uncounted else n for cause, n in gaps.items()}
    if writer is not None:
        known = countable(gaps, translated=writer.meta.info.is_translated)
        shown = {cause: None if known[cause] is None else n for cause, n in shown.items()}
    name = writer.path.name if writer is not None else files[-1].name if files else None
    windows = 0 if whole else _windows(totals, writer)
    return LaneStatus(device, name, n_bytes, samples, on_disk, shown, saturated, offset, state, error, windows)


def _windows(totals: Totals, writer: RecordingWriter | None) -> int:
    """Count the windows; one that goes on in the next file is one."""
    if writer is None or writer.first_step is None or writer.last_block is None:
        return totals.n_windows
    return totals.n_windows + totals.new_windows(writer.last_block.boot_id, writer.first_step, writer.n_runs)
