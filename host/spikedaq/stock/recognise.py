"""Which dialect a byte stream is in, from its first bytes."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from spikedaq.stock.binary import SYN1_VM, SYN2_VM
from spikedaq.stock.dialects import DECODERS, DIALECTS, Dialect
from spikedaq.stock.items import Decoder, LogLine, Rows, Skipped

LEAST_ROWS: Final = {"binary": 16, "v2.4": 8, "v2.2": 8, "v1-9": 8, "v1-4": 8, "v1-2": 8}
"""Rows in one run, without anything lost in between, before a dialect is believed."""
NONE_AFTER_BYTES: Final = 4096
"""So many bytes without a run of rows are no stock stream: 227 frames, or some 90 lines."""
SCALE_ROWS: Final = 64
SCALE_PATIENCE_ROWS: Final = 1000

_ESPRESSIF, _SILICON_LABS = 0x303A, 0x10C4
_V3_BOOT: Final = "BOOT: Spikeling_V3"
_MOST_AT_1 = 240  # a synapse reads -117 to 100 mV; beyond this a number is in 0.01 mV
_UNCONNECTED_AT_1 = (-120, -100)


class SynapseScale:
    """Whether synapse voltages come in mV (1) or in 0.01 mV (100), seen from their values.

    A number beyond +-240 can only be in 0.01 mV. One in mV is never proved by itself: -116 could be -1.16 mV. But an
    open input reads -100 to -120 mV for good, and a connected one never stays between -1.0 and -1.2 mV for `SCALE_ROWS`
    rows.

    Attributes
    ----------
    scale : int or None
    undecided_rows : int
        Rows seen before the decision.
    """

    def __init__(self) -> None:
        self.scale: int | None = None
        self.undecided_rows = 0
        self._run = [0, 0]

    def see(self, values: npt.NDArray[np.int32]) -> None:
        """Look at a decoder's binary rows."""
        if self.scale is not None or not len(values):
            return
        voltages = values[:, (SYN1_VM, SYN2_VM)]
        self.undecided_rows += len(values)
        if (np.abs(voltages) > _MOST_AT_1).any():
            self.scale = 100
            return
        low, high = _UNCONNECTED_AT_1
        open_input = (voltages >= low) & (voltages <= high)
        for column in range(2):
            others = np.flatnonzero(~open_input[:, column])
            at_end = len(voltages) if not len(others) else len(voltages) - 1 - int(others[-1])
            self._run[column] = at_end + (self._run[column] if not len(others) else 0)
            if self._run[column] >= SCALE_ROWS:
                self.scale = 1


class Verdict(StrEnum):
    """What a recogniser knows."""

    NOT_YET = "not yet"
    RECOGNISED = "recognised"
    NONE = "none"


class Recogniser:
    """Looks at a stream with every decoder at once.

    Parameters
    ----------
    usb_vendor : int, optional
        Of the port, where it is known: an ESP32-S3's own USB is a v3, a CP210x a v2.
    forced : Dialect, optional
        Only this one is looked for.

    Attributes
    ----------
    verdict : Verdict
    dialect : Dialect or None
    scale : SynapseScale
    n_bytes : int
    """

    def __init__(self, *, usb_vendor: int | None = None, forced: Dialect | None = None) -> None:
        self.verdict = Verdict.NOT_YET
        self.dialect: Dialect | None = None
        self.scale = SynapseScale()
        self.n_bytes = 0
        self._usb_vendor = usb_vendor
        self._forced = forced
        kinds = list(DECODERS) if forced is None else [forced.kind]
        self._decoders: dict[str, Decoder] = {kind: DECODERS[kind]() for kind in kinds}
        self._runs = dict.fromkeys(kinds, 0)
        self._newest_tick = dict.fromkeys(kinds, -1)
        self._rows_at = 0
        self._says_v3 = False
        self._scale_rows = 0

    @property
    def rows_needed(self) -> int:
        """Rows that are still needed for a verdict, if they come in the dialect that has shown most."""
        if self.verdict is not Verdict.NOT_YET:
            return 0
        return max(0, min(LEAST_ROWS[kind] - run for kind, run in self._runs.items()))

    def feed(self, data: bytes) -> Verdict:
        """Take bytes; return the verdict, which does not change once it is `Verdict.RECOGNISED`."""
        self.n_bytes += len(data)
        if self.verdict is Verdict.RECOGNISED:
            return self.verdict
        for kind, decoder in self._decoders.items():
            for item in decoder.feed(data):
                if isinstance(item, Rows):
                    self._rows(kind, item)
                elif isinstance(item, Skipped):
                    self._runs[kind] = 0
                elif isinstance(item, LogLine) and item.text.startswith(_V3_BOOT):
                    self._says_v3 = True
        self._decide()
        return self.verdict

    def _rows(self, kind: str, rows: Rows) -> None:
        if rows.ticks is not None:
            ticks = np.concatenate(([self._newest_tick[kind]], rows.ticks))
            self._newest_tick[kind] = int(rows.ticks[-1])
            if (np.diff(ticks[ticks >= 0]) <= 0).any():
                self._runs[kind] = 0  # a column that does not count up is no clock
                return
        self._runs[kind] += len(rows.values)
        self._rows_at = self.n_bytes
        if kind == "binary":
            self.scale.see(rows.values)

    def _decide(self) -> None:
        kind = max(self._runs, key=lambda k: self._runs[k] / LEAST_ROWS[k])
        if self._runs[kind] >= LEAST_ROWS[kind]:
            self.dialect = self._forced or self._named(kind)
            self.verdict = Verdict.NOT_YET if self.dialect is None else Verdict.RECOGNISED
        elif self.n_bytes - self._rows_at >= NONE_AFTER_BYTES:
            self.verdict = Verdict.NONE
        else:
            self.verdict = Verdict.NOT_YET

    def _named(self, kind: str) -> Dialect | None:
        """Choose among the dialects of one decoder."""
        if kind != "binary":
            return next(dialect for dialect in DIALECTS.values() if dialect.kind == kind)
        if self._says_v3 or self._usb_vendor == _ESPRESSIF:
            return DIALECTS["stock-v3"]
        if self.scale.scale is None and self.scale.undecided_rows < SCALE_PATIENCE_ROWS:
            return None
        if self.scale.scale == 1:
            return DIALECTS["stock-v2.5"]
        if self.scale.scale == 100 and self._usb_vendor != _SILICON_LABS:
            return DIALECTS["stock-v3"]
        return DIALECTS["stock-v2.5-2026"]
