"""The JSON beside a CSV: where its rows come from, what is missing, and what the hardware was set to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.formats.history import Change, History
from spikedaq.formats.sources import Run
from spikedaq.formats.stimulus import StimulusFollower
from spikedaq.formats.stock_csv import TIME_HEADERS, TimeColumn
from spikedaq.model import BlockFlag, DeviceInfo, EventKind, GapCause
from spikedaq.store import FileMeta, RecordingFile, StoredEvent, StoredGap, StoredNote, StoredParameter, countable

FORMAT = "spikedaq hardware state"
FORMAT_VERSION = 1

_MEANING = {
    "model": "model time in milliseconds since the first row: (step - first_step) x 0.1 ms; missing samples are a jump",
    "arrival": "measured real time in milliseconds since the first row, of arrival at this computer (v1: of the "
    "board's own clock); the board counts no steps",
    "stock": "row x 0.1 ms, the rule of the stock software: not real time, and missing samples do not show",
    "wall": "real time in seconds since the session's reference time; missing samples are a jump",
}


class RunReport:
    """Collects what the description of one CSV says, file by file.

    Attributes
    ----------
    time : {"model", "wall"}
    first_step : int
        Step of the first row; known once the first file was given.
    n_rows : int
    missing : dict
        Samples missing between the first and the last row, by cause; None where nobody can know.
    """

    def __init__(self, run: Run, csv_name: str, time: TimeColumn, warning: str | None = None) -> None:
        self.time: TimeColumn = time
        self.first_step = 0
        self.n_rows = 0
        self.missing: dict[str, int | None] = dict(
            countable({cause.value: 0 for cause in GapCause}, translated=run.translated)
        )
        self.absent: list[str] = []
        self._run = run
        self._csv_name = csv_name
        self._warning = warning
        self._meta: FileMeta | None = None
        self._history: History | None = None
        self._stimulus: StimulusFollower | None = None
        self._sources: list[dict[str, Any]] = []
        self._gaps: list[dict[str, Any]] = []
        self._saturated_blocks = 0
        self._saturated: list[list[int]] = []
        self._first_wall_s = 0.0
        self._last: tuple[int, float] = (0, 0.0)

    def file(self, recording: RecordingFile, n_samples: int, sha256: str) -> None:
        """Take in the next file; its first ``n_samples`` samples become rows."""
        meta = recording.meta
        first = int(recording.steps(0, 1)[0])
        first_s, last_s = (float(recording.timestamps(k, k + 1)[0]) for k in (0, n_samples - 1))
        if self._history is None:
            self._meta, self.first_step, self._first_wall_s = meta, first, first_s
            self._history = History(meta.info, first)
        else:
            self._history.file_starts(meta.info, first, first_s)
        self._last = (int(recording.steps(n_samples - 1, n_samples)[0]), last_s)
        self._settings(recording, self._history)
        for gap in recording.gaps:
            self._gap(gap)
        self._saturation(recording.saturated_blocks())
        self.n_rows += n_samples
        ending = recording.ending
        self._sources.append(
            {
                "file": recording.path.name,
                "sha256": sha256,
                "state": "open" if ending is None else "closed",
                "closed_because": ending,
                "n_samples": n_samples,
                "first_step": first,
                "last_step": self._last[0],
            }
        )

    def since_first_s(self, timestamps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return times since the first row; (n,), in seconds."""
        return timestamps - self._first_wall_s

    def document(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        history, meta = self._history, self._meta
        if history is None or meta is None:
            return {}
        info = meta.info
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "csv": self._csv_name,
            "session": meta.session,
            "bench": meta.bench,
            "device": _device(meta.device, info),
            "clamp_mode": str(self._run.mode),
            **({} if self._warning is None else {"warning": self._warning}),
            "time_column": {
                "kind": self.time,
                "header": TIME_HEADERS[self.time],
                "meaning": _MEANING[self.time],
                "first_step": self.first_step,
                "last_step": self._last[0],
                "first_wall_s": self._first_wall_s,
                "last_wall_s": self._last[1],
                "wall_zero_utc": _utc(meta.reference_utc_ns),
                "step_us_at_start": meta.step_us,
            },
            "n_rows": self.n_rows,
            "sequence": "none" if self._run.translated else "counted",
            "missing_samples": {c: "not countable" if n is None else n for c, n in self.missing.items()},
            **({"empty_columns": self.absent} if self.absent else {}),
            "gaps": self._gaps,
            "saturated": {
                "blocks": self._saturated_blocks,
                "stretches": [{"first_step": a, "last_step": b - 1} for a, b in self._saturated],
            },
            "sources": self._sources,
            "hardware": {
                "units": {p.name: p.unit for p in info.parameters},
                "start": history.start,
                "changes": [self._change(change) for change in history.changes],
                "requests": [self._change(request) for request in history.requests],
            },
        }

    def _settings(self, recording: RecordingFile, history: History) -> None:
        """Follow parameters, requests and stimulus through a file, in the order of the journal."""
        capacity = recording.device_info.stimulus_capacity
        stimulus = self._stimulus = self._stimulus or StimulusFollower(history, capacity)
        rows: list[StoredParameter | StoredNote | StoredEvent]
        rows = [*recording.parameters, *recording.notes]
        rows += [e for e in recording.events if e.kind in (EventKind.TRIGGER, EventKind.STIMULUS_END)]
        for row in sorted(rows, key=lambda row: row.journal_offset):
            if isinstance(row, StoredParameter):
                history.row(row)
            elif isinstance(row, StoredEvent):
                stimulus.event(row)
            else:
                stimulus.note(row)

    def _time(self, step: int | None, wall_s: float) -> float | None:
        """Time in the CSV's own column."""
        if self.time == "wall":
            return round(wall_s, 6)
        if self.time == "arrival":
            return round((wall_s - self._first_wall_s) * 1000, 3)
        if self.time == "stock" and step is not None:
            absent: int = sum(g["n_samples"] for g in self._gaps if g["first_step"] < step)
            return (step - self.first_step - absent) / 10
        return None if step is None else (step - self.first_step) / 10

    def _change(self, change: Change) -> dict[str, Any]:
        time = self._time(change.step, change.wall_s)
        return {
            "time": "unknown" if time is None else time,
            "step": "unknown" if change.step is None else change.step,
            "wall_s": change.wall_s,
            "origin": change.origin,
            **({} if change.by is None else {"by": change.by}),
            "set": change.settings,
        }

    def _gap(self, stored: StoredGap) -> None:
        gap = stored.gap
        if gap.boot_id != self._run.boot_id or gap.first_step < self.first_step:
            return
        self.missing[gap.cause.value] = (self.missing[gap.cause.value] or 0) + gap.n_steps
        self._gaps.append(
            {
                "time": self._time(gap.first_step, stored.start_s),
                "first_step": gap.first_step,
                "n_samples": gap.n_steps,
                "wall_s": [stored.start_s, stored.stop_s],
                "cause": gap.cause.value,
            }
        )

    def _saturation(self, blocks: npt.NDArray[Any]) -> None:
        """Count saturated blocks, neighbouring ones as one stretch."""
        cut = blocks[(blocks["flags"] & int(BlockFlag.SATURATED)) != 0]
        self._saturated_blocks += len(cut)
        starts = cut["first_step"].astype(np.int64)
        for start, stop in zip(starts.tolist(), (starts + cut["n_samples"]).tolist(), strict=True):
            if self._saturated and self._saturated[-1][1] == start:
                self._saturated[-1][1] = stop
            else:
                self._saturated.append([start, stop])


def _device(name: str, info: DeviceInfo) -> dict[str, Any]:
    return {
        "name": name,
        "unique_id": info.unique_id,
        "board": info.board,
        "firmware_version": info.firmware_version,
        "build_hash": info.build_hash,
        "protocol_version": ".".join(map(str, info.protocol_version)),
        "boot_id": info.boot_id,
    }


def _utc(ns: int) -> str:
    time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ns // 1000)
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")
