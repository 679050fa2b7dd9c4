"""What the stimulus generator played: uploads from the requests on record, starts and ends from the board's events."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikedaq.formats.hardware_state import UNKNOWN
from spikedaq.formats.history import History
from spikedaq.model import EventKind
from spikedaq.store import StoredEvent, StoredNote

SQUARE = "square wave"
WAVEFORM = "waveform"
SILENCE = "silence after the waveform"

# The recorder keeps requests other than of parameters as notes that start so.
_REQUEST = '{"request"'


@dataclass(frozen=True, slots=True)
class _Play:
    waveform: dict[str, Any]
    by: str


class StimulusFollower:
    """Puts uploads, plays and triggers together, in the order of the journal.

    ``capacity`` is the number of rows that the board has room for; it refuses more.
    """

    def __init__(self, history: History, capacity: int) -> None:
        self._history = history
        self._capacity = capacity
        self._rows: list[Any] | None = None
        self._asked: _Play | None = None
        self._stopped_by: str | None = None
        self._playing: str | None = None
        self._trigger_step = -1
        self._is_open = True

    def note(self, note: StoredNote) -> None:
        """Take a note, which may be a request."""
        if not note.text.startswith(_REQUEST):
            return
        try:
            self._request(json.loads(note.text), note)
        except (ValueError, TypeError, KeyError):
            return  # somebody's own text

    def _request(self, request: dict[str, Any], note: StoredNote) -> None:
        kind = request["request"]
        if kind == "stimulus_begin":
            n_rows = int(request["n_rows"])
            self._rows = [UNKNOWN] * n_rows if 0 <= n_rows <= self._capacity else None
            self._stop(note.origin)
        elif kind == "stimulus_data" and self._rows is not None:
            first, piece = int(request["first_row"]), np.frombuffer(bytes.fromhex(request["rows"]), "<i2")
            if 0 <= first <= len(self._rows) - len(piece):
                self._rows[first : first + len(piece)] = (piece / 100).tolist()
        elif kind == "stimulus_play":
            rows = UNKNOWN if self._rows is None else list(self._rows)
            n_rows_known = UNKNOWN if self._rows is None else len(self._rows)
            waveform = {"n_rows": n_rows_known, "loop": bool(request["loop"]), "unit": "%", "rows": rows}
            self._asked, self._is_open = _Play(waveform, note.origin), False
        elif kind == "stimulus_stop":
            self._stop(note.origin)
        elif kind == "reset":
            self._history.reset(note.time_s, note.origin)

    def event(self, event: StoredEvent) -> None:
        """Take an event of the device."""
        if event.kind == EventKind.TRIGGER:
            self._trigger_step = event.step
            if event.value:
                self._waveform(event)
            else:
                self._play(event, SQUARE, None, self._stopped_by)
        elif event.kind == EventKind.STIMULUS_END and event.step != self._trigger_step:
            # One that was stopped or replaced ends in the step in which the next one starts.
            if self._playing is None:
                self._was(WAVEFORM, UNKNOWN)
            self._play(event, SILENCE, None, None, origin="board")

    def _waveform(self, event: StoredEvent) -> None:
        if self._asked is not None:
            asked, self._asked = self._asked, None
            self._play(event, WAVEFORM, asked.waveform, asked.by)
        elif self._playing != WAVEFORM:
            self._play(event, WAVEFORM, UNKNOWN, None)

    def _play(
        self, event: StoredEvent, source: str, waveform: Any, by: str | None, *, origin: str | None = None
    ) -> None:
        if self._playing is None and self._is_open:
            self._was(source, waveform)
        else:
            origin = origin or ("host" if by else UNKNOWN)
            self._history.stimulus(event.step, event.time_s, source, waveform, origin=origin, by=by)
        self._playing, self._is_open, self._stopped_by = source, False, None

    def _was(self, source: str, waveform: Any) -> None:
        """Note what played from the start: nobody has asked for anything else since."""
        self._history.stimulus_from_start(source, waveform)
        self._playing, self._is_open = source, False

    def _stop(self, by: str) -> None:
        self._stopped_by, self._is_open = by, False
