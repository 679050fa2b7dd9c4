"""What a recording is of: its device, its files and its time; and what else was recorded beside the samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from spikedaq.clock import ClockDrift
from spikedaq.model import DeviceInfo
from spikedaq.recording.cutting import rows_within
from spikedaq.recording.reading import Readable
from spikedaq.recording.segments import Segment
from spikedaq.recording.sources.source import Source
from spikedaq.recording.traces import Traces
from spikedaq.store import StoredEpoch, StoredEvent, StoredGap, StoredNote, StoredParameter


class Recorded(Readable):
    """The half of `spikedaq.recording.Recording` that knows what it is of. A part keeps the rows of its own times.

    Attributes
    ----------
    made_by : tuple of dict
        How it was cut from what was opened: plain values with the key ``do``.
    """

    def __init__(
        self,
        source: Source,
        segments: Sequence[Segment] | None,
        columns: Sequence[int],
        *,
        made_by: Sequence[dict[str, Any]] = (),
        ordered: bool = True,
    ) -> None:
        super().__init__(source, segments, columns, ordered=ordered)
        self.made_by = tuple(made_by)

    # -- what it is

    @property
    def name(self) -> str:
        """``<session>_<device>``, or the name of the file."""
        return self._source.name

    @property
    def session(self) -> str | None:
        """Name of the session, where known."""
        return self._source.session

    @property
    def bench(self) -> str | None:
        """Name of the bench, where known."""
        return self._source.bench

    @property
    def device(self) -> str | None:
        """Name of the device, where known."""
        return self._source.device

    @property
    def device_info(self) -> DeviceInfo | None:
        """What the board said of itself, where known."""
        return self._source.device_info

    @property
    def devices(self) -> dict[str, Self]:
        """Itself, by name: as a session has it."""
        return {self.device or self.name: self}

    @property
    def reference_utc_ns(self) -> int | None:
        """The instant that times count from: UTC, nanoseconds since 1970; None where nobody knows."""
        return self._source.reference_utc_ns

    @property
    def clock_drift(self) -> ClockDrift | None:
        """What its times are corrected by, beside others of a session on several benches; None: they are as stored."""
        return self._source.drift

    @property
    def paths(self) -> list[Path | str]:
        """Its files, in order."""
        return list(self._source.paths)

    @property
    def flags(self) -> tuple[str, ...]:
        """What a reader must know: parts left out, files missing, times in doubt."""
        return self._source.flags

    @property
    def opened(self) -> dict[str, Any] | None:
        """How to open it again, plain values with the key ``kind``; None where it is in memory only."""
        return self._source.opened

    @property
    def is_live(self) -> bool:
        """Whether it may still grow; see `refresh`."""
        return self._source.is_live

    @property
    def source(self) -> Source:
        """What stands behind it; for those that build on recordings."""
        return self._source

    # -- time, as a whole

    @property
    def n_samples(self) -> int:
        """Samples in all segments, as they are now."""
        self.refresh()
        return self.num_frames

    @property
    def span_s(self) -> tuple[float, float] | None:
        """Times of the first and the last sample as they are now, in seconds; None where there is none."""
        self.refresh()
        filled = [segment for segment in self.segments if segment.n_frames]
        if not filled:
            return None
        last = filled[-1]
        return filled[0].t_start_s, float(last.times_s(last.n_frames - 1, last.n_frames)[0])

    def read(
        self, start_s: float | None = None, stop_s: float | None = None, channels: Sequence[int | str] | None = None
    ) -> Traces:
        """Return the samples with ``start_s <= t < stop_s`` over all segments, in units; without limits all of them.

        Raises
        ------
        ConfigError
            A channel that is not there.
        StoreError
            A file cannot be read.
        """
        self.refresh()
        return self._read_window(start_s, stop_s, channels)

    # -- what else was recorded

    @property
    def gaps(self) -> list[StoredGap]:
        """What is missing, and why, in order; between windows that is what nobody wanted (cause ``outside``)."""
        return rows_within(self._source.gaps, self._spans(), "start_s", "stop_s")

    @property
    def events(self) -> list[StoredEvent]:
        """Spikes, triggers and other events of the device, in order."""
        return rows_within(self._source.events, self._spans(), "time_s")

    @property
    def parameters(self) -> list[StoredParameter]:
        """Values as each file starts, and every change; of a part also what was in force as it starts."""
        spans = self._spans()
        rows = self._source.parameters
        if not spans:
            return rows if spans is None else []
        start_s, stop_s = min(start for start, _ in spans), max(stop for _, stop in spans)
        before = {row.name: row for row in rows if row.time_s < start_s}
        return [row for row in rows if start_s <= row.time_s < stop_s or before.get(row.name) is row]

    @property
    def notes(self) -> list[StoredNote]:
        """Notes in order."""
        return rows_within(self._source.notes, self._spans(), "time_s")

    @property
    def epochs(self) -> list[StoredEpoch]:
        """Triggers with their windows."""
        return rows_within(self._source.epochs, self._spans(), "start_s", "stop_s")

    def _spans(self) -> list[tuple[float, float]] | None:
        """Return the times that its rows are of, None where it is the whole."""
        if self._fixed is None:
            return None
        filled = [segment for segment in self._fixed if segment.n_frames]
        if self._ordered and filled and all(done["do"] != "select_segments" for done in self.made_by):
            # What happened between its segments goes with it, and only two times are looked up.
            return [(filled[0].t_start_s, filled[-1].t_stop_s)]
        return [(segment.t_start_s, segment.t_stop_s) for segment in filled]

    # -- its files

    def refresh(self) -> int:
        """Look how far a growing recording has come; return its samples. A part keeps its size."""
        if self._fixed is None:
            self._source.refresh()
        return self.num_frames

    def close(self) -> None:
        """Close its files; they are opened again when something is asked."""
        self._source.close()
