"""Samples to analyse, from whatever holds them: a session's folder, a recording file, or a nine-column CSV."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spikedaq.analysis import trigger_rises
from spikedaq.analysis.trigger_spacing import spacing_text, trigger_spacing
from spikedaq.formats.sources import Run, find_runs
from spikedaq.formats.stock_csv_reader import MAX_ROWS, read_stock_csv
from spikedaq.model import MODEL_STEP_MS, ClampMode, StoreError
from spikedaq.store import RecordingFile, open_recording

FloatArray = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]

# Rows that are read at a time, of all channels.
_CHUNK_ROWS = 1 << 17
ROWS_NOTE = "its board's firmware counts no steps: rows that were lost on the way cannot be seen"


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Samples of one device, one boot and one clamp mode.

    Attributes
    ----------
    name : str
        For files: ``<session>_<device>``, ``_boot2`` and the like where there are several; or the CSV's name.
    device : str
    path : Path
        What it was read from.
    mode : ClampMode
    steps : int64 array, shape (n_samples,)
        The model's step; a gap is a jump.
    channels : dict of str to float64 array, shape (n_samples,)
        In the channels' units. Channels that were asked for and are not there are left out.
    resolutions : dict of str to float
        Distance of neighbouring values of each channel.
    notes : tuple of str
        What a reader could get wrong.
    """

    name: str
    device: str
    path: Path
    mode: ClampMode
    steps: npt.NDArray[np.int64]
    channels: dict[str, FloatArray]
    resolutions: dict[str, float]
    notes: tuple[str, ...] = ()

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return len(self.steps)

    @property
    def times_ms(self) -> FloatArray:
        """Model time of each sample since the first one, in ms: float64 array, shape (n_samples,)."""
        if not len(self.steps):
            return np.empty(0)
        # Division by 10 gives the decimal value where multiplication by 0.1 does not.
        times: FloatArray = (self.steps - self.steps[0]) / round(1 / MODEL_STEP_MS)
        return times


@dataclass(frozen=True, slots=True)
class Part:
    """What one of the `Samples` of a recording would be, told without reading them.

    Attributes
    ----------
    name, device, mode
        As of `Samples`.
    n_samples : int
    start_s, stop_s : float
        Times of its first and last sample, in seconds: what ``start_s`` and ``stop_s`` of `read_samples` choose from.
    channels : tuple of str
    fits_until_s : float or None
        Time of the first sample that is one too many to be read at once; None where all of them fit.
    """

    name: str
    device: str
    mode: ClampMode
    n_samples: int
    start_s: float
    stop_s: float
    channels: tuple[str, ...]
    fits_until_s: float | None = None


class TooManySamplesError(StoreError):
    """More samples were asked for than are read at once."""


def list_parts(path: Path, *, device: str | None = None, max_rows: int = MAX_ROWS) -> list[Part]:
    """Return what `read_samples` would, without the samples; of a folder of a session or device, or a recording file.

    Raises
    ------
    StoreError
        Nothing there, or something that cannot be read.
    """
    runs = find_runs(Path(path), device)
    reference_utc_ns = min(_reference_utc_ns(run.files[0]) for run in runs)
    parts = []
    for run in runs:
        before, first_s, last_s = 0, math.inf, -math.inf
        fits_until_s: float | None = None
        names: tuple[str, ...] = ()
        for file in run.files:
            with open_recording(file) as recording:
                shift_s = (recording.meta.reference_utc_ns - reference_utc_ns) / 1e9
                n = recording.n_samples
                first_s = min(first_s, float(recording.timestamps(0, 1)[0]) + shift_s)
                last_s = float(recording.timestamps(n - 1, n)[0]) + shift_s
                if before <= max_rows < before + n:
                    at = max_rows - before
                    fits_until_s = float(recording.timestamps(at, at + 1)[0]) + shift_s
                before += n
                names = tuple(channel.name for channel in recording.channels)
        parts.append(Part(run.name, run.device, run.mode, before, first_s, last_s, names, fits_until_s))
    return parts


def read_samples(
    path: Path,
    channels: Sequence[str],
    *,
    device: str | None = None,
    start_s: float | None = None,
    stop_s: float | None = None,
    part: str | None = None,
    max_rows: int | None = None,
    progress: Progress | None = None,
) -> list[Samples]:
    """Read some channels of a recording into memory.

    Parameters
    ----------
    path : Path
        A session's or device's folder, a recording file (also one that grows), or a nine-column CSV.
    channels : sequence of str
    device : str, optional
        Only this device of a session.
    start_s, stop_s : float, optional
        Only samples with ``start_s <= t < stop_s``: seconds since the session's reference time, or of the CSV's first
        column.
    part : str, optional
        Only that of this name, of those that `list_parts` tells.
    max_rows : int, optional
        Most samples of one that are read; default: MAX_ROWS.
    progress : callable, optional
        Called with what was read and what there is.

    Returns
    -------
    list of Samples
        One for each device, boot and stretch of one clamp mode that has samples in that time.

    Raises
    ------
    StoreError
        Nothing there, or something that cannot be read.
    TooManySamplesError
        More than fits into memory.
    """
    path = Path(path)
    if path.suffix.lower() == ".csv":
        if device is not None:
            raise StoreError(f"{path} is a CSV and names no device; leave --device out")
        found = [_of_csv(path, channels, start_s, stop_s, progress)]
    else:
        runs = find_runs(path, device)
        reference_utc_ns = min(_reference_utc_ns(run.files[0]) for run in runs)
        runs = [run for run in runs if part in (None, run.name)]
        total, before = sum(run.n_rows for run in runs), 0

        def show(n: int) -> None:
            if progress is not None:
                progress(before + n, total)

        found = []
        for run in runs:
            found.append(_of_run(run, channels, (start_s, stop_s, reference_utc_ns), max_rows or MAX_ROWS, show))
            before += run.n_rows
    found = [samples for samples in found if samples.n_samples]
    if not found:
        raise StoreError(f"{path} has no sample between --start and --stop; look at its span with spikedaq verify")
    return found


