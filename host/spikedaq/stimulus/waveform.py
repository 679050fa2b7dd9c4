"""A waveform as a device plays it: whole numbers of 0.01 %, one per 0.1 ms of model time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from spikedaq.model import ConfigError
from spikedaq.model.stream import MODEL_STEP_MS

ROW_MS = MODEL_STEP_MS
"""Model time of one row, in milliseconds."""
LIMIT_CENTIPERCENT = 10_000
"""100 %, in rows of 0.01 % (protocol/README.md, section 7)."""
MAX_ROWS = 6_000_000
"""Ten minutes of model time. No device holds as many; a longer one is a mistyped number, and would take gigabytes."""

Limits = Literal["clip", "refuse"]


@dataclass(frozen=True, slots=True, eq=False)
class Waveform:
    """One stimulus.

    Attributes
    ----------
    rows : int16 array, shape (n_rows,)
        In 0.01 %, -10000 to 10000; read-only.
    n_clipped : int
        Rows that were beyond 100 % as they were computed, and were cut.
    spec : map or None
        What `make` makes it of again; None where it came from elsewhere.
    """

    rows: npt.NDArray[np.int16]
    n_clipped: int = 0
    spec: Mapping[str, Any] | None = None

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.rows)

    @property
    def duration_ms(self) -> float:
        """Model time that it takes, in milliseconds."""
        return self.n_rows / 10

    @property
    def percent(self) -> npt.NDArray[np.float64]:
        """Rows in per cent, float64 array, shape (n_rows,)."""
        return np.asarray(self.rows / 100, np.float64)


def quantised(
    percent: npt.NDArray[np.float64], *, limits: Limits = "clip", spec: Mapping[str, Any] | None = None
) -> Waveform:
    """Round per cent to rows of 0.01 %, halves away from zero, so that a waveform and its negative stay mirrored.

    Parameters
    ----------
    percent : float64 array, shape (n_rows,)
    limits : {"clip", "refuse"}
        What becomes of rows beyond 100 %: cut and counted, or an error.

    Raises
    ------
    ConfigError
        No rows, too many, one that is no number, or one beyond 100 % with ``limits="refuse"``.
    """
    check_n_rows(len(percent))
    if not np.isfinite(percent).all():
        row = int(np.flatnonzero(~np.isfinite(percent))[0])
        raise ConfigError(f"row {row} of the stimulus is {percent[row]}; every row must be a number of per cent")
    with np.errstate(over="ignore"):  # what overflows is beyond the limits, and says so
        magnitude = np.floor(np.abs(percent) * 100 + 0.5)
    beyond = magnitude > LIMIT_CENTIPERCENT
    n_clipped = int(beyond.sum())
    if n_clipped and limits == "refuse":
        row = int(np.flatnonzero(beyond)[0])
        raise ConfigError(
            f"{n_clipped} of {len(percent)} rows are beyond 100 %, the first is row {row} with {percent[row]:g} %; "
            "make it smaller, or let it be cut"
        )
    rows = np.copysign(np.minimum(magnitude, LIMIT_CENTIPERCENT), percent).astype(np.int16)
    rows.setflags(write=False)
    return Waveform(rows, n_clipped, spec)


def check_n_rows(n_rows: int) -> int:
    """Return a number of rows that can be a stimulus.

    Raises
    ------
    ConfigError
        None, or more than `MAX_ROWS`.
    """
    if n_rows < 1:
        raise ConfigError("the stimulus has no rows; make something in it longer than 0 ms")
    if n_rows > MAX_ROWS:
        raise ConfigError(
            f"the stimulus would have {n_rows} rows ({n_rows / 10_000:.0f} s of model time); at most {MAX_ROWS} "
            f"({MAX_ROWS // 10_000} s) are possible; make it shorter, or loop it"
        )
    return n_rows


def concatenated(waveforms: Sequence[Waveform]) -> Waveform:
    """Return waveforms one after the other, as one.

    Raises
    ------
    ConfigError
        None given, or too many rows.
    """
    check_n_rows(sum(waveform.n_rows for waveform in waveforms))
    rows = np.concatenate([waveform.rows for waveform in waveforms])
    rows.setflags(write=False)
    specs = [waveform.spec for waveform in waveforms]
    spec = None if any(one is None for one in specs) else {"sequence": specs, "repeat": 1}
    return Waveform(rows, sum(waveform.n_clipped for waveform in waveforms), spec)


def repeated(waveform: Waveform, n_times: int) -> Waveform:
    """Return a waveform played ``n_times`` in a row, as one.

    Raises
    ------
    ConfigError
        Fewer than one time, or too many rows.
    """
    if n_times < 1:
        raise ConfigError(f"a stimulus cannot be repeated {n_times} times; give 1 or more")
    check_n_rows(waveform.n_rows * n_times)
    rows = np.tile(waveform.rows, n_times)
    rows.setflags(write=False)
    spec = None if waveform.spec is None else {"sequence": [waveform.spec], "repeat": n_times}
    return Waveform(rows, waveform.n_clipped * n_times, spec)
