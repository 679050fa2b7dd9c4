"""What a lane reports: counted over the files of its manifest and the one being written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from spikedaq.model import GapCause
from spikedaq.recorder.manifest import ManifestFile
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
    files: Sequence[ManifestFile],
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
    gaps = {c.value: sum(f.gaps.get(c.value) or 0 for f in files) for c in GapCause if c not in _NO_LOSS}
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
    windows = 0 if whole else _windows(files, writer)
    return LaneStatus(device, name, n_bytes, samples, on_disk, shown, saturated, offset, state, error, windows)


def _windows(files: Sequence[ManifestFile], writer: RecordingWriter | None) -> int:
    """Count the windows; one that goes on in the next file is one."""
    runs = [(f.boot_id, f.first_step, f.last_step + 1, f.n_runs) for f in files]
    if writer is not None and writer.first_step is not None and writer.last_block is not None:
        last = writer.last_block
        runs.append((last.boot_id, writer.first_step, last.next_step, writer.n_runs))
    joined = sum(a[0] == b[0] and a[2] == b[1] for a, b in pairwise(runs))
    return sum(n for *_, n in runs) - joined