def _of_csv(
    path: Path, channels: Sequence[str], start_s: float | None, stop_s: float | None, progress: Progress | None
) -> Samples:
    # What is wrong with its clock shows in its stimulus.
    wanted = {*channels, "trigger", "stimulus"}
    read = read_stock_csv(path, start_s=start_s, stop_s=stop_s, channels=wanted, progress=progress)
    resolutions = {name: read.resolution(name) for name in read.channels if name in channels}
    known = {name: read.channels[name] for name in resolutions if not np.isnan(read.channels[name]).all()}
    name = path.stem.strip() or path.stem
    notes = (*read.notes, *_spacing_note(read.steps, read.channels))
    return Samples(name, name, path, read.mode, read.steps, known, resolutions, notes)


def _spacing_note(steps: npt.NDArray[np.int64], channels: Mapping[str, FloatArray]) -> list[str]:
    """Say how unequal the stimulus loops are, if they are: rows were lost before the file was written."""
    trigger, stimulus = (channels.get(name) for name in ("trigger", "stimulus"))
    # Where the times show gaps they are no mere count of rows.
    if trigger is None or (np.diff(steps) != 1).any():
        return []
    pulses = None
    if stimulus is not None and len(stimulus):
        low, high = np.nanmin(stimulus), np.nanmax(stimulus)
        if ((stimulus == low) | (stimulus == high)).all():
            pulses = steps[np.flatnonzero(stimulus[1:] > stimulus[:-1]) + 1]
    spacing = trigger_spacing(steps[trigger_rises(trigger)], pulses)
    return [] if spacing is None else [spacing_text(spacing)]


def _reference_utc_ns(path: Path) -> int:
    with open_recording(path) as recording:
        return recording.meta.reference_utc_ns


def _of_run(
    run: Run,
    channels: Sequence[str],
    window: tuple[float | None, float | None, int],
    max_rows: int,
    progress: Callable[[int], None],
) -> Samples:
    start_s, stop_s, reference_utc_ns = window
    spans: list[tuple[Path, int, int]] = []
    done = 0
    names: list[str] = []
    resolutions: dict[str, float] = {}
    for path in run.files:
        with open_recording(path) as recording:
            shift_s = (recording.meta.reference_utc_ns - reference_utc_ns) / 1e9
            first, after = _index(recording, start_s, shift_s, 0), _index(recording, stop_s, shift_s, None)
            spans.append((path, first, max(first, after)))
            names = [c for c in channels if c in [channel.name for channel in recording.channels]]
            resolutions = {c.name: abs(c.scale) for c in recording.channels if c.name in names}
    n_rows = sum(after - first for _, first, after in spans)
    if n_rows > max_rows:
        raise TooManySamplesError(
            f"{run.device} has {n_rows} samples there, and at most {max_rows} are read at once; "
            "choose a part with --start and --stop"
        )
    steps = np.empty(n_rows, np.int64)
    values = {name: np.empty(n_rows) for name in names}
    for path, first, after in spans:
        with open_recording(path) as recording:
            columns = {channel.name: (k, channel) for k, channel in enumerate(recording.channels)}
            for start in range(first, after, _CHUNK_ROWS):
                stop = min(start + _CHUNK_ROWS, after)
                into = slice(done, done + stop - start)
                steps[into] = recording.steps(start, stop)
                raw = recording.samples(start, stop)
                for name in names:
                    k, channel = columns[name]
                    values[name][into] = raw[:, k] * channel.scale + channel.offset
                done += stop - start
                progress(done)
    if not (np.diff(steps) > 0).all():
        raise StoreError(f"{run.files[0]}: the steps of its samples do not rise; check it with spikedaq verify")
    notes = (ROWS_NOTE,) if run.translated else ()
    return Samples(run.name, run.device, run.folder, run.mode, steps, values, resolutions, notes)


def _index(recording: RecordingFile, time_s: float | None, shift_s: float, default: int | None) -> int:
    """Return the first sample at or after a time; ``default`` without one, None for the end."""
    n = recording.n_samples
    if time_s is None:
        return n if default is None else default
    return bisect_left(range(n), time_s - shift_s, key=lambda k: float(recording.timestamps(k, k + 1)[0]))
