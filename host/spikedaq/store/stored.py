"""Rows of a recording file's tables as objects: gaps, events, parameters, notes, epochs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.model import ClockMap, EventKind, Gap, GapCause
from spikedaq.store.layout import NOTE_BYTES

_TOLD = ("initial", "device", "board")
"""Origins of values that nobody asked for; ``device`` is what older files say of everything that the device told."""


@dataclass(frozen=True, slots=True)
class StoredGap:
    """A gap as stored; times in seconds since the reference time."""

    gap: Gap
    start_s: float
    stop_s: float
    journal_offset: int


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A spike, trigger or other event of the device; parameter changes are :class:`StoredParameter`."""

    time_s: float
    kind: int
    label: str
    boot_id: int
    seq: int
    step: int
    tick: int
    index: int
    value: float
    journal_offset: int


@dataclass(frozen=True, slots=True)
class StoredParameter:
    """A parameter's value from ``time_s`` on, or the request for it.

    ``origin`` is initial, board (a knob, a button, what another change brings with it), or who asked for it; older
    files say device of all that the device told. ``value`` is None where the parameter was handed back to
    its knob; ``step`` None where the device did not say.
    """

    time_s: float
    name: str
    value: float | None
    origin: str
    step: int | None
    boot_id: int
    journal_offset: int

    @property
    def is_request(self) -> bool:
        """Whether somebody asked for it; what came of that the device tells, in a row of its own."""
        return self.step is None and self.origin not in _TOLD


@dataclass(frozen=True, slots=True)
class StoredNote:
    """A note, with its whole text."""

    time_s: float
    t_host_ns: int
    text: str
    origin: str
    journal_offset: int


@dataclass(frozen=True, slots=True)
class StoredEpoch:
    """A trigger that fired on this computer, and its window; times in seconds since the reference time.

    ``boot_id`` and ``step`` are those of ``device``, on which it fired; that is None for one fired by hand. ``value``
    is None where there is none.
    """

    start_s: float
    stop_s: float
    time_s: float
    trigger: str
    device: str | None
    value: float | None
    boot_id: int
    step: int
    tick: int
    t_trigger_ns: int
    journal_offset: int


def stored_gaps(rows: npt.NDArray[Any]) -> list[StoredGap]:
    """Return the gaps that a table holds."""
    return [
        StoredGap(
            Gap(
                boot_id=int(r["boot_id"]),
                stream=int(r["stream"]),
                first_step=int(r["first_step"]),
                n_steps=int(r["n_steps"]),
                first_tick=int(r["first_tick"]),
                cause=GapCause(r["cause"].decode()),
            ),
            float(r["start_time"]),
            float(r["stop_time"]),
            int(r["journal_offset"]),
        )
        for r in rows
    ]


def stored_events(spikes: npt.NDArray[Any], triggers: npt.NDArray[Any], others: npt.NDArray[Any]) -> list[StoredEvent]:
    """Return the events of three tables, in the order of the journal."""
    events = []
    for r in spikes:
        events.append(_event(r, EventKind.SPIKE, "spike", 0, float(r["v_mv"])))
    for r in triggers:
        events.append(_event(r, EventKind.TRIGGER, "trigger", int(r["loop"]), float(r["is_waveform"])))
    for r in others:
        label = r["label"].decode()
        events.append(_event(r, int(r["kind"]), label, int(r["index"]), float(r["value"])))
    return sorted(events, key=lambda e: e.journal_offset)


def stored_parameters(rows: npt.NDArray[Any]) -> list[StoredParameter]:
    """Return the values and changes that a table holds."""
    return [
        StoredParameter(
            float(r["timestamp"]),
            r["parameter"].decode(),
            None if np.isnan(r["value"]) else float(r["value"]),
            r["origin"].decode(),
            None if r["step"] < 0 else int(r["step"]),
            int(r["boot_id"]),
            int(r["journal_offset"]),
        )
        for r in rows
    ]


def stored_notes(rows: npt.NDArray[Any]) -> list[StoredNote]:
    """Return the notes of a table; those that take several rows are put together again."""
    notes: list[StoredNote] = []
    full = False
    for r in rows:
        text, offset = r["annotation"].decode(), int(r["journal_offset"])
        if full and notes and notes[-1].journal_offset == offset:
            last = notes.pop()
            text = last.text + text
        notes.append(StoredNote(float(r["timestamp"]), int(r["t_host_ns"]), text, r["origin"].decode(), offset))
        # A character takes at most 4 bytes: a row with more room than that was the last of its note.
        full = len(r["annotation"]) > NOTE_BYTES - 4
    return notes


def stored_epochs(rows: npt.NDArray[Any]) -> list[StoredEpoch]:
    """Return the triggers with their windows that a table holds."""
    return [
        StoredEpoch(
            float(r["start_time"]),
            float(r["stop_time"]),
            float(r["trigger_time"]),
            r["trigger"].decode(),
            r["device"].decode() or None,
            None if np.isnan(r["value"]) else float(r["value"]),
            int(r["boot_id"]),
            int(r["step"]),
            int(r["tick"]),
            int(r["t_trigger_ns"]),
            int(r["journal_offset"]),
        )
        for r in rows
    ]


def stored_clock_maps(rows: npt.NDArray[Any]) -> list[ClockMap]:
    """Return the pieces of the clock map that a table holds, each once."""
    maps: list[ClockMap] = []
    for r in rows:
        piece = ClockMap(
            int(r["boot_id"]),
            int(r["tick0"]),
            int(r["t_host0_ns"]),
            float(r["ns_per_tick"]),
            int(r["uncertainty_ns"]),
        )
        if piece not in maps[-1:]:
            maps.append(piece)
    return maps


def _event(row: Any, kind: int, label: str, index: int, value: float) -> StoredEvent:
    return StoredEvent(
        float(row["timestamp"]),
        int(kind),
        label,
        int(row["boot_id"]),
        int(row["seq"]),
        int(row["step"]),
        int(row["tick"]),
        index,
        value,
        int(row["journal_offset"]),
    )
