"""What a trial is: baseline, a stimulus once, and a tail, in one recording; how it goes on, and what comes of it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedaq.model import CommandError, ConfigError, check_session_name

MAX_SIDE_S = 86_400.0
"""A day; a longer baseline is a mistyped number."""
_MAX_SPEC_CHARS = 5000
_SLOW_STEP_US = 2000
"""The slow motion of the stock software: somebody may choose it while the trial is under way."""
_UPLOAD_S_PER_ROW = 10.0 / 20_000
"""A board of 500000 baud takes a second for 20000 rows; on a noisy cable everything is sent several times."""
_SPARE_S = 60.0
"""For the start, the order to play, and a computer that is busy with other things."""


class Phase(StrEnum):
    """Where a trial is."""

    START = "start"
    BASELINE = "baseline"
    STIMULUS = "stimulus"
    AFTER = "after"
    STOP = "stop"
    DONE = "done"


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One trial.

    Attributes
    ----------
    session : str
        Name of the recording.
    device : str
        What plays the stimulus.
    rows : int16 array, shape (n_rows,)
        The stimulus in 0.01 %, one row per step.
    stimulus : str
        What to call it in the recording's notes.
    spec : map or None
        Specification that it was made from; goes into the notes.
    baseline_s, after_s : float
        How long to record before and after, at least, in seconds of the device's clock (its ticks). At any other pace
        than 100 us per step that is not model time.
    others : tuple of str
        Devices that are recorded as well.
    folder : str or None
        On the daemon's computer; None for its own recordings.
    notes : str
        Free text that goes into the files.
    """

    session: str
    device: str
    rows: npt.NDArray[np.int16]
    stimulus: str
    spec: Any = None
    baseline_s: float = 3.0
    after_s: float = 3.0
    others: tuple[str, ...] = ()
    folder: str | None = None
    notes: str = ""

    def check(self) -> None:
        """Raise ConfigError where this cannot be a trial."""
        check_session_name(self.session)
        if not len(self.rows):
            raise ConfigError("the stimulus of a trial needs at least one row")
        for name, seconds in (("baseline", self.baseline_s), ("time after the stimulus", self.after_s)):
            if not (math.isfinite(seconds) and 0 <= seconds <= MAX_SIDE_S):
                raise ConfigError(f"the {name} is {seconds:g} s; give 0 to {MAX_SIDE_S:g} s")

    def at_most_s(self, step_us: int) -> float:
        """Return how long its recording lasts at most, in seconds: whatever becomes of us, the daemon ends it then.

        Parameters
        ----------
        step_us : int
            Microseconds per step now.
        """
        stimulus_s = len(self.rows) * max(step_us, _SLOW_STEP_US) / 1e6
        return self.baseline_s + stimulus_s + self.after_s + len(self.rows) * _UPLOAD_S_PER_ROW + _SPARE_S

    def notes_text(self) -> str:
        """Return the notes with what the trial is."""
        what = (
            f"stimulus {self.stimulus}, {len(self.rows)} rows, played once by {self.device}; at least "
            f"{self.baseline_s:g} s before and {self.after_s:g} s after"
        )
        spec = "" if self.spec is None else f"; specification {self.spec}"
        text = what + (spec if len(spec) <= _MAX_SPEC_CHARS else "")
        return f"{self.notes}\n{text}" if self.notes else text


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a trial is: seconds of the device's clock in this phase, and how many it has; 0 where nobody knows."""

    phase: Phase
    done_s: float = 0.0
    total_s: float = 0.0
    text: str = ""

    def to_map(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What came of a trial that went to its end.

    Attributes
    ----------
    session, device, stimulus : str
    recording : map
        Session status as the daemon gave it last.
    boot_id, first_step, n_rows : int
        Boot and step of the stimulus's first row, and its rows: row k was played at step ``first_step + k``.
    step_us : int
        Microseconds per step at its first row.
    baseline_s, after_s : float
        What was recorded before and after, at least, in seconds of the device's clock.
    n_rows_seen, n_rows_different : int or None
        Rows that were compared with the device's stimulus channel, and those of them that differed from it by more than
        its rounding; None in voltage clamp, where there is no such channel.
    gaps : map of str to int
        Missing samples between baseline and end by cause; empty where none is missing.
    warnings : tuple of str
    """

    session: str
    device: str
    stimulus: str
    recording: dict[str, Any]
    boot_id: int
    first_step: int
    n_rows: int
    step_us: int
    baseline_s: float
    after_s: float
    n_rows_seen: int | None
    n_rows_different: int | None
    gaps: dict[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def to_map(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


class TrialError(CommandError):
    """A trial did not go to its end. What had been recorded by then was stopped in order, as far as that went.

    Attributes
    ----------
    phase : Phase
        Where it was.
    recording : map or None
        Session status after the stop; None where nothing was recorded, or nobody knows.
    """

    def __init__(
        self, message: str, *, phase: Phase, recording: dict[str, Any] | None = None, code: str = "trial"
    ) -> None:
        super().__init__(message, code=code)
        self.phase = phase
        self.recording = recording


class TrialCancelled(TrialError):
    """Somebody ended the trial: Ctrl-C, or the caller."""
